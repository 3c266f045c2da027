//! What holds for every backend. Each test gets its own fresh store.

mod accounts;
mod second;
mod admission;
mod quarantine;
mod plans;
mod coverage;
mod engines;
mod units;
mod line;
mod evidence;
mod queues;
mod lists;
mod filter;
mod then;
mod life;
mod alerts;
mod acts;
mod past;
mod ledger;
mod briefing;
mod field;

use crate::acts::Signer;
use crate::record::{
    AgentHello, Declaration, DeclaredGap, FindingStep, GapReason, IdentifiedEvidence, IncomingReport, Judged,
    JudgedElement, Met, ReadReport, ReportBody, SpoolStatus, Stage, StageVersion, Stand, Thing, Undone,
    Verdict, Why,
};
use crate::units::JoinedCompany;
use crate::view::{ElementFilter, FindingFilter};
use crate::{SqliteStore, Store, StoreError, Units as _};
use model::{
    Act, AgentId, Attribution, Cause, Completeness, ComponentClass, ComponentIdentity, Digest, ElementId,
    Ending, FindingId, FindingState, Identification, Inputs, Instant, Life, Removal, ResultClass, Role,
    RuleResult, Severity, Site, SupplierRef, UnitIdentity, Waiver,
};
use std::collections::BTreeSet;

const EPOCH: &str = "00112233445566778899aabbccddeeff";
const KNOWLEDGE: &str = "k1";

struct House {
    store: SqliteStore,
    agent: AgentId,
    folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("collector.db"))
            .await
            .unwrap();
        let house = Self {
            store,
            agent: AgentId::generate(),
            folder,
        };
        let version = StageVersion {
            stage: Stage::Identify,
            version: KNOWLEDGE.into(),
        };
        house.store.adopt_version(&version, Instant(1)).await.unwrap();
        house
    }

    fn hello(&self, first: u64, next: u64) -> AgentHello {
        AgentHello {
            agent: self.agent,
            site: "berlin".parse().unwrap(),
            epoch: EPOCH.into(),
            first_sequence: first,
            next_sequence: next,
            version: "0.1.0".into(),
            clock: Instant(3_000_000),
        }
    }

    async fn commit(&self, reports: Vec<IncomingReport>) -> Result<Vec<Verdict>, StoreError> {
        self.store
            .commit_reports(self.agent, EPOCH, reports, Instant(1_000))
            .await
    }

    /// Writes past the store, as somebody with the file in hand would.
    async fn sql(&self, statement: &'static str) {
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(self.folder.path().join("collector.db"));
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query(statement).execute(&pool).await.unwrap();
        pool.close().await;
    }

    async fn only_element(&self) -> ElementId {
        let page = self.store.elements(&ElementFilter::default()).await.unwrap();
        assert_eq!(page.total, 1);
        page.rows[0].element
    }

    async fn identify(&self, digest: Digest, identification: Identification) {
        self.identify_with(digest, identification, digest).await;
    }

    async fn identify_with(&self, digest: Digest, identification: Identification, sum: Digest) {
        let undone = self.store.undone(Stage::Identify, 10).await.unwrap();
        let undone = undone.into_iter().find(|u| u.key == digest.to_string()).unwrap();
        let done = IdentifiedEvidence {
            undone,
            digest,
            hardware: vec![model::Hardware {
                identity: identification.unit.clone(),
                maker: None,
                member: false,
            }],
            identification,
            neighbours: Vec::new(),
            own_addresses: BTreeSet::new(),
            sum,
        };
        self.store
            .save_identified(vec![done], Instant(2_000))
            .await
            .unwrap();
    }

    /// The stage of units, for a house in which nothing is swapped.
    async fn settle_units(&self) {
        for undone in self.store.undone(Stage::Unit, 100).await.unwrap() {
            let done = JoinedCompany {
                undone,
                tenures: Vec::new(),
                joined: model::Joined::default(),
            };
            self.store.save_joined(vec![done], Instant(2_500)).await.unwrap();
        }
    }

    async fn judge(&self, element: ElementId, results: Vec<RuleResult>, findings: Vec<FindingStep>) {
        self.judge_so(element, "due", results, findings, Instant(3_000))
            .await;
    }

    async fn judge_so(
        &self,
        element: ElementId,
        standing: &str,
        results: Vec<RuleResult>,
        findings: Vec<FindingStep>,
        at: Instant,
    ) {
        self.settle_units().await;
        let undone = self.store.undone(Stage::Evaluate, 10).await.unwrap();
        let undone = undone
            .into_iter()
            .find(|u| u.key == element.to_string())
            .unwrap_or(Undone {
                key: element.to_string(),
                revision: 0,
                since: Instant(0),
            });
        let subject = self.store.subject(element).await.unwrap().unwrap();
        let judged = Judged {
            standing: standing.into(),
            inputs: Inputs {
                policies: "p1".into(),
                knowledge: KNOWLEDGE.into(),
                facts: "f1".into(),
                digest: subject.complete.map(|c| c.digest),
                partial: None,
                latest: subject.latest,
                as_of: "2026-11-25".into(),
            },
        };
        let name = "BER-CORE-1".to_owned();
        let done = JudgedElement {
            undone,
            element,
            judged,
            name,
            results,
            contradictions: vec!["declared so, seen otherwise".into()],
            findings: findings.into_iter().map(|step| why().of(step)).collect(),
            why: why(),
        };
        self.store.save_judged(vec![done], at).await.unwrap();
    }
}

fn ann() -> Signer {
    Signer {
        person: "Ann".into(),
        account: "uid 1".into(),
    }
}

fn report(sequence: u64, finished: i64, completeness: Completeness, content: u8) -> IncomingReport {
    IncomingReport {
        sequence,
        body: ReportBody::Read(Box::new(ReadReport {
            site: "berlin".parse().unwrap(),
            address: "192.0.2.1".into(),
            port: 161,
            context: String::new(),
            started: Instant(finished - 1),
            finished: Instant(finished),
            completeness,
            digest: Digest([content; 32]),
            evidence: Some(vec![content; 3_000]),
            readings: vec![],
            requests: 4,
            retries: 0,
            varbinds: 9,
            refreshed: false,
        })),
    }
}

fn why() -> Why {
    Why {
        causes: vec![Cause::Network, Cause::Time],
        grounds: "day 2026-11-24 → 2026-11-25".into(),
        valid: Instant(2_500),
    }
}

fn met(result: RuleResult) -> Met {
    Met {
        result,
        thing: Thing {
            serial: "P1".into(),
            ..Thing::default()
        },
    }
}

fn supplier(id: &str, name: &str) -> SupplierRef {
    SupplierRef {
        id: id.into(),
        name: name.into(),
    }
}

fn identification(maker: &str, serial: &str) -> Identification {
    Identification {
        knowledge: KNOWLEDGE.into(),
        maker: Some(Attribution {
            supplier: supplier(maker, "Maker"),
            confidence: 0.9,
        }),
        brand: None,
        claims: vec![],
        doubts: vec![],
        unit: UnitIdentity {
            serial: Some(serial.into()),
            model: Some("NE-1".into()),
            ..UnitIdentity::default()
        },
        components: (0..600)
            .map(|n| ComponentIdentity {
                index: n.to_string(),
                parent: (n > 0).then(|| "0".to_owned()),
                class: if n == 0 {
                    ComponentClass::Chassis
                } else {
                    ComponentClass::PowerSupply
                },
                name: format!("part {n}"),
                description: String::new(),
                model: String::new(),
                serial: String::new(),
                revision: String::new(),
                maker: (n == 7).then(|| Attribution {
                    supplier: supplier("hisilicon", "HiSilicon"),
                    confidence: 0.8,
                }),
                brand: None,
            })
            .collect(),
    }
}

fn result(class: ResultClass, severity: Severity) -> RuleResult {
    RuleResult {
        rule: "DE-CONTRACT-CORE".into(),
        jurisdiction: "DE".into(),
        title: "No critical components in the core".into(),
        citation: "contracts of 11 July 2024".into(),
        component: None,
        supplier: "huawei".into(),
        class,
        severity,
        deadline: Some("2026-12-31".into()),
        confidence: 0.9,
        explanation: vec!["because".into()],
    }
}
