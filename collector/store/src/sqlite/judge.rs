//! What evaluation reads of an element, and what it leaves behind.

use super::{conclude, row};
use crate::StoreError;
use crate::record::{
    FindingStep, IdentifiedSighting, Judged, JudgedElement, KnownFinding, MovedIn, Stage, Subject,
};
use model::{ElementId, FindingId, FindingState, Identification, Instant, Place, RuleResult, Severity};
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
        latest: latest.as_deref().map(row::completeness).transpose()?,
        last_walk: row::instant(found.try_get("last_walk_at")?),
        complete: sighting(pool, &found, "complete_digest", "complete_from").await?,
        partial: sighting(pool, &found, "partial_digest", "partial_from").await?,
        initial: initial(pool, &found, tenure.as_ref()).await?,
        tenure,
        findings: known_findings(pool, &key).await?,
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
    // Of a stack the first chassis tells since when the unit stands there: members may come later.
    let found = sqlx::query(
        "SELECT t.valid_from, EXISTS (SELECT 1 FROM tenure b WHERE b.element_id = t.element_id \
         AND b.slot = t.replaces AND b.unit_id <> t.unit_id) AS swapped FROM tenure t \
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

async fn known_findings(pool: &SqlitePool, element: &str) -> Result<Vec<KnownFinding>, StoreError> {
    let rows = sqlx::query("SELECT finding_id, state, result FROM finding WHERE element_id = $1")
        .bind(element)
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|r| {
            Ok(KnownFinding {
                finding: row::word::<FindingId>(r.try_get("finding_id")?, "finding")?,
                state: row::word::<FindingState>(r.try_get("state")?, "finding state")?,
                result: row::from_json(r.try_get("result")?, "finding")?,
            })
        })
        .collect()
}

async fn judged(pool: &SqlitePool, element: &str) -> Result<Option<Judged>, StoreError> {
    let found = sqlx::query(
        "SELECT standing, digest, knowledge, policies, as_of FROM judgement WHERE element_id = $1",
    )
    .bind(element)
    .fetch_optional(pool)
    .await?;
    found
        .map(|r| {
            Ok(Judged {
                standing: r.try_get("standing")?,
                digest: row::maybe_digest(r.try_get("digest")?)?,
                knowledge: r.try_get("knowledge")?,
                policies: r.try_get("policies")?,
                as_of: r.try_get("as_of")?,
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
            step_finding(tx, &element, one, step, now).await?;
        }
        if before.as_deref() != Some(one.judged.standing.as_str()) {
            let text = match before {
                Some(before) => format!("{before} → {}", one.judged.standing),
                None => format!("first judged: {}", one.judged.standing),
            };
            change(tx, "standing_changed", &element, &text, one.cause, now).await?;
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
    sqlx::query(
        "INSERT INTO judgement (element_id, standing, digest, knowledge, policies, as_of, results, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (element_id) DO UPDATE SET \
         standing = excluded.standing, digest = excluded.digest, knowledge = excluded.knowledge, \
         policies = excluded.policies, as_of = excluded.as_of, results = excluded.results, \
         recorded_at = excluded.recorded_at",
    )
    .bind(element)
    .bind(&one.judged.standing)
    .bind(one.judged.digest.map(|d| d.to_string()))
    .bind(&one.judged.knowledge)
    .bind(&one.judged.policies)
    .bind(&one.judged.as_of)
    .bind(row::json(&one.results, "results")?)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE element SET name = $2 WHERE element_id = $1 AND name <> $2")
        .bind(element)
        .bind(&one.name)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

async fn step_finding(
    tx: &mut Tx,
    element: &str,
    one: &JudgedElement,
    step: &FindingStep,
    now: Instant,
) -> Result<(), StoreError> {
    match step {
        FindingStep::Open(result) => {
            let finding = FindingId::generate();
            insert_finding(tx, element, one, finding, result, now).await?;
            let text = opened_text(result);
            event(tx, finding, "opened", one.cause, &text, now).await?;
            change(tx, "finding_opened", element, &text, one.cause, now).await
        }
        FindingStep::Reopen(finding, result) => {
            update_finding(tx, one, *finding, result, now).await?;
            sqlx::query("UPDATE finding SET state = 'open', closed_at = NULL WHERE finding_id = $1")
                .bind(finding.to_string())
                .execute(&mut *tx)
                .await?;
            let text = opened_text(result);
            event(tx, *finding, "reopened", one.cause, &text, now).await?;
            change(tx, "finding_opened", element, &text, one.cause, now).await
        }
        FindingStep::Change(finding, result, text) => {
            update_finding(tx, one, *finding, result, now).await?;
            event(tx, *finding, "changed", one.cause, text, now).await?;
            let text = format!("{}: {text}", result.rule);
            change(tx, "finding_changed", element, &text, one.cause, now).await
        }
        FindingStep::Refresh(finding, result) => update_finding(tx, one, *finding, result, now).await,
        FindingStep::Close(finding) => {
            let rule: Option<String> = sqlx::query_scalar(
                "UPDATE finding SET state = 'closed', closed_at = $2, recorded_at = $2 WHERE finding_id = $1 \
                 RETURNING rule",
            )
            .bind(finding.to_string())
            .bind(now.0)
            .fetch_optional(&mut *tx)
            .await?;
            event(
                tx,
                *finding,
                "closed",
                one.cause,
                "the rule is no longer met",
                now,
            )
            .await?;
            let text = format!("{}: no longer met", rule.unwrap_or_default());
            change(tx, "finding_closed", element, &text, one.cause, now).await
        }
    }
}

fn opened_text(result: &RuleResult) -> String {
    let possible = if result.confidence < RuleResult::CERTAIN {
        "possible "
    } else {
        ""
    };
    let part = result
        .component
        .as_deref()
        .map(|c| format!(", component {c}"))
        .unwrap_or_default();
    format!("{possible}{} under {}{part}", result.class, result.rule)
}

async fn insert_finding(
    tx: &mut Tx,
    element: &str,
    one: &JudgedElement,
    finding: FindingId,
    result: &RuleResult,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO finding (finding_id, element_id, rule, component, jurisdiction, supplier, class, severity, \
         severity_rank, deadline, state, result, digest, knowledge, policies, as_of, opened_at, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open', $11, $12, $13, $14, $15, $16, $16)",
    )
    .bind(finding.to_string())
    .bind(element)
    .bind(&result.rule)
    .bind(result.component.as_deref().unwrap_or(""))
    .bind(&result.jurisdiction)
    .bind(&result.supplier)
    .bind(result.class.as_str())
    .bind(result.severity.as_str())
    .bind(rank(result.severity))
    .bind(&result.deadline)
    .bind(row::json(result, "finding")?)
    .bind(one.judged.digest.map(|d| d.to_string()))
    .bind(&one.judged.knowledge)
    .bind(&one.judged.policies)
    .bind(&one.judged.as_of)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

async fn update_finding(
    tx: &mut Tx,
    one: &JudgedElement,
    finding: FindingId,
    result: &RuleResult,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE finding SET class = $2, severity = $3, severity_rank = $4, deadline = $5, result = $6, digest = $7, \
         knowledge = $8, policies = $9, as_of = $10, recorded_at = $11 WHERE finding_id = $1",
    )
    .bind(finding.to_string())
    .bind(result.class.as_str())
    .bind(result.severity.as_str())
    .bind(rank(result.severity))
    .bind(&result.deadline)
    .bind(row::json(result, "finding")?)
    .bind(one.judged.digest.map(|d| d.to_string()))
    .bind(&one.judged.knowledge)
    .bind(&one.judged.policies)
    .bind(&one.judged.as_of)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Position in [`Severity::ALL`]: 0 is most urgent.
pub fn rank(severity: Severity) -> i64 {
    Severity::ALL
        .iter()
        .position(|s| *s == severity)
        .and_then(|n| i64::try_from(n).ok())
        .unwrap_or(i64::MAX)
}

async fn event(
    tx: &mut Tx,
    finding: FindingId,
    kind: &str,
    cause: &str,
    text: &str,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO finding_event (finding_id, event_id, kind, cause, text, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(finding.to_string())
    .bind(Uuid::now_v7().to_string())
    .bind(kind)
    .bind(cause)
    .bind(text)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// A line of the feed.
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
