//! Tables that do not fit into one round, through the schedule and real sockets.

use crate::poll::rounds::{
    CHANGED, TIME_TICKS, UP_TIME, View, answer_with, community, honest, honest_answer, object, set,
};
use crate::*;
use agent::config::{Assignment, PollConfig};
use agent::plan::Question;
use agent::schedule::{Collector, Rounds, Schedule, Work};
use prost::Message as _;
use proto::v1::Completeness;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

const ENTRY: &str = "1.3.6.1.2.1.47.1.1.1.1";
const ROWS: u32 = 3_000;
/// Kibibytes for walks that wait.
const KEPT: usize = 1_024;

/// A chassis with descriptions, serial numbers and models.
fn chassis() -> View {
    let mut all = vec![
        object(SYS_DESCR, 4, b"a chassis"),
        object(UP_TIME, TIME_TICKS, &50_000_u32.to_be_bytes()),
        object(CHANGED, TIME_TICKS, &7_u32.to_be_bytes()),
    ];
    let entry = oid::parse(ENTRY).unwrap();
    for (column, what) in [(11, "SN"), (12, "maker"), (13, "model")] {
        let column = oid::child(&entry, column);
        let row = |row| {
            (
                oid::child(&column, row),
                4,
                format!("{what} {row:05}").into_bytes(),
            )
        };
        all.extend((1..=ROWS).map(row));
    }
    all.sort_by(|one, other| oid::compare(&one.0, &other.0));
    Arc::new(Mutex::new(all))
}

fn plan() -> Plan {
    let columns = (11..=13).map(|column| oid::child(&oid::parse(ENTRY).unwrap(), column));
    Plan {
        questions: vec![
            Question::Get(vec![oid::parse(SYS_DESCR).unwrap()]),
            Question::Walk(columns.collect()),
        ],
        readings: [UP_TIME, CHANGED].map(|name| oid::parse(name).unwrap()).to_vec(),
        if_arc: Vec::new(),
    }
}

/// An agent with one target, polled once an hour.
struct Polled {
    runtime: tokio::runtime::Runtime,
    reports: mpsc::Receiver<Report>,
    /// Room for walks that wait.
    kept: Arc<Semaphore>,
    stop: CancellationToken,
    running: Option<tokio::task::JoinHandle<()>>,
    _work: watch::Sender<Arc<Work>>,
}

impl Polled {
    fn new(target: &str, limits: Limits, kept: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let (kept, stop) = (Arc::new(Semaphore::new(kept)), CancellationToken::new());
        let (work, watched) = watch::channel(Arc::new(Work {
            questions: Arc::new(plan()),
            interval: Duration::from_secs(3_600),
            assignments: vec![Assignment {
                target: target.parse().unwrap(),
                credential: Arc::new(community()),
                interval: None,
                windows: Arc::default(),
            }],
        }));
        let (sent, reports) = mpsc::channel(64);
        let (_early, early) = mpsc::channel(1);
        let schedule = runtime.block_on(async {
            let rounds = Rounds {
                sockets: Sockets::open(1, 0).unwrap(),
                limits,
                collector_limit: Arc::default(),
                patience: PollConfig::default().patience(),
                refusal_pause: Duration::ZERO,
                full_round: Duration::from_secs(3_600),
                distrusted: Vec::new(),
                shared: Collector::default(),
                early_pause: Duration::ZERO,
                walking: Arc::new(Semaphore::new(0)),
                unfinished: Arc::clone(&kept),
                redacted: Vec::new(),
                named: None,
                clock: std::time::SystemTime::now,
            };
            Schedule::new(Arc::new(rounds), watched, 1)
        });
        let running = runtime.spawn(schedule.run(sent, early, stop.clone()));
        Self {
            runtime,
            reports,
            kept,
            stop,
            running: Some(running),
            _work: work,
        }
    }

    fn next(&mut self) -> Report {
        let next = async { tokio::time::timeout(PATIENCE, self.reports.recv()).await };
        self.runtime.block_on(next).expect("a report in time").unwrap()
    }

    /// The agent ends; what it still held is given back.
    fn end(mut self) -> usize {
        self.stop.cancel();
        self.runtime.block_on(self.running.take().unwrap()).unwrap();
        self.kept.available_permits()
    }
}

/// The names and values of a report's table, and how it ended.
fn table(report: &Report) -> (Vec<(Bytes, Bytes)>, Outcome) {
    let evidence = proto::v1::Evidence::decode(report.encoded.clone()).unwrap();
    let walk = &evidence.observations[1];
    let rows = walk
        .varbinds
        .iter()
        .map(|row| (row.oid.clone(), row.value.clone()));
    (rows.collect(), walk.outcome())
}

fn few_requests(most: u32) -> Limits {
    Limits {
        max_requests: most,
        max_repetitions: 60,
        max_rows: 100_000,
        max_evidence_bytes: 64 << 20,
        ..limits(Duration::from_secs(20))
    }
}

/// Every row of the chassis, once and in order.
fn whole(view: &View, rows: &[(Bytes, Bytes)]) -> bool {
    let all = view.lock().unwrap();
    let entry = oid::parse(ENTRY).unwrap();
    let there = all.iter().filter(|one| one.0.starts_with(&entry));
    there
        .map(|(name, _, value)| (name.clone(), Bytes::from(value.clone())))
        .eq(rows.iter().cloned())
}

#[test]
fn a_table_that_takes_several_rounds_ends_in_one_complete_report() {
    let view = chassis();
    let requests = Arc::new(Mutex::new(0));
    let (seen, answering) = (Arc::clone(&requests), Arc::clone(&view));
    let target = element(move |request| {
        *seen.lock().unwrap() += 1;
        vec![honest_answer(&answering, request)]
    });
    let mut polled = Polled::new(&target, few_requests(40), KEPT);
    let mut stories = vec![polled.next()];
    while stories.last().unwrap().completeness != Completeness::Complete {
        stories.push(polled.next());
    }
    let last = stories.pop().unwrap();
    let (rows, outcome) = table(&last);
    assert_eq!(outcome, Outcome::Complete);
    assert!(whole(&view, &rows), "{} rows", rows.len());
    assert_eq!(rows.len(), 3 * ROWS as usize);
    // Until then it is told what is there, not all of it each time.
    let counts: Vec<usize> = stories.iter().map(|report| table(report).0.len()).collect();
    assert!(!counts.is_empty() && counts.windows(2).all(|pair| pair[1] >= 2 * pair[0]));
    for report in &stories {
        assert_eq!(report.completeness, Completeness::Partial);
        assert_eq!(table(report).1, Outcome::TimedOut);
        assert!(table(report).0.iter().eq(rows.iter().take(table(report).0.len())));
    }
    // Each round was bounded, and every packet is told of, those of rounds without a report too.
    let told: u32 = stories
        .iter()
        .chain([&last])
        .map(|report| report.cost.requests)
        .sum();
    assert!(last.cost.requests > 0 && told > 3 * 40, "{told} requests");
    assert_eq!(told, *requests.lock().unwrap());
    assert_eq!(
        last.started, stories[0].started,
        "one walk, from its beginning on"
    );
    assert_eq!(polled.end(), KEPT, "nothing is kept of a walk that ended");
}

#[test]
fn an_element_that_restarted_in_between_is_walked_anew() {
    let view = chassis();
    let mut polled = Polled::new(&honest(Arc::clone(&view)), few_requests(40), KEPT);
    let first = polled.next();
    assert_eq!(table(&first).1, Outcome::TimedOut);
    // Rows of then and of now would not belong together.
    let entry = oid::parse(ENTRY).unwrap();
    for object in view
        .lock()
        .unwrap()
        .iter_mut()
        .filter(|one| one.0.starts_with(&entry))
    {
        object.2 = b"another".to_vec();
    }
    set(&view, UP_TIME, &[1]);
    let last = loop {
        let report = polled.next();
        if report.completeness == Completeness::Complete {
            break report;
        }
    };
    assert!(last.started > first.started);
    assert!(whole(&view, &table(&last).0));
    assert_eq!(polled.end(), KEPT);
}

#[test]
fn a_table_without_end_is_bounded_and_says_so() {
    let endless = element(move |request| {
        let asked = wire::decode(echo(request).into(), Version::V2c, COMMUNITY).unwrap();
        if request[tag_at(request)] == 0xa0 {
            let value = |one: &proto::v1::Varbind| match one.oid == oid::parse(UP_TIME).unwrap() {
                true => (one.oid.clone(), TIME_TICKS, vec![100]),
                false => (one.oid.clone(), 4, b"a liar".to_vec()),
            };
            let all: Vec<_> = asked.varbinds.iter().map(value).collect();
            return vec![answer_with(asked.request_id, &all)];
        }
        let columns = oid::parse(ENTRY).unwrap();
        let from = &asked.varbinds[0].oid;
        let (column, row) = match oid::arcs_below(from, &columns).unwrap().collect::<Vec<_>>()[..] {
            [column, row] => (column, row),
            [column] => (column, 0),
            _ => panic!("{from:?}"),
        };
        let column = oid::child(&columns, column);
        let rows = (row + 1..).map(|row| (oid::child(&column, row), 4, b"more".to_vec()));
        let rows: Vec<_> = rows.take(40).collect();
        vec![answer_with(asked.request_id, &rows)]
    });
    let limits = Limits {
        max_rows: 1_500,
        ..few_requests(50)
    };
    let mut polled = Polled::new(&endless, limits, KEPT);
    let (rows, outcome) = loop {
        let report = polled.next();
        assert_eq!(report.completeness, Completeness::Partial);
        let (rows, outcome) = table(&report);
        if outcome != Outcome::TimedOut {
            break (rows, outcome);
        }
    };
    assert_eq!(outcome, Outcome::Truncated);
    // The first rows of every column, not all of the first column.
    assert_eq!(rows.len(), 3 * 1_500);
    let names: BTreeSet<_> = rows.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), rows.len());
    assert_eq!(polled.end(), KEPT, "and nothing of it is kept");
}

#[test]
fn a_walk_that_finds_no_room_to_wait_begins_anew_at_its_regular_turn() {
    let mut polled = Polled::new(&honest(chassis()), few_requests(40), 1);
    let first = polled.next();
    assert_eq!(table(&first).1, Outcome::TimedOut);
    let more = async { tokio::time::timeout(Duration::from_secs(3), polled.reports.recv()).await };
    assert!(polled.runtime.block_on(more).is_err(), "not before");
    assert_eq!(polled.end(), 1);
}
