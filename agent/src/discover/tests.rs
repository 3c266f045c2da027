//! Turns, windows, refusals and whom neighbours name, over addresses at which nobody listens.

use super::*;
use crate::discover::sweep::tests::{area, told};
use crate::poll::socket::ExchangeError;
use crate::window::Window;
use std::sync::atomic::{AtomicU64, Ordering};

/// A Friday, 07:00 UTC.
const SEVEN: u64 = 1_800_000_000 - 3_600;
static NOW: AtomicU64 = AtomicU64::new(SEVEN);

fn wall_clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW.load(Ordering::Relaxed))
}

/// Over addresses at which nobody listens, left alone from eight to nine.
fn discovery(folder: &Path) -> (Discovery, Arc<Sweep>) {
    let eight_to_nine = Window::read(&v1::Window {
        days: 127,
        from_minute: 8 * 60,
        to_minute: 9 * 60,
        offset_minutes: 0,
    });
    let area = Area {
        windows: Arc::new([eight_to_nine.unwrap()]),
        ..area("127.9.3.0/31", &[], 1)
    };
    over(folder, vec![area], wall_clock)
}

fn over(folder: &Path, areas: Vec<Area>, clock: fn() -> SystemTime) -> (Discovery, Arc<Sweep>) {
    let sweep = Arc::new(Sweep::new(areas, Duration::from_secs(3_600)));
    let (_plans, watched) = watch::channel(Arc::clone(&sweep));
    let pauses = (Duration::from_millis(100), Duration::from_secs(900));
    let pace = Arc::new(Pace::new(0));
    let (_elements, named) = mpsc::channel(1);
    let discovery = Discovery::load((watched, named), folder.join("found"), pace, pauses, clock);
    (discovery.unwrap(), sweep)
}

fn octets(discovery: &mut Discovery) -> Vec<u8> {
    discovery.coverage.tell(1).ranges[0].states.to_vec()
}

#[tokio::test]
async fn windows_follow_the_wall_clock_and_who_is_not_reached_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut discovery, sweep) = discovery(folder.path());
    // The wall clock is set from seven to eight.
    NOW.store(SEVEN + 3_600, Ordering::Relaxed);
    discovery.take_slot(&sweep, 0);
    assert_eq!(discovery.prober.under_way(), 0, "left alone");
    let (waiting, not_asked, window, behind) = (9, 1, 64, 128);
    assert_eq!(octets(&mut discovery), [waiting | window, not_asked]);
    discovery.coverage.swept(7);
    assert_eq!(discovery.coverage.tell(1).swept_micros, 0);
    // And to nine: whose turn it is, and who waited.
    NOW.store(SEVEN + 2 * 3_600, Ordering::Relaxed);
    discovery.take_slot(&sweep, 1);
    assert_eq!(discovery.prober.under_way(), 2);
    assert_eq!(octets(&mut discovery), [waiting, not_asked]);
    discovery.coverage.swept(8);
    assert_eq!(discovery.coverage.tell(1).swept_micros, 8);
    // Four sweeps behind: the turns between are told as passed, once each.
    let next = discovery.following(&sweep, discovery.began - 8);
    assert_eq!(next, discovery.began - 2);
    assert_eq!(octets(&mut discovery), [waiting | behind, not_asked | behind]);
}

#[tokio::test]
async fn a_refused_user_is_not_tried_by_the_next_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let (mut discovery, sweep) = discovery(folder.path());
    let (target, area) = sweep.at(0).unwrap();
    let ended = |why: Option<ExchangeError>| Ended {
        target,
        state: if why.is_some() {
            State::CredentialRefused
        } else {
            State::Engine
        },
        why,
        tried: Some(Arc::clone(&area.credential)),
        engine: None,
    };
    let stands = |discovery: &Discovery| {
        let now = Instant::now();
        discovery.refusals.stands(target, &area.credential, now)
    };
    discovery.ended(&ended(Some(ExchangeError::TimedOut)));
    assert_eq!(stands(&discovery), None, "silence is no refusal");
    discovery.ended(&ended(Some(ExchangeError::WrongDigest)));
    assert_eq!(stands(&discovery), Some(State::CredentialRefused));
    discovery.begin();
    assert_eq!(
        stands(&discovery),
        Some(State::CredentialRefused),
        "the same plan"
    );
    discovery.ended(&ended(None));
    assert_eq!(stands(&discovery), None, "taken");
}

#[test]
fn what_news_cost_over_time_does_not_grow_with_what_was_found() {
    for (found, seconds) in [(0, 1), (10, 1), (1_000, 1), (5_000, 5), (50_000, 50)] {
        assert_eq!(gather(found), Duration::from_secs(seconds), "{found}");
    }
}

fn addresses(all: &[&str]) -> Vec<IpAddr> {
    all.iter().map(|text| text.parse().unwrap()).collect()
}

/// What is told of a range that is not swept.
fn shown(discovery: &mut Discovery) -> Vec<(Vec<u8>, Vec<u8>)> {
    let told = discovery.coverage.tell(1).told;
    told.iter()
        .map(|range| (range.addresses.to_vec(), range.states.to_vec()))
        .collect()
}

fn ends(discovery: &mut Discovery, address: &str, state: State) -> bool {
    let target = Target::new(address.parse().unwrap(), 161).unwrap();
    discovery.following.remove(&target);
    discovery.ended(&Ended {
        target,
        state,
        why: None,
        tried: None,
        engine: None,
    })
}

fn seven() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(SEVEN)
}

#[tokio::test]
async fn whom_neighbours_name_is_asked_at_once_inside_a_range_that_follows_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let areas = || {
        vec![
            Area {
                follow: true,
                ..area("127.9.4.0/30", &["127.9.4.2"], 161)
            },
            area("127.9.5.0/30", &[], 161),
            told("127.16.0.0/12", &["127.17.0.0/16"]),
        ]
    };
    let (mut discovery, sweep) = over(folder.path(), areas(), seven);
    let named = addresses(&[
        "127.9.4.1",
        "127.9.4.1",
        // Excluded, a broadcast address, in a range that does not follow, in none.
        "127.9.4.2",
        "127.9.4.3",
        "127.9.5.1",
        "127.8.0.1",
        "::1",
        "127.18.0.1",
        "127.17.0.1",
    ]);
    discovery.hear(&sweep, named.clone());
    assert_eq!(discovery.turns.len(), 2);
    let asked = |discovery: &mut Discovery| {
        let mut all = Vec::new();
        while discovery.turns.next().is_some_and(|at| at <= Instant::now()) {
            let before = discovery.following.clone();
            discovery.take_turn(&sweep);
            all.extend(discovery.following.difference(&before).map(ToString::to_string));
        }
        all
    };
    assert_eq!(asked(&mut discovery), ["127.9.4.1:161", "127.18.0.1:161"]);
    assert_eq!(discovery.prober.under_way(), 2);
    let (not_asked, excluded, engine) = (1, 2, 6);
    let octets = vec![127, 17, 0, 1, 127, 18, 0, 1];
    assert_eq!(
        shown(&mut discovery),
        [(octets.clone(), vec![excluded, not_asked])]
    );
    // One answers and is a target; silence is no news.
    assert!(ends(&mut discovery, "127.18.0.1", State::Engine));
    assert!(!ends(&mut discovery, "127.9.4.1", State::Silent));
    assert!(!ends(&mut discovery, "127.17.0.1", State::Engine), "excluded");
    let found: Vec<_> = discovery.found.targets().map(|one| one.to_string()).collect();
    assert_eq!(found, ["127.18.0.1:161"]);
    assert_eq!(discovery.assignments(&sweep).len(), 1);
    // Told again, nobody is asked before the turn comes.
    discovery.hear(&sweep, named);
    assert_eq!(asked(&mut discovery), [""; 0]);
    assert_eq!(
        discovery.turns.len(),
        1,
        "that of the range that is not swept, within a sweep"
    );

    // After a restart what was told is there, with its state and its turn.
    discovery.tell_found().await;
    discovery.tell_coverage().await;
    let (mut again, sweep) = over(folder.path(), areas(), seven);
    assert_eq!(shown(&mut again), [(octets, vec![excluded, engine])]);
    assert_eq!((again.found.len(), again.turns.len()), (1, 1));
    let turn = again.turns.next().unwrap();
    assert!(turn > Instant::now() + Duration::from_secs(600));
    assert!(turn <= Instant::now() + sweep.time());
    // Three silent turns, and it is no target any more.
    for (turn, went) in [(1, false), (2, false), (3, true)] {
        assert_eq!(ends(&mut again, "127.18.0.1", State::Silent), went, "{turn}");
    }
    assert_eq!(again.found.len(), 0);
}

#[tokio::test]
async fn a_hostile_neighbour_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (mut discovery, sweep) = over(folder.path(), vec![told("127.16.0.0/12", &[])], seven);
    discovery.hear(&sweep, addresses(&["127.18.0.1"]));
    discovery.take_turn(&sweep);
    ends(&mut discovery, "127.18.0.1", State::Object);
    for n in 0..40_000_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        discovery.hear(&sweep, vec![IpAddr::from([127, 20 + (n >> 16) as u8, high, low])]);
    }
    let most = proto::plan::MAX_TOLD_OF_RANGE;
    let told = shown(&mut discovery);
    assert_eq!((told[0].0.len(), told[0].1.len()), (most * 4, most));
    assert_eq!(discovery.turns.len(), most);
    assert_eq!(&told[0].0[..4], [127, 18, 0, 1], "who answers stays");
    assert_eq!(told[0].1[0], 7);
    assert_eq!(discovery.found.len(), 1);
}

#[tokio::test]
async fn a_window_is_kept_for_whom_neighbours_name_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let now = Window::read(&v1::Window {
        days: 127,
        from_minute: 7 * 60,
        to_minute: 8 * 60,
        offset_minutes: 0,
    });
    let area = Area {
        windows: Arc::new([now.unwrap()]),
        ..told("127.16.0.0/12", &[])
    };
    let (mut discovery, sweep) = over(folder.path(), vec![area], seven);
    discovery.hear(&sweep, addresses(&["127.18.0.1"]));
    discovery.take_turn(&sweep);
    assert_eq!(discovery.prober.under_way(), 0, "left alone");
    let (waiting, window) = (9, 64);
    assert_eq!(
        shown(&mut discovery),
        [(vec![127, 18, 0, 1], vec![waiting | window])]
    );
    let again = discovery.turns.next().unwrap();
    assert!(again > Instant::now() + Duration::from_secs(30));
}

#[tokio::test]
async fn who_was_named_before_a_range_followed_is_asked_when_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let (mut discovery, sweep) = over(folder.path(), vec![area("127.9.5.0/30", &[], 161)], seven);
    discovery.hear(&sweep, addresses(&["127.18.0.1"]));
    assert_eq!(discovery.turns.len(), 0);
    let (_plans, watched) = watch::channel(Arc::new(Sweep::new(
        vec![told("127.16.0.0/12", &[])],
        Duration::from_secs(3_600),
    )));
    discovery.sweep = watched;
    discovery.begin();
    assert_eq!(
        discovery.turns.pop().map(|one| one.to_string()).as_deref(),
        Some("127.18.0.1:161")
    );
}

#[tokio::test]
async fn engines_are_told_once_kept_over_restarts_and_void_when_the_ranges_move() {
    let folder = tempfile::tempdir().unwrap();
    let areas = || vec![area("127.9.6.0/30", &[], 161)];
    let (mut discovery, _sweep) = over(folder.path(), areas(), seven);
    let answer = crate::testing::engine_report(7, b"\x80\0\x1f\x88\x04element");
    let (_, engine) = crate::poll::engine::read(&answer.into()).unwrap();
    let hears = |discovery: &mut Discovery, address: &str| {
        discovery.ended(&Ended {
            target: Target::new(address.parse().unwrap(), 161).unwrap(),
            state: State::Ignored,
            why: None,
            tried: None,
            engine: Some(HeardEngine {
                engine: engine.clone(),
                at: Instant::now(),
            }),
        });
        discovery.engines.changed()
    };
    assert!(!hears(&mut discovery, "127.9.7.1"), "in no range");
    assert!(hears(&mut discovery, "127.9.6.1"));
    assert!(discovery.engines().borrow().engines.is_empty(), "not on disk yet");
    discovery.tell_news().await;
    let told = Arc::clone(&discovery.engines().borrow());
    let one = &told.engines[0];
    assert_eq!(
        (&one.address[..], one.port, one.revision),
        (&[127, 9, 6, 1][..], 161, 1)
    );
    assert_eq!(one.engine_id, b"\x80\0\x1f\x88\x04element"[..]);
    let now = i64::try_from(SEVEN).unwrap() * 1_000_000;
    assert!((now - 60_000_000..=now).contains(&one.seen_micros), "{one:?}");
    assert!(!hears(&mut discovery, "127.9.6.1"), "nothing new");

    let (again, _sweep) = over(folder.path(), areas(), seven);
    assert_eq!(again.engines().borrow().engines, told.engines);
    assert_eq!(again.engines().borrow().generation, told.generation);
    let (other, _sweep) = over(folder.path(), vec![area("127.9.7.0/30", &[], 161)], seven);
    assert!(other.engines().borrow().engines.is_empty());
    assert!(other.engines().borrow().generation > told.generation);
}
