//! A small network held in memory, for looking at pages: what a store would say, hostile texts included.

mod acts;
pub mod alerts;
mod answers;
mod ledger;
mod briefing;
mod engines;
mod field;
mod lists;
pub mod people;
mod parts;

use model::*;
use parts::parts;
use policy::Policies;
use prost::Message as _;
use proto::v1;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use store::acts::Signer;
use store::admission::Invitation;
use store::field::QuarantineRow;
use store::plans::PlanState;
use store::view::*;
use tokio::sync::watch;
use uuid::Uuid;

/// 2026-11-26T09:00:00Z.
pub const NOW: Instant = Instant(1_795_683_600_000_000);
/// Since when it is kept how lists stood: 2026-10-01.
pub const SINCE: Instant = Instant(1_790_812_800_000_000);
/// Since when anything is known: 2026-11-01.
pub const KNOWN: Instant = Instant(1_793_491_200_000_000);
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\"'&";
const SITES: [(&str, &str, &[&str]); 4] = [
    ("ber-1", "Berlin", &["DE", "EU"]),
    ("lon-2", "London", &["GB"]),
    ("nyc-1", "New York", &["US"]),
    ("waw-1", "Warsaw", &["PL", "EU"]),
];
const MAKERS: [(&str, &str, &str); 6] = [
    ("huawei", "Huawei", "NetEngine 8000 M8"),
    ("nokia", "Nokia", "7750 SR-7s"),
    ("zte", "ZTE", "ZXA10 C650"),
    ("cisco", "Cisco", "NCS-540"),
    ("", "", ""),
    ("hikvision", "Hikvision", "DS-9632NI-I8"),
];
const RULES: [(&str, Severity, ResultClass, Option<&str>, f64); 5] = [
    (
        "DE-CONTRACT-CORE",
        Severity::Critical,
        ResultClass::Due,
        Some("2026-12-31"),
        0.97,
    ),
    (
        "GB-DVD-5G-REMOVE",
        Severity::Major,
        ResultClass::Due,
        Some("2027-12-31"),
        0.93,
    ),
    ("US-FCC-CL-ZTE", Severity::Minor, ResultClass::NoNew, None, 0.9),
    (
        "GB-DVD-CORE",
        Severity::Critical,
        ResultClass::Overdue,
        Some("2023-12-31"),
        0.62,
    ),
    (
        "DE-BSIG-9B",
        Severity::Indeterminate,
        ResultClass::ConditionUnknown,
        None,
        0.71,
    ),
];

/// The network.
pub struct Fixture {
    /// While set, the store does not answer.
    pub fails: AtomicBool,
    /// While set, totals of findings are reckoned, and too high.
    pub sampled: AtomicBool,
    /// So many elements more are counted where no site is asked for.
    pub crowd: AtomicU64,
    /// How often it was asked what waits for somebody.
    pub at_hand: AtomicU64,
    /// How often it was asked for the standings of all sites.
    pub standings: AtomicU64,
    /// Raise it and open pages look again.
    pub revision: watch::Sender<u64>,
    /// The packs it judges by.
    pub policies: Policies,
    elements: Vec<ElementView>,
    findings: Vec<FindingRow>,
    evidence: Vec<(Digest, Vec<u8>)>,
    agents: Vec<AgentRow>,
    people: Mutex<std::collections::HashMap<String, (usize, Person)>>,
    /// What people did.
    pub desk: Mutex<acts::Done>,
    /// Who was invited, and by whom.
    pub invited: Mutex<Vec<(Invitation, Signer)>>,
    /// Who was shut out, why and by whom.
    pub shut: Mutex<Vec<(AgentId, String, Signer)>>,
    /// Who was put into quarantine.
    pub held: Mutex<Vec<(AgentId, QuarantineRow)>>,
    /// Views that people keep.
    pub views: Mutex<Vec<store::views::ViewRow>>,
    /// Views that people attached to routes.
    pub attached: Mutex<Vec<store::alerts::Attachment>>,
}

fn id(kind: u128, number: usize) -> Uuid {
    Uuid::from_u128(0x0193_5a00_0000_7000_8000_0000_0000_0000 | kind << 32 | number as u128)
}

/// Key of the element of this number.
pub fn element_id(number: usize) -> ElementId {
    ElementId(id(1, number))
}

/// Key of the agent of this number.
pub fn agent_id(number: usize) -> AgentId {
    AgentId(id(3, number))
}

/// Key of the finding of this number.
pub fn finding_id(number: usize) -> FindingId {
    FindingId(id(2, number))
}

fn ago(seconds: i64) -> Instant {
    Instant(NOW.0 - seconds * 1_000_000)
}

fn role(number: usize) -> Option<Role> {
    match number {
        8 => Some(Role::Core),
        number if number % 5 == 4 => None,
        number => Some(Role::ALL[number % 7]),
    }
}

fn supplier(number: usize) -> Option<SupplierRef> {
    let (id, name, _) = MAKERS[number % MAKERS.len()];
    (!id.is_empty()).then(|| SupplierRef {
        id: id.into(),
        name: name.into(),
    })
}

fn evidence_bytes(number: usize, rows: usize) -> Vec<u8> {
    let varbind = |oid: &str, value: Value| v1::Varbind {
        oid: oid.parse::<Oid>().unwrap().to_ber().into(),
        tag: value.tag.into(),
        value: value.octets.into(),
    };
    let system = vec![
        varbind(
            "1.3.6.1.2.1.1.1.0",
            Value::octet_string(format!("VRP {number} {HOSTILE}\r\nV800R022")),
        ),
        varbind(
            "1.3.6.1.2.1.1.2.0",
            Value::object_identifier(&"1.3.6.1.4.1.2011.2.62.2.9".parse().unwrap()),
        ),
        varbind("1.3.6.1.2.1.1.5.0", Value::octet_string(HOSTILE)),
    ];
    let walk = (1..=rows).map(|n| {
        varbind(
            &format!("1.3.6.1.2.1.47.1.1.1.1.12.{n}"),
            Value::octet_string(if n % 7 == 0 { "Finisar" } else { "" }),
        )
    });
    let observation = |kind: v1::QuestionKind, oid: &str, outcome: v1::Outcome, varbinds| v1::Observation {
        kind: kind.into(),
        oids: vec![oid.parse::<Oid>().unwrap().to_ber().into()],
        outcome: outcome.into(),
        varbinds,
    };
    v1::Evidence {
        observations: vec![
            observation(
                v1::QuestionKind::Get,
                "1.3.6.1.2.1.1.1.0",
                v1::Outcome::Complete,
                system,
            ),
            observation(
                v1::QuestionKind::Walk,
                "1.3.6.1.2.1.47.1.1.1.1.12",
                v1::Outcome::Truncated,
                walk.collect(),
            ),
            observation(
                v1::QuestionKind::Walk,
                "1.0.8802.1.1.2",
                v1::Outcome::TimedOut,
                vec![],
            ),
        ],
    }
    .encode_to_vec()
}

fn claim(
    subject: Subject,
    won: bool,
    oid: &str,
    shown: &str,
    of: (&str, &str),
    signal: Signal,
    why: (&str, &str),
) -> Claim {
    Claim {
        subject,
        aspect: Aspect::Maker,
        supplier: SupplierRef {
            id: of.0.into(),
            name: of.1.into(),
        },
        signal,
        confidence: if won { 0.95 } else { 0.4 },
        evidence: EvidenceRef {
            oid: oid.parse().unwrap(),
            tag: 4,
            octets_hex: hex::encode(shown.as_bytes()),
            shown: shown.into(),
        },
        knowledge: why.0.into(),
        source: why.1.into(),
        won,
    }
}

impl Fixture {
    /// A network of so many elements, the first with so many parts.
    pub fn new(elements: usize, first_parts: usize) -> Self {
        let policies = Policies::built_in().unwrap();
        let mut made = Self {
            fails: AtomicBool::new(false),
            sampled: AtomicBool::new(false),
            crowd: AtomicU64::new(0),
            at_hand: AtomicU64::new(0),
            standings: AtomicU64::new(0),
            revision: watch::Sender::new(7),
            policies,
            elements: Vec::new(),
            findings: Vec::new(),
            evidence: Vec::new(),
            agents: Vec::new(),
            people: Mutex::default(),
            desk: Mutex::default(),
            invited: Mutex::default(),
            shut: Mutex::default(),
            held: Mutex::default(),
            views: Mutex::new(Vec::new()),
            attached: Mutex::default(),
        };
        for number in 0..elements {
            made.add(number, if number == 0 { first_parts } else { 5 });
        }
        for (number, (site, ..)) in SITES.iter().enumerate() {
            made.agents.push(AgentRow {
                agent: AgentId(id(3, number)),
                site: site.parse().unwrap(),
                version: "0.1.0".into(),
                last_seen: ago([4, 11, 2_900, 7][number]),
                clock_skew_micros: [1_200, -3_000, 250_000, -41_000_000][number],
                acked: 18_240 + number as u64 * 311,
                refused: number as u64 / 2,
                lost: 0,
                not_after: Some(ago(-500_000)),
                revoked: None,
                quarantined: None,
                gaps: number as u64 % 2,
                gap_sequences: number as u64 % 2 * 1_207,
                gap_reports: number as u64 % 2 * 1_207,
                last_gap: (number % 2 == 1).then(|| ago(200_000)),
                spool: (number != 0).then(|| SpoolRow {
                    waiting: number as u64 * 1_500,
                    bytes: number as u64 * 9_000_000,
                    oldest: Some(ago(2_000)),
                    refused: 0,
                    dropped: 0,
                    unsent: None,
                    unacked: None,
                    no_room: None,
                    told: ago(5),
                }),
                plan: match number {
                    0 => PlanState::Applied { revision: 3 },
                    1 => PlanState::Refused {
                        revision: 3,
                        runs: 2,
                        reason: HOSTILE.to_owned(),
                    },
                    _ => PlanState::OwnFile,
                },
            });
        }
        made
    }

    /// Policies and store for a router.
    pub fn shared(self) -> (Arc<Self>, Arc<Policies>) {
        let policies = Arc::new(self.policies.clone());
        (Arc::new(self), policies)
    }

    /// The elements as lists have them.
    pub fn rows(&self) -> impl Iterator<Item = &ElementRow> {
        self.elements.iter().map(|view| &view.row)
    }

    /// Address of the evidence of an element.
    pub fn digest(&self, number: usize) -> Digest {
        self.evidence[number].0
    }

    fn add(&mut self, number: usize, part_count: usize) {
        let digest = Digest([u8::try_from(number % 251).unwrap() ^ 0x5a; 32]);
        self.evidence.push((
            digest,
            evidence_bytes(number, if number == 0 { 2_400 } else { 6 }),
        ));
        let (site, _, law) = SITES[number % SITES.len()];
        let maker = supplier(number);
        let model = MAKERS[number % MAKERS.len()].2;
        let dark = number % 11 == 10;
        let known = maker.is_some() && !dark;
        let element = element_id(number);
        let role = role(number);
        let name = if number == 3 {
            HOSTILE.to_owned()
        } else {
            format!("{site}-r{number:03}")
        };
        let mut findings = Vec::new();
        let restricted = matches!(number % 6, 0 | 2 | 3);
        for rule in 0..if restricted && known { 1 + number % 2 } else { 0 } {
            findings.push(self.finding_row(number, (number + rule) % RULES.len(), &name));
        }
        let worst = findings.iter().map(|f| f.result.severity).min();
        let standing = match findings.iter().map(|f| f.result.class).min() {
            Some(ResultClass::Due) => Standing::Due,
            Some(ResultClass::Overdue) => Standing::Overdue,
            Some(ResultClass::NoNew) => Standing::Restricted,
            Some(_) => Standing::Undecided,
            // What was seen in part is not clear.
            None if known && number % 11 != 7 => Standing::Clear,
            None => Standing::Unknown,
        };
        let row = ElementRow {
            element,
            name,
            site: site.parse().unwrap(),
            address: format!("10.{}.4.{}", number % 4, number % 250),
            context: String::new(),
            port: if number % 9 == 8 { 1161 } else { 161 },
            role,
            maker: maker.as_ref().filter(|_| known).map(|m| m.name.clone()),
            maker_id: maker.as_ref().filter(|_| known).map(|m| m.id.clone()),
            confidence: if known { 0.97 } else { 0.0 },
            brand: (number % 8 == 1).then(|| "Nokia Siemens".to_owned()),
            model: known.then(|| model.to_owned()),
            serial: known.then(|| format!("21{:010}", number * 7_919)),
            completeness: match number % 11 {
                10 => None,
                7 => Some(Completeness::Partial),
                _ => Some(Completeness::Complete),
            },
            last_answer: (!dark).then(|| ago(20 + number as i64 * 13)),
            last_report: (!dark).then(|| ago(20 + number as i64 * 13)),
            standing: standing.to_string(),
            findings: findings.len() as u64,
            worst,
            components: part_count as u64,
        };
        let view = self.view(number, row, law, digest, part_count, findings.clone());
        self.elements.push(view);
        self.findings.extend(findings);
    }

    fn finding_row(&self, number: usize, rule: usize, name: &str) -> FindingRow {
        let (key, severity, class, deadline, confidence) = RULES[rule];
        let law = self
            .policies
            .rule(key)
            .expect("rule of the fixture is in the packs");
        let maker = supplier(number).unwrap();
        FindingRow {
            finding: finding_id(self.findings.len() + rule % 2 * 10_000),
            revision: 0,
            element: element_id(number),
            element_name: name.to_owned(),
            address: format!("10.{}.4.{}", number % 4, number % 250),
            site: SITES[number % SITES.len()].0.parse().unwrap(),
            role: role(number),
            component: (number % 4 == 2).then(|| "5".to_owned()),
            part: if number % 4 == 2 {
                "GigabitEthernet0/0/5".into()
            } else {
                MAKERS[number % 6].2.into()
            },
            supplier: maker.name.clone(),
            result: RuleResult {
                rule: key.into(),
                jurisdiction: law.jurisdiction.clone(),
                title: law.title.clone(),
                citation: law.citation.clone(),
                component: (number % 4 == 2).then(|| "5".to_owned()),
                // A board of another maker, of which no unit stands here.
                supplier: if number == 6 { "hisilicon".into() } else { maker.id },
                class,
                severity,
                deadline: deadline.map(str::to_owned),
                confidence,
                explanation: vec![
                    format!("bound: {}", law.bound.words),
                    format!("supplier: {} is named", maker.name),
                    "thing: the element is declared core, and the whole unit is presumed critical there"
                        .into(),
                    format!("time: must be gone by {}", deadline.unwrap_or("no date")),
                ],
            },
            life: acts::life(number),
            opened: ago(3_600 * (1 + number as i64 * 7)),
            closed: None,
        }
    }

    fn view(
        &self,
        number: usize,
        row: ElementRow,
        law: &[&str],
        digest: Digest,
        part_count: usize,
        findings: Vec<FindingRow>,
    ) -> ElementView {
        let of = MAKERS[number % 6];
        let not_bound = |n: usize| {
            let rule = self.policies.rules().nth(n).unwrap();
            RuleResult {
                rule: rule.id.clone(),
                jurisdiction: rule.jurisdiction.clone(),
                title: rule.title.clone(),
                citation: rule.citation.clone(),
                component: None,
                supplier: of.0.into(),
                class: ResultClass::NotBound,
                severity: Severity::Cleared,
                deadline: None,
                confidence: 1.0,
                explanation: vec!["bound: the operator carries none of the tags this rule binds".into()],
            }
        };
        let mut results: Vec<_> = findings.iter().map(|finding| finding.result.clone()).collect();
        results.extend((0..6).map(not_bound));
        let tenure = |n: usize, from, until| TenureRow {
            unit: UnitId(id(4, number * 10 + n)),
            serial: Some(format!("21{:010}", number * 7_919 + n)),
            base_mac: Some("00:e0:fc:12:34:56".into()),
            engine_id: None,
            maker: supplier(number + n).map(|maker| maker.name),
            model: Some(MAKERS[(number + n) % 6].2.into()),
            from,
            until,
            swapped: n < 4,
            member: false,
            first: digest,
            last: digest,
        };
        let claims = vec![
            claim(
                Subject::Unit,
                true,
                "1.3.6.1.2.1.1.2.0",
                "1.3.6.1.4.1.2011.2.62.2.9",
                (of.0, of.1),
                Signal::SysObjectId,
                ("enterprise:2011", "IANA private enterprise numbers, 2026-07"),
            ),
            claim(
                Subject::Unit,
                true,
                "1.3.6.1.2.1.1.1.0",
                HOSTILE,
                (of.0, of.1),
                Signal::SysDescr,
                ("text:vrp", "MIB documents of the maker"),
            ),
            claim(
                Subject::Component("5".into()),
                true,
                "1.3.6.1.2.1.47.1.1.1.1.12.5",
                "Finisar",
                ("cisco", "Cisco"),
                Signal::MfgName,
                ("alias:finisar", "general knowledge"),
            ),
            claim(
                Subject::Unit,
                false,
                "1.3.6.1.2.1.47.1.1.1.1.12.7",
                "Finisar",
                ("nokia", "Nokia"),
                Signal::Oui,
                ("oui:00E0FC", "IEEE MA-L, 2026-07"),
            ),
        ];
        ElementView {
            jurisdictions: law.iter().map(|&code| code.to_owned()).collect(),
            generations: vec!["5G".into()],
            tags: vec!["de_public_5g_operator".into(), "gb_directed_provider".into()],
            acquired: None,
            contradictions: vec![format!("declared as acquired in 2030 {HOSTILE}")],
            tenures: vec![
                tenure(0, ago(86_400 * 140), None),
                tenure(1, ago(86_400 * 900), Some(ago(86_400 * 140))),
                tenure(4, ago(86_400 * 2_100), Some(ago(86_400 * 900))),
            ],
            kin: vec![KinRow {
                unit: UnitId(id(4, number * 10)),
                element: ElementId(id(1, number + 1)),
                name: HOSTILE.into(),
                site: row.site.clone(),
                address: "10.9.8.7".into(),
                from: ago(86_400),
                until: None,
            }],
            unit_doubts: vec![UnitDoubtRow {
                code: "cloned_key".into(),
                text: format!(
                    "both tell serial huawei/{HOSTILE} at the same time, but hardware address differs"
                ),
                unit: UnitId(id(4, number * 10)),
                other: UnitId(id(4, number * 10 + 9)),
                other_element: ElementId(id(1, number + 1)),
                other_name: HOSTILE.into(),
                other_site: row.site.clone(),
            }],
            sightings: vec![SightingRow {
                digest,
                completeness: row.completeness.unwrap_or(Completeness::Unreachable),
                from: ago(86_400 * 30),
                until: ago(40),
                rounds: 8_640,
                refreshed: 7_200,
                walked: ago(3_640),
                agent: AgentId(id(3, number % 4)),
                epoch: "9f2c11d0a4b7e833".into(),
                sequence: 18_204 + number as u64,
                recorded: ago(86_400 * 30 - 2),
            }],
            digest: Some(digest),
            knowledge: "2026.11.23".into(),
            unit: UnitIdentity {
                serial: row.serial.clone(),
                base_mac: Some("00:e0:fc:12:34:56".into()),
                engine_id: Some("800007db0300e0fc123456".into()),
                model: row.model.clone(),
                software: Some("V800R022C00SPC600".into()),
                sys_name: Some(row.name.clone()),
                sys_descr: Some(format!("Huawei Versatile Routing Platform Software {HOSTILE}")),
                sys_object_id: Some("1.3.6.1.4.1.2011.2.62.2.9".parse().unwrap()),
            },
            claims,
            doubts: vec![Doubt {
                subject: Subject::Unit,
                code: "contradiction".into(),
                text: "The address block of port 7 belongs to another maker".into(),
                evidence: None,
            }],
            parts: parts(part_count),
            findings,
            results,
            policies: self.policies.version().into(),
            as_of: "2026-11-26".into(),
            row,
        }
    }
}
