//! The figures of line and polling: that they come, and mean what they say; not how good they are.

use super::programs::{complaint, run};
use serde_json::Value;

#[test]
fn the_line_is_measured_in_one_run_and_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let words = "bench line --json --reports 200 --rounds 1 --backlog 300 --silence 0";
    let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", complaint(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    let figures: Value = serde_json::from_str(&said).unwrap();
    let number = |path: &str| {
        figures
            .pointer(path)
            .and_then(Value::as_f64)
            .unwrap_or_else(|| panic!("{path}: {said}"))
    };

    let mut least = f64::INFINITY;
    for mix in ["switch", "mix", "digest"] {
        for way in ["stream", "store", "line"] {
            let speed = number(&format!("/{mix}/{way}/per_second"));
            let [slowest, fastest] = ["0", "1"].map(|n| number(&format!("/{mix}/{way}/spread/{n}")));
            assert!(
                speed > 0.0 && slowest <= speed && speed <= fastest,
                "{mix} {way}: {said}"
            );
        }
        let slower =
            number(&format!("/{mix}/stream/per_second")).min(number(&format!("/{mix}/store/per_second")));
        let ratio = number(&format!("/{mix}/ratio"));
        let line = number(&format!("/{mix}/line/per_second"));
        assert!((ratio - line / slower).abs() <= 0.011, "{mix}: {said}");
        assert_eq!(
            figures[mix]["line"]["cpu_each"].as_array().map(Vec::len),
            Some(2),
            "agent and collector"
        );
        // What travels is compressed, and never nothing.
        assert!(number(&format!("/{mix}/wire_bytes")) > 20.0, "{mix}: {said}");
        least = least.min(ratio);
    }
    assert_eq!(number("/ratio"), least);
    assert!(number("/switch/wire_bytes") < number("/switch/report_bytes"));
    // What shares a message shares its cost.
    assert!(
        number("/unchanged/together_bytes") * 1.5 < number("/unchanged/alone_bytes"),
        "{said}"
    );
    let day = number("/unchanged/element_bytes_per_day/0") - number("/unchanged/alone_bytes") * 24.0;
    assert!(day.abs() < 3.0, "a round an hour: {said}");
    assert_eq!(
        (number("/backlog/reports"), number("/backlog/wire_bytes") > 0.0),
        (300.0, true)
    );
    assert!(number("/backlog/full") >= 1.0 && number("/backlog/full") <= 300.0);
    let [resident, peak] = ["0", "1"].map(|n| number(&format!("/backlog/waiting_bytes/{n}")));
    assert!(
        resident > 0.0 && peak >= resident && number("/backlog/sending_bytes") >= peak,
        "{said}"
    );
    assert_eq!(figures["optimised"], Value::Bool(!cfg!(debug_assertions)));
}

#[test]
fn identification_of_a_stored_fleet_is_measured_and_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &["bench", "identify", "--json", "--elements", "60"],
    );
    assert!(output.status.success(), "{}", complaint(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    let figures: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(figures["elements"], 60);
    for pass in ["first", "again"] {
        for key in ["per_second", "per_core_second", "cpu_micros"] {
            assert!(figures[pass][key].as_f64().unwrap() > 0.0, "{said}");
        }
    }
}

#[test]
fn judging_of_a_stored_fleet_is_measured_and_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &["bench", "evaluate", "--json", "--elements", "60"],
    );
    assert!(output.status.success(), "{}", complaint(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    let figures: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(figures["elements"], 60);
    for pass in ["first", "again", "exposure", "what_if"] {
        for key in ["per_second", "per_core_second", "cpu_micros"] {
            assert!(figures[pass][key].as_f64().unwrap() > 0.0, "{said}");
        }
    }
    for key in ["findings", "would_open"] {
        assert!(figures[key].as_u64().unwrap() >= 10, "{key}: {said}");
    }
}

#[test]
fn judging_is_measured_on_any_number_of_threads_and_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let measured = |threads: &str| {
        let words = format!("bench judge --json --elements 2200 --components 1 --threads {threads}");
        let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{}", complaint(&output));
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        serde_json::from_str::<Value>(&said).unwrap()
    };
    // They are shared out in lots of 2,000.
    let figures = measured("2");
    let number = |path: &str| figures.pointer(path).and_then(Value::as_f64).unwrap();
    let asked = ["elements", "components", "threads"].map(|key| figures[key].as_u64());
    assert_eq!(asked, [Some(2200), Some(1), Some(2)], "{figures}");
    for way in ["explained", "counted", "what_if"] {
        assert!(number(&format!("/{way}/seconds")) > 0.0, "{way}: {figures}");
        // Three figures of one measurement: they say the same.
        let cpu = number(&format!("/{way}/cpu_seconds"));
        let (rate, each) = (
            number(&format!("/{way}/elements_per_second_per_core")),
            number(&format!("/{way}/microseconds_per_element")),
        );
        assert!(cpu > 0.0, "{way}: {figures}");
        for told in [rate * cpu / 2200.0, each * 2200.0 / (cpu * 1e6)] {
            assert!((told - 1.0).abs() < 1e-6, "{way}: {figures}");
        }
    }
    // Not all that the rules say opens a finding.
    let [results, findings, would_open] =
        ["results", "findings", "would_open"].map(|key| figures[key].as_u64().unwrap());
    assert!(results > findings, "{figures}");
    assert!(findings >= 100 && would_open >= 100, "{figures}");
    assert!(figures["rules"].as_u64().unwrap() >= 123, "{figures}");
    let packs = figures["packs"].as_str().unwrap();
    assert!(
        packs.len() == 16 && packs.bytes().all(|b| b.is_ascii_hexdigit()),
        "{packs}"
    );
    assert!(
        number("/peak_bytes") > 1e6 && number("/making_seconds") > 0.0,
        "{figures}"
    );
    assert_eq!(figures["optimised"], Value::Bool(!cfg!(debug_assertions)));

    // An element is a function of its number: how many work at it changes no answer.
    let alone = measured("1");
    for key in ["results", "findings", "would_open", "rules", "packs"] {
        assert_eq!(alone[key], figures[key], "{key}");
    }
}

#[test]
fn polling_is_measured_and_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let words = "bench poll --json --elements 40 --rounds 1 --in-flight 8";
    let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", complaint(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    let figures: Value = serde_json::from_str(&said).unwrap();
    let number = |path: &str| figures.pointer(path).and_then(Value::as_f64).unwrap();
    for way in ["full", "full_kept", "refresh", "refresh_kept"] {
        assert!(number(&format!("/{way}/per_second")) > 0.0, "{said}");
    }
    // What is asked does not depend on what becomes of it, and one answer is one packet.
    assert!(
        number("/full/packets") > 2.0 && number("/full_kept/packets") > 2.0,
        "{said}"
    );
    for way in ["refresh", "refresh_kept"] {
        assert!((1.0..1.2).contains(&number(&format!("/{way}/packets"))), "{said}");
        assert!(
            number(&format!("/{way}/octets/1")) * 5.0 < number("/full/octets/1"),
            "{said}"
        );
    }
    assert!(number("/variables") > 50.0);
}

#[test]
fn polling_is_measured_as_a_user_from_afar_and_among_those_who_do_not_behave() {
    let folder = tempfile::tempdir().unwrap();
    let words = "bench poll --json --elements 100 --rounds 1 --in-flight 100 --version 3 --latency 2 --hostile 4 --only full";
    let output = run(folder.path(), &words.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", complaint(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    let figures: Value = serde_json::from_str(&said).unwrap();
    let number = |path: &str| figures.pointer(path).and_then(Value::as_f64).unwrap();
    assert_eq!(figures["version"], "3");
    assert_eq!((number("/latency_ms"), number("/hostile")), (2.0, 4.0));
    // The elements of the mix show 234 variables in the mean, whoever asks.
    assert!(number("/variables") > 200.0, "{said}");
    for way in ["full", "undisturbed"] {
        assert!(number(&format!("/{way}/per_second")) > 0.0, "{said}");
    }
    assert!(number("/full/packets") > number("/undisturbed/packets"), "{said}");
    assert!(
        figures["slowdown"].is_number() && figures["refresh"].is_null(),
        "{said}"
    );
}
