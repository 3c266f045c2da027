//! One finding, walked back: rule, claims, bytes, observation, report.
//!
//! Invariant: a step that cannot be shown says so; none is left out.

use super::Web;
use super::access::Visit;
use super::act::{self, Desk};
use super::claim::ClaimLine;
use super::evidence::Raw;
use super::findings::Line;
use super::page::{Frame, answer};
use super::show::{self, Moment};
use crate::api::Problem;
use askama::Template;
use axum::extract::{Path, Query as Pairs};
use axum::response::Response;
use model::{Cause, Ending, FindingId, Instant, Subject, Waiver};
use policy::Rule;
use policy::waiver::same_person;
use store::view::{ElementView, FindingEvent, FindingView, SightingRow};

const MOST_CLAIMS: usize = 40;

#[derive(Template)]
#[template(path = "finding.html")]
struct FindingPage {
    frame: Frame,
    desk: Desk,
    /// Whether whoever looks asked for the waiver that waits.
    own: bool,
    line: Line,
    ending: &'static str,
    waiver: Option<Waived>,
    asked: Option<Waived>,
    removal: Option<Removal>,
    price: String,
    explanation: Vec<String>,
    law: Option<Law>,
    claims: Vec<ClaimLine>,
    more_claims: usize,
    about_unit: bool,
    newer: bool,
    digest: Option<String>,
    recorded: Option<Moment>,
    report: Option<Report>,
    events: Vec<Event>,
    knowledge: String,
    policies: String,
    as_of: String,
}

/// What the pack says about the rule.
struct Law {
    bound: String,
    detail: String,
    authority: String,
    status: &'static str,
    certainty: &'static str,
    exceptions: Vec<String>,
    sources: Vec<Source>,
}

struct Source {
    claim: String,
    title: String,
    grade: String,
    url: Option<String>,
}

/// The report that last showed the evidence. Its lines are shared with the element's page.
pub struct Report {
    /// The agent.
    pub agent: String,
    /// Epoch of its spool.
    pub epoch: String,
    /// Sequence within.
    pub sequence: u64,
    /// Address of the evidence.
    pub digest: String,
    /// Its first characters.
    pub short: String,
    /// How complete.
    pub completeness: &'static str,
    /// First round, by the agent's clock.
    pub from: Moment,
    /// Last round, by the agent's clock.
    pub until: Moment,
    /// Rounds in between.
    pub rounds: String,
    /// Of these, those in which nothing was walked; empty if there were none.
    pub refreshed: String,
    /// Last walk, by the agent's clock.
    pub walked: Moment,
    /// First recorded, by our clock.
    pub recorded: Moment,
}

impl Report {
    /// The row as seen now.
    #[must_use]
    pub fn new(row: &SightingRow, now: Instant) -> Self {
        let digest = row.digest.to_string();
        Self {
            agent: row.agent.to_string(),
            epoch: show::clean(&row.epoch, 32),
            sequence: row.sequence,
            short: digest.chars().take(12).collect(),
            digest,
            completeness: match row.completeness {
                model::Completeness::Complete => "complete",
                model::Completeness::Partial => "partial",
                model::Completeness::Unreachable => "unreachable",
            },
            from: Moment::new(row.from, now),
            until: Moment::new(row.until, now),
            refreshed: match row.refreshed {
                0 => String::new(),
                some => show::number(some),
            },
            walked: Moment::new(row.walked, now),
            rounds: show::number(row.rounds),
            recorded: Moment::new(row.recorded, now),
        }
    }
}

struct Event {
    at: Moment,
    /// Since when it holds, where that is another time than when it was recorded.
    valid: Option<Moment>,
    kind: String,
    person: String,
    /// The likeliest cause, as a word of ours.
    cause: &'static str,
    /// All causes for people.
    causes: String,
    grounds: String,
    text: String,
}

impl Event {
    fn new(event: &FindingEvent, now: Instant) -> Self {
        let cause: Option<Cause> = event.cause.parse().ok();
        let words: Vec<&str> = std::iter::once(event.cause.as_str())
            .chain(event.also.iter().map(String::as_str))
            .map(show::cause)
            .collect();
        Self {
            at: Moment::new(event.at, now),
            valid: (event.valid.seconds_since(event.at) > 0 || event.at.seconds_since(event.valid) > 0)
                .then(|| Moment::new(event.valid, now)),
            kind: show::words(&event.kind),
            person: show::clean(event.person.as_deref().unwrap_or_default(), 100),
            cause: cause.map_or("", Cause::as_str),
            causes: words.join(", "),
            grounds: show::clean(&event.grounds, 400),
            text: show::clean(&event.text, 600),
        }
    }
}

/// A waiver as people read it.
struct Waived {
    until: String,
    reason: String,
    class: String,
    asked_by: String,
    approved_by: String,
}

impl Waived {
    fn new(waiver: &Waiver) -> Self {
        let approved = waiver.approved_by.as_deref().unwrap_or("nobody");
        Self {
            until: show::clean(&waiver.until, 10),
            reason: show::clean(&waiver.reason, 600),
            class: show::words(waiver.class.as_str()),
            asked_by: show::clean(&waiver.asked_by, 100),
            approved_by: show::clean(approved, 100),
        }
    }
}

/// How it is to go, as people read it.
struct Removal {
    planned: String,
    owner: String,
    replacement: String,
}

impl Removal {
    fn new(removal: &model::Removal) -> Self {
        Self {
            planned: show::clean(&removal.planned, 10),
            owner: show::clean(&removal.owner, 100),
            replacement: show::clean(&removal.replacement, 600),
        }
    }
}

/// What replacing the unit costs, if that is on file.
fn price(web: &Web, view: &FindingView) -> String {
    let row = &view.row;
    let of_unit = row.component.is_none();
    let price = web
        .on_file
        .price(&row.result.supplier, &row.part)
        .filter(|_| of_unit);
    price.map_or_else(String::new, |price| {
        format!("{} {}", show::number(price.price), price.currency)
    })
}

/// How it ended, in words.
fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::Swapped => "removed, another unit stands here",
        Ending::PartGone => "removed, the part is gone from a complete walk",
        Ending::Confirmed => "removed, confirmed by a person",
        Ending::Moved => "not counted as removed, a like part meets the rule",
        Ending::NotMet => "the rule is not met any more, nothing is proven to be removed",
    }
}

/// `/findings/{id}`
pub async fn finding(
    visit: Visit,
    Path(id): Path<String>,
    Pairs(mut pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    let desk = Desk::new(&visit, act::told(&mut pairs));
    answer(&visit, show_finding(&visit, &id, desk).await)
}

/// The page, with what is on the desk of whoever acts.
pub(super) async fn show_finding(
    visit: &Visit,
    id: &str,
    mut desk: Desk,
) -> Result<impl Template + use<>, Problem> {
    let id: FindingId = id.parse().map_err(|_| Problem::NotFound("finding"))?;
    let frame = Frame::new(visit, "findings");
    let view = visit
        .store
        .finding(id)
        .await?
        .filter(|view| visit.person.sees(&view.row.site))
        .ok_or(Problem::NotFound("finding"))?;
    desk.back = format!("/findings/{id}");
    let asked = view.row.life.asked.as_ref();
    let own = asked.is_some_and(|asked| same_person(&asked.asked_by, &visit.person.name));
    let element = visit.store.element(view.row.element).await?;
    let raw = match view.digest {
        Some(digest) => Raw::fetch(visit, digest).await.inspect_err(Problem::log).ok(),
        None => None,
    };
    let now = (visit.clock)();
    let (claims, about_unit) = claims(&view, element.as_ref(), raw.as_ref());
    let seen = element.as_ref().zip(view.digest);
    let sighting = seen.and_then(|(element, digest)| element.sightings.iter().find(|s| s.digest == digest));
    Ok(FindingPage {
        frame: frame.about(&view.row.site),
        desk,
        own,
        line: Line::new(&view.row, now),
        ending: view.row.life.ending.map_or("", ended),
        waiver: view.row.life.waiver.as_ref().map(Waived::new),
        asked: view.row.life.asked.as_ref().map(Waived::new),
        removal: view.row.life.removal.as_ref().map(Removal::new),
        price: price(visit, &view),
        explanation: view
            .row
            .result
            .explanation
            .iter()
            .take(24)
            .map(|line| show::clean(line, 600))
            .collect(),
        law: visit.policies.rule(&view.row.result.rule).map(law),
        more_claims: claims.len().saturating_sub(MOST_CLAIMS),
        claims: claims.into_iter().take(MOST_CLAIMS).collect(),
        about_unit,
        newer: element
            .as_ref()
            .is_some_and(|element| element.digest != view.digest),
        digest: view.digest.map(|digest| digest.to_string()),
        recorded: raw.map(|raw| Moment::new(raw.recorded, now)),
        report: sighting.map(|row| Report::new(row, now)),
        events: view.events.iter().map(|event| Event::new(event, now)).collect(),
        knowledge: view.knowledge,
        policies: view.policies,
        as_of: view.as_of,
    })
}

/// Claims about the part concerned, those for the supplier first; the unit's when the part has none.
pub(super) fn claims(
    view: &FindingView,
    element: Option<&ElementView>,
    raw: Option<&Raw>,
) -> (Vec<ClaimLine>, bool) {
    let all = element
        .map(|element| element.claims.as_slice())
        .unwrap_or_default();
    let about = |subject: &Subject| -> Vec<ClaimLine> {
        all.iter()
            .filter(|claim| claim.subject == *subject)
            .map(|claim| ClaimLine::new(claim, raw))
            .collect()
    };
    let part = view.row.component.clone().map(Subject::Component);
    let mut lines = part.as_ref().map(&about).unwrap_or_default();
    let about_unit = lines.is_empty();
    if about_unit {
        lines = about(&Subject::Unit);
    }
    lines.sort_by_key(|line| (line.supplier_id != view.row.result.supplier, !line.won));
    (lines, about_unit)
}

fn law(rule: &Rule) -> Law {
    Law {
        bound: rule.bound.words.clone(),
        detail: rule.detail.clone(),
        authority: rule.authority.clone(),
        status: rule.status.as_str(),
        certainty: rule.confidence.as_str(),
        exceptions: rule.exceptions.clone(),
        sources: rule
            .sources
            .iter()
            .map(|source| Source {
                claim: source.claim.clone(),
                title: source.title.clone().unwrap_or_default(),
                grade: show::words(source.grade.as_str()),
                url: source
                    .url
                    .clone()
                    .filter(|url| url.starts_with("https://") || url.starts_with("http://")),
            })
            .collect(),
    }
}
