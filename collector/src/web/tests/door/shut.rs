//! Ways around the door that are shut: by one form that says two things, by many tries at once, by a form in place of
//! the page it stands on; and what hangs as long as it may.

use super::*;
use axum::extract::ConnectInfo;
use futures_util::future::join_all;
use std::net::SocketAddr;
use std::time::Duration;
use store::accounts::By;

const DAY: Duration = Duration::from_secs(86_400);

impl Behind {
    async fn token(&self, name: &str, scopes: &[model::Scope]) -> String {
        let by = By {
            person: "Ada".into(),
            from: "test".into(),
        };
        let scopes = scopes.iter().copied().collect();
        let made = self.door.add_token(name, scopes, None, DAY * 30, &by).await;
        made.unwrap().reveal().to_owned()
    }

    async fn post_from(&self, path: &str, form: &str, proof: (header::HeaderName, &str)) -> Answer {
        let mut request = Request::post(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, FORM)
            .header(proof.0, proof.1)
            .body(Body::from(form.to_owned()))
            .unwrap();
        let peer: SocketAddr = "192.0.2.44:5000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        read(self.house.ask_bare(request).await).await
    }
}

#[tokio::test]
async fn all_sites_and_some_is_refused_and_so_is_neither() {
    let (behind, ada) = Behind::with_ada().await;
    for sites in [
        "sites=all&site=ber-1",
        "site=ber-1&sites=all",
        "site=",
        "sites=some",
    ] {
        for (path, form) in [
            ("/admin/accounts", "name=Bo&role=operator"),
            ("/admin/tokens", "name=zabbix&scope=see&days=2"),
        ] {
            let answer = behind.post(path, &format!("{form}&{sites}"), &ada).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {sites}");
        }
    }
    assert!(behind.store.account_named("bo").await.unwrap().is_none());
    assert!(behind.store.tokens().await.unwrap().is_empty());
    let page = behind.get("/admin", &ada).await.body;
    for form in ["/admin/accounts\">", "/admin/tokens\">"] {
        let form = page.split(form).nth(1).unwrap().split("</form>").next().unwrap();
        let tick = form.split("name=\"sites\"").nth(1).unwrap();
        assert!(!tick.split('>').next().unwrap().contains("checked"), "{form}");
    }
}

#[tokio::test]
async fn many_tries_at_once_are_counted_like_one_after_the_other() {
    let (behind, _) = Behind::with_ada().await;
    let tries = join_all((0..14).map(|_| behind.sign_in("Ada", "wrong"))).await;
    let of = |status| tries.iter().filter(|answer| answer.status == status).count();
    assert_eq!(
        (
            of(StatusCode::UNPROCESSABLE_ENTITY),
            of(StatusCode::TOO_MANY_REQUESTS)
        ),
        (5, 9)
    );
    LATER.set(31);
    let cookie = cookie_of(&behind.sign_in("Ada", PASSWORD).await);
    for _ in 0..6 {
        let form = format!("old={PASSWORD}&password={PASSWORD}&again={PASSWORD}");
        let done = behind.post("/account/password", &form, &cookie).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "what was right is taken back");
    }
    let form = "old=wrong&password=another long word&again=another long word";
    let tries = join_all((0..9).map(|_| behind.post("/account/password", form, &cookie))).await;
    let of = |status| tries.iter().filter(|answer| answer.status == status).count();
    assert_eq!(of(StatusCode::TOO_MANY_REQUESTS), 4);
}

#[tokio::test]
async fn a_wall_hangs_as_long_as_its_token_holds_and_is_called_as_the_token() {
    let (behind, ada) = Behind::with_ada().await;
    let secret = behind.token("Ada", &[model::Scope::Wall]).await;
    let hung = behind.get(&format!("/?wall=1&token={secret}"), "").await;
    let wall = cookie_of(&hung);
    let (_, value) = wall.split_once('=').unwrap();
    let arrival = behind.door.by_cookie(value).await.unwrap().unwrap();
    assert_eq!(arrival.person.name, "token Ada");
    let page = behind.get("/admin", &ada).await.body;
    assert!(page.contains("token Ada <span class=\"dim\">wallboard</span>"));
    LATER.set(29 * 86_400);
    assert_eq!(
        behind.get("/", &ada).await.status,
        StatusCode::SEE_OTHER,
        "a person is idle"
    );
    assert_eq!(behind.get("/?wall=1", &wall).await.status, StatusCode::OK);
    LATER.set(30 * 86_400);
    assert_eq!(behind.get("/?wall=1", &wall).await.status, StatusCode::SEE_OTHER);
    LATER.set(0);
    let rows = behind
        .store
        .sessions(None, behind.door.idle(), clock())
        .await
        .unwrap();
    let row = rows.iter().find(|row| row.name.starts_with("token")).unwrap();
    behind
        .post(&format!("/admin/sessions/{}/end", row.session), "", &ada)
        .await;
    let log = behind.log().await;
    assert!(log.contains(&"Ada session_ended token Ada".to_owned()), "{log:?}");
}

#[tokio::test]
async fn a_form_shows_no_page_to_who_may_not_look_and_what_it_shows_is_noted() {
    let (behind, ada) = Behind::with_ada().await;
    let finding = format!("/findings/{}", finding_id(0));
    let secret = behind
        .token("bot", &[model::Scope::Act, model::Scope::Administer])
        .await;
    let bearer = format!("Bearer {secret}");
    let agent = format!("/agents/{}/revoke", agent_id(1));
    for (path, form) in [
        ("/findings/act", "do=acknowledge&back=%2Ffindings".to_owned()),
        ("/findings/act", "do=acknowledge&back=%2Fwaivers".to_owned()),
        ("/findings/act", format!("do=acknowledge&back={finding}")),
        (
            "/findings/act",
            format!("do=comment&text=&back={finding}&finding={}.0", finding_id(0)),
        ),
        ("/agents/invite", "site=&minutes=x".to_owned()),
        (&*agent, "reason=&sure=1".to_owned()),
    ] {
        let answer = behind
            .post_from(path, &form, (header::AUTHORIZATION, &bearer))
            .await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{path} {form}: {}",
            answer.body
        );
        assert!(
            !answer.body.contains("<html") && !answer.body.contains("ber-1") && answer.body.len() < 200,
            "{path} {form}: {}",
            answer.body
        );
        assert!(!answer.body.is_empty());
    }
    let log = behind.log().await;
    assert!(!log.iter().any(|row| row.contains("saw_")), "{log:?}");
    let form = format!("do=acknowledge&back={finding}");
    let shown = behind
        .post_from("/findings/act", &form, (header::COOKIE, &ada))
        .await;
    assert!(shown.status == StatusCode::UNPROCESSABLE_ENTITY && shown.body.contains("Nothing is selected"));
    let refused = behind
        .post_from(
            "/admin/accounts",
            "name=Ada&role=viewer&sites=all",
            (header::COOKIE, &ada),
        )
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let log = behind.log().await;
    for row in [
        format!("Ada saw_finding {finding}"),
        "Ada saw_accounts /admin".to_owned(),
    ] {
        assert!(log.contains(&row), "{row}: {log:?}");
    }
}

#[tokio::test]
async fn who_acts_is_written_down_with_the_address_and_a_report_once() {
    let (behind, ada) = Behind::with_ada().await;
    let form = format!("do=acknowledge&back=%2Ffindings&finding={}.0", finding_id(0));
    let done = behind
        .post_from("/findings/act", &form, (header::COOKIE, &ada))
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    behind
        .post_from("/agents/invite", "site=ber-1&minutes=5", (header::COOKIE, &ada))
        .await;
    let invited = behind.house.store.invited.lock().unwrap()[0].1.account.clone();
    assert_eq!(invited, "192.0.2.44");
    behind.get("/reports/board", &ada).await;
    behind.get("/audit/export?as=json", &ada).await;
    let rows: Vec<_> = std::mem::take(&mut behind.house.store.desk.lock().unwrap().log);
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.action.as_str(), row.account.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("finding_acknowledged", "192.0.2.44"),
            ("report_made", "unknown"),
            ("audit_exported", "unknown")
        ]
    );
    let log = behind.log().await;
    assert!(!log.iter().any(|row| row.contains("saw_report")), "{log:?}");
}
