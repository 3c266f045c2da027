//! Coverage: how much of what is in scope was looked at, heard, polled, identified
//! and judged, and what was not, with the reason.
//!
//! All but [`read`] is pure. Invariants: every address in scope is counted once, at the furthest step
//! it reached; a step counts only with all before it; nothing here makes anything
//! clear.

mod seen;
mod engines;

pub use engines::{Engine, Heard, Kin, engines};
pub use seen::Seen;

use crate::evaluate::KNOWN;
use ipnet::IpNet;
use model::{Instant, Person, SiteName};
use proto::plan::Range;
use proto::v1::{CoverageState as State, CoverageUnreached as Unreached};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use store::coverage::{CoverageView, PlaceRow, RangeRow};
use store::{Store, StoreError};

/// What is known of an address, the best word of all agents first.
pub const ALL_STATES: [State; 11] = [
    State::Engine,
    State::Object,
    State::CredentialRefused,
    State::Ignored,
    State::NoCredential,
    State::Listed,
    State::Unreachable,
    State::Silent,
    State::Waiting,
    State::NotAsked,
    State::Excluded,
];

/// States of addresses that are in scope and do not answer as they should.
pub const DARK: [State; 7] = [
    State::CredentialRefused,
    State::Ignored,
    State::NoCredential,
    State::Unreachable,
    State::Silent,
    State::Waiting,
    State::NotAsked,
];

/// How many addresses reached each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Funnel {
    /// Named or in a range, and not excluded.
    pub in_scope: u64,
    /// Looked for or polled at least once.
    pub asked: u64,
    /// Somebody is there.
    pub answered: u64,
    /// A round was answered.
    pub polled: u64,
    /// The maker is named.
    pub identified: u64,
    /// It is named well enough to clear an element.
    pub confident: u64,
    /// The standing is another than unknown.
    pub judged: u64,
}

impl Funnel {
    /// Counts an address that reached so many steps, 0 to 6.
    fn count(&mut self, steps: u8) {
        self.in_scope += 1;
        let counts = [
            &mut self.asked,
            &mut self.answered,
            &mut self.polled,
            &mut self.identified,
            &mut self.confident,
            &mut self.judged,
        ];
        for count in counts.into_iter().take(usize::from(steps)) {
            *count += 1;
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.in_scope += other.in_scope;
        self.asked += other.asked;
        self.answered += other.answered;
        self.polled += other.polled;
        self.identified += other.identified;
        self.confident += other.confident;
        self.judged += other.judged;
    }
}

/// One range of one site, by the words of all its agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RangeCoverage {
    /// Where.
    pub prefix: String,
    /// UDP port.
    pub port: u16,
    /// Whether only those are asked that neighbours name: the others are in nobody's scope.
    pub named_only: bool,
    /// Recorded last.
    pub told: Instant,
    /// The last end of a sweep that left nobody out, if one ended.
    pub swept: Option<Instant>,
    /// How far its addresses are.
    pub funnel: Funnel,
    /// Addresses by state, those with any.
    pub states: BTreeMap<&'static str, u64>,
    /// Addresses whose last turn passed without them, by why: what is said of them is older.
    pub unreached: BTreeMap<&'static str, u64>,
    #[serde(skip)]
    merged: Vec<Word>,
    /// Whose words these are, where only those are asked that neighbours name.
    #[serde(skip)]
    named: Vec<IpAddr>,
}

/// One site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteCoverage {
    /// Which.
    pub site: SiteName,
    /// All its addresses.
    pub funnel: Funnel,
    /// Those that are named and in no range.
    pub named: Funnel,
    /// Its ranges.
    pub ranges: Vec<RangeCoverage>,
}

/// An address that a neighbour told and nobody is told to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposed {
    /// Site of whoever told it.
    pub site: SiteName,
    /// The address.
    pub address: IpAddr,
    /// `lldp` or `cdp`.
    pub protocol: String,
    /// An element that told it.
    pub element: String,
    /// Its name.
    pub name: String,
    /// How many did.
    pub elements: u64,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// All sites together.
    pub funnel: Funnel,
    /// By name.
    pub sites: Vec<SiteCoverage>,
    /// Beside the scope.
    pub proposed: Vec<Proposed>,
    /// Whom elements tell of and nobody polls, in scope or not.
    pub seen: Vec<Seen>,
}

/// Addresses next to each other in the same state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The first.
    pub first: IpAddr,
    /// The last.
    pub last: IpAddr,
    /// How many.
    pub count: u64,
    /// Their state.
    pub state: &'static str,
    /// Why their last turn passed without them, if it did.
    pub unreached: Option<&'static str>,
}

/// What an agent says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    state: State,
    unreached: Option<Unreached>,
}

impl Word {
    const NONE: Self = Self {
        state: State::NotAsked,
        unreached: None,
    };

    /// An octet of an agent; what it does not know is not asked.
    fn read(octet: u8) -> Self {
        let bits = [Unreached::Window, Unreached::Behind]
            .into_iter()
            .find(|why| i32::from(octet) & i32::from(*why) != 0);
        match State::try_from(i32::from(octet & 0x3f)) {
            Ok(State::Unspecified) | Err(_) => Self::NONE,
            Ok(state) => Self {
                state,
                unreached: bits,
            },
        }
    }

    /// The best comes first; of two alike who was reached.
    fn rank(self) -> (usize, bool) {
        let rank = ALL_STATES.iter().position(|one| *one == self.state);
        (rank.unwrap_or(ALL_STATES.len()), self.unreached.is_some())
    }
}

/// What a state is called on pages and in the API.
#[must_use]
pub fn word(state: State) -> &'static str {
    match state {
        State::Unspecified => "unknown",
        State::NotAsked => "not_asked",
        State::Excluded => "excluded",
        State::Listed => "listed",
        State::Silent => "silent",
        State::Unreachable => "unreachable",
        State::Engine => "engine",
        State::Object => "object",
        State::NoCredential => "no_credential",
        State::Waiting => "waiting",
        State::Ignored => "ignored",
        State::CredentialRefused => "credential_refused",
    }
}

/// What a reason to be passed over is called on pages and in the API.
fn word_of(why: Unreached) -> &'static str {
    match why {
        Unreached::Unspecified => "unknown",
        Unreached::Window => "window",
        Unreached::Behind => "behind",
    }
}

/// How far an element is: 0 to 6 steps.
fn steps_of(place: &PlaceRow) -> u8 {
    let steps = [
        place.asked || place.answered,
        place.answered,
        place.answered,
        place.identified,
        place.confidence >= KNOWN,
        place.judged,
    ];
    let reached = steps.iter().take_while(|reached| **reached).count();
    u8::try_from(reached).unwrap_or(0)
}

type Key<'a> = (&'a SiteName, IpAddr, u16);

/// Reads and draws together what a person may see, off the threads that serve agents: a plan may have a million
/// addresses.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn read(store: &dyn Store, person: &Person) -> Result<Coverage, StoreError> {
    let mut view = store.coverage(&person.sites).await?;
    view.ranges.retain(|row| person.sees(&row.site));
    view.places.retain(|row| person.sees(&row.site));
    view.neighbours.retain(|row| person.sees(&row.site));
    draw(view).await
}

/// [`coverage`] beside the threads that serve agents.
///
/// # Errors
/// [`StoreError`] when it cannot be drawn.
pub async fn draw(view: CoverageView) -> Result<Coverage, StoreError> {
    tokio::task::spawn_blocking(move || coverage(&view))
        .await
        .map_err(|_| StoreError::Damaged("coverage"))
}

/// Draws it all together.
#[must_use]
pub fn coverage(view: &CoverageView) -> Coverage {
    let mut places: HashMap<Key<'_>, u8> = HashMap::with_capacity(view.places.len());
    for place in &view.places {
        if let Ok(address) = place.address.parse() {
            // Of several contexts at one address, the one that is least far.
            let steps = steps_of(place);
            places
                .entry((&place.site, address, place.port))
                .and_modify(|least| *least = steps.min(*least))
                .or_insert(steps);
        }
    }
    let mut sites: BTreeMap<&SiteName, SiteCoverage> = BTreeMap::new();
    let mut within: HashSet<Key<'_>> = HashSet::new();
    let same = |a: &RangeRow, b: &RangeRow| {
        a.site == b.site && a.range.prefix == b.range.prefix && a.range.port == b.range.port
    };
    for words in view.ranges.chunk_by(same) {
        if let Some(row) = words.first()
            && let Some(range) = of_range(words, &places, &mut within)
        {
            site(&mut sites, &row.site).ranges.push(range);
        }
    }
    for (key, steps) in &places {
        if !within.contains(key) {
            site(&mut sites, key.0).named.count(*steps);
        }
    }
    let mut all = Funnel::default();
    for site in sites.values_mut() {
        site.funnel = site.named;
        site.ranges
            .iter()
            .for_each(|range| site.funnel.add(&range.funnel));
        all.add(&site.funnel);
    }
    let proposed = proposed(view, &sites, &places);
    let seen = seen::seen(&view.neighbours);
    Coverage {
        funnel: all,
        sites: sites.into_values().collect(),
        proposed,
        seen,
    }
}

fn site<'s, 'a>(
    sites: &'s mut BTreeMap<&'a SiteName, SiteCoverage>,
    name: &'a SiteName,
) -> &'s mut SiteCoverage {
    sites.entry(name).or_insert_with(|| SiteCoverage {
        site: name.clone(),
        funnel: Funnel::default(),
        named: Funnel::default(),
        ranges: Vec::new(),
    })
}

/// One range by the words of its agents; [`None`] for what is no range.
fn of_range<'a>(
    words: &'a [RangeRow],
    places: &HashMap<Key<'_>, u8>,
    within: &mut HashSet<Key<'a>>,
) -> Option<RangeCoverage> {
    let row = words.first()?;
    // While a plan changes one agent may sweep what another one does not any more.
    let named_only = words.iter().all(|row| row.range.named.is_some());
    let range = Range::of_any_size(&row.range.prefix, []).ok()?;
    let named: BTreeSet<IpAddr> = match named_only {
        true => words
            .iter()
            .filter_map(|row| row.range.named.as_ref())
            .flatten()
            .copied()
            .collect(),
        false => BTreeSet::new(),
    };
    let named: Vec<IpAddr> = named.into_iter().collect();
    let mut drawn = RangeCoverage {
        prefix: row.range.prefix.clone(),
        port: row.range.port,
        named_only,
        told: words.iter().map(|row| row.told).max()?,
        swept: words
            .iter()
            .filter_map(|row| row.swept)
            .max()
            .filter(|_| !named_only),
        funnel: Funnel::default(),
        states: BTreeMap::new(),
        unreached: BTreeMap::new(),
        merged: Vec::new(),
        named,
    };
    if !named_only && Range::new(&row.range.prefix, []).is_err() {
        return None;
    }
    let size = match named_only {
        true => u64::try_from(drawn.named.len()).unwrap_or(u64::MAX),
        false => range.size(),
    };
    for at in 0..size {
        let Some(address) = drawn.address(&range, at) else {
            continue;
        };
        let best = words.iter().filter_map(|row| said(row, at, address));
        let best = best.min_by_key(|word| word.rank()).unwrap_or(Word::NONE);
        let key = (&row.site, address, row.range.port);
        let known = places.get(&key).copied();
        if known.is_some() {
            within.insert(key);
        }
        drawn.count(best, known);
    }
    Some(drawn)
}

/// What an agent says of an address, which is so far into the prefix if all of it is swept.
fn said(row: &RangeRow, at: u64, address: IpAddr) -> Option<Word> {
    let at = match &row.range.named {
        Some(named) => named.binary_search(&address).ok()?,
        None => usize::try_from(at).ok()?,
    };
    row.range.states.get(at).copied().map(Word::read)
}

fn proposed(
    view: &CoverageView,
    sites: &BTreeMap<&SiteName, SiteCoverage>,
    places: &HashMap<Key<'_>, u8>,
) -> Vec<Proposed> {
    let known: HashSet<(&SiteName, IpAddr)> = places
        .keys()
        .map(|(site, address, _)| (*site, *address))
        .collect();
    let is_beside = |site: &SiteName, address: IpAddr| {
        let in_range = sites
            .get(site)
            .is_some_and(|site| site.ranges.iter().any(|range| range.has(address)));
        !in_range && !known.contains(&(site, address))
    };
    // Who only spoke past an element is no proposal: every host of a network did.
    let told = view
        .neighbours
        .iter()
        .filter(|row| ["lldp", "cdp"].contains(&row.protocol.as_str()));
    let mut all: BTreeMap<(&SiteName, IpAddr), Proposed> = BTreeMap::new();
    for row in told {
        let Some(address) = row.address.filter(|address| is_beside(&row.site, *address)) else {
            continue;
        };
        let one = all.entry((&row.site, address)).or_insert_with(|| Proposed {
            site: row.site.clone(),
            address,
            protocol: row.protocol.clone(),
            element: row.element.to_string(),
            name: row.name.clone(),
            elements: 0,
        });
        one.elements = one.elements.max(row.elements);
    }
    all.into_values().collect()
}

impl Coverage {
    /// What became of an address in the last sweep; [`None`] where no range of the site has it.
    #[must_use]
    pub fn state_of(&self, site: &SiteName, address: IpAddr, port: u16) -> Option<&'static str> {
        let at = self.sites.binary_search_by(|one| one.site.cmp(site)).ok()?;
        let mut ranges = self.sites.get(at)?.ranges.iter();
        let range = ranges.find(|range| range.port == port && range.has(address))?;
        range.word_of(address).map(|said| word(said.state))
    }
}

impl RangeCoverage {
    /// What is said of an address of it.
    fn word_of(&self, address: IpAddr) -> Option<&Word> {
        let at = match self.named_only {
            true => self.named.binary_search(&address).ok()?,
            false => {
                let range = Range::of_any_size(&self.prefix, []).ok()?;
                usize::try_from(range.offset(address)?).ok()?
            }
        };
        self.merged.get(at)
    }

    /// The address whose word comes so far in.
    fn address(&self, range: &Range, at: u64) -> Option<IpAddr> {
        match self.named_only {
            true => self.named.get(usize::try_from(at).ok()?).copied(),
            false => range.address(at),
        }
    }

    /// Takes the best word of an address in, with the steps of the element there if there is one.
    fn count(&mut self, best: Word, known: Option<u8>) {
        self.merged.push(best);
        if let Some(why) = best.unreached {
            *self.unreached.entry(word_of(why)).or_default() += 1;
        }
        *self.states.entry(word(best.state)).or_default() += 1;
        let asked = match best.state {
            // Left alone here, and named somewhere: then it is in scope there.
            State::Excluded if known.is_none() => return,
            State::Excluded | State::NotAsked | State::Waiting | State::Listed | State::Unspecified => 0,
            State::Silent | State::Unreachable => 1,
            State::Engine
            | State::Object
            | State::NoCredential
            | State::Ignored
            | State::CredentialRefused => 2,
        };
        self.funnel.count(asked.max(known.unwrap_or(0)));
    }

    /// Whether an address in it is looked for.
    fn has(&self, address: IpAddr) -> bool {
        match self.named_only {
            true => self.named.binary_search(&address).is_ok(),
            false => self.prefix.parse().is_ok_and(|net: IpNet| net.contains(&address)),
        }
    }

    /// Neighbouring addresses in the same one of these states, in order. Whoever was not reached
    /// is not asked, this time.
    #[must_use]
    pub fn runs(&self, wanted: &[State]) -> Vec<Run> {
        let Ok(range) = Range::of_any_size(&self.prefix, []) else {
            return Vec::new();
        };
        let mut runs: Vec<Run> = Vec::new();
        let mut open = None;
        let not_asked = wanted.contains(&State::NotAsked);
        for (at, word) in (0..).zip(&self.merged) {
            let shown = wanted.contains(&word.state) || not_asked && word.unreached.is_some();
            let address = self.address(&range, at).filter(|_| shown);
            let Some(address) = address else {
                open = None;
                continue;
            };
            match (runs.last_mut(), open == Some(*word)) {
                (Some(run), true) if follows(run.last, address) => {
                    run.last = address;
                    run.count += 1;
                }
                _ => runs.push(Run {
                    first: address,
                    last: address,
                    count: 1,
                    state: self::word(word.state),
                    unreached: word.unreached.map(word_of),
                }),
            }
            open = Some(*word);
        }
        runs
    }
}

/// Whether the second address comes right after the first.
fn follows(first: IpAddr, second: IpAddr) -> bool {
    match (first, second) {
        (IpAddr::V4(first), IpAddr::V4(second)) => u32::from(first).checked_add(1) == Some(second.into()),
        (IpAddr::V6(first), IpAddr::V6(second)) => u128::from(first).checked_add(1) == Some(second.into()),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
