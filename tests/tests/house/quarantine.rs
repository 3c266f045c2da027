//! An agent is kept out for a time: it is told so, loses nothing, and delivers all of it once it is released.

use super::courier::{export_when, import, refused, said};
use super::enrol::{agent, answer_request, cut, newcomer, stream};
use super::page::Browser;
use super::programs::{LAB, PATIENCE, complaint, run};
use fantoccini::Locator;
use lab::element::Behaviour;
use lab::house::{House, HouseSpec, Trial};
use lab::network::Plan;
use proto::tls::Bundle;
use proto::v1;
use proto::v1::enrolment_service_client::EnrolmentServiceClient;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use store::{Field as _, SqliteStore};
use time::OffsetDateTime;
use tonic::Code;

/// A house with one agent that polls each second and asks the collector as often, and its folder.
async fn house(lifetime: &str) -> (House, tempfile::TempDir) {
    let beside = tempfile::tempdir().unwrap();
    let plan = ["one", "two"].iter().fold(Plan::small(), |plan, name| {
        plan.with("nokia-7750-sr7", name, "core", Behaviour::Normal)
    });
    let mut spec = HouseSpec::new(LAB, plan);
    spec.interval_seconds = 1;
    spec.certificate_lifetime = lifetime.to_owned();
    spec.trial = Some(Trial {
        through: BTreeMap::new(),
        spools: beside.path().to_owned(),
        store: beside.path().to_owned(),
        reconnect_max_seconds: 1,
        environment: Vec::new(),
    });
    (House::start(spec).await.unwrap(), beside)
}

fn identity(house: &House) -> Bundle {
    Bundle::from_pem(std::fs::read_to_string(house.data().join("agent-lab.pem")).unwrap())
}

fn said_in_log(data: &Path, words: &str) -> usize {
    let log = std::fs::read_to_string(data.join("agent-lab.log")).unwrap();
    log.lines().filter(|line| line.contains(words)).count()
}

async fn held(house: &House) -> u64 {
    let summary: Value = serde_json::from_str(&house.get("/api/v1/summary").await.unwrap()).unwrap();
    summary["quarantined"].as_u64().unwrap()
}

fn command(folder: &Path, word: &str, who: &str) -> std::process::Output {
    let words = ["collector", "agent", word, "--config", "collector.toml", who];
    run(folder, &[&words[..], &["--reason", "a look at it"]].concat())
}

/// Types a reason into the form of the agent's page and sends it.
async fn by_page(browser: &Browser, page: &str, reason: &str) {
    browser.client.goto(page).await.unwrap();
    let field = browser
        .client
        .find(Locator::Css("#quarantine-reason"))
        .await
        .unwrap();
    field.send_keys(reason).await.unwrap();
    let button = Locator::Css("#quarantine button[type=submit]");
    browser.client.find(button).await.unwrap().click().await.unwrap();
}

async fn shows(browser: &Browser, words: &str) {
    let script = format!("return document.body.innerText.includes({});", Value::from(words));
    browser.until(words, &script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_kept_in_quarantine_all_arrives_once_it_is_released() {
    let (mut house, beside) = house("10s").await;
    house.wait_until(PATIENCE, |s| s.identified == 2).await.unwrap();
    let data = house.data().to_owned();
    let who = identity(&house).agent().unwrap().agent.to_string();
    let page = format!("{}/agents/{who}", house.http_url());
    let browser = Browser::open(1280, 900).await;
    browser.enter(&house).await;
    by_page(&browser, &page, "counts too much").await;
    shows(&browser, "Nothing of it is taken from now on").await;
    let words = "in quarantine: polling goes on";
    house
        .wait_until(PATIENCE, |_| said_in_log(&data, words) == 1)
        .await
        .unwrap();
    let before = house.summary().await.unwrap().reports;
    assert_eq!(held(&house).await, 1);

    // It polls on, and its certificate outlives itself; nothing of either reaches the store, nor by courier.
    let first_end = identity(&house).validity().unwrap().not_after;
    let now = || OffsetDateTime::now_utc().unix_timestamp();
    house
        .wait_until(PATIENCE, |_| now() > first_end + 1)
        .await
        .unwrap();
    assert!(identity(&house).validity().unwrap().not_after > first_end);
    let (file, (from, until)) = export_when(&house, "held", 8).await;
    let told = refused(&import(&house, &[&file]));
    assert!(told.contains("is in quarantine: keep the file"), "{told}");
    let summary = house.summary().await.unwrap();
    assert_eq!((summary.reports, summary.lost, summary.gaps), (before, 0, 0));
    assert_eq!(
        from,
        before as u64 + 1,
        "and what was taken before is all that was taken"
    );
    for (path, words) in [
        ("/agents", "in quarantine"),
        ("/coverage", "In quarantine:"),
        ("/", "1 in quarantine"),
    ] {
        browser
            .client
            .goto(&format!("{}{path}", house.http_url()))
            .await
            .unwrap();
        shows(&browser, words).await;
    }
    assert_eq!(said_in_log(&data, words), 1, "once, however often it asked");

    by_page(&browser, &page, "was a new optic").await;
    shows(&browser, "It is released").await;
    let all = |s: &lab::house::Summary| s.reports as u64 >= until;
    house.wait_until(PATIENCE, all).await.unwrap();
    assert_eq!(held(&house).await, 0);
    assert_eq!(said_in_log(&data, "quarantine is over"), 1);
    let told = said(&import(&house, &[&file]));
    assert!(
        told.contains(": 0 stored, ") && told.contains(" 0 refused, 0 wanted"),
        "{told}"
    );

    // Once more, by command; the courier's file is taken after the release, and the link brings the rest.
    said(&command(house.data(), "quarantine", &who));
    house
        .wait_until(PATIENCE, |_| said_in_log(&data, words) == 2)
        .await
        .unwrap();
    let (file, (from, until)) = export_when(&house, "again", 6).await;
    house.kill_agent("lab").await.unwrap();
    said(&command(house.data(), "release", &who));
    let told = said(&import(&house, &[&file]));
    assert!(
        told.contains(&format!(": {} stored, 0 repeated", until + 1 - from)),
        "{told}"
    );
    house.start_agent("lab").unwrap();
    house
        .wait_until(PATIENCE, |s| s.reports as u64 > until)
        .await
        .unwrap();
    house.kill_agent("lab").await.unwrap();
    let summary = house.summary().await.unwrap();
    assert_eq!((summary.lost, summary.gaps, summary.elements), (0, 0, 2));

    let store = SqliteStore::open(&beside.path().join("collector.db"))
        .await
        .unwrap();
    let rows = store.quarantines(who.parse().unwrap(), 9).await.unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.reason.as_str(),
                row.released.as_ref().unwrap().reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a look at it", "a look at it"),
            ("counts too much", "was a new optic")
        ]
    );
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_knows_no_quarantine_is_told_to_come_again() {
    let (house, _beside) = house("365d").await;
    let (bundle, other) = (newcomer(&house).await, newcomer(&house).await);
    let (kept_out, stays) = (agent(&house, &bundle).await, agent(&house, &other).await);
    let (_held, open) = stream(kept_out.clone()).await.unwrap();
    let (_also_held, _beside) = stream(stays.clone()).await.unwrap();
    let who = bundle.agent().unwrap().agent.to_string();
    let output = command(house.data(), "quarantine", &who);
    assert!(output.status.success(), "{}", complaint(&output));
    for status in [cut(open).await, stream(kept_out.clone()).await.unwrap_err()] {
        assert_eq!(status.code(), Code::Unavailable, "as for all that passes");
        assert!(
            status.message().starts_with("this agent is in quarantine") && !status.message().contains("look"),
            "{}",
            status.message()
        );
    }
    // Renewals go on, so that it can come back; others do not notice.
    let renewal = v1::RenewRequest {
        signing_request: answer_request(),
    };
    EnrolmentServiceClient::new(kept_out.clone())
        .renew(renewal)
        .await
        .unwrap();
    stream(stays).await.unwrap();
    let listed = run(
        house.data(),
        &["collector", "agent", "list", "--config", "collector.toml"],
    );
    let listed = String::from_utf8(listed.stdout).unwrap();
    let line = listed.lines().find(|line| line.starts_with(&who)).unwrap();
    assert!(line.ends_with("\tin quarantine"), "{listed}");

    said(&command(house.data(), "release", &who));
    stream(kept_out).await.unwrap();
    let told = said(&command(house.data(), "release", &who));
    assert!(told.contains("is not in quarantine"), "{told}");
    for word in ["quarantine", "release"] {
        let nobody = uuid::Uuid::now_v7().to_string();
        assert_eq!(command(house.data(), word, &nobody).status.code(), Some(1));
    }
    house.stop().await.unwrap();
}
