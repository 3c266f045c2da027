//! Pages as they were looked at last: a change of their HTML is seen in review, or is a mistake.
//!
//! Every route that answers a page has one here, or stands among those that answer none. `MARQUE_REGENERATE=1`
//! writes them anew. What differs from build to build is fixed: links of assets and the version of the packs, and
//! with it the digest of a report.

use super::*;
use crate::web::access::ROUTES;
use crate::web::assets;
use std::path::PathBuf;
use store::Acts as _;
use store::acts::Note;

/// Routes that answer a file, a stream or a way elsewhere.
const NO_PAGES: &[&str] = &[
    "/audit/export",
    "/findings.csv",
    "/findings.json",
    "/elements.csv",
    "/elements.json",
    "/waivers.csv",
    "/waivers.json",
    "/coverage.csv",
    "/coverage.json",
    "/sign-in/code",
    "/sign-in/openid",
    "/sign-in/openid/done",
    "/complete",
    "/evidence/{digest}/walk",
    "/assets/{name}",
    "/live",
    "/api/v1/summary",
    "/api/v1/findings",
    "/api/v1/elements",
    "/api/v1/coverage",
    "/healthz",
    "/metrics",
];

/// Name, route and address of each page that is kept.
fn pages(house: &House) -> Vec<(&'static str, &'static str, String)> {
    let (finding, element) = (finding_id(0), element_id(3));
    vec![
        ("now", "/", "/".to_owned()),
        ("wall", "/", "/?wall=1".to_owned()),
        ("findings", "/findings", "/findings?severity=critical".to_owned()),
        ("finding", "/findings/{id}", format!("/findings/{finding}")),
        ("elements", "/elements", "/elements?site=ber-1".to_owned()),
        ("element", "/elements/{id}", format!("/elements/{element}")),
        (
            "evidence",
            "/evidence/{digest}",
            format!("/evidence/{}", house.store.digest(1)),
        ),
        ("exposure", "/exposure", "/exposure".to_owned()),
        ("deadlines", "/deadlines", "/deadlines".to_owned()),
        ("policies", "/policies", "/policies".to_owned()),
        ("policy", "/policies/{jurisdiction}", "/policies/DE".to_owned()),
        ("rule", "/rules/{id}", "/rules/DE-CONTRACT-CORE".to_owned()),
        (
            "what-if",
            "/what-if",
            "/what-if?rule=EU-CSA2-PROP&from=2026-02&asof=2026-11-26".to_owned(),
        ),
        ("suppliers", "/suppliers", "/suppliers".to_owned()),
        ("supplier", "/suppliers/{id}", "/suppliers/huawei".to_owned()),
        ("waivers", "/waivers", "/waivers".to_owned()),
        ("coverage", "/coverage", "/coverage".to_owned()),
        ("agents", "/agents", "/agents".to_owned()),
        ("agent", "/agents/{id}", format!("/agents/{}", agent_id(1))),
        ("map", "/map", "/map".to_owned()),
        ("topology", "/map/{site}", "/map/ber-1".to_owned()),
        ("reports", "/reports", "/reports".to_owned()),
        ("board", "/reports/{report}", "/reports/board".to_owned()),
        (
            "pack",
            "/reports/{report}",
            format!("/reports/pack?finding={finding}"),
        ),
        ("register", "/reports/{report}", "/reports/register".to_owned()),
        (
            "changes",
            "/reports/{report}",
            "/reports/changes?since=30d".to_owned(),
        ),
        ("audit", "/audit", "/audit".to_owned()),
        ("account", "/account", "/account".to_owned()),
        ("admin", "/admin", "/admin".to_owned()),
        ("sign-in", "/sign-in", "/sign-in?to=%2Ffindings".to_owned()),
        ("enter", "/enter", "/enter?token=spent".to_owned()),
        ("set-up", "/set-up", "/set-up?token=spent".to_owned()),
        ("refusal", "/findings", "/findings?severity=red".to_owned()),
    ]
}

#[test]
fn every_route_that_answers_a_page_is_kept() {
    let kept: Vec<_> = pages(&House::new())
        .into_iter()
        .map(|(_, route, _)| route)
        .collect();
    for &(_, route, _) in ROUTES.iter().filter(|(method, ..)| *method == "GET") {
        assert_ne!(
            kept.contains(&route),
            NO_PAGES.contains(&route),
            "{route}: a page that is looked at here, or none"
        );
    }
    for route in kept.iter().chain(NO_PAGES) {
        let known = ROUTES
            .iter()
            .any(|(method, path, _)| (method, path) == (&"GET", route));
        assert!(known, "{route} is no route");
    }
}

/// A text with everything fixed that is another in each build.
fn settled(body: &str, packs: &str) -> String {
    let mut text = body.replace(packs, "PACKS");
    for name in ["marque.css", "marque.js", "icon.svg"] {
        text = text.replace(&assets::link(name), &format!("/assets/{name}"));
    }
    let Some((before, rest)) = text.split_once("<code class=\"digest\">") else {
        return text;
    };
    let Some((_, after)) = rest.split_once("</code>") else {
        return text;
    };
    if before.contains("class=\"sealed\"") {
        return format!("{before}<code class=\"digest\">DIGEST</code>{after}");
    }
    text
}

/// A page as the admin sees it; the door as nobody does, whom it is for.
async fn shown(house: &House, route: &str, path: &str) -> String {
    if !matches!(route, "/sign-in" | "/set-up" | "/enter") {
        return house.get(path).await.body;
    }
    let request = Request::get(path).header(header::HOST, "localhost:8080");
    read(house.ask_bare(request.body(Body::empty()).unwrap()).await)
        .await
        .body
}

#[tokio::test]
async fn pages_are_as_they_were_looked_at_last() {
    let house = House::new();
    let (_, web) = House::web(true);
    let done = Note {
        person: "Bo <Diddley>".into(),
        account: "192.0.2.7".into(),
        action: "finding_acknowledged".into(),
        subjects: vec![finding_id(0).to_string()],
        detail: "{\"acknowledged\":null}".into(),
    };
    house.store.note(&done, NOW).await.unwrap();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/web/tests/golden");
    let mut differ = Vec::new();
    for (name, route, path) in pages(&house) {
        let shown = settled(&shown(&house, route, &path).await, web.policies.version());
        let file = folder.join(format!("{name}.html"));
        if std::env::var_os("MARQUE_REGENERATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &shown).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        let line = kept.lines().zip(shown.lines()).position(|(was, is)| was != is);
        if kept != shown {
            let line = line.unwrap_or_else(|| kept.lines().count().min(shown.lines().count()));
            let at = |text: &str| text.lines().nth(line).unwrap_or_default().to_owned();
            differ.push(format!(
                "{name}.html:{}\n  was {}\n  is  {}",
                line + 1,
                at(&kept),
                at(&shown)
            ));
        }
    }
    assert!(
        differ.is_empty(),
        "look at them, then MARQUE_REGENERATE=1 cargo test --workspace --lib golden\n{}",
        differ.join("\n")
    );
}
