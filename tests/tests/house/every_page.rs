//! Every page there is, once round: by the rows of the route table that are asked for, then what forms answer.
//!
//! Invariants: a route of which nothing is known here stops the walk, so that a new page is not forgotten;
//! each page is opened once and judged as often as the judge likes.

use super::page::Browser;
use super::press::account;
use collector::web::access::ROUTES;
use lab::house::House;
use serde_json::Value;

/// What the pages of this house are about.
struct Things {
    finding: String,
    element: String,
    evidence: String,
    agent: String,
    /// The secret of a link that sets a password.
    link: String,
}

impl Things {
    async fn find(house: &House) -> Self {
        let read = async |path: &str| house.get(path).await.unwrap();
        let after = |page: &str, words: &str| {
            let (_, rest) = page
                .split_once(words)
                .unwrap_or_else(|| panic!("{words}: {page}"));
            rest.split('"').next().unwrap().to_owned()
        };
        let findings: Value = serde_json::from_str(&read("/api/v1/findings").await).unwrap();
        let word = |key: &str| findings["rows"][0][key].as_str().unwrap().to_owned();
        let finding = word("finding");
        let shown = read(&format!("/findings/{finding}")).await;
        Self {
            element: word("element"),
            evidence: after(&shown, "href=\"/evidence/"),
            agent: after(&read("/agents").await, "href=\"/agents/"),
            link: account(house, &["add", "eve", "--role", "viewer"]),
            finding,
        }
    }
}

/// Whether whoever looks has to be signed in, or must not be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Admin,
    Nobody,
}

/// The pages of a route as they are judged; [`None`] if nothing is known of it.
fn samples(route: &str, of: &Things) -> Option<(Who, Vec<String>)> {
    let Things {
        finding,
        element,
        evidence,
        agent,
        link,
    } = of;
    let own = |path: &str| path.to_owned();
    let pages = match route {
        "/" => vec![own("/"), own("/?wall=1")],
        "/findings" => vec![
            own("/findings"),
            own("/findings?severity=critical&severity=minor&text=router"),
            own("/findings?severity=red"),
            own("/findings?asof=2020-02-02"),
            own("/findings?q=stnding%3Adue"),
        ],
        "/findings/{id}" => vec![format!("/findings/{finding}"), own("/findings/none")],
        "/elements/{id}" => vec![
            format!("/elements/{element}"),
            format!("/elements/{element}?all=1"),
            format!("/elements/{element}?asof=2020-02-02"),
        ],
        "/evidence/{digest}" => vec![format!("/evidence/{evidence}")],
        "/coverage" => vec![own("/coverage"), own("/coverage?site=lab")],
        "/exposure" => vec![own("/exposure"), own("/exposure?asof=2028-01-01")],
        "/what-if" => vec![
            own("/what-if"),
            own("/what-if?rule=EU-CSA2-PROP&from=2026-02&asof=2026-11-26"),
        ],
        "/policies/{jurisdiction}" => vec![own("/policies/DE")],
        "/rules/{id}" => vec![own("/rules/DE-CONTRACT-CORE")],
        "/suppliers/{id}" => vec![own("/suppliers/huawei")],
        "/agents/{id}" => vec![format!("/agents/{agent}")],
        "/map/{site}" => vec![own("/map/lab")],
        "/reports/{report}" => vec![
            own("/reports/board"),
            own("/reports/pack?jurisdiction=DE"),
            own("/reports/register"),
            own("/reports/changes"),
        ],
        "/sign-in" => return Some((Who::Nobody, vec![own(route), own("/nowhere")])),
        "/set-up" => return Some((Who::Nobody, vec![format!("/set-up?token={link}")])),
        "/enter" => return Some((Who::Nobody, vec![own("/enter?token=spent")])),
        "/elements" => vec![own(route), own("/elements?asof=2020-02-02")],
        "/waivers" | "/audit" | "/deadlines" | "/policies" | "/suppliers" | "/reports" | "/agents"
        | "/map" | "/account" | "/admin" => vec![own(route)],
        // Files, streams and words for programs: nothing that a person looks at.
        "/audit/export"
        | "/findings.csv"
        | "/findings.json"
        | "/elements.csv"
        | "/waivers.csv"
        | "/waivers.json"
        | "/coverage.csv"
        | "/coverage.json"
        | "/elements.json"
        | "/complete"
        | "/evidence/{digest}/walk"
        | "/assets/{name}"
        | "/live"
        | "/healthz"
        | "/metrics" => Vec::new(),
        route if route.starts_with("/api/") => Vec::new(),
        // Steps on the way in, which lead on where nobody took the one before; judged where they are walked.
        "/sign-in/code" | "/sign-in/openid" | "/sign-in/openid/done" => Vec::new(),
        _ => return None,
    };
    Some((Who::Admin, pages))
}

/// Goes through all pages and judges each where it stands open, by its name.
pub async fn walk(house: &House, browser: &Browser, judge: impl AsyncFn(&str)) {
    let things = Things::find(house).await;
    let mut strange = Vec::new();
    let mut pages = Vec::new();
    for (_, route, _) in ROUTES.iter().filter(|(method, ..)| *method == "GET") {
        match samples(route, &things) {
            Some((who, paths)) => pages.extend(paths.into_iter().map(|path| (who, path))),
            None => strange.push(*route),
        }
    }
    assert!(strange.is_empty(), "pages that nobody judges: {strange:?}");

    let goto = async |path: &str| {
        let url = format!("{}{path}", house.http_url());
        browser.client.goto(&url).await.unwrap();
        let there = browser.client.current_url().await.unwrap();
        assert_eq!(Some(there.path()), path.split('?').next(), "led elsewhere");
    };
    let answered = async |from: &str, path: &str, fields: &[(&str, &str)], words: &str| {
        goto(from).await;
        browser.post(path, fields).await;
        browser.sees(words).await;
        judge(&format!("{path} with {fields:?}")).await;
    };
    for (_, path) in pages.iter().filter(|(who, _)| *who == Who::Admin) {
        goto(path).await;
        judge(path).await;
    }
    goto("/nowhere").await;
    judge("/nowhere").await;

    // What forms answer in place of going on.
    let Things {
        finding, agent, link, ..
    } = &things;
    let moved = format!("{finding}.999");
    let here = format!("/findings/{finding}");
    let seen = [("finding", moved.as_str()), ("do", "acknowledge")];
    answered(
        &here,
        "/findings/act",
        &[&seen[..], &[("back", "/findings")]].concat(),
        "Somebody changed",
    )
    .await;
    let kept = async |act: &str, back: &str, more: &[(&str, &str)], words: &str| {
        goto(back).await;
        let token = browser
            .script("return document.querySelector('[name=finding]')?.value ?? '';")
            .await;
        let fields = [
            &[("finding", token.as_str().unwrap()), ("do", act), ("back", back)],
            more,
        ]
        .concat();
        answered(back, "/findings/act", &fields, words).await;
    };
    kept("comment", &here, &[("text", "")], "see the field below").await;
    kept(
        "waive",
        &here,
        &[("reason", "spares"), ("until", "2001-01-01")],
        "has passed",
    )
    .await;
    kept(
        "plan_removal",
        &here,
        &[("planned", "soon"), ("owner", "x"), ("replacement", "y")],
        "is not a date",
    )
    .await;
    answered(
        "/waivers",
        "/findings/sign",
        &[("do", "approve"), ("back", "/waivers")],
        "Nothing is selected",
    )
    .await;
    answered("/", "/views", &[("page", "findings")], "A view has a name").await;
    answered(
        "/agents",
        "/agents/invite",
        &[("site", "mars"), ("minutes", "x")],
        "one of the declared sites",
    )
    .await;
    answered(
        "/agents",
        "/agents/invite",
        &[("site", "lab")],
        "A join token for one agent",
    )
    .await;
    answered(
        "/agents",
        &format!("/agents/{agent}/revoke"),
        &[],
        "nobody can undo it",
    )
    .await;
    let unfit = [("old", "a"), ("password", "b"), ("again", "c")];
    answered("/account", "/account/password", &unfit, "are not the same").await;
    let nobody = [("name", "<b>"), ("role", "viewer"), ("sites", "all")];
    answered("/admin", "/admin/accounts", &nobody, "A name has letters").await;
    let token = [
        ("name", "reader"),
        ("scope", "see"),
        ("sites", "all"),
        ("days", "3"),
    ];
    answered("/admin", "/admin/tokens", &token, "not shown again").await;
    answered("/", "/", &[], "You may not do this").await;

    browser.client.delete_all_cookies().await.unwrap();
    for (_, path) in pages.iter().filter(|(who, _)| *who == Who::Nobody) {
        goto(path).await;
        judge(path).await;
    }
    let wrong = [("name", "eve"), ("password", "x")];
    answered("/sign-in", "/sign-in", &wrong, "is not right").await;
    let typed = [("token", link.as_str()), ("password", "a"), ("again", "b")];
    answered("/sign-in", "/set-up", &typed, "are not the same").await;
}
