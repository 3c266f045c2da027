//! The router from the outside, over a store in memory.

mod acts;
mod alerts;
mod coverage;
mod door;
mod law;
mod golden;
mod field;
mod filter;
mod life;
mod live;
mod rights;
mod sites;
mod shelf;
mod then;
mod reports;
mod unknown;
mod what_if;

use super::fixture::people::TIMES;
use super::fixture::{Fixture, NOW, agent_id, element_id, finding_id};
use super::guard::CONTENT_SECURITY_POLICY;
use super::{Web, router};
use crate::door::Door;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use futures_util::StreamExt;
use model::on_file::{OnFile, Price};
use model::{AccessRole, Person};
use policy::Policies;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const SHARP: &str = "<script>alert(1)</script>";

fn prices() -> OnFile {
    OnFile {
        prices: vec![Price {
            supplier: "huawei".into(),
            model: None,
            price: 12_000,
            currency: "EUR".into(),
        }],
        ..OnFile::default()
    }
}

struct House {
    router: axum::Router,
    store: Arc<Fixture>,
    shutdown: CancellationToken,
    /// What whoever asks shows unless the request shows something else.
    cookie: String,
}

fn admin() -> Person {
    Person {
        name: "Ada <Lovelace>".into(),
        role: AccessRole::Admin,
        sites: None,
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl House {
    fn new() -> Self {
        Self::listening(true)
    }

    fn listening(loopback_only: bool) -> Self {
        let (store, web) = Self::web(loopback_only);
        Self::of(store, web)
    }

    /// What the pages are made from.
    fn web(loopback_only: bool) -> (Arc<Fixture>, Web) {
        let (store, policies) = Fixture::new(14, 700).shared();
        let door = Arc::new(Door::new(store.clone(), || NOW, TIMES).unwrap());
        let web = Self::web_over(door, store.clone(), policies, loopback_only, false);
        (store, web)
    }

    /// Pages of the fixture behind this door; an admin asks.
    fn over(
        door: Arc<Door>,
        store: Arc<Fixture>,
        policies: Arc<Policies>,
        loopback_only: bool,
        secure: bool,
    ) -> Self {
        Self::of(
            store.clone(),
            Self::web_over(door, store, policies, loopback_only, secure),
        )
    }

    fn of(store: Arc<Fixture>, web: Web) -> Self {
        let cookie = format!("marque={}", store.let_in(admin()));
        let shutdown = web.shutdown.clone();
        Self {
            router: router(web),
            store,
            shutdown,
            cookie,
        }
    }

    fn web_over(
        door: Arc<Door>,
        store: Arc<Fixture>,
        policies: Arc<Policies>,
        loopback_only: bool,
        secure: bool,
    ) -> Web {
        Web {
            store: store.clone(),
            past: store.clone(),
            views: store.clone(),
            alerts: store.clone(),
            routes: Arc::new(super::fixture::alerts::routes()),
            ledgers: store.clone(),
            knowledge: identify::Knowledge::built_in().unwrap(),
            assured: crate::packs::Assured::default(),
            briefing: store.clone(),
            acts: store.clone(),
            field: store.clone(),
            admission: store.clone(),
            authority: [7; 32],
            operator: "Lab Telecom".into(),
            operator_tags: ["eu_network_operator".to_owned()].into(),
            policies,
            on_file: Arc::new(prices()),
            zones: Arc::new([("ber-1".parse().unwrap(), "Europe/Berlin".to_owned())].into()),
            knowledge_version: "2026.11.23".into(),
            uncommitted: crate::ingest::Uncommitted::default(),
            clock: || NOW,
            loopback_only,
            secure,
            strict: secure,
            door,
            openid: None,
            metrics: None,
            shutdown: CancellationToken::new(),
        }
    }

    /// The same for another person.
    fn asked_by(&self, person: Person) -> Self {
        Self {
            router: self.router.clone(),
            store: self.store.clone(),
            shutdown: self.shutdown.clone(),
            cookie: format!("marque={}", self.store.let_in(person)),
        }
    }

    async fn ask(&self, mut request: Request<Body>) -> axum::response::Response {
        let headers = request.headers_mut();
        if !headers.contains_key(header::COOKIE) && !headers.contains_key(header::AUTHORIZATION) {
            headers.insert(header::COOKIE, self.cookie.parse().unwrap());
        }
        self.ask_bare(request).await
    }

    async fn ask_bare(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, "localhost:8080", &[]).await
    }

    async fn get_with(&self, path: &str, host: &str, more: &[(header::HeaderName, &str)]) -> Answer {
        let mut request = Request::get(path).header(header::HOST, host);
        for (name, value) in more {
            request = request.header(name, *value);
        }
        read(self.ask(request.body(Body::empty()).unwrap()).await).await
    }

    fn pages(&self) -> Vec<String> {
        let digest = self.store.digest(0);
        vec![
            "/".into(),
            "/?wall=1".into(),
            "/findings".into(),
            format!("/findings/{}", finding_id(0)),
            "/elements".into(),
            "/elements?polling=not_polled".into(),
            "/waivers".into(),
            "/waivers?state=expired".into(),
            "/audit".into(),
            "/coverage".into(),
            "/reports".into(),
            "/reports/board".into(),
            "/reports/board?asof=2026-06-30".into(),
            "/reports/pack?jurisdiction=DE".into(),
            "/reports/register".into(),
            "/reports/changes?since=30d".into(),
            "/coverage?site=ber-1&range=192.0.2.248/29&port=1161".into(),
            format!("/elements/{}", element_id(0)),
            format!("/elements/{}", element_id(3)),
            format!("/evidence/{digest}"),
            "/exposure".into(),
            "/exposure?asof=2028-01-01".into(),
            "/deadlines".into(),
            "/policies".into(),
            "/policies/DE".into(),
            "/rules/DE-CONTRACT-CORE".into(),
            "/suppliers".into(),
            "/suppliers/huawei".into(),
            format!("/elements/{}?asof=2026-10-27", element_id(3)),
            "/agents".into(),
            format!("/agents/{}", agent_id(1)),
            "/map".into(),
            "/map/ber-1".into(),
        ]
    }
}

async fn read(response: axum::response::Response) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 64 << 20).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

#[tokio::test]
async fn every_page_renders_and_escapes_what_devices_say() {
    let house = House::new();
    let own = ["/account", "/admin"].map(str::to_owned);
    for page in house.pages().into_iter().chain(own) {
        let answer = house.get(&page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.body);
        assert!(!answer.body.contains(SHARP), "{page}");
        assert!(!answer.body.contains('\u{202e}'), "{page}");
        for inline in ["<script>", "<style", " style=", " onclick="] {
            assert!(!answer.body.contains(inline), "{page} has {inline}");
        }
    }
    for page in [
        "/elements",
        "/elements?polling=not_polled",
        "/",
        "/coverage",
        &format!("/elements/{}", element_id(3)),
        &format!("/evidence/{}", house.store.digest(0)),
    ] {
        assert!(
            house.get(page).await.body.contains("&#60;script&#62;"),
            "{page} shows the name"
        );
    }
}

#[tokio::test]
async fn a_swap_and_doubts_about_the_unit_are_shown_at_the_element() {
    let house = House::new();
    let page = house.get(&format!("/elements/{}", element_id(3))).await.body;
    for words in [
        "swap",
        "The same unit elsewhere",
        "cloned key",
        "at the same time, but hardware address differs",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[tokio::test]
async fn every_route_has_the_policy() {
    let house = House::new();
    let mut paths = house.pages();
    let more = [
        "/nowhere",
        "/api/v1/summary",
        "/healthz",
        "/metrics",
        "/assets/marque.css",
        "/assets/none",
        "/?x=1",
    ];
    paths.extend(more.map(str::to_owned));
    paths.push(format!("/evidence/{}/walk", house.store.digest(0)));
    for path in paths {
        let answer = house.get(&path).await;
        assert_eq!(
            answer.headers[header::CONTENT_SECURITY_POLICY],
            CONTENT_SECURITY_POLICY,
            "{path}"
        );
        assert_eq!(
            answer.headers[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff",
            "{path}"
        );
        let kept = answer.headers[header::CACHE_CONTROL] != "no-store";
        assert_eq!(kept, path.starts_with("/assets/m"), "{path}");
        // Without any a browser names no origin to forms either, and they are refused as a stranger's.
        assert_eq!(answer.headers[header::REFERRER_POLICY], "same-origin", "{path}");
    }
}

#[tokio::test]
async fn refusals_have_their_status_and_say_what_to_do() {
    let house = House::new();
    let nobody = element_id(99_999);
    for (path, status, words) in [
        ("/findings?severity=red".to_owned(), 400, "critical, major, minor"),
        (
            "/elements?standing=%3Cscript%3E".to_owned(),
            400,
            "violation, overdue",
        ),
        ("/elements?colour=red".to_owned(), 400, "site, role, maker"),
        (
            "/coverage?state=dark".to_owned(),
            400,
            "engine, object, credential_refused",
        ),
        ("/coverage?range=10.0.0.0/8".to_owned(), 404, "no such range"),
        ("/?wall=yes".to_owned(), 400, "leave it out"),
        (format!("/elements/{nobody}"), 404, "no such element"),
        ("/elements/none".to_owned(), 404, "no such element"),
        (format!("/findings/{}", nobody), 404, "no such finding"),
        ("/evidence/abc".to_owned(), 404, "no such evidence"),
        (
            format!("/evidence/{}?page=9", house.store.digest(0)),
            404,
            "no such page",
        ),
        ("/nowhere".to_owned(), 404, "no such page"),
    ] {
        let answer = house.get(&path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(answer.body.contains(words), "{path}: {}", answer.body);
        assert!(!answer.body.contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_a_503_without_insides() {
    let house = House::new();
    house.store.fails.store(true, Ordering::Relaxed);
    let mut paths = house.pages();
    paths.extend(
        [
            "/api/v1/summary",
            "/api/v1/findings",
            "/api/v1/elements",
            "/healthz",
        ]
        .map(str::to_owned),
    );
    for path in paths {
        let answer = house.get(&path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(!answer.body.contains("secret_table"), "{path}");
    }
}

#[tokio::test]
async fn filters_are_kept_in_forms_and_links() {
    let house = House::new();
    let path = "/findings?severity=critical&severity=major&site=&text=";
    let some = house.get(path).await.body;
    let rows: Vec<_> = some.split("<tr data-key=").skip(1).collect();
    assert!(
        rows.iter().any(|row| row.contains("sev-critical"))
            && rows.iter().any(|row| row.contains("sev-major"))
    );
    assert!(
        !rows
            .iter()
            .any(|row| row.contains("sev-minor") || row.contains("sev-indeterminate"))
    );
    assert!(
        some.contains("value=\"severity:critical severity:major\""),
        "one line says it all"
    );
    let pick = |word: &str, chosen: &str| {
        let at = some.find(&format!(">{word}</a></li>")).unwrap();
        some[..at].ends_with(chosen)
    };
    assert!(pick("critical", "aria-current=\"true\"") && !pick("minor", "aria-current=\"true\""));
    assert!(
        some.contains("href=\"/findings?q=severity%3Amajor\" aria-label=\"Remove severity critical\""),
        "a chip takes critical away"
    );

    let first = house.get(&format!("{path}&limit=1")).await.body;
    let next = "/findings?severity=critical&#38;severity=major&#38;limit=1&#38;after=1";
    assert!(first.contains(&format!("rel=\"next\" href=\"{next}\"")) && !first.contains(">first page<"));
    let second = house.get(&next.replace("&#38;", "&")).await.body;
    assert!(
        second.contains("href=\"/findings?severity=critical&#38;severity=major&#38;limit=1\">first page")
    );
    let key = |page: &str| page.split("<tr data-key=\"").nth(1).unwrap()[..36].to_owned();
    assert_ne!(key(&first), key(&second));
}

#[tokio::test]
async fn many_screens_share_one_reading_while_it_is_true() {
    let house = House::new();
    let told = |page: &Answer| {
        page.body
            .split("data-revision=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(told(&house.get("/").await), "7");
    house.store.fails.store(true, Ordering::Relaxed);
    assert_eq!(
        house.get("/").await.status,
        StatusCode::OK,
        "still true, so not read again"
    );
}

#[tokio::test]
async fn big_numbers_link_to_the_rows_they_count() {
    let house = House::new();
    let now = house.get("/").await.body;
    let mut checked = 0;
    for tile in now.split("<li class=\"tile").skip(1).take(3) {
        let link = tile
            .split("href=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .replace("&#38;", "&");
        let number = tile
            .split("tile-value\">")
            .nth(1)
            .unwrap()
            .split('<')
            .next()
            .unwrap();
        let list = house.get(&link).await;
        assert_eq!(list.status, StatusCode::OK, "{link}");
        assert!(
            list.body.contains(&format!("<b>{number}</b> match")),
            "{link} counts {number}"
        );
        assert_ne!(number, "0", "{link}");
        checked += 1;
    }
    assert_eq!(checked, 3);
}

#[tokio::test]
async fn a_finding_is_walked_back_to_bytes_and_report() {
    let house = House::new();
    let page = house.get(&format!("/findings/{}", finding_id(0))).await.body;
    let digest = house.store.digest(0);
    for step in [
        "DE-CONTRACT-CORE",
        "enterprise:2011",
        "IANA private enterprise numbers",
        &format!("/evidence/{digest}?page=1#row-2"),
        "0x04 OCTET STRING",
        "observation 1, get, complete",
        "sequence 18204",
        "9f2c11d0a4b7e833",
    ] {
        assert!(page.contains(step), "{step}");
    }
}

#[tokio::test]
async fn long_lists_are_cut_and_all_can_be_had() {
    let house = House::new();
    let path = format!("/elements/{}", element_id(0));
    let some = house.get(&path).await.body;
    assert!(some.contains("?all=1#parts\">and 200 more"));
    let all = house.get(&format!("{path}?all=1")).await.body;
    assert!(!all.contains("#parts\">and"));
    assert_eq!(all.matches("class=\"part-name\"").count(), 700);
    assert_eq!(
        all.matches("<ul>").count() - all.matches("</ul></details>").count(),
        0
    );

    let first = house
        .get(&format!("/evidence/{}", house.store.digest(0)))
        .await
        .body;
    assert_eq!(first.matches("<tr id=\"row-").count(), 2_000);
    let second = house
        .get(&format!("/evidence/{}?page=2", house.store.digest(0)))
        .await
        .body;
    assert_eq!(second.matches("<tr id=\"row-").count(), 403);
    assert!(second.contains("id=\"row-2001\"") && second.contains("timed out"));
}

#[tokio::test]
async fn raw_evidence_downloads_as_text_no_browser_would_run() {
    let house = House::new();
    let walk = house
        .get(&format!("/evidence/{}/walk", house.store.digest(1)))
        .await;
    assert_eq!(walk.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert!(
        walk.headers[header::CONTENT_DISPOSITION]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    assert_eq!(walk.body.lines().count(), 9);
    assert!(
        walk.body
            .contains("1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2011.2.62.2.9\n")
    );
}

#[tokio::test]
async fn unknown_is_never_shown_as_clear() {
    let house = House::new();
    let dark = house.get("/elements?maker=unknown").await.body;
    let rows = dark.split("<tbody>").nth(1).unwrap();
    assert!(rows.contains("maker unknown") && rows.contains("std-unknown"));
    assert!(!rows.contains("std-clear") && !rows.contains("sev-cleared"));
}

#[tokio::test]
async fn summary_has_every_word() {
    let house = House::new();
    let summary: Value = serde_json::from_str(&house.get("/api/v1/summary").await.body).unwrap();
    assert_eq!(summary["elements"], 14);
    assert_eq!(summary["lost"], 0);
    assert_eq!(summary["pending"]["unevaluated"], 340);
    assert_eq!(summary["ages"]["unevaluated"], 95);
    assert_eq!(summary["ages"]["last_report"], 3);
    assert_eq!(summary["findings"]["closed"], 0);
    assert!(summary["findings"]["open"].as_u64().unwrap() > 0);
    assert_eq!(summary["severity"].as_object().unwrap().len(), 6);
    assert_eq!(summary["standing"].as_object().unwrap().len(), 8);
    for number in ["reached", "identified", "components", "reports"] {
        assert!(summary[number].as_u64().unwrap() > 0, "{number}");
    }
}

#[tokio::test]
async fn the_api_takes_the_filters_of_the_pages() {
    let house = House::new();
    let page: Value =
        serde_json::from_str(&house.get("/api/v1/findings?severity=critical&limit=1").await.body).unwrap();
    assert_eq!(page["rows"].as_array().unwrap().len(), 1);
    assert_eq!(page["rows"][0]["result"]["severity"], "critical");
    assert!(page["total"].as_u64().unwrap() >= 1);
    let elements: Value =
        serde_json::from_str(&house.get("/api/v1/elements?maker=unknown").await.body).unwrap();
    assert_eq!(elements["rows"][0]["maker"], Value::Null);
    let refused = house.get("/api/v1/findings?severity=red").await;
    let why: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(
        (refused.status.as_u16(), &why["parameter"]),
        (400, &Value::from("severity"))
    );
    assert!(why["allowed"].as_str().unwrap().contains("critical"));
}
