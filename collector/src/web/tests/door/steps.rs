//! The second factor through its pages: what opens between the steps, what a code is worth, and who takes it away.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use store::accounts::{By, LinkKind};
use uuid::Uuid;

const STEP: i64 = 30;

/// What stands between these in a page.
fn between<'a>(body: &'a str, before: &str, after: &str) -> &'a str {
    let rest = body
        .split(before)
        .nth(1)
        .unwrap_or_else(|| panic!("{before} in {body}"));
    rest.split(after).next().unwrap()
}

/// A telephone that holds somebody's secret.
struct Telephone {
    secret: Vec<u8>,
    /// As it is typed in.
    text: String,
}

impl Telephone {
    fn reads(page: &str) -> Self {
        let text = between(page, "<dt>secret</dt><dd><code>", "<").replace(' ', "");
        let secret = totp_rs::Secret::try_from_base32(&text).unwrap();
        Self {
            secret: secret.as_bytes().to_vec(),
            text,
        }
    }

    /// The code of this many seconds after [`NOW`].
    fn code(&self, at: i64) -> String {
        let codes = totp_rs::Builder::new()
            .with_secret(self.secret.as_slice())
            .build()
            .unwrap();
        let seconds = u64::try_from(NOW.0 / 1_000_000 + at).unwrap();
        codes.generate(seconds).to_string()
    }
}

fn cookies(answer: &Answer) -> Vec<String> {
    let all = answer.headers.get_all(header::SET_COOKIE).iter();
    all.map(|set| set.to_str().unwrap().split(';').next().unwrap().to_owned())
        .collect()
}

impl Behind {
    /// Ada turns her second factor on; her telephone and recovery codes.
    async fn turn_on(&self, ada: &str) -> (Telephone, Vec<String>) {
        let page = self
            .post("/account/second", &format!("password={PASSWORD}"), ada)
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let telephone = Telephone::reads(&page.body);
        let sealed = between(&page.body, "name=\"sealed\" value=\"", "\"").to_owned();
        let form = format!("sealed={sealed}&code={}", telephone.code(LATER.get()));
        let done = self.post("/account/second/prove", &form, ada).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.body);
        assert_eq!(done.headers[header::CACHE_CONTROL], "no-store");
        let list = between(&done.body, "<ul class=\"codes\">", "</ul>");
        let codes = list
            .split("<code>")
            .skip(1)
            .map(|rest| rest.split('<').next().unwrap().to_owned());
        (telephone, codes.collect())
    }

    /// The cookie between the steps.
    async fn half(&self) -> String {
        let answer = self.sign_in("Ada", PASSWORD).await;
        assert_eq!(
            (answer.status, location(&answer)),
            (StatusCode::SEE_OTHER, "/sign-in/code")
        );
        let cookie = cookie_of(&answer);
        assert!(cookie.starts_with("marque-half="), "{cookie}");
        cookie
    }

    /// The secret of a link made at the machine.
    async fn link(&self, kind: LinkKind, account: Uuid) -> String {
        let by = By {
            person: "uid 0".into(),
            from: "command line".into(),
        };
        let link = self.door.link(kind, Some(account), crate::door::SIGN_IN, &by);
        link.await.unwrap().reveal().to_owned()
    }

    async fn code(&self, code: &str, half: &str) -> Answer {
        self.post("/sign-in/code", &format!("code={code}"), half).await
    }
}

#[tokio::test]
async fn a_second_factor_holds_once_a_code_has_proved_it() {
    let (behind, ada) = Behind::with_ada().await;
    let other = cookie_of(&behind.sign_in("Ada", PASSWORD).await);
    let wrong = behind.post("/account/second", "password=wrong", &ada).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!wrong.body.contains("otpauth"));
    let page = behind
        .post("/account/second", &format!("password={PASSWORD}"), &ada)
        .await;
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    assert!(page.body.contains("otpauth://totp/Marque:Ada?") && page.body.contains("<svg "));
    assert!(!page.body.contains(" style=") && !page.body.contains("<?xml"));
    let telephone = Telephone::reads(&page.body);
    let sealed = between(&page.body, "name=\"sealed\" value=\"", "\"").to_owned();
    let prove = async |code: &str, cookie: &str| {
        let form = format!("sealed={sealed}&code={code}");
        behind.post("/account/second/prove", &form, cookie).await
    };
    let no = prove("000000", &ada).await;
    assert_eq!(no.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(no.body.contains(&sealed), "the same once more");
    assert_eq!(
        cookies(&behind.sign_in("Ada", PASSWORD).await).len(),
        1,
        "one step still"
    );
    let code = telephone.code(0);
    assert_eq!(
        prove(&code, &other).await.status,
        StatusCode::GONE,
        "sealed for another session"
    );
    LATER.set(301);
    assert_eq!(
        prove(&telephone.code(301), &ada).await.status,
        StatusCode::GONE,
        "too late"
    );
    LATER.set(299);
    let done = prove(&telephone.code(299), &ada).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert_eq!(done.body.matches("<li><code>").count(), 10);
    assert_eq!(
        behind.get("/", &other).await.status,
        StatusCode::SEE_OTHER,
        "other sessions end"
    );
    let page = behind.get("/account", &ada).await.body;
    assert!(page.contains("10 recovery codes are left") && !page.contains("otpauth"));
    let again = behind
        .post("/account/second", &format!("password={PASSWORD}"), &ada)
        .await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "there is one");
    let log = behind.log().await;
    assert!(log.contains(&"Ada second_factor_on Ada".to_owned()), "{log:?}");
    let key = behind._folder.path().join("second-factor.key");
    assert!(key.exists());
    // At rest it is sealed under that key, for this account.
    let (row, _) = behind.store.account_named("ada").await.unwrap().unwrap();
    let kept = behind.store.second(row.account).await.unwrap().unwrap();
    let seal = crate::door::Seal::of_file(&key).unwrap();
    let opened = |account| seal.open(&format!("marque: second factor of {account}"), &kept.sealed);
    assert_eq!(opened(row.account).unwrap().as_slice(), telephone.secret);
    assert!(opened(Uuid::nil()).is_none());
    let plain = [
        telephone.secret.clone(),
        hex::encode(&telephone.secret).into_bytes(),
        telephone.text.into_bytes(),
        URL_SAFE_NO_PAD.encode(&telephone.secret).into_bytes(),
        STANDARD_NO_PAD.encode(&telephone.secret).into_bytes(),
    ];
    for file in ["door.db", "door.db-wal"] {
        let file = std::fs::read(behind._folder.path().join(file)).unwrap();
        for plain in &plain {
            assert!(!file.windows(plain.len()).any(|octets| octets == plain));
        }
    }
}

#[tokio::test]
async fn between_the_steps_nothing_else_is_open_and_each_code_is_taken_once() {
    let (behind, ada) = Behind::with_ada().await;
    let (telephone, _) = behind.turn_on(&ada).await;
    assert_eq!(
        location(&behind.get("/sign-in/code", "").await),
        "/sign-in",
        "not without the first"
    );
    let half = behind.half().await;
    assert_eq!(behind.get("/sign-in/code", &half).await.status, StatusCode::OK);
    let (_, sealed) = half.split_once('=').unwrap();
    for (path, cookie) in [
        ("/", half.clone()),
        ("/account", half.clone()),
        ("/", format!("marque={sealed}")),
    ] {
        assert_eq!(
            behind.get(path, &cookie).await.status,
            StatusCode::SEE_OTHER,
            "{path}"
        );
    }
    let used = behind.code(&telephone.code(0), &half).await;
    assert_eq!(
        used.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "the code that proved it"
    );
    LATER.set(STEP);
    let code = telephone.code(STEP);
    let spaced = format!("{}+{}", &code[..3], &code[3..]);
    let done = behind.code(&spaced, &half).await;
    assert_eq!((done.status, location(&done)), (StatusCode::SEE_OTHER, "/"));
    let set = cookies(&done);
    assert!(
        set[0].starts_with("marque=") && set[1] == "marque-half=",
        "{set:?}"
    );
    assert_eq!(behind.get("/", &set[0]).await.status, StatusCode::OK);
    let again = behind.code(&code, &half).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "used");
    let next = behind.code(&telephone.code(2 * STEP), &half).await;
    assert_eq!(next.status, StatusCode::SEE_OTHER, "one step ahead");
    let far = telephone.code(5 * STEP);
    assert_eq!(
        behind.code(&far, &half).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    LATER.set(301);
    let late = behind.code(&telephone.code(301), &half).await;
    assert!(late.status == StatusCode::GONE && late.body.contains("took too long"));
    // Where they wanted to go.
    let form = format!("name=Ada&password={PASSWORD}&to=%2Ffindings%3Fseverity%3Dmajor");
    let half = cookie_of(&behind.post("/sign-in", &form, "").await);
    let done = behind.code(&telephone.code(301), &half).await;
    assert_eq!(location(&done), "/findings?severity=major");
}

#[tokio::test]
async fn wrong_codes_lock_out_and_no_first_step_forgives_one() {
    let (behind, ada) = Behind::with_ada().await;
    let (telephone, _) = behind.turn_on(&ada).await;
    LATER.set(60);
    for n in 0..5 {
        // Each time from the beginning: the password is right.
        let half = behind.half().await;
        let wrong = behind.code("000000", &half).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{n}");
    }
    let locked = behind.code(&telephone.code(60), &behind.half().await).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    // Nor does a new password by a link.
    let (row, _) = behind.store.account_named("ada").await.unwrap().unwrap();
    let kind = LinkKind::Password;
    let link = behind.link(kind, row.account).await;
    let form = format!("token={link}&password={PASSWORD}&again={PASSWORD}");
    let half = cookie_of(&behind.post("/set-up", &form, "").await);
    let locked = behind.code(&telephone.code(60), &half).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    LATER.set(91);
    let half = behind.half().await;
    assert_eq!(
        behind.code("000000", &half).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        behind.code(&telephone.code(91), &half).await.status,
        StatusCode::TOO_MANY_REQUESTS,
        "the right one too"
    );
    LATER.set(152);
    let done = behind.code(&telephone.code(152), &half).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let log = behind.log().await;
    assert!(log.contains(&"nobody locked_out Ada".to_owned()), "{log:?}");
    assert!(log.iter().all(|row| !row.contains("000000")));
}

#[tokio::test]
async fn strangers_who_guess_passwords_keep_nobody_from_the_second_step() {
    let (behind, ada) = Behind::with_ada().await;
    let (telephone, _) = behind.turn_on(&ada).await;
    LATER.set(60);
    for _ in 0..5 {
        behind.sign_in("Ada", "a stranger's guess").await;
    }
    let (row, _) = behind.store.account_named("ada").await.unwrap().unwrap();
    // Nor does a name that is made up for it.
    for _ in 0..5 {
        behind.sign_in(&format!(" codes of {}", row.account), "no").await;
    }
    let locked = behind.sign_in("Ada", PASSWORD).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    let kind = LinkKind::SignIn;
    let path = format!("/enter?token={}", behind.link(kind, row.account).await);
    let half = cookie_of(&behind.get(&path, "").await);
    let done = behind.code(&telephone.code(60), &half).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    // Both steps clear both counts.
    behind.half().await;
}

#[tokio::test]
async fn a_recovery_code_lets_in_once_and_a_new_password_ends_the_half() {
    let (behind, ada) = Behind::with_ada().await;
    let (telephone, recovery) = behind.turn_on(&ada).await;
    let half = behind.half().await;
    let done = behind.code(&recovery[3].to_uppercase(), &half).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(
        behind.code(&recovery[3], &half).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert!(
        behind
            .get("/account", &ada)
            .await
            .body
            .contains("9 recovery codes are left")
    );
    LATER.set(60);
    let form = format!("old={PASSWORD}&password=another long word&again=another long word");
    assert_eq!(
        behind.post("/account/password", &form, &ada).await.status,
        StatusCode::SEE_OTHER
    );
    let late = behind.code(&telephone.code(60), &half).await;
    assert_eq!(late.status, StatusCode::GONE, "the password was another");
    let log = behind.log().await;
    assert!(log.contains(&"Ada recovery_code_used Ada".to_owned()), "{log:?}");
}

#[tokio::test]
async fn a_link_takes_the_place_of_the_password_and_not_of_the_code() {
    let (behind, ada) = Behind::with_ada().await;
    let (telephone, _) = behind.turn_on(&ada).await;
    let (row, _) = behind.store.account_named("ada").await.unwrap().unwrap();
    let made = behind
        .post(&format!("/admin/accounts/{}/link", row.account), "", &ada)
        .await;
    let link = between(&made.body, "/set-up?token=", "\"").to_owned();
    let form = format!("token={link}&password={PASSWORD}&again={PASSWORD}");
    let by_link = behind.post("/set-up", &form, "").await;
    assert_eq!(location(&by_link), "/sign-in/code");
    let kind = LinkKind::SignIn;
    let path = format!("/enter?token={}", behind.link(kind, row.account).await);
    let entered = behind.get(&path, "").await;
    assert_eq!(location(&entered), "/sign-in/code");
    LATER.set(60);
    let done = behind.code(&telephone.code(60), &cookie_of(&entered)).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn it_is_turned_off_by_password_and_code_or_by_who_administers() {
    let (behind, ada) = Behind::with_ada().await;
    let (telephone, recovery) = behind.turn_on(&ada).await;
    LATER.set(60);
    let off = async |password: &str, code: &str| {
        let form = format!("password={password}&code={code}");
        behind.post("/account/second/off", &form, &ada).await.status
    };
    let no = StatusCode::UNPROCESSABLE_ENTITY;
    assert_eq!(off("wrong", &telephone.code(60)).await, no);
    assert_eq!(off(PASSWORD, "000000").await, no);
    assert_eq!(off(PASSWORD, &telephone.code(60)).await, StatusCode::SEE_OTHER);
    assert!(cookie_of(&behind.sign_in("Ada", PASSWORD).await).starts_with("marque="));
    LATER.set(120);
    let (_, _) = behind.turn_on(&ada).await;
    let half = behind.half().await;
    assert_eq!(
        behind.code(&recovery[0], &half).await.status,
        no,
        "of the one before"
    );
    // By who administers; the half ends with it.
    let (row, _) = behind.store.account_named("ada").await.unwrap().unwrap();
    let path = format!("/admin/accounts/{}/second-off", row.account);
    assert!(behind.get("/admin", &ada).await.body.contains(&path));
    assert_eq!(behind.post(&path, "", &ada).await.status, StatusCode::SEE_OTHER);
    assert_eq!(behind.post(&path, "", &ada).await.status, StatusCode::NOT_FOUND);
    assert_eq!(behind.code("000000", &half).await.status, StatusCode::GONE);
    let log = behind.log().await;
    assert_eq!(
        log.iter()
            .filter(|row| *row == "Ada second_factor_off Ada")
            .count(),
        2,
        "{log:?}"
    );
}

#[tokio::test]
async fn where_a_role_needs_one_nothing_opens_before_but_the_own_account() {
    let mut behind = Behind::new(false).await;
    let door = Door::new(behind.store.clone(), clock, TIMES).unwrap();
    let folder = behind._folder.path().to_owned();
    behind.door = Arc::new(door.with_second(folder, [AccessRole::Admin].into()));
    let (pages, policies) = Fixture::new(14, 5).shared();
    behind.house = House::over(behind.door.clone(), pages, policies, true, false);
    let link = behind.door.first_link().await.unwrap().unwrap();
    let form = format!(
        "token={}&name=Ada&password={PASSWORD}&again={PASSWORD}",
        link.reveal()
    );
    let ada = cookie_of(&behind.post("/set-up", &form, "").await);
    for path in ["/", "/admin", "/findings"] {
        let answer = behind.get(path, &ada).await;
        assert_eq!(
            (answer.status, location(&answer)),
            (StatusCode::SEE_OTHER, "/account"),
            "{path}"
        );
    }
    assert_eq!(
        behind.get("/api/v1/summary", &ada).await.status,
        StatusCode::FORBIDDEN
    );
    let made = behind
        .post("/admin/accounts", "name=Bo&role=viewer&sites=all", &ada)
        .await;
    assert_eq!(location(&made), "/account", "nothing is made");
    assert!(behind.store.account_named("bo").await.unwrap().is_none());
    assert!(
        behind
            .get("/account", &ada)
            .await
            .body
            .contains("Your role needs a second factor")
    );
    behind.turn_on(&ada).await;
    assert_eq!(behind.get("/admin", &ada).await.status, StatusCode::OK);
    // Others are not asked for one, nor is whoever another vouches for.
    for (name, role) in [("cy", AccessRole::Admin), ("di", AccessRole::Viewer)] {
        let opened = behind.door.sign_in_as(name, role, None, None).await.unwrap();
        let cookie = format!("marque={}", opened.secret.reveal());
        assert_eq!(behind.get("/", &cookie).await.status, StatusCode::OK, "{name}");
    }
}
