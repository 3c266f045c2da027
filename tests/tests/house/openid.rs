//! People whom another party vouches for: an independent provider of OpenID Connect, a real browser, a real collector.

use super::page::Browser;
use super::path::get;
use super::programs::LAB;
use super::who::{CONFIG, Collector, PASSWORD, posted};
use fantoccini::Locator;
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SECRET: &str = "what-only-the-two-know";

/// The provider, ended with the test.
struct Provider {
    process: Child,
    port: String,
}

impl Provider {
    /// On a port of its own choice.
    fn start() -> Self {
        let target = Path::new(LAB).ancestors().nth(2).unwrap();
        let mut process = Command::new(target.join("peer/bin/python"))
            .args([
                "-W",
                "ignore",
                "-m",
                "oidc_provider_mock",
                "-p",
                "0",
                "--require-nonce",
                "true",
            ])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect(
                "oidc-provider-mock is installed by ./tests/run, which needs a Python package index for that",
            );
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("the provider says its port").unwrap();
            if let Some((_, rest)) = line.split_once("running on http://127.0.0.1:") {
                break rest.chars().take_while(char::is_ascii_digit).collect::<String>();
            }
        };
        std::thread::spawn(move || while let Some(Ok(_)) = lines.next() {});
        Self { process, port }
    }

    /// By another name than the collector's address: for a browser it is another site.
    fn issuer(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Somebody of these groups.
    fn has(&self, person: &str, groups: &[&str]) {
        let claims = json!({"preferred_username": person, "groups": groups}).to_string();
        let put = ["-X", "PUT", "-H", "Content-Type: application/json", "-d", &claims];
        get(
            &format!("127.0.0.1:{}", self.port),
            &format!("/users/{person}"),
            &put,
        );
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A browser before the door of a collector.
struct Visitor {
    browser: Browser,
    http: String,
}

impl Visitor {
    async fn goto(&self, path: &str) {
        let address = format!("http://{}{path}", self.http);
        self.browser.client.goto(&address).await.unwrap();
    }

    async fn click(&self, css: &str) {
        let found = self.browser.client.find(Locator::Css(css)).await;
        let found = match found {
            Ok(found) => found,
            Err(_) => panic!("no {css} on:\n{}", self.browser.text().await),
        };
        found.click().await.unwrap();
    }

    /// Goes to the provider from this page of ours and says there who they are.
    async fn vouched(&self, path: &str, person: &str) {
        self.goto(path).await;
        self.click(".door a.button").await;
        self.browser
            .until(
                "the provider asks",
                "return document.querySelector('input[name=sub]') !== null;",
            )
            .await;
        let field = self
            .browser
            .client
            .find(Locator::Css("input[name=sub]"))
            .await
            .unwrap();
        field.send_keys(person).await.unwrap();
        self.click("input[name=sub] ~ button, form button[type=submit], form button")
            .await;
    }

    async fn at(&self, path: &str) {
        let script = format!("return location.pathname + location.search === {};", json!(path));
        self.browser.until(path, &script).await;
    }

    async fn shows(&self, words: &str) {
        let script = format!("return document.body.innerText.includes({});", json!(words));
        self.browser.until(words, &script).await;
    }

    async fn sign_out(&self) {
        self.goto("/account").await;
        self.browser
            .script("document.querySelector('form[action=\"/sign-out\"]').submit(); return true;")
            .await;
        self.at("/sign-in").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_another_vouches_for_comes_in_with_what_their_groups_may() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start();
    std::fs::write(folder.path().join("openid.secret"), SECRET).unwrap();
    let config = format!(
        "{CONFIG}[openid]\nissuer = \"{}\"\nclient_id = \"marque\"\nclient_secret = {{ file = \"openid.secret\" }}\n\
         button = \"Sign in with <Example>\"\n\
         [[openid.role]]\ngroup = \"noc\"\nrole = \"operator\"\n\
         [[openid.role]]\ngroup = \"lookers\"\nrole = \"viewer\"\nsites = [\"berlin\"]\n",
        provider.issuer()
    );
    std::fs::write(folder.path().join("collector.toml"), config).unwrap();
    let collector = Collector::start(folder.path());
    let link = collector.link().unwrap();
    let form = format!("token={link}&name=Ada&password={PASSWORD}&again={PASSWORD}");
    assert_eq!(posted(&collector.http, "/set-up", &form).0, "303");

    let visitor = Visitor {
        browser: Browser::open(1280, 900).await,
        http: collector.http.clone(),
    };
    provider.has("bo", &["staff", "noc"]);
    visitor.vouched("/findings?severity=major", "bo").await;
    visitor.at("/findings?severity=major").await;
    visitor.goto("/account").await;
    for words in [
        "operator: looks, and works on findings",
        "all sites",
        "Another party vouches for you",
    ] {
        visitor.shows(words).await;
    }
    // Another group is another role, at the next time.
    visitor.sign_out().await;
    provider.has("bo", &["lookers"]);
    visitor.vouched("/", "bo").await;
    visitor.at("/").await;
    visitor.goto("/account").await;
    visitor.shows("viewer: looks").await;
    visitor.shows("berlin").await;
    // In none, nobody is let in; nor by a name that is a local account's.
    visitor.sign_out().await;
    provider.has("bo", &["staff"]);
    visitor.vouched("/", "bo").await;
    visitor
        .shows("You are not let in: none of your groups may anything here.")
        .await;
    provider.has("ada", &["noc"]);
    visitor.vouched("/sign-in", "ada").await;
    visitor.shows("This name is not let in here.").await;
    visitor.goto("/").await;
    visitor.at("/sign-in").await;
    // What somebody else began is of no use here.
    visitor
        .goto("/sign-in/openid/done?code=c&state=s&error=%3Cscript%3E")
        .await;
    visitor.shows("begin again").await;
    assert!(!visitor.browser.text().await.contains("script"));
    visitor.browser.client.clone().close().await.unwrap();

    let audit = get(&collector.http, "/sign-in", &[]);
    assert!(audit.contains("Sign in with &#60;Example&#62;"), "{audit}");
    let said = collector.said.lock().unwrap().clone();
    drop(collector);
    for secret in [SECRET, "id_token", "code_verifier"] {
        assert!(!said.contains(secret), "a log holds {secret}");
    }
    // Without the provider the collector starts, and whoever has an account here comes in.
    drop(provider);
    let collector = Collector::start(folder.path());
    let (status, _) = posted(
        &collector.http,
        "/sign-in",
        &format!("name=Ada&password={PASSWORD}"),
    );
    assert_eq!(status, "303");
    let away = get(&collector.http, "/sign-in/openid", &["-w", "%{http_code}"]);
    assert!(
        away.contains("does not answer") && away.ends_with("503"),
        "{away}"
    );
    let list = super::programs::run(
        folder.path(),
        &["collector", "account", "list", "--config", "collector.toml"],
    );
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("bo\tviewer\tberlin\texternal"), "{list}");
}
