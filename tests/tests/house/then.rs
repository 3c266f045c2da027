//! The lists on a day that is over, in a real browser, over a store that was lived in: Huawei stood in the core and was
//! replaced, and a list of a day before says so, as do its files.

use super::field::answer;
use super::page::Browser;
use super::programs::{LAB, Running, complaint};
use collector::evaluate::{Law, Operator};
use model::on_file::OnFile;
use model::{AgentId, Completeness, Digest, Instant, Role};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use store::record::{AgentHello, Declaration, IncomingReport, ReadReport, ReportBody, Stage, StageVersion};
use store::{SqliteStore, Store as _};
use time::{Date, Duration, OffsetDateTime};

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
"#;

/// A store in whose core another unit stood until ten days ago, judged on each of the days.
async fn lived_in(folder: &Path, now: OffsetDateTime) {
    let store = SqliteStore::open(&folder.join("collector.db")).await.unwrap();
    let at = |days| Instant::from_datetime(now - Duration::days(days));
    let config = collector::config::Config::read(&folder.join("collector.toml")).unwrap();
    let declared = Declaration {
        site: "berlin".parse().unwrap(),
        address: "192.0.2.1".into(),
        port: 161,
        name: "BER-CORE-1".into(),
        role: Some(Role::Core),
        generations: BTreeSet::from(["5G".to_owned()]),
        tags: BTreeSet::new(),
        acquired: None,
    };
    store.declare(&config.site, &[declared], at(40)).await.unwrap();
    let agent = AgentId::generate();
    let hello = AgentHello {
        agent,
        site: "berlin".parse().unwrap(),
        epoch: "e".into(),
        first_sequence: 1,
        next_sequence: 1,
        version: "0.1.0".into(),
        clock: at(40),
    };
    store.greet(&hello, at(40)).await.unwrap();
    let knowledge: &'static identify::Knowledge = identify::Knowledge::built_in().unwrap();
    let policies = policy::Policies::built_in().unwrap();
    let (tags, on_file) = (
        BTreeSet::from(["de_contract_operator".to_owned()]),
        OnFile::default(),
    );
    for (sequence, days, object) in [
        (1_u8, 40, "1.3.6.1.4.1.2011.2.62.2.9"),
        (2, 10, "1.3.6.1.4.1.6527.1.3.4"),
    ] {
        let report = IncomingReport {
            sequence: sequence.into(),
            body: ReportBody::Read(Box::new(ReadReport {
                site: "berlin".parse().unwrap(),
                address: "192.0.2.1".into(),
                port: 161,
                context: String::new(),
                started: at(days),
                finished: at(days),
                completeness: Completeness::Complete,
                digest: Digest([sequence; 32]),
                evidence: Some(answer(object)),
                readings: Vec::new(),
                requests: 1,
                retries: 0,
                varbinds: 1,
                refreshed: false,
            })),
        };
        store
            .commit_reports(agent, "e", vec![report], at(days))
            .await
            .unwrap();
        for (stage, version) in [
            (Stage::Identify, knowledge.version().to_owned()),
            (Stage::Unit, identify::units::RULES.to_owned()),
            (Stage::Evaluate, format!("packs-{days} and more")),
        ] {
            let version = StageVersion { stage, version };
            store.adopt_version(&version, at(days)).await.unwrap();
        }
        let law = Law {
            policies: &policies,
            operator: Operator {
                tags: &tags,
                name: "",
                on_file: &on_file,
            },
            as_of: at(days).date().unwrap(),
        };
        while collector::identify::step(&store, knowledge, at(days))
            .await
            .unwrap()
            + collector::units::step(&store, &store, at(days)).await.unwrap()
            + collector::evaluate::step(&store, law, at(days)).await.unwrap()
            > 0
        {}
    }
    store.close().await;
}

fn account(folder: &Path, words: &[&str]) -> String {
    let output = Command::new(LAB)
        .args(["collector", "account"])
        .args(words)
        .args(["--config", "collector.toml"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {}", complaint(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_to_a_past_day_and_back_and_its_files_name_the_day() {
    let folder = tempfile::tempdir().unwrap();
    let now = OffsetDateTime::now_utc();
    std::fs::write(folder.path().join("collector.toml"), CONFIG).unwrap();
    lived_in(folder.path(), now).await;
    account(folder.path(), &["add", "ada", "--role", "admin"]);
    let enter = account(folder.path(), &["link", "ada", "--sign-in"]);
    let enter = enter.split("/enter").nth(1).unwrap().trim();
    let mut collector = Running::start(
        folder.path(),
        &["collector", "serve", "--config", "collector.toml"],
    );
    let ready: serde_json::Value = serde_json::from_str(&collector.first_line()).unwrap();
    let url = format!("http://{}", ready["http"].as_str().unwrap());
    let day = |ago| -> Date { (now - Duration::days(ago)).date() };
    let browser = Browser::open(1280, 900).await;
    let go = async |path: &str| browser.client.goto(&format!("{url}{path}")).await.unwrap();
    go(&format!("/enter{enter}")).await;

    // Today another unit stands there.
    go("/elements").await;
    let now_there = "return document.querySelector('.c-maker a')?.textContent === 'Nokia' && !!document.querySelector('[data-live]');";
    browser.until("today it is Nokia", now_there).await;
    // As a person would: the day into its field, and the form sent.
    browser
        .script(&format!(
            "const field = document.querySelector('.filter input[name=asof]'); field.value = '{}'; field.form.requestSubmit();",
            day(20)
        ))
        .await;
    let then_there = "return document.querySelector('td.c-maker')?.innerText.includes('Huawei') \
         && document.querySelector('td.c-site').innerText.includes('core') \
         && !document.querySelector('[data-live]') \
         && document.querySelector('.past-day').innerText.includes('as known then');";
    browser
        .until("on that day it was Huawei in the core", then_there)
        .await;
    let answered = browser
        .script("return document.querySelector('td.c-answer time').textContent;")
        .await;
    assert_eq!(answered, "20 d ago", "ages are told from that day");
    browser.client.back().await.unwrap();
    browser.until("back is today", now_there).await;

    // The finding stood open on that day and is closed now; nothing can be done on a day that is over.
    go(&format!("/findings?q=maker%3Ahuawei&asof={}", day(20))).await;
    let open = browser
        .script(
            "return [document.querySelectorAll('tbody tr.state-open').length > 0, !!document.getElementById('acts'), \
             document.querySelectorAll('td.tick').length, document.querySelector('.foot').innerText.includes('packs-40')];",
        )
        .await;
    assert_eq!(open, serde_json::json!([true, false, 0, true]));
    let today = browser
        .script("return document.querySelector('.past-day a').getAttribute('href');")
        .await;
    assert_eq!(today, "/findings?q=maker%3Ahuawei");
    go(today.as_str().unwrap()).await;
    let none = "return !document.querySelector('tbody tr') && !document.querySelector('.past-day');";
    browser.until("today none is open", none).await;
    go(&format!("/findings?asof={}", day(60))).await;
    assert!(
        browser
            .text()
            .await
            .contains("No finding that was recorded by the end of that day"),
        "before anything was known"
    );

    let file = async |path: String| {
        let script = format!("return fetch('{path}').then((answer) => answer.text());");
        let text = browser.script(&script).await;
        text.as_str().unwrap().to_owned()
    };
    let csv = file(format!("/findings.csv?q=maker%3Ahuawei&asof={}", day(20))).await;
    let heads = ["as_of", "as_known"].map(|key| format!("# {key},{}", day(20)));
    assert!(
        heads.iter().all(|head| csv.contains(head)) && csv.contains("# policies,packs-40"),
        "{csv}"
    );
    assert!(csv.contains("huawei") && csv.contains(",open,"), "{csv}");
    let json = file(format!("/elements.json?asof={}", day(20))).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rows"][0]["maker_id"], "huawei");
    assert_eq!(json["as_of"], day(20).to_string());

    // What nobody keeps is refused where it stands; a day to come too.
    go(&format!("/elements?q=polling%3Anot_polled&asof={}", day(20))).await;
    let wrong = browser
        .script("return [document.querySelector('.mistake mark').textContent, document.querySelectorAll('tbody tr').length];")
        .await;
    assert_eq!(wrong, serde_json::json!(["polling", 0]));
    go(&format!("/findings?asof={}", day(-3))).await;
    assert!(browser.text().await.contains("Exposure judges a day to come"));
}
