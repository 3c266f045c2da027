//! The door before a real store: set-up, signing in and out, lock-out, the end of sessions, and what the audit log
//! says of it.

mod proofs;
mod shut;
mod steps;
mod vouched;

use super::*;
use model::Instant;
use std::cell::Cell;
use std::collections::BTreeSet;
use store::acts::AuditFilter;
use store::{Accounts, Acts, SqliteStore};

const PASSWORD: &str = "a long enough word";
const FORM: &str = "application/x-www-form-urlencoded";

thread_local! {
    /// Seconds after [`NOW`]: tests of the door live on one thread.
    static LATER: Cell<i64> = const { Cell::new(0) };
}

fn clock() -> Instant {
    Instant(NOW.0 + LATER.get() * 1_000_000)
}

struct Behind {
    house: House,
    store: Arc<SqliteStore>,
    door: Arc<Door>,
    _folder: tempfile::TempDir,
}

impl Behind {
    async fn new(secure: bool) -> Self {
        LATER.set(0);
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("door.db")).await.unwrap();
        let store = Arc::new(store);
        let door = Door::new(store.clone(), clock, TIMES).unwrap();
        let door = Arc::new(door.with_second(folder.path().to_owned(), BTreeSet::new()));
        let (pages, policies) = Fixture::new(14, 5).shared();
        Self {
            house: House::over(door.clone(), pages, policies, !secure, secure),
            store,
            door,
            _folder: folder,
        }
    }

    /// With Ada, an admin, already in; what her cookie says.
    async fn with_ada() -> (Self, String) {
        let behind = Self::new(false).await;
        let link = behind.door.first_link().await.unwrap().unwrap();
        let form = format!(
            "token={}&name=Ada&password={PASSWORD}&again={PASSWORD}",
            link.reveal()
        );
        let answer = behind.post("/set-up", &form, "").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let cookie = cookie_of(&answer);
        (behind, cookie)
    }

    async fn post(&self, path: &str, form: &str, cookie: &str) -> Answer {
        let request = Request::post(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, FORM)
            .header(header::COOKIE, cookie)
            .body(Body::from(form.replace(' ', "+")))
            .unwrap();
        read(self.house.ask_bare(request).await).await
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.house
            .get_with(path, "localhost", &[(header::COOKIE, cookie)])
            .await
    }

    async fn sign_in(&self, name: &str, password: &str) -> Answer {
        self.post("/sign-in", &format!("name={name}&password={password}"), "")
            .await
    }

    /// Writes the diary down and reads what happened, the latest first: `person action subjects`.
    async fn log(&self) -> Vec<String> {
        let stop = CancellationToken::new();
        stop.cancel();
        self.door.diary.keep(stop).await;
        let rows = self.store.audit_log(&AuditFilter::default()).await.unwrap();
        rows.rows
            .iter()
            .map(|row| format!("{} {} {}", row.person, row.action, row.subjects.join(",")))
            .collect()
    }
}

/// `name=value` of the cookie that an answer sets.
fn cookie_of(answer: &Answer) -> String {
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

fn location(answer: &Answer) -> &str {
    answer.headers[header::LOCATION].to_str().unwrap()
}

#[tokio::test]
async fn the_first_start_has_one_link_that_works_once() {
    let behind = Behind::new(false).await;
    assert!(
        behind
            .get("/sign-in", "")
            .await
            .body
            .contains("There is no account yet")
    );
    let old = behind.door.first_link().await.unwrap().unwrap();
    let link = behind.door.first_link().await.unwrap().unwrap();
    let form =
        |token: &str, password: &str| format!("token={token}&name=Ada&password={password}&again={password}");
    let replaced = behind.post("/set-up", &form(old.reveal(), PASSWORD), "").await;
    assert_eq!(
        replaced.status,
        StatusCode::GONE,
        "a restart takes the place of the link before"
    );
    let page = behind.get(&format!("/set-up?token={}", link.reveal()), "").await;
    assert!(page.status == StatusCode::OK && page.body.contains("The first account"));
    // Looking does not use it, nor does a password that is none.
    for (form, words) in [
        (form(link.reveal(), "short"), "12 characters"),
        (form(link.reveal(), "ada ada ada ada ada"), "5 different"),
        (
            format!("token={}&name=Ada&password={PASSWORD}&again=other", link.reveal()),
            "not the same",
        ),
        (
            format!(
                "token={}&name=%3Cb%3E&password={PASSWORD}&again={PASSWORD}",
                link.reveal()
            ),
            "letters, digits",
        ),
    ] {
        let answer = behind.post("/set-up", &form, "").await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{form}: {}",
            answer.body
        );
        assert!(
            answer.body.contains(words) && !answer.body.contains(PASSWORD),
            "{}",
            answer.body
        );
        assert!(!answer.body.contains("<b>"));
    }
    let done = behind.post("/set-up", &form(link.reveal(), PASSWORD), "").await;
    assert_eq!((done.status, location(&done)), (StatusCode::SEE_OTHER, "/"));
    assert!(
        behind
            .get("/", &cookie_of(&done))
            .await
            .body
            .contains("href=\"/admin\"")
    );
    let again = behind.post("/set-up", &form(link.reveal(), PASSWORD), "").await;
    assert_eq!(again.status, StatusCode::GONE);
    assert!(
        behind.door.first_link().await.unwrap().is_none(),
        "there is an account"
    );
    assert_eq!(behind.log().await.last().unwrap(), "collector link_made ");
}

#[tokio::test]
async fn the_link_of_the_first_start_runs_out() {
    let behind = Behind::new(false).await;
    let link = behind.door.first_link().await.unwrap().unwrap();
    LATER.set(24 * 3_600);
    let path = format!("/set-up?token={}", link.reveal());
    assert_eq!(behind.get(&path, "").await.status, StatusCode::GONE);
}

#[tokio::test]
async fn who_signs_in_goes_where_he_wanted_and_out_again() {
    let (behind, _) = Behind::with_ada().await;
    let to_sign_in = behind.get("/findings?severity=major", "").await;
    assert_eq!(
        location(&to_sign_in),
        "/sign-in?to=%2Ffindings%3Fseverity%3Dmajor"
    );
    for (to, ends) in [
        ("%2Ffindings%3Fseverity%3Dmajor", "/findings?severity=major"),
        ("%2F%2Fevil.example", "/"),
        ("https%3A%2F%2Fevil.example", "/"),
    ] {
        let form = format!("to={to}&name=ada&password={PASSWORD}");
        let answer = behind.post("/sign-in", &form, "").await;
        assert_eq!((answer.status, location(&answer)), (StatusCode::SEE_OTHER, ends));
    }
    let cookie = cookie_of(&behind.sign_in("ADA", PASSWORD).await);
    assert_eq!(behind.get("/", &cookie).await.status, StatusCode::OK);
    let out = behind.post("/sign-out", "", &cookie).await;
    assert_eq!(location(&out), "/sign-in");
    assert!(
        out.headers[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(
        behind.get("/", &cookie).await.status,
        StatusCode::SEE_OTHER,
        "not the cookie, the session ended"
    );
    let log = behind.log().await;
    for row in ["Ada sign_out Ada", "Ada sign_in ", "Ada set_up Ada"] {
        assert!(log.contains(&row.to_owned()), "{row}: {log:?}");
    }
}

#[tokio::test]
async fn cookies_are_strict_and_over_tls_bound_to_the_host() {
    let (behind, _) = Behind::with_ada().await;
    let plain = behind.sign_in("Ada", PASSWORD).await;
    let set = plain.headers[header::SET_COOKIE].to_str().unwrap();
    for flag in [
        "marque=",
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
        "Max-Age=86400",
    ] {
        assert!(set.contains(flag), "{flag}: {set}");
    }
    assert!(!set.contains("Secure") && !set.contains("Domain"));
    let behind = Behind::new(true).await;
    let link = behind.door.first_link().await.unwrap().unwrap();
    let form = format!(
        "token={}&name=Ada&password={PASSWORD}&again={PASSWORD}",
        link.reveal()
    );
    let answer = behind.post("/set-up", &form, "").await;
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        set.starts_with("__Host-marque=") && set.contains("Secure") && set.contains("Path=/"),
        "{set}"
    );
    let cookie = cookie_of(&answer);
    assert_eq!(behind.get("/", &cookie).await.status, StatusCode::OK);
    let renamed = cookie.replace("__Host-", "");
    assert_eq!(behind.get("/", &renamed).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn wrong_passwords_lock_out_for_a_while_and_tell_nothing() {
    let (behind, _) = Behind::with_ada().await;
    let strip = |answer: &Answer| {
        answer
            .body
            .replace("value=\"Ada\"", "")
            .replace("value=\"Eve\"", "")
    };
    let wrong = behind.sign_in("Ada", "wrong").await;
    let nobody = behind.sign_in("Eve", "wrong").await;
    assert_eq!(
        (wrong.status, strip(&wrong)),
        (nobody.status, strip(&nobody)),
        "who exists is not told"
    );
    for _ in 0..4 {
        assert_eq!(
            behind.sign_in("Ada", "wrong").await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }
    let locked = behind.sign_in("Ada", PASSWORD).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS, "the right one too");
    assert!(locked.body.contains("wait 30 s") && !locked.headers.contains_key(header::SET_COOKIE));
    LATER.set(31);
    assert_eq!(
        behind.sign_in("Ada", PASSWORD).await.status,
        StatusCode::SEE_OTHER
    );
    let log = behind.log().await;
    let failed = log
        .iter()
        .filter(|row| *row == "nobody sign_in_failed Ada")
        .count();
    assert_eq!(failed, 4, "{log:?}");
    assert!(log.contains(&"nobody locked_out Ada".to_owned()));
    assert!(
        log.contains(&"nobody sign_in_failed ".to_owned()),
        "what may be a password is not written"
    );
    assert!(
        log.iter()
            .all(|row| !row.contains("Eve") && !row.contains("wrong"))
    );
}

#[tokio::test]
async fn sessions_end_when_idle_and_in_any_case() {
    let (behind, cookie) = Behind::with_ada().await;
    let here = async |at: i64| {
        LATER.set(at);
        let status = behind.get("/", &cookie).await.status;
        behind.log().await;
        status == StatusCode::OK
    };
    let hour = 3_600;
    assert!(here(4 * hour).await);
    assert!(here(8 * hour).await, "the visit before kept it");
    assert!(!here(12 * hour + 1).await, "idle");
    let cookie = cookie_of(&behind.sign_in("Ada", PASSWORD).await);
    let begun = 12 * hour + 1;
    for at in (0..24).step_by(3) {
        LATER.set(begun + at * hour);
        assert_eq!(behind.get("/", &cookie).await.status, StatusCode::OK, "{at}");
        behind.log().await;
    }
    LATER.set(begun + 24 * hour);
    assert_eq!(
        behind.get("/", &cookie).await.status,
        StatusCode::SEE_OTHER,
        "used or not"
    );
}

#[tokio::test]
async fn an_admin_lets_others_in_and_shuts_them_out() {
    let (behind, ada) = Behind::with_ada().await;
    let made = behind
        .post("/admin/accounts", "name=Bo&role=operator&site=ber-1+lon-2", &ada)
        .await;
    assert_eq!(made.headers[header::CACHE_CONTROL], "no-store");
    let link = made
        .body
        .split("value=\"http://localhost/set-up?token=")
        .nth(1)
        .unwrap();
    let form = format!("token={}&password={PASSWORD}&again={PASSWORD}", &link[..64]);
    let bo = cookie_of(&behind.post("/set-up", &form, "").await);
    assert!(
        !behind.get("/admin", &ada).await.body.contains(&link[..64]),
        "shown once"
    );
    assert!(behind.get("/account", &bo).await.body.contains("ber-1, lon-2"));
    assert_eq!(behind.get("/admin", &bo).await.status, StatusCode::FORBIDDEN);
    // Rights follow at once, within the session.
    let (row, _) = behind.store.account_named("bo").await.unwrap().unwrap();
    let path = |what: &str| format!("/admin/accounts/{}/{what}", row.account);
    let taken = behind
        .post("/admin/accounts", "name=bO&role=viewer&sites=all", &ada)
        .await;
    assert!(taken.status == StatusCode::UNPROCESSABLE_ENTITY && taken.body.contains("name is taken"));
    behind.post(&path("rights"), "role=admin&sites=all", &ada).await;
    assert_eq!(behind.get("/admin", &bo).await.status, StatusCode::OK);
    behind.post(&path("rights"), "role=viewer&sites=all", &ada).await;
    assert_eq!(behind.get("/admin", &bo).await.status, StatusCode::FORBIDDEN);
    behind.post(&path("disable"), "", &ada).await;
    assert_eq!(behind.get("/", &bo).await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        behind.sign_in("Bo", PASSWORD).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    behind.post(&path("enable"), "", &ada).await;
    assert_eq!(
        behind.get("/", &bo).await.status,
        StatusCode::SEE_OTHER,
        "its old session is gone for good"
    );
    assert_eq!(behind.sign_in("Bo", PASSWORD).await.status, StatusCode::SEE_OTHER);
    // The last who may administer cannot go.
    let (own, _) = behind.store.account_named("ada").await.unwrap().unwrap();
    for (what, form) in [
        ("disable", ""),
        ("rights", "role=viewer&sites=all"),
        ("rights", "role=admin&site=ber-1"),
    ] {
        let answer = behind
            .post(&format!("/admin/accounts/{}/{what}", own.account), form, &ada)
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{what} {form}");
    }
    let log = behind.log().await;
    for row in [
        "Ada account_made Bo",
        "Ada account_rights Bo",
        "Ada account_disabled Bo",
        "Bo password_set_by_link Bo",
    ] {
        assert!(log.contains(&row.to_owned()), "{row}: {log:?}");
    }
}

#[tokio::test]
async fn a_new_password_ends_other_sessions() {
    let (behind, ada) = Behind::with_ada().await;
    let other = cookie_of(&behind.sign_in("Ada", PASSWORD).await);
    let wrong = behind
        .post(
            "/account/password",
            "old=x&password=another long word&again=another long word",
            &ada,
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let form = format!("old={PASSWORD}&password=another long word&again=another long word");
    let done = behind.post("/account/password", &form, &ada).await;
    assert_eq!(location(&done), "/account?told=password");
    assert_eq!(
        behind.get("/", &ada).await.status,
        StatusCode::OK,
        "the own one stays"
    );
    assert_eq!(behind.get("/", &other).await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        behind.sign_in("Ada", PASSWORD).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    // One's own sessions end by one's own hand, and nobody else's.
    let other = cookie_of(&behind.sign_in("Ada", "another long word").await);
    let page = behind.get("/account", &ada).await.body;
    let ids: Vec<_> = page
        .split("/account/sessions/")
        .skip(1)
        .map(|rest| rest[..36].to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    let own = page
        .split("this one")
        .nth(1)
        .unwrap()
        .split("/account/sessions/")
        .nth(1)
        .unwrap()[..36]
        .to_owned();
    let end = ids.iter().find(|id| **id != own).unwrap();
    behind
        .post(&format!("/account/sessions/{end}/end"), "", &ada)
        .await;
    assert_eq!(behind.get("/", &other).await.status, StatusCode::SEE_OTHER);
    let strange = behind
        .post(&format!("/account/sessions/{}/end", element_id(0)), "", &ada)
        .await;
    assert_eq!(strange.status, StatusCode::NOT_FOUND);
}
