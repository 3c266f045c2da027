//! Reports and gaps into rows: cursor, evidence, sighting, in one transaction.
//!
//! Invariants: the cursor moves only with the rows it counts; evidence is
//! written before anything that refers to it; a late report from the past
//! becomes a sighting but never the present. A statement costs more than the row
//! it writes, so what many reports need is asked and written together.

mod refreshed;

use super::{conclude, declare, row, stood};
use crate::StoreError;
use crate::record::{
    AgentHello, DeclaredGap, IncomingReport, ReadReport, ReportBody, SpoolStatus, Stage, Verdict,
};
use model::{AgentId, Completeness, Instant};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use std::collections::{BTreeSet, HashSet};

type Tx = SqliteConnection;

/// zstd level: the fastest that still halves walks.
const LEVEL: i32 = 1;

/// Rows in one statement at most; always so many where there are, so that few statements are prepared.
const TOGETHER: usize = 32;

/// Spools an agent may begin in its life; sums over them still count ([`DeclaredGap`] reaches 2^48).
const MAX_SPOOLS: u64 = 1_000;

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

    begin_epoch(tx, hello, now).await?;
    skip_to(tx, hello, now).await?;
    cursor(tx, hello.agent, &hello.epoch).await
}

/// Notes a greeting that came by courier; see [`crate::Store::greet_carried`].
pub async fn greet_carried(
    tx: &mut Tx,
    hello: &AgentHello,
    over_hole: bool,
    now: Instant,
) -> Result<u64, StoreError> {
    sqlx::query(
        "INSERT INTO agent (agent_id, site, version, clock_skew_micros, first_seen_at, last_seen_at) \
         VALUES ($1, $2, $3, 0, $4, $4) ON CONFLICT (agent_id) DO UPDATE SET site = excluded.site",
    )
    .bind(hello.agent.to_string())
    .bind(hello.site.as_str())
    .bind(&hello.version)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    begin_epoch(tx, hello, now).await?;
    let start: i64 =
        sqlx::query_scalar("SELECT start_sequence FROM agent_cursor WHERE agent_id = $1 AND epoch = $2")
            .bind(hello.agent.to_string())
            .bind(&hello.epoch)
            .fetch_one(&mut *tx)
            .await?;
    let start = row::count(start);
    if hello.first_sequence < start {
        return Err(StoreError::BeforeStart {
            start,
            got: hello.first_sequence,
        });
    }
    let acked = cursor(tx, hello.agent, &hello.epoch).await?;
    if acked + 1 >= hello.first_sequence {
        return Ok(acked);
    }
    if !over_hole {
        return Err(StoreError::NotDense {
            cursor: acked,
            got: hello.first_sequence,
        });
    }
    skip_to(tx, hello, now).await?;
    cursor(tx, hello.agent, &hello.epoch).await
}

async fn begin_epoch(tx: &mut Tx, hello: &AgentHello, now: Instant) -> Result<(), StoreError> {
    let oldest = row::signed(hello.first_sequence.max(1))?;
    let others: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM agent_cursor WHERE agent_id = $1 AND epoch <> $2")
            .bind(hello.agent.to_string())
            .bind(&hello.epoch)
            .fetch_one(&mut *tx)
            .await?;
    if row::count(others) >= MAX_SPOOLS {
        return Err(StoreError::TooManySpools(MAX_SPOOLS));
    }
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
    Ok(())
}

/// A spool that begins later than we remember has been acknowledged by a store
/// we no longer are (a restored backup). Go on from there: the sequences in
/// between have no rows and are shown as lost.
async fn skip_to(tx: &mut Tx, hello: &AgentHello, now: Instant) -> Result<(), StoreError> {
    let oldest = row::signed(hello.first_sequence.max(1))?;
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
    Ok(())
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
    let mut group = Group {
        held: held(tx, reports).await?,
        ..Group::default()
    };
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
                store_read(tx, &line, read, report.evidence.as_deref(), &mut group).await?
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
    group.write(tx, &agent_text, epoch, now).await?;
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
        "INSERT INTO agent_spool (agent_id, waiting, bytes, oldest_at, unsent_at, unacked_at, refused, dropped, \
         no_room_at, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (agent_id) DO UPDATE \
         SET waiting = excluded.waiting, bytes = excluded.bytes, oldest_at = excluded.oldest_at, \
         unsent_at = excluded.unsent_at, unacked_at = excluded.unacked_at, refused = excluded.refused, \
         dropped = excluded.dropped, no_room_at = excluded.no_room_at, recorded_at = excluded.recorded_at",
    )
    .bind(agent.to_string())
    .bind(bounded(status.waiting))
    .bind(bounded(status.bytes))
    .bind(ago(status.oldest_age_micros))
    .bind(ago(status.unsent_age_micros))
    .bind(ago(status.unacked_age_micros))
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

/// What the reports of one commit have in common.
#[derive(Default)]
struct Group<'a> {
    /// Digests whose evidence is here.
    held: HashSet<String>,
    /// Rows of reports still to be written.
    rows: Vec<ReportRow<'a>>,
    /// Elements whose present moved.
    moved: BTreeSet<String>,
}

/// A report that was read, as it is written.
struct ReportRow<'a> {
    sequence: i64,
    held: bool,
    element: String,
    digest: String,
    readings: String,
    read: &'a ReadReport,
}

impl Group<'_> {
    async fn write(self, tx: &mut Tx, agent: &str, epoch: &str, now: Instant) -> Result<(), StoreError> {
        for rows in self.rows.chunks(TOGETHER) {
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO report (agent_id, epoch, sequence, verdict, element_id, started_at, finished_at, \
                 completeness, digest, readings, requests, retries, varbinds, refreshed, recorded_at) ",
            );
            insert.push_values(rows, |mut values, row| {
                values
                    .push_bind(agent)
                    .push_bind(epoch)
                    .push_bind(row.sequence)
                    .push_bind(if row.held { "stored" } else { "wanted" })
                    .push_bind(&row.element)
                    .push_bind(row.read.started.0)
                    .push_bind(row.read.finished.0)
                    .push_bind(row::completeness_word(row.read.completeness))
                    .push_bind(&row.digest)
                    .push_bind(&row.readings)
                    .push_bind(i64::from(row.read.requests))
                    .push_bind(i64::from(row.read.retries))
                    .push_bind(i64::from(row.read.varbinds))
                    .push_bind(i64::from(row.read.refreshed))
                    .push_bind(now.0);
            });
            insert.build().execute(&mut *tx).await?;
        }
        let moved: Vec<String> = self.moved.into_iter().collect();
        for keys in moved.chunks(TOGETHER) {
            conclude::queue_all(tx, Stage::Unit, keys, now).await?;
        }
        Ok(())
    }
}

/// Of the digests that come without evidence, those whose evidence is here.
async fn held(tx: &mut Tx, reports: &[Compressed]) -> Result<HashSet<String>, StoreError> {
    let bare = reports.iter().filter_map(|report| match &report.body {
        ReportBody::Read(read) if read.evidence.is_none() => Some(read.digest.to_string()),
        _ => None,
    });
    let bare: Vec<String> = bare.collect::<BTreeSet<_>>().into_iter().collect();
    let mut held = HashSet::with_capacity(reports.len());
    for digests in bare.chunks(TOGETHER) {
        let mut select = QueryBuilder::<Sqlite>::new("SELECT digest FROM evidence WHERE digest IN (");
        let mut list = select.separated(", ");
        for digest in digests {
            list.push_bind(digest);
        }
        select.push(")");
        held.extend(select.build_query_scalar::<String>().fetch_all(&mut *tx).await?);
    }
    Ok(held)
}

async fn store_read<'a>(
    tx: &mut Tx,
    line: &Line<'_>,
    read: &'a ReadReport,
    evidence: Option<&[u8]>,
    group: &mut Group<'a>,
) -> Result<Verdict, StoreError> {
    let digest = read.digest.to_string();
    if let (Some(body), Some(raw)) = (evidence, &read.evidence) {
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
        group.held.insert(digest.clone());
    }
    let present = present(tx, read, line.now).await?;
    // What was not walked vouches for nothing but what was shown last.
    let last = !read.refreshed || present.latest_digest.as_deref() == Some(digest.as_str());
    let held = last && group.held.contains(&digest);
    if held && read.refreshed {
        refreshed::stretch(tx, line, &present, read, &digest).await?;
    } else if held {
        sight(tx, line, &present, read, &digest, &mut group.moved).await?;
    }
    group.rows.push(ReportRow {
        sequence: line.sequence,
        held,
        element: present.element,
        digest,
        readings: readings(read)?,
        read,
    });
    Ok(if held { Verdict::Stored } else { Verdict::Wanted })
}

/// What an element showed last.
#[derive(Default)]
struct Present {
    element: String,
    latest_digest: Option<String>,
    latest_completeness: Option<String>,
    complete: Option<String>,
    partial: Option<String>,
    last_report: Option<i64>,
}

/// The element a report is of, made if it is new.
async fn present(tx: &mut Tx, read: &ReadReport, now: Instant) -> Result<Present, StoreError> {
    let place = (read.address.as_str(), read.port, read.context.as_str());
    let known = sqlx::query(
        "SELECT element_id, latest_digest, latest_completeness, complete_digest, partial_digest, last_report_at \
         FROM element WHERE site = $1 AND address = $2 AND port = $3 AND context = $4",
    )
    .bind(read.site.as_str())
    .bind(&read.address)
    .bind(i64::from(read.port))
    .bind(&read.context)
    .fetch_optional(&mut *tx)
    .await?;
    Ok(match known {
        Some(row) => Present {
            element: row.try_get("element_id")?,
            latest_digest: row.try_get("latest_digest")?,
            latest_completeness: row.try_get("latest_completeness")?,
            complete: row.try_get("complete_digest")?,
            partial: row.try_get("partial_digest")?,
            last_report: row.try_get("last_report_at")?,
        },
        None => Present {
            element: declare::new_element(tx, read.site.as_str(), place, now).await?,
            ..Present::default()
        },
    })
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
    present: &Present,
    read: &ReadReport,
    digest: &str,
    moved_elements: &mut BTreeSet<String>,
) -> Result<(), StoreError> {
    let element = present.element.as_str();
    let finished = read.finished.0;
    let word = row::completeness_word(read.completeness);
    let is_latest = present.last_report.is_none_or(|last| finished >= last);
    let same = is_latest && present.latest_digest.as_deref() == Some(digest);

    if same {
        sqlx::query(
            "UPDATE sighting SET valid_until = $3, walked_until = NULL, rounds = rounds + 1, agent_id = $4, epoch = $5, sequence = $6 \
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
        // History: what stood there then may be other hardware, and the past is asked for as well.
        conclude::queue_unidentified(tx, digest, word, line.now).await?;
        moved_elements.insert(element.to_owned());
        return Ok(());
    }
    // A complete walk replaces what is known; a partial one stands beside it.
    let (complete, partial) = (present.complete.as_deref(), present.partial.as_deref());
    let (set, moved) = match read.completeness {
        Completeness::Complete if complete != Some(digest) || partial.is_some() => (
            ", complete_from = CASE WHEN complete_digest = $2 THEN complete_from ELSE $4 END, \
             complete_digest = $2, partial_digest = NULL, partial_from = NULL",
            true,
        ),
        Completeness::Partial if partial != Some(digest) => {
            (", partial_digest = $2, partial_from = $4", true)
        }
        _ => ("", present.latest_completeness.as_deref() != Some(word)),
    };
    // Put together from the words above alone.
    let update = sqlx::AssertSqlSafe(format!(
        "UPDATE element SET latest_digest = $2, latest_completeness = $3, last_report_at = $4, \
         last_answer_at = CASE WHEN $3 = 'unreachable' THEN last_answer_at ELSE $4 END, \
         last_walk_at = CASE WHEN $3 = 'unreachable' THEN last_walk_at ELSE $4 END{set} WHERE element_id = $1"
    ));
    sqlx::query(update)
        .bind(element)
        .bind(digest)
        .bind(word)
        .bind(finished)
        .execute(&mut *tx)
        .await?;
    if present.latest_completeness.as_deref() != Some(word) {
        stood::element(tx, element, line.now).await?;
    }
    if moved {
        conclude::queue_unidentified(tx, digest, word, line.now).await?;
        moved_elements.insert(element.to_owned());
    }
    Ok(())
}
