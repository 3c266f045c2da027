//! What is not known is said: no estimate as a count, no nought where nobody could look.

use super::*;
use model::{Instant, SiteName};
use std::sync::atomic::AtomicI64;

fn of(site: &str) -> Person {
    Person {
        name: "Ann".into(),
        role: AccessRole::Viewer,
        sites: Some([site.parse().unwrap()].into()),
    }
}

async fn content(house: &House, path: &str) -> Value {
    let answer = house.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    told["content"].clone()
}

/// What a fact of a report says.
fn fact<'a>(content: &'a Value, name: &str) -> Option<&'a str> {
    let facts = content["facts"].as_array().unwrap();
    let found = facts.iter().find(|fact| fact["name"] == name);
    found.and_then(|fact| fact["value"].as_str())
}

/// Rows of a table of a report.
fn rows<'a>(content: &'a Value, key: &str) -> Vec<Vec<&'a str>> {
    let tables = content["tables"].as_array().unwrap();
    let table = tables.iter().find(|table| table["key"] == key).unwrap();
    let cells = |row: &'a Value| {
        row.as_array()
            .unwrap()
            .iter()
            .map(|cell| cell.as_str().unwrap())
            .collect()
    };
    table["rows"].as_array().unwrap().iter().map(cells).collect()
}

/// The number of a tile.
fn tile(page: &str, label: &str) -> String {
    let before = page.split(&format!("\"tile-label\">{label}")).next().unwrap();
    let value = before.rsplit("tile-value").next().unwrap();
    let value = value.split_once('>').unwrap().1;
    value.split_once('<').unwrap().0.to_owned()
}

/// Elements of which too little is known, at the sites that fit.
fn unknown(house: &House, fits: impl Fn(&SiteName) -> bool) -> u64 {
    let rows = house.store.rows();
    let open = |row: &&store::view::ElementRow| row.standing == "unknown";
    rows.filter(|row| fits(&row.site)).filter(open).count() as u64
}

fn nameless(house: &House) -> u64 {
    house.store.rows().filter(|row| row.maker_id.is_none()).count() as u64
}

/// The parameter that names another day in reports.
const DAY: &str = "asof";

#[tokio::test]
async fn the_register_tells_how_many_it_cannot_speak_of() {
    let house = House::new();
    let open = unknown(&house, |_| true);
    assert!(
        nameless(&house) > 0 && open > nameless(&house) && open < 14,
        "a maker is named of some that nobody can speak of"
    );
    let words = "of which too little is known to judge, perhaps restricted too";
    let told = content(&house, "/reports/register?as=json").await;
    assert_eq!(fact(&told, "elements known"), Some("14"));
    assert_eq!(
        fact(&told, "of unknown maker"),
        Some(nameless(&house).to_string().as_str())
    );
    assert_eq!(fact(&told, words), Some(open.to_string().as_str()), "{told}");
    // Where it looks at one site, by whichever way that is said, it counts there.
    let here = unknown(&house, |site| site.as_str() == "ber-1").to_string();
    for path in [
        "site=ber-1",
        "q=site%3Aber*",
        "q=site%3Aber-1+severity%3Acritical",
    ] {
        let told = content(&house, &format!("/reports/register?as=json&{path}")).await;
        assert_eq!(fact(&told, words), Some(here.as_str()), "{path}");
        assert_eq!(fact(&told, "elements known"), Some("4"), "{path}");
    }
}

#[tokio::test]
async fn a_report_counts_what_lists_reckon() {
    let house = House::new();
    let exact = content(&house, "/reports/register?as=json").await;
    house.store.sampled.store(true, Ordering::Relaxed);
    let told = content(&house, "/reports/register?as=json").await;
    assert_eq!(fact(&told, "entries"), fact(&exact, "entries"));
    assert_eq!(fact(&told, "shown"), None, "{told}");
    let pack = content(&house, "/reports/pack?jurisdiction=DE&as=json").await;
    let rows = rows(&pack, "findings").len().to_string();
    assert_eq!(fact(&pack, "findings that match"), Some(rows.as_str()));
    assert_eq!(fact(&pack, "in this pack"), None, "{pack}");
}

#[tokio::test]
async fn a_report_that_is_cut_says_of_how_many() {
    let (store, policies) = Fixture::new(600, 3).shared();
    let door = Arc::new(Door::new(store.clone(), || NOW, TIMES).unwrap());
    let house = House::over(door, store, policies, true, false);
    house.store.sampled.store(true, Ordering::Relaxed);
    let law = store::clause::Clause::words(store::clause::FindingField::Law, ["DE"]);
    let filter = store::view::FindingFilter {
        clauses: vec![law],
        ..store::view::FindingFilter::default()
    };
    let all = store::Store::finding_keys(&*house.store, &filter)
        .await
        .unwrap()
        .len();
    assert!(all > 100, "{all}");
    let pack = content(&house, "/reports/pack?jurisdiction=DE&as=json").await;
    assert_eq!(fact(&pack, "findings that match"), Some(all.to_string().as_str()));
    let words = format!("the 100 most urgent of {all}");
    assert_eq!(fact(&pack, "in this pack"), Some(words.as_str()));
    assert_eq!(rows(&pack, "findings").len(), 100);
}

#[tokio::test]
async fn a_line_is_a_filter_of_reports_and_is_told() {
    let house = House::new();
    let all = content(&house, "/reports/register?as=json").await;
    let some = content(
        &house,
        "/reports/register?as=json&q=severity%3Acritical+-site%3Alon-2",
    )
    .await;
    let count = rows(&some, "entries").len();
    assert!(count > 0 && count < rows(&all, "entries").len());
    assert!(rows(&some, "entries").iter().all(|row| row[0] != "lon-2"));
    assert_eq!(
        some["asked"],
        serde_json::json!([["q", "severity:critical -site:lon-2"]])
    );
    // The law of a pack may stand in the line.
    let one = content(&house, "/reports/pack?as=json&q=law%3ADE").await;
    let other = content(&house, "/reports/pack?as=json&jurisdiction=DE").await;
    assert_eq!(one["tables"], other["tables"]);
    for (path, words) in [
        ("/reports/pack?q=law%3ADE+law%3AGB", "one jurisdiction"),
        ("/reports/pack?q=-law%3ADE", "one jurisdiction"),
        ("/reports/register?q=colour%3Ared", "at character"),
    ] {
        let refused = house.get(path).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(refused.body.contains(words), "{path}: {}", refused.body);
    }
    // The list of what is filtered leads to the register of it.
    let list = house
        .get("/findings?severity=critical&q=-site%3Alon-2")
        .await
        .body;
    let link = "/reports/register?q=severity%3Acritical%20-site%3Alon-2";
    assert!(list.contains(link), "{list}");
    assert_eq!(house.get(link).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_kept_view_can_be_a_report() {
    let house = House::new();
    let view = |name: &str, page: &str, query: &str| store::views::NewView {
        owner: admin().name,
        name: name.into(),
        page: page.into(),
        query: query.into(),
        shared: false,
        tile: false,
    };
    for view in [
        view("bad ones", "findings", "severity=critical&sort=deadline"),
        view("all", "findings", ""),
        view("boxes", "elements", "site=ber-1"),
    ] {
        store::Views::keep_view(&*house.store, &view, NOW).await.unwrap();
    }
    let seen = content(&house, "/reports/register?as=json&view=bad+ones&q=-site%3Alon-2").await;
    let typed = content(
        &house,
        "/reports/register?as=json&q=severity%3Acritical+-site%3Alon-2",
    )
    .await;
    assert_eq!(seen, typed, "what it says does not change with the view");
    let all = content(&house, "/reports/register?as=json&view=all").await;
    assert_eq!(all, content(&house, "/reports/register?as=json").await);
    for (path, status) in [
        ("/reports/register?view=boxes", 400),
        ("/reports/register?view=none", 404),
        ("/reports/board?view=all", 400),
        ("/reports/board?q=severity%3Acritical", 400),
        ("/reports/changes?severity=critical", 400),
        ("/reports/changes?site=ber-1", 200),
    ] {
        assert_eq!(house.get(path).await.status.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn exposure_counts_what_was_seen_in_part_as_unknown_today_and_on_another_day() {
    let house = House::new();
    let open = unknown(&house, |_| true).to_string();
    let today = house.get("/exposure").await.body;
    let label = "elements of which too little is known";
    assert_eq!(tile(&today, label), open);
    assert!(today.contains("/elements?standing=unknown\""), "{today}");
    let board = content(&house, "/reports/board?as=json").await;
    assert_eq!(
        fact(&board, "of which too little is known to judge"),
        Some(open.as_str())
    );
    let list = house.get("/elements?standing=unknown").await.body;
    assert!(list.contains(&format!("<b>{open}</b> match")), "{list}");
    // Of a day that is judged anew it is the standing judged then.
    let other = house.get("/exposure?asof=2026-11-27").await.body;
    let board = content(&house, &format!("/reports/board?as=json&{DAY}=2026-11-27")).await;
    let standings = rows(&board, "standings");
    let judged = standings.iter().find(|row| row[0] == "unknown").unwrap()[1];
    assert_eq!(tile(&other, label), judged);
    assert!(
        judged.parse::<u64>().unwrap() > nameless(&house),
        "the one seen in part too"
    );
}

#[tokio::test]
async fn a_supplier_without_a_unit_of_its_own_is_told_where_its_parts_are_found() {
    let house = House::new();
    let page = house.get("/exposure").await.body;
    let makers = page.split("id=\"makers\"").nth(1).unwrap();
    let makers = makers.split("</section>").next().unwrap();
    assert!(makers.contains("/suppliers/hisilicon"), "{makers}");
    let board = content(&house, "/reports/board?as=json").await;
    let suppliers = rows(&board, "suppliers");
    assert!(suppliers.iter().any(|row| row[0] == "HiSilicon"), "{suppliers:?}");
    let findings: u64 = suppliers.iter().map(|row| row[1].parse::<u64>().unwrap()).sum();
    assert_eq!(fact(&board, "open findings"), Some(findings.to_string().as_str()));
}

#[tokio::test]
async fn the_board_of_some_sites_counts_as_their_first_page_does() {
    let house = House::new().asked_by(of("ber-1"));
    let told = content(&house, "/reports/board?as=json").await;
    let overview = store::Store::overview_of(&*house.store, Some(&["ber-1".parse().unwrap()].into()))
        .await
        .unwrap();
    let open: u64 = overview.exposure.iter().map(|cell| cell.count).sum();
    let waived = overview
        .states
        .iter()
        .find(|count| count.word == "waived")
        .unwrap()
        .count;
    assert!(open > 0 && waived > 0, "Berlin has both");
    assert_eq!(fact(&told, "open findings"), Some(open.to_string().as_str()));
    assert_eq!(
        fact(&told, "waived findings beside them"),
        Some(waived.to_string().as_str())
    );
    let past = content(&house, &format!("/reports/board?as=json&{DAY}=2026-06-30")).await;
    assert_eq!(
        fact(&past, "waived findings beside them"),
        Some("counted among the open ones")
    );
    assert_eq!(
        fact(&past, "elements known"),
        Some("4"),
        "judged of their site alone"
    );
}

#[tokio::test]
async fn dates_ahead_come_before_those_that_passed() {
    let house = House::new();
    let told = content(&house, "/reports/board?as=json").await;
    let dates: Vec<_> = rows(&told, "dates").iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(dates, ["2026-12-31", "2027-12-31", "2023-12-31 (passed)"]);
}

#[tokio::test]
async fn a_rule_names_the_unknown_of_its_own_law_and_of_the_sites_that_may_be_seen() {
    let house = House::new();
    let under = |site: &SiteName| ["ber-1", "waw-1"].contains(&site.as_str());
    let (law, here) = (
        unknown(&house, under),
        unknown(&house, |site| site.as_str() == "ber-1"),
    );
    assert!(here < law && law < unknown(&house, |_| true), "{here} {law}");
    for (house, count) in [(house.asked_by(of("ber-1")), here), (house, law)] {
        let page = house.get("/rules/EU-CSA2-PROP").await.body;
        let words = format!(">{count} elements of which too little is known<");
        assert!(page.contains(&words), "{words}: {page}");
    }
}

#[tokio::test]
async fn another_day_is_judged_of_their_sites_alone() {
    let house = House::new();
    house.store.crowd.store(20_000, Ordering::Relaxed);
    let all = house.get("/exposure?asof=2026-12-01").await.body;
    assert!(all.contains("too many to judge"), "{all}");
    let few = house
        .asked_by(of("ber-1"))
        .get("/exposure?asof=2026-12-01")
        .await
        .body;
    assert!(!few.contains("too many to judge"), "{few}");
    assert!(few.contains("elements not seen by then"), "{few}");
}

/// Microseconds that went by.
static PASSED: AtomicI64 = AtomicI64::new(0);

#[tokio::test]
async fn page_and_file_of_changes_say_the_same_though_time_passes() {
    let (store, web) = House::web(true);
    let clock = || Instant(NOW.0 + PASSED.fetch_add(1_000_000, Ordering::Relaxed));
    let house = House::of(store, Web { clock, ..web });
    for path in ["/reports/changes", "/reports/changes?since=30d&kind=swap"] {
        let page = house.get(path).await.body;
        let link = page
            .split("href=\"")
            .filter_map(|rest| rest.split('"').next())
            .find(|link| link.starts_with("/reports/changes") && link.contains("as=json"))
            .unwrap()
            .replace("&#38;", "&");
        for _ in 0..2 {
            let file: Value = serde_json::from_str(&house.get(&link).await.body).unwrap();
            let digest = file["sha256"].as_str().unwrap();
            assert!(page.contains(digest), "{link}: {file}");
            let since = &file["content"]["asked"].as_array().unwrap();
            assert!(
                since
                    .iter()
                    .any(|pair| pair[0] == "since" && pair[1].as_str().unwrap().ends_with('Z'))
            );
        }
    }
    let rows = rows(
        &content(&house, "/reports/changes?as=json&since=30d").await,
        "changes",
    )
    .len();
    let until = "/reports/changes?as=json&since=30d&until=2026-11-26T08:59:00Z";
    let earlier = content(&house, until).await;
    let earlier = self::rows(&earlier, "changes").len();
    assert!(earlier > 0 && earlier < rows, "{earlier} of {rows}");
}

#[tokio::test]
async fn a_day_that_passed_is_told_as_it_was_recorded() {
    let house = House::new();
    let today = house.get("/deadlines").await.body;
    let then = house.get("/deadlines?asof=2026-11-20").await.body;
    let ending = "Waivers that end within";
    assert!(today.contains(ending) && !then.contains(ending), "{then}");
    assert!(then.contains("by the end of <b>2026-11-20</b>"), "{then}");
    let row = |page: &str| {
        let row = page.split("data-key=\"DE-CONTRACT-CORE-").nth(1).unwrap();
        row.split("</tr>").next().unwrap().to_owned()
    };
    // The fixture's removals were recorded later than they took place.
    assert!(row(&today).contains(">19 <span class=\"dim\">of "), "{today}");
    assert!(row(&then).contains(">0 <span class=\"dim\">of "), "{then}");
}

#[test]
fn every_act_is_a_kind_of_change_that_can_be_asked_for() {
    let acts = [
        r#"{"act":"acknowledge"}"#,
        r#"{"act":"assign","to":"Bo"}"#,
        r#"{"act":"comment","text":"x"}"#,
        r#"{"act":"waive","reason":"x","until":"2027-01-01"}"#,
        r#"{"act":"approve"}"#,
        r#"{"act":"end_waiver","reason":"x"}"#,
        r#"{"act":"plan_removal","planned":"2027","replacement":"x","owner":"Bo"}"#,
        r#"{"act":"confirm_removal","reason":"x"}"#,
    ];
    let kinds = acts.map(|act| serde_json::from_str::<model::Act>(act).unwrap().kind());
    assert_eq!(kinds, model::Act::KINDS);
}

#[tokio::test]
async fn every_kind_that_is_written_can_be_asked_for() {
    let house = House::new();
    let acts = model::Act::KINDS.map(|kind| format!("finding_{kind}"));
    for kind in store::view::CHANGE_KINDS
        .iter()
        .copied()
        .chain(acts.iter().map(String::as_str))
    {
        let answer = house.get(&format!("/reports/changes?kind={kind}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{kind}");
    }
}
