//! The pages in a real browser: headless Chromium through its WebDriver.

use super::programs::{LAB, PATIENCE};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// An element whose every text is markup.
pub const MEAN: &str = "1.3.6.1.2.1.1.1.0|4|<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\n\
    1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2011.2.62.2.9\n1.3.6.1.2.1.1.3.0|67|5\n1.3.6.1.2.1.1.5.0|4|<svg onload=alert(1)>\n";

/// chromedriver on a port of its own choice, ended with the test.
pub struct Browser {
    _driver: Child,
    /// Its WebDriver.
    pub client: Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A window of this size.
    pub async fn open(width: u32, height: u32) -> Self {
        Self::open_with(width, height, false).await
    }

    /// One whose person goes on behind the warning of a certificate that nobody vouches for.
    pub async fn open_trusting(width: u32, height: u32) -> Self {
        Self::open_with(width, height, true).await
    }

    async fn open_with(width: u32, height: u32, trusting: bool) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromium-driver is installed by tests/run");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("chromedriver says its port");
            if let Some(port) = line.split("successfully on port ").nth(1) {
                break port.trim_end_matches('.').to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let profile = tempfile::tempdir().unwrap();
        let arguments = json!([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", profile.path().display()),
        ]);
        let capabilities = json!({
            "goog:chromeOptions": {"args": arguments},
            "acceptInsecureCerts": trusting,
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!()
        };
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self {
            _driver: driver,
            client,
            _profile: profile,
        }
    }

    /// Goes in by the link that signs one browser in.
    pub async fn enter(&self, house: &House) {
        self.client.goto(&house.sign_in_url()).await.unwrap();
    }

    /// What a script answers.
    pub async fn script(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// Asks until the script says true.
    pub async fn until(&self, what: &str, script: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
        while self.script(script).await != Value::Bool(true) {
            if tokio::time::Instant::now() >= deadline {
                let url = self.client.current_url().await.unwrap();
                panic!("{what} is not to be seen on {url}:\n{}", self.text().await);
            }
            tick.tick().await;
        }
    }

    /// The text of the page as people see it.
    pub async fn text(&self) -> String {
        self.client
            .find(Locator::Css("body"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    /// Shows pages from now on in a window of this width, to somebody who prefers this:
    /// `prefers-color-scheme`, `forced-colors` and the like, and the medium (`print`; empty: a screen).
    pub async fn look(&self, width: u32, medium: &str, prefers: &[(&str, &str)]) {
        let features: Vec<_> = prefers
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({"media": medium, "features": features}),
        )
        .await;
    }

    /// Sends Chromium itself a command.
    pub async fn devtools(&self, method: &str, params: Value) {
        let command = DevTools(json!({"cmd": method, "params": params}));
        self.client.issue_cmd(command).await.unwrap();
    }
}

/// A command to Chromium itself.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (hyper::Method, Option<String>) {
        (hyper::Method::POST, Some(self.0.to_string()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_findings_arrive_and_follows_one_to_its_bytes() {
    let mut plan = Plan::small().with("nokia-7750-sr7", "clean-router", "core", Behaviour::Normal);
    plan = plan.with_objects(MEAN, "mean-router", "core").unwrap();
    let mut house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    let browser = Browser::open(1400, 1000).await;
    browser.enter(&house).await;
    // Whatever is there at first, what comes later comes without a reload.
    browser.script("window.stayed = true; return true;").await;
    house
        .wait_until(PATIENCE, |s| s.findings.get("open").is_some_and(|n| *n > 0))
        .await
        .unwrap();
    browser
        .until(
            "the first page shows the element without reload",
            "return window.stayed === true && document.body.innerText.includes('mean-router');",
        )
        .await;

    browser
        .client
        .goto(&format!("{}/findings", house.http_url()))
        .await
        .unwrap();
    browser
        .until(
            "the queue shows the rule",
            "return document.body.innerText.includes('5G core free of critical Huawei and ZTE components');",
        )
        .await;
    let href = browser
        .script("return document.querySelector('a[href^=\"/findings/\"]').getAttribute('href');")
        .await;
    browser
        .client
        .goto(&format!("{}{}", house.http_url(), href.as_str().unwrap()))
        .await
        .unwrap();
    let text = browser.text().await;
    assert!(
        text.contains("1.3.6.1.2.1.1."),
        "the finding shows the OID its claim rests on: {text}"
    );

    let elements: Value =
        serde_json::from_str(&house.get("/api/v1/elements?text=mean").await.unwrap()).unwrap();
    let element = elements["rows"][0]["element"].as_str().unwrap();
    browser
        .client
        .goto(&format!("{}/elements/{element}", house.http_url()))
        .await
        .unwrap();
    let text = browser.text().await;
    assert!(text.contains("<script>"), "what the device says is shown as text");
    assert_ne!(browser.client.title().await.unwrap(), "owned", "and never run");
    assert!(
        browser.client.get_alert_text().await.is_err(),
        "no dialogue opened"
    );
    let log = browser
        .script("return document.querySelectorAll('script:not([src]), [onerror], [onload]').length;")
        .await;
    assert_eq!(log, 0, "no inline script and no handler stands in the page");
    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_fit_a_narrow_screen_and_have_one_heading() {
    let plan = Plan::small().with("cisco-asr9010", "router", "core", Behaviour::Normal);
    let mut house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    house
        .wait_until(PATIENCE, |s| s.identified == 1 && s.pending.unevaluated == 0)
        .await
        .unwrap();
    let elements: Value = serde_json::from_str(&house.get("/api/v1/elements").await.unwrap()).unwrap();
    let element = format!("/elements/{}", elements["rows"][0]["element"].as_str().unwrap());
    let browser = Browser::open(420, 900).await;
    browser.enter(&house).await;
    for path in ["/", "/findings", "/elements", element.as_str()] {
        browser
            .client
            .goto(&format!("{}{path}", house.http_url()))
            .await
            .unwrap();
        let wide = browser
            .script("return document.documentElement.scrollWidth - window.innerWidth;")
            .await;
        assert!(wide.as_f64().unwrap() <= 1.0, "{path} scrolls sideways by {wide}");
        let headings = browser
            .script("return document.querySelectorAll('h1').length;")
            .await;
        assert_eq!(headings, 1, "{path}");
        let unlabelled = "return [...document.querySelectorAll('input:not([type=hidden]),select')]\
            .filter(i => !i.labels || i.labels.length === 0).length;";
        assert_eq!(
            browser.script(unlabelled).await,
            0,
            "{path}: every field has a label"
        );
    }
    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}
