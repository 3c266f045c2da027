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

/// Elements of which nobody can speak, at the sites that fit.
fn unknown(house: &House, fits: impl Fn(&SiteName) -> bool) -> u64 {
    let rows = house.store.rows();
    let open = |row: &&store::view::ElementRow| row.maker_id.is_none() || row.standing == "unknown";
    rows.filter(|row| fits(&row.site)).filter(open).count() as u64
}

#[tokio::test]
async fn the_register_tells_how_many_it_cannot_speak_of() {
    let house = House::new();
    let told = content(&house, "/reports/register?as=json").await;
    let open = unknown(&house, |_| true);
    assert!(open > 0 && open < 14);
    assert_eq!(fact(&told, "elements known"), Some("14"));
    let words = "of unknown maker or seen in part, perhaps restricted too";
    assert_eq!(fact(&told, words), Some(open.to_string().as_str()), "{told}");
}

#[tokio::test]
async fn a_report_that_holds_everything_counts_it_and_names_no_estimate() {
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
async fn exposure_counts_what_was_seen_in_part_as_unknown_today_and_on_another_day() {
    let house = House::new();
    let open = unknown(&house, |_| true).to_string();
    let today = house.get("/exposure").await.body;
    assert_eq!(tile(&today, "elements of which too little is known"), open);
    let other = house.get("/exposure?asof=2026-11-27").await.body;
    assert_eq!(tile(&other, "elements of which too little is known"), open);
}

#[tokio::test]
async fn a_supplier_without_a_unit_of_its_own_is_told_where_its_parts_are_found() {
    let house = House::new();
    let page = house.get("/exposure").await.body;
    let makers = page.split("id=\"makers\"").nth(1).unwrap();
    let makers = makers.split("</section>").next().unwrap();
    assert!(makers.contains("/suppliers/hisilicon"), "{makers}");
}

#[tokio::test]
async fn the_board_of_some_sites_counts_as_their_first_page_does() {
    let house = House::new().asked_by(of("ber-1"));
    let told = content(&house, "/reports/board?as=json").await;
    let overview = store::Store::overview_of(&*house.store, Some(&["ber-1".parse().unwrap()].into()))
        .await
        .unwrap();
    let open: u64 = overview.exposure.iter().map(|cell| cell.count).sum();
    assert_eq!(fact(&told, "open findings"), Some(open.to_string().as_str()));
    assert_eq!(fact(&told, "waived findings"), None, "{told}");
    let past = content(&house, "/reports/board?as=json&as_of=2026-06-30").await;
    assert_eq!(
        fact(&past, "waived findings"),
        Some("counted among the open ones")
    );
}

#[tokio::test]
async fn dates_ahead_come_before_those_that_passed() {
    let house = House::new();
    let told = content(&house, "/reports/board?as=json").await;
    let dates: Vec<_> = rows(&told, "dates").iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(dates, ["2026-12-31", "2027-12-31", "2023-12-31"]);
}

#[tokio::test]
async fn a_rule_names_the_unknown_of_its_own_law() {
    let house = House::new();
    let open = unknown(&house, |site| site.as_str() == "ber-1");
    assert!(open < unknown(&house, |_| true));
    let page = house.get("/rules/DE-CONTRACT-CORE").await.body;
    let words = format!(">{open} elements of which too little is known<");
    assert!(page.contains(&words), "{words}: {page}");
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
        let file: Value = serde_json::from_str(&house.get(&link).await.body).unwrap();
        let digest = file["sha256"].as_str().unwrap();
        assert!(page.contains(digest), "{link}");
    }
}

#[tokio::test]
async fn waivers_of_now_are_not_told_of_a_day_that_passed() {
    let house = House::new();
    let words = "Waivers that end within";
    assert!(house.get("/deadlines").await.body.contains(words));
    assert!(!house.get("/deadlines?asof=2026-09-01").await.body.contains(words));
}
