//! Findings as evaluation moves them, and what their rows add up to.
//!
//! Invariants: an event is written once and never changed; the columns of a
//! finding move only in the transaction that writes the event.

use super::judge::{cause, change};
use super::{alerts, row, stood, waivers};
use crate::StoreError;
use crate::record::{FindingMove, FindingStep, JudgedElement, KnownFinding, Met, Stand, Why};
use model::{Act, Ending, FindingId, FindingState, Inputs, Instant, Life, ResultClass, RuleResult, Severity};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, SqliteConnection};
use uuid::Uuid;

type Tx = SqliteConnection;

/// Findings of one element, closed ones too.
pub async fn known(pool: &SqlitePool, element: &str) -> Result<Vec<KnownFinding>, StoreError> {
    let rows = sqlx::query("SELECT * FROM finding WHERE element_id = $1")
        .bind(element)
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|r| {
            let thing: Option<String> = r.try_get("thing")?;
            Ok(KnownFinding {
                finding: row::word::<FindingId>(r.try_get("finding_id")?, "finding")?,
                revision: row::count(r.try_get("revision")?),
                life: life(r)?,
                result: row::from_json(r.try_get("result")?, "finding")?,
                inputs: inputs(r)?,
                thing: thing
                    .map(|thing| row::from_json(&thing, "finding"))
                    .transpose()?
                    .unwrap_or_default(),
                gone_walk: row::instant(r.try_get("gone_walk")?),
            })
        })
        .collect()
}

/// How the finding of a row stands.
pub fn life(r: &SqliteRow) -> Result<Life, StoreError> {
    let json = |column: &str| r.try_get::<Option<String>, _>(column);
    let ending: Option<String> = r.try_get("ending")?;
    Ok(Life {
        state: row::word::<FindingState>(r.try_get("state")?, "finding state")?,
        owner: r.try_get("owner")?,
        waiver: json("waiver")?
            .map(|text| row::from_json(&text, "waiver"))
            .transpose()?,
        asked: json("asked")?
            .map(|text| row::from_json(&text, "waiver"))
            .transpose()?,
        removal: json("removal")?
            .map(|text| row::from_json(&text, "removal"))
            .transpose()?,
        ending: ending
            .map(|word| row::word::<Ending>(&word, "ending"))
            .transpose()?,
    })
}

/// What the judgement of a row rested on.
pub fn inputs(r: &SqliteRow) -> Result<Inputs, StoreError> {
    let latest: Option<String> = r.try_get("latest")?;
    Ok(Inputs {
        digest: row::maybe_digest(r.try_get("digest")?)?,
        partial: row::maybe_digest(r.try_get("partial")?)?,
        latest: latest.as_deref().map(row::completeness).transpose()?,
        knowledge: r.try_get("knowledge")?,
        policies: r.try_get("policies")?,
        facts: r.try_get("facts")?,
        as_of: r.try_get("as_of")?,
    })
}

/// Takes one step, with its event and its line in the feed.
pub async fn step(
    tx: &mut Tx,
    element: &str,
    one: &JudgedElement,
    moved: &FindingMove,
    now: Instant,
) -> Result<(), StoreError> {
    let why = &moved.why;
    match &moved.step {
        FindingStep::Open(met) => {
            let finding = FindingId::generate();
            insert(tx, element, one, finding, met, now).await?;
            let text = opened_text(&met.result);
            let event = Event::of(finding, "opened", &text, why).saying(&met.result);
            event.write(tx, now).await?;
            change(tx, "finding_opened", element, &text, cause(why), now).await
        }
        FindingStep::Reopen(stood, met) => {
            if !stand(tx, stood, None, now).await? {
                return Ok(());
            }
            update(tx, one, stood.finding, met, now).await?;
            let text = opened_text(&met.result);
            let event = Event::of(stood.finding, "reopened", &text, why).saying(&met.result);
            event.write(tx, now).await?;
            change(tx, "finding_reopened", element, &text, cause(why), now).await
        }
        FindingStep::Change(finding, met, text) => {
            // Whoever looked at it before this looked at something else.
            sqlx::query("UPDATE finding SET revision = revision + 1 WHERE finding_id = $1")
                .bind(finding.to_string())
                .execute(&mut *tx)
                .await?;
            update(tx, one, *finding, met, now).await?;
            let event = Event::of(*finding, "changed", text, why).saying(&met.result);
            event.write(tx, now).await?;
            let text = format!("{}: {text}", met.result.rule);
            change(tx, "finding_changed", element, &text, cause(why), now).await
        }
        FindingStep::Refresh(finding, met) => update(tx, one, *finding, met, now).await,
        FindingStep::Lapse(stood, text) => {
            if !stand(tx, stood, None, now).await? {
                return Ok(());
            }
            Event::of(stood.finding, "lapsed", text, why)
                .write(tx, now)
                .await?;
            let text = format!("{}: {text}", rule(tx, stood.finding).await?);
            change(tx, "finding_lapsed", element, &text, cause(why), now).await
        }
        FindingStep::Close(stood, text) => {
            if !stand(tx, stood, None, now).await? {
                return Ok(());
            }
            let event = Event {
                ending: stood.life.ending,
                ..Event::of(stood.finding, "closed", text, why)
            };
            event.write(tx, now).await?;
            let text = format!("{}: {text}", rule(tx, stood.finding).await?);
            change(tx, "finding_closed", element, &text, cause(why), now).await
        }
    }
}

async fn rule(tx: &mut Tx, finding: FindingId) -> Result<String, StoreError> {
    let rule: Option<String> = sqlx::query_scalar("SELECT rule FROM finding WHERE finding_id = $1")
        .bind(finding.to_string())
        .fetch_optional(&mut *tx)
        .await?;
    Ok(rule.unwrap_or_default())
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

async fn insert(
    tx: &mut Tx,
    element: &str,
    one: &JudgedElement,
    finding: FindingId,
    met: &Met,
    now: Instant,
) -> Result<(), StoreError> {
    let result = &met.result;
    sqlx::query(
        "INSERT INTO finding (finding_id, element_id, rule, component, jurisdiction, supplier, class, severity, \
         severity_rank, state, result, knowledge, policies, as_of, opened_at, recorded_at, site) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', '', '', '', '', $10, $10, \
         COALESCE((SELECT e.site FROM element e WHERE e.element_id = $2), ''))",
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
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    update(tx, one, finding, met, now).await
}

async fn update(
    tx: &mut Tx,
    one: &JudgedElement,
    finding: FindingId,
    met: &Met,
    now: Instant,
) -> Result<(), StoreError> {
    let (result, inputs) = (&met.result, &one.judged.inputs);
    sqlx::query(
        "UPDATE finding SET class = $2, severity = $3, severity_rank = $4, deadline = $5, result = $6, digest = $7, \
         knowledge = $8, policies = $9, as_of = $10, recorded_at = $11, facts = $12, partial = $13, latest = $14, \
         thing = $15, confidence = $16, due_by = $17 WHERE finding_id = $1",
    )
    .bind(finding.to_string())
    .bind(result.class.as_str())
    .bind(result.severity.as_str())
    .bind(rank(result.severity))
    .bind(&result.deadline)
    .bind(row::json(result, "finding")?)
    .bind(inputs.digest.map(|d| d.to_string()))
    .bind(&inputs.knowledge)
    .bind(&inputs.policies)
    .bind(&inputs.as_of)
    .bind(now.0)
    .bind(&inputs.facts)
    .bind(inputs.partial.map(|d| d.to_string()))
    .bind(inputs.latest.map(row::completeness_word))
    .bind(row::json(&met.thing, "finding")?)
    .bind(result.confidence)
    .bind(due_by(result.deadline.as_deref()))
    .execute(&mut *tx)
    .await?;
    stood::finding(tx, finding, now).await
}

/// The last day a deadline of any exactness means, so that days compare as texts; a month ends with 31 at the latest.
/// `none` where it is no date: behind every day.
fn due_by(deadline: Option<&str>) -> String {
    let deadline = deadline.unwrap_or_default();
    let shape: String = deadline
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    match shape.as_str() {
        "9999-99-99" => deadline.to_owned(),
        "9999-99" => format!("{deadline}-31"),
        "9999" => format!("{deadline}-12-31"),
        _ => "none".to_owned(),
    }
}

/// Writes down how a finding stands from now on, unless it moved since it was looked at; tells whether it did.
/// `person` is nobody where evaluation moves it.
pub async fn stand(
    tx: &mut Tx,
    stood: &Stand,
    person: Option<&str>,
    now: Instant,
) -> Result<bool, StoreError> {
    let life = &stood.life;
    let before: Option<(Option<String>, Option<String>)> =
        sqlx::query_as("SELECT waiver, asked FROM finding WHERE finding_id = $1 AND revision = $2")
            .bind(stood.finding.to_string())
            .bind(row::signed(stood.revision)?)
            .fetch_optional(&mut *tx)
            .await?;
    let Some((held, asked)) = before else {
        return Ok(false);
    };
    let read = |text: Option<String>| text.map(|text| row::from_json(&text, "waiver")).transpose();
    let (held, asked): (Option<model::Waiver>, Option<model::Waiver>) = (read(held)?, read(asked)?);
    let waiver = |waiver: &Option<model::Waiver>| waiver.as_ref().map(|w| row::json(w, "waiver")).transpose();
    let removal = life.removal.as_ref();
    sqlx::query(
        "UPDATE finding SET state = $2, owner = $3, waiver = $4, asked = $5, removal = $6, ending = $7, \
         closed_at = CASE WHEN $8 THEN COALESCE(closed_at, $9) ELSE NULL END, recorded_at = $9, \
         revision = revision + 1, gone_walk = CASE WHEN $10 THEN COALESCE(gone_walk, COALESCE((SELECT e.last_walk_at \
         FROM element e WHERE e.element_id = finding.element_id), 0)) ELSE NULL END \
         WHERE finding_id = $1 AND revision = $11",
    )
    .bind(stood.finding.to_string())
    .bind(life.state.as_str())
    .bind(&life.owner)
    .bind(waiver(&life.waiver)?)
    .bind(waiver(&life.asked)?)
    .bind(removal.map(|removal| row::json(removal, "removal")).transpose()?)
    .bind(life.ending.map(Ending::as_str))
    .bind(life.state == FindingState::Closed)
    .bind(now.0)
    .bind(life.ending == Some(Ending::Confirmed))
    .bind(row::signed(stood.revision)?)
    .execute(&mut *tx)
    .await?;
    waivers::follow(
        tx,
        stood.finding,
        (held.as_ref(), asked.as_ref()),
        life,
        person,
        now,
    )
    .await?;
    stood::finding(tx, stood.finding, now).await?;
    Ok(true)
}

/// Position in [`Severity::ALL`]: 0 is most urgent.
pub fn rank(severity: Severity) -> i64 {
    Severity::ALL
        .iter()
        .position(|s| *s == severity)
        .and_then(|n| i64::try_from(n).ok())
        .unwrap_or(i64::MAX)
}

/// One event on its way into a row.
pub struct Event<'a> {
    /// Of which finding.
    pub finding: FindingId,
    /// What happened.
    pub kind: &'a str,
    /// For people.
    pub text: &'a str,
    /// Why.
    pub why: &'a Why,
    /// Who acted.
    pub person: Option<&'a str>,
    /// What they did.
    pub act: Option<&'a Act>,
    /// What the finding says from then on.
    pub class: Option<ResultClass>,
    /// How it ended.
    pub ending: Option<Ending>,
}

impl<'a> Event<'a> {
    /// An event that evaluation makes.
    pub fn of(finding: FindingId, kind: &'a str, text: &'a str, why: &'a Why) -> Self {
        Self {
            finding,
            kind,
            text,
            why,
            person: None,
            act: None,
            class: None,
            ending: None,
        }
    }

    fn saying(self, result: &RuleResult) -> Self {
        Self {
            class: Some(result.class),
            ..self
        }
    }

    /// Writes it down for ever.
    pub async fn write(&self, tx: &mut Tx, now: Instant) -> Result<(), StoreError> {
        let event = Uuid::now_v7().to_string();
        let also: Vec<&str> = self.why.causes.iter().skip(1).map(|c| c.as_str()).collect();
        sqlx::query(
            "INSERT INTO finding_event (finding_id, event_id, kind, cause, text, recorded_at, valid_at, also, grounds, \
             person, act, class, ending) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(self.finding.to_string())
        .bind(&event)
        .bind(self.kind)
        .bind(cause(self.why))
        .bind(self.text)
        .bind(now.0)
        .bind(self.why.valid.0)
        .bind(also.join(" "))
        .bind(&self.why.grounds)
        .bind(self.person)
        .bind(self.act.map(|act| row::json(act, "act")).transpose()?)
        .bind(self.class.map(ResultClass::as_str))
        .bind(self.ending.map(Ending::as_str))
        .execute(&mut *tx)
        .await?;
        let change = alerts::Change {
            event: &event,
            finding: self.finding,
            kind: self.kind,
            text: self.text,
            cause: cause(self.why),
            person: self.person,
        };
        alerts::change(tx, change, now).await
    }
}
