//! What stands in the field: neighbours both ways, days of change, and what an agent lost.

use super::*;
use crate::acts::AuditFilter;
use crate::admission::Invitation;
use crate::coverage::FoundNeighbour;
use crate::past::{Moment, Past as _};
use crate::{Acts as _, Admission as _, Field as _};
use uuid::Uuid;

const DAY: i64 = 86_400_000_000;

fn found(protocol: &'static str, address: Option<&str>, mac: Option<&str>, name: &str) -> FoundNeighbour {
    FoundNeighbour {
        address: address.map(|address| address.parse().unwrap()),
        mac: mac.map(str::to_owned),
        protocol,
        name: name.to_owned(),
        description: String::new(),
        maker: (name == "far").then(|| Attribution {
            supplier: supplier("huawei", "Huawei"),
            confidence: 0.3,
        }),
    }
}

fn at(address: &str, sequence: u64, finished: i64, content: u8) -> IncomingReport {
    let mut report = report(sequence, finished, Completeness::Complete, content);
    if let ReportBody::Read(read) = &mut report.body {
        read.address = address.into();
    }
    report
}

impl House {
    /// Concludes from the evidence of this content whom it names.
    async fn names(&self, content: u8, neighbours: Vec<FoundNeighbour>, own: &[&str]) {
        let digest = Digest([content; 32]);
        let undone = self.store.undone(Stage::Identify, 10).await.unwrap();
        let undone = undone.into_iter().find(|u| u.key == digest.to_string()).unwrap();
        let done = IdentifiedEvidence {
            undone,
            digest,
            identification: identification("huawei", "S1"),
            hardware: Vec::new(),
            neighbours,
            own_addresses: own.iter().map(|&mac| mac.to_owned()).collect(),
            sum: digest,
        };
        self.store
            .save_identified(vec![done], Instant(2_000))
            .await
            .unwrap();
    }

    async fn element_at(&self, address: &str) -> ElementId {
        let filter = ElementFilter {
            text: address.into(),
            ..ElementFilter::default()
        };
        self.store.elements(&filter).await.unwrap().rows[0].element
    }
}

#[tokio::test]
async fn neighbours_are_told_both_ways_and_tied_by_address_then_by_hardware_address() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![
            at("192.0.2.1", 1, 10, 1),
            at("192.0.2.2", 2, 10, 2),
            at("192.0.2.3", 3, 10, 3),
        ])
        .await
        .unwrap();
    let told = vec![
        found("lldp", Some("192.0.2.2"), None, "by address"),
        found("lldp", None, Some("00:11:22:33:44:55"), "by mac"),
        found("cdp", Some("192.0.2.99"), None, "far"),
        found("arp", Some("192.0.2.3"), None, "only spoke"),
    ];
    house.names(1, told, &[]).await;
    house.names(3, Vec::new(), &["00:11:22:33:44:55"]).await;
    house
        .names(2, vec![found("lldp", Some("192.0.2.1"), None, "back")], &[])
        .await;
    let (one, two, three) = (
        house.element_at("192.0.2.1").await,
        house.element_at("192.0.2.2").await,
        house.element_at("192.0.2.3").await,
    );
    let berlin = "berlin".parse().unwrap();
    let links = house.store.links(&berlin, 100).await.unwrap();
    let mut ends: Vec<_> = links
        .iter()
        .map(|link| {
            (
                link.told_name.as_str(),
                link.element,
                link.other.as_ref().map(|k| k.element),
            )
        })
        .collect();
    ends.sort_unstable();
    assert_eq!(
        ends,
        [
            ("back", two, Some(one)),
            ("by address", one, Some(two)),
            ("by mac", one, Some(three)),
            ("far", one, None)
        ]
    );
    let far = links.iter().find(|link| link.told_name == "far").unwrap();
    assert_eq!(far.maker.as_ref().unwrap().confidence, 0.3);
    assert_eq!(house.store.links(&berlin, 2).await.unwrap().len(), 2);
    assert_eq!(
        house.store.links(&"lyon".parse().unwrap(), 100).await.unwrap(),
        []
    );

    let around = house.store.neighbours(three, 10).await.unwrap();
    assert!(around.names.is_empty());
    assert_eq!((around.named_by.len(), around.named_by[0].element), (1, one));
    let around = house.store.neighbours(one, 10).await.unwrap();
    assert_eq!((around.names.len(), around.named_by.len()), (3, 1));
    assert_eq!(house.store.neighbours(one, 1).await.unwrap().names.len(), 1);

    let nodes = house.store.nodes(&berlin, &[three], 2).await.unwrap();
    let keys: Vec<_> = nodes.iter().map(|node| node.known.element).collect();
    assert_eq!(keys, [three, one], "those wanted come first");
    assert_eq!(nodes[0].standing, "unknown");
    let counts = house.store.site_standings().await.unwrap();
    assert_eq!(
        (counts.len(), counts[0].standing.as_str(), counts[0].count),
        (1, "unknown", 3)
    );
    let moment = Moment {
        valid: Instant(i64::MAX),
        recorded: None,
    };
    let was = house.store.subject_at(moment, two).await.unwrap().unwrap();
    assert_eq!(was.subject.address, "192.0.2.2");
    let nobody = house
        .store
        .subject_at(moment, ElementId::generate())
        .await
        .unwrap();
    assert!(nobody.is_none());
}

#[tokio::test]
async fn days_are_those_on_which_something_changed() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![
            report(1, 3 * DAY + 5, Completeness::Complete, 1),
            report(2, 3 * DAY + 9, Completeness::Complete, 1),
            report(3, 4 * DAY, Completeness::Complete, 1),
            report(4, 6 * DAY + 1, Completeness::Complete, 2),
        ])
        .await
        .unwrap();
    let element = house.only_element().await;
    house.judge(element, Vec::new(), Vec::new()).await;
    let days = async |limit| -> Vec<i64> {
        let days = house.store.days(element, limit).await.unwrap();
        days.iter().map(|day| day.0 / DAY).collect()
    };
    // A day on which the collector concluded something is one, too.
    assert_eq!(days(10).await, [0, 3, 6]);
    assert_eq!(days(2).await, [3, 6], "the last of them");
}

#[tokio::test]
async fn what_an_agent_lost_and_who_shut_it_out_stay_on_record() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    let gap = IncomingReport {
        sequence: 2,
        body: ReportBody::Gap(DeclaredGap {
            to: 5,
            count: 4,
            reason: GapReason::SpoolFull,
            declared: Instant(77),
        }),
    };
    let first = report(1, 10, Completeness::Complete, 1);
    house.commit(vec![first, gap]).await.unwrap();
    let gaps = house.store.gaps(house.agent, 10).await.unwrap();
    assert_eq!(
        (gaps[0].from, gaps[0].to, gaps[0].reports, gaps[0].reason.as_str()),
        (2, 5, 4, "spool_full")
    );
    assert_eq!(
        (gaps[0].declared, gaps[0].recorded),
        (Instant(77), Instant(1_000))
    );
    let lines = house.store.lines(house.agent).await.unwrap();
    assert_eq!((lines[0].first, lines[0].acked, lines[0].lost), (1, 5, 0));

    assert_eq!(house.store.revocation(house.agent).await.unwrap(), None);
    let shut = async |reason: &str, now| {
        let by = ann();
        house
            .store
            .revoke(house.agent, reason, &by, Instant(now))
            .await
            .unwrap()
    };
    assert!(shut("stolen", 50).await && shut("again", 60).await);
    let told = house.store.revocation(house.agent).await.unwrap().unwrap();
    assert_eq!(
        (told.at, told.person.as_str(), told.reason.as_str()),
        (Instant(50), "Ann", "stolen")
    );
    let invitation = Invitation {
        token: Uuid::now_v7(),
        site: "berlin".parse().unwrap(),
        secret_hash: "aa".into(),
        expires: Instant(1_000),
    };
    house
        .store
        .invite(&invitation, &ann(), Instant(70))
        .await
        .unwrap();
    let open = async |now| house.store.invitations(&None, Instant(now)).await.unwrap();
    for (sites, rows) in [
        (vec![invitation.site.clone()], 1),
        (vec!["none".parse().unwrap()], 0),
        (vec![], 0),
    ] {
        let sites = Some(sites.into_iter().collect());
        let found = house.store.invitations(&sites, Instant(999)).await.unwrap();
        assert_eq!(found.len(), rows, "{sites:?}");
    }
    assert_eq!((open(999).await.len(), open(1_000).await.len()), (1, 0));
    let log = house.store.audit_log(&AuditFilter::default()).await.unwrap().rows;
    let told: Vec<_> = log
        .iter()
        .map(|row| (row.action.as_str(), row.person.as_str(), row.subjects[0].clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("agent_invited", "Ann", invitation.token.to_string()),
            ("agent_revoked", "Ann", house.agent.to_string())
        ]
    );
    assert!(log[1].detail.contains("stolen") && !log[0].detail.contains("aa"));
}
