//! One-time links in rows: what one opens now, and the transaction that uses it up.

use super::accounts::{find, insert, set_password, told};
use crate::StoreError;
use crate::accounts::{AccountRow, By, LinkKind, LinkUse, NewAccount};
use model::{AccessRole, Instant};
use serde_json::Value;
use sqlx::SqliteConnection;

/// What a link opens now: a set-up only while there is no account, the others only for one that is switched on.
pub(super) async fn opened(
    tx: &mut SqliteConnection,
    hash: &str,
    now: Instant,
) -> Result<Option<(LinkKind, Option<AccountRow>)>, StoreError> {
    let found: Option<(String, Option<String>)> =
        sqlx::query_as("SELECT kind, account_id FROM one_time_link WHERE link_hash = $1 AND expires_at > $2")
            .bind(hash)
            .bind(now.0)
            .fetch_optional(&mut *tx)
            .await?;
    let Some((word, key)) = found else {
        return Ok(None);
    };
    let kind = LinkKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    let kind = kind.ok_or(StoreError::Damaged("link"))?;
    let account = match &key {
        Some(key) => find(&mut *tx, "account_id", key).await?.map(|(row, _)| row),
        None => None,
    };
    let open = match (kind, &account) {
        (LinkKind::SetUp, _) => {
            let accounts: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM account")
                .fetch_one(&mut *tx)
                .await?;
            accounts == 0
        }
        (_, Some(account)) => account.disabled.is_none() && !account.external,
        (_, None) => false,
    };
    Ok(open.then_some((kind, account)))
}

pub(super) async fn consume(
    tx: &mut SqliteConnection,
    hash: &str,
    with: &LinkUse,
    from: &str,
    now: Instant,
) -> Result<Option<AccountRow>, StoreError> {
    let Some((kind, account)) = opened(&mut *tx, hash, now).await? else {
        return Ok(None);
    };
    let (account, action) = match (kind, with, account) {
        (LinkKind::SetUp, LinkUse::SetUp(name, password), _) => {
            let new = NewAccount {
                name: name.clone(),
                role: AccessRole::Admin,
                sites: None,
            };
            let made = insert(&mut *tx, &new, false, Some(password), now).await?;
            let Some(made) = made else { return Ok(None) };
            (made, "set_up")
        }
        (LinkKind::Password, LinkUse::Password(password), Some(account)) => {
            set_password(&mut *tx, account.account, password, None).await?;
            (account, "password_set_by_link")
        }
        (LinkKind::SignIn, LinkUse::SignIn, Some(account)) => (account, "link_used"),
        _ => return Ok(None),
    };
    sqlx::query("DELETE FROM one_time_link WHERE link_hash = $1")
        .bind(hash)
        .execute(&mut *tx)
        .await?;
    let by = By {
        person: account.name.clone(),
        from: from.to_owned(),
    };
    told(tx, &by, action, &account.name, &Value::Null, now).await?;
    Ok(Some(account))
}
