//! Stories of an element that is glanced at and walked.

use super::*;
use prost::bytes::Bytes;
use proto::v1::{Outcome, QuestionKind};

const SIX_HOURS: u64 = 21_600;
/// Which questions.
const ASKED: u64 = 1;

fn reading(name: &str, tag: u32, value: u32) -> Varbind {
    Varbind {
        oid: oid::parse(name).unwrap(),
        tag,
        value: value.to_be_bytes().to_vec().into(),
    }
}

/// What it says at a second since the story began.
#[derive(Clone, Copy)]
struct Says {
    second: u64,
    name: &'static str,
    up_seconds: Option<u32>,
    changed: Option<u32>,
    /// Another counter of changes.
    other: u32,
}

const AT_FIRST: Says = Says {
    second: 0,
    name: "one",
    up_seconds: Some(100_000),
    changed: Some(7),
    other: 3,
};

impl Says {
    fn later(self, seconds: u64) -> Self {
        let passed = u32::try_from(seconds).unwrap();
        Self {
            second: self.second + seconds,
            up_seconds: self.up_seconds.map(|up| up + passed),
            ..self
        }
    }

    fn glance(self, start: Instant) -> Glance {
        let first = Observation {
            kind: QuestionKind::Get as i32,
            oids: Vec::new(),
            outcome: Outcome::Complete as i32,
            varbinds: vec![Varbind {
                oid: oid::parse("1.3.6.1.2.1.1.5.0").unwrap(),
                tag: 4,
                value: Bytes::from_static(self.name.as_bytes()),
            }],
        };
        let up = self.up_seconds.map(|up| reading(UP_TIME, 0x43, up * 100));
        let changed = self.changed.map(|at| reading("1.3.6.1.2.1.47.1.4.1.0", 0x43, at));
        let engine = reading(ENGINE_TIME, 2, u32::try_from(self.second).unwrap());
        let other = reading("1.3.6.1.2.1.31.1.5.0", 0x43, self.other);
        let readings: Vec<_> = up.into_iter().chain(changed).chain([other, engine]).collect();
        Glance::new(&[&first], &readings, start + Duration::from_secs(self.second))
    }
}

#[test]
fn what_moved_is_named() {
    let start = Instant::now();
    let hour = AT_FIRST.later(3600);
    let cases = [
        (hour, None),
        (Says { name: "two", ..hour }, Some(Moved::Identity)),
        (
            Says {
                up_seconds: Some(60),
                ..hour
            },
            Some(Moved::Restarted),
        ),
        (
            Says {
                changed: Some(8),
                ..hour
            },
            Some(Moved::Counter),
        ),
        (
            Says {
                changed: None,
                ..hour
            },
            Some(Moved::Counter),
        ),
        (
            Says {
                up_seconds: None,
                ..hour
            },
            Some(Moved::Restarted),
        ),
        // Slow by one in a hundred.
        (
            Says {
                up_seconds: Some(103_564),
                ..hour
            },
            None,
        ),
        // Behind by more than a clock can be: it stood still.
        (
            Says {
                up_seconds: Some(100_000),
                ..hour
            },
            Some(Moved::Restarted),
        ),
    ];
    for (at, (says, moved)) in cases.into_iter().enumerate() {
        let found = says.glance(start).moved_since(&AT_FIRST.glance(start));
        assert_eq!(found, moved, "case {at}");
    }
    // Rebooted a minute after the last look at a young element: more than before, and still less than it should be.
    let young = Says {
        up_seconds: Some(120),
        ..AT_FIRST
    };
    let rebooted = Says {
        up_seconds: Some(3_500),
        ..young.later(3_600)
    };
    assert_eq!(
        rebooted.glance(start).moved_since(&young.glance(start)),
        Some(Moved::Restarted)
    );
}

struct Story {
    start: Instant,
    memory: Memory,
    last: Option<([u8; 32], Completeness)>,
    redacted: Vec<Bytes>,
}

impl Story {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            memory: Memory::default(),
            last: None,
            redacted: Vec::new(),
        }
    }

    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    /// One round; says whether it was a walk.
    fn round(&mut self, says: Says, evidence: u8, completeness: Completeness) -> bool {
        let now = self.at(says.second);
        let glance = says.glance(self.start);
        let answered = completeness != Completeness::Unreachable;
        let refreshed =
            answered && self.memory.refreshable(ASKED, now).is_some() && self.memory.moved(&glance).is_none();
        let outcome = match completeness {
            Completeness::Complete => Outcome::Complete,
            _ => Outcome::TimedOut,
        };
        let walked = Observation {
            kind: QuestionKind::Walk as i32,
            oids: vec![Bytes::copy_from_slice(&[evidence])],
            outcome: outcome as i32,
            varbinds: Vec::new(),
        };
        let round = Round {
            started: std::time::UNIX_EPOCH,
            took: Duration::ZERO,
            observations: if refreshed { Vec::new() } else { vec![walked] },
            readings: says
                .up_seconds
                .map(|up| reading(UP_TIME, 0x43, up))
                .into_iter()
                .collect(),
            cost: proto::v1::Cost::default(),
            answered,
            undecodable: 0,
            engine_shared: false,
            glance: answered.then_some(glance),
            resumed: false,
            moved: None,
            refreshed,
        };
        let due = now + Duration::from_secs(SIX_HOURS);
        let target = "192.0.2.1".parse().unwrap();
        let report = self.memory.conclude((target, ASKED, due), round, &self.redacted);
        assert_eq!(report.refreshed, refreshed);
        if refreshed {
            assert_eq!(
                Some((report.digest, report.completeness)),
                self.last,
                "of the last walk"
            );
        }
        self.last = Some((report.digest, report.completeness));
        !refreshed
    }

    fn complete(&mut self, says: Says, evidence: u8) -> bool {
        self.round(says, evidence, Completeness::Complete)
    }
}

#[test]
fn an_element_is_walked_at_first_when_something_moved_and_on_age() {
    let mut story = Story::new();
    assert!(story.complete(AT_FIRST, 1));
    for hour in 1..6 {
        assert!(!story.complete(AT_FIRST.later(3_600 * hour), 1), "{hour}");
    }
    assert!(story.complete(AT_FIRST.later(SIX_HOURS), 1), "on age");
    let moved = Says {
        changed: Some(9),
        ..AT_FIRST.later(SIX_HOURS + 60)
    };
    assert!(story.complete(moved, 2), "it told");
    assert!(!story.complete(moved.later(60), 2), "and is believed ever after");
    assert_eq!(
        story.memory.refreshable(ASKED + 1, story.at(1)),
        None,
        "other questions"
    );
    story.round(moved.later(90), 3, Completeness::Unreachable);
    assert!(story.complete(moved.later(120), 2), "after silence");
}

#[test]
fn what_shows_no_time_is_walked_each_round() {
    let silent = Says {
        up_seconds: None,
        ..AT_FIRST
    };
    let mut story = Story::new();
    for minute in 0..4 {
        assert!(
            story.complete(silent.later(60 * minute), 1),
            "{minute}: it tells none"
        );
    }
    let mut story = Story::new();
    story.redacted = vec![oid::parse(UP_TIME).unwrap()];
    for minute in 0..4 {
        assert!(
            story.complete(AT_FIRST.later(60 * minute), 1),
            "{minute}: none may leave the site"
        );
    }
}

#[test]
fn less_than_everything_is_asked_for_again_until_it_stays_the_same() {
    let mut story = Story::new();
    assert!(story.round(AT_FIRST, 1, Completeness::Partial));
    assert!(story.round(AT_FIRST.later(60), 2, Completeness::Partial));
    assert!(story.round(AT_FIRST.later(120), 2, Completeness::Partial));
    assert!(!story.round(AT_FIRST.later(180), 2, Completeness::Partial));
}

#[test]
fn one_that_changed_without_telling_is_not_taken_at_its_word() {
    let mut story = Story::new();
    story.complete(AT_FIRST, 1);
    let mut says = AT_FIRST.later(SIX_HOURS);
    assert!(story.complete(says, 2), "on age, and it was another one");
    for round in 0..WATCHED_ROUNDS {
        says = says.later(60);
        assert!(story.complete(says, 2), "watched round {round}");
    }
    says = says.later(60);
    assert!(!story.complete(says, 2), "believed again");
    // A relapse counts twice.
    says = says.later(SIX_HOURS);
    assert!(story.complete(says, 3));
    for _ in 0..2 * WATCHED_ROUNDS {
        says = says.later(60);
        assert!(story.complete(says, 3));
    }
    assert!(!story.complete(says.later(60), 3));
}

#[test]
fn one_that_is_known_not_to_tell_is_walked_each_time() {
    let mut story = Story::new();
    story.complete(AT_FIRST, 1);
    story.memory.distrust();
    assert!(story.complete(AT_FIRST.later(60), 1));
    assert!(!story.complete(AT_FIRST.later(120), 1), "said after each walk");
}

#[test]
fn counters_that_move_for_nothing_are_no_reason_any_more() {
    let mut story = Story::new();
    story.complete(AT_FIRST, 1);
    let mut says = AT_FIRST;
    for round in 1..=IDLE_MOVES {
        says = Says {
            changed: Some(100 + round),
            ..says.later(60)
        };
        assert!(story.complete(says, 1), "{round}");
    }
    says = Says {
        changed: Some(500),
        ..says.later(60)
    };
    assert!(!story.complete(says, 1));
    assert!(
        story.complete(
            Says {
                name: "two",
                ..says.later(60)
            },
            2
        ),
        "who it is counts always"
    );
}

/// One round of a story: after so many seconds, what a noisy counter and another one say, what
/// is there, and whether that is walked.
type Step = (u64, u32, u32, u8, bool);

#[test]
fn each_counter_is_believed_for_itself() {
    // The noisy one moves for nothing until it is a reason no more.
    let noisy: [Step; 4] = [
        (60, 1, 0, 1, true),
        (60, 2, 0, 1, true),
        (60, 3, 0, 1, true),
        (60, 4, 0, 1, false),
    ];
    let watched = |step: Step| vec![step; WATCHED_ROUNDS as usize];
    let stories: [(&str, Vec<Step>); 5] = [
        (
            "the other one is heard beside the noise, which stays noise",
            vec![
                (60, 5, 1, 2, true),
                (60, 6, 1, 2, false),
                (60, 6, 2, 3, true),
                (60, 7, 2, 3, false),
            ],
        ),
        (
            "the noisy one was right, which shows on age: it is believed again",
            [
                vec![(SIX_HOURS, 5, 0, 2, true)],
                watched((60, 5, 0, 2, true)),
                vec![(60, 5, 0, 2, false), (60, 6, 0, 3, true)],
            ]
            .concat(),
        ),
        (
            "it told in a refresh and stood still since",
            [
                vec![(60, 5, 0, 2, false), (SIX_HOURS, 5, 0, 2, true)],
                watched((60, 5, 0, 2, true)),
                vec![(60, 6, 0, 3, true)],
            ]
            .concat(),
        ),
        (
            "nobody told: watched, and what was noise stays noise",
            [
                vec![(SIX_HOURS, 4, 0, 1, true), (SIX_HOURS, 4, 0, 2, true)],
                watched((60, 4, 0, 2, true)),
                vec![(60, 5, 0, 2, false)],
            ]
            .concat(),
        ),
        (
            "nothing changed until the age: still noise",
            vec![(SIX_HOURS, 5, 0, 1, true), (60, 6, 0, 1, false)],
        ),
    ];
    for (name, steps) in stories {
        let mut story = Story::new();
        let mut says = Says {
            changed: Some(100),
            other: 200,
            ..AT_FIRST
        };
        story.complete(says, 1);
        for (at, (seconds, first, second, evidence, walked)) in noisy.into_iter().chain(steps).enumerate() {
            says = Says {
                changed: Some(100 + first),
                other: 200 + second,
                ..says.later(seconds)
            };
            assert_eq!(story.complete(says, evidence), walked, "{name}: step {at}");
        }
    }
}
