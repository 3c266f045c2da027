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
    /// A route with this filter; nobody listens.
    async fn new(filter: &str) -> Self {
        Self::telling(filter, "http://127.0.0.1:1/").await
    }

    /// A route with this filter, to whoever listens there.
    async fn telling(filter: &str, url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("c.db")).await.unwrap();
        let store = Arc::new(store);
        let declared: RouteConfig = toml::from_str(&format!(
            "name = 'noc'\ngather = '0s'\n{filter}\nwebhook = {{ url = '{url}' }}\n"
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
        [told("left", "resolved", false)],
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
    while house.queue.step().await.unwrap() > 0 {}
    let last = house.store.waiting("noc", 9).await.unwrap().remove(0).body;
    assert_eq!(
        house.told().await,
        [told("left", "resolved", false)],
        "and that is the end"
    );
    let last: Message = serde_json::from_str(&last).unwrap();
    assert_eq!(last.labels.severity, "critical", "as it was told before");
    let empty = [&last.address, &last.part, &last.element, &last.class, &last.cause];
    assert!(empty.iter().all(|text| text.is_empty()), "{last:?}");
    assert_eq!((&last.owner, &last.person, &last.deadline), (&None, &None, &None));
    let body = serde_json::to_string(&last).unwrap();
    for hidden in ["moved", "minor", "192.0.2.1", "changed"] {
        assert!(!body.contains(hidden), "{hidden} in {body}");
    }
    let change = FindingStep::Change(finding, met(Severity::Major), "moved".into());
    house.step(element, change).await;
    assert!(house.told().await.is_empty());
    let attachment = house.store.attachments().await.unwrap().remove(0);
    let why = queue::attached(&*house.store, &attachment, Instant(5))
        .await
        .unwrap();
    assert_eq!(why.unwrap_err(), "whoever attached it may no longer act");
}

/// A receiver that refuses whatever holds this word, with this status; also all it took.
async fn choosy(word: &'static str, status: u16) -> (String, Arc<std::sync::Mutex<Vec<Message>>>) {
    #[derive(serde::Deserialize)]
    struct Body {
        alerts: Vec<Message>,
    }
    let took = Arc::new(std::sync::Mutex::new(Vec::new()));
    let keeps = Arc::clone(&took);
    let answer = move |text: String| {
        let refused = text.contains(word);
        if !refused {
            let body: Body = serde_json::from_str(&text).unwrap();
            keeps.lock().unwrap().extend(body.alerts);
        }
        let status = if refused { status } else { 200 };
        std::future::ready(axum::http::StatusCode::from_u16(status).unwrap())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, took)
}

/// Looks until nothing waits, at most so often, with five alerts of which the second is this word; tells how often it
/// was to pause.
async fn delivered(house: &House, word: &str, looks: usize) -> usize {
    let alerts = ["0", word, "2", "3", "4"].map(|text| {
        let message = Message {
            text: text.to_owned(),
            ..Message::test("Ann", &Links::default(), Instant(1))
        };
        store::alerts::NewAlert {
            route: "noc".into(),
            event: message.id,
            finding: FindingId::generate(),
            since: Instant(2),
            body: serde_json::to_string(&message).unwrap(),
            told: None,
        }
    });
    house.store.queue_alerts(&alerts, 0).await.unwrap();
    let courier = deliver::Courier {
        alerts: house.store.clone(),
        route: Arc::clone(house.queue.routes.named("noc").unwrap()),
        clock: || Instant(9_000),
        queued: house.queue.queued.subscribe(),
    };
    let (mut refusing, mut pauses) = (deliver::Refusing::default(), 0);
    for _ in 0..looks {
        match courier.look(&mut refusing).await.unwrap() {
            deliver::Looked::Rest(_) => break,
            deliver::Looked::Failed => pauses += 1,
            _ => {}
        }
    }
    pauses
}

#[tokio::test]
async fn one_that_is_refused_for_what_it_is_holds_up_no_other() {
    let (url, took) = choosy("poison", 400).await;
    let house = House::telling("", &url).await;
    assert_eq!(
        delivered(&house, "poison", 99).await,
        2,
        "it is tried again, after a pause"
    );
    let took: Vec<String> = took.lock().unwrap().iter().map(|it| it.text.clone()).collect();
    assert_eq!(took, ["0", "2", "3", "4"], "the rest, each once and in order");
    let noc = house.store.routes().await.unwrap().remove(0);
    assert_eq!((noc.waiting, noc.delivered, noc.lost), (0, 4, 1));
    assert!(noc.loss.contains("answered 400"), "{}", noc.loss);
}

#[tokio::test]
async fn what_is_refused_for_now_is_never_given_up() {
    for status in [401, 404, 429, 503] {
        let (url, took) = choosy("poison", status).await;
        let house = House::telling("", &url).await;
        assert_eq!(delivered(&house, "poison", 12).await, 12, "{status}");
        assert!(took.lock().unwrap().is_empty());
        let noc = house.store.routes().await.unwrap().remove(0);
        assert_eq!((noc.waiting, noc.lost), (5, 0), "{status}");
    }
}
