//! The queues between stages, and identifications with their components.
//!
//! An input that changes while a stage works on it has a higher revision than
//! the one that was read, so marking it done leaves it in the queue.

use super::{coverage, row};
use crate::StoreError;
use crate::record::{IdentifiedEvidence, Stage, StageVersion, Undone};
use crate::view::EvidenceRecord;
use futures_util::TryStreamExt as _;
use model::{Attribution, ComponentIdentity, Digest, Identification, Instant, SiteName};
use sqlx::sqlite::SqlitePool;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use std::collections::{BTreeSet, HashMap};

type Tx = SqliteConnection;

/// Evidence asked for and marked in one statement at most.
const TOGETHER: usize = 64;

/// Components written in one statement at most: so few lengths that each statement is prepared once.
const ROWS: usize = 16;

/// Largest evidence that is unpacked again: what ingest lets in, with room.
const MAX_EVIDENCE_BYTES: usize = 64 << 20;

/// Queues one input; a waiting one keeps its age and gets a new revision.
pub async fn queue(tx: &mut Tx, stage: Stage, key: &str, now: Instant) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO undone (stage, key, revision, since) VALUES ($1, $2, 1, $3) \
         ON CONFLICT (stage, key) DO UPDATE SET revision = undone.revision + 1",
    )
    .bind(stage.as_str())
    .bind(key)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// [`queue`] for several inputs, each once.
pub async fn queue_all(tx: &mut Tx, stage: Stage, keys: &[String], now: Instant) -> Result<(), StoreError> {
    let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO undone (stage, key, revision, since) ");
    insert.push_values(keys, |mut values, key| {
        values
            .push_bind(stage.as_str())
            .push_bind(key)
            .push_bind(1_i64)
            .push_bind(now.0);
    });
    insert.push(" ON CONFLICT (stage, key) DO UPDATE SET revision = undone.revision + 1");
    insert.build().execute(&mut *tx).await?;
    Ok(())
}

/// Queues evidence that is not identified: it may have been seen first as something that says nothing, and now as
/// an answer.
pub async fn queue_unidentified(
    tx: &mut Tx,
    digest: &str,
    completeness: &str,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO undone (stage, key, revision, since) SELECT 'identify', $1, 1, $2 \
         WHERE $3 <> 'unreachable' AND NOT EXISTS (SELECT 1 FROM concluded WHERE digest = $1) \
         ON CONFLICT (stage, key) DO NOTHING",
    )
    .bind(digest)
    .bind(now.0)
    .bind(completeness)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Marks an input done unless it changed meanwhile.
pub async fn settle(tx: &mut Tx, stage: Stage, undone: &Undone) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM undone WHERE stage = $1 AND key = $2 AND revision = $3")
        .bind(stage.as_str())
        .bind(&undone.key)
        .bind(undone.revision)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// See [`crate::Store::adopt_version`].
pub async fn adopt_version(tx: &mut Tx, version: &StageVersion, now: Instant) -> Result<bool, StoreError> {
    let stage = version.stage.as_str();
    let known: Option<String> = sqlx::query_scalar("SELECT version FROM stage_version WHERE stage = $1")
        .bind(stage)
        .fetch_optional(&mut *tx)
        .await?;
    if known.as_deref() == Some(version.version.as_str()) {
        return Ok(false);
    }
    let inputs = match version.stage {
        Stage::Identify => {
            // In the order of the key: what is taken and settled together then lies together.
            "INSERT INTO undone (stage, key, revision, since) SELECT DISTINCT $1, digest, 1, $2 FROM sighting \
             WHERE completeness <> 'unreachable' ORDER BY digest \
             ON CONFLICT (stage, key) DO UPDATE SET revision = undone.revision + 1"
        }
        Stage::Unit | Stage::Evaluate => {
            "INSERT INTO undone (stage, key, revision, since) SELECT $1, element_id, 1, $2 FROM element WHERE true \
             ON CONFLICT (stage, key) DO UPDATE SET revision = undone.revision + 1"
        }
    };
    sqlx::query(inputs)
        .bind(stage)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO stage_version (stage, version, recorded_at) VALUES ($1, $2, $3) \
         ON CONFLICT (stage) DO UPDATE SET version = excluded.version, recorded_at = excluded.recorded_at",
    )
    .bind(stage)
    .bind(&version.version)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO stage_adoption (stage, version, recorded_at) VALUES ($1, $2, $3) \
         ON CONFLICT (stage, recorded_at, version) DO NOTHING",
    )
    .bind(stage)
    .bind(&version.version)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(true)
}

/// So many times the limit are looked through for what is ready; where none of them is, so many times as many once more.
const LOOKED_AT: i64 = 8;
const FURTHER: i64 = 64;

/// Evidence that waits to be read: up to so many, its elements are looked up, which are as few.
const FEW_WAITING: i64 = 1_000;

/// What waits before a stage.
const WAITING: &str = "SELECT key, revision, since FROM undone WHERE stage = $1";

/// What waits to be judged. An element is judged by the units it holds, so these come first. The oldest are looked at and
/// no more: where all wait for their units, as with new knowledge, finding that out costs 33,000 looks and no walk along all.
/// Whatever is ready behind them waits until units were looked at; these wait for no judgement.
const JUDGEABLE: &str = "SELECT key, revision, since FROM (SELECT key, revision, since FROM undone \
     WHERE stage = $1 ORDER BY since LIMIT $3) AS oldest WHERE NOT EXISTS \
     (SELECT 1 FROM undone u WHERE u.stage = 'unit' AND u.key = oldest.key)";

/// See [`crate::Store::undone`].
pub async fn undone(pool: &SqlitePool, stage: Stage, limit: u32) -> Result<Vec<Undone>, StoreError> {
    // Nothing is said of an element whose history is not read yet, as after an upgrade: half a history has other
    // beginnings. While little waits to be read the elements of that are passed over; else each of the oldest is asked.
    let waiting: i64 =
        match stage {
            Stage::Identify => 0,
            Stage::Unit | Stage::Evaluate => sqlx::query_scalar(
                "SELECT COUNT(*) FROM (SELECT 1 FROM undone WHERE stage = 'identify' LIMIT $1) AS waiting",
            )
            .bind(FEW_WAITING)
            .fetch_one(pool)
            .await?,
        };
    let of_stage = match stage {
        Stage::Identify | Stage::Unit => WAITING,
        Stage::Evaluate => JUDGEABLE,
    };
    let ready = match waiting {
        0 => format!("{of_stage} ORDER BY since LIMIT $2"),
        1..FEW_WAITING => format!(
            "{of_stage} AND key NOT IN (SELECT s.element_id FROM undone u CROSS JOIN sighting s ON s.digest = u.key \
             WHERE u.stage = 'identify' AND NOT EXISTS (SELECT 1 FROM concluded c WHERE c.digest = u.key)) \
             ORDER BY since LIMIT $2"
        ),
        _ => format!(
            "SELECT key, revision, since FROM ({of_stage} ORDER BY since LIMIT $3) AS ready WHERE NOT EXISTS \
             (SELECT 1 FROM sighting s JOIN undone u ON u.stage = 'identify' AND u.key = s.digest \
             LEFT JOIN concluded c ON c.digest = s.digest WHERE s.element_id = ready.key AND c.digest IS NULL) \
             ORDER BY since LIMIT $2"
        ),
    };
    let in_window = ready.contains("$3");
    let mut rows = Vec::new();
    for looked in [LOOKED_AT, LOOKED_AT * FURTHER] {
        // Put together from the words above alone.
        let mut query = sqlx::query(sqlx::AssertSqlSafe(ready.clone()))
            .bind(stage.as_str())
            .bind(i64::from(limit));
        if in_window {
            query = query.bind(i64::from(limit) * looked + FEW_WAITING);
        }
        rows = query.fetch_all(pool).await?;
        if !rows.is_empty() || !in_window {
            break;
        }
    }
    rows.into_iter()
        .map(|r| {
            Ok(Undone {
                key: r.try_get("key")?,
                revision: r.try_get("revision")?,
                since: Instant(r.try_get("since")?),
            })
        })
        .collect()
}

/// See [`crate::Store::evidence`].
pub async fn evidence(pool: &SqlitePool, digest: Digest) -> Result<Option<EvidenceRecord>, StoreError> {
    Ok(evidences(pool, &[digest], 0)
        .await?
        .pop()
        .map(|(_, record)| record))
}

/// See [`crate::Store::sites_of`].
pub async fn sites_of(pool: &SqlitePool, digest: Digest) -> Result<BTreeSet<SiteName>, StoreError> {
    let sites: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT e.site FROM sighting s JOIN element e ON e.element_id = s.element_id WHERE s.digest = $1",
    )
    .bind(digest.to_string())
    .fetch_all(pool)
    .await?;
    sites.into_iter().map(row::site).collect()
}

/// See [`crate::Store::evidences`].
pub async fn evidences(
    pool: &SqlitePool,
    digests: &[Digest],
    most: usize,
) -> Result<Vec<(Digest, EvidenceRecord)>, StoreError> {
    let mut found = Vec::with_capacity(digests.len());
    let mut octets = 0_usize;
    let mut unpack =
        zstd::bulk::Decompressor::new().map_err(|error| StoreError::from(sqlx::Error::Io(error)))?;
    for some in digests.chunks(TOGETHER) {
        let mut select = QueryBuilder::<Sqlite>::new(
            "SELECT digest, size, body, recorded_at FROM evidence WHERE digest IN (",
        );
        let mut list = select.separated(", ");
        for digest in some {
            list.push_bind(digest.to_string());
        }
        select.push(")");
        let mut rows = select.build().fetch(pool);
        while let Some(r) = rows.try_next().await? {
            let size = usize::try_from(r.try_get::<i64, _>("size")?)
                .unwrap_or(0)
                .min(MAX_EVIDENCE_BYTES);
            octets = octets.saturating_add(size);
            if octets > most && !found.is_empty() {
                return Ok(found);
            }
            let body: &[u8] = r.try_get("body")?;
            let bytes = unpack
                .decompress(body, size)
                .map_err(|_| StoreError::Damaged("evidence"))?;
            let record = EvidenceRecord {
                bytes,
                recorded: Instant(r.try_get("recorded_at")?),
            };
            found.push((row::digest(r.try_get("digest")?)?, record));
        }
    }
    Ok(found)
}

/// See [`crate::Store::save_identified`].
pub async fn save_identified(
    tx: &mut Tx,
    done: &[IdentifiedEvidence],
    now: Instant,
) -> Result<(), StoreError> {
    for some in done.chunks(TOGETHER) {
        let before = sums(tx, some).await?;
        let is_same =
            |one: &&IdentifiedEvidence| before.get(&one.digest.to_string()) == Some(&one.sum.to_string());
        let (same, changed): (Vec<_>, Vec<_>) = some.iter().partition(is_same);
        for one in changed {
            let digest = one.digest.to_string();
            save_one(tx, &digest, one, now).await?;
            coverage::save_neighbours(tx, &digest, one, before.contains_key(&digest)).await?;
            sqlx::query(
                "INSERT INTO undone (stage, key, revision, since) \
                 SELECT DISTINCT 'unit', element_id, 1, $2 FROM sighting WHERE digest = $1 \
                 ON CONFLICT (stage, key) DO UPDATE SET revision = undone.revision + 1",
            )
            .bind(&digest)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
            settle(tx, Stage::Identify, &one.undone).await?;
        }
        settle_all(tx, Stage::Identify, &same).await?;
    }
    Ok(())
}

/// The sums of what was concluded before.
async fn sums(tx: &mut Tx, some: &[IdentifiedEvidence]) -> Result<HashMap<String, String>, StoreError> {
    let mut select = QueryBuilder::<Sqlite>::new("SELECT digest, sum FROM concluded WHERE digest IN (");
    let mut list = select.separated(", ");
    for one in some {
        list.push_bind(one.digest.to_string());
    }
    select.push(")");
    let rows: Vec<(String, String)> = select.build_query_as().fetch_all(&mut *tx).await?;
    Ok(rows.into_iter().collect())
}

/// [`settle`] for several; those that were queued once, and they are most, together.
async fn settle_all(tx: &mut Tx, stage: Stage, done: &[&IdentifiedEvidence]) -> Result<(), StoreError> {
    let (once, often): (Vec<&IdentifiedEvidence>, Vec<&IdentifiedEvidence>) =
        done.iter().copied().partition(|one| one.undone.revision == 1);
    for one in often {
        settle(tx, stage, &one.undone).await?;
    }
    if once.is_empty() {
        return Ok(());
    }
    let mut delete = QueryBuilder::<Sqlite>::new("DELETE FROM undone WHERE revision = 1 AND stage = ");
    delete.push_bind(stage.as_str()).push(" AND key IN (");
    let mut list = delete.separated(", ");
    for one in once {
        list.push_bind(&one.undone.key);
    }
    delete.push(")");
    delete.build().execute(&mut *tx).await?;
    Ok(())
}

async fn save_one(
    tx: &mut Tx,
    digest: &str,
    one: &IdentifiedEvidence,
    now: Instant,
) -> Result<(), StoreError> {
    let concluded = &one.identification;
    let (maker_id, maker_name, maker_confidence) = parts(concluded.maker.as_ref());
    let (brand_id, brand_name, brand_confidence) = parts(concluded.brand.as_ref());
    // What the same knowledge says of the same bytes is as old as it was said first.
    let first: Option<i64> =
        sqlx::query_scalar("SELECT recorded_at FROM identification WHERE digest = $1 AND knowledge = $2")
            .bind(digest)
            .bind(&concluded.knowledge)
            .fetch_optional(&mut *tx)
            .await?;
    let replaced = [
        "DELETE FROM component WHERE digest = $1 AND knowledge = $2",
        "DELETE FROM identification WHERE digest = $1 AND knowledge = $2",
    ];
    for table in replaced.into_iter().filter(|_| first.is_some()) {
        sqlx::query(table)
            .bind(digest)
            .bind(&concluded.knowledge)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query(
        "INSERT INTO identification (digest, knowledge, maker_id, maker_name, maker_confidence, brand_id, brand_name, \
         brand_confidence, model, serial, unit, claims, doubts, component_count, named_count, hardware, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(digest)
    .bind(&concluded.knowledge)
    .bind(maker_id)
    .bind(maker_name)
    .bind(maker_confidence)
    .bind(brand_id)
    .bind(brand_name)
    .bind(brand_confidence)
    .bind(&concluded.unit.model)
    .bind(&concluded.unit.serial)
    .bind(row::json(&concluded.unit, "unit")?)
    .bind(row::json(&concluded.claims, "claims")?)
    .bind(row::json(&concluded.doubts, "doubts")?)
    .bind(i64::try_from(concluded.components.len()).unwrap_or(i64::MAX))
    .bind(i64::try_from(concluded.components.iter().filter(|c| c.maker.is_some()).count()).unwrap_or(i64::MAX))
    .bind(row::json(&one.hardware, "hardware")?)
    .bind(first.unwrap_or(now.0))
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO concluded (digest, knowledge, sum) VALUES ($1, $2, $3) ON CONFLICT (digest) DO UPDATE SET \
         knowledge = excluded.knowledge, sum = excluded.sum",
    )
    .bind(digest)
    .bind(&concluded.knowledge)
    .bind(one.sum.to_string())
    .execute(&mut *tx)
    .await?;
    for (number, rows) in concluded.components.chunks(ROWS).enumerate() {
        insert_components(tx, digest, &concluded.knowledge, number * ROWS, rows).await?;
    }
    Ok(())
}

async fn insert_components(
    tx: &mut Tx,
    digest: &str,
    knowledge: &str,
    first: usize,
    components: &[ComponentIdentity],
) -> Result<(), StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO component (digest, knowledge, position, component_index, parent, class, name, description, model, \
         serial, revision, maker_id, maker_name, maker_confidence, brand_id, brand_name, brand_confidence) ",
    );
    query.push_values(
        components.iter().enumerate(),
        |mut values, (offset, component)| {
            let (maker_id, maker_name, maker_confidence) = parts(component.maker.as_ref());
            let (brand_id, brand_name, brand_confidence) = parts(component.brand.as_ref());
            values
                .push_bind(digest.to_owned())
                .push_bind(knowledge.to_owned())
                .push_bind(i64::try_from(first + offset).unwrap_or(i64::MAX))
                .push_bind(component.index.clone())
                .push_bind(component.parent.clone())
                .push_bind(component.class.as_str())
                .push_bind(component.name.clone())
                .push_bind(component.description.clone())
                .push_bind(component.model.clone())
                .push_bind(component.serial.clone())
                .push_bind(component.revision.clone())
                .push_bind(maker_id.map(str::to_owned))
                .push_bind(maker_name.map(str::to_owned))
                .push_bind(maker_confidence)
                .push_bind(brand_id.map(str::to_owned))
                .push_bind(brand_name.map(str::to_owned))
                .push_bind(brand_confidence);
        },
    );
    query.build().execute(&mut *tx).await?;
    Ok(())
}

/// The columns of who made something.
pub fn parts(attribution: Option<&Attribution>) -> (Option<&str>, Option<&str>, f64) {
    match attribution {
        Some(a) => (Some(&a.supplier.id), Some(&a.supplier.name), a.confidence),
        None => (None, None, 0.0),
    }
}

/// The identification of an evidence that holds: with the latest knowledge that changed it.
pub async fn current(pool: &SqlitePool, digest: &str) -> Result<Option<Identification>, StoreError> {
    let knowledge: Option<String> = sqlx::query_scalar("SELECT knowledge FROM concluded WHERE digest = $1")
        .bind(digest)
        .fetch_optional(pool)
        .await?;
    match knowledge {
        Some(knowledge) => identification(pool, digest, &knowledge).await,
        None => Ok(None),
    }
}

/// The identification of one evidence with one knowledge, components included.
pub async fn identification(
    pool: &SqlitePool,
    digest: &str,
    knowledge: &str,
) -> Result<Option<Identification>, StoreError> {
    let found = sqlx::query("SELECT * FROM identification WHERE digest = $1 AND knowledge = $2")
        .bind(digest)
        .bind(knowledge)
        .fetch_optional(pool)
        .await?;
    let Some(found) = found else { return Ok(None) };
    let rows = sqlx::query("SELECT * FROM component WHERE digest = $1 AND knowledge = $2 ORDER BY position")
        .bind(digest)
        .bind(knowledge)
        .fetch_all(pool)
        .await?;
    Ok(Some(Identification {
        knowledge: knowledge.to_owned(),
        maker: attribution(&found, "maker_id", "maker_name", "maker_confidence")?,
        brand: attribution(&found, "brand_id", "brand_name", "brand_confidence")?,
        claims: row::from_json(found.try_get("claims")?, "claims")?,
        doubts: row::from_json(found.try_get("doubts")?, "doubts")?,
        unit: row::from_json(found.try_get("unit")?, "unit")?,
        components: rows.iter().map(component).collect::<Result<_, _>>()?,
    }))
}

/// One part of a unit.
pub fn component(r: &sqlx::sqlite::SqliteRow) -> Result<ComponentIdentity, StoreError> {
    let class: String = r.try_get("class")?;
    Ok(ComponentIdentity {
        index: r.try_get("component_index")?,
        parent: r.try_get("parent")?,
        class: row::from_json(&format!("\"{class}\""), "component class")?,
        name: r.try_get("name")?,
        description: r.try_get("description")?,
        model: r.try_get("model")?,
        serial: r.try_get("serial")?,
        revision: r.try_get("revision")?,
        maker: attribution(r, "maker_id", "maker_name", "maker_confidence")?,
        brand: attribution(r, "brand_id", "brand_name", "brand_confidence")?,
    })
}

/// Who a row names, and how surely.
pub fn attribution(
    row: &sqlx::sqlite::SqliteRow,
    id: &str,
    name: &str,
    confidence: &str,
) -> Result<Option<Attribution>, StoreError> {
    let id: Option<String> = row.try_get(id)?;
    let name: Option<String> = row.try_get(name)?;
    let confidence = row.try_get(confidence)?;
    Ok(id.zip(name).map(|(id, name)| Attribution {
        supplier: model::SupplierRef { id, name },
        confidence,
    }))
}
