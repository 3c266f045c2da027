//! Changes of findings told to whoever is to be told: through a receiver that is down, a power cut, each kind of
//! receiver, and the pages.

use super::page::Browser;
use super::programs::{LAB, PATIENCE, complaint};
use super::receivers::{Answer, Receiver, Took, smtp, syslog};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::Value;
use std::process::Command;

const SECRET: &str = "hunter2-of-the-noc";
const PATH: &str = "/hooks/hidden-path";

/// A house whose core has something restricted, with these routes.
async fn house(routes: String) -> House {
    let plan = Plan::small().with("huawei-ne8000-m14", "core-1", "core", Behaviour::Normal);
    let spec = HouseSpec {
        routes,
        ..HouseSpec::new(LAB, plan)
    };
    House::start(spec).await.unwrap()
}

async fn judged(house: &mut House) -> String {
    house
        .wait_until(PATIENCE, |s| s.identified == 1 && s.pending.unevaluated == 0)
        .await
        .unwrap();
    let found = house.get("/api/v1/findings?rule=DE-CONTRACT-CORE").await.unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    found["rows"][0]["finding"].as_str().unwrap().to_owned()
}

fn act(house: &House, words: &[&str]) {
    let output = Command::new(LAB)
        .args(["collector", "finding", words[0], "--config"])
        .arg(house.data().join("collector.toml"))
        .args(&words[1..])
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {}", complaint(&output));
}

/// Alerts of a finding in the bodies a webhook took.
fn of_finding(took: &[Took], finding: &str) -> Vec<Value> {
    let alerts = took.iter().flat_map(|took| {
        let body: Value = serde_json::from_str(&took.body).unwrap();
        body["alerts"].as_array().unwrap().clone()
    });
    alerts
        .filter(|alert| alert["labels"]["finding"] == finding)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_missed_comes_once_and_in_order_through_a_power_cut() {
    let receiver = Receiver::start(Answer::Refuses).await;
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), SECRET).unwrap();
    let mut house = house(format!(
        "\n[[route]]\nname = \"noc\"\nfilter = \"rule:DE-CONTRACT-CORE\"\ngather = \"0s\"\n\
         webhook = {{ url = \"http://{}{PATH}\", key = {{ file = {1:?} }}, token = {{ file = {1:?} }} }}\n",
        receiver.address(),
        key.path(),
    ))
    .await;
    let finding = judged(&mut house).await;
    receiver.until("it was tried", |tried| !tried.is_empty()).await;

    // The power goes between the queue and the delivery, and what happens meanwhile is told too.
    house.kill_collector().await.unwrap();
    act(&house, &["assign", "--by", "Ann", "--to", "Core team", &finding]);
    receiver.now(Answer::Takes);
    house.start_collector().await.unwrap();
    let waive = [
        "waive",
        "--by",
        "Ann",
        "--reason",
        "no spare",
        "--until",
        "2039-12-31",
    ];
    act(&house, &[&waive[..], &[&finding]].concat());
    act(&house, &["approve", "--by", "Bob", &finding]);
    let took = receiver
        .until("the waiver", |took| {
            of_finding(took, &finding)
                .iter()
                .any(|alert| alert["change"] == "waived")
        })
        .await;
    let alerts = of_finding(&took, &finding);
    let changes: Vec<_> = alerts
        .iter()
        .map(|alert| alert["change"].as_str().unwrap())
        .collect();
    assert_eq!(
        changes,
        ["opened", "assigned", "waiver_asked", "waived"],
        "each once"
    );
    let states: Vec<_> = alerts
        .iter()
        .map(|alert| alert["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["firing", "assigned", "assigned", "resolved"]);
    let first = &alerts[0];
    assert_eq!(first["labels"]["role"], "core");
    assert_eq!(first["link"], format!("{}/findings/{finding}", house.http_url()));
    for took in &took {
        assert!(took.is_signed(SECRET), "{took:?}");
        assert_eq!(took.path, PATH);
    }

    // What is secret stands in no log and on no page; what was delivered is counted.
    let metrics = house.get("/metrics").await.unwrap();
    assert!(
        metrics.contains("marque_collector_alerts_total{route=\"noc\",outcome=\"delivered\"}"),
        "{metrics}"
    );
    let log = std::fs::read_to_string(house.data().join("collector.log")).unwrap();
    assert!(
        log.contains("alerts delivered") && log.contains("alerts not taken"),
        "{log}"
    );
    assert!(
        log.contains("cannot POST …"),
        "what it answered is told without secrets: {log}"
    );
    for secret in [SECRET, "hidden-path"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_receiver_is_told() {
    let [manager, pager, chat] = [
        Receiver::start(Answer::Takes).await,
        Receiver::start(Answer::Takes).await,
        Receiver::start(Answer::Takes).await,
    ];
    let (lines, mails) = (syslog().await, smtp().await);
    let folder = tempfile::tempdir().unwrap();
    let secret = |name: &str, value: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, value).unwrap();
        format!("{{ file = {path:?} }}")
    };
    let head = |name: &str| {
        format!("\n[[route]]\nname = \"{name}\"\nfilter = \"rule:DE-CONTRACT-CORE\"\ngather = \"0s\"\n")
    };
    let routes = [
        head("manager"),
        format!(
            "alertmanager = {{ url = \"http://{}\", token = {} }}\n",
            manager.address(),
            secret("token", SECRET)
        ),
        head("pager"),
        format!(
            "pagerduty = {{ url = \"http://{}/v2/enqueue\", key = {} }}\n",
            pager.address(),
            secret("key", SECRET)
        ),
        head("chat"),
        format!(
            "slack = {{ url = {} }}\n",
            secret("url", &format!("http://{}{PATH}", chat.address()))
        ),
        head("siem"),
        format!(
            "syslog = {{ server = \"{}\", over = \"tcp\" }}\n",
            lines.address()
        ),
        head("people"),
        format!(
            "mail = {{ server = \"{}\", tls = \"none\", from = \"Marque <marque@example.net>\", to = [\"noc@example.net\"] }}\n",
            mails.address()
        ),
    ];
    let mut house = house(routes.concat()).await;
    let finding = judged(&mut house).await;
    let told = |took: &[Took]| took.iter().any(|took| took.body.contains(&finding));

    let took = manager.until("alerts", told).await;
    assert_eq!(took[0].path, "/api/v2/alerts");
    assert_eq!(took[0].header("authorization"), format!("Bearer {SECRET}"));
    let alerts: Value = serde_json::from_str(&took[0].body).unwrap();
    assert_eq!(alerts[0]["labels"]["rule"], "DE-CONTRACT-CORE");
    assert_eq!(alerts[0]["labels"]["site"], "lab");
    assert_eq!(
        alerts[0]["generatorURL"],
        format!("{}/findings/{finding}", house.http_url())
    );

    let took = pager.until("an event", told).await;
    let event: Value = serde_json::from_str(&took[0].body).unwrap();
    assert_eq!(
        (&event["event_action"], &event["routing_key"]),
        (&"trigger".into(), &SECRET.into())
    );
    assert_eq!(event["dedup_key"], finding.as_str());

    let took = chat.until("a text", told).await;
    assert_eq!(took[0].path, PATH);
    assert!(took[0].body.contains("FIRING"), "{}", took[0].body);

    let took = lines.until("a line", told).await;
    let (count, line) = took[0].body.split_once(' ').unwrap();
    assert!(
        line.len() >= count.parse().unwrap(),
        "octets are counted: {}",
        took[0].body
    );
    assert!(
        line.contains("CEF:0|Marque|marque-collector|") && line.starts_with('<'),
        "{line}"
    );

    let took = mails.until("a mail", told).await;
    assert!(took[0].body.contains("To: noc@example.net"), "{}", took[0].body);
    assert!(
        took[0].body.contains("Subject: [Marque] firing"),
        "{}",
        took[0].body
    );
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_tried_and_a_view_attached_from_the_pages() {
    let receiver = Receiver::start(Answer::Takes).await;
    let mut house = house(format!(
        "\n[[route]]\nname = \"noc\"\ngather = \"0s\"\nwebhook = {{ url = \"http://{}{PATH}\" }}\n",
        receiver.address()
    ))
    .await;
    let finding = judged(&mut house).await;
    let browser = Browser::open(1400, 1000).await;
    browser.enter(&house).await;
    let goto = async |path: &str| {
        let url = format!("{}{path}", house.http_url());
        browser.client.goto(&url).await.unwrap();
    };
    let press = async |css: &str| {
        let found = browser.client.find(fantoccini::Locator::Css(css)).await.unwrap();
        found.click().await.unwrap();
    };
    let sees = async |words: &str| {
        let script = format!("return document.body.innerText.includes({words:?});");
        browser.until(words, &script).await;
    };

    goto("/admin").await;
    press("form[action='/admin/routes/noc/test'] button").await;
    sees("The route noc took the test.").await;
    let took = receiver.until("the test", |took| !took.is_empty()).await;
    let test: Value = serde_json::from_str(&took[0].body).unwrap();
    assert_eq!((took.len(), &test["alerts"][0]["test"]), (1, &Value::Bool(true)));
    assert!(!browser.text().await.contains("hidden-path"));
    receiver.now(Answer::Refuses);
    press("form[action='/admin/routes/noc/test'] button").await;
    sees("The route noc did not take the test: answered 503").await;
    assert!(!browser.text().await.contains("hidden-path"));
    receiver.now(Answer::Takes);

    // A view is kept, and the route told of it from then on.
    goto("/findings?q=role%3Acore").await;
    press("#pick-views summary").await;
    let name = "document.querySelector('#pick-views [name=name]').value = 'core'; return true;";
    browser.script(name).await;
    press("#pick-views form.keep button").await;
    let kept = "return location.search.includes('view=core') && document.readyState === 'complete';";
    browser.until("the view", kept).await;
    press("#pick-views summary").await;
    press("form[action='/alerts/attach'] button").await;
    let attached = "return document.querySelector(\"form[action='/alerts/detach']\") !== null;";
    browser.until("the attachment", attached).await;
    act(&house, &["acknowledge", "--by", "Ann", &finding]);
    let took = receiver
        .until("the change", |took| !of_finding(took, &finding).is_empty())
        .await;
    assert_eq!(of_finding(&took, &finding)[0]["state"], "acknowledged");
    goto("/admin").await;
    sees("Views attached to routes").await;
    press("form[action='/alerts/detach'] button").await;
    let gone = "return document.readyState === 'complete' && !document.querySelector(\"form[action='/alerts/detach']\");";
    browser.until("the attachment is gone", gone).await;
    goto("/audit").await;
    for action in ["alert tested", "alert attached", "alert detached"] {
        sees(action).await;
    }
    goto("/").await;
    sees("alert").await;
    browser.client.clone().close().await.unwrap();
    house.stop().await.unwrap();
}
