//! Other ways in than a password: tokens, walls, somebody else's word; and what all of them leave in the audit log.

use super::*;
use store::accounts::By;

#[tokio::test]
async fn tokens_open_what_their_scopes_name() {
    let (behind, ada) = Behind::with_ada().await;
    let made = behind
        .post("/admin/tokens", "name=zabbix&scope=see&site=ber-1&days=2", &ada)
        .await;
    let token = made
        .body
        .split("class=\"mono\" readonly value=\"")
        .nth(1)
        .unwrap()[..64]
        .to_owned();
    let bearer = |token: &str| format!("Bearer {token}");
    let ask = async |path: &str, token: &str| {
        behind
            .house
            .get_with(path, "localhost", &[(header::AUTHORIZATION, &bearer(token))])
            .await
    };
    let findings = ask("/api/v1/findings", &token).await;
    assert_eq!(findings.status, StatusCode::OK);
    assert!(findings.body.contains("ber-1") && !findings.body.contains("lon-2"));
    for path in ["/metrics", "/admin", "/account"] {
        assert_eq!(ask(path, &token).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for token in ["", "x", &"0".repeat(64)] {
        assert_eq!(
            ask("/api/v1/findings", token).await.status,
            StatusCode::UNAUTHORIZED,
            "{token}"
        );
    }
    let by = By {
        person: "Ada".into(),
        from: "test".into(),
    };
    let day = std::time::Duration::from_secs(86_400);
    let metrics = behind
        .door
        .add_token("prom", [model::Scope::Metrics].into(), None, day, &by)
        .await
        .unwrap();
    assert_eq!(
        ask("/metrics", metrics.reveal()).await.status,
        StatusCode::NOT_FOUND,
        "not collected here"
    );
    assert_eq!(
        ask("/api/v1/summary", metrics.reveal()).await.status,
        StatusCode::FORBIDDEN
    );
    LATER.set(2 * 86_400);
    assert_eq!(
        ask("/api/v1/findings", &token).await.status,
        StatusCode::UNAUTHORIZED,
        "run out"
    );
    LATER.set(0);
    behind.log().await;
    let tokens = behind.store.tokens().await.unwrap();
    let row = tokens.iter().find(|row| row.name == "zabbix").unwrap();
    assert!(row.used.is_some());
    behind
        .post(&format!("/admin/tokens/{}/end", row.token), "", &ada)
        .await;
    assert_eq!(
        ask("/api/v1/findings", &token).await.status,
        StatusCode::UNAUTHORIZED,
        "ended"
    );
    let log = behind.log().await;
    assert!(
        log.contains(&"token zabbix took_findings /api/v1/findings".to_owned()),
        "{log:?}"
    );
    assert!(log.iter().all(|row| !row.contains(&token)));
}

#[tokio::test]
async fn a_wall_sees_the_wall_and_nothing_else() {
    let (behind, ada) = Behind::with_ada().await;
    let made = behind
        .post("/admin/tokens", "name=noc&scope=wall&sites=all&days=30", &ada)
        .await;
    let link = made
        .body
        .split("value=\"http://localhost/?wall=1&#38;token=")
        .nth(1)
        .unwrap()[..64]
        .to_owned();
    let hung = behind.get(&format!("/?wall=1&token={link}"), "").await;
    assert_eq!(
        (hung.status, location(&hung)),
        (StatusCode::SEE_OTHER, "/?wall=1"),
        "out of the address"
    );
    let wall = cookie_of(&hung);
    assert!(wall.starts_with("marque-wall="));
    assert_eq!(behind.get("/?wall=1", &wall).await.status, StatusCode::OK);
    let request = Request::get("/live")
        .header(header::HOST, "localhost")
        .header(header::COOKIE, &wall);
    let live = behind.house.ask_bare(request.body(Body::empty()).unwrap()).await;
    assert_eq!(live.status(), StatusCode::OK);
    for path in [
        "/",
        "/?wall=1&x=1",
        "/findings",
        "/api/v1/summary",
        "/account",
        "/admin",
        "/metrics",
    ] {
        assert_eq!(
            behind.get(path, &wall).await.status,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    let wrong = behind
        .get(&format!("/?wall=1&token={}", "0".repeat(64)), "")
        .await;
    assert_eq!(location(&wrong), "/sign-in");
    let token = &behind.store.tokens().await.unwrap()[0];
    behind
        .post(&format!("/admin/tokens/{}/end", token.token), "", &ada)
        .await;
    assert_eq!(behind.get("/?wall=1", &wall).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn somebody_vouched_for_comes_in_with_the_rights_named_and_never_as_a_local_account() {
    let (behind, _) = Behind::with_ada().await;
    let berlin = || Some(["ber-1".parse().unwrap()].into());
    let opened = behind
        .door
        .sign_in_as("cy@example.net", AccessRole::Operator, berlin(), None)
        .await
        .unwrap();
    let cookie = format!("marque={}", opened.secret.reveal());
    let page = behind.get("/account", &cookie).await.body;
    assert!(page.contains("operator") && page.contains("Another party vouches for you"));
    // The rights of the next time hold for the session of the last.
    behind
        .door
        .sign_in_as("cy@example.net", AccessRole::Viewer, None, None)
        .await
        .unwrap();
    assert!(behind.get("/account", &cookie).await.body.contains("all sites"));
    assert!(
        behind
            .door
            .sign_in_as("ADA", AccessRole::Admin, None, None)
            .await
            .is_err()
    );
    assert_eq!(
        behind.sign_in("cy%40example.net", "").await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn sights_are_written_once_and_only_of_what_was_shown() {
    let (behind, ada) = Behind::with_ada().await;
    let finding = format!("/findings/{}", finding_id(0));
    let digest = behind.house.store.digest(0);
    for path in [
        &finding,
        &finding,
        &format!("/evidence/{digest}/walk"),
        "/findings",
        "/elements/none",
    ] {
        behind.get(path, &ada).await;
    }
    let log = behind.log().await;
    let count = |words: &str| log.iter().filter(|row| row.starts_with(words)).count();
    assert_eq!(count(&format!("Ada saw_finding {finding}")), 1, "{log:?}");
    assert_eq!(count(&format!("Ada took_evidence /evidence/{digest}/walk")), 1);
    assert_eq!(count("Ada saw_element"), 0, "nothing was shown");
    LATER.set(3_601);
    behind.get(&finding, &ada).await;
    let log = behind.log().await;
    assert_eq!(log.iter().filter(|row| row.contains("saw_finding ")).count(), 2);
}
