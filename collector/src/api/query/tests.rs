//! Parameters that are read, refused and written again.

use super::*;
use std::collections::BTreeSet;
use store::clause::{Clause, FindingField, FindingOrder};

const ASKING: Asking = Asking {
    then: None,
    now: Instant(0),
    person: "Ada",
    sites: None,
};

fn read(pairs: &[(&str, &str)], keys: &[&str]) -> Result<Query, Problem> {
    Query::read(Query::of(pairs).pairs, keys)
}

#[test]
fn a_repeated_key_means_or() {
    let query = read(
        &[
            ("severity", "major"),
            ("severity", "critical"),
            ("role", "unknown"),
        ],
        FINDINGS,
    )
    .unwrap();
    assert_eq!(
        query.findings(&ASKING).unwrap().clauses,
        [
            Clause::words(FindingField::Severity, ["major", "critical"]),
            Clause::words(FindingField::Role, ["unknown"])
        ]
    );
}

#[test]
fn empty_values_filter_nothing() {
    let query = read(&[("severity", ""), ("site", " "), ("text", "")], FINDINGS).unwrap();
    assert_eq!(query.findings(&ASKING).unwrap(), FindingFilter::default());
    assert_eq!(query.link("/findings"), "/findings");
}

#[test]
fn refusals_name_the_parameter_and_the_words() {
    for (key, value, words) in [
        ("severity", "red", "critical, major"),
        ("state", "gone", "acknowledged"),
        ("class", "x", "violation"),
        ("role", "boss", "core, ran"),
        ("site", "../etc", "a-z"),
        ("jurisdiction", "deu", "two letters"),
        ("supplier", "a-b", "a-z"),
        ("sort", "colour", "severity, deadline"),
        ("q", "x severity:red", "at character 12"),
        ("rule", "DE CORE", "key of a rule"),
        ("limit", "501", "500"),
        ("limit", "0", "from 1"),
        ("after", "a\u{7}b", "next page"),
    ] {
        match read(&[(key, value)], FINDINGS).unwrap().findings(&ASKING) {
            Err(Problem::BadParameter {
                parameter, allowed, ..
            }) => {
                assert_eq!(parameter, key);
                assert!(allowed.contains(words), "{key}: {allowed}");
            }
            other => panic!("{key}={value}: {other:?}"),
        }
    }
}

#[test]
fn moments_are_spans_days_or_times_with_a_zone() {
    let now = Instant(1_795_683_600_000_000);
    let since = |text: &str| {
        let query = read(&[("since", text)], NOW).unwrap();
        query.since("since", "8h", now).map(|at| at.to_string())
    };
    for (text, at) in [
        ("", "2026-11-26T01:00:00Z"),
        ("7d", "2026-11-19T09:00:00Z"),
        ("2026-11-26", "2026-11-26T00:00:00Z"),
        ("2026-11-26T06:00:00+01:00", "2026-11-26T05:00:00Z"),
    ] {
        assert_eq!(since(text).unwrap(), at, "{text}");
    }
    assert_eq!(since("8min").unwrap(), "2026-11-26T08:52:00Z");
    for text in ["yesterday", "8m", "8M", "-8h", "2026-13-01", "2026-11-26T06:00"] {
        assert!(since(text).is_err(), "{text}");
    }
    let day = |text| read(&[("asof", text)], REPORT).unwrap().day("asof");
    assert_eq!(day("").unwrap(), None);
    assert!(day("2026-06-30").unwrap().is_some() && day("2026-06").is_err());
}

#[test]
fn the_line_and_the_parameters_are_one_filter() {
    let query = read(
        &[
            ("state", "closed"),
            ("q", "state:open -waived"),
            ("sort", "-deadline"),
        ],
        FINDINGS,
    );
    let query = query.unwrap();
    let line = query.line(Subject::Findings).unwrap().unwrap();
    assert_eq!(line.to_string(), "state:closed state:open -waived");
    let filter = query.findings(&ASKING).unwrap();
    assert_eq!(filter.clauses.len(), 2, "the states are alternatives");
    assert!(filter.closed && filter.down && filter.order == FindingOrder::Deadline);
    assert_eq!(
        query.with_line("role:core").link("/findings"),
        "/findings?q=role%3Acore&sort=-deadline"
    );
}

#[test]
fn who_sees_some_sites_asks_for_no_other() {
    let sites = BTreeSet::new();
    let nowhere = Asking {
        then: None,
        sites: Some(&sites),
        ..ASKING
    };
    for clause in [
        read(&[], FINDINGS).unwrap().findings(&nowhere).unwrap().clauses,
        read(&[("site", "a")], FINDINGS)
            .unwrap()
            .findings(&nowhere)
            .unwrap()
            .clauses,
    ] {
        assert!(
            clause.iter().any(|clause| clause.any.is_empty()),
            "nothing holds there"
        );
    }
}

#[test]
fn unknown_keys_and_floods_are_refused() {
    assert!(read(&[("colour", "red")], FINDINGS).is_err());
    assert!(read(&[("text", &"x".repeat(MAX_VALUE + 1))], FINDINGS).is_err());
    assert!(read(&[("text", "x"); MAX_PAIRS + 1], FINDINGS).is_err());
}

#[test]
fn links_read_back() {
    let query = read(&[("text", "a&b=c #\"<é"), ("site", "ber-1")], ELEMENTS).unwrap();
    assert_eq!(
        query.link("/elements"),
        "/elements?text=a%26b%3Dc%20%23%22%3C%C3%A9&site=ber-1"
    );
}

#[test]
fn changing_a_filter_begins_with_the_first_page() {
    let query = read(&[("site", "a"), ("site", "b"), ("after", "k")], ELEMENTS).unwrap();
    assert_eq!(query.without("site", "a").link("/e"), "/e?site=b");
    assert_eq!(query.with("after", "n").link("/e"), "/e?site=a&site=b&after=n");
    assert_eq!(
        query.with("role", "core").link("/e"),
        "/e?site=a&site=b&role=core"
    );
}
