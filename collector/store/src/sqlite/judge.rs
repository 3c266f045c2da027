//! What evaluation reads of an element, and what it leaves behind.

use super::{conclude, life, row, stood};
use crate::StoreError;
use crate::record::{IdentifiedSighting, Judged, JudgedElement, MovedIn, Stage, Subject, Why};
use model::{ElementId, Identification, Instant, Place};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, SqliteConnection};
use uuid::Uuid;

type Tx = SqliteConnection;

/// See [`crate::Store::subject`].
pub async fn subject(pool: &SqlitePool, element: ElementId) -> Result<Option<Subject>, StoreError> {
    let key = element.to_string();
    let found = sqlx::query(
        "SELECT e.*, s.jurisdictions, d.name AS declared_name, d.role, d.generations, d.tags, d.acquired \
         FROM element e LEFT JOIN site s ON s.name = e.site \
         LEFT JOIN declaration d ON d.element_id = e.element_id AND d.superseded_at IS NULL WHERE e.element_id = $1",
    )
    .bind(&key)
    .fetch_optional(pool)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let words = |column: &str| -> Result<_, StoreError> {
        Ok(row::set(
            &found.try_get::<Option<String>, _>(column)?.unwrap_or_default(),
        ))
    };
    let place = Place {
        element,
        site: row::site(found.try_get("site")?)?,
        jurisdictions: words("jurisdictions")?,
        role: row::role(found.try_get("role")?)?,
        generations: words("generations")?,
        tags: words("tags")?,
        acquired: found.try_get("acquired")?,
    };
    let tenure = tenure(pool, &key).await?;
    let latest: Option<String> = found.try_get("latest_completeness")?;
    let declared: Option<String> = found.try_get("declared_name")?;
    Ok(Some(Subject {
        place,
        name: declared.unwrap_or_default(),
        address: found.try_get("address")?,
        port: u16::try_from(found.try_get::<i64, _>("port")?).map_err(|_| StoreError::Damaged("port"))?,
        context: found.try_get("context")?,
        latest: latest.as_deref().map(row::completeness).transpose()?,
        last_walk: row::instant(found.try_get("last_walk_at")?),
        complete: sighting(pool, &found, "complete_digest", "complete_from").await?,
        partial: sighting(pool, &found, "partial_digest", "partial_from").await?,
        initial: initial(pool, &found, tenure.as_ref()).await?,
        tenure,
        findings: life::known(pool, &key).await?,
        judged: judged(pool, &key).await?,
    }))
}

async fn sighting(
    pool: &SqlitePool,
    element: &SqliteRow,
    digest: &str,
    from: &str,
) -> Result<Option<IdentifiedSighting>, StoreError> {
    let Some(digest) = element.try_get::<Option<String>, _>(digest)? else {
        return Ok(None);
    };
    let from = Instant(element.try_get::<Option<i64>, _>(from)?.unwrap_or(0));
    let identification = conclude::current(pool, &digest).await?;
    let digest = row::digest(&digest)?;
    Ok(identification.map(|identification| IdentifiedSighting {
        digest,
        from,
        identification,
    }))
}

/// The identification of the first complete evidence since the unit moved in, unless it is the present one.
async fn initial(
    pool: &SqlitePool,
    element: &SqliteRow,
    tenure: Option<&MovedIn>,
) -> Result<Option<Identification>, StoreError> {
    let Some(tenure) = tenure else { return Ok(None) };
    let first: Option<String> = sqlx::query_scalar(
        "SELECT digest FROM sighting WHERE element_id = $1 AND completeness = 'complete' AND valid_from >= $2 \
         ORDER BY valid_from LIMIT 1",
    )
    .bind(element.try_get::<String, _>("element_id")?)
    .bind(tenure.from.0)
    .fetch_optional(pool)
    .await?;
    match first {
        Some(first) if element.try_get::<Option<String>, _>("complete_digest")?.as_ref() != Some(&first) => {
            conclude::current(pool, &first).await
        }
        _ => Ok(None),
    }
}

async fn tenure(pool: &SqlitePool, element: &str) -> Result<Option<MovedIn>, StoreError> {
    // What came back after a while is not new. Of a stack the first chassis tells since when the unit stands there: members may come later.
    let found = sqlx::query(
        "SELECT t.valid_from, EXISTS (SELECT 1 FROM tenure b WHERE b.element_id = t.element_id \
         AND b.slot = t.replaces AND b.unit_id <> t.unit_id) AND NOT EXISTS (SELECT 1 FROM tenure p \
         WHERE p.element_id = t.element_id AND p.unit_id = t.unit_id AND p.slot < t.slot) AS swapped FROM tenure t \
         WHERE t.element_id = $1 AND t.valid_until IS NULL ORDER BY t.valid_from, t.slot LIMIT 1",
    )
    .bind(element)
    .fetch_optional(pool)
    .await?;
    found
        .map(|r| {
            Ok(MovedIn {
                from: Instant(r.try_get("valid_from")?),
                swapped: r.try_get("swapped")?,
            })
        })
        .transpose()
}

async fn judged(pool: &SqlitePool, element: &str) -> Result<Option<Judged>, StoreError> {
    let found = sqlx::query(
        "SELECT standing, digest, partial, latest, knowledge, policies, facts, as_of FROM judgement \
         WHERE element_id = $1",
    )
    .bind(element)
    .fetch_optional(pool)
    .await?;
    found
        .map(|r| {
            Ok(Judged {
                standing: r.try_get("standing")?,
                inputs: life::inputs(&r)?,
            })
        })
        .transpose()
}

/// See [`crate::Store::save_judged`].
pub async fn save_judged(tx: &mut Tx, done: &[JudgedElement], now: Instant) -> Result<(), StoreError> {
    for one in done {
        let element = one.element.to_string();
        let before: Option<String> =
            sqlx::query_scalar("SELECT standing FROM judgement WHERE element_id = $1")
                .bind(&element)
                .fetch_optional(&mut *tx)
                .await?;
        save_judgement(tx, &element, one, now).await?;
        for step in &one.findings {
            life::step(tx, &element, one, step, now).await?;
        }
        if before.as_deref() != Some(one.judged.standing.as_str()) {
            let text = match before {
                Some(before) => format!("{before} → {}", one.judged.standing),
                None => format!("first judged: {}", one.judged.standing),
            };
            change(tx, "standing_changed", &element, &text, cause(&one.why), now).await?;
        }
        conclude::settle(tx, Stage::Evaluate, &one.undone).await?;
    }
    Ok(())
}

async fn save_judgement(
    tx: &mut Tx,
    element: &str,
    one: &JudgedElement,
    now: Instant,
) -> Result<(), StoreError> {
    let inputs = &one.judged.inputs;
    sqlx::query(
        "INSERT INTO judgement (element_id, standing, digest, knowledge, policies, as_of, results, recorded_at, \
         facts, partial, latest, contradictions) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (element_id) DO UPDATE SET \
         standing = excluded.standing, digest = excluded.digest, knowledge = excluded.knowledge, \
         policies = excluded.policies, as_of = excluded.as_of, results = excluded.results, \
         recorded_at = excluded.recorded_at, facts = excluded.facts, partial = excluded.partial, \
         latest = excluded.latest, contradictions = excluded.contradictions",
    )
    .bind(element)
    .bind(&one.judged.standing)
    .bind(inputs.digest.map(|d| d.to_string()))
    .bind(&inputs.knowledge)
    .bind(&inputs.policies)
    .bind(&inputs.as_of)
    .bind(row::json(&one.results, "results")?)
    .bind(now.0)
    .bind(&inputs.facts)
    .bind(inputs.partial.map(|d| d.to_string()))
    .bind(inputs.latest.map(row::completeness_word))
    .bind(row::json(&one.contradictions, "contradictions")?)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE element SET name = $2 WHERE element_id = $1 AND name <> $2")
        .bind(element)
        .bind(&one.name)
        .execute(&mut *tx)
        .await?;
    stood::element(tx, element, now).await
}

/// The word of the likeliest cause.
pub fn cause(why: &Why) -> &'static str {
    why.causes.first().map_or("network", |cause| cause.as_str())
}

/// Notes a line of the feed.
pub async fn change(
    tx: &mut Tx,
    kind: &str,
    element: &str,
    text: &str,
    cause: &str,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO change (change_id, kind, element_id, text, cause, recorded_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(kind)
    .bind(element)
    .bind(text)
    .bind(cause)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
