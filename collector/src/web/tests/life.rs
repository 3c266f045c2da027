//! The life of findings on pages, and what stands beside everything that judges.

use super::*;

#[tokio::test]
async fn a_finding_shows_its_life_and_what_does_not_go_together() {
    let house = House::new();
    let page = house.get(&format!("/findings/{}", finding_id(0))).await.body;
    for words in [
        "Waived until <b>2027-06-30</b>",
        "approved by Bo",
        "waived when it was no_new, and it is due now",
        "planned for 2028-03 by Core team",
        "12\u{202f}000 EUR",
        "planned for 2028-03, after the rule",
        "law changed, time passed",
        "packs 1 → 2; day 2026-11-25 → 2026-11-26",
        "<b>waiver asked</b> by &#60;script&#62;",
        "a person acted",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let list = house.get("/findings?state=waived").await.body;
    for words in [
        "goes 2028-03",
        "until 2027-06-30",
        "class=\"against\"",
        "&#60;script&#62;",
    ] {
        assert!(list.contains(words), "{words}: {list}");
    }
    assert!(list.contains("<b>1</b> match"), "the state is a filter");
    let api: Value = serde_json::from_str(&house.get("/api/v1/findings?state=waived").await.body).unwrap();
    let row = &api["rows"][0];
    assert_eq!(
        (&row["state"], &row["waiver"]["approved_by"]),
        (&"waived".into(), &"Bo".into())
    );
    assert_eq!(row["contradictions"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn everything_that_judges_says_what_it_is_not_and_until_when_the_packs_saw() {
    let house = House::new();
    for page in house.pages() {
        let body = house.get(&page).await.body;
        assert!(body.to_lowercase().contains("not legal advice"), "{page}");
        assert!(body.contains("2026-07"), "{page} names the horizon");
    }
    for path in [
        "/api/v1/summary",
        "/api/v1/findings",
        "/api/v1/elements",
        "/api/v1/coverage",
    ] {
        let answer: Value = serde_json::from_str(&house.get(path).await.body).unwrap();
        assert_eq!(answer["notice"], policy::DISCLAIMER, "{path}");
        assert_eq!(answer["horizon"], "2026-07", "{path}");
        assert_eq!(answer["policies"].as_str().unwrap().len(), 16, "{path}");
    }
}
