//! Who may, by the pages alone: the first account, another one with its rights, tokens, sessions, passwords, and
//! the way out, in two browsers.
//!
//! Invariants: a secret is on one page, once; whoever is switched off, ended or signed out sees no page more, not
//! by going back either.

use super::path::get;
use super::press::{Hand, Pressed};
use super::who::{CONFIG, Collector, PASSWORD, posted};

const SECOND: &str = "another+word+nobody+guesses";
const THIRD: &str = "a+third+word+nobody+guesses";

/// A password as it is typed; the constants are as a form sends them.
fn typed(password: &str) -> String {
    password.replace('+', " ")
}

impl Hand<'_> {
    async fn sign_in(&self, name: &str, password: &str, words: &str) {
        self.fill("[name=name]", name).await;
        self.fill("[name=password]", &typed(password)).await;
        self.press("main form button", words).await;
    }

    async fn set_password(&self, password: &str) {
        self.fill("[name=password]", &typed(password)).await;
        self.fill("[name=again]", &typed(password)).await;
        self.press("main form button", "Waiting for a person").await;
    }

    /// What the page shows once.
    async fn once(&self) -> String {
        let shown = self
            .browser
            .script("return document.querySelector('.once input').value;")
            .await;
        let shown = shown.as_str().unwrap().to_owned();
        self.goto("/admin").await;
        let again = self
            .browser
            .script("return document.querySelectorAll('.once').length;")
            .await;
        assert_eq!(again, 0, "shown once");
        shown
    }

    /// That no page is to be had, by a link, a reload or by going back.
    async fn is_out(&self, of: &str) {
        self.goto(of).await;
        assert_eq!(self.path().await, "/sign-in", "{}", self.text().await);
        self.browser.client.refresh().await.unwrap();
        assert_eq!(self.path().await, "/sign-in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_tokens_and_sessions_are_kept_by_form_and_the_way_out_is_final() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("collector.toml"), CONFIG).unwrap();
    let collector = Collector::start(folder.path());
    let http = collector.http.clone();
    let home = format!("http://{http}");
    let status = |path: &str, more: &[&str]| {
        let asked = [&["-o", "/dev/null", "-w", "%{http_code}"], more].concat();
        get(&http, path, &asked)
    };
    let pressed = Pressed::default();
    let (ada, bo) = tokio::join!(Hand::at(&home, &pressed), Hand::at(&home, &pressed));

    // The link of the first start, and an account made by whoever came in by it.
    let link = collector.link().expect("the first start prints a link");
    ada.goto(&format!("/set-up?token={link}")).await;
    ada.fill("[name=name]", "Ada").await;
    ada.set_password(PASSWORD).await;
    ada.goto("/admin").await;
    ada.click(".new > summary").await;
    ada.fill("[action='/admin/accounts'] [name=name]", "Bo").await;
    ada.fill("[action='/admin/accounts'] [name=role]", "viewer").await;
    ada.click("[action='/admin/accounts'] [name=sites]").await;
    ada.press("[action='/admin/accounts'] button", "Give this link to Bo")
        .await;
    let link = ada.once().await;
    bo.goto(link.strip_prefix(&home).unwrap()).await;
    bo.set_password(PASSWORD).await;
    bo.goto("/audit").await;
    bo.browser.sees("You may not do this").await;

    // More rights, at once.
    let row = "return [...document.querySelectorAll('tr[data-key]')].find((row) => row.innerText.startsWith('Bo')).dataset.key;";
    let key = ada.browser.script(row).await;
    let of = |deed: &str| format!("[action='/admin/accounts/{}/{deed}']", key.as_str().unwrap());
    ada.click(&format!("#rights-{} > summary", key.as_str().unwrap()))
        .await;
    ada.fill(&format!("{} select", of("rights")), "compliance").await;
    ada.press(&format!("{} button", of("rights")), "compliance").await;
    bo.browser.client.refresh().await.unwrap();
    bo.browser.sees("holds on to the one before").await;

    // Switched off and on; a new password by a link ends the sessions of the old one.
    ada.press(&format!("{} button", of("disable")), "switched off")
        .await;
    bo.is_out("/audit").await;
    bo.sign_in("Bo", PASSWORD, "is not right").await;
    ada.press(&format!("{} button", of("enable")), "can sign in")
        .await;
    bo.sign_in("bo", PASSWORD, "holds on to the one before").await;
    ada.press(&format!("{} button", of("link")), "Give this link to Bo")
        .await;
    let link = ada.once().await;
    let old = posted(&http, "/sign-in", &format!("name=Bo&password={PASSWORD}")).1;
    assert_eq!(status("/", &["-b", &old]), "200");
    bo.goto(link.strip_prefix(&home).unwrap()).await;
    bo.set_password(SECOND).await;
    assert_eq!(
        status("/", &["-b", &old]),
        "303",
        "the old password's session has ended"
    );

    // A token: shown once, opens the API, ended.
    ada.click(".list:nth-of-type(2) .new > summary").await;
    ada.fill("[action='/admin/tokens'] [name=name]", "reader").await;
    ada.click("[action='/admin/tokens'] [value=see]").await;
    ada.click("[action='/admin/tokens'] [name=sites]").await;
    ada.press("[action='/admin/tokens'] button", "The token reader")
        .await;
    let token = format!("Authorization: Bearer {}", ada.once().await);
    assert_eq!(status("/api/v1/summary", &["-H", &token]), "200");
    ada.press("[action^='/admin/tokens/'] button", "ended").await;
    assert_eq!(status("/api/v1/summary", &["-H", &token]), "401");

    // Somebody else's session, ended by the admin; then one's own other one, and by a new password all but this.
    let row = "return [...document.querySelectorAll('[action^=\"/admin/sessions/\"]')]\
        .find((form) => form.innerText.includes('of Bo')).getAttribute('action');";
    let action = ada.browser.script(row).await;
    let button = format!("[action='{}'] button", action.as_str().unwrap());
    ada.press(&button, "Sessions").await;
    bo.is_out("/findings").await;
    bo.sign_in("Bo", SECOND, "Findings").await;
    assert_eq!(bo.path().await, "/findings", "and is led to where they wanted");
    let enter = |password: &str| posted(&http, "/sign-in", &format!("name=Bo&password={password}")).1;
    let other = enter(SECOND);
    bo.goto("/account").await;
    let not_this = "tr:not(:has(th .dim)) [action^='/account/sessions/'] button";
    bo.press(not_this, "Your sessions").await;
    assert_eq!(status("/", &["-b", &other]), "303", "ended by its owner");
    let other = enter(SECOND);
    let change = async |again: &str, words: &str| {
        bo.fill("[name=old]", &typed(SECOND)).await;
        bo.fill("[name=password]", &typed(THIRD)).await;
        bo.fill("[name=again]", &typed(again)).await;
        bo.press("[action='/account/password'] button", words).await;
    };
    change(SECOND, "The two passwords are not the same").await;
    assert_eq!(status("/", &["-b", &other]), "200");
    change(THIRD, "Your password is changed").await;
    assert_eq!(
        status("/", &["-b", &other]),
        "303",
        "the other sessions have ended"
    );

    // Out: neither a link nor a reload nor the way back shows a page.
    bo.goto("/findings").await;
    bo.press("[action='/sign-out'] button", "Sign in").await;
    bo.browser.client.back().await.unwrap();
    bo.browser
        .until("the way back is shut", "return location.pathname === '/sign-in';")
        .await;
    bo.is_out("/findings").await;
    bo.sign_in("Bo", SECOND, "is not right").await;

    pressed.all_of("people");
    tokio::join!(ada.leave(), bo.leave());
}
