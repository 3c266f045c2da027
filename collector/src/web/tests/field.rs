//! Agents, map, topology, and what an element's page says of law, past and neighbours.

use super::*;
use model::{AccessRole, Person};
use std::collections::BTreeSet;

impl House {
    async fn form(&self, path: &str, body: &str) -> Answer {
        self.form_as(None, path, body).await
    }

    async fn form_as(&self, person: Option<Person>, path: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header(header::HOST, "localhost:8080")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.as_person(person, request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    async fn as_person(&self, person: Option<Person>, mut request: Request<Body>) -> Answer {
        if let Some(person) = person {
            let cookie = format!("marque={}", self.store.let_in(person));
            request
                .headers_mut()
                .insert(header::COOKIE, cookie.parse().unwrap());
        }
        let (parts, body) = self.ask(request).await.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}

#[tokio::test]
async fn agents_are_told_with_their_complaints_first() {
    let house = House::new();
    let page = house.get("/agents").await.body;
    for words in [
        "3 of 4 need a look",
        "silent",
        "clock off",
        "plan refused",
        "reports wait",
        "Enrolled, and never heard of",
        "marque-agent enrol",
        "Tokens that still open",
        "&#60;script&#62;",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let at = |agent| page.find(&format!("data-key=\"{}\"", agent_id(agent))).unwrap();
    assert!(
        at(1) < at(0) && at(2) < at(0) && at(3) < at(0),
        "who is well comes last"
    );
    let one = house.get(&format!("/agents/{}", agent_id(1))).await.body;
    for words in [
        "It goes on with the plan before",
        "400 – 1606",
        "1\u{202f}207",
        "spool full",
        "2026-11-24 01:25:00 UTC",
        "9f2c11d0a4b7e833",
        "Shut out for good",
    ] {
        assert!(one.contains(words), "{words}: {one}");
    }
    let covered = house.get(&format!("/agents/{}", agent_id(0))).await.body;
    assert!(covered.contains("192.0.2.248/29 port 1161"), "{covered}");
    let silent = house.get(&format!("/agents/{}", agent_id(99))).await.body;
    assert!(silent.contains("It enrolled and never spoke"), "{silent}");
    assert_eq!(
        house.get(&format!("/agents/{}", agent_id(77))).await.status,
        StatusCode::NOT_FOUND
    );
    let now = house.get("/").await.body;
    assert!(
        now.contains(&format!("href=\"/agents/{}\"", agent_id(1))),
        "the first page leads there"
    );
}

#[tokio::test]
async fn an_invitation_shows_its_token_once_and_signs_for_it() {
    let house = House::new();
    for (typed, wrong) in [
        ("site=nowhere&minutes=5", "Choose one of the declared sites."),
        ("site=ber-1&minutes=0", "A whole number from 1 to 10080"),
        ("site=ber-1&minutes=10081", "A whole number from 1 to 10080"),
        ("minutes=5", "Choose one of the declared sites."),
    ] {
        let answer = house.form("/agents/invite", typed).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{typed}");
        assert!(answer.body.contains(wrong), "{typed}: {}", answer.body);
    }
    assert!(house.store.invited.lock().unwrap().is_empty());
    let kept = house.form("/agents/invite", "site=ber-1&minutes=%3Cb%3E").await;
    assert!(
        kept.body.contains("value=\"&#60;b&#62;\""),
        "what was typed is shown again"
    );

    let answer = house.form("/agents/invite", "site=ber-1&minutes=30").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let (_, rest) = answer.body.split_once("id=\"token\">").unwrap();
    let token = rest.split('<').next().unwrap();
    let token: proto::token::JoinToken = token.parse().unwrap();
    assert_eq!(token.authority, [7; 32], "it is for our authority");
    let (invitation, by) = house.store.invited.lock().unwrap()[0].clone();
    assert_eq!(
        (invitation.token, invitation.secret_hash),
        (token.id, token.secret_hash())
    );
    assert_eq!(invitation.expires.0, NOW.0 + 30 * 60_000_000);
    assert_eq!(
        (by.person.as_str(), by.account.as_str()),
        (admin().name.as_str(), "unknown")
    );
    let page = house.get("/agents").await.body;
    assert!(!page.contains(&token.text()), "it is shown once");
}

#[tokio::test]
async fn an_agent_is_shut_out_with_a_reason_and_by_whoever_is_sure() {
    let house = House::new();
    let path = format!("/agents/{}/revoke", agent_id(2));
    for (typed, wrong) in [
        ("reason=&sure=1", "Say why"),
        ("reason=stolen", "nobody can undo it"),
    ] {
        let answer = house.form(&path, typed).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains(wrong), "{wrong}: {}", answer.body);
    }
    assert!(house.store.shut.lock().unwrap().is_empty());
    let nobody = format!("/agents/{}/revoke", agent_id(77));
    assert_eq!(
        house.form(&nobody, "reason=x&sure=1").await.status,
        StatusCode::NOT_FOUND
    );
    let answer = house.form(&path, "reason=stolen+%3Cscript%3E&sure=1").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let to = answer.headers[header::LOCATION].to_str().unwrap().to_owned();
    let page = house.get(&to).await.body;
    for words in [
        "It is shut out from now on",
        "by <b>Ada &#60;Lovelace&#62;</b>: stolen &#60;script&#62;",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("id=\"revoke\""), "it cannot be shut out twice");
    assert_eq!(house.store.shut.lock().unwrap()[0].0, agent_id(2));
}

#[tokio::test]
async fn an_agent_is_put_into_quarantine_and_released_with_reasons() {
    let house = House::new();
    let way = |word: &str| format!("/agents/{}/{word}", agent_id(2));
    for word in ["quarantine", "release"] {
        let answer = house.form(&way(word), "reason=").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("Say why"), "{word}: {}", answer.body);
        let nobody = format!("/agents/{}/{word}", agent_id(77));
        assert_eq!(
            house.form(&nobody, "reason=x").await.status,
            StatusCode::NOT_FOUND
        );
    }
    let early = house.form(&way("release"), "reason=x").await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(house.store.held.lock().unwrap().is_empty());

    let page_of = async |answer: Answer| {
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let to = answer.headers[header::LOCATION].to_str().unwrap().to_owned();
        house.get(&to).await.body
    };
    let page = page_of(house.form(&way("quarantine"), "reason=odd+%3Cscript%3E").await).await;
    for words in [
        "Nothing of it is taken from now on",
        "by <b>Ada &#60;Lovelace&#62;</b>: odd &#60;script&#62;",
        "Release it</button>",
        "<h2>In quarantine</h2>",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let again = house.form(&way("quarantine"), "reason=me+too").await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        again.body.contains("It was put there meanwhile"),
        "{}",
        again.body
    );
    // What is counted may be a second old, so it is asked of pages that never counted.
    let anew = || {
        let (store, policies) = (house.store.clone(), Arc::new(house.store.policies.clone()));
        let door = Arc::new(Door::new(store.clone(), || NOW, TIMES).unwrap());
        House::over(door, store, policies, true, false)
    };
    let page = anew().get(&format!("/agents/{}", agent_id(2))).await.body;
    assert!(
        page.contains("nothing of it is taken until it is released"),
        "{page}"
    );
    assert!(
        !page.contains("No message for ten minutes"),
        "it is not silent: {page}"
    );
    for (path, words) in [
        ("/agents", "<b>1</b> in quarantine"),
        ("/", "1 in quarantine;"),
        ("/coverage", "<b>In quarantine:</b>"),
    ] {
        let page = anew().get(path).await.body;
        assert!(page.contains(words), "{path}: {page}");
    }
    let elsewhere = house.get("/coverage?site=ber-1").await.body;
    assert!(!elsewhere.contains("In quarantine"), "it stands elsewhere");

    let page = page_of(house.form(&way("release"), "reason=was+%3Cb%3E").await).await;
    for words in [
        "It is released: it comes back by itself",
        "Quarantines that are over",
        "was &#60;b&#62;",
        "Put into quarantine</button>",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!anew().get("/agents").await.body.contains("in quarantine"));
}

#[tokio::test]
async fn the_plan_of_an_agent_stands_on_its_page_and_its_text_does_not() {
    let house = House::new();
    for (agent, words) in [
        (
            0,
            vec![
                "It follows 3, the newest revision",
                "Revision 3, which it follows",
            ],
        ),
        (
            1,
            vec![
                "It cannot follow 3; it follows 2.",
                "<b>Refused</b>: ",
                "Revision 2, which it follows",
            ],
        ),
        (
            2,
            vec!["It takes no plans", "which it was given and does not follow"],
        ),
    ] {
        let page = house.get(&format!("/agents/{}", agent_id(agent))).await.body;
        let always = [
            "every 1 h",
            "every day 22:30 – 04:00 UTC+00:00",
            "10.0.4.1",
            "10.0.5.0/24",
            "swept, follows neighbours",
            "10.0.5.9",
            "1 target, 0 ranges",
            "docs/manual/plans.md",
        ];
        for words in words.into_iter().chain(always) {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(
            !page.contains("nobody sees this line") && !page.contains("<script>alert"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn the_map_shows_sites_by_the_worst_there_and_the_table_says_the_same() {
    let house = House::new();
    let page = house.get("/map").await.body;
    for words in [
        "<svg class=\"map\"",
        "href=\"/map/ber-1\" class=\"mark mark-",
        "Without coordinates",
        "52.52° N 13.40° E",
        "not declared",
        "° N</text>",
        "<b>4</b> sites",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (_, below) = page.split_once("Without coordinates").unwrap();
    assert!(below.contains("href=\"/map/nyc-1\""));
    let (map, _) = page.split_once("Without coordinates").unwrap();
    assert!(!map.contains("href=\"/map/nyc-1\""), "nobody knows where it is");
}

#[tokio::test]
async fn a_site_is_drawn_with_whom_nobody_polls_hollow() {
    let house = House::new();
    let page = house.get("/map/ber-1").await.body;
    for words in [
        "<svg class=\"graph\"",
        "seen, not polled; perhaps restricted",
        "class=\"dot maker-",
        "class=\"ring\"",
        " hollow\"",
        "possibly Huawei",
        "not polled",
        "lon-2-r001",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Four elements of the site, one of another they name, and one stranger whom all name.
    assert_eq!(page.matches("<title>").count() - 1, 4 + 1 + 1, "{page}");
    assert_eq!(house.get("/map/nowhere").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_element_says_what_each_law_says_by_date_and_why_it_is_not_another_maker() {
    let house = House::new();
    let page = house.get(&format!("/elements/{}", element_id(0))).await.body;
    for words in [
        "Verdicts by law and date",
        "end of the year",
        "<b>DE</b>",
        "<b>EU</b>",
        "Why not the other verdict",
        "hardware address 40 %",
        "Huawei: sysDescr 95 %, sysObjectID 95 %",
        "may be that of a network card",
        "seen, not polled",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let named = house.get(&format!("/elements/{}", element_id(4))).await.body;
    assert!(
        named.contains("is named by") && named.contains("ber-1-r000"),
        "{named}"
    );
    assert!(
        named.contains("calls this element possibly Huawei <span class=\"dim\">31 %</span>"),
        "{named}"
    );
    let (_, law) = page.split_once("id=\"law\"").unwrap();
    let (law, _) = law.split_once("</section>").unwrap();
    assert!(law.contains("std-"), "{law}");
}

#[tokio::test]
async fn an_element_is_shown_as_known_then_and_as_known_now() {
    let house = House::new();
    let path = format!("/elements/{}", element_id(0));
    let page = house.get(&path).await.body;
    assert!(
        page.contains("data-days=\"2026-07-09 2026-10-27 2026-11-24 2026-11-26\""),
        "{page}"
    );
    assert!(page.contains("Something changed on 4 days"));
    let page = house.get(&format!("{path}?asof=2026-10-27")).await.body;
    let (_, then) = page.split_once("id=\"as-it-was\"").unwrap();
    let (then, _) = then.split_once("</div>\n").unwrap();
    for words in [
        "as known then",
        "as known now",
        "Huawei (97 %)",
        "known otherwise now",
    ] {
        assert!(then.contains(words), "{words}: {then}");
    }
    let row = then.split("<tr").find(|row| row.contains(">maker<")).unwrap();
    assert!(
        row.contains("class=\"unknown\"") && row.contains("Huawei"),
        "{row}"
    );
    for bad in ["2026-11-27", "2026-13-01", "soon", "2026"] {
        let answer = house.get(&format!("{path}?asof={bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn coverage_tells_every_step_and_everything_dark_with_its_reason() {
    let house = House::new();
    let page = house.get("/coverage").await.body;
    for words in [
        ">confident<",
        "Dark, and why",
        "named and never answered",
        "seen only as a neighbour",
        "no maker named",
        "it told its engine and was silent to the credential, twice",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let only = house.get("/coverage?site=lon-2").await.body;
    assert!(
        only.contains("of lon-2 alone") && !only.contains("192.0.2.248/29"),
        "{only}"
    );
}

/// Pages as somebody of one site sees them.
async fn as_viewer(path: &str) -> Answer {
    let house = House::new();
    let person = Person {
        name: "Ann".into(),
        role: AccessRole::Viewer,
        sites: Some(BTreeSet::from(["ber-1".parse().unwrap()])),
    };
    let request = Request::get(path).header(header::HOST, "localhost:8080");
    house
        .as_person(Some(person), request.body(Body::empty()).unwrap())
        .await
}

#[tokio::test]
async fn whoever_is_limited_to_sites_sees_nothing_of_others() {
    let agents = as_viewer("/agents").await.body;
    assert!(agents.contains(&agent_id(0).to_string()) && !agents.contains(&agent_id(1).to_string()));
    assert!(
        !agents.contains("lon-2") && !agents.contains("action=\"/agents/invite\""),
        "{agents}"
    );
    let map = as_viewer("/map").await.body;
    assert!(
        map.contains("/map/ber-1") && !map.contains("/map/lon-2") && !map.contains("nyc-1"),
        "{map}"
    );
    let site = as_viewer("/map/ber-1").await.body;
    assert!(!site.contains("lon-2-r001"), "{site}");
    let coverage = as_viewer("/coverage").await.body;
    assert!(!coverage.contains("waw-1"), "{coverage}");
    let own = as_viewer(&format!("/elements/{}", element_id(0))).await;
    assert!(own.status == StatusCode::OK && !own.body.contains("lon-2-r001"));
    for path in [
        format!("/agents/{}", agent_id(1)),
        "/map/lon-2".to_owned(),
        format!("/elements/{}", element_id(1)),
    ] {
        assert_eq!(as_viewer(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let house = House::new();
    let viewer = Person {
        name: "Ann".into(),
        role: AccessRole::Compliance,
        sites: None,
    };
    for path in [
        "/agents/invite".to_owned(),
        format!("/agents/{}/revoke", agent_id(0)),
    ] {
        let answer = house
            .form_as(Some(viewer.clone()), &path, "site=ber-1&reason=x&sure=1")
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert!(house.store.invited.lock().unwrap().is_empty() && house.store.shut.lock().unwrap().is_empty());
}
