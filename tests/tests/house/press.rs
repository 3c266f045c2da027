//! Forms as people press them: a button of the page, in a real browser. Which forms were pressed is kept, and a
//! table says which test presses which.
//!
//! Invariants: a form that is in the route table and not in this one fails, and so does a test that did not press
//! what the table promises; after a button is pressed nobody looks until the next page and its script are there.

use super::acts::command;
use super::page::Browser;
use collector::web::access::ROUTES;
use fantoccini::Locator;
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use lab::house::House;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Each form: its route, the word of its button where it has several, and the test that presses it. `forms`, `agents` and
/// `people` press by [`Hand`] and are held to the table; the others assert what their own forms did; `lib` stands for
/// the tests beside the pages, which post without a browser.
const PRESSED: &[(&str, &str, &str)] = &[
    ("/findings/act", "acknowledge", "forms"),
    ("/findings/act", "assign_to_me", "forms"),
    ("/findings/act", "assign", "forms"),
    ("/findings/act", "comment", "forms"),
    ("/findings/act", "waive", "forms"),
    ("/findings/act", "plan_removal", "forms"),
    ("/findings/sign", "approve", "forms"),
    ("/findings/sign", "refuse_waiver", "forms"),
    ("/findings/sign", "take_back_waiver", "forms"),
    ("/findings/sign", "confirm_removal", "forms"),
    ("/views", "", "forms"),
    ("/views/drop", "", "forms"),
    ("/agents/invite", "", "agents"),
    ("/agents/{id}/revoke", "", "agents"),
    ("/agents/{id}/quarantine", "", "quarantine"),
    ("/agents/{id}/release", "", "quarantine"),
    ("/alerts/attach", "", "alerts"),
    ("/alerts/detach", "", "alerts"),
    ("/admin/routes/{route}/test", "", "alerts"),
    ("/sign-in/code", "", "steps"),
    ("/account/second", "", "steps"),
    ("/account/second/prove", "", "steps"),
    ("/account/second/off", "", "lib"),
    ("/admin/accounts/{id}/second-off", "", "lib"),
    ("/set-up", "", "people"),
    ("/sign-in", "", "people"),
    ("/sign-out", "", "people"),
    ("/account/password", "", "people"),
    ("/account/sessions/{id}/end", "", "people"),
    ("/admin/accounts", "", "people"),
    ("/admin/accounts/{id}/rights", "", "people"),
    ("/admin/accounts/{id}/disable", "", "people"),
    ("/admin/accounts/{id}/enable", "", "people"),
    ("/admin/accounts/{id}/link", "", "people"),
    ("/admin/tokens", "", "people"),
    ("/admin/tokens/{id}/end", "", "people"),
    ("/admin/sessions/{id}/end", "", "people"),
];

/// The words of all buttons that one form has several of, as the templates have them.
const BUTTONS: [&str; 3] = [
    include_str!("../../../collector/templates/act_parts.html"),
    include_str!("../../../collector/templates/finding.html"),
    include_str!("../../../collector/templates/waivers.html"),
];

#[test]
fn every_form_and_every_button_of_it_is_pressed_by_some_test() {
    let routes = || ROUTES.iter().filter(|(method, ..)| *method == "POST");
    for (_, route, _) in routes() {
        assert!(
            PRESSED.iter().any(|(path, ..)| path == route),
            "no test presses the form {route}"
        );
    }
    for (route, ..) in PRESSED {
        assert!(routes().any(|(_, path, _)| path == route), "{route} is no form");
    }
    let words = BUTTONS
        .iter()
        .flat_map(|text| text.split("name=\"do\" value=\"").skip(1));
    let words: BTreeSet<_> = words.filter_map(|rest| rest.split('"').next()).collect();
    let pressed = PRESSED
        .iter()
        .map(|(_, word, _)| *word)
        .filter(|word| !word.is_empty());
    assert_eq!(words, pressed.collect());
}

/// Whether a path is one of this route.
fn leads(route: &str, path: &str) -> bool {
    let (route, path) = (route.split('/'), path.split('/'));
    route.clone().count() == path.clone().count()
        && route
            .zip(path)
            .all(|(ours, theirs)| ours == theirs || ours.starts_with('{'))
}

/// What was pressed so far: path and word of the button.
#[derive(Default)]
pub struct Pressed(RefCell<BTreeSet<(String, String)>>);

impl Pressed {
    /// That everything was pressed which the table promises of this test.
    pub fn all_of(&self, test: &str) {
        let pressed = self.0.borrow();
        let of = PRESSED.iter().filter(|(.., by)| *by == test);
        let left: Vec<_> = of
            .filter(|(route, word, _)| {
                !pressed
                    .iter()
                    .any(|(path, said)| leads(route, path) && said == word)
            })
            .collect();
        assert!(left.is_empty(), "not pressed: {left:?}");
    }
}

/// Somebody at a browser of their own.
pub struct Hand<'a> {
    /// Theirs.
    pub browser: Browser,
    home: String,
    pressed: &'a Pressed,
}

impl<'a> Hand<'a> {
    /// Somebody who is not signed in yet.
    pub async fn at(home: &str, pressed: &'a Pressed) -> Self {
        Self {
            browser: Browser::open(1400, 1000).await,
            home: home.to_owned(),
            pressed,
        }
    }

    /// Opens a page by its path.
    pub async fn goto(&self, path: &str) {
        let url = format!("{}{path}", self.home);
        self.browser.client.goto(&url).await.unwrap();
    }

    async fn find(&self, css: &str) -> Element {
        let found = self.browser.client.find(Locator::Css(css)).await;
        match found {
            Ok(found) => found,
            Err(error) => panic!("{css}: {error}\n{}", self.browser.text().await),
        }
    }

    /// Does something with what stands there; again where the page lived on and put another in its place meanwhile.
    async fn with<T>(&self, css: &str, act: impl AsyncFn(Element) -> Result<T, CmdError>) -> T {
        for _ in 0..20 {
            match act(self.find(css).await).await {
                Err(error) if error.is_stale_element_reference() => {}
                done => return done.unwrap_or_else(|error| panic!("{css}: {error}")),
            }
        }
        panic!("{css} does not stand still");
    }

    /// Clicks what opens a part of the page, or ticks a box.
    pub async fn click(&self, css: &str) {
        self.with(css, async |one| one.click().await).await;
    }

    /// Types words into an empty field; into one for a day they are put, as each language types days in its own order.
    pub async fn fill(&self, css: &str, words: &str) {
        let put = "const [field, words] = arguments; field.value = words;\
            field.dispatchEvent(new Event('change', {bubbles: true}));";
        let fill = async |field: Element| {
            let is_day = field.attr("type").await?.as_deref() == Some("date");
            if is_day || field.tag_name().await? == "select" {
                let field = serde_json::to_value(field)?;
                self.browser
                    .client
                    .execute(put, vec![field, json!(words)])
                    .await?;
                return Ok(());
            }
            field.clear().await?;
            field.send_keys(words).await
        };
        self.with(css, fill).await;
    }

    /// Keeps which form this button sends, and marks the page that it stands on.
    pub async fn aim(&self, css: &str) {
        let about = "window.old = true; const [button] = arguments;\
            const to = button.getAttribute('formaction') ?? button.form.getAttribute('action');\
            return [button.form.method, to, button.name === 'do' ? button.value : ''];";
        let told = async |button: Element| {
            let button = serde_json::to_value(button)?;
            self.browser.client.execute(about, vec![button]).await
        };
        let about = self.with(css, told).await;
        let [method, path, word] = [0, 1, 2].map(|n| about[n].as_str().unwrap().to_owned());
        assert_eq!(method, "post", "{css}");
        self.pressed.0.borrow_mut().insert((path, word));
    }

    /// Presses a button of a form, and waits for words of the page that answers.
    pub async fn press(&self, css: &str, words: &str) {
        self.aim(css).await;
        self.click(css).await;
        self.browser.arrives().await;
        self.browser.sees(words).await;
    }

    /// The page as text.
    pub async fn text(&self) -> String {
        self.browser.text().await
    }

    /// The path that stands in the address.
    pub async fn path(&self) -> String {
        self.browser.client.current_url().await.unwrap().path().to_owned()
    }

    /// Leaves.
    pub async fn leave(self) {
        self.browser.client.clone().close().await.unwrap();
    }
}

impl Browser {
    /// Waits for the page after the marked one, and for its script where it has one.
    pub async fn arrives(&self) {
        let there = "return window.old !== true && document.readyState === 'complete'\
            && (!document.querySelector('script') || document.documentElement.classList.contains('scripted'));";
        self.until("the next page", there).await;
    }

    /// Sends a form that no page has, or one that a page would not let go: what a browser that is old or mean sends.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) {
        let send = "window.old = true; const form = document.createElement('form'); form.method = 'post';\
            form.action = arguments[0]; for (const [name, value] of arguments[1]) {\
            const field = document.createElement('input'); field.type = 'hidden'; field.name = name; field.value = value;\
            form.append(field); } document.body.append(form); form.submit();";
        let fields: Vec<Value> = fields.iter().map(|pair| json!(pair)).collect();
        self.client
            .execute(send, vec![json!(path), json!(fields)])
            .await
            .unwrap();
        self.arrives().await;
    }
}

/// Makes an account by `account WORDS…`; the secret of the link that sets its password.
pub fn account(house: &House, words: &[&str]) -> String {
    let link = command(house, &[&["account"], words].concat());
    let (_, token) = link.trim().split_once("token=").unwrap();
    token.to_owned()
}
