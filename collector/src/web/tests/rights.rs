//! Every route and everybody: who is let through is what the table says, for pages, forms and the API alike.

use super::*;
use crate::web::access::ROUTES;
use model::Right;

/// A path of the route that leads somewhere, as far as the fixture has such a thing.
fn path(house: &House, route: &str) -> String {
    let id = if route.starts_with("/findings") {
        finding_id(0).to_string()
    } else {
        element_id(0).to_string()
    };
    route
        .replace("{id}", &id)
        .replace("{digest}", &house.store.digest(0).to_string())
        .replace("{name}", "marque.css")
        .replace("{jurisdiction}", "DE")
        .replace("{report}", "changes")
        .replace("{site}", "ber-1")
        .replace("{route}", "noc")
}

fn request(house: &House, method: &str, route: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path(house, route))
        .header(header::HOST, "localhost:8080")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn every_role_may_what_the_table_says_and_nothing_else() {
    let house = House::new();
    let mut refused = 0;
    for role in AccessRole::ALL {
        let house = house.asked_by(Person {
            name: role.to_string(),
            role,
            sites: None,
        });
        for &(method, route, right) in ROUTES {
            let status = house.ask(request(&house, method, route)).await.status();
            let shut = status == StatusCode::FORBIDDEN || status == StatusCode::UNAUTHORIZED;
            assert_eq!(shut, !role.may(right), "{role} {method} {route}: {status}");
            refused += usize::from(shut);
        }
    }
    assert!(refused >= 20, "the table asks for more than to look ({refused})");
}

/// What is no page: programs ask for it, and follow no way to a door.
const FOR_PROGRAMS: &[&str] = &[
    "/metrics",
    "/live",
    "/findings.csv",
    "/findings.json",
    "/elements.csv",
    "/elements.json",
    "/waivers.csv",
    "/waivers.json",
    "/coverage.csv",
    "/coverage.json",
    "/audit/export",
    "/evidence/{digest}/walk",
];

#[tokio::test]
async fn who_shows_a_token_or_asks_for_a_file_is_told_in_json_and_sent_nowhere() {
    let house = House::new();
    let token = || Some("Bearer marque_nonsense");
    for (path, token) in [
        ("/findings", token()),
        ("/reports/board", token()),
        ("/reports/board?as=json", None),
        ("/reports/register?site=ber-1&as=csv", None),
        ("/audit/export?as=csv", token()),
    ] {
        let mut request = Request::get(path).header(header::HOST, "localhost");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let answer = read(house.ask_bare(request.body(Body::empty()).unwrap()).await).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
        assert!(
            answer.body.starts_with("{\"error\":\"not signed in"),
            "{}",
            answer.body
        );
    }
    let viewer = house.asked_by(Person {
        role: AccessRole::Viewer,
        ..admin()
    });
    let shut = viewer.get("/audit/export?as=csv").await;
    assert_eq!(shut.status, StatusCode::FORBIDDEN);
    assert!(shut.body.starts_with("{\"error\""), "{}", shut.body);
    let page = house.get("/findings?q=role:core").await.body;
    let line = "curl -fsSOJ -H &quot;Authorization: Bearer $MARQUE_TOKEN&quot; 'https://COLLECTOR/findings.csv?q=role%3Acore'";
    assert!(page.contains(line), "{page}");
}

#[tokio::test]
async fn nobody_is_led_to_the_door() {
    let house = House::new();
    for &(method, route, right) in ROUTES {
        let request = request(&house, method, route);
        let asked = request.uri().to_string();
        let response = house.ask_bare(request).await;
        let (status, headers) = (response.status(), response.headers());
        if right == Right::Anyone {
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{method} {route}");
            let to = headers.get(header::LOCATION).map(|to| to.to_str().unwrap());
            assert!(
                to.is_none_or(|to| !to.contains("?to=")),
                "{method} {route}: {to:?}"
            );
        } else if route.starts_with("/api/") || FOR_PROGRAMS.contains(&route) {
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {route}");
            assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer");
            assert_eq!(headers[header::CONTENT_TYPE], "application/json", "{route}");
        } else {
            assert_eq!(status, StatusCode::SEE_OTHER, "{method} {route}");
            let to = headers[header::LOCATION].to_str().unwrap();
            let back = to.strip_prefix("/sign-in?to=").unwrap_or("%2F");
            if method == "GET" {
                assert_eq!(back.replace("%2F", "/"), asked, "{method} {route}");
            } else {
                assert_eq!(to, "/sign-in", "{method} {route}");
            }
        }
    }
    let answer = house
        .get_with("/nowhere", "localhost", &[(header::COOKIE, "x=y")])
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(!answer.body.contains("/findings"), "no way in is shown to nobody");
}

#[tokio::test]
async fn a_page_of_another_site_does_nothing() {
    let house = House::new();
    let forms = ROUTES.iter().filter(|(method, ..)| *method == "POST");
    for &(method, route, _) in forms {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ] {
            let mut request = request(&house, method, route);
            request.headers_mut().insert(name, value.parse().unwrap());
            let status = house.ask(request).await.status();
            assert_eq!(status, StatusCode::FORBIDDEN, "{route} {name}");
        }
        let mut own = request(&house, method, route);
        own.headers_mut()
            .insert("sec-fetch-site", "same-origin".parse().unwrap());
        assert_ne!(house.ask(own).await.status(), StatusCode::FORBIDDEN, "{route}");
    }
}

#[tokio::test]
async fn what_is_not_in_the_table_is_closed_and_the_navigation_shows_what_one_may() {
    let house = House::new();
    assert_eq!(crate::web::access::asked("POST", "/"), None);
    let post = Request::post("/")
        .header(header::HOST, "localhost")
        .body(Body::empty())
        .unwrap();
    assert_eq!(house.ask(post).await.status(), StatusCode::FORBIDDEN);
    let viewer = house.asked_by(Person {
        role: AccessRole::Viewer,
        ..admin()
    });
    assert!(house.get("/").await.body.contains("href=\"/admin\""));
    let page = viewer.get("/").await.body;
    assert!(!page.contains("href=\"/admin\"") && page.contains("href=\"/account\""));
    assert!(
        page.contains("Ada &#60;Lovelace&#62;") && !page.contains("Ada <"),
        "names are escaped"
    );
}

#[tokio::test]
async fn on_loopback_only_its_own_names_are_answered() {
    let house = House::new();
    for (host, status) in [
        ("127.0.0.1:8080", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
    ] {
        assert_eq!(
            house.get_with("/", host, &[]).await.status.as_u16(),
            status,
            "{host}"
        );
    }
    let nameless = house.ask(Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(nameless.status(), StatusCode::MISDIRECTED_REQUEST);
    let open = House::listening(false);
    let page = open.get_with("/", "noc.example", &[]).await;
    assert_eq!(page.status, StatusCode::OK);
}
