//! An element's tenures and all that have to do with them, step by step.
//!
//! Invariant: bounded; a key that too many tell leads to nobody, and is told.

use super::super::row;
use super::digest;
use crate::StoreError;
use crate::units::Company;
use model::{Decision, ElementId, Handle, Instant, Tenure, UnitId};
use sqlx::Row as _;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Elements whose tenures are looked at together; more have nothing to do with each other in practice.
const MOST: usize = 512;

/// See [`crate::Units::company`].
pub(super) async fn company(
    pool: &SqlitePool,
    element: ElementId,
    common: usize,
) -> Result<Company, StoreError> {
    let mut found = Company::default();
    let mut decisions: BTreeMap<String, Decision> = BTreeMap::new();
    let mut known = BTreeSet::from([element.to_string()]);
    let mut keys_seen = BTreeSet::new();
    let mut waiting = VecDeque::from([element.to_string()]);
    while let Some(element) = waiting.pop_front() {
        found.tenures.extend(of_element(pool, &element).await?);
        let mut others = decided(pool, &element, &mut decisions).await?;
        let keys: Vec<String> = sqlx::query_scalar("SELECT DISTINCT key FROM unit_key WHERE element_id = $1")
            .bind(&element)
            .fetch_all(pool)
            .await?;
        for key in keys.into_iter().filter(|key| keys_seen.insert(key.clone())) {
            let limit = i64::try_from(common).unwrap_or(i64::MAX).saturating_add(1);
            let holders: Vec<String> =
                sqlx::query_scalar("SELECT element_id FROM unit_key WHERE key = $1 LIMIT $2")
                    .bind(&key)
                    .bind(limit)
                    .fetch_all(pool)
                    .await?;
            if holders.len() > common {
                found.common.insert(key);
            } else {
                others.extend(holders);
            }
        }
        for other in others {
            if known.len() < MOST && known.insert(other.clone()) {
                waiting.push_back(other);
            }
        }
    }
    found.tenures.sort_by_key(|tenure| (tenure.element, tenure.slot));
    found.decisions = decisions.into_values().collect();
    Ok(found)
}

/// The decisions about an element's hardware; tells the elements they name.
async fn decided(
    pool: &SqlitePool,
    element: &str,
    decisions: &mut BTreeMap<String, Decision>,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query("SELECT * FROM unit_decision WHERE element_id = $1 OR other_element = $1")
        .bind(element)
        .fetch_all(pool)
        .await?;
    let mut others = Vec::new();
    for r in rows {
        let handle = |element: &str, word: &str| -> Result<Option<Handle>, StoreError> {
            let element: Option<String> = r.try_get(element)?;
            let word: Option<String> = r.try_get(word)?;
            let Some(element) = element else { return Ok(None) };
            Ok(Some(Handle {
                element: row::word(&element, "element")?,
                word: word.unwrap_or_default(),
            }))
        };
        let one = handle("element_id", "word")?.ok_or(StoreError::Damaged("unit decision"))?;
        let other = handle("other_element", "other_word")?;
        others.extend(
            [Some(&one), other.as_ref()]
                .into_iter()
                .flatten()
                .map(|handle| handle.element.to_string()),
        );
        let at = Instant(r.try_get("recorded_at")?);
        decisions.insert(r.try_get("decision_id")?, Decision { one, other, at });
    }
    Ok(others)
}

// Who stands there now and answers counts as seen until the end of time: others come while it stands there.
const TENURE: &str = "SELECT t.*, t.valid_until IS NULL AND e.latest_completeness <> 'unreachable' AS present \
    FROM tenure t JOIN element e ON e.element_id = t.element_id WHERE ";

async fn of_element(pool: &SqlitePool, element: &str) -> Result<Vec<Tenure>, StoreError> {
    read(pool, "t.element_id = $1 ORDER BY t.slot", element).await
}

/// See [`crate::Units::tenures`].
pub(super) async fn of_unit(pool: &SqlitePool, unit: UnitId) -> Result<Vec<Tenure>, StoreError> {
    read(
        pool,
        "t.unit_id = $1 ORDER BY t.valid_from, t.element_id, t.slot",
        &unit.to_string(),
    )
    .await
}

async fn read(pool: &SqlitePool, which: &str, key: &str) -> Result<Vec<Tenure>, StoreError> {
    // Put together from the words above alone.
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{TENURE}{which}")))
        .bind(key)
        .fetch_all(pool)
        .await?;
    rows.iter().map(tenure).collect()
}

fn tenure(r: &SqliteRow) -> Result<Tenure, StoreError> {
    let slot = |n: i64| u32::try_from(n).map_err(|_| StoreError::Damaged("tenure"));
    let replaces: Option<i64> = r.try_get("replaces")?;
    let present: Option<bool> = r.try_get("present")?;
    Ok(Tenure {
        element: row::word(r.try_get("element_id")?, "element")?,
        slot: slot(r.try_get("slot")?)?,
        from: Instant(r.try_get("valid_from")?),
        until: row::instant(r.try_get("valid_until")?),
        seen: match present {
            Some(true) => Instant(i64::MAX),
            _ => Instant(r.try_get("seen_until")?),
        },
        first: digest(r, "first_digest")?,
        last: digest(r, "last_digest")?,
        replaces: replaces.map(slot).transpose()?,
        hardware: row::from_json(r.try_get("hardware")?, "hardware")?,
    })
}
