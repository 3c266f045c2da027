//! Stories of targets: seconds in, who is due out.

use super::*;
use crate::config::PollConfig;
use crate::credential::Credential;
use crate::poll::Unfinished;
use crate::poll::refresh::Glance;
use crate::poll::unfinished::{Standing, Stopped};
use crate::window::{Window, Windows};
use tokio::sync::Semaphore;

#[test]
fn slots_are_spread_and_kept() {
    let interval = Duration::from_secs(100);
    let mut tens = [0; 10];
    for host in 0..=255u8 {
        let target: Target = format!("192.0.2.{}:{}", host, 1000 + u16::from(host))
            .parse()
            .unwrap();
        let now = Duration::from_secs(1_700_000_000);
        let wait = until_slot(target, now, interval);
        assert!(wait > Duration::ZERO && wait <= interval);
        // From its slot it is a whole interval to the next one.
        assert_eq!(until_slot(target, now + wait, interval), interval);
        let almost = now + wait - Duration::from_millis(1);
        assert_eq!(until_slot(target, almost, interval), Duration::from_millis(1));
        tens[(wait.as_secs() / 10).min(9) as usize] += 1;
    }
    assert!(tens.iter().all(|&count| count > 8), "{tens:?}");
}

/// Where the clocks stood at the start of a story.
const START: Duration = Duration::from_secs(1_800_000_000);

struct Story {
    table: Table,
    start: Instant,
    credential: Arc<Credential>,
    /// Of every target.
    windows: Windows,
}

impl Story {
    fn new() -> Self {
        Self {
            table: Table::new(Learned::nothing(&PollConfig::default().limits()), 8),
            start: Instant::now(),
            credential: crate::testing::community("x"),
            windows: Windows::default(),
        }
    }

    /// Targets with their own interval, or 0.
    fn follow(&mut self, second: u64, interval: u64, targets: &[(&str, u64)]) {
        let assignments = targets.iter().map(|(target, own)| Assignment {
            target: target.parse().unwrap(),
            credential: Arc::clone(&self.credential),
            interval: (*own > 0).then(|| Duration::from_secs(*own)),
            windows: self.windows.clone(),
        });
        let work = Work {
            interval: Duration::from_secs(interval),
            assignments: assignments.collect(),
            ..Work::default()
        };
        let elapsed = Duration::from_secs(second);
        self.table.follow(&work, self.start + elapsed, START + elapsed);
    }

    /// Everyone who is due up to a second, begun.
    fn begun(&mut self, second: u64) -> Vec<String> {
        let until = self.start + Duration::from_secs(second);
        let mut begun = Vec::new();
        while self.table.next().is_some_and(|at| at <= until) {
            let round = self.table.start((until, START + Duration::from_secs(second)));
            begun.extend(round.map(|round| round.assignment.target.to_string()));
        }
        begun.sort();
        begun
    }

    fn start(&mut self, second: u64) -> Started {
        let elapsed = Duration::from_secs(second);
        self.table.start((self.start + elapsed, START + elapsed)).unwrap()
    }

    fn ended(&mut self, second: u64, target: &str) {
        self.refused(second, target, Duration::ZERO);
    }

    fn refused(&mut self, second: u64, target: &str, pause: Duration) {
        let elapsed = Duration::from_secs(second);
        let target = target.parse().unwrap();
        let now = (self.start + elapsed, START + elapsed);
        self.table.ended(target, Some(refused(1)), now, pause);
    }

    /// The first second in which someone is due.
    fn next(&mut self) -> u64 {
        let wait = self.table.next().unwrap() - self.start;
        wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
    }
}

/// What a round taught: so many refusals.
fn refused(times: u32) -> Learned {
    let mut learned = Learned::nothing(&PollConfig::default().limits());
    learned.refused = times;
    learned
}

const A: &str = "192.0.2.1:161";
const B: &str = "192.0.2.2:161";
const C: &str = "192.0.2.3:161";

#[test]
fn those_that_stay_keep_their_slot_and_the_new_are_due_at_once() {
    let mut story = Story::new();
    story.follow(0, 1000, &[(A, 0), (B, 0)]);
    assert_eq!(story.begun(0), [A, B]);
    story.ended(1, A);
    story.ended(1, B);
    let slot = story.next();
    story.follow(2, 1000, &[(A, 0), (B, 0), (C, 0)]);
    assert_eq!(story.begun(2), [C]);
    story.ended(3, C);
    assert!(story.next() <= slot);
    story.follow(4, 1000, &[(A, 0), (B, 0), (C, 0)]);
    assert!(story.begun(4).is_empty(), "nothing moved, nobody is polled anew");
    // Who goes is not begun any more; who comes again is new.
    story.follow(5, 1000, &[(C, 0)]);
    assert_eq!(story.begun(1005), [C]);
    story.follow(6, 1000, &[(A, 0), (C, 0)]);
    assert_eq!(story.begun(6), [A]);
}

#[test]
fn a_round_under_way_ends_in_peace_and_is_never_begun_twice() {
    let mut story = Story::new();
    story.follow(0, 1000, &[(A, 0)]);
    assert_eq!(story.begun(0), [A]);
    story.follow(1, 1000, &[]);
    story.follow(2, 1000, &[]);
    assert!(story.begun(2000).is_empty());
    // Named again before it ended: still the same round.
    story.follow(3, 1000, &[(A, 0)]);
    assert!(story.begun(3).is_empty());
    story.ended(4, A);
    assert!(story.next() > 4);
    assert_eq!(story.begun(1004), [A]);
    story.follow(1005, 1000, &[]);
    story.ended(1006, A);
    assert_eq!(story.table.next(), None);
    assert!(story.table.places.is_empty());
    // A round of a target that is gone changes nothing.
    story.ended(1007, A);
    assert_eq!(story.table.next(), None);
}

#[test]
fn a_shorter_interval_counts_at_its_first_slot_and_a_longer_one_after_the_next_round() {
    let mut story = Story::new();
    story.follow(0, 100_000, &[(A, 0)]);
    story.begun(0);
    story.ended(1, A);
    let far = story.next();
    story.follow(2, 10, &[(A, 0)]);
    let near = story.next();
    assert!(near <= 12 && near < far, "{near} {far}");
    story.follow(3, 100_000, &[(A, 0)]);
    assert_eq!(story.next(), near);
    assert_eq!(story.begun(near), [A]);
    story.ended(near, A);
    assert_eq!(story.next(), far);
    // Its own interval goes before that of all.
    story.follow(near, 100_000, &[(A, 10)]);
    assert!(story.next() <= near + 10);
}

#[test]
fn a_target_that_says_it_changed_is_walked_early_and_not_too_often() {
    let rest = Duration::from_secs(300);
    let mut story = Story::new();
    story.follow(0, 100_000, &[(A, 0)]);
    let at = |story: &Story, second| story.start + Duration::from_secs(second);
    let target: Target = A.parse().unwrap();
    assert!(!story.start(0).early);
    // While its round is under way: another one follows at once.
    let now = at(&story, 1);
    assert!(story.table.hasten(target, now, rest));
    story.ended(2, A);
    assert_eq!(story.next(), 2);
    assert!(story.start(2).early);
    story.ended(3, A);
    let slot = story.next();
    for second in [4, 300] {
        let now = at(&story, second);
        assert!(!story.table.hasten(target, now, rest), "{second}");
        assert_eq!(story.next(), slot);
    }
    let now = at(&story, 301);
    assert!(story.table.hasten(target, now, rest));
    assert_eq!(story.next(), 301);
    assert!(story.start(301).early);
    // Whoever refused its user is left alone all the same.
    story.refused(302, A, Duration::from_secs(900));
    let (now, slot) = (at(&story, 700), story.next());
    assert!(!story.table.hasten(target, now, rest));
    assert_eq!(story.next(), slot);
    assert!(!story.table.hasten(B.parse().unwrap(), now, rest), "a stranger");
}

#[test]
fn nobody_is_polled_in_a_window_and_everybody_soon_after() {
    let mut story = Story::new();
    // The story begins on a Friday at 08:00 UTC.
    story.windows = Arc::new([Window::read(&proto::v1::Window {
        days: 127,
        from_minute: 8 * 60,
        to_minute: 9 * 60,
        offset_minutes: 0,
    })
    .unwrap()]);
    story.follow(0, 600, &[(A, 0), (B, 0)]);
    assert!(story.begun(0).is_empty());
    assert!(story.begun(3_599).is_empty());
    assert!(story.next() >= 3_600 && story.next() <= 3_720, "{}", story.next());
    assert_eq!(story.begun(3_720), [A, B]);
    story.ended(3_721, A);
    assert!(story.next() <= 4_321, "outside of windows the interval counts");
}

#[test]
fn another_credential_forgets_what_the_old_one_taught_and_is_tried_at_once() {
    let mut story = Story::new();
    story.follow(0, 10_000, &[(A, 0), (B, 0)]);
    assert_eq!(story.begun(0), [A, B]);
    story.refused(1, A, Duration::from_secs(86_400));
    // One waits, the other is under way.
    story.credential = crate::testing::community("y");
    story.follow(2, 10_000, &[(A, 0), (B, 0)]);
    assert_eq!(story.next(), 2, "nobody is to be spared any more");
    assert_eq!(story.start(2).learned.refused, 0);
    story.refused(3, B, Duration::from_secs(86_400));
    assert_eq!(story.next(), 3, "what ended was a round of the old one");
    assert_eq!(story.start(3).learned.refused, 0);
    // The same again is no other.
    story.refused(4, A, Duration::from_secs(900));
    story.follow(5, 10_000, &[(A, 0)]);
    assert_eq!(story.next(), 904);
    assert_eq!(story.start(904).learned.refused, 1);
}

#[test]
fn an_unfinished_walk_is_held_once() {
    let mut story = Story::new();
    story.follow(0, 10, &[(A, 0)]);
    story.begun(0);
    let glance = Glance::new(&[], &[], story.start);
    let walks = Arc::new(Unfinished::new(1, glance, Vec::new(), story.start));
    let mut learned = refused(0);
    learned.unfinished = Some(walks);
    let target = A.parse().unwrap();
    let now = (story.start, START);
    story.table.ended(target, Some(learned), now, Duration::ZERO);
    let walks = story.start(20).learned.unfinished.unwrap();
    assert_eq!(Arc::strong_count(&walks), 1);
}

/// What a round taught that left a walk behind, and brought so many rows beyond those of before.
fn stopped(story: &Story, brought: usize) -> Learned {
    let mut learned = refused(0);
    let glance = Glance::new(&[], &[], story.start);
    let walks = Arc::new(Unfinished::new(1, glance, Vec::new(), story.start));
    let stopped = Stopped {
        started: std::time::UNIX_EPOCH,
        took: Duration::from_secs(60),
        now: story.start,
        rows: brought,
        cost: proto::v1::Cost::default(),
    };
    let (standing, _) = Standing::after(None, &stopped);
    learned.unfinished = walks.keep(&Arc::new(Semaphore::new(1)), standing);
    learned
}

#[test]
fn a_walk_that_did_not_end_goes_on_soon_and_a_few_at_a_time() {
    let mut story = Story::new();
    let names: Vec<String> = (1..=6).map(|host| format!("192.0.2.{host}:161")).collect();
    let targets: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 0)).collect();
    story.follow(0, 100_000, &targets);
    assert_eq!(story.begun(0).len(), 6);
    let end = |story: &mut Story, second: u64, name: &str, learned: Learned, pause: u64| {
        let elapsed = Duration::from_secs(second);
        let now = (story.start + elapsed, START + elapsed);
        let pause = Duration::from_secs(pause);
        let target = name.parse().unwrap();
        story.table.ended(target, Some(learned), now, pause);
    };
    // It rests for as long as it was asked; one that brought nothing waits for its turn.
    for name in &names[..3] {
        let learned = stopped(&story, 5);
        end(&mut story, 10, name, learned, 0);
    }
    let (nothing, paused) = (stopped(&story, 0), stopped(&story, 5));
    end(&mut story, 10, &names[3], nothing, 0);
    end(&mut story, 10, &names[4], paused, 900);
    end(&mut story, 10, &names[5], refused(0), 0);
    assert_eq!(story.next(), 70);
    // Of eight rounds at once two may go on with a walk.
    let first = story.begun(75);
    assert_eq!(first.len(), 2, "{first:?}");
    end(&mut story, 76, &first[0], refused(0), 0);
    let third = story.begun(78);
    assert!(third.len() == 1 && !first.contains(&third[0]), "{third:?}");
    end(&mut story, 79, &first[1], refused(0), 0);
    assert_eq!(story.begun(80), [] as [&str; 0]);
    assert_eq!(story.begun(910), [names[4].as_str()], "after its pause");
    // Every second round of a target ends like any other.
    story.follow(911, 100_000, &targets[5..]);
    assert_eq!(story.begun(100_100), [names[5].as_str()]);
}

#[test]
fn whoever_tells_of_a_change_is_walked_from_the_beginning() {
    for told_under_way in [false, true] {
        let mut story = Story::new();
        story.follow(0, 100_000, &[(A, 0)]);
        assert_eq!(story.begun(0), [A]);
        let (target, at) = (A.parse::<Target>().unwrap(), Duration::from_secs(10));
        let (now, learned) = (story.start + at, stopped(&story, 5));
        if told_under_way {
            assert!(story.table.hasten(target, now, Duration::ZERO));
        }
        story
            .table
            .ended(target, Some(learned), (now, START + at), Duration::ZERO);
        if !told_under_way {
            assert!(story.table.hasten(target, now, Duration::ZERO));
        }
        assert!(story.table.next().is_some());
        let started = story.table.start((now, START + at)).unwrap();
        assert!(
            started.early && started.learned.unfinished.is_none(),
            "{told_under_way}"
        );
    }
}

#[test]
fn a_pause_outlasts_intervals_and_plans() {
    let mut story = Story::new();
    story.follow(0, 10, &[(A, 0)]);
    story.begun(0);
    story.refused(1, A, Duration::from_secs(900));
    assert_eq!(story.next(), 901);
    story.follow(2, 5, &[(A, 0)]);
    assert_eq!(story.next(), 901, "another interval");
    assert_eq!(story.begun(901), [A]);
    story.ended(902, A);
    assert!(story.next() <= 907);
}

#[test]
fn contexts_at_one_address_are_asked_one_after_the_other() {
    let mut story = Story::new();
    let user = crate::credential::user::User::new("u", None, None, "red").unwrap();
    let inside = Arc::new(Credential::user(user));
    let target: Target = A.parse().unwrap();
    let assignment = |credential: &Arc<Credential>| Assignment {
        target: target.asked_with(credential),
        credential: Arc::clone(credential),
        interval: None,
        windows: Windows::default(),
    };
    let work = Work {
        interval: Duration::from_secs(1000),
        assignments: vec![assignment(&story.credential), assignment(&inside)],
        ..Work::default()
    };
    story.table.follow(&work, story.start, START);
    let first = story.begun(0);
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(story.begun(5).is_empty(), "the address is still asked");
    let asked = [target, target.asked_with(&inside)]
        .into_iter()
        .find(|one| one.to_string() == first[0])
        .unwrap();
    let now = (
        story.start + Duration::from_secs(6),
        START + Duration::from_secs(6),
    );
    story.table.ended(asked, Some(refused(1)), now, Duration::ZERO);
    let second = story.begun(8);
    assert!(second.len() == 1 && second != first, "{second:?}");
}

#[test]
fn a_user_that_was_refused_is_not_tried_in_the_other_contexts_of_an_address() {
    for (other_user, meanwhile) in [("u", 0), ("v", 1)] {
        let mut story = Story::new();
        let of = |name: &str, context: &str| {
            let user = crate::credential::user::User::new(name, None, None, context).unwrap();
            Arc::new(Credential::user(user))
        };
        let (one, two) = (of("u", "red"), of(other_user, "blue"));
        let target: Target = A.parse().unwrap();
        let assignment = |credential: &Arc<Credential>| Assignment {
            target: target.asked_with(credential),
            credential: Arc::clone(credential),
            interval: None,
            windows: Windows::default(),
        };
        let work = Work {
            interval: Duration::from_secs(10_000),
            assignments: vec![assignment(&one), assignment(&two)],
            ..Work::default()
        };
        story.table.follow(&work, story.start, START);
        let first = story.begun(0);
        // Whichever begins: its user is refused.
        let asked = [target.asked_with(&one), target.asked_with(&two)]
            .into_iter()
            .find(|one| one.to_string() == first[0])
            .unwrap();
        let at = |second| {
            (
                story.start + Duration::from_secs(second),
                START + Duration::from_secs(second),
            )
        };
        story
            .table
            .ended(asked, Some(refused(1)), at(1), Duration::from_secs(900));
        let begun = story.begun(800);
        assert_eq!(begun.len(), meanwhile, "{other_user}: {begun:?}");
        // A context that comes later, or again, is no way around the pause either.
        let third = of(other_user, "green");
        let work = Work {
            assignments: vec![assignment(&one), assignment(&two), assignment(&third)],
            ..work
        };
        story
            .table
            .follow(&work, story.start + Duration::from_secs(801), START);
        let begun = story.begun(810);
        assert!(other_user == "v" || begun.is_empty(), "{begun:?}");
        if other_user == "u" {
            let after = story.begun(902);
            assert_eq!(after.len(), 1, "one of both, after the pause: {after:?}");
        }
    }
}
