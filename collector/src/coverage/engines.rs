//! Who told an SNMPv3 engine to an agent that asked without any secret: what the ID says, and which addresses are one box.
//!
//! Invariants: pure; nobody signed it, so a maker is possible and never sure, and nothing here is ever clear; an ID
//! that several engines tell is a copy and makes nobody one.

use super::Coverage;
use identify::{Knowledge, engine};
use model::{Attribution, Instant, SiteName};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use store::engines::{EngineElement, EngineRow, EnginesPage};

/// Addresses shown of one engine.
const MOST: usize = 64;
/// Seconds by which two tellings of one engine may differ, and one more for each so many between them: clocks drift.
/// An agent tells anew what differs more.
const TOLERANCE: i64 = 60;
const DRIFT: i64 = 1_000;

/// Whether addresses with one engine ID are one box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kin {
    /// One address told it.
    Alone,
    /// Several did, with boots and time of one engine.
    OneBox,
    /// Several did, and boots or time are not those of one engine: the ID was copied.
    Cloned,
    /// Several did, and no boots and times by which to tell.
    Untold,
}

/// One engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Engine {
    /// Where it was heard.
    pub site: SiteName,
    /// Its ID in hexadecimal, at most 32 octets of it.
    pub engine_id: String,
    /// How many octets the ID has.
    pub octets: u32,
    /// What the ID is made of, or what is wrong with it.
    pub form: &'static str,
    /// Whether it is one by RFC 3411.
    pub valid: bool,
    /// The enterprise number in it.
    pub enterprise: Option<u32>,
    /// Whom the number is registered to.
    pub owner: Option<String>,
    /// Whether that comes with software or kits of many makers.
    pub generic: bool,
    /// The hardware address in it.
    pub mac: Option<String>,
    /// Who holds that address.
    pub mac_holder: Option<String>,
    /// The network address in it.
    pub address: Option<IpAddr>,
    /// The text in it; words of a device.
    pub text: Option<String>,
    /// Who may have made it, and how surely.
    pub maker: Option<Attribution>,
    /// Whether those who told it are one.
    pub kin: Kin,
    /// snmpEngineBoots, as told last.
    pub boots: u32,
    /// snmpEngineTime in seconds, as told last.
    pub time: u32,
    /// When it started by that (agent's clock); unknown where boots and time are not told.
    pub started: Option<Instant>,
    /// The first of those who told it.
    pub addresses: Vec<Heard>,
    /// How many did.
    pub count: u64,
    /// Elements whose own evidence has this ID.
    pub elements: Vec<Known>,
}

/// An address that told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// Where.
    pub address: IpAddr,
    /// UDP port.
    pub port: u16,
    /// What became of it in the last sweep; [`None`] where no range has it any more.
    pub state: Option<&'static str>,
    /// When it told this first (agent's clock).
    pub seen: Instant,
    /// The agent that heard it.
    pub agent: String,
    /// The element there.
    pub element: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Whether a round was ever answered there.
    pub polled: bool,
}

/// An element with the same engine ID in its evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Which element.
    pub element: String,
    /// Its address.
    pub address: String,
}

/// The engines of a page, each box for itself.
#[must_use]
pub fn engines(page: &EnginesPage, coverage: &Coverage, knowledge: &Knowledge) -> Vec<Engine> {
    let same = |a: &EngineRow, b: &EngineRow| (&a.site, &a.engine.id) == (&b.site, &b.engine.id);
    page.rows
        .chunk_by(same)
        .flat_map(|rows| of_id(rows, &page.elements, coverage, knowledge))
        .collect()
}

/// Those who told one ID at one site, in the order of hearing.
fn of_id(
    rows: &[EngineRow],
    elements: &[EngineElement],
    coverage: &Coverage,
    knowledge: &Knowledge,
) -> Vec<Engine> {
    // Of two agents that heard one address, whoever heard it last.
    let last: BTreeMap<(IpAddr, u16), usize> = (0..)
        .zip(rows)
        .map(|(at, row)| ((row.engine.address, row.engine.port), at))
        .collect();
    let last: BTreeSet<usize> = last.into_values().collect();
    let mut boxes: Vec<Vec<&EngineRow>> = Vec::new();
    let mut untold: Vec<&EngineRow> = Vec::new();
    for row in last.iter().filter_map(|at| rows.get(*at)) {
        if !tells(row) {
            untold.push(row);
            continue;
        }
        let goes_on = |found: &&mut Vec<&EngineRow>| found.last().is_some_and(|before| goes_on(before, row));
        match boxes.iter_mut().find(goes_on) {
            Some(found) => found.push(row),
            None => boxes.push(vec![row]),
        }
    }
    let kin = |found: &[&EngineRow], boxes: usize| match (boxes, found.len()) {
        (2.., _) => Kin::Cloned,
        (_, 1) => Kin::Alone,
        _ => Kin::OneBox,
    };
    let count = boxes.len();
    let mut all: Vec<Engine> = Vec::new();
    // Of a copied ID only who stands at the address is meant.
    let meant = |found: &[&EngineRow]| -> Vec<&EngineElement> {
        let of_id = |one: &&EngineElement| {
            found
                .first()
                .is_some_and(|row| row.site == one.site && row.engine.id == one.id)
        };
        let stands = |one: &&EngineElement| count < 2 || found.iter().any(|row| is_at(row, one));
        elements.iter().filter(of_id).filter(stands).collect()
    };
    for found in &boxes {
        all.extend(draw(found, kin(found, count), &meant(found), coverage, knowledge));
    }
    let alone = count == 0 && untold.len() == 1;
    let kin = if alone { Kin::Alone } else { Kin::Untold };
    all.extend(draw(&untold, kin, &meant(&untold), coverage, knowledge));
    all
}

fn draw(
    found: &[&EngineRow],
    kin: Kin,
    elements: &[&EngineElement],
    coverage: &Coverage,
    knowledge: &Knowledge,
) -> Option<Engine> {
    let row = found.last()?;
    let told = &row.engine;
    let words = engine::words(
        &told.id,
        usize::try_from(told.octets).unwrap_or(usize::MAX),
        knowledge,
    );
    let heard = |row: &&EngineRow| Heard {
        address: row.engine.address,
        port: row.engine.port,
        state: coverage.state_of(&row.site, row.engine.address, row.engine.port),
        seen: row.engine.seen,
        agent: row.agent.to_string(),
        element: row.element.as_ref().map(|(element, _)| element.to_string()),
        name: row.element.as_ref().map(|(_, name)| name.clone()),
        polled: row.polled,
    };
    let mut addresses: Vec<Heard> = found.iter().map(heard).collect();
    addresses.sort_by_key(|one| (one.address, one.port));
    let known = elements.iter().map(|one| Known {
        name: one.name.clone(),
        element: one.element.to_string(),
        address: one.address.clone(),
    });
    let known: BTreeSet<Known> = known.collect();
    addresses.truncate(MOST);
    Some(Engine {
        site: row.site.clone(),
        engine_id: hex::encode(&told.id),
        octets: told.octets,
        form: words.form,
        valid: words.valid,
        enterprise: words.enterprise,
        owner: words.owner,
        generic: words.generic,
        mac: words.mac,
        mac_holder: words.holder,
        address: words.address,
        text: words.text,
        maker: words.maker,
        kin,
        boots: told.boots,
        time: told.time,
        started: tells(row).then(|| Instant(started(row).saturating_mul(1_000_000))),
        count: u64::try_from(found.len()).unwrap_or(u64::MAX),
        addresses,
        elements: known.into_iter().take(MOST).collect(),
    })
}

fn is_at(row: &EngineRow, element: &EngineElement) -> bool {
    row.element.as_ref().is_some_and(|(at, _)| *at == element.element)
}

/// Whether it tells boots and time: some answer with zeros until somebody signs.
fn tells(row: &EngineRow) -> bool {
    row.engine.boots > 0 || row.engine.time > 0
}

/// When it was heard, in seconds.
fn seen(row: &EngineRow) -> i64 {
    row.engine.seen.0 / 1_000_000
}

/// When its engine started by its own word, in seconds.
fn started(row: &EngineRow) -> i64 {
    seen(row) - i64::from(row.engine.time)
}

/// Whether what was heard later can be the same engine as what was heard before: it ran on, or it started anew between
/// the two and counted that.
fn goes_on(before: &EngineRow, later: &EngineRow) -> bool {
    let tolerance = TOLERANCE + (seen(later) - seen(before)).abs() / DRIFT;
    match later.engine.boots.cmp(&before.engine.boots) {
        std::cmp::Ordering::Equal => (started(later) - started(before)).abs() <= tolerance,
        std::cmp::Ordering::Greater => started(later) >= seen(before) - tolerance,
        std::cmp::Ordering::Less => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{AgentId, ElementId};
    use store::engines::ToldEngine;

    const BOX: &[u8] = b"\x80\0\x07\xdb\x03\0\xe0\xfc\x12\x34\x56";

    /// An address of 192.0.2.0/24, heard at a second with these boots and time.
    fn row(host: u8, seconds: i64, boots: u32, time: u32) -> EngineRow {
        EngineRow {
            site: "berlin".parse().unwrap(),
            agent: AgentId::generate(),
            engine: ToldEngine {
                address: [192, 0, 2, host].into(),
                port: 161,
                id: BOX.to_vec(),
                octets: 11,
                boots,
                time,
                seen: Instant(seconds * 1_000_000),
                revision: 1,
            },
            element: None,
            polled: false,
        }
    }

    fn drawn(rows: Vec<EngineRow>, elements: Vec<EngineElement>) -> Vec<Engine> {
        let page = EnginesPage {
            rows,
            elements,
            ..EnginesPage::default()
        };
        let coverage = super::super::coverage(&store::coverage::CoverageView::default());
        engines(&page, &coverage, Knowledge::built_in().unwrap())
    }

    #[test]
    fn addresses_of_one_running_engine_are_one_box_and_copies_are_not() {
        use Kin::{Alone, Cloned, OneBox, Untold};
        let day = 86_400_u32;
        for (rows, expected) in [
            (vec![row(1, 100_000, 3, 50)], &[(Alone, 1)][..]),
            // It ran on, within what clocks drift.
            (
                vec![row(1, 100_000, 3, 50), row(2, 186_400, 3, 50 + day - 100)],
                &[(OneBox, 2)],
            ),
            // Heard in the same second with other times.
            (
                vec![row(1, 100_000, 3, 50), row(2, 100_000, 3, 500)],
                &[(Cloned, 1), (Cloned, 1)],
            ),
            // Started anew in between, and counted that.
            (
                vec![row(1, 100_000, 3, 50), row(2, 200_000, 4, 9_000)],
                &[(OneBox, 2)],
            ),
            // Counts more boots, and ran already when the first was heard.
            (
                vec![row(1, 100_000, 3, 50), row(2, 200_000, 4, 150_000)],
                &[(Cloned, 1), (Cloned, 1)],
            ),
            (
                vec![row(1, 100_000, 3, 50), row(2, 200_000, 2, 50)],
                &[(Cloned, 1), (Cloned, 1)],
            ),
            // Two boxes of two addresses each.
            (
                vec![
                    row(1, 100_000, 1, 50),
                    row(2, 100_001, 1, 90_000),
                    row(3, 100_002, 1, 52),
                    row(4, 100_003, 1, 90_002),
                ],
                &[(Cloned, 2), (Cloned, 2)],
            ),
            (vec![row(1, 100_000, 0, 0)], &[(Alone, 1)]),
            (vec![row(1, 100_000, 0, 0), row(2, 100_000, 0, 0)], &[(Untold, 2)]),
            (
                vec![row(1, 100_000, 0, 0), row(2, 100_000, 7, 9)],
                &[(Alone, 1), (Untold, 1)],
            ),
            // Two agents heard one address: the last word counts.
            (vec![row(1, 100_000, 3, 50), row(1, 100_010, 3, 9)], &[(Alone, 1)]),
        ] {
            let all = drawn(rows, Vec::new());
            let told: Vec<(Kin, usize)> = all.iter().map(|one| (one.kin, one.addresses.len())).collect();
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_polled_element_with_the_id_is_named_and_of_copies_only_who_stands_there() {
        let id = ElementId::generate();
        let element = EngineElement {
            site: "berlin".parse().unwrap(),
            id: BOX.to_vec(),
            element: id,
            name: "core".into(),
            address: "198.51.100.1".into(),
        };
        let one = drawn(vec![row(1, 100_000, 3, 50)], vec![element.clone()]);
        assert_eq!(one[0].elements[0].name, "core");
        let elsewhere = EngineElement {
            site: "lyon".parse().unwrap(),
            ..element.clone()
        };
        let one = drawn(vec![row(1, 100_000, 3, 50)], vec![elsewhere]);
        assert_eq!(one[0].elements, [], "another site");
        let stands = EngineRow {
            element: Some((id, "core".into())),
            polled: true,
            ..row(1, 100_000, 3, 50)
        };
        let copies = drawn(vec![stands, row(2, 100_000, 3, 5_000)], vec![element]);
        let named: Vec<usize> = copies.iter().map(|one| one.elements.len()).collect();
        assert_eq!(named, [1, 0]);
        assert!(copies[0].addresses[0].polled);
    }

    #[test]
    fn an_engine_is_told_in_words_with_a_possible_maker_and_hostile_rows_do_no_harm() {
        let all = drawn(vec![row(1, 100_000, 3, 50)], Vec::new());
        let one = &all[0];
        let maker = one.maker.as_ref().unwrap();
        assert_eq!(
            (maker.supplier.id.as_str(), one.enterprise),
            ("huawei", Some(2011))
        );
        assert!(maker.confidence <= 0.45);
        assert_eq!(one.mac.as_deref(), Some("00:e0:fc:12:34:56"));
        assert_eq!(one.started, Some(Instant((100_000 - 50) * 1_000_000)));
        let odd = |seen: i64| EngineRow {
            engine: ToldEngine {
                seen: Instant(seen),
                boots: u32::MAX,
                time: u32::MAX,
                id: vec![0xff],
                octets: 65_535,
                ..row(1, 1, 1, 1).engine
            },
            ..row(1, 1, 1, 1)
        };
        let all = drawn(vec![odd(0), odd(i64::MAX)], Vec::new());
        assert!(!all[0].valid && all[0].maker.is_none());
        let many = (0..=255).map(|host| row(host, 100_000, 3, 50)).collect();
        let all = drawn(many, Vec::new());
        assert_eq!((all[0].addresses.len(), all[0].count), (MOST, 256));
    }
}
