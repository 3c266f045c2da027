//! Tenures, keys, doubts and decisions in rows.
//!
//! Invariant: an element's tenures are replaced together with their keys; lines of the feed are written once,
//! however often the same tenure is concluded.

mod company;
mod show;

pub use show::{doubts, kin, of_element};

use super::judge::change;
use super::{SqliteStore, conclude, row};
use crate::record::Stage;
use crate::units::{Company, ElementHistory, JoinedCompany, UnitFilter, UnitRow, UnitView};
use crate::view::Page;
use crate::{StoreError, Units};
use futures_util::TryStreamExt as _;
use model::{Completeness, Digest, ElementId, Handle, Hardware, Instant, Shown, Tenure, UnitId};
use sqlx::sqlite::SqlitePool;
use sqlx::{Row as _, SqliteConnection};
use std::collections::{BTreeSet, VecDeque};
use uuid::Uuid;

/// More runs of the same hardware are forgotten, the earliest first.
const MOST_SHOWN: usize = 4_096;

#[async_trait::async_trait]
impl Units for SqliteStore {
    async fn shown(&self, element: ElementId) -> Result<Vec<Shown>, StoreError> {
        shown(&self.readers, element).await
    }

    async fn save_histories(
        &self,
        histories: Vec<ElementHistory>,
        common: usize,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        for history in &histories {
            save_history(write.sql()?, history, common, now).await?;
        }
        self.commit(write).await
    }

    async fn company(&self, element: ElementId, common: usize) -> Result<Company, StoreError> {
        company::company(&self.readers, element, common).await
    }

    async fn save_joined(&self, done: Vec<JoinedCompany>, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        for one in &done {
            save_joined(write.sql()?, one, now).await?;
        }
        self.commit(write).await
    }

    async fn units(&self, filter: &UnitFilter) -> Result<Page<UnitRow>, StoreError> {
        show::list(&self.readers, filter).await
    }

    async fn unit(&self, unit: UnitId) -> Result<Option<UnitView>, StoreError> {
        show::one(&self.readers, unit).await
    }

    async fn tenures(&self, unit: UnitId) -> Result<Vec<Tenure>, StoreError> {
        company::of_unit(&self.readers, unit).await
    }

    async fn decide(
        &self,
        one: &Handle,
        other: Option<&Handle>,
        reason: &str,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        sqlx::query(
            "INSERT INTO unit_decision (decision_id, element_id, word, other_element, other_word, reason, recorded_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(one.element.to_string())
        .bind(&one.word)
        .bind(other.map(|other| other.element.to_string()))
        .bind(other.map(|other| other.word.as_str()))
        .bind(reason)
        .bind(now.0)
        .execute(write.sql()?)
        .await?;
        let tx = write.sql()?;
        // Whoever was one unit with them is looked at again too.
        sqlx::query(
            "INSERT INTO undone (stage, key, revision, since) SELECT DISTINCT 'unit', k.element_id, 1, $3 \
             FROM tenure t JOIN tenure k ON k.unit_id = t.unit_id WHERE t.element_id IN ($1, $2) \
             ON CONFLICT (stage, key) DO UPDATE SET revision = undone.revision + 1",
        )
        .bind(one.element.to_string())
        .bind(other.unwrap_or(one).element.to_string())
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        self.commit(write).await
    }
}

/// What an element showed, by the conclusions that hold: while new knowledge is at work, some of them are older.
async fn shown(pool: &SqlitePool, element: ElementId) -> Result<Vec<Shown>, StoreError> {
    let mut rows = sqlx::query(
        "SELECT s.digest, s.valid_from, s.valid_until, s.completeness, i.hardware FROM sighting s \
         JOIN concluded c ON c.digest = s.digest \
         JOIN identification i ON i.digest = c.digest AND i.knowledge = c.knowledge \
         WHERE s.element_id = $1 AND s.completeness <> 'unreachable' AND i.hardware IS NOT NULL \
         ORDER BY s.valid_from, s.digest",
    )
    .bind(element.to_string())
    .fetch(pool);
    let mut shown: VecDeque<(String, Shown)> = VecDeque::new();
    while let Some(r) = rows.try_next().await? {
        let text: String = r.try_get("hardware")?;
        let complete = row::completeness(r.try_get("completeness")?)? == Completeness::Complete;
        let until = Instant(r.try_get("valid_until")?);
        match shown.back_mut() {
            Some((before, last)) if *before == text && last.complete == complete => {
                last.until = last.until.max(until);
            }
            _ => {
                let one = Shown {
                    digest: row::digest(r.try_get("digest")?)?,
                    from: Instant(r.try_get("valid_from")?),
                    until,
                    complete,
                    hardware: row::from_json(&text, "hardware")?,
                };
                shown.push_back((text, one));
            }
        }
        if shown.len() > MOST_SHOWN {
            shown.pop_front();
        }
    }
    Ok(shown.into_iter().map(|(_, one)| one).collect())
}

async fn save_history(
    tx: &mut SqliteConnection,
    history: &ElementHistory,
    common: usize,
    now: Instant,
) -> Result<(), StoreError> {
    let element = history.element.to_string();
    let before: Vec<(i64, String)> =
        sqlx::query_as("SELECT valid_from, unit_id FROM tenure WHERE element_id = $1")
            .bind(&element)
            .fetch_all(&mut *tx)
            .await?;
    let keys_before: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT key FROM unit_key WHERE element_id = $1")
            .bind(&element)
            .fetch_all(&mut *tx)
            .await?;
    for table in [
        "DELETE FROM tenure WHERE element_id = $1",
        "DELETE FROM unit_key WHERE element_id = $1",
    ] {
        sqlx::query(table).bind(&element).execute(&mut *tx).await?;
    }
    for (tenure, keys) in &history.tenures {
        let known = before.iter().find(|(from, _)| *from == tenure.from.0);
        insert(tx, &element, tenure, known.map(|(_, unit)| unit.as_str()), now).await?;
        for key in keys {
            sqlx::query("INSERT INTO unit_key (key, element_id, slot) VALUES ($1, $2, $3)")
                .bind(key)
                .bind(&element)
                .bind(i64::from(tenure.slot))
                .execute(&mut *tx)
                .await?;
        }
        if known.is_none() {
            let replaced = tenure
                .replaces
                .and_then(|slot| history.tenures.iter().find(|(one, _)| one.slot == slot));
            let (kind, text) = match replaced {
                Some((old, _)) => (
                    "swap",
                    format!("{} → {}", describe(&old.hardware), describe(&tenure.hardware)),
                ),
                None => ("unit_new", describe(&tenure.hardware)),
            };
            once(tx, &element, kind, &text, now).await?;
        }
    }
    let kept: BTreeSet<&str> = history
        .tenures
        .iter()
        .flat_map(|(_, keys)| keys)
        .map(String::as_str)
        .collect();
    for key in keys_before.iter().filter(|key| !kept.contains(key.as_str())) {
        queue_holders(tx, key, now).await?;
    }
    let common = i64::try_from(common).unwrap_or(i64::MAX);
    for key in kept
        .iter()
        .filter(|key| !keys_before.iter().any(|before| before == *key))
    {
        let (all, own): (i64, i64) = sqlx::query_as(
            "SELECT COUNT(*), COUNT(CASE WHEN element_id = $2 THEN 1 END) FROM unit_key WHERE key = $1",
        )
        .bind(key)
        .bind(&element)
        .fetch_one(&mut *tx)
        .await?;
        if all > common && all - own <= common {
            queue_holders(tx, key, now).await?;
        }
    }
    Ok(())
}

/// Queues all who tell a key.
async fn queue_holders(tx: &mut SqliteConnection, key: &str, now: Instant) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO undone (stage, key, revision, since) SELECT DISTINCT 'unit', element_id, 1, $2 FROM unit_key \
         WHERE key = $1 ON CONFLICT (stage, key) DO UPDATE SET revision = undone.revision + 1",
    )
    .bind(key)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Until its company was looked at it is the unit it was, or one of its own.
async fn insert(
    tx: &mut SqliteConnection,
    element: &str,
    tenure: &Tenure,
    unit: Option<&str>,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tenure (element_id, slot, unit_id, valid_from, valid_until, seen_until, first_digest, last_digest, \
         replaces, member, hardware, serial, maker_name, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(element)
    .bind(i64::from(tenure.slot))
    .bind(unit.map_or_else(|| UnitId::generate().to_string(), str::to_owned))
    .bind(tenure.from.0)
    .bind(tenure.until.map(|until| until.0))
    .bind(tenure.seen.0)
    .bind(tenure.first.to_string())
    .bind(tenure.last.to_string())
    .bind(tenure.replaces.map(i64::from))
    .bind(i64::from(tenure.hardware.member))
    .bind(row::json(&tenure.hardware, "hardware")?)
    .bind(&tenure.hardware.identity.serial)
    .bind(tenure.hardware.maker.as_ref().map(|maker| maker.name.as_str()))
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// A line of the feed, unless it is there.
async fn once(
    tx: &mut SqliteConnection,
    element: &str,
    kind: &str,
    text: &str,
    now: Instant,
) -> Result<(), StoreError> {
    let known: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM change WHERE element_id = $1 AND kind = $2 AND text = $3 LIMIT 1")
            .bind(element)
            .bind(kind)
            .bind(text)
            .fetch_optional(&mut *tx)
            .await?;
    if known.is_none() {
        change(tx, kind, element, text, "network", now).await?;
    }
    Ok(())
}

fn describe(found: &Hardware) -> String {
    let maker = found
        .maker
        .as_ref()
        .map_or("unknown maker", |maker| maker.name.as_str());
    let identity = &found.identity;
    let model = identity.model.as_deref().unwrap_or("unknown model");
    let told = [
        ("serial", &identity.serial),
        ("address", &identity.base_mac),
        ("engine ID", &identity.engine_id),
    ];
    let told = told
        .into_iter()
        .find_map(|(what, word)| Some(format!("{what} {}", word.as_deref()?)));
    format!(
        "{maker} {model}, {}",
        told.unwrap_or_else(|| "no serial told".to_owned())
    )
}

async fn save_joined(tx: &mut SqliteConnection, one: &JoinedCompany, now: Instant) -> Result<(), StoreError> {
    let mut cleared = BTreeSet::new();
    for (tenure, unit) in one.tenures.iter().zip(&one.joined.units) {
        let element = tenure.element.to_string();
        let other = sqlx::query(
            "UPDATE tenure SET unit_id = $3 WHERE element_id = $1 AND slot = $2 AND unit_id <> $3",
        )
        .bind(&element)
        .bind(i64::from(tenure.slot))
        .bind(unit.to_string())
        .execute(&mut *tx)
        .await?;
        if other.rows_affected() > 0 {
            // Since when it stands there may be another day now.
            conclude::queue(tx, Stage::Evaluate, &element, now).await?;
        }
        if cleared.insert(element.clone()) {
            sqlx::query("DELETE FROM unit_doubt WHERE element_id = $1")
                .bind(&element)
                .execute(&mut *tx)
                .await?;
        }
    }
    for doubt in &one.joined.doubts {
        sqlx::query(
            "INSERT INTO unit_doubt (element_id, slot, other_element, other_slot, code, text, recorded_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(doubt.about.0.to_string())
        .bind(i64::from(doubt.about.1))
        .bind(doubt.other.0.to_string())
        .bind(i64::from(doubt.other.1))
        .bind(doubt.code)
        .bind(&doubt.text)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    }
    conclude::queue(tx, Stage::Evaluate, &one.undone.key, now).await?;
    conclude::settle(tx, Stage::Unit, &one.undone).await
}

fn digest(r: &sqlx::sqlite::SqliteRow, column: &str) -> Result<Digest, StoreError> {
    row::digest(r.try_get(column)?)
}
