//! Accounts, sessions, links and tokens: what holds at once, what holds once.

use super::*;
use crate::accounts::{
    AccountChange, AccountRow, Accounts as _, By, Changed, Deed, Link, LinkKind, LinkUse, NewAccount,
    NewSession, SessionOf, Sites, TokenRow, Vouched,
};
use crate::acts::{Acts as _, AuditFilter};
use model::{AccessRole, Scope};
use uuid::Uuid;

const LONG_AGO: Instant = Instant(0);

fn by() -> By {
    By {
        person: "ada".into(),
        from: "192.0.2.7".into(),
    }
}

async fn account(house: &House, name: &str, role: AccessRole) -> AccountRow {
    let new = NewAccount {
        name: name.into(),
        role,
        sites: None,
    };
    house
        .store
        .add_account(&new, &by(), Instant(10))
        .await
        .unwrap()
        .unwrap()
}

async fn link(house: &House, hash: &str, kind: LinkKind, account: Option<Uuid>) {
    let link = Link {
        hash: hash.into(),
        kind,
        account,
        expires: Instant(100),
    };
    house.store.add_link(&link, &by(), Instant(10)).await.unwrap();
}

async fn open(house: &House, hash: &str, of: SessionOf, at: i64) {
    let new = NewSession {
        hash: hash.into(),
        of,
        expires: Instant(1_000),
    };
    house
        .store
        .open_session(&new, &by(), "sign_in", Instant(at))
        .await
        .unwrap();
}

async fn holds(house: &House, hash: &str, now: i64) -> bool {
    let found = house.store.session(hash, LONG_AGO, Instant(now)).await.unwrap();
    found.is_some()
}

#[tokio::test]
async fn names_are_unique_whatever_their_case() {
    let house = House::new().await;
    let revision = house.store.revision();
    let ada = account(&house, "Ada", AccessRole::Admin).await;
    let again = NewAccount {
        name: "aDA".into(),
        role: AccessRole::Viewer,
        sites: None,
    };
    assert_eq!(
        house.store.add_account(&again, &by(), Instant(11)).await.unwrap(),
        None
    );
    assert_eq!(
        house.store.vouched(&again, &by(), Instant(11)).await.unwrap(),
        Vouched::NotHere,
        "a local name"
    );
    let (found, hash) = house.store.account_named("ADA").await.unwrap().unwrap();
    assert_eq!((found, hash), (ada, None));
    assert!(!revision.has_changed().unwrap(), "no page is woken");
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_does() {
    let house = House::new().await;
    link(&house, "old", LinkKind::SetUp, None).await;
    link(&house, "new", LinkKind::SetUp, None).await;
    let set_up = |name: &str| LinkUse::SetUp(name.into(), "hash".into());
    let wrong = house
        .store
        .use_link("new", &LinkUse::SignIn, "x", Instant(20))
        .await
        .unwrap();
    assert_eq!(wrong, None, "a link opens what it is for");
    let late = house
        .store
        .use_link("new", &set_up("ada"), "x", Instant(100))
        .await
        .unwrap();
    assert_eq!(late, None, "it ran out");
    let (first, second) = (set_up("ada"), set_up("eve"));
    let (a, b) = tokio::join!(
        house.store.use_link("new", &first, "x", Instant(20)),
        house.store.use_link("new", &second, "x", Instant(20)),
    );
    assert_eq!(a.unwrap().iter().chain(&b.unwrap()).count(), 1);
    assert_eq!(house.store.accounts().await.unwrap().len(), 1);
    link(&house, "third", LinkKind::SetUp, None).await;
    assert_eq!(
        house.store.link("third", Instant(20)).await.unwrap(),
        None,
        "there is an account"
    );
    assert_eq!(house.store.link("old", Instant(20)).await.unwrap(), None);
}

#[tokio::test]
async fn a_password_by_link_ends_sessions_and_other_links() {
    let house = House::new().await;
    let bo = account(&house, "bo", AccessRole::Viewer).await;
    open(&house, "s", SessionOf::Account(bo.account), 15).await;
    link(&house, "p", LinkKind::Password, Some(bo.account)).await;
    link(&house, "in", LinkKind::SignIn, Some(bo.account)).await;
    let used = house
        .store
        .use_link("p", &LinkUse::Password("hash".into()), "x", Instant(20))
        .await;
    assert_eq!(used.unwrap().unwrap().name, "bo");
    assert!(!holds(&house, "s", 21).await);
    assert_eq!(house.store.link("in", Instant(21)).await.unwrap(), None);
    let (row, hash) = house.store.account(bo.account).await.unwrap().unwrap();
    assert!(row.has_password && hash.as_deref() == Some("hash"));
}

#[tokio::test]
async fn a_session_holds_as_long_as_everything_behind_it() {
    let house = House::new().await;
    let bo = account(&house, "bo", AccessRole::Viewer).await;
    let of = SessionOf::Account(bo.account);
    open(&house, "s", of, 15).await;
    let (session, person) = house
        .store
        .session("s", LONG_AGO, Instant(20))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((person, session.peer.as_str()), (bo.person(), "192.0.2.7"));
    assert!(!holds(&house, "other", 20).await && !holds(&house, "s", 1_000).await);
    let idle = |since| house.store.session("s", Instant(since), Instant(20));
    assert!(idle(15).await.unwrap().is_some() && idle(16).await.unwrap().is_none());
    house
        .store
        .touch_session(session.session, Instant(18))
        .await
        .unwrap();
    house
        .store
        .touch_session(session.session, Instant(17))
        .await
        .unwrap();
    assert!(
        idle(18).await.unwrap().is_some(),
        "a clock that went back takes nothing"
    );
    let sites: Sites = Some(["berlin".parse().unwrap()].into());
    let rights = AccountChange::Rights(AccessRole::Operator, sites.clone());
    assert_eq!(
        house
            .store
            .change_account(bo.account, &rights, &by(), Instant(21))
            .await
            .unwrap(),
        Changed::Done
    );
    let (_, person) = house
        .store
        .session("s", LONG_AGO, Instant(22))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((person.role, person.sites), (AccessRole::Operator, sites));
    let off = AccountChange::Disabled(true);
    house
        .store
        .change_account(bo.account, &off, &by(), Instant(23))
        .await
        .unwrap();
    assert!(!holds(&house, "s", 24).await);
    for n in 0..60 {
        open(&house, &format!("s{n}"), of, 30 + n).await;
    }
    house
        .store
        .change_account(bo.account, &AccountChange::Disabled(false), &by(), Instant(95))
        .await
        .unwrap();
    let held = house
        .store
        .sessions(Some(bo.account), LONG_AGO, Instant(96))
        .await
        .unwrap();
    assert_eq!(held.len(), 50, "the first ones made room");
    assert!(!holds(&house, "s9", 96).await && holds(&house, "s10", 96).await);
}

#[tokio::test]
async fn the_last_who_may_administer_stays() {
    let house = House::new().await;
    let ada = account(&house, "ada", AccessRole::Admin).await;
    let change = async |row: &AccountRow, change: AccountChange| {
        house
            .store
            .change_account(row.account, &change, &by(), Instant(20))
            .await
            .unwrap()
    };
    let some: Sites = Some(["berlin".parse().unwrap()].into());
    assert_eq!(
        change(&ada, AccountChange::Disabled(true)).await,
        Changed::LastAdmin
    );
    assert_eq!(
        change(&ada, AccountChange::Rights(AccessRole::Compliance, None)).await,
        Changed::LastAdmin
    );
    assert_eq!(
        change(&ada, AccountChange::Rights(AccessRole::Admin, some)).await,
        Changed::LastAdmin
    );
    let bo = account(&house, "bo", AccessRole::Admin).await;
    assert_eq!(change(&ada, AccountChange::Disabled(true)).await, Changed::Done);
    assert_eq!(
        change(&bo, AccountChange::Disabled(true)).await,
        Changed::LastAdmin
    );
    // Nor does another party take the last one away.
    let vouch = async |role, sites| {
        let name = "cy".to_owned();
        let new = NewAccount { name, role, sites };
        house.store.vouched(&new, &by(), Instant(30)).await.unwrap()
    };
    assert!(matches!(vouch(AccessRole::Admin, None).await, Vouched::In(_)));
    assert_eq!(change(&bo, AccountChange::Disabled(true)).await, Changed::Done);
    let some: Sites = Some(["berlin".parse().unwrap()].into());
    for (role, sites) in [(AccessRole::Viewer, None), (AccessRole::Admin, some)] {
        assert_eq!(vouch(role, sites).await, Vouched::LastAdmin);
    }
    let (cy, _) = house.store.account_named("cy").await.unwrap().unwrap();
    assert_eq!((cy.role, cy.sites), (AccessRole::Admin, None));
    assert_eq!(change(&ada, AccountChange::Disabled(false)).await, Changed::Done);
    assert!(matches!(vouch(AccessRole::Viewer, None).await, Vouched::In(_)));
}

#[tokio::test]
async fn tokens_and_their_walls_end_together() {
    let house = House::new().await;
    let token = TokenRow {
        token: Uuid::now_v7(),
        name: "noc".into(),
        scopes: [Scope::Wall, Scope::Metrics].into(),
        sites: Some(["berlin".parse().unwrap()].into()),
        made_by: "ada".into(),
        expires: Instant(500),
        used: None,
        ended: None,
        recorded: Instant(10),
    };
    house.store.add_token("h", &token, &by()).await.unwrap();
    assert_eq!(
        house.store.token("h", Instant(20)).await.unwrap(),
        Some(token.clone())
    );
    assert_eq!(house.store.token("h", Instant(500)).await.unwrap(), None);
    open(&house, "w", SessionOf::Wall(token.token), 15).await;
    let (session, person) = house
        .store
        .session("w", LONG_AGO, Instant(20))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((person.role, &person.sites), (AccessRole::Viewer, &token.sites));
    assert_eq!(session.of, SessionOf::Wall(token.token));
    assert!(!holds(&house, "w", 500).await, "with the token");
    assert!(
        house
            .store
            .end_token(token.token, &by(), Instant(30))
            .await
            .unwrap()
    );
    assert!(
        !house
            .store
            .end_token(token.token, &by(), Instant(31))
            .await
            .unwrap()
    );
    assert!(!holds(&house, "w", 32).await);
    assert_eq!(house.store.token("h", Instant(32)).await.unwrap(), None);
    assert_eq!(house.store.tokens().await.unwrap()[0].ended, Some(Instant(30)));
}

#[tokio::test]
async fn every_change_is_a_row_of_the_audit_log() {
    let house = House::new().await;
    let revision = house.store.revision();
    let bo = account(&house, "bo", AccessRole::Viewer).await;
    let rights = AccountChange::Rights(AccessRole::Operator, None);
    house
        .store
        .change_account(bo.account, &rights, &by(), Instant(20))
        .await
        .unwrap();
    open(&house, "s", SessionOf::Account(bo.account), 30).await;
    let (session, _) = house
        .store
        .session("s", LONG_AGO, Instant(31))
        .await
        .unwrap()
        .unwrap();
    assert!(
        house
            .store
            .end_session(session.session, &by(), "session_ended", Instant(32))
            .await
            .unwrap()
    );
    assert!(
        !house
            .store
            .end_session(session.session, &by(), "session_ended", Instant(33))
            .await
            .unwrap()
    );
    let deed = Deed {
        at: Instant(40),
        by: by(),
        action: "saw_finding".into(),
        subjects: vec!["/findings/1".into()],
    };
    house.store.record(&[deed]).await.unwrap();
    let log = house.store.audit_log(&AuditFilter::default()).await.unwrap().rows;
    let told: Vec<String> = log
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {} {}",
                row.at.0,
                row.person,
                row.account,
                row.action,
                row.subjects.join(",")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "40 ada 192.0.2.7 saw_finding /findings/1",
            "32 ada 192.0.2.7 session_ended bo",
            "30 ada 192.0.2.7 sign_in ",
            "20 ada 192.0.2.7 account_rights bo",
            "10 ada 192.0.2.7 account_made bo",
        ]
    );
    assert_eq!(log[3].detail, r#"{"role":"operator","sites":null}"#);
    let of = async |begins: &str| {
        let filter = AuditFilter {
            begins: begins.into(),
            ..AuditFilter::default()
        };
        house.store.audit_log(&filter).await.unwrap().total
    };
    assert_eq!(
        (of("account_").await, of("finding_").await, of("_ccount").await),
        (2, 0, 0)
    );
    assert!(!revision.has_changed().unwrap(), "no page is woken by who looks");
}

#[tokio::test]
async fn counts_of_some_sites_are_those_of_their_elements() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 1), Instant(1)).await.unwrap();
    house
        .commit(vec![report(1, 1_000, Completeness::Complete, 7)])
        .await
        .unwrap();
    house
        .identify(Digest([7; 32]), identification("huawei", "S1"))
        .await;
    let element = house.only_element().await;
    let opened = FindingStep::Open(met(result(ResultClass::Due, Severity::Critical)));
    house
        .judge(
            element,
            vec![result(ResultClass::Due, Severity::Critical)],
            vec![opened],
        )
        .await;
    let of = async |site: &str| {
        let sites = [site.parse().unwrap()].into();
        house.store.overview_of(Some(&sites)).await.unwrap()
    };
    let (all, here, elsewhere) = (
        house.store.overview().await.unwrap(),
        of("berlin").await,
        of("london").await,
    );
    assert_eq!(here, all);
    assert_eq!(
        (all.elements, all.severities.iter().map(|c| c.count).sum::<u64>()),
        (1, 1)
    );
    assert_eq!(
        (elsewhere.elements, elsewhere.reached, elsewhere.identified),
        (0, 0, 0)
    );
    assert_eq!((elsewhere.reports, elsewhere.last_report), (0, None));
    assert!(elsewhere.agents.is_empty() && elsewhere.sites.is_empty() && elsewhere.changes.is_empty());
    assert!(elsewhere.makers.is_empty() && elsewhere.exposure.is_empty() && elsewhere.deadlines.is_empty());
    assert!(
        elsewhere
            .severities
            .iter()
            .chain(&elsewhere.states)
            .all(|count| count.count == 0)
    );
    let sites = house.store.sites_of(Digest([7; 32])).await.unwrap();
    assert_eq!(sites, ["berlin".parse().unwrap()].into());
    assert!(house.store.sites_of(Digest([8; 32])).await.unwrap().is_empty());
}
