//! The network and its findings counted by what they have in common.
//!
//! Invariant: each answer is one snapshot and one pass over each table it counts.

use super::{SqliteReader, SqliteStore, briefing, row};
use crate::StoreError;
use crate::ledger::{Accepted, Blame, Bound, Burden, Dated, Dates, Ledger, Ledgers, Moved, Stock, Within};
use crate::past::FindingSpan;
use model::{Ending, FindingId, Instant, Severity, SiteName, SupplierRef};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// Waivers told apart at most.
const WAIVERS: i64 = 10_000;

const STOCK: &str = "SELECT e.site, d.role, i.maker_id, i.maker_name, i.model, COUNT(*) AS elements, \
    COUNT(e.last_answer_at) AS reached, SUM(EXISTS (SELECT 1 FROM finding f WHERE f.element_id = e.element_id \
    AND f.state NOT IN ('closed', 'waived'))) AS exposed, \
    SUM(COALESCE(j.standing, 'unknown') = 'unknown') AS unknown_count FROM element e \
    LEFT JOIN declaration d ON d.element_id = e.element_id AND d.superseded_at IS NULL \
    LEFT JOIN judgement j ON j.element_id = e.element_id \
    LEFT JOIN identification i ON i.digest = j.digest AND i.knowledge = j.knowledge \
    GROUP BY e.site, d.role, i.maker_id, i.maker_name, i.model";

const BURDENS: &str = "SELECT f.rule, f.jurisdiction, e.site, d.role, SUM(f.state <> 'waived') AS open_count, \
    MIN(CASE WHEN f.state <> 'waived' THEN f.severity_rank END) AS worst, \
    COUNT(DISTINCT CASE WHEN f.state <> 'waived' THEN f.element_id END) AS elements, \
    SUM(f.state = 'waived') AS waived_count, COUNT(DISTINCT f.element_id) AS matched FROM finding f \
    JOIN element e ON e.element_id = f.element_id \
    LEFT JOIN declaration d ON d.element_id = f.element_id AND d.superseded_at IS NULL \
    WHERE f.state <> 'closed' GROUP BY f.rule, f.jurisdiction, e.site, d.role";

const BLAMES: &str = "SELECT f.supplier, e.site, COUNT(*) AS findings FROM finding f \
    JOIN element e ON e.element_id = f.element_id WHERE f.state NOT IN ('closed', 'waived') \
    GROUP BY f.supplier, e.site";

const MOVED: &str = "SELECT e.site, c.kind, c.cause, COUNT(*) AS first_count, SUM(c.recorded_at >= $3) AS second_count \
    FROM change c JOIN element e ON e.element_id = c.element_id WHERE c.change_id >= $1 AND c.recorded_at >= $2 \
    GROUP BY e.site, c.kind, c.cause";

const DATED: &str = "SELECT MIN(f.finding_id) AS finding_id, f.rule, f.jurisdiction, f.deadline, e.site, f.ending, \
    MIN(f.opened_at) AS opened_at, MIN(f.closed_at) AS closed_at, COUNT(*) AS findings, \
    SUM(f.removal IS NOT NULL AND f.state <> 'closed') AS planned_count, SUM(f.state = 'waived') AS waived_count \
    FROM finding f JOIN element e ON e.element_id = f.element_id WHERE f.deadline IS NOT NULL \
    GROUP BY f.rule, f.jurisdiction, f.deadline, e.site, f.ending, f.opened_at / $1, f.closed_at / $1 \
    ORDER BY f.rule, f.deadline, e.site, opened_at";

/// The same as it was recorded by a moment: what opened a finding last, and what ended it since.
const DATED_THEN: &str = "WITH opening AS (SELECT v.finding_id, MAX(v.event_id) AS event_id FROM finding_event v \
    WHERE v.kind IN ('opened', 'reopened') AND v.recorded_at <= $2 GROUP BY v.finding_id), \
    closing AS (SELECT v.finding_id, MIN(v.recorded_at) AS closed_at, MAX(v.event_id) AS event_id FROM finding_event v \
    JOIN opening o ON o.finding_id = v.finding_id AND v.event_id > o.event_id \
    WHERE v.kind IN ('closed', 'removal_confirmed') AND v.recorded_at <= $2 GROUP BY v.finding_id) \
    SELECT MIN(f.finding_id) AS finding_id, f.rule, f.jurisdiction, f.deadline, e.site, l.ending, \
    MIN(f.opened_at) AS opened_at, MIN(c.closed_at) AS closed_at, COUNT(*) AS findings, \
    0 AS planned_count, 0 AS waived_count \
    FROM finding f JOIN opening o ON o.finding_id = f.finding_id JOIN element e ON e.element_id = f.element_id \
    LEFT JOIN closing c ON c.finding_id = f.finding_id \
    LEFT JOIN finding_event l ON l.finding_id = c.finding_id AND l.event_id = c.event_id \
    WHERE f.deadline IS NOT NULL \
    GROUP BY f.rule, f.jurisdiction, f.deadline, e.site, l.ending, f.opened_at / $1, c.closed_at / $1 \
    ORDER BY f.rule, f.deadline, e.site, opened_at";

const BOUND: &str = "SELECT f.rule, f.deadline, e.site, COUNT(DISTINCT f.element_id) AS elements FROM finding f \
    JOIN element e ON e.element_id = f.element_id WHERE f.deadline IS NOT NULL AND f.state <> 'closed' \
    GROUP BY f.rule, f.deadline, e.site";

const ACCEPTED: &str = "SELECT f.rule, e.site, f.waiver, COUNT(*) AS findings FROM finding f \
    JOIN element e ON e.element_id = f.element_id WHERE f.state = 'waived' AND f.waiver IS NOT NULL \
    GROUP BY f.rule, e.site, f.waiver LIMIT $1";

// A unit shows its complete evidence, or the partial one where there is no other.
const WITHIN: &str = "SELECT w.site, d.role, COUNT(*) AS parts, COUNT(DISTINCT w.element_id) AS elements FROM \
    (SELECT e.element_id, e.site FROM component c \
    JOIN element e ON e.complete_digest = c.digest OR e.partial_digest = c.digest \
    JOIN judgement j ON j.element_id = e.element_id AND j.digest = c.digest AND j.knowledge = c.knowledge \
    WHERE c.maker_id = ";
const WITHIN_END: &str = ") w LEFT JOIN declaration d ON d.element_id = w.element_id AND d.superseded_at IS NULL \
    GROUP BY w.site, d.role";

macro_rules! ledgers {
    ($store:ty) => {
        #[async_trait::async_trait]
        impl Ledgers for $store {
            async fn ledger(&self) -> Result<Ledger, StoreError> {
                ledger(&self.readers).await
            }

            async fn moved(&self, since: [Instant; 2]) -> Result<Vec<Moved>, StoreError> {
                moved(&self.readers, since).await
            }

            async fn dates(&self, known: Option<Instant>) -> Result<Dates, StoreError> {
                match known {
                    None => dates(&self.readers).await,
                    Some(known) => dates_then(&self.readers, known).await,
                }
            }

            async fn within(
                &self,
                supplier: &str,
                sites: Option<&BTreeSet<SiteName>>,
                most: u32,
            ) -> Result<Vec<Within>, StoreError> {
                within(&self.readers, supplier, sites, most).await
            }
        }
    };
}

ledgers!(SqliteStore);
ledgers!(SqliteReader);

fn counted(r: &SqliteRow, column: &str) -> Result<u64, StoreError> {
    Ok(row::count(r.try_get::<Option<i64>, _>(column)?.unwrap_or(0)))
}

async fn ledger(pool: &SqlitePool) -> Result<Ledger, StoreError> {
    let mut tx = pool.begin().await?;
    let stock = sqlx::query(STOCK).fetch_all(&mut *tx).await?;
    let burdens = sqlx::query(BURDENS).fetch_all(&mut *tx).await?;
    let blames = sqlx::query(BLAMES).fetch_all(&mut *tx).await?;
    tx.rollback().await?;
    Ok(Ledger {
        stock: stock.iter().map(stock_of).collect::<Result<_, _>>()?,
        burdens: burdens.iter().map(burden).collect::<Result<_, _>>()?,
        blames: blames.iter().map(blame).collect::<Result<_, _>>()?,
    })
}

fn stock_of(r: &SqliteRow) -> Result<Stock, StoreError> {
    let (id, name): (Option<String>, Option<String>) = (r.try_get("maker_id")?, r.try_get("maker_name")?);
    Ok(Stock {
        site: row::site(r.try_get("site")?)?,
        role: row::role(r.try_get("role")?)?,
        maker: id.zip(name).map(|(id, name)| SupplierRef { id, name }),
        model: r.try_get("model")?,
        elements: counted(r, "elements")?,
        reached: counted(r, "reached")?,
        exposed: counted(r, "exposed")?,
        unknown: counted(r, "unknown_count")?,
    })
}

fn burden(r: &SqliteRow) -> Result<Burden, StoreError> {
    let worst: Option<i64> = r.try_get("worst")?;
    let worst = worst.and_then(|rank| usize::try_from(rank).ok());
    Ok(Burden {
        rule: r.try_get("rule")?,
        jurisdiction: r.try_get("jurisdiction")?,
        site: row::site(r.try_get("site")?)?,
        role: row::role(r.try_get("role")?)?,
        open: counted(r, "open_count")?,
        worst: worst.and_then(|rank| Severity::ALL.get(rank)).copied(),
        elements: counted(r, "elements")?,
        waived: counted(r, "waived_count")?,
        matched: counted(r, "matched")?,
    })
}

fn blame(r: &SqliteRow) -> Result<Blame, StoreError> {
    Ok(Blame {
        supplier: r.try_get("supplier")?,
        site: row::site(r.try_get("site")?)?,
        findings: counted(r, "findings")?,
    })
}

/// The least key that a change recorded a day before `at` can have: keys are UUIDv7, in order of recording, and a
/// clock that was set stays within the day.
fn key_before(at: Instant) -> String {
    let millis = u64::try_from(at.0.saturating_sub(DAY) / 1_000).unwrap_or(0);
    Uuid::from_u128(u128::from(millis) << 80).to_string()
}

async fn moved(pool: &SqlitePool, since: [Instant; 2]) -> Result<Vec<Moved>, StoreError> {
    let rows = sqlx::query(MOVED)
        .bind(key_before(since[0]))
        .bind(since[0].0)
        .bind(since[1].0)
        .fetch_all(pool)
        .await?;
    let read = |r: &SqliteRow| -> Result<Moved, StoreError> {
        Ok(Moved {
            site: row::site(r.try_get("site")?)?,
            kind: r.try_get("kind")?,
            cause: r.try_get("cause")?,
            counts: [counted(r, "first_count")?, counted(r, "second_count")?],
        })
    };
    rows.iter().map(read).collect()
}

async fn dates(pool: &SqlitePool) -> Result<Dates, StoreError> {
    let mut tx = pool.begin().await?;
    let dated_rows = sqlx::query(DATED).bind(DAY).fetch_all(&mut *tx).await?;
    let bound_rows = sqlx::query(BOUND).fetch_all(&mut *tx).await?;
    let accepted_rows = sqlx::query(ACCEPTED).bind(WAIVERS).fetch_all(&mut *tx).await?;
    tx.rollback().await?;
    Ok(Dates {
        dated: dated_rows.iter().map(dated).collect::<Result<_, _>>()?,
        bound: bound_rows.iter().map(bound).collect::<Result<_, _>>()?,
        accepted: accepted_rows.iter().map(accepted).collect::<Result<_, _>>()?,
    })
}

async fn dates_then(pool: &SqlitePool, known: Instant) -> Result<Dates, StoreError> {
    let rows = sqlx::query(DATED_THEN)
        .bind(DAY)
        .bind(known.0)
        .fetch_all(pool)
        .await?;
    Ok(Dates {
        dated: rows.iter().map(dated).collect::<Result<_, _>>()?,
        ..Dates::default()
    })
}

fn dated(r: &SqliteRow) -> Result<Dated, StoreError> {
    let ending: Option<String> = r.try_get("ending")?;
    let ending = ending
        .map(|word| row::word::<Ending>(&word, "ending"))
        .transpose()?;
    Ok(Dated {
        span: FindingSpan {
            finding: row::word::<FindingId>(r.try_get("finding_id")?, "finding")?,
            rule: r.try_get("rule")?,
            deadline: r.try_get("deadline")?,
            opened: Instant(r.try_get("opened_at")?),
            closed: row::instant(r.try_get("closed_at")?).map(|at| (at, ending)),
        },
        jurisdiction: r.try_get("jurisdiction")?,
        site: row::site(r.try_get("site")?)?,
        findings: counted(r, "findings")?,
        planned: counted(r, "planned_count")?,
        waived: counted(r, "waived_count")?,
    })
}

fn bound(r: &SqliteRow) -> Result<Bound, StoreError> {
    Ok(Bound {
        rule: r.try_get("rule")?,
        deadline: r.try_get("deadline")?,
        site: row::site(r.try_get("site")?)?,
        elements: counted(r, "elements")?,
    })
}

fn accepted(r: &SqliteRow) -> Result<Accepted, StoreError> {
    Ok(Accepted {
        rule: r.try_get("rule")?,
        site: row::site(r.try_get("site")?)?,
        waiver: row::from_json(r.try_get("waiver")?, "waiver")?,
        findings: counted(r, "findings")?,
    })
}

async fn within(
    pool: &SqlitePool,
    supplier: &str,
    sites: Option<&BTreeSet<SiteName>>,
    most: u32,
) -> Result<Vec<Within>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(WITHIN);
    query.push_bind(supplier.to_owned());
    briefing::within(&mut query, sites);
    query.push(" LIMIT ").push_bind(i64::from(most)).push(WITHIN_END);
    let rows = query.build().persistent(false).fetch_all(pool).await?;
    let read = |r: &SqliteRow| -> Result<Within, StoreError> {
        Ok(Within {
            site: row::site(r.try_get("site")?)?,
            role: row::role(r.try_get("role")?)?,
            parts: counted(r, "parts")?,
            elements: counted(r, "elements")?,
        })
    };
    rows.iter().map(read).collect()
}
