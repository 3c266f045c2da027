//! What was seen by a day, later, or never.

use super::*;
use model::{Attribution, Digest, Ending, Identification, Place, SupplierRef, UnitIdentity};
use std::collections::BTreeSet;
use store::record::{IdentifiedSighting, Subject};
use time::macros::date;

fn sighting(day: Date) -> IdentifiedSighting {
    IdentifiedSighting {
        digest: Digest([1; 32]),
        from: Instant::from_datetime(day.with_time(Time::MIDNIGHT).assume_utc()),
        identification: Identification {
            knowledge: "k".to_owned(),
            maker: Some(Attribution {
                supplier: SupplierRef {
                    id: "zte".to_owned(),
                    name: "ZTE".to_owned(),
                },
                confidence: 0.9,
            }),
            brand: None,
            claims: Vec::new(),
            doubts: Vec::new(),
            unit: UnitIdentity::default(),
            components: Vec::new(),
        },
    }
}

fn past(acquired: Option<&str>, seen: Option<Date>, by_then: bool) -> PastSubject {
    let mut place = Place::nowhere();
    place.acquired = acquired.map(str::to_owned);
    PastSubject {
        subject: Subject {
            port: 161,
            name: String::new(),
            address: "192.0.2.1".to_owned(),
            context: String::new(),
            latest: seen.map(|_| Completeness::Complete),
            last_walk: seen.filter(|_| by_then).map(|day| sighting(day).from),
            complete: seen.map(sighting),
            partial: None,
            tenure: None,
            initial: None,
            findings: Vec::new(),
            judged: None,
            place,
        },
        by_then,
    }
}

#[test]
fn what_was_seen_later_counts_where_it_is_declared_to_have_been_there() {
    let day = Some(date!(2025 - 06 - 30));
    for (acquired, seen, by_then, expected, parts, complete) in [
        (None, day, true, Seen::ByThen, 1, true),
        (Some("2019-01-01"), day, false, Seen::Presumed, 1, false),
        (Some("2025-07-02"), day, false, Seen::NotYet, 0, false),
        (None, day, false, Seen::NotYet, 0, false),
        (Some("2019-01-01"), None, false, Seen::NotYet, 0, false),
    ] {
        let days = Days {
            as_of: date!(2025 - 07 - 01),
            as_known: None,
            today: date!(2026 - 11 - 25),
        };
        let tags = BTreeSet::from(["eu_network_operator".to_owned()]);
        let found = asset(
            past(acquired, seen, by_then),
            days,
            operator(&tags, &OnFile::default()),
        );
        let told = (found.seen, found.parts.len(), found.complete);
        assert_eq!(
            told,
            (expected, parts, complete),
            "{acquired:?} {seen:?} {by_then}"
        );
        assert_eq!(found.maker_known, parts == 1);
        assert!(found.place.tags.contains("eu_network_operator"));
    }
}

fn operator<'a>(tags: &'a BTreeSet<String>, on_file: &'a OnFile) -> Operator<'a> {
    Operator {
        tags,
        name: "",
        on_file,
    }
}

#[test]
fn evidence_is_as_fresh_as_the_day_of_knowledge_lets_it_be() {
    let days = |as_of, as_known| Days {
        as_of,
        as_known,
        today: date!(2026 - 11 - 25),
    };
    let seen = Some(date!(2026 - 11 - 20));
    for (days, fresh) in [
        (days(date!(2026 - 11 - 25), None), true),
        // A day to come ages nothing: it is as known today.
        (days(date!(2027 - 12 - 31), None), true),
        (days(date!(2027 - 12 - 31), Some(date!(2026 - 11 - 24))), true),
    ] {
        let found = asset(
            past(None, seen, true),
            days,
            operator(&BTreeSet::new(), &OnFile::default()),
        );
        assert_eq!(found.complete, fresh, "{days:?}");
    }
    let old = asset(
        past(None, Some(date!(2026 - 01 - 01)), true),
        days(date!(2026 - 11 - 25), None),
        operator(&BTreeSet::new(), &OnFile::default()),
    );
    assert!(!old.complete);
}

#[test]
fn a_day_ends_before_the_next_one() {
    let moment = Days {
        as_of: date!(2026 - 12 - 31),
        as_known: Some(date!(2026 - 11 - 01)),
        today: date!(2026 - 11 - 25),
    }
    .moment();
    assert_eq!(moment.valid.to_string(), "2026-12-31T23:59:59.999999Z");
    assert_eq!(
        moment.recorded.unwrap().to_string(),
        "2026-11-01T23:59:59.999999Z"
    );
}

#[test]
fn only_evidence_that_something_is_gone_removes_it() {
    let life = |closed: Option<Option<Ending>>| {
        let told = FindingSpan {
            finding: model::FindingId::generate(),
            rule: "R".to_owned(),
            deadline: "2027".to_owned(),
            opened: Instant(0),
            closed: closed.map(|ending| (Instant(86_400_000_000), ending)),
        };
        super::life(&told).unwrap().ended
    };
    assert_eq!(life(None), None);
    for ending in [Ending::Swapped, Ending::PartGone, Ending::Confirmed] {
        let removed = Some(End::Removed(date!(1970 - 01 - 02)));
        assert_eq!(life(Some(Some(ending))), removed, "{ending}");
    }
    for ending in [None, Some(Ending::Moved), Some(Ending::NotMet)] {
        assert_eq!(life(Some(ending)), Some(End::Otherwise), "{ending:?}");
    }
}
