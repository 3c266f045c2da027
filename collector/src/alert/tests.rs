//! Who is told of what: filters, attached views of people who may see some sites, and what comes back.

use super::queue::Queue;
use super::*;
use crate::config::RouteConfig;
use model::*;
use std::collections::BTreeSet;
use store::accounts::{AccountChange, By, NewAccount};
use store::record::{FindingStep, Judged, JudgedElement, Met, Thing, Undone, Why};
use store::views::NewView;
use store::{Accounts as _, Alerts as _, SqliteStore, Store as _, Views as _};

fn by() -> By {
    By {
        person: "Ada".into(),
        from: String::new(),
    }
}

struct House {
    store: Arc<SqliteStore>,
    queue: Queue,
    _folder: tempfile::TempDir,
}

impl House {
    /// A route with this filter.
    async fn new(filter: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("c.db")).await.unwrap();
        let store = Arc::new(store);
        let declared: RouteConfig = toml::from_str(&format!(
            "name = 'noc'\n{filter}\nwebhook = {{ url = 'http://127.0.0.1:1/' }}\n"
        ))
        .unwrap();
        let routes = Arc::new(Routes::open(&[declared], Links::default()).unwrap());
        store.declare_routes(&routes.names(), Instant(1)).await.unwrap();
        let queue = Queue {
            store: store.clone(),
            alerts: store.clone(),
            accounts: store.clone(),
            routes,
            clock: || Instant(9_000),
            queued: tokio::sync::watch::Sender::new(0),
        };
        Self {
            store,
            queue,
            _folder: folder,
        }
    }

    async fn element(&self, site: &str) -> ElementId {
        let declared = ["berlin", "london"].map(|site| store::record::Declaration {
            site: site.parse().unwrap(),
            address: "192.0.2.1".into(),
            port: 161,
            name: format!("{site}-core-1"),
            role: Some(Role::Core),
            generations: BTreeSet::new(),
            tags: BTreeSet::new(),
            acquired: None,
        });
        let sites = ["berlin", "london"].map(|name| Site {
            name: name.parse().unwrap(),
            jurisdictions: BTreeSet::from(["DE".to_owned()]),
            title: String::new(),
            latitude: None,
            longitude: None,
        });
        self.store.declare(&sites, &declared, Instant(2)).await.unwrap();
        let filter = store::view::ElementFilter {
            sites: vec![site.to_string()],
            ..store::view::ElementFilter::default()
        };
        self.store.elements(&filter).await.unwrap().rows[0].element
    }

    async fn step(&self, element: ElementId, step: FindingStep) {
        let why = Why {
            causes: vec![Cause::Network],
            grounds: String::new(),
            valid: Instant(3),
        };
        let done = JudgedElement {
            undone: Undone {
                key: element.to_string(),
                revision: 0,
                since: Instant(0),
            },
            element,
            judged: Judged {
                standing: "violation".into(),
                inputs: Inputs::default(),
            },
            name: "core-1".into(),
            results: Vec::new(),
            contradictions: Vec::new(),
            findings: vec![why.clone().of(step)],
            why,
        };
        self.store.save_judged(vec![done], Instant(4)).await.unwrap();
    }

    async fn opened(&self, site: &str, severity: Severity) -> (ElementId, FindingId) {
        let element = self.element(site).await;
        self.step(element, FindingStep::Open(met(severity))).await;
        let found = self.store.element(element).await.unwrap().unwrap();
        (element, found.findings[0].finding)
    }

    /// What the route is told now: change, state, and whether other labels are ended.
    async fn told(&self) -> Vec<(String, &'static str, bool)> {
        while self.queue.step().await.unwrap() > 0 {}
        let waiting = self.store.waiting("noc", 99).await.unwrap();
        if let Some(last) = waiting.last() {
            self.store.delivered("noc", last.place, Instant(5)).await.unwrap();
        }
        let read = |body: &str| serde_json::from_str::<Message>(body).unwrap();
        waiting
            .iter()
            .map(|waiting| read(&waiting.body))
            .map(|it| (it.change, it.state.as_str(), it.before.is_some()))
            .collect()
    }
}

fn met(severity: Severity) -> Met {
    Met {
        result: RuleResult {
            rule: "DE-CONTRACT-CORE".into(),
            jurisdiction: "DE".into(),
            title: "No critical components in the core".into(),
            citation: "contracts".into(),
            component: None,
            supplier: "huawei".into(),
            class: ResultClass::Violation,
            severity,
            deadline: None,
            confidence: 0.9,
            explanation: Vec::new(),
        },
        thing: Thing::default(),
    }
}

fn told(change: &str, state: &'static str, moved: bool) -> (String, &'static str, bool) {
    (change.to_owned(), state, moved)
}

#[tokio::test]
async fn whoever_was_told_that_it_fires_is_told_when_it_is_over_for_them() {
    let house = House::new("filter = 'severity:critical'").await;
    let (element, finding) = house.opened("berlin", Severity::Critical).await;
    assert_eq!(house.told().await, [told("opened", "firing", false)]);
    let change = |severity| FindingStep::Change(finding, met(severity), "moved".into());
    house.step(element, change(Severity::Minor)).await;
    assert_eq!(
        house.told().await,
        [told("changed", "resolved", true)],
        "it left the filter"
    );
    house.step(element, change(Severity::Warning)).await;
    assert!(house.told().await.is_empty(), "it concerns the route no more");
    house.step(element, change(Severity::Critical)).await;
    assert_eq!(house.told().await, [told("changed", "firing", false)]);
}

#[tokio::test]
async fn what_opened_and_closed_between_two_looks_is_told_as_both() {
    let house = House::new("filter = 'role:core'").await;
    let (element, finding) = house.opened("berlin", Severity::Critical).await;
    let closed = store::record::Stand {
        finding,
        revision: 0,
        life: Life {
            state: FindingState::Closed,
            ..Life::new()
        },
    };
    house
        .step(element, FindingStep::Close(closed, "gone".into()))
        .await;
    assert_eq!(
        house.told().await,
        [told("opened", "firing", false), told("closed", "resolved", false)]
    );
}

#[tokio::test]
async fn an_attached_view_tells_what_its_person_may_see_and_nothing_once_they_may_not() {
    let house = House::new("").await;
    let account = NewAccount {
        name: "Bo".into(),
        role: AccessRole::Operator,
        sites: Some(BTreeSet::from(["berlin".parse().unwrap()])),
    };
    let bo = house
        .store
        .add_account(&account, &by(), Instant(2))
        .await
        .unwrap()
        .unwrap();
    let view = NewView {
        owner: "Bo".into(),
        name: "all of it".into(),
        page: "findings".into(),
        query: "q=role%3Acore".into(),
        shared: false,
        tile: false,
    };
    house.store.keep_view(&view, Instant(2)).await.unwrap();
    let key = house.store.views("Bo").await.unwrap()[0].view;
    house.store.attach(key, "noc", "Bo", Instant(2)).await.unwrap();

    house.opened("london", Severity::Critical).await;
    assert!(house.told().await.is_empty(), "Bo does not see London");
    let (element, finding) = house.opened("berlin", Severity::Critical).await;
    assert_eq!(house.told().await, [told("opened", "firing", false)]);

    let switched_off = AccountChange::Disabled(true);
    house
        .store
        .change_account(bo.account, &switched_off, &by(), Instant(3))
        .await
        .unwrap();
    let change = FindingStep::Change(finding, met(Severity::Minor), "moved".into());
    house.step(element, change).await;
    assert_eq!(
        house.told().await,
        [told("changed", "resolved", true)],
        "and that is the end"
    );
    let change = FindingStep::Change(finding, met(Severity::Major), "moved".into());
    house.step(element, change).await;
    assert!(house.told().await.is_empty());
    let attachment = house.store.attachments().await.unwrap().remove(0);
    let why = queue::attached(&*house.store, &attachment, Instant(5))
        .await
        .unwrap();
    assert_eq!(why.unwrap_err(), "whoever attached it may no longer act");
}
