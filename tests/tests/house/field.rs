//! The pages of the field in a real browser, over a store with a past: the slider of an element's history,
//! and that map, topology and agents fit a narrow screen.

use super::page::Browser;
use super::programs::{LAB, Running, complaint};
use fantoccini::Locator;
use model::{AgentId, Completeness, Digest, Instant, Oid, Value};
use prost::Message as _;
use proto::v1;
use std::process::Command;
use store::record::{AgentHello, IncomingReport, ReadReport, ReportBody};
use store::{SqliteStore, Store as _};
use time::{Duration, OffsetDateTime};

const CONFIG: &str = r#"
[store]
path = "collector.db"
[identity]
folder = "identity"
[grpc]
listen = "127.0.0.1:0"
[http]
listen = "127.0.0.1:0"
plain = true
[operator]
tags = ["de_contract_operator"]
[[site]]
name = "berlin"
title = "Berlin"
jurisdictions = ["DE", "EU"]
latitude = 52.52
longitude = 13.4
"#;

/// What an element answers whose sysObjectID is this.
pub fn answer(object: &str) -> Vec<u8> {
    let varbind = |oid: &str, value: Value| v1::Varbind {
        oid: oid.parse::<Oid>().unwrap().to_ber().into(),
        tag: value.tag.into(),
        value: value.octets.into(),
    };
    let object: Oid = object.parse().unwrap();
    let observation = v1::Observation {
        kind: v1::QuestionKind::Get.into(),
        oids: vec!["1.3.6.1.2.1.1.2.0".parse::<Oid>().unwrap().to_ber().into()],
        outcome: v1::Outcome::Complete.into(),
        varbinds: vec![varbind("1.3.6.1.2.1.1.2.0", Value::object_identifier(&object))],
    };
    v1::Evidence {
        observations: vec![observation],
    }
    .encode_to_vec()
}

/// A store in which a unit was another one, forty days ago.
async fn past(folder: &std::path::Path, now: OffsetDateTime) {
    let store = SqliteStore::open(&folder.join("collector.db")).await.unwrap();
    let agent = AgentId::generate();
    let ago = |days| Instant::from_datetime(now - Duration::days(days));
    let hello = AgentHello {
        agent,
        site: "berlin".parse().unwrap(),
        epoch: "e".into(),
        first_sequence: 1,
        next_sequence: 1,
        version: "0.1.0".into(),
        clock: ago(40),
    };
    store.greet(&hello, ago(40)).await.unwrap();
    for (sequence, days, object) in [
        (1_u8, 40, "1.3.6.1.4.1.2011.2.62.2.9"),
        (2, 10, "1.3.6.1.4.1.6527.1.3.4"),
    ] {
        let evidence = answer(object);
        let report = IncomingReport {
            sequence: sequence.into(),
            body: ReportBody::Read(Box::new(ReadReport {
                site: "berlin".parse().unwrap(),
                address: "192.0.2.1".into(),
                port: 161,
                context: String::new(),
                started: ago(days),
                finished: ago(days),
                completeness: Completeness::Complete,
                digest: Digest([sequence; 32]),
                evidence: Some(evidence),
                readings: Vec::new(),
                requests: 1,
                retries: 0,
                varbinds: 1,
                refreshed: false,
            })),
        };
        store
            .commit_reports(agent, "e", vec![report], ago(days))
            .await
            .unwrap();
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slider_goes_through_the_days_and_the_pages_of_the_field_fit() {
    let folder = tempfile::tempdir().unwrap();
    let now = OffsetDateTime::now_utc();
    past(folder.path(), now).await;
    std::fs::write(folder.path().join("collector.toml"), CONFIG).unwrap();
    let signed = |words: &[&str]| {
        let output = Command::new(LAB)
            .args(["collector", "account"])
            .args(words)
            .args(["--config", "collector.toml"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {}", complaint(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    signed(&["add", "ada", "--role", "admin"]);
    let enter = signed(&["link", "ada", "--sign-in"]);
    let enter = enter.split("/enter").nth(1).unwrap().trim();
    let mut collector = Running::start(
        folder.path(),
        &["collector", "serve", "--config", "collector.toml"],
    );
    let ready: serde_json::Value = serde_json::from_str(&collector.first_line()).unwrap();
    let url = format!("http://{}", ready["http"].as_str().unwrap());
    let browser = Browser::open(420, 900).await;
    browser.client.goto(&format!("{url}/enter{enter}")).await.unwrap();
    browser.client.goto(&format!("{url}/elements")).await.unwrap();
    browser
        .until(
            "the element is identified",
            "return document.body.innerText.includes('Nokia');",
        )
        .await;
    let href = browser
        .script("return document.querySelector('a.row-link').getAttribute('href');")
        .await;
    let element = format!("{url}{}", href.as_str().unwrap());

    browser.client.goto(&element).await.unwrap();
    let first = (now - Duration::days(40)).date().to_string();
    let range = browser
        .client
        .find(Locator::Css(".asof input[type=range]"))
        .await
        .unwrap();
    assert!(
        range.is_displayed().await.unwrap(),
        "with a script there is a slider"
    );
    // As a person at the keyboard: Home is the first day, and the focus stays.
    range.send_keys("\u{e011}").await.unwrap();
    browser
        .until(
            "the first day is shown",
            "return document.querySelector('#as-it-was').innerText.includes('Huawei');",
        )
        .await;
    let at = browser
        .script(
            "return [new URL(location.href).searchParams.get('asof'), document.querySelector('.asof input[name=asof]').value, \
             document.activeElement.type, document.activeElement.getAttribute('aria-valuetext')];",
        )
        .await;
    assert_eq!(at, serde_json::json!([first, first, "range", first]));
    let then = browser
        .script("return document.querySelector('#as-it-was').innerText;")
        .await;
    assert!(!then.as_str().unwrap().contains("Nokia"), "{then}");
    range.send_keys("\u{e010}").await.unwrap();
    browser
        .until(
            "the last day is shown",
            "return document.querySelector('#as-it-was').innerText.includes('Nokia');",
        )
        .await;
    // The address is the state: another reader of it sees the same, with the slider at its day.
    browser
        .client
        .goto(&format!("{element}?asof={first}#history"))
        .await
        .unwrap();
    let shown = browser
        .script("return [document.querySelector('.asof input[type=range]').value, document.querySelector('#as-it-was').innerText.includes('Huawei')];")
        .await;
    assert_eq!(shown, serde_json::json!(["0", true]));

    for path in [
        "/agents",
        "/map",
        "/map/berlin",
        "/coverage",
        href.as_str().unwrap(),
    ] {
        browser.client.goto(&format!("{url}{path}")).await.unwrap();
        let told = browser
            .script(
                "return [document.documentElement.scrollWidth - window.innerWidth <= 1, document.querySelectorAll('h1').length, \
                 [...document.querySelectorAll('input:not([type=hidden]),select')].every(i => i.labels && i.labels.length > 0)];",
            )
            .await;
        assert_eq!(
            told,
            serde_json::json!([true, 1, true]),
            "{path}: fits, one heading, every field labelled"
        );
    }
    browser.client.clone().close().await.unwrap();
}
