//! Reports and gaps into rows: cursor, evidence, sighting, in one transaction.
//!
//! Invariants: the cursor moves only with the rows it counts; evidence is
//! written before anything that refers to it; a late report from the past
//! becomes a sighting but never the present.

use super::declare::ensure_element;
use super::{conclude, row};
use crate::StoreError;
use crate::record::{
    AgentHello, DeclaredGap, IncomingReport, ReadReport, ReportBody, SpoolStatus, Stage, Verdict,
};
use model::{AgentId, Completeness, Instant};
use sqlx::{Row as _, SqliteConnection};

type Tx = SqliteConnection;

/// zstd level: the fastest that still halves walks.
const LEVEL: i32 = 1;

/// A report with its evidence compressed, outside the write transaction.
pub struct Compressed {
    sequence: u64,
    body: ReportBody,
    evidence: Option<Vec<u8>>,
}

/// Compresses evidence before the writer is held.
pub fn compress(reports: Vec<IncomingReport>) -> Result<Vec<Compressed>, StoreError> {
    let mut compressor =
        zstd::bulk::Compressor::new(LEVEL).map_err(|e| StoreError::from(sqlx::Error::Io(e)))?;
    reports
        .into_iter()
        .map(|report| {
            let evidence = match &report.body {
                ReportBody::Read(read) => read
                    .evidence
                    .as_deref()
                    .map(|bytes| compressor.compress(bytes))
                    .transpose(),
                ReportBody::Refused { .. } | ReportBody::Gap(_) => Ok(None),
            };
            let evidence = evidence.map_err(|e| StoreError::from(sqlx::Error::Io(e)))?;
            Ok(Compressed {
                sequence: report.sequence,
                body: report.body,
                evidence,
            })
        })
        .collect()
}

/// Notes a greeting; returns the durable cursor.
pub async fn greet(tx: &mut Tx, hello: &AgentHello, now: Instant) -> Result<u64, StoreError> {
    sqlx::query(
        "INSERT INTO agent (agent_id, site, version, clock_skew_micros, first_seen_at, last_seen_at) \
         VALUES ($1, $2, $3, $4, $5, $5) \
         ON CONFLICT (agent_id) DO UPDATE SET site = excluded.site, version = excluded.version, \
         clock_skew_micros = excluded.clock_skew_micros, last_seen_at = excluded.last_seen_at",
    )
    .bind(hello.agent.to_string())
    .bind(hello.site.as_str())
    .bind(&hello.version)
    .bind(hello.clock.0.saturating_sub(now.0))
    .bind(now.0)
    .execute(&mut *tx)
    .await?;

    let oldest = row::signed(hello.first_sequence.max(1))?;
    sqlx::query(
        "INSERT INTO agent_cursor \
         (agent_id, epoch, start_sequence, acked_sequence, report_count, refused_count, recorded_at) \
         VALUES ($1, $2, $3, $3 - 1, 0, 0, $4) ON CONFLICT (agent_id, epoch) DO NOTHING",
    )
    .bind(hello.agent.to_string())
    .bind(&hello.epoch)
    .bind(oldest)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    // A spool that begins later than we remember has been acknowledged by a store
    // we no longer are (a restored backup). Go on from there: the sequences in
    // between have no rows and are shown as lost.
    sqlx::query(
        "UPDATE agent_cursor SET acked_sequence = $3 - 1, recorded_at = $4 \
         WHERE agent_id = $1 AND epoch = $2 AND acked_sequence < $3 - 1",
    )
    .bind(hello.agent.to_string())
    .bind(&hello.epoch)
    .bind(oldest)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    cursor(tx, hello.agent, &hello.epoch).await
}

async fn cursor(tx: &mut Tx, agent: AgentId, epoch: &str) -> Result<u64, StoreError> {
    let acked: Option<i64> =
        sqlx::query_scalar("SELECT acked_sequence FROM agent_cursor WHERE agent_id = $1 AND epoch = $2")
            .bind(agent.to_string())
            .bind(epoch)
            .fetch_optional(&mut *tx)
            .await?;
    acked.map(row::count).ok_or(StoreError::Damaged("agent cursor"))
}

/// Commits dense reports; see [`crate::Store::commit_reports`].
pub async fn commit_reports(
    tx: &mut Tx,
    agent: AgentId,
    epoch: &str,
    reports: &[Compressed],
    now: Instant,
) -> Result<Vec<Verdict>, StoreError> {
    let agent_text = agent.to_string();
    let start = cursor(tx, agent, epoch).await?;
    let mut acked = start;
    let (mut rows, mut refused) = (0_i64, 0_i64);
    let mut verdicts = Vec::with_capacity(reports.len());
    for report in reports {
        let last = match &report.body {
            ReportBody::Gap(gap) => gap.to,
            _ => report.sequence,
        };
        if last <= acked {
            verdicts.push(Verdict::Repeated);
            continue;
        }
        // A gap that grew since it was sent first begins below the cursor.
        let from = report.sequence.max(acked + 1).min(last);
        if from != acked + 1 {
            return Err(StoreError::NotDense {
                cursor: acked,
                got: report.sequence,
            });
        }
        acked = last;
        let line = Line {
            agent: &agent_text,
            epoch,
            sequence: row::signed(from)?,
            now,
        };
        let verdict = match &report.body {
            ReportBody::Read(read) => {
                rows += 1;
                store_read(tx, &line, read, report.evidence.as_deref()).await?
            }
            ReportBody::Refused { reason } => {
                rows += 1;
                refused += 1;
                store_refused(tx, &line, reason).await?
            }
            ReportBody::Gap(gap) => store_gap(tx, &line, gap).await?,
        };
        verdicts.push(verdict);
    }
    if acked > start {
        sqlx::query(
            "UPDATE agent_cursor SET acked_sequence = $3, report_count = report_count + $4, \
             refused_count = refused_count + $5, recorded_at = $6 WHERE agent_id = $1 AND epoch = $2",
        )
        .bind(&agent_text)
        .bind(epoch)
        .bind(row::signed(acked)?)
        .bind(rows)
        .bind(refused)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    }
    heard(tx, &agent_text, now).await?;
    Ok(verdicts)
}

async fn heard(tx: &mut Tx, agent: &str, now: Instant) -> Result<(), StoreError> {
    sqlx::query("UPDATE agent SET last_seen_at = $2 WHERE agent_id = $1")
        .bind(agent)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

async fn store_gap(tx: &mut Tx, line: &Line<'_>, gap: &DeclaredGap) -> Result<Verdict, StoreError> {
    let to = row::signed(gap.to)?;
    let most = to.saturating_sub(line.sequence).saturating_add(1);
    sqlx::query(
        "INSERT INTO gap (agent_id, epoch, from_sequence, to_sequence, count, reason, declared_at, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(line.agent)
    .bind(line.epoch)
    .bind(line.sequence)
    .bind(to)
    .bind(row::signed(gap.count)?.min(most))
    .bind(gap.reason.as_str())
    .bind(gap.declared.0)
    .bind(line.now.0)
    .execute(&mut *tx)
    .await?;
    Ok(Verdict::Stored)
}

/// Notes how a spool stands, and that its agent spoke.
pub async fn note_spool(
    tx: &mut Tx,
    agent: AgentId,
    status: &SpoolStatus,
    now: Instant,
) -> Result<(), StoreError> {
    // Numbers of an agent's own: what fits no column is as much as fits.
    let bounded = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let ago = |micros: u64| (micros > 0).then(|| now.0.saturating_sub(bounded(micros)));
    sqlx::query(
        "INSERT INTO agent_spool (agent_id, waiting, bytes, oldest_at, refused, dropped, no_room_at, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (agent_id) DO UPDATE SET waiting = excluded.waiting, \
         bytes = excluded.bytes, oldest_at = excluded.oldest_at, refused = excluded.refused, \
         dropped = excluded.dropped, no_room_at = excluded.no_room_at, recorded_at = excluded.recorded_at",
    )
    .bind(agent.to_string())
    .bind(bounded(status.waiting))
    .bind(bounded(status.bytes))
    .bind(ago(status.oldest_age_micros))
    .bind(bounded(status.refused))
    .bind(bounded(status.dropped))
    .bind(ago(status.no_room_micros))
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    heard(tx, &agent.to_string(), now).await
}

/// Where one report stands in its agent's line.
struct Line<'a> {
    agent: &'a str,
    epoch: &'a str,
    sequence: i64,
    now: Instant,
}

async fn store_refused(tx: &mut Tx, line: &Line<'_>, reason: &str) -> Result<Verdict, StoreError> {
    sqlx::query(
        "INSERT INTO report (agent_id, epoch, sequence, verdict, reason, recorded_at) \
         VALUES ($1, $2, $3, 'refused', $4, $5)",
    )
    .bind(line.agent)
    .bind(line.epoch)
    .bind(line.sequence)
    .bind(reason)
    .bind(line.now.0)
    .execute(&mut *tx)
    .await?;
    Ok(Verdict::Refused {
        reason: reason.to_owned(),
    })
}

async fn store_read(
    tx: &mut Tx,
    line: &Line<'_>,
    read: &ReadReport,
    evidence: Option<&[u8]>,
) -> Result<Verdict, StoreError> {
    let digest = read.digest.to_string();
    let held = match (evidence, &read.evidence) {
        (Some(body), Some(raw)) => {
            sqlx::query(
                "INSERT INTO evidence (digest, size, body, recorded_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (digest) DO NOTHING",
            )
            .bind(&digest)
            .bind(i64::try_from(raw.len()).unwrap_or(i64::MAX))
            .bind(body)
            .bind(line.now.0)
            .execute(&mut *tx)
            .await?;
            true
        }
        _ => {
            let held: Option<i64> = sqlx::query_scalar("SELECT 1 FROM evidence WHERE digest = $1")
                .bind(&digest)
                .fetch_optional(&mut *tx)
                .await?;
            held.is_some()
        }
    };
    let element = ensure_element(tx, read.site.as_str(), &read.address, read.port, line.now).await?;
    let verdict = if held { Verdict::Stored } else { Verdict::Wanted };
    sqlx::query(
        "INSERT INTO report (agent_id, epoch, sequence, verdict, element_id, started_at, finished_at, completeness, \
         digest, readings, requests, retries, varbinds, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(line.agent)
    .bind(line.epoch)
    .bind(line.sequence)
    .bind(if held { "stored" } else { "wanted" })
    .bind(&element)
    .bind(read.started.0)
    .bind(read.finished.0)
    .bind(row::completeness_word(read.completeness))
    .bind(&digest)
    .bind(readings(read)?)
    .bind(i64::from(read.requests))
    .bind(i64::from(read.retries))
    .bind(i64::from(read.varbinds))
    .bind(line.now.0)
    .execute(&mut *tx)
    .await?;
    if held {
        sight(tx, line, &element, read, &digest).await?;
    }
    Ok(verdict)
}

/// `{"1.3.6.1.2.1.1.3.0": {"tag": 67, "octets": [..]}}`
fn readings(read: &ReadReport) -> Result<String, StoreError> {
    let map: std::collections::BTreeMap<String, serde_json::Value> = read
        .readings
        .iter()
        .map(|v| {
            (
                v.oid.to_string(),
                serde_json::json!({"tag": v.value.tag, "octets": v.value.octets}),
            )
        })
        .collect();
    row::json(&map, "readings")
}

/// Extends the latest sighting or begins a new one, and moves the element's present.
async fn sight(
    tx: &mut Tx,
    line: &Line<'_>,
    element: &str,
    read: &ReadReport,
    digest: &str,
) -> Result<(), StoreError> {
    let present = sqlx::query(
        "SELECT latest_digest, latest_completeness, complete_digest, partial_digest, last_report_at \
         FROM element WHERE element_id = $1",
    )
    .bind(element)
    .fetch_one(&mut *tx)
    .await?;
    let latest_digest: Option<String> = present.try_get("latest_digest")?;
    let latest_completeness: Option<String> = present.try_get("latest_completeness")?;
    let complete: Option<String> = present.try_get("complete_digest")?;
    let partial: Option<String> = present.try_get("partial_digest")?;
    let last_report: Option<i64> = present.try_get("last_report_at")?;
    let finished = read.finished.0;
    let word = row::completeness_word(read.completeness);
    let is_latest = last_report.is_none_or(|last| finished >= last);
    let same = is_latest && latest_digest.as_deref() == Some(digest);

    if same {
        sqlx::query(
            "UPDATE sighting SET valid_until = $3, rounds = rounds + 1, agent_id = $4, epoch = $5, sequence = $6 \
             WHERE element_id = $1 AND digest = $2 AND valid_from = \
             (SELECT MAX(valid_from) FROM sighting WHERE element_id = $1 AND digest = $2)",
        )
        .bind(element)
        .bind(digest)
        .bind(finished)
        .bind(line.agent)
        .bind(line.epoch)
        .bind(line.sequence)
        .execute(&mut *tx)
        .await?;
    } else {
        sqlx::query(
            "INSERT INTO sighting (element_id, valid_from, valid_until, digest, completeness, rounds, agent_id, \
             epoch, sequence, recorded_at) VALUES ($1, $2, $2, $3, $4, 1, $5, $6, $7, $8) \
             ON CONFLICT (element_id, valid_from, digest) DO UPDATE SET rounds = sighting.rounds + 1",
        )
        .bind(element)
        .bind(finished)
        .bind(digest)
        .bind(word)
        .bind(line.agent)
        .bind(line.epoch)
        .bind(line.sequence)
        .bind(line.now.0)
        .execute(&mut *tx)
        .await?;
    }
    if !is_latest {
        return Ok(());
    }
    sqlx::query(
        "UPDATE element SET latest_digest = $2, latest_completeness = $3, last_report_at = $4, \
         last_answer_at = CASE WHEN $3 = 'unreachable' THEN last_answer_at ELSE $4 END WHERE element_id = $1",
    )
    .bind(element)
    .bind(digest)
    .bind(word)
    .bind(finished)
    .execute(&mut *tx)
    .await?;
    // A complete walk replaces what is known; a partial one stands beside it.
    let moved = match read.completeness {
        Completeness::Complete if complete.as_deref() != Some(digest) || partial.is_some() => {
            sqlx::query(
                "UPDATE element SET complete_from = CASE WHEN complete_digest = $2 THEN complete_from ELSE $3 END, \
                 complete_digest = $2, partial_digest = NULL, partial_from = NULL WHERE element_id = $1",
            )
            .bind(element)
            .bind(digest)
            .bind(finished)
            .execute(&mut *tx)
            .await?;
            true
        }
        Completeness::Partial if partial.as_deref() != Some(digest) => {
            sqlx::query("UPDATE element SET partial_digest = $2, partial_from = $3 WHERE element_id = $1")
                .bind(element)
                .bind(digest)
                .bind(finished)
                .execute(&mut *tx)
                .await?;
            true
        }
        _ => latest_completeness.as_deref() != Some(word),
    };
    if moved {
        // Evidence first seen as something that says nothing, and now as an answer.
        sqlx::query(
            "INSERT INTO undone (stage, key, revision, since) SELECT 'identify', $1, 1, $2 \
             WHERE $3 <> 'unreachable' AND NOT EXISTS (SELECT 1 FROM identification WHERE digest = $1 \
             AND knowledge = (SELECT version FROM stage_version WHERE stage = 'identify')) \
             ON CONFLICT (stage, key) DO NOTHING",
        )
        .bind(digest)
        .bind(line.now.0)
        .bind(word)
        .execute(&mut *tx)
        .await?;
        conclude::queue(tx, Stage::Evaluate, element, line.now).await?;
    }
    Ok(())
}
