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
