//! Findings as lines and as JSON.
//!
//! Invariants: what a device said is cleaned before a terminal sees it; every
//! output that judges says that it is no advice and until when the packs saw.

use super::Failure;
use crate::api::Told;
use crate::web::show::{clean, words};
use model::{Instant, RuleResult};
use policy::Policies;
use policy::removal::contradictions;
use serde_json::{Value, json};
use std::io::Write as _;
use store::acts::{Acted, AuditRow, Progress};
use store::view::{FindingRow, FindingView};

pub(super) fn list(
    rows: &[FindingRow],
    policies: &Policies,
    now: Instant,
    json: bool,
) -> Result<(), Failure> {
    if json {
        let rows: Vec<Told> = rows.iter().map(|row| Told::new(row.clone(), now)).collect();
        return print(
            &json!({
                "notice": policies.notice(), "horizon": policies.horizon(), "total": rows.len(), "rows": rows,
            })
            .to_string(),
        );
    }
    let mut lines: Vec<String> = rows.iter().map(|row| line(row, now)).collect();
    lines.push(format!("# {}", policies.notice()));
    print(&lines.join("\n"))
}

fn against(row: &FindingRow, now: Instant) -> Vec<String> {
    now.date()
        .map(|today| contradictions(&row.life, &row.result, today))
        .unwrap_or_default()
}

/// Columns between tabs, for people and scripts; the key first.
fn line(row: &FindingRow, now: Instant) -> String {
    let result = &row.result;
    let possible = if result.confidence < RuleResult::CERTAIN {
        "possible "
    } else {
        ""
    };
    let owner = row.life.owner.as_deref().unwrap_or("-");
    let planned = row.life.removal.as_ref().map_or("-", |removal| &removal.planned);
    let mut line = format!(
        "{}\t{}\t{possible}{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
        row.finding,
        result.severity,
        result.class,
        result.deadline.as_deref().unwrap_or("-"),
        row.life.state,
        clean(owner, 60),
        planned,
        result.rule,
        row.site,
        clean(&row.element_name, 60),
        clean(&row.supplier, 60),
    );
    for words in against(row, now) {
        line.push_str(&format!("\t! {words}"));
    }
    line
}

pub(super) fn show(view: &FindingView, policies: &Policies, now: Instant, json: bool) -> Result<(), Failure> {
    if json {
        let mut value = serde_json::to_value(view).map_err(|e| Failure::other(&e))?;
        if let Some(object) = value.as_object_mut() {
            object.insert("row".to_owned(), json!(Told::new(view.row.clone(), now)));
            object.insert("notice".to_owned(), Value::from(policies.notice()));
            object.insert("horizon".to_owned(), Value::from(policies.horizon()));
        }
        return print(&value.to_string());
    }
    let (row, life) = (&view.row, &view.row.life);
    let mut lines = vec![
        line(row, now),
        format!("{}: {}", row.result.title, row.result.citation),
    ];
    if let Some(waiver) = &life.waiver {
        let approved = waiver.approved_by.as_deref().unwrap_or("nobody");
        lines.push(format!(
            "waived until {}: {}; asked by {}, approved by {}",
            waiver.until,
            clean(&waiver.reason, 300),
            clean(&waiver.asked_by, 100),
            clean(approved, 100)
        ));
    }
    if let Some(asked) = &life.asked {
        lines.push(format!(
            "waits for approval: a waiver until {}: {}; asked by {}",
            asked.until,
            clean(&asked.reason, 300),
            clean(&asked.asked_by, 100)
        ));
    }
    if let Some(removal) = &life.removal {
        lines.push(format!(
            "removal planned for {} by {}: {}",
            removal.planned,
            clean(&removal.owner, 100),
            clean(&removal.replacement, 300)
        ));
    }
    for event in &view.events {
        let causes: Vec<&str> = std::iter::once(event.cause.as_str())
            .chain(event.also.iter().map(String::as_str))
            .map(crate::web::show::cause)
            .collect();
        let who = event
            .person
            .as_deref()
            .map(|who| format!(" by {}", clean(who, 100)));
        lines.push(format!(
            "{}\t{}{}\t{}\t{}\t{}",
            event.at,
            words(&event.kind),
            who.unwrap_or_default(),
            causes.join(", "),
            clean(&event.text, 600),
            event.grounds
        ));
    }
    lines.push(format!(
        "# judged for {}; knowledge {}; judged by packs {}",
        view.as_of, view.knowledge, view.policies
    ));
    lines.push(format!("# {}", policies.notice()));
    print(&lines.join("\n"))
}

pub(super) fn done(on: &[Acted], json: bool) -> Result<(), Failure> {
    let line = |one: &Acted| {
        let stand = &one.stand;
        if json {
            json!({"finding": stand.finding, "state": stand.life.state, "text": one.text}).to_string()
        } else {
            format!("{}\t{}\t{}", stand.finding, stand.life.state, one.text)
        }
    };
    print(&on.iter().map(line).collect::<Vec<_>>().join("\n"))
}

pub(super) fn progress(progress: &[Progress], policies: &Policies, json: bool) -> Result<(), Failure> {
    if json {
        return print(
            &json!({
                "notice": policies.notice(), "horizon": policies.horizon(), "rows": progress,
            })
            .to_string(),
        );
    }
    let mut lines = vec!["# rule\tdate\tleft\tplanned\twaived\tremoved\tclosed otherwise".to_owned()];
    lines.extend(progress.iter().map(|one| {
        format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}",
            one.rule,
            one.deadline.as_deref().unwrap_or("-"),
            one.left,
            one.planned,
            one.waived,
            one.removed,
            one.otherwise
        )
    }));
    lines.push(format!("# {}", policies.notice()));
    print(&lines.join("\n"))
}

pub(super) fn log(rows: &[AuditRow], json: bool) -> Result<(), Failure> {
    if json {
        return print(&json!({"rows": rows}).to_string());
    }
    let line = |row: &AuditRow| {
        format!(
            "{}\t{}\t{}\t{}\t{} findings\t{}",
            row.at,
            clean(&row.person, 100),
            row.account,
            words(&row.action),
            row.subjects.len(),
            clean(&row.detail, 600)
        )
    };
    print(&rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// What was asked for; where nobody listens any more, that is no trouble.
fn print(text: &str) -> Result<(), Failure> {
    if !text.is_empty() {
        let _ = writeln!(std::io::stdout(), "{text}");
    }
    Ok(())
}
