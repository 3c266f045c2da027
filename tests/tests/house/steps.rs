//! A second factor in a real browser, with codes that another program makes; each state of its pages is judged.

use super::axe::judge;
use super::page::Browser;
use super::programs::{complaint, run};
use super::who::{CONFIG, Collector, PASSWORD, posted};
use fantoccini::Locator;
use std::process::Command;

/// RFC 6238 by Python's own libraries: the code of now, or of steps beside it.
const TELEPHONE: &str = "import base64, hashlib, hmac, struct, sys, time
secret = base64.b32decode(sys.argv[1].replace(' ', ''))
step = int(time.time()) // 30 + int(sys.argv[2])
mac = hmac.new(secret, struct.pack('>Q', step), hashlib.sha1).digest()
at = mac[-1] & 15
print('%06d' % ((struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000), end='')";

fn code(secret: &str, beside: i32) -> String {
    let said = Command::new("python3")
        .args(["-c", TELEPHONE, secret, &beside.to_string()])
        .output()
        .unwrap();
    String::from_utf8(said.stdout).unwrap()
}

struct Visitor {
    browser: Browser,
    http: String,
    judge: String,
    faults: Vec<String>,
}

impl Visitor {
    async fn goto(&self, path: &str) {
        let address = format!("http://{}{path}", self.http);
        self.browser.client.goto(&address).await.unwrap();
    }

    /// Fills in a form and sends it.
    async fn send(&self, form: &str, fields: &[(&str, &str)]) {
        let form = format!("form[action=\"{form}\"]");
        for (name, value) in fields {
            let css = format!("{form} input[name={name}]");
            let field = self.browser.client.find(Locator::Css(&css)).await.unwrap();
            field.clear().await.unwrap();
            field.send_keys(value).await.unwrap();
        }
        let button = self
            .browser
            .client
            .find(Locator::Css(&format!("{form} button")))
            .await;
        button.unwrap().click().await.unwrap();
    }

    async fn shows(&self, words: &str) {
        let script = format!(
            "return document.body.innerText.includes({});",
            serde_json::json!(words)
        );
        self.browser.until(words, &script).await;
    }

    /// What is wrong with the page as it is, on a phone and a desk, in both themes.
    async fn judge(&mut self, what: &str) {
        for (theme, width) in [("dark", 390), ("light", 390), ("dark", 1280), ("light", 1280)] {
            self.browser
                .look(width, "", &[("prefers-color-scheme", theme)])
                .await;
            let found = self
                .browser
                .client
                .execute_async(&self.judge, vec![])
                .await
                .unwrap();
            assert!(
                found["passed"].as_u64().unwrap() > 5,
                "{what} was judged: {found}"
            );
            let all = found["faults"].as_array().unwrap().iter();
            self.faults
                .extend(all.map(|fault| format!("{what}, {theme}, {width} px: {fault}")));
            let wide = "return document.documentElement.scrollWidth - window.innerWidth;";
            let wide = self.browser.script(wide).await.as_f64().unwrap();
            assert!(wide <= 1.0, "{what} is {wide} px wider than {width}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_sets_a_second_factor_up_and_signs_in_by_two_steps() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "{CONFIG}[access]\nsecond_factor = [\"admin\"]\n[openid]\nissuer = \"http://localhost:1\"\n\
         client_id = \"marque\"\nclient_secret = {{ file = \"secret\" }}\n\
         [[openid.role]]\ngroup = \"noc\"\nrole = \"operator\"\n"
    );
    std::fs::write(folder.path().join("collector.toml"), config).unwrap();
    std::fs::write(folder.path().join("secret"), "s\n").unwrap();
    let collector = Collector::start(folder.path());
    let link = collector.link().unwrap();
    let form = format!("token={link}&name=Ada&password={PASSWORD}&again={PASSWORD}");
    assert_eq!(posted(&collector.http, "/set-up", &form).0, "303");
    let mut visitor = Visitor {
        browser: Browser::open(1280, 900).await,
        http: collector.http.clone(),
        judge: judge(),
        faults: Vec::new(),
    };
    let password = PASSWORD.replace('+', " ");
    let sign_in = [("name", "Ada"), ("password", password.as_str())];

    visitor.goto("/findings").await;
    visitor.shows("Sign in with OpenID").await;
    visitor.judge("the page to sign in on").await;
    visitor.send("/sign-in", &sign_in).await;
    visitor.shows("Your role needs a second factor here").await;
    visitor.judge("the account that needs one").await;
    visitor
        .send("/account/second#second", &[("password", &password)])
        .await;
    visitor.shows("type the secret in there").await;
    visitor.judge("a second factor to be").await;
    let drawn = visitor
        .browser
        .script("const one = document.querySelector('.qr svg').getBoundingClientRect(); return one.width > 180 && one.height > 180;")
        .await;
    assert_eq!(drawn, true, "the picture is seen");
    let secret = visitor
        .browser
        .client
        .find(Locator::Css("#second dd code"))
        .await
        .unwrap();
    let secret = secret.text().await.unwrap();
    visitor
        .send("/account/second/prove#second", &[("code", &code(&secret, 0))])
        .await;
    visitor.shows("Keep these recovery codes").await;
    visitor.judge("recovery codes").await;
    let recovery = visitor
        .browser
        .client
        .find(Locator::Css(".codes code"))
        .await
        .unwrap();
    let recovery = recovery.text().await.unwrap();
    visitor.goto("/admin").await;
    visitor.shows("can sign in, by two steps").await;
    visitor.judge("who may").await;
    visitor.goto("/account").await;
    visitor.shows("10 recovery codes are left").await;
    visitor.judge("the account that has one").await;

    for code in [code(&secret, 1), recovery.clone()] {
        visitor.browser.client.delete_all_cookies().await.unwrap();
        visitor.goto("/sign-in").await;
        visitor.send("/sign-in", &sign_in).await;
        visitor.shows("Code of your telephone").await;
        visitor.send("/sign-in/code", &[("code", "000000")]).await;
        visitor.shows("The code is not right, or was used before.").await;
        visitor.judge("the second step").await;
        visitor.send("/sign-in/code", &[("code", &code)]).await;
        visitor
            .browser
            .until("the first page", "return location.pathname === '/';")
            .await;
    }
    assert!(visitor.faults.is_empty(), "{}", visitor.faults.join("\n"));
    // Another's telephone is lost: the machine helps, and the log and the store hold no secret.
    visitor.browser.client.clone().close().await.unwrap();
    let off = [
        "collector",
        "account",
        "second-factor-off",
        "ada",
        "--config",
        "collector.toml",
    ];
    let said = run(folder.path(), &off);
    assert!(said.status.success(), "{}", complaint(&said));
    assert!(complaint(&run(folder.path(), &off)).contains("has no second factor"));
    let (status, cookie) = posted(
        &collector.http,
        "/sign-in",
        &format!("name=Ada&password={PASSWORD}"),
    );
    assert!(
        status == "303" && cookie.starts_with("marque="),
        "{status} {cookie}"
    );
    let said = collector.said.lock().unwrap().clone();
    drop(collector);
    let plain = secret.replace(' ', "");
    let mut store = std::fs::read(folder.path().join("collector.db")).unwrap();
    store.extend(std::fs::read(folder.path().join("collector.db-wal")).unwrap_or_default());
    for secret in [
        plain.as_str(),
        secret.as_str(),
        recovery.as_str(),
        &recovery.replace('-', ""),
    ] {
        assert!(!said.contains(secret), "a log holds {secret}");
        let held = store
            .windows(secret.len())
            .any(|octets| octets == secret.as_bytes());
        assert!(!held, "the store holds {secret}");
    }
}
