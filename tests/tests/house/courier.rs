//! By hand where there is no link: exports, imports and receipts with real processes.

use super::programs::{LAB, PATIENCE, complaint, run};
use collector::enrol::Authority;
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use model::AgentId;
use proto::courier::{CourierKey, ExportWriter};
use proto::tls::Bundle;
use proto::v1;
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use time::OffsetDateTime;

async fn house() -> House {
    let plan = ["one", "two", "three"].iter().fold(Plan::small(), |plan, name| {
        plan.with("nokia-7750-sr7", name, "core", Behaviour::Normal)
    });
    let mut spec = HouseSpec::new(LAB, plan);
    spec.interval_seconds = 1;
    House::start(spec).await.unwrap()
}

fn export(house: &House, file: &str) -> Output {
    run(
        house.data(),
        &["agent", "spool", "export", file, "--config", "agent-lab.toml"],
    )
}

pub(super) fn import(house: &House, words: &[&str]) -> Output {
    let command = ["collector", "spool", "import", "--config", "collector.toml"];
    run(house.data(), &[&command[..], words].concat())
}

fn receipt(house: &House, file: &str) -> Output {
    run(
        house.data(),
        &["agent", "spool", "receipt", file, "--config", "agent-lab.toml"],
    )
}

pub(super) fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", complaint(output));
    String::from_utf8_lossy(&output.stdout).into_owned() + &complaint(output)
}

pub(super) fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    complaint(output)
}

/// First and last sequence of an export, from what was said of it.
fn span(said: &str) -> (u64, u64) {
    let words: Vec<&str> = said.split_whitespace().collect();
    let at = words.iter().rposition(|word| *word == "sequences").unwrap();
    let number = |word: &str| word.trim_matches(',').parse().unwrap();
    (number(words[at + 1]), number(words[at + 3]))
}

/// Exports until so many sequences wait; the export's name and span.
pub(super) async fn export_when(house: &House, name: &str, sequences: u64) -> (String, (u64, u64)) {
    let deadline = std::time::Instant::now() + PATIENCE;
    for number in 0.. {
        assert!(std::time::Instant::now() < deadline, "{sequences} do not wait");
        let file = format!("{name}-{number}.courier");
        let told = said(&export(house, &file));
        if !told.contains("no reports") && span(&told).1 + 1 >= span(&told).0 + sequences {
            return (file, span(&told));
        }
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_without_a_link_reports_by_courier_and_nothing_counts_twice() {
    let mut house = house().await;
    house.wait_until(PATIENCE, |s| s.reports >= 3).await.unwrap();
    let identity = house.data().join("agent-lab.pem");
    let first_end = bundle(&identity).validity().unwrap().not_after;

    // Without a link: exported while the agent polls on, and while it does not.
    house.kill_collector().await.unwrap();
    let (running, (_, until)) = export_when(&house, "running", 6).await;
    assert!(house.data().join("agent-lab.redb.socket").exists());
    let again = refused(&export(&house, &running));
    assert!(again.contains("exists"), "{again}");
    house.kill_agent("lab").await.unwrap();
    let (stopped, (_, end)) = export_when(&house, "stopped", 6).await;
    assert!(end >= until, "{end} {until}");

    // Imported while the collector serves, it is stored, shown and concluded from.
    house.start_collector().await.unwrap();
    let told = said(&import(&house, &[&running]));
    assert!(told.contains(" 0 refused, 0 wanted"), "{told}");
    let shown =
        |reports: u64| move |s: &lab::house::Summary| s.reports as u64 == reports && s.identified == 3;
    house.wait_until(PATIENCE, shown(until)).await.unwrap();
    let told = said(&import(&house, &[&running]));
    assert!(told.contains(": 0 stored, "), "{told}");
    let told = said(&import(&house, &["--receipt", "first.receipt", &stopped]));
    assert!(told.contains(&format!(": {} stored, ", end - until)), "{told}");
    // An older one after a newer one, and the same once more.
    for file in [&running, &stopped] {
        let told = said(&import(&house, &[file]));
        assert!(told.contains(": 0 stored, "), "{told}");
    }
    let summary = house.wait_until(PATIENCE, shown(end)).await.unwrap();
    assert_eq!((summary.lost, summary.gaps, summary.elements), (0, 0, 3));

    // The receipt lets the spool forget, once, and brings the next certificate.
    let told = said(&receipt(&house, "first.receipt"));
    assert!(
        told.contains(&format!("up to sequence {end};")) && !told.contains("; 0 left"),
        "{told}"
    );
    assert!(told.contains("a new certificate is in place"), "{told}");
    assert!(bundle(&identity).validity().unwrap().not_after > first_end);
    let told = said(&receipt(&house, "first.receipt"));
    assert!(
        told.contains("; 0 left the spool") && !told.contains("certificate"),
        "{told}"
    );
    let told = said(&export(&house, "empty.courier"));
    assert!(told.contains("no reports"), "{told}");
    said(&import(&house, &["empty.courier"]));

    // Over a link again, under the certificate that came by courier.
    house.start_agent("lab").unwrap();
    let live = house
        .wait_until(PATIENCE, |s| s.reports as u64 >= end + 6)
        .await
        .unwrap();
    assert_eq!((live.lost, live.gaps), (0, 0));

    // The same without a collector running, and the receipt to an agent that runs.
    house.kill_collector().await.unwrap();
    let (last, (_, end)) = export_when(&house, "last", 6).await;
    said(&import(&house, &["--receipt", "last.receipt", &last]));
    let told = said(&receipt(&house, "last.receipt"));
    assert!(!told.contains("; 0 left"), "{told}");
    let (_, (from, _)) = export_when(&house, "after", 1).await;
    assert_eq!(from, end + 1, "what the collector has is no longer exported");
    house.start_collector().await.unwrap();
    let live = house
        .wait_until(PATIENCE, |s| s.reports as u64 >= end + 6)
        .await
        .unwrap();
    assert_eq!((live.lost, live.gaps, live.elements), (0, 0, 3));
    house.stop().await.unwrap();
}

fn bundle(path: &Path) -> Bundle {
    Bundle::from_pem(std::fs::read_to_string(path).unwrap())
}

/// An export of unreadable reports, as an agent with this bundle would write it.
fn forge(file: &Path, agent: &Bundle, recipient: [u8; 32], sequences: std::ops::Range<u64>) {
    let opening = v1::CourierOpening {
        certificate: agent.certificate().unwrap().into(),
        hello: Some(v1::Hello {
            capability: proto::CAPABILITY,
            epoch: vec![9; 16].into(),
            first_sequence: sequences.start,
            next_sequence: sequences.end,
            agent_version: "test".into(),
            clock_micros: 1,
            plan: None,
        }),
        signing_request: Vec::new().into(),
    };
    let mut writer = ExportWriter::begin(Vec::new(), recipient, opening).unwrap();
    let report = |sequence| v1::SequencedReport {
        sequence,
        report: vec![0xff; 3].into(),
    };
    let reports = sequences.map(report).collect();
    writer.reports(v1::SequencedBatch { reports }).unwrap();
    std::fs::write(file, writer.finish(agent).unwrap().0).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_agent_of_the_house_sent_is_refused_and_nothing_of_it_is_stored() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut house = house().await;
    house.wait_until(PATIENCE, |s| s.reports >= 3).await.unwrap();
    house.kill_collector().await.unwrap();
    let (good, _) = export_when(&house, "good", 3).await;
    house.kill_agent("lab").await.unwrap();
    house.start_collector().await.unwrap();
    let before = house.summary().await.unwrap();

    let now = OffsetDateTime::now_utc();
    let day = Duration::from_secs(86_400);
    let ours = Authority::open(&house.data().join("identity"), day, now).unwrap();
    let other = Authority::open(&house.data().join("other"), day, now).unwrap();
    let agent = |authority: &Authority, site: &str| {
        let made = authority.agent_bundle(AgentId::generate(), &site.parse().unwrap(), now);
        Bundle::from_pem(made.unwrap().0)
    };
    let (stranger, paris, lab) = (agent(&other, "lab"), agent(&ours, "paris"), agent(&ours, "lab"));
    let path = |name: &str| house.data().join(name);
    let octets = std::fs::read(path(&good)).unwrap();
    let mut changed = octets.clone();
    changed[octets.len() / 2] ^= 1;
    std::fs::write(path("changed"), changed).unwrap();
    std::fs::write(path("cut"), &octets[..octets.len() - 1]).unwrap();
    std::fs::write(path("nothing"), "").unwrap();
    forge(&path("elsewhere"), &lab, CourierKey::generate().public, 1..4);
    forge(&path("stranger"), &stranger, ours.courier_key(), 1..4);
    forge(&path("paris"), &paris, ours.courier_key(), 1..4);
    for (file, why) in [
        ("changed", "file was changed or cut"),
        ("cut", "file was changed or cut"),
        ("nothing", "no export of a spool"),
        ("elsewhere", "for another collector"),
        ("stranger", "an agent that this collector does not know"),
        ("paris", "no [[site]] is named so"),
    ] {
        let told = refused(&import(&house, &[file]));
        assert!(told.contains(why), "{file}: {told}");
        assert!(told.contains("export refused"), "it is in the log: {told}");
    }
    let after = house.summary().await.unwrap();
    assert_eq!((after.reports, after.lost), (before.reports, 0));

    // A hole is told, and skipped only when asked for.
    forge(&path("begin"), &lab, ours.courier_key(), 1..4);
    forge(&path("later"), &lab, ours.courier_key(), 6..9);
    let told = said(&import(&house, &["begin", "--receipt", "foreign.receipt"]));
    assert!(told.contains(": 0 stored, 0 repeated, 3 refused"), "{told}");
    let told = refused(&import(&house, &["later"]));
    assert!(
        told.contains("begins with sequence 6, and reports after 3 are not here"),
        "{told}"
    );
    assert_eq!(house.summary().await.unwrap().reports, before.reports + 3);
    said(&import(&house, &["later", "--over-hole"]));
    assert_eq!(house.summary().await.unwrap().lost, 2);
    // Another agent's receipt, one that was changed, one of another collector.
    let told = refused(&receipt(&house, "foreign.receipt"));
    assert!(told.contains("the receipt is for another agent"), "{told}");
    let mut changed = std::fs::read(path("foreign.receipt")).unwrap();
    let end = changed.len() - 1;
    changed[end] ^= 1;
    std::fs::write(path("changed.receipt"), changed).unwrap();
    let told = refused(&receipt(&house, "changed.receipt"));
    assert!(
        told.contains("signature is not of this certificate's key"),
        "{told}"
    );
    let theirs = Bundle::from_pem(other.collector_bundle(now).unwrap());
    let theirs = proto::courier::sign_receipt(&v1::CourierReceipt::default(), &theirs).unwrap();
    std::fs::write(path("their.receipt"), theirs).unwrap();
    refused(&receipt(&house, "their.receipt"));

    // The key may change once under way. Who is revoked has said his last.
    let authority = |word: &str| {
        run(
            house.data(),
            &["collector", "authority", word, "--config", "collector.toml"],
        )
    };
    said(&authority("rotate-courier-key"));
    let told = said(&import(&house, &[&good, "--receipt", "good.receipt"]));
    assert!(told.contains(" 0 refused, 0 wanted"), "{told}");
    let stored = house.summary().await.unwrap().reports;
    let who = bundle(&path("agent-lab.pem")).agent().unwrap().agent.to_string();
    said(&run(
        house.data(),
        &["collector", "agent", "revoke", "--config", "collector.toml", &who],
    ));
    let told = refused(&import(&house, &[&good]));
    assert!(told.contains("is revoked"), "{told}");
    said(&authority("rotate-courier-key"));
    let told = refused(&import(&house, &[&good]));
    assert!(told.contains("its key was forgotten"), "{told}");
    assert_eq!(house.summary().await.unwrap().reports, stored);
    house.stop().await.unwrap();
}
