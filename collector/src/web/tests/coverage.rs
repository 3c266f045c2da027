//! Coverage, and who is seen and not polled.

use super::*;

#[tokio::test]
async fn coverage_shows_the_funnel_and_what_is_dark_and_the_api_says_the_same() {
    let house = House::new();
    let page = house.get("/coverage?range=192.0.2.248/29").await.body;
    for words in [
        "192.0.2.251 – 192.0.2.252",
        "1 ignored",
        "it told its engine and was silent to the credential, twice",
        "1 left alone at their last turn",
        "203.0.113.9",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let api: Value =
        serde_json::from_str(&house.get("/api/v1/coverage?range=192.0.2.248/29").await.body).unwrap();
    let range = &api["sites"][0]["ranges"][0];
    assert_eq!(
        (&range["states"]["silent"], &range["funnel"]["answered"]),
        (&2.into(), &3.into())
    );
    assert_eq!(range["unreached"]["window"], 1);
    assert_eq!(api["runs"].as_array().unwrap().len(), 5, "{}", api["runs"]);
    let scope = api["funnel"]["in_scope"].as_u64().unwrap();
    assert_eq!(scope, 14 + 7);
    let only = house
        .get("/api/v1/coverage?range=192.0.2.248/29&state=unreachable")
        .await
        .body;
    let only: Value = serde_json::from_str(&only).unwrap();
    assert_eq!(only["runs"][0]["first"], "192.0.2.253");
    assert!(house.get("/api/v1/coverage").await.body.contains("\"runs\":null"));
}

#[tokio::test]
async fn who_told_an_engine_is_shown_with_what_it_says_and_never_as_clear() {
    let house = House::new();
    let all = house.get("/coverage").await.body;
    for words in [
        "800007db0300e0fc123456",
        "<b>4</b> engine IDs",
        "enterprise 2011: ",
        "00:e0:fc:12:34:56: ",
        "possibly Huawei",
        "one box on 2 addresses",
        "192.0.2.249:1161, 192.0.2.254:1161",
        "engine, ignored",
        "polled as <a",
        "has the engine ID of <a",
        "cloned engine ID: another box tells it too",
        "in equipment of many makers",
        "no engine ID: shorter than 5 octets",
        "in no range",
        "&#60;script&#62;",
    ] {
        assert!(all.contains(words), "{words}: {all}");
    }
    assert!(!all.contains(SHARP));
    let range = house.get("/coverage?range=192.0.2.248/29").await.body;
    assert!(
        range.contains("<b>1</b> engine IDs") && range.contains("one box on 2 addresses"),
        "{range}"
    );
    assert!(!range.contains("cloned engine ID"));
    let api = async |query: &str| -> Value {
        serde_json::from_str(&house.get(&format!("/api/v1/coverage{query}")).await.body).unwrap()
    };
    let engines = &api("").await["engines"];
    assert_eq!(
        (&engines["total"], engines["rows"].as_array().unwrap().len()),
        (&4.into(), 5)
    );
    let one = &engines["rows"][1];
    assert_eq!(
        (
            &one["kin"],
            &one["enterprise"],
            &one["mac"],
            &one["maker"]["supplier"]["id"]
        ),
        (
            &"one_box".into(),
            &2011.into(),
            &"00:e0:fc:12:34:56".into(),
            &"huawei".into()
        )
    );
    assert!(one["maker"]["confidence"].as_f64().unwrap() <= 0.45);
    assert_eq!(one["addresses"][1]["state"], "ignored");
    assert_eq!(api("?site=lon-2").await["engines"]["total"], 0);
    assert_eq!(
        house.get("/api/v1/coverage?limit=0").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn who_is_seen_and_not_polled_is_listed_as_such_and_by_its_possible_maker() {
    let house = House::new();
    let page = async |filter: &str| {
        house
            .get(&format!("/elements?polling=not_polled{filter}"))
            .await
            .body
    };
    for shown in [
        page("").await,
        page("&maker=huawei&standing=unknown").await,
        house.get("/coverage").await.body,
    ] {
        for words in [
            "possibly Huawei",
            "31 %",
            "seen, not polled",
            "203.0.113.9, 00:e0:fc:00:00:09",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
    }
    for filter in [
        "&standing=clear",
        "&role=core",
        "&maker=nokia",
        "&text=elsewhere",
        "&site=lon-2",
    ] {
        assert!(page(filter).await.contains("<b>0</b> match"), "{filter}");
    }
    assert!(!house.get("/elements").await.body.contains("seen, not polled"));
    let api: Value = serde_json::from_str(&house.get("/api/v1/coverage").await.body).unwrap();
    assert_eq!(api["seen"][0]["maker"]["confidence"], 0.31);
}
