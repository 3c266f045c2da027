//! Another party that vouches for people, played by the test on a socket of its own: what comes back is believed only
//! where all of it holds, and what it says is shown harmless.

use super::*;
use crate::config::OpenIdConfig;
use crate::openid::{DONE, OpenId};
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::header::HeaderValue;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::sync::Barrier;
use url::Url;

/// What the other party says.
struct Says {
    issuer: String,
    key: EcdsaKeyPair,
    kid: &'static str,
    /// Put over the claims of a good token; null takes one away.
    changes: Value,
    /// What was asked of us: nonce and challenge.
    asked: HashMap<String, String>,
    /// How it answers for a token, in place of one.
    refuses: Option<Value>,
    /// How often it was asked for its keys.
    keys: usize,
    /// Each keeps one question for a token waiting, until all do.
    waits: Vec<Arc<Barrier>>,
}

type Party = Arc<Mutex<Says>>;

fn key() -> EcdsaKeyPair {
    let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let made = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).unwrap()
}

fn encoded(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

async fn about(State(says): State<Party>) -> Json<Value> {
    let issuer = says.lock().unwrap().issuer.clone();
    Json(json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize?tenant=a"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
    }))
}

async fn keys(State(says): State<Party>) -> Json<Value> {
    let mut says = says.lock().unwrap();
    says.keys += 1;
    let point = says.key.public_key().as_ref();
    let key = json!({"kty": "EC", "crv": "P-256", "kid": says.kid, "x": encoded(&point[1..33]), "y": encoded(&point[33..])});
    Json(json!({"keys": [{"kty": "strange"}, key]}))
}

async fn token(State(says): State<Party>, headers: HeaderMap, body: String) -> (StatusCode, Json<Value>) {
    let wait = says.lock().unwrap().waits.pop();
    if let Some(wait) = wait {
        wait.wait().await;
    }
    let says = says.lock().unwrap();
    if let Some(refuses) = &says.refuses {
        return (StatusCode::BAD_REQUEST, Json(refuses.clone()));
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let basic = format!("Basic {}", STANDARD.encode("marque:s%2Fcret"));
    let verified = encoded(Sha256::digest(form["code_verifier"].as_bytes())) == says.asked["code_challenge"];
    if headers[header::AUTHORIZATION] != basic || !verified || form["code"] != "the-code" {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
    }
    let now = clock().0 / 1_000_000;
    let mut claims = json!({
        "iss": says.issuer, "aud": "marque", "sub": "17", "iat": now, "exp": now + 60,
        "nonce": says.asked["nonce"], "preferred_username": "cy", "groups": ["noc"],
    });
    let all = claims.as_object_mut().unwrap();
    for (key, value) in says.changes.as_object().unwrap() {
        all.insert(key.clone(), value.clone());
    }
    let head = json!({"alg": "ES256", "kid": says.kid});
    let message = format!("{}.{}", encoded(head.to_string()), encoded(claims.to_string()));
    let signed = says.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    let token = format!("{message}.{}", encoded(signed));
    (
        StatusCode::OK,
        Json(json!({"id_token": token, "access_token": "a", "token_type": "Bearer"})),
    )
}

/// A collector that asks the other party; its door as the other tests have it.
struct Between {
    behind: Behind,
    says: Party,
    party: tokio::task::JoinHandle<()>,
}

impl Between {
    async fn new(secure: bool) -> Self {
        let mut behind = Behind::new(secure).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let says = Arc::new(Mutex::new(Says {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            key: key(),
            kid: "first",
            changes: json!({}),
            asked: HashMap::new(),
            refuses: None,
            keys: 0,
            waits: Vec::new(),
        }));
        let party = axum::Router::new()
            .route("/.well-known/openid-configuration", get(about))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(says.clone());
        let party = tokio::spawn(async move { axum::serve(listener, party).await.unwrap() });
        let secret = behind._folder.path().join("secret");
        std::fs::write(&secret, "s/cret\n").unwrap();
        let config = format!(
            "issuer = '{}'\nclient_id = 'marque'\nclient_secret = {{ file = '{}' }}\n\
             [[role]]\ngroup = 'noc'\nrole = 'operator'\n[[role]]\ngroup = 'root'\nrole = 'admin'\n",
            says.lock().unwrap().issuer,
            secret.display()
        );
        let config: OpenIdConfig = toml::from_str(&config).unwrap();
        let openid = OpenId::open(&config, format!("http://localhost{DONE}")).unwrap();
        let (pages, policies) = Fixture::new(14, 5).shared();
        let web = House::web_over(behind.door.clone(), pages.clone(), policies, !secure, secure);
        let openid = Some(Arc::new(openid));
        behind.house = House::of(pages, Web { openid, ..web });
        Self { behind, says, party }
    }

    /// With an account here, so that the door is no longer the first one's.
    async fn with_ada() -> Self {
        let between = Self::new(false).await;
        let link = between.behind.door.first_link().await.unwrap().unwrap();
        let made = between
            .behind
            .door
            .set_up(link.reveal(), "Ada", PASSWORD, None)
            .await;
        made.unwrap();
        between
    }

    /// Begins; what the browser holds then, and the state.
    async fn begin(&self, to: &str) -> (String, String) {
        let answer = self.behind.get(&format!("/sign-in/openid{to}"), "").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let place = Url::parse(location(&answer)).unwrap();
        let asked: HashMap<String, String> = place.query_pairs().into_owned().collect();
        let state = asked["state"].clone();
        self.says.lock().unwrap().asked = asked;
        (cookie_of(&answer), state)
    }

    async fn back(&self, held: &str, state: &str) -> Answer {
        let path = format!("{DONE}?code=the-code&state={state}");
        self.behind.get(&path, held).await
    }

    /// The same from another machine.
    async fn back_from_afar(&self, held: &str, state: &str) -> Answer {
        let mut request = Request::get(format!("{DONE}?code=the-code&state={state}"))
            .header(header::HOST, "localhost")
            .header(header::COOKIE, held)
            .body(Body::empty())
            .unwrap();
        let peer: SocketAddr = "192.0.2.44:5000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        read(self.behind.house.ask_bare(request).await).await
    }

    /// There and back.
    async fn vouched(&self) -> Answer {
        let (held, state) = self.begin("").await;
        self.back(&held, &state).await
    }

    fn change(&self, changes: Value) {
        self.says.lock().unwrap().changes = changes;
    }
}

fn refused(answer: &Answer, status: StatusCode, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(words), "{words}: {}", answer.body);
    let set = answer.headers.get_all(header::SET_COOKIE).iter();
    assert!(
        set.into_iter()
            .all(|set| !set.to_str().unwrap().starts_with("marque=")),
        "no session"
    );
}

#[tokio::test]
async fn who_is_vouched_for_comes_in_and_goes_where_he_wanted() {
    let between = Between::with_ada().await;
    let page = between
        .behind
        .get("/sign-in?to=%2Ffindings%3Fseverity%3Dmajor", "")
        .await
        .body;
    assert!(
        page.contains("href=\"/sign-in/openid?to=%2Ffindings%3Fseverity%3Dmajor\""),
        "{page}"
    );
    let answer = between
        .behind
        .get("/sign-in/openid?to=%2Ffindings%3Fseverity%3Dmajor", "")
        .await;
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    for flag in [
        "marque-away=",
        "HttpOnly",
        "SameSite=Lax",
        "Path=/",
        "Max-Age=600",
    ] {
        assert!(set.contains(flag), "{flag}: {set}");
    }
    let place = Url::parse(location(&answer)).unwrap();
    let asked: HashMap<String, String> = place.query_pairs().into_owned().collect();
    for (key, value) in [
        ("tenant", "a"),
        ("response_type", "code"),
        ("client_id", "marque"),
        ("scope", "openid profile"),
        ("redirect_uri", "http://localhost/sign-in/openid/done"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[key], value);
    }
    for secret in [&asked["state"], &asked["nonce"]] {
        assert!(!set.contains(secret.as_str()), "sealed");
    }
    let (held, state) = between.begin("?to=%2Ffindings%3Fseverity%3Dmajor").await;
    let done = between.back(&held, &state).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert!(
        done.body.contains("content=\"0;url=/findings?severity=major\""),
        "{}",
        done.body
    );
    let all = done.headers.get_all(header::SET_COOKIE).iter();
    let all: Vec<&str> = all.map(|set| set.to_str().unwrap()).collect();
    assert!(
        all[0].starts_with("marque=") && all[0].contains("SameSite=Strict"),
        "{all:?}"
    );
    assert!(
        all[1].starts_with("marque-away=;") && all[1].contains("Max-Age=0"),
        "{all:?}"
    );
    let cookie = cookie_of(&done);
    assert!(
        between
            .behind
            .get("/account", &cookie)
            .await
            .body
            .contains("operator")
    );
    let log = between.behind.log().await;
    for row in ["cy sign_in_vouched ", "cy account_vouched cy"] {
        assert!(log.contains(&row.to_owned()), "{row}: {log:?}");
    }
    // Over TLS the cookie is bound to the host; and nobody is led elsewhere.
    let secure = Between::new(true).await;
    let answer = secure
        .behind
        .get("/sign-in/openid?to=%2F%2Fevil.example", "")
        .await;
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        set.starts_with("__Host-marque-away=") && set.contains("Secure"),
        "{set}"
    );
}

#[tokio::test]
async fn what_began_in_one_browser_ends_there_once_and_soon() {
    let between = Between::with_ada().await;
    let lost = |answer: &Answer| refused(answer, StatusCode::GONE, "begin again");
    let (held, state) = between.begin("").await;
    let (other, other_state) = between.begin("").await;
    lost(&between.back("", &state).await);
    lost(&between.back(&other, &state).await);
    lost(&between.back(&held, &other_state).await);
    lost(&between.back(&held, "").await);
    lost(&between.back("marque-away=nonsense", &state).await);
    lost(
        &between
            .behind
            .get(&format!("{DONE}?code=c&state={state}&state={state}"), &held)
            .await,
    );
    let (held, state) = between.begin("").await;
    assert_eq!(between.back(&held, &state).await.status, StatusCode::OK);
    lost(&between.back(&held, &state).await);
    let (held, state) = between.begin("").await;
    LATER.set(600);
    lost(&between.back(&held, &state).await);
    let (held, state) = between.begin("").await;
    between
        .says
        .lock()
        .unwrap()
        .asked
        .insert("code_challenge".into(), "of-another".into());
    refused(
        &between.back(&held, &state).await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_grant",
    );
    // What anyone can send is no row; what came from here and failed is.
    let log = between.behind.log().await;
    let failed = log.iter().filter(|row| row.contains("vouching_failed"));
    assert_eq!(failed.count(), 1, "{log:?}");
}

#[tokio::test]
async fn an_address_that_fails_too_often_waits_and_loses_nothing_by_it() {
    let between = Between::with_ada().await;
    for _ in 0..30 {
        let lost = between.back_from_afar("", "state").await;
        refused(&lost, StatusCode::GONE, "begin again");
    }
    between.change(json!({"groups": ["strangers"]}));
    for _ in 0..20 {
        let (held, state) = between.begin("").await;
        let out = between.back_from_afar(&held, &state).await;
        refused(&out, StatusCode::FORBIDDEN, "none of your groups");
    }
    between.change(json!({}));
    let (held, state) = between.begin("").await;
    let locked = between.back_from_afar(&held, &state).await;
    refused(&locked, StatusCode::TOO_MANY_REQUESTS, "oo many tries");
    assert!(!locked.headers.contains_key(header::SET_COOKIE), "to come again");
    LATER.set(31);
    let done = between.back_from_afar(&held, &state).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
}

#[tokio::test]
async fn many_who_come_back_at_once_wait_for_their_turn() {
    let between = Between::with_ada().await;
    let all = Arc::new(Barrier::new(8));
    between.says.lock().unwrap().waits = vec![all; 8];
    let mut flows = Vec::new();
    for _ in 0..9 {
        flows.push(between.begin("").await);
    }
    let back = flows.iter().map(|(held, state)| between.back(held, state));
    let answers = futures_util::future::join_all(back).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    // The party remembers what the last was asked with: the others' codes are refused, but nobody's turn is.
    let mut expected = vec![StatusCode::UNPROCESSABLE_ENTITY; 8];
    expected.push(StatusCode::OK);
    assert_eq!(statuses, expected);
}

#[tokio::test]
async fn whoever_is_not_believed_or_in_no_group_stays_out() {
    let between = Between::with_ada().await;
    let wrong = StatusCode::UNPROCESSABLE_ENTITY;
    for (changes, status, words) in [
        (json!({"nonce": "other"}), wrong, "it answers another question"),
        (json!({"aud": "other"}), wrong, "it is for another"),
        (json!({"iss": "https://evil.example"}), wrong, "another issued it"),
        (json!({"exp": 1}), wrong, "it has run out"),
        (
            json!({"groups": ["strangers"]}),
            StatusCode::FORBIDDEN,
            "none of your groups",
        ),
        (
            json!({"groups": null}),
            StatusCode::FORBIDDEN,
            "none of your groups",
        ),
        (
            json!({"preferred_username": null}),
            wrong,
            "does not say what you are called",
        ),
        (json!({"preferred_username": "ADA"}), wrong, "not let in here"),
        (json!({"preferred_username": "token x"}), wrong, "name is taken"),
        (json!({"preferred_username": "<b>"}), wrong, "letters, digits"),
    ] {
        between.change(changes);
        refused(&between.vouched().await, status, words);
    }
    between.change(json!({"groups": ["noc"]}));
    let cookie = cookie_of(&between.vouched().await);
    // Roles follow at the next time, for the session of the last too.
    between.change(json!({"groups": ["noc", "root"]}));
    between.vouched().await;
    assert_eq!(between.behind.get("/admin", &cookie).await.status, StatusCode::OK);
    between.change(json!({}));
    between.vouched().await;
    assert_eq!(
        between.behind.get("/admin", &cookie).await.status,
        StatusCode::FORBIDDEN
    );
    let log = between.behind.log().await;
    assert!(log.contains(&"nobody vouching_failed cy".to_owned()), "{log:?}");
    assert!(log.contains(&"nobody vouching_failed ".to_owned()), "{log:?}");
}

#[tokio::test]
async fn the_first_of_all_is_an_admin() {
    let between = Between::new(false).await;
    assert!(
        between
            .behind
            .get("/sign-in", "")
            .await
            .body
            .contains("/sign-in/openid")
    );
    refused(
        &between.vouched().await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "has to come first",
    );
    between.change(json!({"groups": ["root"]}));
    let cookie = cookie_of(&between.vouched().await);
    assert_eq!(between.behind.get("/admin", &cookie).await.status, StatusCode::OK);
}

#[tokio::test]
async fn its_words_are_shown_harmless_and_only_to_who_was_there() {
    let between = Between::with_ada().await;
    let markup = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%E2%80%AEevil";
    let (held, state) = between.begin("").await;
    let path = format!(
        "{DONE}?error=access_denied&error_description={markup}{}",
        "a".repeat(900)
    );
    refused(
        &between.behind.get(&path, &held).await,
        StatusCode::GONE,
        "begin again",
    );
    let told = between.behind.get(&format!("{path}&state={state}"), &held).await;
    refused(
        &told,
        StatusCode::UNPROCESSABLE_ENTITY,
        "The other party says: &#60;script&#62;",
    );
    assert!(told.body.contains("(access_denied)") && !told.body.contains("<script>alert"));
    assert!(!told.body.contains('\u{202e}') && !told.body.contains(&"a".repeat(300)));
    between.says.lock().unwrap().refuses = Some(json!({"error": "<i>", "error_description": "no"}));
    refused(
        &between.vouched().await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "no (&#60;i&#62;)",
    );
}

#[tokio::test]
async fn a_new_key_is_asked_for_but_not_all_the_time() {
    let between = Between::with_ada().await;
    assert_eq!(between.vouched().await.status, StatusCode::OK);
    let change = |kid| {
        let mut says = between.says.lock().unwrap();
        (says.key, says.kid) = (key(), kid);
    };
    let asked = || between.says.lock().unwrap().keys;
    change("second");
    for _ in 0..3 {
        let answer = between.vouched().await;
        refused(
            &answer,
            StatusCode::UNPROCESSABLE_ENTITY,
            "a key it does not publish",
        );
    }
    assert_eq!(asked(), 1, "a moment ago");
    LATER.set(60);
    assert_eq!(between.vouched().await.status, StatusCode::OK);
    assert_eq!(asked(), 2);
    LATER.set(3_600);
    assert_eq!(between.vouched().await.status, StatusCode::OK);
    assert_eq!(asked(), 3, "all of it is asked for again");
}

/// Answers that nobody should give.
fn strange(number: usize) -> Response {
    let other = json!({
        "issuer": "https://other.example", "authorization_endpoint": "https://o/a",
        "token_endpoint": "https://o/t", "jwks_uri": "https://o/k",
    });
    let mut answer = match number {
        0 => Redirect::to("http://127.0.0.1:1/").into_response(),
        1 => format!("{{\"a\": \"{}\"}}", "a".repeat(300_000)).into_response(),
        2 => "<html>".into_response(),
        _ => Json(other).into_response(),
    };
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}

#[tokio::test]
async fn one_that_does_not_answer_keeps_nobody_else_out() {
    let mut between = Between::with_ada().await;
    between.party.abort();
    let _ended = (&mut between.party).await;
    let down = between.behind.get("/sign-in/openid", "").await;
    refused(&down, StatusCode::SERVICE_UNAVAILABLE, "does not answer");
    assert_eq!(
        between.behind.sign_in("Ada", PASSWORD).await.status,
        StatusCode::SEE_OTHER
    );
    // Nor does one that leads elsewhere, talks without end, or is somebody else.
    let words = [
        "refused what was asked",
        "too long",
        "cannot be read",
        "something else than openid.issuer",
    ];
    for (number, words) in words.into_iter().enumerate() {
        let address = between.says.lock().unwrap().issuer.replace("http://", "");
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let party = axum::Router::new().fallback(get(move || async move { strange(number) }));
        let mut party = tokio::spawn(async move { axum::serve(listener, party).await.unwrap() });
        let told = between.behind.get("/sign-in/openid", "").await;
        refused(&told, StatusCode::UNPROCESSABLE_ENTITY, words);
        party.abort();
        let _ended = (&mut party).await;
    }
}
