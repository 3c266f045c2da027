//! The judge sees each kind of fault, and none where there is none.

use super::*;
use model::AgentId;
use std::time::Instant;
use store::sqlite::audit::{AuditedCursor, AuditedElement, AuditedGap, AuditedReport};

const TARGET: &str = "127.0.0.1:1";

/// Nine rounds of one element: 1 to 5 kept by the first life, 6 to 8 by the second;
/// 4 in a gap, 8 in the spool, word 9 under way when all ended.
fn good() -> (Truth, Held) {
    let start = Instant::now();
    let said = |word: u64| Said {
        word: Some(word),
        uptime: word as u32 * 10,
        at: start + Duration::from_secs(word * 2),
    };
    let kept = |sequence: u64| Kept {
        life: if sequence < 6 { 1 } else { 2 },
        sequence,
        target: TARGET.into(),
        digest: format!("digest-{sequence}"),
    };
    let line = Line {
        site: "north".into(),
        kept: (1..=8).map(kept).collect(),
        epoch: "e".into(),
        next: 9,
        waiting: BTreeSet::from([8]),
    };
    let agent = AgentId::generate();
    let stored = [1, 2, 3, 5, 6, 7];
    let reports = stored.map(|sequence| AuditedReport {
        agent,
        epoch: "e".into(),
        sequence,
        verdict: "stored".into(),
        target: TARGET.into(),
        digest: format!("digest-{sequence}"),
        readings: String::new(),
    });
    let audit = Audit {
        reports: reports.to_vec(),
        gaps: vec![AuditedGap {
            agent,
            epoch: "e".into(),
            from: 4,
            to: 4,
        }],
        cursors: vec![AuditedCursor {
            agent,
            site: "north".into(),
            epoch: "e".into(),
            acked: 7,
            reports: 6,
        }],
        elements: vec![AuditedElement {
            target: TARGET.into(),
            rounds: 6,
        }],
    };
    let words = stored.map(|n| (format!("digest-{n}"), Some(BTreeSet::from([n]))));
    let truth = Truth {
        lines: vec![line],
        said: BTreeMap::from([(TARGET.to_owned(), (1..=9).map(said).collect())]),
    };
    let held = Held {
        audit,
        words: BTreeMap::from(words),
        uptimes: stored.map(|n| Some(n as u32 * 10)).to_vec(),
    };
    (truth, held)
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let (truth, held) = good();
    let judgement = judge(&truth, &held);
    assert_eq!((&judgement.lost, &judgement.duplicated), (&vec![], &vec![]));
    assert_eq!(judgement.words, 6);
}

#[test]
fn each_loss_is_seen() {
    type Break = fn(&mut Truth, &mut Held);
    let breaks: [(Break, &str); 10] = [
        (|_, held| held.audit.gaps.clear(), "sequence 4 is nowhere"),
        (|truth, _| truth.lines[0].waiting.clear(), "sequence 8 is nowhere"),
        (
            |_, held| drop(held.audit.reports.remove(1)),
            "sequence 2 is nowhere",
        ),
        (|_, held| held.audit.cursors.clear(), "never heard of its spool"),
        (|truth, _| truth.lines[0].epoch = "f".into(), "is not its spool's"),
        (
            |_, held| held.audit.reports[2].digest = "digest-2".into(),
            "was kept as",
        ),
        (
            |_, held| held.audit.reports[2].verdict = "wanted".into(),
            "is wanted",
        ),
        (
            |_, held| drop(held.words.insert("digest-5".into(), None)),
            "not what its digest says",
        ),
        (|_, held| drop(held.words.remove("digest-5")), "is not there"),
        // An answer that the agent neither kept nor sent, in the middle of a life.
        (
            |truth, held| {
                let said = truth.said.get_mut(TARGET).unwrap();
                said.iter_mut()
                    .filter(|said| said.word >= Some(2))
                    .for_each(|said| said.word = said.word.map(|n| n + 1));
                said.insert(
                    1,
                    Said {
                        word: Some(2),
                        ..said[0]
                    },
                );
                for said in said.iter_mut().skip(1) {
                    said.at += Duration::from_secs(2);
                }
                for n in [2, 3, 5, 6, 7] {
                    held.words
                        .insert(format!("digest-{n}"), Some(BTreeSet::from([n + 1])));
                }
                // Otherwise what is in the gap could be it.
                held.audit.gaps.clear();
                truth.lines[0].kept.retain(|kept| kept.sequence != 4);
            },
            "words [2, 5] of life 1 are nowhere",
        ),
    ];
    for (break_it, words) in breaks {
        let (mut truth, mut held) = good();
        break_it(&mut truth, &mut held);
        let judgement = judge(&truth, &held);
        assert!(
            judgement.lost.iter().any(|lost| lost.contains(words)),
            "{words}: {judgement:?}"
        );
    }
}

#[test]
fn each_repetition_is_seen() {
    type Break = fn(&mut Truth, &mut Held);
    let breaks: [(Break, &str); 7] = [
        (
            |_, held| held.audit.cursors[0].reports += 1,
            "7 reports counted, 6 stored",
        ),
        (
            |_, held| held.audit.elements[0].rounds += 1,
            "7 rounds sighted, 6 reported",
        ),
        (
            |_, held| {
                let again = held.audit.reports[5].clone();
                held.audit.reports.push(again);
                held.uptimes.push(Some(1));
            },
            "sequence 7 twice",
        ),
        (
            |truth, _| truth.lines[0].next = 7,
            "sequence 7 was never given out",
        ),
        (
            |_, held| held.audit.gaps[0].to = 5,
            "sequence 5 is stored and declared lost",
        ),
        (
            |_, held| held.uptimes[1] = held.uptimes[0],
            "uptime 10 is stored twice",
        ),
        (
            |_, held| {
                held.words.insert("digest-6".into(), Some(BTreeSet::from([5])));
            },
            "word 5 is in 2 reports",
        ),
    ];
    for (break_it, words) in breaks {
        let (mut truth, mut held) = good();
        break_it(&mut truth, &mut held);
        let judgement = judge(&truth, &held);
        assert!(
            judgement.duplicated.iter().any(|twice| twice.contains(words)),
            "{words}: {judgement:?}"
        );
    }
}
