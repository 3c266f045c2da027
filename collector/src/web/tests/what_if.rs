//! The page that judges the network under an assumption.

use super::*;
use futures_util::future::join_all;

#[tokio::test]
async fn an_assumed_rule_shows_what_would_open() {
    let house = House::new();
    let empty = house.get("/what-if").await;
    assert_eq!(empty.status, StatusCode::OK);
    assert!(
        !empty.body.contains("would open at"),
        "nothing is judged before it is asked"
    );
    let page = house
        .get("/what-if?rule=EU-CSA2-PROP&from=2026-02&asof=2026-11-26")
        .await;
    assert_eq!(page.status, StatusCode::OK);
    for words in [
        "would open at",
        "by month",
        "2029-02",
        "by supplier",
        "no maker known",
        "Nothing after 20",
        "Not legal advice",
    ] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    assert!(
        !page.body.contains("<b>0</b> findings would open"),
        "{}",
        page.body
    );
    assert!(
        !page.body.contains("<script>alert"),
        "names of devices are escaped"
    );
}

#[tokio::test]
async fn a_cap_is_said_of_the_whole_and_never_reads_as_nothing() {
    let house = House::new();
    let page = house
        .get("/what-if?rule=DE-BMI-2023-DRAFT&from=2026-10-01&asof=2026-11-26")
        .await;
    assert_eq!(page.status, StatusCode::OK);
    for words in [
        "<b>0</b> findings would open",
        "with it: <b>",
        "where 25 are allowed",
    ] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
}

#[tokio::test]
async fn what_cannot_be_assumed_is_told_with_what_can() {
    let house = House::new();
    for (path, status, told) in [
        (
            "/what-if?rule=EU-CSA2-PRO",
            StatusCode::BAD_REQUEST,
            "the closest is EU-CSA2-PROP",
        ),
        (
            "/what-if?rule=EU-CSA2-PROP&from=soon",
            StatusCode::BAD_REQUEST,
            "YYYY-MM-DD",
        ),
        (
            "/what-if?rule=EU-CSA2-PROP&asof=2026-13",
            StatusCode::BAD_REQUEST,
            "YYYY-MM-DD",
        ),
        ("/what-if?pack=x", StatusCode::BAD_REQUEST, "this page knows"),
    ] {
        let page = house.get(path).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.body.contains(told), "{path}: {}", page.body);
    }
}

/// While one is judged the next one is told to come again, and other pages do not wait.
#[tokio::test]
async fn one_page_is_judged_at_a_time() {
    let house = House::new();
    let ask = || house.get("/what-if?rule=EU-CSA2-PROP&from=2026-02");
    let answers = join_all((0..4).map(|_| ask())).await;
    let of = |status| answers.iter().filter(|answer| answer.status == status).count();
    let (judged, busy) = (of(StatusCode::OK), of(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!((judged >= 1, judged + busy), (true, 4));
    assert_eq!(ask().await.status, StatusCode::OK, "the turn is given back");
}
