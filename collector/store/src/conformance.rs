//! What holds for every backend. Each test gets its own fresh store.

use crate::record::{
    AgentHello, Declaration, FindingStep, FoundUnit, IdentifiedEvidence, IncomingReport, Judged,
    JudgedElement, ReadReport, ReportBody, Stage, StageVersion, TenureStep, Undone, Verdict,
};
use crate::view::{ElementFilter, FindingFilter};
use crate::{SqliteStore, Store, StoreError};
use model::{
    AgentId, Attribution, Completeness, ComponentClass, ComponentIdentity, Digest, ElementId, FindingState,
    Identification, Instant, ResultClass, Role, RuleResult, Severity, Site, SupplierRef, UnitIdentity,
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

    async fn only_element(&self) -> ElementId {
        let page = self.store.elements(&ElementFilter::default()).await.unwrap();
        assert_eq!(page.total, 1);
        page.rows[0].element
    }

    async fn identify(&self, digest: Digest, identification: Identification) {
        let undone = self.store.undone(Stage::Identify, 10).await.unwrap();
        let undone = undone.into_iter().find(|u| u.key == digest.to_string()).unwrap();
        let done = IdentifiedEvidence {
            undone,
            digest,
            identification,
        };
        self.store
            .save_identified(vec![done], Instant(2_000))
            .await
            .unwrap();
    }

    async fn judge(
        &self,
        element: ElementId,
        results: Vec<RuleResult>,
        findings: Vec<FindingStep>,
        tenure: TenureStep,
    ) {
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
            standing: "due".into(),
            policies: "p1".into(),
            knowledge: KNOWLEDGE.into(),
            digest: subject.complete.map(|c| c.digest),
            as_of: "2026-11-25".into(),
        };
        let name = "BER-CORE-1".to_owned();
        let done = JudgedElement {
            undone,
            element,
            judged,
            name,
            results,
            findings,
            tenure,
            cause: "network",
        };
        self.store.save_judged(vec![done], Instant(3_000)).await.unwrap();
    }
}

fn report(sequence: u64, finished: i64, completeness: Completeness, content: u8) -> IncomingReport {
    IncomingReport {
        sequence,
        body: ReportBody::Read(Box::new(ReadReport {
            site: "berlin".parse().unwrap(),
            address: "192.0.2.1".into(),
            port: 161,
            started: Instant(finished - 1),
            finished: Instant(finished),
            completeness,
            digest: Digest([content; 32]),
            evidence: Some(vec![content; 3_000]),
            readings: vec![],
            requests: 4,
            retries: 0,
            varbinds: 9,
        })),
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

#[tokio::test]
async fn redelivery_changes_nothing() {
    let house = House::new().await;
    assert_eq!(
        house.store.greet(&house.hello(1, 3), Instant(900)).await.unwrap(),
        0
    );
    let first = vec![
        report(1, 10, Completeness::Complete, 1),
        report(2, 20, Completeness::Complete, 1),
    ];
    assert_eq!(
        house.commit(first.clone()).await.unwrap(),
        [Verdict::Stored, Verdict::Stored]
    );
    let before = house.store.overview().await.unwrap();
    assert_eq!(
        house.commit(first).await.unwrap(),
        [Verdict::Repeated, Verdict::Repeated]
    );
    let after = house.store.overview().await.unwrap();
    assert_eq!((before.reports, before.lost), (2, 0));
    assert_eq!((after.reports, after.lost, after.elements), (2, 0, 1));
    assert_eq!(
        house.store.greet(&house.hello(3, 3), Instant(950)).await.unwrap(),
        2
    );
    assert_eq!(after.agents[0].clock_skew_micros, 3_000_000 - 900);
}

#[tokio::test]
async fn a_hole_in_the_sequence_is_refused_whole() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 4), Instant(900)).await.unwrap();
    let holed = vec![
        report(1, 10, Completeness::Complete, 1),
        report(3, 20, Completeness::Complete, 2),
    ];
    assert!(matches!(
        house.commit(holed).await,
        Err(StoreError::NotDense { cursor: 1, got: 3 })
    ));
    assert_eq!(
        house.store.overview().await.unwrap().reports,
        0,
        "nothing of the batch was kept"
    );
    assert_eq!(
        house.store.greet(&house.hello(1, 4), Instant(950)).await.unwrap(),
        0
    );
}

#[tokio::test]
async fn a_spool_that_begins_after_our_cursor_is_shown_as_lost() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 3), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    assert_eq!(
        house.store.greet(&house.hello(6, 9), Instant(950)).await.unwrap(),
        5
    );
    assert_eq!(house.store.overview().await.unwrap().lost, 4);
}

#[tokio::test]
async fn refused_and_wanted_are_durable_answers() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 3), Instant(900)).await.unwrap();
    let mut unknown = report(2, 20, Completeness::Complete, 5);
    if let ReportBody::Read(read) = &mut unknown.body {
        read.evidence = None;
    }
    let refused = IncomingReport {
        sequence: 1,
        body: ReportBody::Refused {
            reason: "no digest".into(),
        },
    };
    let verdicts = house.commit(vec![refused, unknown]).await.unwrap();
    assert_eq!(
        verdicts,
        [
            Verdict::Refused {
                reason: "no digest".into()
            },
            Verdict::Wanted
        ]
    );
    let overview = house.store.overview().await.unwrap();
    assert_eq!(
        (overview.reports, overview.lost, overview.agents[0].refused),
        (2, 0, 1)
    );
    assert_eq!(overview.reached, 0, "a digest we do not hold shows nothing");
}

#[tokio::test]
async fn evidence_comes_back_to_the_byte_and_sameness_costs_no_new_row() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let record = house.store.evidence(Digest([1; 32])).await.unwrap().unwrap();
    assert_eq!(record.bytes, vec![1; 3_000]);
    assert_eq!(house.store.evidence(Digest([9; 32])).await.unwrap(), None);
    let mut same = report(2, 20, Completeness::Complete, 1);
    if let ReportBody::Read(read) = &mut same.body {
        read.evidence = None;
    }
    assert_eq!(house.commit(vec![same]).await.unwrap(), [Verdict::Stored]);
    let view = house
        .store
        .element(house.only_element().await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(view.sightings.len(), 1);
    assert_eq!(
        (view.sightings[0].rounds, view.sightings[0].until),
        (2, Instant(20))
    );
    assert_eq!(view.sightings[0].sequence, 2);
}

#[tokio::test]
async fn a_partial_walk_stands_beside_the_complete_one_and_silence_removes_nothing() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    house
        .commit(vec![
            report(2, 20, Completeness::Partial, 2),
            report(3, 30, Completeness::Unreachable, 3),
        ])
        .await
        .unwrap();
    house
        .identify(Digest([2; 32]), identification("nokia", "S2"))
        .await;
    let subject = house
        .store
        .subject(house.only_element().await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(subject.complete.unwrap().digest, Digest([1; 32]));
    assert_eq!(subject.partial.unwrap().digest, Digest([2; 32]));
    assert_eq!(subject.latest, Some(Completeness::Unreachable));
    assert!(
        house.store.undone(Stage::Identify, 10).await.unwrap().is_empty(),
        "silence says nothing to identify"
    );
    house
        .commit(vec![report(4, 40, Completeness::Complete, 4)])
        .await
        .unwrap();
    house
        .identify(Digest([4; 32]), identification("nokia", "S2"))
        .await;
    let subject = house
        .store
        .subject(house.only_element().await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(subject.complete.unwrap().digest, Digest([4; 32]));
    assert!(subject.partial.is_none());
}

#[tokio::test]
async fn a_late_report_from_the_past_is_not_the_present() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![
            report(1, 100, Completeness::Complete, 1),
            report(2, 50, Completeness::Complete, 2),
        ])
        .await
        .unwrap();
    let element = house.only_element().await;
    let view = house.store.element(element).await.unwrap().unwrap();
    assert_eq!(view.row.last_report, Some(Instant(100)));
    assert_eq!(view.sightings.len(), 2);
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    assert_eq!(
        house
            .store
            .subject(element)
            .await
            .unwrap()
            .unwrap()
            .complete
            .unwrap()
            .digest,
        Digest([1; 32])
    );
}

#[tokio::test]
async fn work_that_changed_meanwhile_stays_undone() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let element = house.only_element().await;
    let read = house.store.undone(Stage::Evaluate, 10).await.unwrap().remove(0);
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    let done = JudgedElement {
        undone: read,
        element,
        judged: Judged {
            standing: "unknown".into(),
            policies: "p1".into(),
            knowledge: String::new(),
            digest: None,
            as_of: "2026-11-25".into(),
        },
        name: "192.0.2.1".into(),
        results: vec![],
        findings: vec![],
        tenure: TenureStep::Keep,
        cause: "network",
    };
    house.store.save_judged(vec![done], Instant(3_000)).await.unwrap();
    assert_eq!(house.store.undone(Stage::Evaluate, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_new_version_does_everything_anew_and_the_same_one_nothing() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![
            report(1, 10, Completeness::Complete, 1),
            report(2, 20, Completeness::Unreachable, 2),
        ])
        .await
        .unwrap();
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    assert!(house.store.undone(Stage::Identify, 10).await.unwrap().is_empty());
    let same = StageVersion {
        stage: Stage::Identify,
        version: KNOWLEDGE.into(),
    };
    let revision = house.store.revision();
    assert!(!house.store.adopt_version(&same, Instant(5)).await.unwrap());
    assert!(
        !revision.has_changed().unwrap(),
        "a version that is known wakes nobody"
    );
    let newer = StageVersion {
        stage: Stage::Identify,
        version: "k2".into(),
    };
    assert!(house.store.adopt_version(&newer, Instant(5)).await.unwrap());
    let undone = house.store.undone(Stage::Identify, 10).await.unwrap();
    assert_eq!(
        undone.iter().map(|u| u.key.clone()).collect::<Vec<_>>(),
        [Digest([1; 32]).to_string()]
    );
}

#[tokio::test]
async fn a_finding_lives_and_its_unit_is_swapped() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let element = house.only_element().await;
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    let found = |serial: &str, from| FoundUnit {
        from: Instant(from),
        identity: UnitIdentity {
            serial: Some(serial.into()),
            ..UnitIdentity::default()
        },
        maker: Some(supplier("huawei", "Huawei")),
    };
    let due = result(ResultClass::Due, Severity::Major);
    let first = TenureStep::First(found("S1", 10));
    house
        .judge(
            element,
            vec![due.clone()],
            vec![FindingStep::Open(due.clone())],
            first,
        )
        .await;

    let page = house.store.findings(&FindingFilter::default()).await.unwrap();
    assert_eq!(page.total, 1);
    let row = &page.rows[0];
    assert_eq!(
        (row.supplier.as_str(), row.part.as_str(), row.state),
        ("Maker", "NE-1", FindingState::Open)
    );
    let overview = house.store.overview().await.unwrap();
    assert_eq!(
        (
            overview.identified,
            overview.components,
            overview.components_named
        ),
        (1, 600, 1)
    );
    assert_eq!(
        overview
            .severities
            .iter()
            .find(|c| c.word == "major")
            .unwrap()
            .count,
        1
    );
    assert_eq!(overview.deadlines[0].deadline, "2026-12-31");
    let maker = overview.makers[0].clone();
    assert_eq!(
        (maker.maker.unwrap().id.as_str(), maker.elements, maker.findings),
        ("huawei", 1, 1)
    );

    let tenure = house
        .store
        .subject(element)
        .await
        .unwrap()
        .unwrap()
        .tenure
        .unwrap();
    assert_eq!(tenure.identity.serial.as_deref(), Some("S1"));
    let overdue = result(ResultClass::Overdue, Severity::Critical);
    let change = FindingStep::Change(row.finding, overdue.clone(), "due → overdue".into());
    house
        .judge(
            element,
            vec![overdue],
            vec![change],
            TenureStep::Swap(tenure.unit, found("S2", 20)),
        )
        .await;
    house
        .judge(
            element,
            vec![],
            vec![FindingStep::Close(row.finding)],
            TenureStep::Keep,
        )
        .await;
    let again = result(ResultClass::Due, Severity::Minor);
    let view = house.store.element(element).await.unwrap().unwrap();
    assert_eq!(view.findings[0].state, FindingState::Closed);
    assert_eq!(view.tenures.len(), 2);
    assert_eq!(
        (view.tenures[1].until, view.tenures[0].until),
        (Some(Instant(20)), None)
    );
    assert_eq!(
        house
            .store
            .findings(&FindingFilter::default())
            .await
            .unwrap()
            .total,
        0,
        "closed ones are not in the queue"
    );
    house
        .judge(
            element,
            vec![again.clone()],
            vec![FindingStep::Reopen(row.finding, again)],
            TenureStep::Keep,
        )
        .await;

    let view = house.store.finding(row.finding).await.unwrap().unwrap();
    let kinds: Vec<_> = view.events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds, ["opened", "changed", "closed", "reopened"]);
    assert_eq!(view.row.closed, None);
    let kinds: Vec<_> = house
        .store
        .overview()
        .await
        .unwrap()
        .changes
        .iter()
        .rev()
        .map(|c| c.kind.clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "unit_new",
            "finding_opened",
            "standing_changed",
            "swap",
            "finding_changed",
            "finding_closed",
            "finding_opened"
        ]
    );
}

#[tokio::test]
async fn what_is_declared_is_kept_apart_and_withdrawn_with_history() {
    let house = House::new().await;
    let site = Site {
        name: "berlin".parse().unwrap(),
        jurisdictions: BTreeSet::from(["DE".to_owned(), "EU".to_owned()]),
        title: "Berlin".into(),
        latitude: None,
        longitude: None,
    };
    let declaration = Declaration {
        site: "berlin".parse().unwrap(),
        address: "192.0.2.1".into(),
        port: 161,
        name: "BER-CORE-1".into(),
        role: Some(Role::Core),
        generations: BTreeSet::from(["5G".to_owned()]),
        tags: BTreeSet::from(["de_contract_operator".to_owned()]),
        acquired: None,
    };
    let sites = [site];
    house
        .store
        .declare(&sites, std::slice::from_ref(&declaration), Instant(5))
        .await
        .unwrap();
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let element = house.only_element().await;
    let place = house.store.subject(element).await.unwrap().unwrap().place;
    assert_eq!((place.role, place.jurisdictions.len()), (Some(Role::Core), 2));

    let filter = ElementFilter {
        roles: vec!["core".into()],
        text: "core".into(),
        ..ElementFilter::default()
    };
    assert_eq!(house.store.elements(&filter).await.unwrap().total, 1);
    let filter = ElementFilter {
        text: "100%".into(),
        ..ElementFilter::default()
    };
    assert_eq!(
        house.store.elements(&filter).await.unwrap().total,
        0,
        "% is a character, not a wildcard"
    );

    house.store.declare(&sites, &[], Instant(6)).await.unwrap();
    let place = house.store.subject(element).await.unwrap().unwrap().place;
    assert_eq!((place.role, place.tags.len()), (None, 0));
}

#[tokio::test]
async fn pages_follow_each_other_without_overlap() {
    let house = House::new().await;
    house
        .store
        .greet(&house.hello(1, 99), Instant(900))
        .await
        .unwrap();
    let reports = (1..=25)
        .map(|n| {
            let mut report = report(n, 10, Completeness::Complete, 1);
            if let ReportBody::Read(read) = &mut report.body {
                read.address = format!("192.0.2.{n}");
            }
            report
        })
        .collect();
    house.commit(reports).await.unwrap();
    let mut filter = ElementFilter {
        limit: 10,
        ..ElementFilter::default()
    };
    let mut seen = BTreeSet::new();
    let mut sizes = Vec::new();
    loop {
        let page = house.store.elements(&filter).await.unwrap();
        assert_eq!(page.total, 25);
        sizes.push(page.rows.len());
        seen.extend(page.rows.into_iter().map(|r| r.address));
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    assert_eq!((sizes, seen.len()), (vec![10, 10, 5], 25));
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let path = house.folder.path().join("collector.db");
    // No close: the process might as well have been killed.
    let again = SqliteStore::open(&path).await.unwrap();
    assert_eq!(again.overview().await.unwrap().reports, 1);
    assert_eq!(again.greet(&house.hello(2, 9), Instant(999)).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_no_store_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("collector.db");
    std::fs::write(
        &path,
        "this is a text file, and long enough to have a header of its own",
    )
    .unwrap();
    let error = SqliteStore::open(&path).await.err().unwrap();
    assert!(error.to_string().contains("collector.db"), "{error}");
}
