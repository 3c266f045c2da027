//! Sessions and tokens in rows: what a cookie or a bearer's secret leads to.

use super::accounts::{sites, sites_text};
use super::row;
use crate::StoreError;
use crate::accounts::{By, NewSession, SessionOf, SessionRow, TokenRow};
use model::{AccessRole, Instant, Person, Scope};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, SqliteConnection};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Sessions of one account or token at once; the one that began first makes room.
const MOST: i64 = 50;

/// Sessions with whose they are, as far as they hold: not run out, nobody shut out, and a person's not idle. A wall
/// hangs as long as its token holds, also when it was without current for a night.
const HELD: &str = "SELECT s.*, COALESCE(a.name, 'token ' || t.name) AS name, a.role, \
    COALESCE(a.external OR a.second_at IS NOT NULL, FALSE) AS second, \
    CASE WHEN a.account_id IS NULL THEN t.sites ELSE a.sites END AS sites FROM session s \
    LEFT JOIN account a ON a.account_id = s.account_id LEFT JOIN api_token t ON t.token_id = s.token_id \
    WHERE s.expires_at > $1 AND (s.seen_at >= $2 OR a.account_id IS NULL) AND a.disabled_at IS NULL \
    AND (a.account_id IS NOT NULL OR (t.ended_at IS NULL AND t.expires_at > $1))";

pub(super) async fn open(
    tx: &mut SqliteConnection,
    new: &NewSession,
    by: &By,
    now: Instant,
) -> Result<(), StoreError> {
    let (account, token) = match new.of {
        SessionOf::Account(account) => (Some(account.to_string()), None),
        SessionOf::Wall(token) => (None, Some(token.to_string())),
    };
    sqlx::query("DELETE FROM session WHERE expires_at <= $1")
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "DELETE FROM session WHERE session_id IN (SELECT session_id FROM session WHERE account_id IS $1 \
         AND token_id IS $2 ORDER BY recorded_at DESC, session_id DESC LIMIT -1 OFFSET $3)",
    )
    .bind(&account)
    .bind(&token)
    .bind(MOST - 1)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO session (session_id, session_hash, account_id, token_id, peer, seen_at, expires_at, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $6)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(&new.hash)
    .bind(&account)
    .bind(&token)
    .bind(&by.from)
    .bind(now.0)
    .bind(new.expires.0)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE account SET last_sign_in_at = $1 WHERE account_id = $2")
        .bind(now.0)
        .bind(&account)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

pub(super) async fn find(
    pool: &SqlitePool,
    hash: &str,
    idle: Instant,
    now: Instant,
) -> Result<Option<(SessionRow, Person)>, StoreError> {
    let text = format!("{HELD} AND s.session_hash = $3");
    let found = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(now.0)
        .bind(idle.0)
        .bind(hash)
        .fetch_optional(pool)
        .await?;
    let Some(r) = found else { return Ok(None) };
    let role: Option<&str> = r.try_get("role")?;
    let person = Person {
        name: r.try_get("name")?,
        // A wall only looks.
        role: role
            .map(|role| row::word(role, "account"))
            .transpose()?
            .unwrap_or(AccessRole::Viewer),
        sites: sites(&r)?,
    };
    Ok(Some((session(&r)?, person)))
}

fn session(r: &SqliteRow) -> Result<SessionRow, StoreError> {
    let (account, token): (Option<&str>, Option<&str>) = (r.try_get("account_id")?, r.try_get("token_id")?);
    let of = match (account, token) {
        (Some(account), _) => SessionOf::Account(row::word(account, "session")?),
        (None, Some(token)) => SessionOf::Wall(row::word(token, "session")?),
        (None, None) => return Err(StoreError::Damaged("session")),
    };
    Ok(SessionRow {
        session: row::word(r.try_get("session_id")?, "session")?,
        of,
        name: r.try_get("name")?,
        peer: r.try_get("peer")?,
        recorded: Instant(r.try_get("recorded_at")?),
        seen: Instant(r.try_get("seen_at")?),
        expires: Instant(r.try_get("expires_at")?),
        second: r.try_get("second")?,
    })
}

pub(super) async fn touch(tx: &mut SqliteConnection, session: Uuid, now: Instant) -> Result<(), StoreError> {
    sqlx::query("UPDATE session SET seen_at = $1 WHERE session_id = $2 AND seen_at < $1")
        .bind(now.0)
        .bind(session.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn list(
    pool: &SqlitePool,
    of: Option<Uuid>,
    idle: Instant,
    now: Instant,
) -> Result<Vec<SessionRow>, StoreError> {
    let text = format!(
        "{HELD} AND ($3 IS NULL OR s.account_id = $3) ORDER BY s.seen_at DESC, s.session_id DESC LIMIT 1000"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(now.0)
        .bind(idle.0)
        .bind(of.map(|account| account.to_string()))
        .fetch_all(pool)
        .await?;
    rows.iter().map(session).collect()
}

/// Whose it was.
pub(super) async fn end(tx: &mut SqliteConnection, session: Uuid) -> Result<Option<String>, StoreError> {
    let key = session.to_string();
    let name: Option<Option<String>> = sqlx::query_scalar(
        "SELECT COALESCE(a.name, 'token ' || t.name) FROM session s LEFT JOIN account a ON a.account_id = s.account_id \
         LEFT JOIN api_token t ON t.token_id = s.token_id WHERE s.session_id = $1",
    )
    .bind(&key)
    .fetch_optional(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM session WHERE session_id = $1")
        .bind(&key)
        .execute(tx)
        .await?;
    Ok(name.map(Option::unwrap_or_default))
}

pub(super) async fn end_all(
    tx: &mut SqliteConnection,
    account: Uuid,
    keep: Option<Uuid>,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM session WHERE account_id = $1 AND session_id IS NOT $2")
        .bind(account.to_string())
        .bind(keep.map(|keep| keep.to_string()))
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn add_token(
    tx: &mut SqliteConnection,
    hash: &str,
    token: &TokenRow,
) -> Result<(), StoreError> {
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    sqlx::query(
        "INSERT INTO api_token (token_id, token_hash, name, scopes, sites, made_by, expires_at, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(token.token.to_string())
    .bind(hash)
    .bind(&token.name)
    .bind(scopes.join(" "))
    .bind(sites_text(&token.sites))
    .bind(&token.made_by)
    .bind(token.expires.0)
    .bind(token.recorded.0)
    .execute(tx)
    .await?;
    Ok(())
}

fn token_row(r: &SqliteRow) -> Result<TokenRow, StoreError> {
    let scopes: &str = r.try_get("scopes")?;
    Ok(TokenRow {
        token: row::word(r.try_get("token_id")?, "token")?,
        name: r.try_get("name")?,
        scopes: scopes
            .split_whitespace()
            .map(|word| row::word::<Scope>(word, "token"))
            .collect::<Result<BTreeSet<_>, _>>()?,
        sites: sites(r)?,
        made_by: r.try_get("made_by")?,
        expires: Instant(r.try_get("expires_at")?),
        used: row::instant(r.try_get("used_at")?),
        ended: row::instant(r.try_get("ended_at")?),
        recorded: Instant(r.try_get("recorded_at")?),
    })
}

pub(super) async fn token(
    pool: &SqlitePool,
    hash: &str,
    now: Instant,
) -> Result<Option<TokenRow>, StoreError> {
    let found =
        sqlx::query("SELECT * FROM api_token WHERE token_hash = $1 AND expires_at > $2 AND ended_at IS NULL")
            .bind(hash)
            .bind(now.0)
            .fetch_optional(pool)
            .await?;
    found.as_ref().map(token_row).transpose()
}

pub(super) async fn touch_token(
    tx: &mut SqliteConnection,
    token: Uuid,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE api_token SET used_at = $1 WHERE token_id = $2")
        .bind(now.0)
        .bind(token.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn tokens(pool: &SqlitePool) -> Result<Vec<TokenRow>, StoreError> {
    let rows = sqlx::query("SELECT * FROM api_token ORDER BY token_id DESC LIMIT 1000")
        .fetch_all(pool)
        .await?;
    rows.iter().map(token_row).collect()
}

/// Its name, if it held.
pub(super) async fn end_token(
    tx: &mut SqliteConnection,
    token: Uuid,
    now: Instant,
) -> Result<Option<String>, StoreError> {
    let key = token.to_string();
    let name: Option<String> = sqlx::query_scalar(
        "UPDATE api_token SET ended_at = $1 WHERE token_id = $2 AND ended_at IS NULL RETURNING name",
    )
    .bind(now.0)
    .bind(&key)
    .fetch_optional(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM session WHERE token_id = $1")
        .bind(&key)
        .execute(tx)
        .await?;
    Ok(name)
}
