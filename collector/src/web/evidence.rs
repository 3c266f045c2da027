//! Raw evidence: what a device answered, byte by byte, as a page and as a text to take away.
//!
//! Invariant: rows of a page and octets of a value are bounded; the text holds everything.

use super::Web;
use super::access::Visit;
use super::page::{Frame, answer, refuse};
use super::show::{self, Moment};
use crate::api::Problem;
use crate::api::query::Query;
use askama::Template;
use axum::extract::{Path, Query as Pairs};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use model::{Digest, Evidence, Instant, Observation, Oid, Outcome, Varbind};
use std::collections::HashMap;

/// Varbinds on one page.
pub const ROWS: usize = 2_000;
const TEXT_CHARS: usize = 160;
const HEX_OCTETS: usize = 48;
const MOST_PAGES: u32 = 1_000_000;

/// Evidence with the means to point at a varbind in it.
pub struct Raw {
    /// Its address.
    pub digest: Digest,
    /// What it says.
    pub evidence: Evidence,
    /// Committed when.
    pub recorded: Instant,
    places: HashMap<Oid, (usize, usize)>,
}

impl Raw {
    /// Fetches and reads an evidence that elements of a person's sites showed.
    ///
    /// # Errors
    /// [`Problem`] when it is not here, no such element showed it, or it cannot be read.
    pub async fn fetch_for(visit: &Visit, digest: Digest) -> Result<Self, Problem> {
        if let Some(sites) = &visit.person.sites
            && visit.store.sites_of(digest).await?.is_disjoint(sites)
        {
            return Err(Problem::NotFound("evidence"));
        }
        Self::fetch(visit, digest).await
    }

    /// Fetches and reads an evidence, for whoever may see an element that showed it.
    ///
    /// # Errors
    /// [`Problem`] when it is not here or cannot be read.
    pub async fn fetch(web: &Web, digest: Digest) -> Result<Self, Problem> {
        let record = web
            .store
            .evidence(digest)
            .await?
            .ok_or(Problem::NotFound("evidence"))?;
        let evidence =
            crate::ingest::decode_evidence(&record.bytes).map_err(|_| Problem::Unreadable("evidence"))?;
        let mut places = HashMap::new();
        let mut row = 0;
        for (position, observation) in evidence.observations.iter().enumerate() {
            for varbind in &observation.varbinds {
                row += 1;
                places.entry(varbind.oid.clone()).or_insert((position, row));
            }
        }
        Ok(Self {
            digest,
            evidence,
            recorded: record.recorded,
            places,
        })
    }

    /// The observation that holds this instance, counted from 1.
    #[must_use]
    pub fn observation(&self, oid: &Oid) -> Option<(usize, &Observation)> {
        let &(position, _) = self.places.get(oid)?;
        self.evidence
            .observations
            .get(position)
            .map(|observation| (position + 1, observation))
    }

    /// Link to the row of this instance.
    #[must_use]
    pub fn link(&self, oid: &Oid) -> Option<String> {
        let &(_, row) = self.places.get(oid)?;
        Some(format!(
            "/evidence/{}?page={}#row-{row}",
            self.digest,
            (row - 1) / ROWS + 1
        ))
    }
}

#[derive(Template)]
#[template(path = "evidence.html")]
struct EvidencePage {
    frame: Frame,
    digest: String,
    recorded: Moment,
    total: String,
    observations: Vec<ObservationPart>,
    page: usize,
    pages: usize,
}

/// The part of an observation that falls on a page.
struct ObservationPart {
    number: usize,
    kind: &'static str,
    outcome: &'static str,
    whole: bool,
    asked: String,
    count: String,
    rows: Vec<Row>,
}

struct Row {
    number: usize,
    oid: String,
    tag: &'static str,
    tag_hex: String,
    text: String,
    hex: String,
}

/// `/evidence/{digest}`
pub async fn evidence(
    visit: Visit,
    Path(digest): Path<String>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    answer(&visit, show_page(&visit, &digest, pairs).await)
}

/// `/evidence/{digest}/walk`: one line a varbind, `OID|tag|value` as simulators of SNMP read it.
pub async fn walk(visit: Visit, Path(digest): Path<String>) -> Response {
    let raw = match read_digest(&digest) {
        Ok(digest) => Raw::fetch_for(&visit, digest).await,
        Err(problem) => Err(problem),
    };
    match raw {
        Ok(raw) => {
            let name = format!("attachment; filename=\"{}.snmprec\"", raw.digest);
            let text: String = raw.evidence.varbinds().map(walk_line).collect();
            let about = [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            (about, text).into_response()
        }
        Err(problem) => refuse(&visit, Some(visit.person.clone()), &problem),
    }
}

async fn show_page(
    visit: &Visit,
    digest: &str,
    pairs: Vec<(String, String)>,
) -> Result<EvidencePage, Problem> {
    let query = Query::read(pairs, &["page"])?;
    let asked = usize::try_from(query.number("page", MOST_PAGES, 1)?).unwrap_or(1);
    let raw = Raw::fetch_for(visit, read_digest(digest)?).await?;
    let total = raw.evidence.varbinds().count();
    let pages = total.div_ceil(ROWS).max(1);
    if asked > pages {
        return Err(Problem::NotFound("page of this evidence"));
    }
    let (from, until) = ((asked - 1) * ROWS, asked * ROWS);
    let mut before = 0;
    let mut observations = Vec::new();
    for (position, observation) in raw.evidence.observations.iter().enumerate() {
        let (first, end) = (before, before + observation.varbinds.len());
        before = end;
        // One without answers stands on the page where its rows would be.
        let here = if first == end {
            (from..=until).contains(&first)
        } else {
            first < until && end > from
        };
        if here {
            observations.push(part(position + 1, observation, first, from, until));
        }
    }
    let now = (visit.clock)();
    Ok(EvidencePage {
        frame: Frame::new(visit, "elements"),
        digest: raw.digest.to_string(),
        recorded: Moment::new(raw.recorded, now),
        total: show::number(u64::try_from(total).unwrap_or(u64::MAX)),
        observations,
        page: asked,
        pages,
    })
}

fn part(
    number: usize,
    observation: &Observation,
    first: usize,
    from: usize,
    until: usize,
) -> ObservationPart {
    let numbered = observation
        .varbinds
        .iter()
        .enumerate()
        .map(|(n, varbind)| (first + n, varbind));
    let asked: Vec<_> = observation
        .question
        .oids
        .iter()
        .take(4)
        .map(ToString::to_string)
        .collect();
    let more = observation.question.oids.len().saturating_sub(4);
    ObservationPart {
        number,
        kind: show::kind(observation.question.kind),
        outcome: show::outcome(observation.outcome),
        whole: observation.outcome == Outcome::Complete,
        asked: asked.join(", ")
            + &if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            },
        count: show::number(u64::try_from(observation.varbinds.len()).unwrap_or(u64::MAX)),
        rows: numbered
            .filter(|(n, _)| (from..until).contains(n))
            .map(|(n, varbind)| row(n + 1, varbind))
            .collect(),
    }
}

fn row(number: usize, varbind: &Varbind) -> Row {
    let value = &varbind.value;
    let text = value.text(TEXT_CHARS).map(|text| show::clean(&text, TEXT_CHARS));
    let text = text.or_else(|| value.oid().map(|oid| oid.to_string()));
    let text = text.or_else(|| value.integer().map(|number| number.to_string()));
    let text = text.or_else(|| match (value.tag, value.octets.as_slice()) {
        (model::Value::IP_ADDRESS, &[a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
        _ => None,
    });
    Row {
        number,
        oid: varbind.oid.to_string(),
        tag: show::tag(value.tag),
        tag_hex: format!("{:02x}", value.tag),
        text: text.unwrap_or_default(),
        hex: show::hex_pairs(&value.octets, HEX_OCTETS),
    }
}

/// Text where it is plain, hexadecimal (`x` after the tag) where it is not.
fn walk_line(varbind: &Varbind) -> String {
    let value = &varbind.value;
    let plain = value.octets.iter().all(|octet| (0x20..0x7f).contains(octet));
    let text = match (value.tag, value.octets.as_slice()) {
        (model::Value::OCTET_STRING, octets) if plain => Some(String::from_utf8_lossy(octets).into_owned()),
        (model::Value::NULL, []) => Some(String::new()),
        (model::Value::IP_ADDRESS, &[a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
        _ => value
            .oid()
            .map(|oid| oid.to_string())
            .or_else(|| value.integer().map(|number| number.to_string())),
    };
    match text {
        Some(text) => format!("{}|{}|{text}\n", varbind.oid, value.tag),
        None => format!("{}|{}x|{}\n", varbind.oid, value.tag, hex::encode(&value.octets)),
    }
}

fn read_digest(text: &str) -> Result<Digest, Problem> {
    Digest::from_hex(text).ok_or(Problem::NotFound("evidence"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Value;

    #[test]
    fn walk_lines_are_text_where_plain_and_hexadecimal_where_not() {
        let oid: Oid = "1.3.6.1".parse().unwrap();
        for (value, line) in [
            (
                Value::octet_string(b"VRP <b>|".as_slice()),
                "1.3.6.1|4|VRP <b>|\n",
            ),
            (Value::octet_string(b"a\nb".as_slice()), "1.3.6.1|4x|610a62\n"),
            (
                Value {
                    tag: Value::INTEGER,
                    octets: vec![0xff],
                },
                "1.3.6.1|2|-1\n",
            ),
            (Value::object_identifier(&oid), "1.3.6.1|6|1.3.6.1\n"),
            (
                Value {
                    tag: Value::OBJECT_IDENTIFIER,
                    octets: vec![0x86],
                },
                "1.3.6.1|6x|86\n",
            ),
            (
                Value {
                    tag: Value::IP_ADDRESS,
                    octets: vec![10, 0, 0, 1],
                },
                "1.3.6.1|64|10.0.0.1\n",
            ),
            (
                Value {
                    tag: Value::IP_ADDRESS,
                    octets: vec![10],
                },
                "1.3.6.1|64x|0a\n",
            ),
            (
                Value {
                    tag: Value::NULL,
                    octets: vec![],
                },
                "1.3.6.1|5|\n",
            ),
        ] {
            assert_eq!(
                walk_line(&Varbind {
                    oid: oid.clone(),
                    value
                }),
                line
            );
        }
    }
}
