//! The pages of the compliance officer.

use super::*;
use futures_util::future::join_all;
use model::{AccessRole, Person};

/// What stands between two texts, the first time.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let rest = page
        .split_once(from)
        .unwrap_or_else(|| panic!("{from} in {page}"))
        .1;
    rest.split_once(to)
        .unwrap_or_else(|| panic!("{to} after {from}"))
        .0
}

#[tokio::test]
async fn exposure_tells_findings_beside_what_is_unknown() {
    let house = House::new();
    let page = house.get("/exposure").await.body;
    let ledger = store::Ledgers::ledger(&*house.store).await.unwrap();
    let open: u64 = ledger.burdens.iter().map(|one| one.open).sum();
    let unknown: u64 = ledger.stock.iter().map(|one| one.unknown).sum();
    assert!(open > 0 && unknown > 0, "the fixture has both");
    let tile = |label: &str| {
        let before = page.split(&format!("\"tile-label\">{label}")).next().unwrap();
        let value = before.rsplit("tile-value").next().unwrap();
        between(value, ">", "<").to_owned()
    };
    assert_eq!(tile("open findings"), open.to_string());
    assert_eq!(tile("elements of which too little is known"), unknown.to_string());
    let matrix = between(&page, "law-matrix", "</table>");
    let line = between(matrix, "/policies/DE\"", "</tr>");
    assert!(
        line.contains("cell-critical") && line.contains("unknown</a>"),
        "{line}"
    );
    assert!(
        line.contains("jurisdiction=DE&#38;role=") || line.contains("jurisdiction=DE&amp;role="),
        "{line}"
    );
    assert!(
        matrix.contains("too little known"),
        "hatched beside every law: {matrix}"
    );
    assert!(
        matrix.contains("nought-open"),
        "a nought beside what is unknown is not clear"
    );
    let laws = ["DE", "EU", "GB", "PL", "US"];
    assert!(
        laws.iter()
            .all(|law| matrix.contains(&format!("/policies/{law}\""))),
        "{matrix}"
    );
    for words in [
        "law changed",
        "Huawei",
        "NetEngine 8000 M8",
        "EUR",
        "Not legal advice",
        "are known well enough to judge",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[tokio::test]
async fn exposure_of_another_day_is_judged_for_it_one_at_a_time() {
    let house = House::new();
    let ask = || house.get("/exposure?asof=2029-06-01");
    let page = ask().await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    for words in [
        "law of <b>2029-06-01</b>",
        "whatever was waived",
        "elements not seen by then",
    ] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    assert!(
        !page.body.contains("What changed"),
        "changes are told of today alone"
    );
    let answers = join_all((0..4).map(|_| ask())).await;
    let of = |status| answers.iter().filter(|answer| answer.status == status).count();
    let (judged, busy) = (of(StatusCode::OK), of(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!((judged >= 1, judged + busy), (true, 4));
    let refused = house.get("/exposure?asof=2029").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.body.contains("YYYY-MM-DD"));
}

#[tokio::test]
async fn a_speed_is_measured_or_absent() {
    let house = House::new();
    let page = house.get("/deadlines").await.body;
    let row = |rule: &str| between(&page, &format!("data-key=\"{rule}-"), "</tr>");
    let measured = row("DE-CONTRACT-CORE");
    assert!(measured.contains("19 <span class=\"dim\">of "), "{measured}");
    assert!(!measured.contains("not measured"), "{measured}");
    let slow = row("GB-DVD-5G-REMOVE");
    assert!(
        slow.contains("not measured") && slow.contains("too few removals"),
        "{slow}"
    );
    let chart = between(&page, "id=\"drawn-DE-CONTRACT-CORE-2026-12-31\"", "</section>");
    for words in ["<title>", "line-left-now", "fill-band", "As a table", "needed"] {
        assert!(chart.contains(words), "{words}: {chart}");
    }
    let other = between(&page, "id=\"drawn-GB-DVD-5G-REMOVE-2027-12-31\"", "</section>");
    assert!(
        !other.contains("fill-band"),
        "no forecast without a speed: {other}"
    );
    for words in [
        "class=\"chart strip\"",
        "2026-12-20",
        "Waivers that end within 90 days",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[tokio::test]
async fn deadlines_are_filtered_and_told_of_a_day() {
    let house = House::new();
    let page = house.get("/deadlines?jurisdiction=GB").await.body;
    assert!(page.contains("GB-DVD-CORE") && !page.contains("DE-CONTRACT-CORE"));
    let page = house
        .get("/deadlines?rule=DE-CONTRACT-CORE&asof=2026-09-01")
        .await
        .body;
    let row = between(&page, "data-key=\"DE-CONTRACT-CORE-", "</tr>");
    assert!(
        !row.contains("19 <span"),
        "what was removed later is not counted: {row}"
    );
    for (path, words) in [
        ("/deadlines?asof=2031-01-01", "a day before"),
        ("/deadlines?asof=soon", "YYYY-MM-DD"),
        ("/deadlines?jurisdiction=deu", "two letters"),
        ("/deadlines?x=1", "this page knows"),
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.body.contains(words), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn every_rule_and_pack_has_a_page_with_its_sources() {
    let house = House::new();
    let list = house.get("/policies").await.body;
    let policies = policy::Policies::built_in().unwrap();
    for pack in policies.packs() {
        let code = pack.code.as_str();
        assert!(list.contains(&format!("/policies/{code}\"")), "{code}");
        let page = house.get(&format!("/policies/{code}")).await;
        assert_eq!(page.status, StatusCode::OK, "{code}");
        assert!(page.body.contains(&pack.digest), "{code} shows its version");
    }
    for rule in policies.rules() {
        let page = house.get(&format!("/rules/{}", rule.id)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", rule.id);
        for url in rule.sources.iter().filter_map(|source| source.url.as_deref()) {
            assert!(
                page.body
                    .contains(&format!("href=\"{}\"", url.replace('&', "&#38;"))),
                "{url}"
            );
        }
    }
    for path in [
        "/policies/XX",
        "/policies/%3Cscript%3E",
        "/rules/NONE",
        "/suppliers/NONE",
        "/suppliers/nobody_at_all",
    ] {
        assert_eq!(house.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_rule_tells_what_it_meets_and_a_draft_leads_to_what_if() {
    let house = House::new();
    let met = house.get("/rules/DE-CONTRACT-CORE").await.body;
    let found = between(&met, "id=\"found\"", "</section>");
    assert!(found.contains("/findings?rule=DE-CONTRACT-CORE"), "{found}");
    assert!(!found.contains("<b>0</b> open"), "{found}");
    assert!(found.contains("elements of which too little is known"), "{found}");
    assert!(
        !found.contains("/what-if"),
        "what holds needs no assumption: {found}"
    );
    assert!(
        met.contains("Elements it meets, the most urgent first")
            && met.contains("class=\"row-link\" href=\"/findings/"),
        "elements are named"
    );
    let draft = house.get("/rules/EU-CSA2-PROP").await.body;
    assert!(draft.contains("/what-if?rule=EU-CSA2-PROP"), "{draft}");
    assert!(draft.contains("No finding is no proof"), "{draft}");
}

#[tokio::test]
async fn rules_are_filtered_by_law_status_supplier_and_day() {
    let house = House::new();
    let rules = |page: &str| page.matches("<tr data-key=").count();
    let all = rules(&house.get("/policies").await.body);
    for query in [
        "jurisdiction=DE",
        "status=proposed",
        "supplier=huawei",
        "in_force=2020-01-01",
        "text=contract",
    ] {
        let page = house.get(&format!("/policies?{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        let some = rules(&page.body);
        assert!(some > 0 && some < all, "{query}: {some} of {all}");
    }
    let then = house
        .get("/policies?in_force=2015-01-01&jurisdiction=DE")
        .await
        .body;
    assert!(!then.contains("/rules/DE-CONTRACT-CORE"), "not known then");
    for bad in ["status=new", "in_force=2020", "supplier=a-b", "colour=red"] {
        let page = house.get(&format!("/policies?{bad}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn a_supplier_is_restricted_by_rules_and_by_nothing_else() {
    let house = House::new();
    let named = house.get("/suppliers/huawei").await.body;
    for words in [
        "Rules in force that mean this supplier",
        "by name:",
        "/rules/DE-CONTRACT-CORE",
        "2011",
        "00E0FC",
        "HiSilicon",
        "A fact about a country is no finding",
        "/elements?maker=huawei",
    ] {
        assert!(named.contains(words), "{words}: {named}");
    }
    let part = house.get("/suppliers/hisilicon").await.body;
    assert!(part.contains("by affiliation:"), "{part}");
    let plain = house.get("/suppliers/nokia").await.body;
    assert!(plain.contains("No rule in force means this supplier"), "{plain}");
    // In the network and in the knowledge, and no company of the packs.
    let list = house.get("/suppliers").await.body;
    assert!(list.contains("elements of unknown maker"), "{list}");
    let here = house.get("/suppliers?show=here").await.body;
    assert!(here.contains("/suppliers/nokia") && !here.contains("/suppliers/hytera"));
    let found = house.get("/suppliers?text=hyte").await.body;
    assert!(found.contains("/suppliers/hytera"));
    assert_eq!(
        house.get("/suppliers?show=x").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn where_knowledge_and_packs_differ_is_said() {
    let house = House::new();
    let policies = policy::Policies::built_in().unwrap();
    let knowledge = identify::Knowledge::built_in().unwrap();
    let only = knowledge
        .suppliers()
        .find(|known| policies.affiliations().company(&known.id).is_none())
        .unwrap();
    let page = house.get(&format!("/suppliers/{}", only.id)).await.body;
    assert!(page.contains("The packs have no company of this key"), "{page}");
    let other = policies
        .affiliations()
        .suppliers
        .iter()
        .find(|company| {
            knowledge
                .supplier(&company.id)
                .is_some_and(|known| known.name != company.name)
        })
        .unwrap();
    let page = house.get(&format!("/suppliers/{}", other.id)).await.body;
    assert!(page.contains("both mean the key"), "{page}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_said() {
    let house = House::new();
    house.store.fails.store(true, Ordering::Relaxed);
    for path in [
        "/exposure",
        "/deadlines",
        "/policies",
        "/rules/DE-CONTRACT-CORE",
        "/suppliers",
        "/suppliers/huawei",
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(!answer.body.contains("secret_table"), "{path}");
    }
}

/// The pages as somebody sees them who is limited to one site.
async fn seen_from(site: &str, path: &str) -> String {
    let house = House::new().asked_by(Person {
        name: "Ann".into(),
        role: AccessRole::Viewer,
        sites: Some([site.parse().unwrap()].into()),
    });
    let answer = house.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}");
    answer.body
}

#[tokio::test]
async fn whoever_is_limited_to_sites_is_told_of_these_alone() {
    let house = House::new();
    let ledger = store::Ledgers::ledger(&*house.store).await.unwrap();
    let elsewhere = |one: &&store::ledger::Burden| one.site.as_str() != "waw-1" && one.open > 0;
    let burden = ledger.burdens.iter().find(elsewhere).unwrap();
    let rule = format!("/rules/{}", burden.rule);
    for (path, other) in [
        ("/exposure", "lon-2"),
        ("/exposure?asof=2026-12-01", "lon-2"),
        (rule.as_str(), burden.site.as_str()),
        ("/deadlines", "ber-1"),
        ("/suppliers/huawei", "ber-1"),
    ] {
        let whole = house.get(path).await.body;
        let part = seen_from("waw-1", path).await;
        assert!(whole.contains(other), "{path} tells of {other}: {whole}");
        for site in ["ber-1", "lon-2", "nyc-1"] {
            assert!(!part.contains(site), "{path} tells of {site}: {part}");
        }
    }
    let part = seen_from("waw-1", "/exposure").await;
    assert!(!part.contains("/policies/US\""), "no law of other sites: {part}");
    let here: u64 = ledger
        .burdens
        .iter()
        .filter(|one| one.site.as_str() == "waw-1")
        .map(|one| one.open)
        .sum();
    let all: u64 = ledger.burdens.iter().map(|one| one.open).sum();
    assert!(here < all, "the fixture has findings elsewhere");
    let value = part.split("\"tile-label\">open findings").next().unwrap();
    let value = between(value.rsplit("tile-value").next().unwrap(), ">", "<");
    assert_eq!(value, here.to_string());
}
