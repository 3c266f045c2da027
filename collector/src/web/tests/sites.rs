//! Whoever is limited to sites sees nothing of another one, on any page and by no address.

use super::*;
use serde_json::Value;

fn of(site: &str) -> Person {
    Person {
        name: "Bo".into(),
        role: AccessRole::Admin,
        sites: Some([site.parse().unwrap()].into()),
    }
}

#[tokio::test]
async fn lists_counts_and_exports_show_only_their_sites() {
    let house = House::new().asked_by(of("ber-1"));
    for path in [
        "/",
        "/?wall=1",
        "/findings",
        "/findings?site=lon-2",
        "/elements",
        "/elements?site=lon-2&site=nyc-1",
        "/elements?polling=not_polled",
        "/coverage",
        "/coverage?site=lon-2",
        "/api/v1/summary",
        "/api/v1/findings",
        "/api/v1/findings?site=lon-2",
        "/api/v1/elements",
        "/api/v1/elements?site=lon-2",
        "/api/v1/coverage",
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        for other in ["lon-2-r", "nyc-1", "waw-1", "London"] {
            let asked = path.contains(other);
            assert!(asked || !answer.body.contains(other), "{path} shows {other}");
        }
    }
    let count = async |house: &House, path: &str| {
        let answer: Value = serde_json::from_str(&house.get(path).await.body).unwrap();
        answer["total"].as_u64().or(answer["elements"].as_u64()).unwrap()
    };
    let whole = House::new();
    for (path, own, all) in [
        ("/api/v1/elements", 4, 14),
        ("/api/v1/elements?site=lon-2", 0, 4),
        ("/api/v1/summary", 4, 14),
    ] {
        assert_eq!(count(&house, path).await, own, "{path}");
        assert_eq!(count(&whole, path).await, all, "{path}");
    }
    // Engines of Berlin are Berlin's, also where they are asked for by name.
    let elsewhere = House::new().asked_by(of("lon-2"));
    for query in ["", "?site=ber-1"] {
        let body = elsewhere.get(&format!("/api/v1/coverage{query}")).await.body;
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(told["engines"]["total"], 0, "{query}");
    }
    // A glance of one set of sites is not shared with another.
    assert_eq!(count(&whole, "/api/v1/summary").await, 14);
    let asked_by = whole.asked_by(of("waw-1"));
    assert!(whole.get("/").await.body.contains("London"));
    let page = asked_by.get("/").await.body;
    assert!(page.contains("Warsaw") && !page.contains("London"));
}

#[tokio::test]
async fn what_stands_at_another_site_is_not_there() {
    let (all, here, there) = {
        let house = House::new();
        let (here, there) = (house.asked_by(of("ber-1")), house.asked_by(of("lon-2")));
        (house, here, there)
    };
    // Elements 0, 4, 8 stand in Berlin; finding 0 is about element 0.
    let digest = all.store.digest(0);
    for path in [
        format!("/elements/{}", element_id(0)),
        format!("/findings/{}", finding_id(0)),
        format!("/evidence/{digest}"),
        format!("/evidence/{digest}/walk"),
    ] {
        assert_eq!(all.get(&path).await.status, StatusCode::OK, "{path}");
        assert_eq!(here.get(&path).await.status, StatusCode::OK, "{path}");
        let gone = there.get(&path).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!gone.body.contains("ber-1"), "{path}");
    }
}

#[tokio::test]
async fn what_would_change_is_told_of_their_sites() {
    let path = "/what-if?rule=DE-CONTRACT-CORE";
    let house = House::new();
    let judged = |page: &str| {
        let told = page.split(" elements judged").next().unwrap();
        told.rsplit('>').next().unwrap().parse::<u64>().unwrap()
    };
    let all = judged(&house.get(path).await.body);
    let here = judged(&house.asked_by(of("ber-1")).get(path).await.body);
    assert!(here > 0 && here < all, "{here} of {all}");
}

#[tokio::test]
async fn whoever_administers_some_sites_decides_nothing() {
    let house = House::new().asked_by(of("ber-1"));
    for path in ["/admin/accounts", "/admin/tokens"] {
        let request = Request::post(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from("name=x&role=admin&sites=all&scope=see&days=1"))
            .unwrap();
        assert_eq!(house.ask(request).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    for path in ["/metrics", "/admin"] {
        assert_eq!(house.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert!(!house.get("/").await.body.contains("href=\"/admin\""));
}
