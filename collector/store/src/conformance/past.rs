//! The network as it was, as known then and as known now.

use super::*;
use crate::past::{Moment, Past, PastSubject};
use crate::record::{IdentifiedSighting, Subject};

const NOW: Moment = Moment {
    valid: Instant(i64::MAX),
    recorded: None,
};

fn at(valid: i64, recorded: Option<i64>) -> Moment {
    Moment {
        valid: Instant(valid),
        recorded: recorded.map(Instant),
    }
}

impl House {
    async fn commit_at(&self, reports: Vec<IncomingReport>, now: i64) {
        self.store
            .commit_reports(self.agent, EPOCH, reports, Instant(now))
            .await
            .unwrap();
    }

    /// Concludes the same from everything that waits.
    async fn identify_all(&self, maker: &str, knowledge: &str, now: i64) {
        for undone in self.store.undone(Stage::Identify, 100).await.unwrap() {
            let digest = Digest::from_hex(&undone.key).unwrap();
            let done = IdentifiedEvidence {
                undone,
                digest,
                identification: Identification {
                    knowledge: knowledge.into(),
                    ..identification(maker, "S1")
                },
                hardware: Vec::new(),
                sum: Digest([u8::try_from(maker.len()).unwrap(); 32]),
                neighbours: Vec::new(),
                own_addresses: BTreeSet::new(),
            };
            self.store
                .save_identified(vec![done], Instant(now))
                .await
                .unwrap();
        }
    }

    async fn one(&self, moment: Moment) -> PastSubject {
        let mut page = self.store.subjects(moment, None, 10).await.unwrap();
        assert_eq!(page.len(), 1);
        page.remove(0)
    }

    async fn adopt(&self, knowledge: &str, now: i64) {
        let version = StageVersion {
            stage: Stage::Identify,
            version: knowledge.into(),
        };
        self.store.adopt_version(&version, Instant(now)).await.unwrap();
    }
}

fn maker(subject: &Subject) -> Option<&str> {
    let complete = subject.complete.as_ref()?;
    Some(&complete.identification.maker.as_ref()?.supplier.id)
}

#[tokio::test]
async fn what_was_so_and_what_was_known_are_two_questions() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit_at(vec![report(1, 10, Completeness::Complete, 1)], 1_000)
        .await;
    house.identify_all("huawei", KNOWLEDGE, 2_000).await;
    house
        .commit_at(vec![report(2, 20, Completeness::Complete, 2)], 5_000)
        .await;
    house.identify_all("nokia", KNOWLEDGE, 6_000).await;
    // It came late: it was seen before all others.
    house
        .commit_at(vec![report(3, 5, Completeness::Complete, 3)], 7_000)
        .await;
    house.identify_all("zte", KNOWLEDGE, 7_500).await;
    house.adopt("k2", 8_000).await;
    house.identify_all("ericsson", "k2", 9_000).await;

    for (valid, recorded, expected, by_then, walked) in [
        (25, None, Some("ericsson"), true, Some(20)),
        (25, Some(8_500), Some("nokia"), true, Some(20)),
        (15, Some(8_500), Some("huawei"), true, Some(10)),
        (7, Some(8_500), Some("zte"), true, Some(5)),
        // Before the late one came, nothing was known of that day; what was seen first later is told as such.
        (7, Some(6_500), Some("huawei"), false, None),
        (25, Some(4_000), Some("huawei"), true, Some(10)),
        // It was recorded, and nobody had concluded anything yet.
        (25, Some(1_500), None, true, Some(10)),
        (25, Some(5_500), None, true, Some(20)),
        (2, Some(8_500), Some("zte"), false, None),
    ] {
        let found = house.one(at(valid, recorded)).await;
        let told = (
            maker(&found.subject),
            found.by_then,
            found.subject.last_walk.map(|at| at.0),
        );
        assert_eq!(told, (expected, by_then, walked), "{valid} {recorded:?}");
        assert!(
            found
                .subject
                .complete
                .iter()
                .all(|c| c.identification.claims.is_empty())
        );
    }
    assert!(
        house
            .store
            .subjects(at(25, Some(999)), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    // Going back to older knowledge is an adoption of its own.
    house.adopt(KNOWLEDGE, 10_000).await;
    let found = house.one(at(25, None)).await;
    assert_eq!(maker(&found.subject), Some("nokia"));
    assert_eq!(
        maker(&house.one(at(25, Some(9_500))).await.subject),
        Some("ericsson")
    );
}

#[tokio::test]
async fn declarations_and_law_are_those_of_the_day_of_knowledge() {
    let house = House::new().await;
    let site = |codes: &[&str]| Site {
        name: "berlin".parse().unwrap(),
        jurisdictions: codes.iter().map(|code| (*code).to_owned()).collect(),
        title: String::new(),
        latitude: None,
        longitude: None,
    };
    let element = |role| Declaration {
        site: "berlin".parse().unwrap(),
        address: "192.0.2.1".into(),
        port: 161,
        name: "BER".into(),
        role: Some(role),
        generations: BTreeSet::new(),
        tags: BTreeSet::new(),
        acquired: None,
    };
    let declare = async |codes: &[&str], roles: &[Role], now| {
        let elements: Vec<_> = roles.iter().map(|&role| element(role)).collect();
        house
            .store
            .declare(&[site(codes)], &elements, Instant(now))
            .await
            .unwrap();
    };
    declare(&["DE"], &[Role::Access], 100).await;
    declare(&["DE", "EU"], &[Role::Access], 200).await;
    declare(&["DE", "EU"], &[Role::Core], 300).await;
    declare(&["EU"], &[], 400).await;
    for (recorded, codes, role) in [
        (Some(100), "DE", Some(Role::Access)),
        (Some(250), "DE EU", Some(Role::Access)),
        (Some(399), "DE EU", Some(Role::Core)),
        (None, "EU", None),
    ] {
        let place = house.one(at(i64::MAX, recorded)).await.subject.place;
        let told: Vec<_> = place.jurisdictions.iter().map(String::as_str).collect();
        assert_eq!(
            (told.join(" ").as_str(), place.role),
            (codes, role),
            "{recorded:?}"
        );
    }
}

/// As of now and as known now it is what evaluation reads, whatever was reported. (A late report tells more about the
/// past than about the present.)
#[tokio::test]
async fn the_present_is_what_evaluation_reads() {
    use Completeness::{Complete, Partial, Unreachable};
    let bare = |sighting: IdentifiedSighting| IdentifiedSighting {
        identification: Identification {
            claims: Vec::new(),
            components: sighting
                .identification
                .components
                .into_iter()
                .filter(|part| part.maker.is_some() || part.brand.is_some())
                .collect(),
            ..sighting.identification
        },
        ..sighting
    };
    let mut dice = 7_u64;
    for _ in 0..12 {
        let house = House::new().await;
        house
            .store
            .greet(&house.hello(1, 99), Instant(900))
            .await
            .unwrap();
        for sequence in 1..14 {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let roll = |sides: u64, shift: u32| (dice >> shift) % sides;
            let finished = i64::try_from(sequence).unwrap() * 10;
            let (completeness, content) = match roll(5, 30) {
                0 => (Unreachable, 9),
                1 => (Partial, 3 + u8::try_from(roll(2, 40)).unwrap()),
                _ => (Complete, u8::try_from(roll(3, 40)).unwrap()),
            };
            let now = i64::try_from(sequence).unwrap() * 1_000;
            house
                .commit_at(vec![report(sequence, finished, completeness, content)], now)
                .await;
            house.identify_all("huawei", KNOWLEDGE, now).await;
            let element = house.only_element().await;
            let expected = house.store.subject(element).await.unwrap().unwrap();
            let found = house.one(NOW).await;
            let expected = Subject {
                complete: expected.complete.map(bare),
                partial: expected.partial.map(bare),
                findings: Vec::new(),
                judged: None,
                ..expected
            };
            let found = Subject {
                complete: found.subject.complete.map(bare),
                partial: found.subject.partial.map(bare),
                ..found.subject
            };
            assert_eq!(found, expected, "{sequence}");
            // The same while the collector goes on writing, by somebody who only reads.
            let reader = crate::SqliteReader::open(&house.folder.path().join("collector.db"))
                .await
                .unwrap();
            assert_eq!(reader.subjects(NOW, None, 10).await.unwrap().len(), 1);
            reader.close().await;
        }
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_miss_nobody() {
    let house = House::new().await;
    let elements: Vec<_> = (0..25)
        .map(|number| Declaration {
            site: "berlin".parse().unwrap(),
            address: format!("192.0.2.{number}"),
            port: 161,
            name: format!("e{number}"),
            role: None,
            generations: BTreeSet::new(),
            tags: BTreeSet::new(),
            acquired: None,
        })
        .collect();
    house.store.declare(&[], &elements, Instant(1)).await.unwrap();
    let (mut names, mut after) = (BTreeSet::new(), None);
    loop {
        let page = house.store.subjects(NOW, after, 10).await.unwrap();
        assert!(page.len() <= 10);
        let Some(last) = page.last() else { break };
        after = Some(last.subject.place.element);
        assert!(
            page.iter()
                .all(|one| !one.by_then && one.subject.complete.is_none())
        );
        names.extend(page.into_iter().map(|one| one.subject.name));
    }
    assert_eq!(names.len(), 25);
}

#[tokio::test]
async fn a_closed_finding_tells_when_and_how() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit_at(vec![report(1, 10, Completeness::Complete, 1)], 1_000)
        .await;
    let element = house.only_element().await;
    let due = result(ResultClass::Due, Severity::Major);
    let undated = RuleResult {
        rule: "DE-OTHER".into(),
        deadline: None,
        ..due.clone()
    };
    let opened = vec![FindingStep::Open(met(due)), FindingStep::Open(met(undated))];
    house.judge(element, vec![], opened).await;
    let lives = house.store.finding_spans(None, 10).await.unwrap();
    assert_eq!(lives.len(), 1);
    assert_eq!(
        (lives[0].rule.as_str(), lives[0].deadline.as_str()),
        ("DE-CONTRACT-CORE", "2026-12-31")
    );
    assert_eq!((lives[0].opened, &lives[0].closed), (Instant(3_000), &None));
    let closed = Stand {
        finding: lives[0].finding,
        revision: 0,
        life: Life {
            state: FindingState::Closed,
            ending: Some(Ending::Swapped),
            ..Life::new()
        },
    };
    let close = vec![FindingStep::Close(closed, "gone".into())];
    house.judge(element, vec![], close).await;
    let lives = house.store.finding_spans(None, 10).await.unwrap();
    assert_eq!(lives[0].closed, Some((Instant(3_000), Some(Ending::Swapped))));
    let after = Some(lives[0].finding);
    assert!(house.store.finding_spans(after, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_only_reads_makes_nothing_and_refuses_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    assert!(matches!(
        crate::SqliteReader::open(&path).await,
        Err(StoreError::Open { .. })
    ));
    assert!(!path.exists());
    let house = House::new().await;
    let path = house.folder.path().join("collector.db");
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)")
        .execute(&sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap())
        .await
        .unwrap();
    let refused = crate::SqliteReader::open(&path).await.err().unwrap();
    assert!(matches!(refused, StoreError::Open { .. }), "{refused}");
}
