//! What the collector says: messages of a session, plans, and answers to enrolment and
//! renewal. Whoever speaks as the collector ends a session at most.

#![no_main]

use agent::collector_plan::{Bounds, CollectorPlanConfig, Prefix, check};
use agent::credential::Credential;
use agent::credential::scope::{Role, Scoped};
use agent::poll::wire::Version;
use agent::target::Target;
use agent::uplink::line::{Line, Turn};
use agent::uplink::sameness::Sameness;
use agent_fuzz::{Input, changed};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::tls::{AgentIdentity, Bundle, Validity};
use proto::v1::report_response::Message;
use proto::v1::{self, EnrolResponse, Plan, ReportResponse, VerdictKind};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use spool::{Item, Record};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const ALLOWED: [&str; 3] = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"];
const MIN_SECONDS: u64 = 60;
/// Reports in the spool when a session begins.
const REPORTS: u64 = 200;

static BOUNDS: LazyLock<Bounds> = LazyLock::new(|| {
    let community = || Credential::community(Version::V2c, "hunter2".into(), "here").expect("a community");
    let within = community().within(vec!["10.1.0.0/16".parse().expect("a prefix")]);
    let config = CollectorPlanConfig {
        allow: ALLOWED
            .map(|text| Prefix::try_from(text.to_owned()).expect("a prefix"))
            .to_vec(),
        min_interval_seconds: MIN_SECONDS,
        min_sweep_seconds: MIN_SECONDS,
        ..CollectorPlanConfig::default()
    };
    let scoped = |name: &str, credential, roles| {
        let scoped = Scoped::new(name.to_owned(), Arc::new(credential), roles);
        (name.to_owned(), scoped)
    };
    let elsewhere = Scoped::elsewhere("far".to_owned(), vec!["hamburg".to_owned()], "berlin".to_owned());
    let credentials = [
        scoped("core", community(), vec![]),
        scoped("edge", within, vec![]),
        scoped("radio", community(), vec![Role::Ran]),
        ("far".to_owned(), elsewhere),
    ];
    Bounds::new(&config, credentials.into())
});

fuzz_target!(init: what_is_good_is_taken(), |data: &[u8]| {
    let mut input = Input::new(data);
    match input.byte() % 8 {
        0 => session(input),
        1 => spoken(input),
        2 => {
            if let Ok(plan) = Plan::decode(input.rest()) {
                planned(&plan);
            }
        }
        3 | 4 => {
            if let Ok(plan) =
                Plan::decode(changed(&good_plan(&mut input).encode_to_vec(), input.rest()).as_slice())
            {
                planned(&plan);
            }
        }
        5 => {
            let data = input.rest();
            let _ = AgentIdentity::from_certificate(data);
            let _ = Validity::of_certificate(data);
            if let Ok(answer) = EnrolResponse::decode(data) {
                issued(&KEYS.key, &answer);
            }
        }
        _ => {
            let answer = enrolment(&mut input);
            issued(&KEYS.key, &answer);
        }
    }
});

fn what_is_good_is_taken() {
    for octets in [&[0, 7][..], &[1, 7]] {
        check(&good_plan(&mut Input::new(octets)), &BOUNDS).expect("a good plan");
    }
    Bundle::issued(&KEYS.key, &enrolment(&mut Input::new(&[])).certificates).expect("a good answer");
}

/// Messages with their lengths before them.
fn session(mut input: Input<'_>) {
    let mut heard = Session::new(&mut input);
    let mut rest = input.rest();
    while let Ok(response) = ReportResponse::decode_length_delimited(&mut rest) {
        if !heard.hear(response) {
            return;
        }
    }
}

/// Acks and verdicts near what was sent.
fn spoken(mut input: Input<'_>) {
    let mut heard = Session::new(&mut input);
    while !input.is_empty() {
        let verdicts = (0..input.byte() % 4).map(|_| v1::Verdict {
            sequence: u64::from(input.byte()),
            kind: i32::from(input.byte() % 6),
            reason: String::new(),
        });
        let verdicts = verdicts.collect();
        let ack = v1::Ack {
            sequence: u64::from(input.byte()),
            verdicts,
        };
        if !heard.hear(ReportResponse {
            message: Some(Message::Ack(ack)),
        }) {
            return;
        }
    }
}

/// What the uplink keeps of one session.
struct Session {
    line: Line,
    same: Sameness,
    target: Target,
    now: Instant,
    acked: u64,
    sent: u64,
    /// The newest report of the target, and what was said of it.
    judged: bool,
}

impl Session {
    fn new(input: &mut Input<'_>) -> Self {
        let acked = u64::from(input.byte()) % 4;
        let window = u64::from(input.byte()).max(1);
        let linger = (input.byte() % 2 == 1).then_some(Duration::from_secs(5));
        let same = Sameness::default();
        let target = "192.0.2.1".parse().expect("a target");
        same.spooled(REPORTS, target, [7; 32]);
        Self {
            line: Line::new(acked, window, linger),
            same,
            target,
            now: Instant::now(),
            acked,
            sent: acked,
            judged: false,
        }
    }

    /// What may go out, goes; whether the session goes on.
    fn hear(&mut self, response: ReportResponse) -> bool {
        self.send();
        let ack = match response.message {
            Some(Message::Ack(ack)) => ack,
            Some(Message::Plan(plan)) => {
                planned(&plan);
                return true;
            }
            Some(Message::Welcome(_)) | None => return false,
        };
        let Ok(acked) = self.line.acked(ack.sequence) else {
            assert!(ack.sequence > self.sent);
            return false;
        };
        assert!(acked <= self.sent && acked >= self.acked && ack.sequence <= acked);
        let before = std::mem::replace(&mut self.acked, acked);
        for verdict in &ack.verdicts {
            self.same.judged(verdict.sequence, verdict.kind());
            let stored = matches!(verdict.kind(), VerdictKind::Stored | VerdictKind::Repeated);
            self.judged |= verdict.sequence == REPORTS && !stored && before < REPORTS;
        }
        self.same.acked(acked);
        let known = self.same.is_stored(self.target, &[7; 32]);
        assert_eq!(
            known,
            acked >= REPORTS && !self.judged,
            "known only when acknowledged as stored"
        );
        true
    }

    fn send(&mut self) {
        if let Some(from) = self.line.wants() {
            let last = (from + 16).min(REPORTS + 1);
            let records = (from..last).map(|sequence| {
                Item::Record(Record {
                    sequence,
                    payload: Bytes::from(vec![0; (sequence % 3) as usize * 300]),
                })
            });
            self.line.read(records.collect(), self.now);
        }
        self.now += Duration::from_secs(6);
        while self.line.turn(self.now) == Turn::Send {
            for item in self.line.send(self.now) {
                assert_eq!(item.first(), self.sent + 1, "in sequence, without a hole");
                self.sent = item.last();
            }
        }
        assert_eq!(self.line.sent(), self.sent);
    }
}

/// A plan that is followed asks nobody outside the bounds; one that is not is refused in
/// words that fit.
fn planned(plan: &Plan) {
    let checked = match check(plan, &BOUNDS) {
        Ok(checked) => checked,
        Err(refusal) => {
            let words = refusal.to_string();
            assert!(words.chars().count() <= proto::plan::MAX_REASON_CHARS + 2);
            assert!(!words.chars().any(char::is_control));
            return;
        }
    };
    let allowed = ALLOWED.map(|text| text.parse::<IpNet>().expect("a prefix"));
    let may = |prefix: IpNet| assert!(allowed.iter().any(|net| net.contains(&prefix)), "{prefix}");
    let floor = Duration::from_secs(MIN_SECONDS);
    assert!(checked.interval.is_none_or(|interval| interval >= floor));
    for assignment in &checked.assignments {
        let at = assignment.target.address().ip();
        may(at.into());
        assert!(assignment.credential.covers(at));
        assert!(assignment.interval.is_none_or(|interval| interval >= floor));
        assert!(!agent::window::never_ends(&assignment.windows));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let _ = agent::window::wait(&assignment.windows, now);
    }
    for (number, area) in checked.sweep.all().iter().enumerate() {
        may(area.range.prefix());
        assert!(area.credential.covers_all(area.range.prefix()));
        for offset in [0, 1, area.range.size().saturating_sub(1), area.range.size()] {
            let place = agent::discover::Place::Swept { area: number, offset };
            if let Some(target) = checked.sweep.address(place) {
                may(target.address().ip().into());
                assert!(area.range.contains(target.address().ip()));
            }
        }
    }
    assert!(checked.sweep.slots() <= proto::plan::MAX_ADDRESSES);
    // As it is kept over a restart.
    let kept = Plan::decode(plan.encode_to_vec().as_slice()).expect("as it was written");
    assert!(check(&kept, &BOUNDS).is_ok());
}

fn good_plan(input: &mut Input<'_>) -> Plan {
    let what = input.byte();
    let host = input.byte();
    Plan {
        id: Some(v1::PlanId {
            revision: 7,
            digest: vec![1; 32].into(),
        }),
        questions: (what & 1 > 0).then(|| v1::Questions {
            profile: v1::PlanProfile::Inventory.into(),
            get: vec!["1.3.6.1.2.1.1.9.0".to_owned()],
            walk: vec!["1.3.6.1.2.1.47".to_owned()],
            if_arc: vec![v1::IfArc {
                arc: 99_999,
                walk: vec!["1.3.6.1.4.1.99999.1".to_owned()],
                addresses: vec!["1.3.6.1.4.1.99999.1.4".to_owned()],
            }],
            neighbours: Some(v1::Neighbours {
                lldp: true,
                bridge: true,
                arp: false,
            }),
        }),
        interval_seconds: 3600,
        packets_per_second: 100,
        targets: vec![
            target(&format!("10.1.0.{host}"), "edge", 1),
            target("2001:db8::1", "core", 0),
        ],
        ranges: vec![
            range(
                &format!("10.1.{host}.0/24"),
                "edge",
                &[&format!("10.1.{host}.128/25")],
            ),
            range("2001:db8::/120", "core", &["2001:db8::7"]),
        ],
        sweep_seconds: 7200,
        windows: vec![
            v1::Window {
                days: 31,
                from_minute: 1320,
                to_minute: 360,
                offset_minutes: 60,
            },
            v1::Window {
                days: u32::from(host) & 127,
                from_minute: 0,
                to_minute: 1,
                offset_minutes: -60,
            },
        ],
    }
}

fn target(address: &str, credential: &str, windows: u32) -> v1::PlannedTarget {
    v1::PlannedTarget {
        address: address.to_owned(),
        port: 161,
        credential_name: credential.to_owned(),
        interval_seconds: 0,
        windows,
        role: 0,
    }
}

fn range(prefix: &str, credential: &str, excluded: &[&str]) -> v1::PlannedRange {
    v1::PlannedRange {
        prefix: prefix.to_owned(),
        excluded: excluded.iter().map(|text| (*text).to_owned()).collect(),
        port: 161,
        credential_name: credential.to_owned(),
        windows: 1,
        ask_silent: false,
        follow: false,
        unswept: false,
        role: 0,
    }
}

/// The agent's key, and an authority.
struct Keys {
    key: String,
    pair: KeyPair,
    authority: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("signed").der().to_vec();
    let pair = KeyPair::generate().expect("a key");
    Keys {
        key: pair.serialize_pem(),
        pair,
        authority,
        issuer: Issuer::new(params, key),
    }
});

/// A certificate for the key, of a name that the input says, signed; then changed, perhaps.
fn enrolment(input: &mut Input<'_>) -> EnrolResponse {
    let what = input.byte();
    let mut params = CertificateParams::default();
    let uri = match what & 1 {
        0 => "spiffe://marque/site/berlin/agent/0190b5d0-0000-7000-8000-000000000000".to_owned(),
        _ => String::from_utf8_lossy(input.piece()).into_owned(),
    };
    if let Ok(uri) = uri.try_into() {
        params.subject_alt_names = vec![SanType::URI(uri); 1 + usize::from(what >> 6)];
    }
    if what & 2 > 0 {
        params.not_after = rcgen::date_time_ymd(1950 + i32::from(input.word() % 8000), 1, 1);
    }
    let leaf = params
        .signed_by(&KEYS.pair, &KEYS.issuer)
        .expect("signed")
        .der()
        .to_vec();
    let mut certificates = vec![leaf, KEYS.authority.clone()];
    for number in 0..(what >> 2) % 4 {
        match number {
            0 => certificates.push(KEYS.authority.clone()),
            _ => certificates.push(input.piece().to_vec()),
        }
    }
    if what & 0x10 > 0 {
        let at = usize::from(input.byte()) % certificates.len();
        certificates[at] = changed(&certificates[at], input.piece());
    }
    EnrolResponse {
        certificates: certificates.into_iter().map(Bytes::from).collect(),
        courier_key: Bytes::copy_from_slice(input.piece()),
    }
}

/// What is taken can be used: for the next connection, and when it is read again.
fn issued(key: &str, answer: &EnrolResponse) {
    let Ok(bundle) = Bundle::issued(key, &answer.certificates) else {
        return;
    };
    let bundle = bundle.with_courier_key(&answer.courier_key);
    let agent = bundle.agent().expect("it names an agent");
    let again = Bundle::from_pem(bundle.pem().to_owned());
    assert_eq!(again.agent().expect("and again"), agent);
    assert!(again.client().is_ok());
    let validity = again.validity().expect("a time");
    assert!(validity.renew_at() <= validity.not_after);
    assert!(again.authority().is_ok());
    let courier = (answer.courier_key.len() == 32).then_some(answer.courier_key.as_ref());
    assert_eq!(again.courier_key().as_ref().map(<[u8; 32]>::as_slice), courier);
}
