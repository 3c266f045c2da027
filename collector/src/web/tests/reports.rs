//! Reports, and what waits for whoever looks.

use super::*;
use crate::web::reports::content::digest;
use model::{AccessRole, Person};

#[tokio::test]
async fn page_csv_and_json_say_the_same_and_each_is_noted_with_its_digest() {
    let house = House::new();
    for report in ["board", "pack?jurisdiction=DE", "register", "changes?since=30d"] {
        let and = if report.contains('?') { "&" } else { "?" };
        let path = format!("/reports/{report}");
        let page = house.get(&path).await;
        let json = house.get(&format!("{path}{and}as=json")).await;
        let csv = house.get(&format!("{path}{and}as=csv")).await;
        assert_eq!(csv.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
        let told: Value = serde_json::from_str(&json.body).unwrap();
        let sha = told["sha256"].as_str().unwrap();
        // What a reader does with `jq -cj .content`: the order of members is that of the file.
        let content = json.body.split_once("\"content\":").unwrap().1;
        assert_eq!(digest(&content[..content.len() - 1]), sha, "{report}");
        let notes: Vec<_> = std::mem::take(&mut house.store.desk.lock().unwrap().log);
        assert_eq!(notes.len(), 3, "{report}");
        for (note, form) in notes.iter().zip(["page", "json", "csv"]) {
            let detail: Value = serde_json::from_str(&note.detail).unwrap();
            assert_eq!((&detail["sha256"], &detail["form"]), (&sha.into(), &form.into()));
            assert_eq!(note.person, admin().name);
            assert_eq!(detail["as_of"], "2026-11-26");
        }
        for body in [&page.body, &csv.body] {
            assert!(body.contains(sha), "{report}: {body}");
            assert!(body.contains("ade by Ada"), "{report}");
        }
        let rows = told["content"]["tables"][0]["rows"].as_array().unwrap();
        assert!(!rows.is_empty(), "{report}");
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .has_headers(false)
            .from_reader(csv.body.as_bytes());
        let records = reader.records().map(Result::unwrap);
        let told = records.filter(|row| !row[0].starts_with("# ")).count();
        assert_eq!(told, rows.len() + 1, "{report}");
        for word in [policy::DISCLAIMER, "2026.11.23"] {
            assert!(csv.body.contains(word), "{report}: {word}");
        }
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_noted_does_not_leave() {
    let house = House::new();
    assert_eq!(house.get("/reports/board").await.status, StatusCode::OK);
    house.store.fails.store(true, Ordering::Relaxed);
    // The counts are still true and kept; only the note is not possible.
    let refused = house.get("/reports/board").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_pack_walks_each_finding_back_to_bytes_agent_and_time() {
    let house = House::new();
    let pack = house.get("/reports/pack?jurisdiction=DE&as=json").await.body;
    let told: Value = serde_json::from_str(&pack).unwrap();
    let tables = &told["content"]["tables"];
    let columns = tables[0]["columns"].as_array().unwrap();
    let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
    for row in tables[0]["rows"].as_array().unwrap() {
        assert_eq!(row.as_array().unwrap().len(), columns.len());
        assert_eq!(row[at("law of")], "DE");
        for name in [
            "rule",
            "why",
            "knowledge",
            "policies",
            "agent",
            "report",
            "last walked",
            "citation",
        ] {
            assert_ne!(row[at(name)], "", "{name}");
        }
        assert_eq!(row[at("evidence (SHA-256)")].as_str().unwrap().len(), 64);
        let claims = tables[1]["rows"].as_array().unwrap();
        let own: Vec<_> = claims.iter().filter(|claim| claim[0] == row[0]).collect();
        assert!(
            own.iter()
                .any(|claim| claim[4] == "1.3.6.1.2.1.1.2.0" && claim[7] == "1, get, complete")
        );
    }
    let one = house
        .get(&format!("/reports/pack?finding={}", finding_id(0)))
        .await;
    assert_eq!(one.status, StatusCode::OK);
    assert_eq!(one.body.matches("<section class=\"panel walk\">").count(), 1);
    let link = format!("/reports/pack?finding={}", finding_id(0));
    let page = house.get(&format!("/findings/{}", finding_id(0))).await.body;
    assert!(page.contains(&link));
}

#[tokio::test]
async fn whoever_is_limited_to_sites_is_told_of_no_other() {
    let house = House::new().asked_by(Person {
        name: "Ann".into(),
        role: AccessRole::Viewer,
        sites: Some(["ber-1".parse().unwrap()].into()),
    });
    let ask = async |path: &str| house.get(path).await;
    for path in [
        "/reports/register?as=json",
        "/reports/register?as=json&site=lon-2&site=ber-1",
        "/reports/changes?as=json&since=30d",
        "/reports/pack?as=json&jurisdiction=DE",
        "/reports/board?as=json",
    ] {
        let answer = ask(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        for other in ["lon-2", "nyc-1", "waw-1"] {
            assert!(
                !answer
                    .body
                    .replace("\"site\",\"lon-2\"", "")
                    .contains(&format!("\"{other}")),
                "{path}: {other}"
            );
        }
    }
    let own = ask("/reports/register?as=json").await.body;
    assert!(own.contains("\"ber-1\""), "{own}");
    let none: Value = serde_json::from_str(&ask("/reports/register?as=json&site=lon-2").await.body).unwrap();
    assert_eq!(none["content"]["tables"][0]["rows"], Value::Array(Vec::new()));
    assert_eq!(none["content"]["facts"][1]["value"], "0");
    let london = house.store.findings_of("lon-2").expect("London has a finding");
    let refused = ask(&format!("/reports/pack?finding={london}")).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let all = House::new();
    let seen = all.get(&format!("/reports/pack?finding={london}")).await;
    assert_eq!(seen.status, StatusCode::OK);
}

#[tokio::test]
async fn questions_that_cannot_be_meant_say_what_can() {
    let house = House::new();
    for (path, status, words) in [
        ("/reports/pack", 400, "one jurisdiction"),
        ("/reports/pack?jurisdiction=deu", 400, "two letters"),
        ("/reports/pack?finding=x", 404, "no such finding"),
        ("/reports/board?asof=tomorrow", 400, "YYYY-MM-DD"),
        ("/reports/changes?since=-1h", 400, "a span as in 8h"),
        ("/reports/changes?cause=magic", 400, "network"),
        ("/reports/changes?kind=x", 400, "swap"),
        ("/reports/register?as=pdf", 400, "csv, json"),
        (
            "/reports/register?as=csv&table=makers",
            404,
            "table of this report",
        ),
        ("/reports/none", 404, "no such report"),
        ("/?since=%3Cscript%3E", 400, "a span as in 8h"),
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(answer.body.contains(words), "{path}: {}", answer.body);
    }
    assert!(
        house.store.desk.lock().unwrap().log.is_empty(),
        "nothing was made"
    );
}

#[tokio::test]
async fn what_waits_leads_to_the_rows_it_counts() {
    let house = House::new();
    let now = house.get("/?since=7d").await.body;
    let hand = now.split("<section class=\"hand\"").nth(1).unwrap();
    let hand = hand.split("</section>").next().unwrap();
    let mut counted = 0;
    for item in hand.split("<li ").skip(1) {
        let link = item.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
        let number = item.split("<b>").nth(1).unwrap().split('<').next().unwrap();
        let list = house.get(&link.replace("&#38;", "&")).await;
        assert_eq!(list.status, StatusCode::OK, "{link}");
        let said = [
            format!("<b>{number}</b> match"),
            format!("<dt>changes</dt><dd><b>{number}</b>"),
        ];
        assert!(
            said.iter().any(|words| list.body.contains(words)),
            "{link} counts {number}"
        );
        counted += u32::from(number != "0");
    }
    assert!(counted >= 3, "{hand}");
    assert!(hand.contains("today last: 0, 0, 0, 1, 9, 0, 3"), "{hand}");
    for words in [
        "Which restricted equipment is in the core?",
        "/findings?jurisdiction=GB&#38;role=core",
        "What has not been seen at all?",
    ] {
        assert!(now.contains(words), "{words}");
    }
}

#[tokio::test]
async fn a_page_about_one_site_names_its_zone_where_it_is_declared() {
    let house = House::new();
    // ber-1 is declared, lon-2 is not.
    for (element, zone) in [(0, true), (1, false)] {
        let page = house
            .get(&format!("/elements/{}", element_id(element)))
            .await
            .body;
        assert_eq!(page.contains(" data-zone=\"Europe/Berlin\""), zone, "{element}");
    }
    let page = house.get(&format!("/findings/{}", finding_id(0))).await.body;
    assert!(page.contains(" data-zone=\"Europe/Berlin\""));
    let main = "id=\"main\" tabindex=\"-1\" data-zone";
    assert!(page.contains(main), "a page about one site");
    // Of several sites each row has its own, and the page has none.
    for path in ["/", "/findings", "/elements", "/coverage", "/agents", "/waivers"] {
        let page = house.get(path).await.body;
        assert!(!page.contains(main), "{path}");
        let rows = page.split("<tr ").skip(1);
        for row in rows.map(|row| row.split("</tr>").next().unwrap()) {
            let zone = row.contains("data-zone=\"Europe/Berlin\"");
            let elsewhere = ["lon-2", "nyc-1", "waw-1"].iter().any(|site| row.contains(site));
            assert!(!(zone && elsewhere), "{path}: {row}");
            if path == "/findings" || path == "/elements" {
                assert_eq!(zone, row.contains(">ber-1<br>"), "{path}: {row}");
            }
        }
    }
}
