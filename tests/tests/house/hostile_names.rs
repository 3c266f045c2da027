//! Names that are meant to harm: markup, signs that turn or hide text, 64 KB of it, formulas. Shown in a real browser
//! and written into files they are text and nothing else.

use super::path::get;
use super::press::{Hand, Pressed};
use super::programs::{Running, complaint, run};
use model::{AgentId, Completeness, Digest, Instant};
use prost::Message as _;
use proto::v1;
use serde_json::Value;
use std::path::Path;
use store::record::{AgentHello, IncomingReport, ReadReport, ReportBody};
use store::{SqliteStore, Store as _};
use time::OffsetDateTime;

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
elements = "elements.csv"
[[site]]
name = "berlin"
title = "Berlin"
jurisdictions = ["DE", "EU"]
"#;

/// What turns the direction of text, or is not seen at all.
const HIDDEN: [char; 12] = [
    '\u{202e}',
    '\u{2066}',
    '\u{200b}',
    '\u{feff}',
    '\u{200f}',
    '\u{202a}',
    '\u{61c}',
    '\u{2028}',
    '\u{2029}',
    '\u{2061}',
    '\u{ad}',
    '\u{e0041}',
];
const RUN: &str =
    "<img src=x onerror=\"window.owned=1;alert(1)\"></td></table><script>window.owned=1</script>";
const FORMULA: &str = "=cmd|'/c calc'!A1";

/// What a router of a restricted maker answers whose every text is one of these.
fn evidence() -> Vec<u8> {
    let hidden: String = HIDDEN.iter().flat_map(|sign| [*sign, 'x']).collect();
    let long = format!("{FORMULA}{RUN}{}", "W".repeat(65_400));
    let text = |oid: &str, text: &str| format!("1.3.6.1.2.1.{oid}|4x|{}\n", hex::encode(text));
    let number = |oid: &str, number: usize| format!("1.3.6.1.2.1.{oid}|2|{number}\n");
    let mut system = text(
        "1.1.0",
        &format!("Huawei Versatile Routing Platform {RUN}{hidden}{long}"),
    );
    system += "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2011.2.62.2.9\n1.3.6.1.2.1.1.3.0|67|5\n";
    system += &text("1.5.0", &format!("{FORMULA}{hidden}{long}"));
    let parts = [
        format!("{RUN}{hidden}"),
        format!("{FORMULA}{hidden}"),
        long,
        format!("+1{hidden}{RUN}"),
    ];
    let mut walk = String::new();
    for column in 2..=13 {
        for (index, words) in parts.iter().enumerate() {
            let oid = format!("47.1.1.1.1.{column}.{}", index + 1);
            walk += &match (column, index) {
                (3, _) => format!("1.3.6.1.2.1.{oid}|6|1.3.6.1.4.1.2011.1\n"),
                // Within which part, of which class, at which place.
                (4, _) => number(&oid, usize::from(index > 0)),
                (5, _) => number(&oid, if index == 0 { 3 } else { 9 }),
                (6, _) => number(&oid, index),
                (12, _) => text(&oid, &format!("Huawei {words}")),
                _ => text(&oid, words),
            };
        }
    }
    let observation = |kind: v1::QuestionKind, root: &str, recording: &str| v1::Observation {
        kind: kind.into(),
        oids: vec![root.parse::<model::Oid>().unwrap().to_ber().into()],
        outcome: v1::Outcome::Complete.into(),
        varbinds: lab::recording::parse(recording)
            .unwrap()
            .into_iter()
            .map(|(oid, value)| v1::Varbind {
                oid: oid.to_ber().into(),
                tag: value.tag.into(),
                value: value.octets.into(),
            })
            .collect(),
    };
    let observations = vec![
        observation(v1::QuestionKind::Get, "1.3.6.1.2.1.1.1.0", &system),
        observation(v1::QuestionKind::Walk, "1.3.6.1.2.1.47.1.1.1.1", &walk),
    ];
    v1::Evidence { observations }.encode_to_vec()
}

/// A store that has heard all this from an agent.
async fn heard(folder: &Path) {
    let store = SqliteStore::open(&folder.join("collector.db")).await.unwrap();
    let now = Instant::from_datetime(OffsetDateTime::now_utc());
    let agent = AgentId::generate();
    let hello = AgentHello {
        agent,
        site: "berlin".parse().unwrap(),
        epoch: "e".into(),
        first_sequence: 1,
        next_sequence: 1,
        version: "0.1.0".into(),
        clock: now,
    };
    store.greet(&hello, now).await.unwrap();
    let report = ReadReport {
        site: "berlin".parse().unwrap(),
        address: "192.0.2.1".into(),
        port: 161,
        context: String::new(),
        started: now,
        finished: now,
        completeness: Completeness::Complete,
        digest: Digest([1; 32]),
        evidence: Some(evidence()),
        readings: Vec::new(),
        requests: 1,
        retries: 0,
        varbinds: 1,
        refreshed: false,
    };
    let report = IncomingReport {
        sequence: 1,
        body: ReportBody::Read(Box::new(report)),
    };
    store.commit_reports(agent, "e", vec![report], now).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_meant_to_harm_are_text_in_the_browser_and_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    heard(folder).await;
    std::fs::write(folder.join("collector.toml"), CONFIG).unwrap();
    let declared = format!("site,address,name,role\nberlin,192.0.2.1,\"{FORMULA}\",core\n");
    std::fs::write(folder.join("elements.csv"), declared).unwrap();
    let account = |words: &str| {
        let words = format!("collector account {words} --config collector.toml");
        let output = run(folder, &words.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{words}: {}", complaint(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    account("add ada --role admin");
    let enter = account("link ada --sign-in");
    let bearer = format!(
        "Authorization: Bearer {}",
        account("token t --scope see --scope sign")
    );
    let words = ["collector", "serve", "--config", "collector.toml"];
    let mut collector = Running::start(folder, &words);
    let ready: Value = serde_json::from_str(&collector.first_line()).unwrap();
    let http = ready["http"].as_str().unwrap();
    let read = |path: &str| get(http, path, &["-H", &bearer]);

    let pressed = Pressed::default();
    let hand = Hand::at(&format!("http://{http}"), &pressed).await;
    let browser = &hand.browser;
    hand.goto(&format!("/enter{}", enter.split("/enter").nth(1).unwrap()))
        .await;
    browser
        .until(
            "a finding",
            "return document.body.innerText.includes('5G core free of critical');",
        )
        .await;
    let found: Value = serde_json::from_str(&read("/api/v1/findings")).unwrap();
    let row = &found["rows"][0];
    let (finding, element) = (row["finding"].as_str().unwrap(), row["element"].as_str().unwrap());
    let evidence = hex::encode([1; 32]);

    let mut shown = String::new();
    for path in [
        "/",
        "/findings",
        &format!("/findings/{finding}"),
        "/elements",
        &format!("/elements/{element}"),
        &format!("/elements/{element}?all=1"),
        &format!("/evidence/{evidence}"),
        "/exposure",
        "/suppliers/huawei",
        "/map/berlin",
        &format!("/reports/pack?finding={finding}"),
        "/reports/register",
    ] {
        hand.goto(path).await;
        let alert = browser.client.get_alert_text().await;
        assert!(alert.is_err(), "{path} opened a dialogue");
        let ran = "return window.owned === undefined\
            && document.querySelectorAll('script:not([src]), [onerror], img').length === 0;";
        assert_eq!(browser.script(ran).await, true, "{path}: nothing ran");
        let html = browser.script("return document.documentElement.outerHTML;").await;
        let html = html.as_str().unwrap();
        for sign in HIDDEN {
            assert!(!html.contains(sign), "{path} holds U+{:04X}", u32::from(sign));
        }
        assert!(html.len() < 200_000, "{path} has {} octets", html.len());
        browser
            .script("for (const part of document.querySelectorAll('details')) part.open = true;")
            .await;
        for width in [390, 1280] {
            browser.look(width, "", &[]).await;
            let wide = "return document.documentElement.scrollWidth - window.innerWidth;";
            let wide = browser.script(wide).await.as_f64().unwrap();
            assert!(wide <= 1.0, "{path} is wider than {width} px, by {wide}");
        }
        shown += &browser.text().await;
    }
    for words in [RUN, FORMULA, "\u{fffd}", "WWWWWWWW"] {
        assert!(shown.contains(words), "{words} is shown as it is");
    }

    // No spreadsheet runs a cell, also behind what nobody sees.
    for path in [
        "/findings.csv",
        "/elements.csv",
        "/reports/register?as=csv",
        "/audit/export?as=csv",
    ] {
        let text = read(path);
        let mut cells = 0;
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.flexible(true).has_headers(false);
        for row in reader.from_reader(text.as_bytes()).records() {
            for cell in &row.unwrap() {
                let seen =
                    cell.trim_start_matches(|sign: char| sign.is_whitespace() || HIDDEN.contains(&sign));
                assert!(!seen.starts_with(['=', '+', '-', '@']), "{path}: {cell:?}");
                cells += 1;
            }
        }
        assert!(cells > 20, "{path}: {text}");
        let told = path.starts_with("/audit") || text.contains(&format!("'{FORMULA}"));
        assert!(told, "{path}: {text}");
    }
    hand.leave().await;
}
