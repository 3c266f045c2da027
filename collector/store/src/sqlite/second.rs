//! Second factors and recovery codes in rows. What is used is used by the statement that asks whether it may be.

use crate::StoreError;
use crate::accounts::{NewSecond, Second};
use model::Instant;
use sqlx::sqlite::SqlitePool;
use sqlx::{Row as _, SqliteConnection};
use uuid::Uuid;

pub(super) async fn find(pool: &SqlitePool, account: Uuid) -> Result<Option<Second>, StoreError> {
    let found = sqlx::query(
        "SELECT second_sealed, second_step, (SELECT COUNT(*) FROM recovery_code c WHERE c.account_id = a.account_id) \
         AS recovery FROM account a WHERE account_id = $1 AND second_sealed IS NOT NULL AND NOT external",
    )
    .bind(account.to_string())
    .fetch_optional(pool)
    .await?;
    let Some(r) = found else { return Ok(None) };
    Ok(Some(Second {
        sealed: r.try_get("second_sealed")?,
        step: r.try_get("second_step")?,
        recovery: u64::try_from(r.try_get::<i64, _>("recovery")?).unwrap_or_default(),
    }))
}

/// The name of the account, if it takes one.
pub(super) async fn hold(
    tx: &mut SqliteConnection,
    account: Uuid,
    new: &NewSecond,
    now: Instant,
) -> Result<Option<String>, StoreError> {
    let key = account.to_string();
    let name: Option<String> = sqlx::query_scalar(
        "UPDATE account SET second_sealed = $1, second_step = $2, second_at = $3 \
         WHERE account_id = $4 AND second_sealed IS NULL AND NOT external RETURNING name",
    )
    .bind(&new.sealed)
    .bind(new.step)
    .bind(now.0)
    .bind(&key)
    .fetch_optional(&mut *tx)
    .await?;
    if name.is_none() {
        return Ok(None);
    }
    for hash in &new.recovery {
        sqlx::query("INSERT INTO recovery_code (account_id, code_hash, recorded_at) VALUES ($1, $2, $3)")
            .bind(&key)
            .bind(hash)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
    }
    Ok(name)
}

pub(super) async fn use_step(
    tx: &mut SqliteConnection,
    account: Uuid,
    step: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE account SET second_step = $1 \
         WHERE account_id = $2 AND second_sealed IS NOT NULL AND second_step < $1",
    )
    .bind(step)
    .bind(account.to_string())
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whose it was, and how many are left.
pub(super) async fn use_recovery(
    tx: &mut SqliteConnection,
    account: Uuid,
    hash: &str,
) -> Result<Option<(String, i64)>, StoreError> {
    let key = account.to_string();
    let done = sqlx::query("DELETE FROM recovery_code WHERE account_id = $1 AND code_hash = $2")
        .bind(&key)
        .bind(hash)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() != 1 {
        return Ok(None);
    }
    let told = sqlx::query_as(
        "SELECT name, (SELECT COUNT(*) FROM recovery_code c WHERE c.account_id = a.account_id) \
         FROM account a WHERE account_id = $1",
    )
    .bind(&key)
    .fetch_optional(tx)
    .await?;
    Ok(told)
}

/// Whose it was.
pub(super) async fn forget(tx: &mut SqliteConnection, account: Uuid) -> Result<Option<String>, StoreError> {
    let key = account.to_string();
    sqlx::query("DELETE FROM recovery_code WHERE account_id = $1")
        .bind(&key)
        .execute(&mut *tx)
        .await?;
    let name = sqlx::query_scalar(
        "UPDATE account SET second_sealed = NULL, second_step = NULL, second_at = NULL \
         WHERE account_id = $1 AND second_sealed IS NOT NULL RETURNING name",
    )
    .bind(&key)
    .fetch_optional(tx)
    .await?;
    Ok(name)
}
