//! The lists on a day that is over.

use super::*;
use crate::api::Problem;
use serde_json::Value;

/// The keys of the rows of a page.
fn rows(page: &str) -> Vec<String> {
    let rows = page.split("<tr data-key=\"").skip(1);
    rows.map(|row| row.split('"').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_past_day_is_said_is_not_live_and_can_be_left() {
    let house = House::new();
    let today = house.get("/findings?q=site%3A*&sort=deadline").await.body;
    let then = house
        .get("/findings?q=site%3A*&sort=deadline&asof=2026-11-25")
        .await
        .body;
    let (now, past) = (rows(&today), rows(&then));
    assert!(!past.is_empty() && past.len() < now.len(), "{past:?} of {now:?}");
    assert!(now.iter().any(|row| !past.contains(row)));
    for (words, on_today) in [
        ("data-live=\"list\"", true),
        ("id=\"acts\"", true),
        ("name=\"finding\"", true),
        ("these as a register", true),
        ("As of 2026-11-25, as known then.", false),
        ("data-then=\"2026-11-25T23:59:59", false),
        ("<dd>2026-11-25, as known then</dd>", false),
        ("<code>packs-of-then</code>", false),
        ("<code>2026.10.01</code>", false),
        (
            "href=\"/findings?q=site%3A%2A&#38;sort=deadline\">today</a>",
            false,
        ),
        ("value=\"2026-11-25\"", false),
        (
            "It is not known until when the packs of that day saw sources.",
            false,
        ),
    ] {
        assert_eq!(today.contains(words), on_today, "today: {words}");
        assert_eq!(then.contains(words), !on_today, "then: {words}\n{then}");
    }
    // Every way on keeps the day: conditions, orders, density, exports.
    for link in [
        "/findings.csv?q=site%3A%2A&#38;sort=deadline&#38;asof=2026-11-25",
        "severity%3Acritical&#38;sort=deadline&#38;asof=2026-11-25",
        "asof=2026-11-25&#38;sort=-deadline",
        "asof=2026-11-25&#38;density=tight",
        "<a class=\"clear\" href=\"/findings?asof=2026-11-25\">",
    ] {
        assert!(then.contains(link), "{link}\n{then}");
    }
    // Today's own day is the live list, whichever way it is named.
    let named = house.get("/findings?asof=2026-11-26").await.body;
    assert!(named.contains("data-live=\"list\"") && !named.contains("as known then"));
}

#[tokio::test]
async fn elements_of_a_past_day_lead_to_that_day() {
    let house = House::new();
    let then = house.get("/elements?q=maker%3Ahuawei&asof=2026-11-25").await.body;
    assert!(!rows(&then).is_empty());
    assert!(then.contains("?asof=2026-11-25#history\"><b>"), "{then}");
    assert!(!then.contains("id=\"pick-polling\"") && !then.contains("data-live=\"list\""));
    let nothing = house.get("/elements?asof=2026-10-20").await;
    assert_eq!(nothing.status, StatusCode::OK);
    assert!(nothing.body.contains("<b>0</b> match") && nothing.body.contains("No element that was known"));
    assert!(
        nothing
            .body
            .contains("<dt>policies</dt><dd><code>none yet</code>")
    );
}

#[tokio::test]
async fn what_has_no_history_and_what_is_no_past_day_is_refused() {
    let house = House::new();
    let page = house
        .get("/elements?q=role%3Acore+polling%3Anot_polled&asof=2026-11-25")
        .await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    let carets = "role:core </span><b class=\"caret\" aria-hidden=\"true\">^^^^^^^</b>";
    assert!(page.body.contains(carets), "{}", page.body);
    assert!(page.body.contains("nobody keeps how it was") && rows(&page.body).is_empty());
    let today = house
        .get("/elements?q=polling%3Anot_polled&asof=2026-11-26")
        .await;
    assert_eq!(today.status, StatusCode::OK);
    for list in ["findings", "elements"] {
        for (day, words) in [
            ("2026-11-27", "Exposure judges a day to come"),
            ("2026-09-30", "a day from 2026-10-01 on"),
            ("2026-11", "YYYY-MM-DD"),
            ("yesterday", "YYYY-MM-DD"),
        ] {
            for path in [
                format!("/{list}?asof={day}"),
                format!("/{list}.csv?asof={day}"),
                format!("/api/v1/{list}?asof={day}"),
            ] {
                let answer = house.get(&path).await;
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
                assert!(answer.body.contains(words), "{path}: {}", answer.body);
            }
        }
    }
    for path in [
        "/elements?polling=not_polled&asof=2026-11-25",
        "/api/v1/elements?q=polling%3Anot_polled&asof=2026-11-25",
        "/elements.json?q=polling%3Anot_polled&asof=2026-11-25",
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.body.contains("nobody keeps how it was"), "{}", answer.body);
    }
}

#[tokio::test]
async fn files_and_the_api_name_the_day_and_its_versions() {
    let house = House::new();
    for list in ["findings", "elements"] {
        let answer = house.get(&format!("/{list}.csv?asof=2026-11-25")).await;
        let named = answer.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert_eq!(
            named,
            format!("attachment; filename=\"marque-{list}-2026-11-25.csv\"")
        );
        for line in [
            "# as_of,2026-11-25",
            "# as_known,2026-11-25",
            "# policies,packs-of-then",
            "# knowledge,2026.10.01",
            "# horizon,unknown",
        ] {
            assert!(answer.body.contains(line), "{line}: {}", answer.body);
        }
        let told: Value =
            serde_json::from_str(&house.get(&format!("/{list}.json?asof=2026-11-25")).await.body).unwrap();
        let api: Value =
            serde_json::from_str(&house.get(&format!("/api/v1/{list}?asof=2026-11-25")).await.body).unwrap();
        assert_eq!(
            (&told["as_of"], &told["as_known"]),
            (&"2026-11-25".into(), &"2026-11-25".into())
        );
        assert_eq!(api["as_of"], "2026-11-25");
        assert_eq!(
            (&api["policies"], &api["knowledge"]),
            (&"packs-of-then".into(), &"2026.10.01".into())
        );
        assert_eq!(told["count"], api["total"]);
        let now: Value = serde_json::from_str(&house.get(&format!("/api/v1/{list}")).await.body).unwrap();
        assert!(now.get("as_of").is_none() && now.get("knowledge").is_none());
    }
}

#[tokio::test]
async fn a_past_day_shows_nobody_more_sites_than_theirs() {
    let house = House::new().asked_by(Person {
        name: "Bo".into(),
        role: AccessRole::Admin,
        sites: Some(["ber-1".parse().unwrap()].into()),
    });
    for path in [
        "/findings?asof=2026-11-25",
        "/findings.csv?asof=2026-11-25",
        "/api/v1/findings?asof=2026-11-25",
        "/elements?asof=2026-11-25",
        "/elements.json?asof=2026-11-25",
        "/api/v1/elements?asof=2026-11-25",
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.body.contains("ber-1"), "{path}");
        for other in ["lon-2-r", "nyc-1", "waw-1", "London"] {
            assert!(!answer.body.contains(other), "{path} shows {other}");
        }
    }
}

#[tokio::test]
async fn a_kept_view_has_no_day() {
    let house = House::new();
    let page = house.get("/findings?q=site%3A*&asof=2026-11-25").await.body;
    assert!(page.contains("name=\"query\" value=\"q=site%3A%2A\""), "{page}");
    let kept = crate::views::query_of(crate::filter::Subject::Findings, "q=site%3A*&asof=2026-11-25");
    let refused = kept.unwrap_err();
    assert!(
        matches!(&refused, Problem::BadParameter { parameter, allowed, .. }
            if parameter == "asof" && allowed.contains("how things stand when somebody looks")),
        "{refused:?}"
    );
}
