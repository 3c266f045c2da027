//! Everything the first page counts, read in one snapshot.

use super::plans::{self, STATE_COLUMNS, STATE_JOINS};
use super::{alerts, row};
use crate::StoreError;
use crate::clause::Measure;
use crate::view::{
    AgentRow, Backlog, ChangeRow, Count, DeadlineRow, ExposureCell, MOST_COUNTED, MakerRow, Overview,
    SiteRow, SpoolRow,
};
use model::{AgentId, ElementId, FindingState, Instant, Severity, Site, SiteName, SupplierRef};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, Transaction};
use std::collections::BTreeSet;
use std::fmt::Write as _;

type Snapshot = Transaction<'static, Sqlite>;

/// Which sites the counts are of: stands before each statement and narrows the tables it reads.
struct Scope(String);

impl Scope {
    fn new(sites: Option<&BTreeSet<SiteName>>) -> Self {
        let Some(sites) = sites else {
            return Self(String::new());
        };
        // A name of a site is made of a-z, 0-9 and - only.
        let names: Vec<String> = sites.iter().map(|site| format!("'{site}'")).collect();
        let names = names.join(", ");
        let mut text = format!(
            "WITH element AS (SELECT * FROM main.element WHERE site IN ({names})), \
             agent AS (SELECT * FROM main.agent WHERE site IN ({names})), \
             site AS (SELECT * FROM main.site WHERE name IN ({names}))"
        );
        for table in ["finding", "judgement", "change"] {
            let _infallible = write!(
                text,
                ", {table} AS (SELECT * FROM main.{table} WHERE element_id IN (SELECT element_id FROM element))"
            );
        }
        text.push_str(
            ", agent_cursor AS (SELECT * FROM main.agent_cursor WHERE agent_id IN (SELECT agent_id FROM agent)) ",
        );
        Self(text)
    }

    fn of(&self, statement: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(format!("{}{statement}", self.0))
    }
}

/// See [`crate::Store::overview_of`].
pub async fn overview(pool: &SqlitePool, sites: Option<&BTreeSet<SiteName>>) -> Result<Overview, StoreError> {
    let scope = &Scope::new(sites);
    let mut tx = pool.begin().await?;
    let (elements, reached, last_report) = element_counts(&mut tx, scope).await?;
    let parts = sqlx::query(scope.of(
        "SELECT COUNT(*) FILTER (WHERE i.maker_id IS NOT NULL) AS identified, \
         COALESCE(SUM(i.component_count), 0) AS components, COALESCE(SUM(i.named_count), 0) AS named \
         FROM judgement j JOIN identification i ON i.digest = j.digest AND i.knowledge = j.knowledge",
    ))
    .fetch_one(&mut *tx)
    .await?;
    let agents = agents(&mut tx, scope).await?;
    Ok(Overview {
        elements,
        reached,
        identified: row::count(parts.try_get("identified")?),
        components: row::count(parts.try_get("components")?),
        components_named: row::count(parts.try_get("named")?),
        reports: agents.iter().map(|a| a.acked - a.lost - a.gap_sequences).sum(),
        lost: agents.iter().map(|a| a.lost).sum(),
        gaps: agents.iter().map(|a| a.gaps).sum(),
        gap_sequences: agents.iter().map(|a| a.gap_sequences).sum(),
        gap_reports: agents.iter().map(|a| a.gap_reports).sum(),
        states: states(&mut tx, scope).await?,
        severities: severities(&mut tx, scope).await?,
        standings: standings(&mut tx, scope, elements).await?,
        makers: makers(&mut tx, scope).await?,
        unidentified: backlog(&mut tx, UNIDENTIFIED).await?,
        unevaluated: backlog(&mut tx, UNEVALUATED).await?,
        untold: alerts::backlog(&mut tx).await?,
        agents,
        sites: self::sites(&mut tx, scope).await?,
        exposure: exposure(&mut tx, scope).await?,
        deadlines: deadlines(&mut tx, scope).await?,
        changes: changes(&mut tx, scope).await?,
        last_report,
    })
}

async fn element_counts(tx: &mut Snapshot, scope: &Scope) -> Result<(u64, u64, Option<Instant>), StoreError> {
    let found =
        sqlx::query(scope.of("SELECT COUNT(*) AS elements, COUNT(last_answer_at) AS reached FROM element"))
            .fetch_one(&mut **tx)
            .await?;
    let last: Option<i64> = sqlx::query_scalar(scope.of("SELECT MAX(recorded_at) FROM agent_cursor"))
        .fetch_one(&mut **tx)
        .await?;
    Ok((
        row::count(found.try_get("elements")?),
        row::count(found.try_get("reached")?),
        row::instant(last),
    ))
}

async fn agents(tx: &mut Snapshot, scope: &Scope) -> Result<Vec<AgentRow>, StoreError> {
    let text = format!(
        "SELECT a.*, {STATE_COLUMNS}, COALESCE(c.acked, 0) AS acked, COALESCE(c.reports, 0) AS reports, \
         COALESCE(c.refused, 0) AS refused, COALESCE(g.gaps, 0) AS gaps, COALESCE(g.sequences, 0) AS gap_sequences, \
         COALESCE(g.reports, 0) AS gap_reports, g.last_gap AS last_gap, s.waiting, s.bytes, s.oldest_at, s.unsent_at, s.unacked_at, s.refused AS spool_refused, s.dropped, s.no_room_at, \
         s.recorded_at AS told_at, \
         (SELECT MAX(k.not_after) FROM agent_certificate k WHERE k.agent_id = a.agent_id) AS not_after, \
         (SELECT r.recorded_at FROM agent_revocation r WHERE r.agent_id = a.agent_id) AS revoked_at, \
         (SELECT MAX(q.since) FROM agent_quarantine q WHERE q.agent_id = a.agent_id AND q.released_at IS NULL) \
         AS quarantined_at FROM agent a {STATE_JOINS} \
         LEFT JOIN agent_spool s ON s.agent_id = a.agent_id LEFT JOIN \
         (SELECT agent_id, SUM(acked_sequence - start_sequence + 1) AS acked, SUM(report_count) AS reports, \
         SUM(refused_count) AS refused FROM agent_cursor GROUP BY agent_id) c ON c.agent_id = a.agent_id LEFT JOIN \
         (SELECT agent_id, COUNT(*) AS gaps, SUM(to_sequence - from_sequence + 1) AS sequences, \
         SUM(count) AS reports, MAX(recorded_at) AS last_gap FROM gap GROUP BY agent_id) g \
         ON g.agent_id = a.agent_id ORDER BY a.site, a.agent_id"
    );
    let rows = sqlx::query(scope.of(&text)).fetch_all(&mut **tx).await?;
    rows.into_iter()
        .map(|r| {
            let acked = row::count(r.try_get("acked")?);
            let gap_sequences = row::count(r.try_get("gap_sequences")?);
            let reports = row::count(r.try_get("reports")?);
            Ok(AgentRow {
                agent: row::word::<AgentId>(r.try_get("agent_id")?, "agent")?,
                site: row::site(r.try_get("site")?)?,
                version: r.try_get("version")?,
                last_seen: Instant(r.try_get("last_seen_at")?),
                clock_skew_micros: r.try_get("clock_skew_micros")?,
                acked,
                refused: row::count(r.try_get("refused")?),
                lost: acked.saturating_sub(reports).saturating_sub(gap_sequences),
                gaps: row::count(r.try_get("gaps")?),
                gap_sequences,
                gap_reports: row::count(r.try_get("gap_reports")?),
                last_gap: row::instant(r.try_get("last_gap")?),
                spool: spool(&r)?,
                plan: plans::state(&r)?,
                not_after: row::instant(r.try_get("not_after")?),
                revoked: row::instant(r.try_get("revoked_at")?),
                quarantined: row::instant(r.try_get("quarantined_at")?),
            })
        })
        .collect()
}

/// As the agent told it. While it goes on speaking, the oldest of now is not what was the oldest then: ages
/// grow from its last word on.
fn spool(r: &SqliteRow) -> Result<Option<SpoolRow>, StoreError> {
    let Some(told) = row::instant(r.try_get("told_at")?) else {
        return Ok(None);
    };
    let spoke_on = r.try_get::<i64, _>("last_seen_at")?.saturating_sub(told.0).max(0);
    let since = |column| -> Result<Option<Instant>, StoreError> {
        let at: Option<Instant> = row::instant(r.try_get(column)?);
        Ok(at.map(|at| Instant(at.0.saturating_add(spoke_on))))
    };
    Ok(Some(SpoolRow {
        waiting: row::count(r.try_get("waiting")?),
        bytes: row::count(r.try_get("bytes")?),
        oldest: since("oldest_at")?,
        refused: row::count(r.try_get("spool_refused")?),
        dropped: row::count(r.try_get("dropped")?),
        unsent: since("unsent_at")?,
        unacked: since("unacked_at")?,
        no_room: row::instant(r.try_get("no_room_at")?),
        told,
    }))
}

async fn states(tx: &mut Snapshot, scope: &Scope) -> Result<Vec<Count>, StoreError> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as(scope.of("SELECT state, COUNT(*) FROM finding GROUP BY state"))
            .fetch_all(&mut **tx)
            .await?;
    Ok(every(FindingState::ALL.iter().map(|s| s.as_str()), &rows))
}

async fn severities(tx: &mut Snapshot, scope: &Scope) -> Result<Vec<Count>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(scope.of(
        "SELECT severity, COUNT(*) FROM finding WHERE state NOT IN ('closed', 'waived') GROUP BY severity",
    ))
    .fetch_all(&mut **tx)
    .await?;
    Ok(every(Severity::ALL.iter().map(|s| s.as_str()), &rows))
}

/// Every word with its count, also the words that do not occur.
fn every(words: impl Iterator<Item = &'static str>, rows: &[(String, i64)]) -> Vec<Count> {
    words
        .map(|word| Count {
            word: word.to_owned(),
            count: rows
                .iter()
                .find(|(w, _)| w == word)
                .map_or(0, |(_, n)| row::count(*n)),
        })
        .collect()
}

async fn standings(tx: &mut Snapshot, scope: &Scope, elements: u64) -> Result<Vec<Count>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        scope.of("SELECT standing, COUNT(*) FROM judgement GROUP BY standing ORDER BY 2 DESC, 1"),
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut counts: Vec<Count> = rows
        .into_iter()
        .map(|(word, n)| Count {
            word,
            count: row::count(n),
        })
        .collect();
    let unjudged = elements.saturating_sub(counts.iter().map(|c| c.count).sum());
    if unjudged > 0 {
        match counts.iter_mut().find(|c| c.word == "unknown") {
            Some(unknown) => unknown.count += unjudged,
            None => counts.push(Count {
                word: "unknown".to_owned(),
                count: unjudged,
            }),
        }
    }
    Ok(counts)
}

async fn makers(tx: &mut Snapshot, scope: &Scope) -> Result<Vec<MakerRow>, StoreError> {
    let rows: Vec<(Option<String>, Option<String>, i64, i64)> = sqlx::query_as(scope.of("SELECT m.maker_id, m.maker_name, m.elements, (SELECT COUNT(*) FROM finding f WHERE f.supplier = m.maker_id \
         AND f.state NOT IN ('closed', 'waived')) FROM (SELECT i.maker_id, i.maker_name, COUNT(*) AS elements \
         FROM element e LEFT JOIN judgement j ON j.element_id = e.element_id \
         LEFT JOIN identification i ON i.digest = j.digest AND i.knowledge = j.knowledge GROUP BY 1, 2) m \
         ORDER BY m.elements DESC, m.maker_name"))
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, name, elements, findings)| MakerRow {
            maker: id.zip(name).map(|(id, name)| SupplierRef { id, name }),
            elements: row::count(elements),
            findings: row::count(findings),
        })
        .collect())
}

/// Evidence that waits, and since when.
const UNIDENTIFIED: &str = "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM undone WHERE stage = 'identify' LIMIT $1)), \
     (SELECT MIN(since) FROM undone WHERE stage = 'identify')";
/// Elements that wait for their unit or their judgement, each once.
const UNEVALUATED: &str = "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM undone WHERE stage = 'unit' UNION ALL \
     SELECT 1 FROM undone later WHERE stage = 'evaluate' AND NOT EXISTS \
     (SELECT 1 FROM undone u WHERE u.stage = 'unit' AND u.key = later.key) LIMIT $1)), \
     (SELECT MIN(since) FROM (SELECT MIN(since) AS since FROM undone WHERE stage = 'unit' UNION ALL \
     SELECT MIN(since) FROM undone WHERE stage = 'evaluate'))";

async fn backlog(tx: &mut Snapshot, of: &'static str) -> Result<Backlog, StoreError> {
    let (count, oldest): (i64, Option<i64>) = sqlx::query_as(of)
        .bind(row::signed(MOST_COUNTED)?)
        .fetch_one(&mut **tx)
        .await?;
    let count = row::count(count);
    Ok(Backlog {
        count,
        measure: if count < MOST_COUNTED {
            Measure::Exact
        } else {
            Measure::AtLeast
        },
        oldest: row::instant(oldest),
    })
}

fn severity_of(rank: Option<i64>) -> Option<Severity> {
    rank.and_then(|n| usize::try_from(n).ok())
        .and_then(|n| Severity::ALL.get(n))
        .copied()
}

async fn sites(tx: &mut Snapshot, scope: &Scope) -> Result<Vec<SiteRow>, StoreError> {
    let rows = sqlx::query(scope.of(
        "SELECT s.*, (SELECT COUNT(*) FROM element e WHERE e.site = s.name) AS elements, \
         (SELECT COUNT(last_answer_at) FROM element e WHERE e.site = s.name) AS reached, \
         COUNT(f.finding_id) AS findings, MIN(f.severity_rank) AS worst \
         FROM site s LEFT JOIN element e ON e.site = s.name \
         LEFT JOIN finding f ON f.element_id = e.element_id AND f.state NOT IN ('closed', 'waived') \
         GROUP BY s.name ORDER BY s.name",
    ))
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|r| {
            Ok(SiteRow {
                site: Site {
                    name: row::site(r.try_get("name")?)?,
                    jurisdictions: row::set(r.try_get("jurisdictions")?),
                    title: r.try_get("title")?,
                    latitude: r.try_get("latitude")?,
                    longitude: r.try_get("longitude")?,
                },
                elements: row::count(r.try_get("elements")?),
                reached: row::count(r.try_get("reached")?),
                findings: row::count(r.try_get("findings")?),
                worst: severity_of(r.try_get("worst")?),
            })
        })
        .collect()
}

async fn exposure(tx: &mut Snapshot, scope: &Scope) -> Result<Vec<ExposureCell>, StoreError> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(scope.of(
        "SELECT f.jurisdiction, COALESCE(d.role, 'unknown'), COUNT(*), MIN(f.severity_rank) FROM finding f \
         LEFT JOIN declaration d ON d.element_id = f.element_id AND d.superseded_at IS NULL \
         WHERE f.state NOT IN ('closed', 'waived') GROUP BY 1, 2 ORDER BY 1, 2",
    ))
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(jurisdiction, role, count, worst)| ExposureCell {
            jurisdiction,
            role,
            count: row::count(count),
            worst: severity_of(Some(worst)).unwrap_or(Severity::Indeterminate),
        })
        .collect())
}

async fn deadlines(tx: &mut Snapshot, scope: &Scope) -> Result<Vec<DeadlineRow>, StoreError> {
    let rows: Vec<(String, String, String, String, i64)> = sqlx::query_as(scope.of(
        "SELECT deadline, rule, jurisdiction, MIN(result), COUNT(DISTINCT element_id) FROM finding \
         WHERE state NOT IN ('closed', 'waived') AND deadline IS NOT NULL \
         GROUP BY deadline, rule, jurisdiction ORDER BY deadline, rule LIMIT 2000",
    ))
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|(deadline, rule, jurisdiction, result, elements)| {
            let result: model::RuleResult = row::from_json(&result, "finding")?;
            Ok(DeadlineRow {
                deadline,
                rule,
                jurisdiction,
                title: result.title,
                elements: row::count(elements),
            })
        })
        .collect()
}

async fn changes(tx: &mut Snapshot, scope: &Scope) -> Result<Vec<ChangeRow>, StoreError> {
    let rows = sqlx::query(scope.of(
        "SELECT c.*, e.name FROM change c JOIN element e ON e.element_id = c.element_id \
         ORDER BY c.change_id DESC LIMIT 30",
    ))
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|r| {
            Ok(ChangeRow {
                at: Instant(r.try_get("recorded_at")?),
                kind: r.try_get("kind")?,
                element: row::word::<ElementId>(r.try_get("element_id")?, "element")?,
                element_name: r.try_get("name")?,
                text: r.try_get("text")?,
                cause: r.try_get("cause")?,
            })
        })
        .collect()
}
