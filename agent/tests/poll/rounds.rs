//! Rounds that build on earlier ones: what nothing moved at costs one packet, and what takes
//! too long goes on where it stopped.

use crate::poll::snmpd::{AUTH, PRIVACY, user};
use crate::*;
use agent::plan::Question;
use agent::poll::unfinished::{Standing, Stopped};
use async_snmp::{AuthProtocol, PrivProtocol};
use proto::v1::Completeness;
use std::sync::{Arc, Mutex};

pub const TIME_TICKS: u8 = 0x43;
const END_OF_MIB_VIEW: u8 = 0x82;
const NO_SUCH_OBJECT: u8 = 0x80;
pub const UP_TIME: &str = "1.3.6.1.2.1.1.3.0";
pub const CHANGED: &str = "1.3.6.1.2.1.47.1.4.1.0";
const TABLE: &str = "1.3.6.1.2.1.47.1.1.1.1.2";
const ROWS: usize = 400;

pub type Object = (Bytes, u8, Vec<u8>);

/// What an element knows, in order; moved by the test while it answers.
pub type View = Arc<Mutex<Vec<Object>>>;

pub fn object(name: &str, tag: u8, value: &[u8]) -> Object {
    (oid::parse(name).unwrap(), tag, value.to_vec())
}

pub fn view() -> View {
    let mut all = vec![
        object(SYS_DESCR, 4, b"a chassis"),
        object(UP_TIME, TIME_TICKS, &50_000_u32.to_be_bytes()),
        object(CHANGED, TIME_TICKS, &7_u32.to_be_bytes()),
    ];
    let column = oid::parse(TABLE).unwrap();
    all.extend((1..=ROWS).map(|row| (oid::child(&column, row as u32), 4, b"a part".to_vec())));
    all.sort_by(|one, other| oid::compare(&one.0, &other.0));
    Arc::new(Mutex::new(all))
}

pub fn set(view: &View, name: &str, value: &[u8]) {
    let name = oid::parse(name).unwrap();
    let mut all = view.lock().unwrap();
    let found = all.iter_mut().find(|object| object.0 == name).unwrap();
    found.2 = value.to_vec();
}

pub fn honest(view: View) -> String {
    element(move |request| vec![honest_answer(&view, request)])
}

/// GET, GETNEXT and GETBULK as RFC 3416 has them.
pub fn honest_answer(view: &View, request: &[u8]) -> Vec<u8> {
    let all = view.lock().unwrap();
    let tag = request[tag_at(request)];
    let asked = wire::decode(echo(request).into(), Version::V2c, COMMUNITY).unwrap();
    let mut names: Vec<Bytes> = asked.varbinds.iter().map(|one| one.oid.clone()).collect();
    let none = |name: &Bytes, tag| (name.clone(), tag, Vec::new());
    let mut found = Vec::new();
    if tag == 0xa0 {
        found.extend(names.iter().map(|name| {
            let here = all.iter().find(|object| object.0 == name);
            here.cloned().unwrap_or_else(|| none(name, NO_SUCH_OBJECT))
        }));
    } else {
        let rows = if tag == 0xa5 { asked.error_index } else { 1 };
        for _ in 0..rows {
            for name in &mut names {
                let next = all.partition_point(|object| oid::compare(&object.0, name).is_le());
                let next = all
                    .get(next)
                    .cloned()
                    .unwrap_or_else(|| none(name, END_OF_MIB_VIEW));
                name.clone_from(&next.0);
                found.push(next);
            }
        }
    }
    answer_with(asked.request_id, &found)
}

pub fn answer_with(id: i32, objects: &[Object]) -> Vec<u8> {
    let mut buf = EncodeBuf::new();
    buf.push_sequence(|buf| {
        buf.push_constructed(0xa2, |buf| {
            buf.push_sequence(|buf| {
                for (name, tag, value) in objects.iter().rev() {
                    buf.push_sequence(|buf| {
                        buf.push_bytes(value);
                        buf.push_length(value.len())?;
                        buf.push_tag(*tag);
                        buf.push_bytes(name);
                        buf.push_length(name.len())?;
                        buf.push_tag(6);
                        Ok(())
                    })?;
                }
                Ok(())
            })?;
            buf.push_integer(0);
            buf.push_integer(0);
            buf.push_integer(id);
            Ok(())
        })?;
        buf.push_octet_string(COMMUNITY)?;
        buf.push_integer(1);
        Ok(())
    })
    .unwrap();
    buf.finish_vec()
}

pub fn plan() -> Plan {
    Plan {
        questions: vec![
            Question::Get(vec![oid::parse(SYS_DESCR).unwrap()]),
            Question::Walk(vec![oid::parse(TABLE).unwrap()]),
        ],
        readings: [UP_TIME, CHANGED].map(|name| oid::parse(name).unwrap()).to_vec(),
        if_arc: Vec::new(),
    }
}

/// A target, what opens it, and what is known of it.
struct Followed {
    agent: Agent,
    target: String,
    credential: Credential,
    plan: Plan,
    limits: Limits,
    learned: Learned,
}

impl Followed {
    fn new(target: String, credential: Credential, plan: Plan, limits: Limits) -> Self {
        Self {
            agent: Agent::new(0),
            target,
            credential,
            plan,
            learned: Learned::nothing(&limits),
            limits,
        }
    }

    fn round(&mut self, extent: Extent) -> Round {
        let (plan, limits) = (&self.plan, &self.limits);
        self.agent.round_to(
            &self.target,
            &self.credential,
            plan,
            limits,
            &mut self.learned,
            extent,
        )
    }

    /// A walk, and what it showed remembered.
    fn walk(&mut self) -> Round {
        let round = self.round(Extent::Full);
        let due = tokio::time::Instant::now() + Duration::from_secs(3600);
        let about = (self.target.parse().unwrap(), self.plan.mark(), due);
        let report = self.learned.memory.conclude(about, round.clone(), &[]);
        assert_eq!(report.completeness, Completeness::Complete, "{round:?}");
        round
    }
}

pub fn community() -> Credential {
    Credential::community(Version::V2c, "hunter2".into(), "here").unwrap()
}

#[test]
fn an_element_at_which_nothing_moved_costs_one_packet() {
    let view = view();
    let limits = limits(Duration::from_secs(20));
    let mut followed = Followed::new(honest(view.clone()), community(), plan(), limits);
    let walk = followed.walk();
    assert!(!walk.refreshed && walk.cost.requests > 10);
    let refresh = followed.round(Extent::IfMoved);
    assert!(refresh.refreshed && refresh.observations.is_empty());
    assert_eq!((refresh.cost.requests, refresh.readings.len()), (1, 2));
    // What is walked after all goes on from the first answer.
    for (name, value) in [
        (CHANGED, &8_u32.to_be_bytes()[..]),
        (SYS_DESCR, b"another chassis"),
        (UP_TIME, &[1]),
    ] {
        set(&view, name, value);
        let round = followed.round(Extent::IfMoved);
        assert!(!round.refreshed, "{name}");
        assert_eq!(round.cost.requests, walk.cost.requests, "{name}");
        assert_eq!(round.observations[1].varbinds.len(), ROWS);
        followed.walk();
        assert!(followed.round(Extent::IfMoved).refreshed);
    }
}

#[test]
fn a_user_of_version_3_costs_one_packet_too() {
    let folder = tempfile::tempdir().unwrap();
    let more = format!("createUser quiet SHA-256 {AUTH} AES {PRIVACY}\nrouser quiet priv\n");
    let snmpd = Snmpd::start(folder.path(), &more);
    let target = format!("127.0.0.1:{}", snmpd.port);
    let limits = limits(Duration::from_secs(20));
    let credential = user("quiet", Some(AuthProtocol::Sha256), Some(PrivProtocol::Aes128));
    let mut followed = Followed::new(target, credential, Plan::of(Profile::Inventory), limits);
    followed.walk();
    let refresh = followed.round(Extent::IfMoved);
    assert!(refresh.refreshed, "{refresh:?}");
    assert_eq!((refresh.cost.requests, refresh.cost.retries), (1, 0));
}

#[test]
fn a_walk_that_takes_too_long_goes_on_in_the_next_rounds() {
    let view = view();
    let limits = Limits {
        max_requests: 10,
        ..limits(Duration::from_secs(20))
    };
    let mut followed = Followed::new(honest(view.clone()), community(), plan(), limits);
    let mut requests = 0;
    let mut rows = 0;
    for number in 0.. {
        let round = followed.round(Extent::Full);
        requests += round.cost.requests;
        assert!(round.cost.requests <= 10);
        assert_eq!(round.resumed, number > 0);
        let table = &round.observations[1];
        assert!(table.varbinds.len() > rows, "each round brings more");
        rows = table.varbinds.len();
        if table.outcome() == Outcome::Complete {
            break;
        }
        assert_eq!(table.outcome(), Outcome::TimedOut);
        assert!(followed.learned.unfinished.is_some());
    }
    assert_eq!(rows, ROWS);
    assert!(
        followed.learned.unfinished.is_none(),
        "nothing is kept of a walk that ended"
    );
    // Ten rows a request, one GET a round, and the end.
    assert_eq!(requests, 46);

    // What changed meanwhile does not go together with what was read before.
    followed.round(Extent::Full);
    let far = followed.round(Extent::Full).observations[1].varbinds.len();
    set(&view, CHANGED, &9_u32.to_be_bytes());
    let anew = followed.round(Extent::Full);
    assert!(!anew.resumed && anew.observations[1].varbinds.len() < far);
}

fn stopped(rows: usize) -> Stopped {
    Stopped {
        started: std::time::SystemTime::now(),
        took: Duration::from_secs(1),
        now: tokio::time::Instant::now(),
        rows,
        cost: proto::v1::Cost::default(),
    }
}

#[test]
fn walks_that_wait_take_no_more_memory_than_there_is() {
    let limits = Limits {
        max_requests: 10,
        ..limits(Duration::from_secs(20))
    };
    let mut followed = Followed::new(honest(view()), community(), plan(), limits);
    followed.round(Extent::Full);
    let rows = followed.learned.unfinished.as_ref().unwrap().rows();
    let (standing, _) = Standing::after(None, &stopped(rows));
    // What some ninety rows take when they are packed, once.
    let room = Arc::new(tokio::sync::Semaphore::new(1));
    let walks = followed.learned.unfinished.take().unwrap();
    let kept = walks.keep(&room, standing).unwrap();
    assert_eq!(kept.standing, Some(standing));
    assert_eq!(room.available_permits(), 0);
    followed.round(Extent::Full);
    let other = followed.learned.unfinished.take().unwrap();
    assert!(other.keep(&room, standing).is_none(), "the next begins anew");
    drop(kept);
    assert_eq!(room.available_permits(), 1);
}

#[test]
fn an_element_that_answers_more_than_was_asked_gains_nothing() {
    let many = element(move |request| {
        let asked = wire::decode(echo(request).into(), Version::V2c, COMMUNITY).unwrap();
        let Some(first) = asked
            .varbinds
            .first()
            .filter(|_| request[tag_at(request)] != 0xa0)
        else {
            return vec![echo(request)];
        };
        // As many rows as a datagram holds, several times over.
        let rows = (1..=2_000).map(|row| (oid::child(&oid::parse(TABLE).unwrap(), row), 4, vec![b'x'; 4]));
        let rows: Vec<_> = rows
            .filter(|row| oid::compare(&row.0, &first.oid).is_gt())
            .collect();
        vec![answer_with(asked.request_id, &rows); 20]
    });
    let limits = limits(Duration::from_secs(20));
    let round = round(&many, &plan(), &limits);
    let table = &round.observations[1];
    assert_eq!(table.outcome(), Outcome::Truncated, "{:?}", round.cost);
    assert_eq!(table.varbinds.len(), limits.max_rows);
    // Ten rows a request are taken, however many come.
    assert_eq!(round.cost.requests - round.cost.retries, 102);
}

#[test]
fn an_element_that_answers_scalars_and_dies_in_tables_costs_few_packets() {
    let half_dead = element(move |request| match request[tag_at(request)] {
        0xa0 => vec![echo(request)],
        _ => Vec::new(),
    });
    let mut followed = Followed::new(
        half_dead,
        community(),
        Plan::of(Profile::Full),
        limits(Duration::from_secs(60)),
    );
    followed.agent.patience.first_contact = Duration::from_millis(20);
    let round = followed.round(Extent::Full);
    let outcomes: Vec<_> = round.observations.iter().map(|one| one.outcome()).collect();
    assert_eq!(outcomes[0], Outcome::Complete);
    assert!(
        outcomes[1..]
            .iter()
            .all(|one| matches!(one, Outcome::TimedOut | Outcome::Skipped))
    );
    let first = round.cost.requests;
    let again = followed.round(Extent::Full).cost.requests;
    assert!(
        again < first,
        "what it is silent to is remembered: {first} {again}"
    );
}

#[test]
fn watching_prints_what_changed_and_nothing_else() {
    let view = view();
    let target = honest(view.clone());
    let mut watch = Command::new(env!("CARGO_BIN_EXE_marque-agent"))
        .args(["watch", &target, "--every", "1", "--rounds", "40"])
        .env("MARQUE_COMMUNITY", "hunter2")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let _ends = Ends(watch);
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = next();
    assert_eq!(
        (&first["target"], &first["completeness"]),
        (&target.clone().into(), &"complete".into())
    );
    // A part is replaced, and the element tells; nothing was printed in between.
    let row = format!("{TABLE}.7");
    set(&view, &row, b"another part");
    set(&view, CHANGED, &8_u32.to_be_bytes());
    let change = next();
    assert_eq!(
        (&change["change"], &change["oid"]),
        (&"changed".into(), &row.clone().into())
    );
    assert_eq!(
        (&change["then_text"], &change["now_text"]),
        (&"a part".into(), &"another part".into())
    );
    // One is pulled out.
    let name = oid::parse(&row).unwrap();
    view.lock().unwrap().retain(|object| object.0 != name);
    set(&view, CHANGED, &9_u32.to_be_bytes());
    let change = next();
    assert_eq!((&change["change"], &change["oid"]), (&"gone".into(), &row.into()));
    assert_eq!(change["now"], Value::Null);
    // It begins anew, and shows what it showed before.
    set(&view, UP_TIME, &100_u32.to_be_bytes());
    let change = next();
    assert_eq!(
        (&change["change"], &change["target"]),
        (&"restarted".into(), &target.into())
    );
}

#[test]
fn people_get_a_table() {
    let target = honest(view());
    let output = marque_agent(&["poll", &target, "--format", "table"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let [head, line] = text.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(head.starts_with("TARGET "), "{text}");
    assert!(
        line.starts_with(&target) && line.contains(" complete ") && line.ends_with(" a chassis"),
        "{text}"
    );
}
