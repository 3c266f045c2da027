//! The shape of a pack: one jurisdiction's rules as cited, dated data.
//!
//! Invariants: unknown keys and words are refused; every rule keeps the five
//! questions apart (who is bound, which supplier, which thing, which act, when)
//! and names its sources with their grade.

mod words;

pub use words::{
    Action, Affiliates, Confidence, DateOf, DeadlineKind, Effect, Grade, Level, Mode, Segment, State, Status,
    Whose,
};

use crate::case::Case;
use crate::date::{PartialDate, Span};
use crate::facts::Band;
use serde::Deserialize;
use time::Date;

/// One file of rules: the law of one jurisdiction as far as it is known.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// ISO 3166-1 alpha-2 code, `EU`, or `ZZ` for what belongs to no state.
    pub code: Country,
    /// English name.
    pub name: String,
    /// The newest source seen; what changed later is not in here.
    pub horizon: PartialDate,
    /// SHA-256 of its text in hexadecimal, as pins name it; filled in on loading.
    #[serde(skip)]
    pub digest: String,
    /// Open points and known gaps, for people.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Lists that rules refer to, entry by entry.
    #[serde(default, rename = "list")]
    pub lists: Vec<List>,
    /// Its rules.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// A list kept by an authority: who stands on it, and since when.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The name rules call it by.
    pub name: String,
    /// Its entries; a new version of the list is a new entry, or an end of one.
    #[serde(rename = "entry")]
    pub entries: Vec<Entry>,
}

/// Suppliers put on a list on the same day.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Keys of the suppliers.
    pub suppliers: Vec<String>,
    /// First day.
    pub from: PartialDate,
    /// Last day, if they were taken off.
    #[serde(default)]
    pub to: Option<PartialDate>,
    /// When it became known that they would be taken off; absent if no sooner than on the last day.
    #[serde(default)]
    pub to_announced: Option<PartialDate>,
    /// Which version of the list says so, for people.
    pub words: String,
}

/// One restriction of a policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stable key, e.g. `DE-CONTRACT-CORE`, unique over all packs.
    pub id: String,
    /// What it says, in one line.
    pub title: String,
    /// The law, direction, list, contract or paper.
    pub instrument: String,
    /// Sections of it, if known.
    #[serde(default)]
    pub section: Option<String>,
    /// What sort of paper it is, e.g. `direction`, `list`, `contract`.
    pub kind: String,
    /// Who issued it.
    pub authority: String,
    /// How to cite it.
    pub citation: String,
    /// Its standing at the horizon of the pack.
    pub status: Status,
    /// How sure the row is.
    pub confidence: Confidence,
    /// Whether it is a duty; `false` lowers what would be a breach to a review.
    #[serde(default = "yes")]
    pub binding: bool,
    /// Who is bound.
    pub bound: Bound,
    /// Which supplier.
    #[serde(rename = "match")]
    pub matching: Matching,
    /// Which thing.
    pub thing: Thing,
    /// Which acts.
    pub actions: Vec<Action>,
    /// With what effect.
    pub effect: Effect,
    /// The softer effect on what was there before the rule took effect, if it differs.
    #[serde(default)]
    pub effect_installed: Option<Effect>,
    /// Size of a cap, if the effect is one.
    #[serde(default)]
    pub cap: Option<Cap>,
    /// What the effect means, for people.
    pub detail: String,
    /// When.
    pub time: Time,
    /// Exceptions, for people: they must be checked by hand.
    #[serde(default)]
    pub exceptions: Vec<String>,
    /// Exceptions the operator can claim by a tag.
    #[serde(default, rename = "exempt")]
    pub exempt: Vec<Exemption>,
    /// What courts said about one part of the rule, and what changes no duty (compensation).
    #[serde(default, rename = "court")]
    pub court: Vec<CourtNote>,
    /// Worked examples, beside the rule they are about.
    #[serde(default, rename = "test")]
    pub tests: Vec<Case>,
    /// Keys of the rules that took its place.
    #[serde(default)]
    pub superseded_by: Vec<String>,
    /// What it rests on.
    pub sources: Vec<Source>,
    /// Code of its pack; filled in on loading.
    #[serde(skip)]
    pub jurisdiction: String,
    /// Each successor that has a first day of effect; filled in on loading.
    #[serde(skip)]
    pub successions: Vec<Succession>,
}

/// That another rule took the place of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Succession {
    /// First day of effect of the successor.
    pub from: Date,
    /// When the successor became known: as announced, else as it took effect.
    pub announced: PartialDate,
}

/// An exception that holds where the operator declares its tag, or a day in the life of the thing shows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// The tag, `exempt:…`.
    pub tag: String,
    /// What it says.
    pub words: String,
    /// The day that shows it, where it is told; what is not told shows nothing.
    #[serde(default)]
    pub shown_by: Option<DateTest>,
    /// Its last day, if it has one.
    #[serde(default)]
    pub until: Option<PartialDate>,
}

/// What a court or the state added to a rule without changing the rest of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CourtNote {
    /// The part of the rule it is about, e.g. `thing.purposes`.
    pub about: String,
    /// What it says.
    pub words: String,
    /// The day, if known.
    #[serde(default)]
    pub on: Option<PartialDate>,
}

fn yes() -> bool {
    true
}

/// Who is bound.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// In words.
    pub words: String,
    /// Operator tags, any of which binds; empty for what addresses nobody in particular.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Which supplier.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matching {
    /// The test of the text.
    pub mode: Mode,
    /// Keys of suppliers that meet it.
    #[serde(default)]
    pub suppliers: Vec<String>,
    /// Which affiliation edges carry the match further.
    #[serde(default)]
    pub affiliates: Affiliates,
    /// `false` where the suppliers are the usual reading and not words of the text.
    #[serde(default = "yes")]
    pub named_in_text: bool,
    /// The list it refers to; where the pack has a `[[list]]` of this name, its entries are meant.
    #[serde(default)]
    pub list: Option<String>,
    /// Days after which an entry of the list counts.
    #[serde(default)]
    pub list_lag_days: u16,
    /// The criteria of the text.
    #[serde(default)]
    pub criteria: Vec<String>,
    /// The country, for tests of control or production.
    #[serde(default)]
    pub country: Option<Country>,
    /// Headquarters or production in none of these countries meet the test.
    #[serde(default)]
    pub outside: Vec<Country>,
    /// The fact about a country that decides, for [`Mode::CountryFact`].
    #[serde(default)]
    pub fact: Option<FactTest>,
    /// Anything else, for people.
    #[serde(default)]
    pub note: Option<String>,
}

/// A test of a dated fact about a country.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactTest {
    /// Key of the fact in `countries.toml`.
    pub id: String,
    /// Whether the rule means countries where it holds, or those where it does not.
    pub holds: bool,
    /// Which country of the supplier.
    pub whose: Whose,
}

/// ISO 3166-1 alpha-2 code of a country.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Country(String);

impl Country {
    /// The two capital letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Country {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()) {
            return Ok(Self(text));
        }
        Err(format!(
            "{text:?} is no country; write two capital letters, e.g. \"DE\""
        ))
    }
}

/// Which thing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thing {
    /// Parts of the network; empty for all.
    #[serde(default)]
    pub segments: Vec<Segment>,
    /// Generations of network; empty for all.
    #[serde(default)]
    pub generations: Vec<String>,
    /// Whether an older network growing into such a generation may be meant (tag `evolves_to:5G`).
    #[serde(default)]
    pub covers_evolution: bool,
    /// Networks managed, for rules about management systems (tag `manages:ran`).
    #[serde(default)]
    pub manages: Vec<Segment>,
    /// How deep into a unit the rule reaches; absent if it says only "equipment".
    #[serde(default)]
    pub level: Option<Level>,
    /// Roles in which a whole unit is presumed to be of that level.
    #[serde(default)]
    pub presumed_in: Vec<Segment>,
    /// Hardware, software or service; several joined by `_and_`.
    #[serde(default)]
    pub kind: Option<String>,
    /// Classes of product it is limited to, e.g. `consumer_grade_router`; empty for none.
    #[serde(default)]
    pub products: Vec<String>,
    /// Radio bands it is limited to; empty for none.
    #[serde(default)]
    pub bands: Vec<Band>,
    /// Least data rate it reaches, in Gbit/s.
    #[serde(default)]
    pub min_data_rate_gbps: Option<f64>,
    /// Whether it speaks of new or of installed things.
    pub state: State,
    /// Facts the operator must declare by tag (`fact` or `not:fact`).
    #[serde(default)]
    pub needs: Vec<String>,
    /// Purposes it is limited to (tag `purpose:…`); empty for none.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Listed suppliers for which the purpose counts; empty for all.
    #[serde(default)]
    pub purpose_suppliers: Vec<String>,
    /// Days of the thing's life it turns on.
    #[serde(default)]
    pub dates: Vec<DateTest>,
    /// The condition in the words of the text.
    #[serde(default)]
    pub condition: Option<String>,
}

/// A test of one day in the life of a thing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateTest {
    /// Which day.
    pub of: DateOf,
    /// On or before this one.
    #[serde(default)]
    pub until: Option<PartialDate>,
    /// After this one.
    #[serde(default)]
    pub after: Option<PartialDate>,
}

/// A limit on a share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Per cent, 0 to 100.
    pub percent: u8,
    /// Share of what.
    pub metric: String,
}

/// When.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// When it became known; absent if not found out.
    #[serde(default)]
    pub announced: Option<PartialDate>,
    /// When it took or takes effect; absent if not found out or not set.
    #[serde(default)]
    pub effective: Option<PartialDate>,
    /// Its last day.
    #[serde(default)]
    pub ends: Option<PartialDate>,
    /// When its last day became known; absent if it was known with the rule.
    #[serde(default)]
    pub ends_announced: Option<PartialDate>,
    /// Its last day as it was told before, if there was one.
    #[serde(default)]
    pub ends_first: Option<PartialDate>,
    /// First and last day of a pause.
    #[serde(default)]
    pub suspended: Option<Pause>,
    /// What is open about the dates; required where `effective` is absent.
    #[serde(default)]
    pub unknown: Option<String>,
    /// Dates for those bound.
    #[serde(default)]
    pub deadlines: Vec<Deadline>,
}

/// First and last day of a pause.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// First day.
    pub from: PartialDate,
    /// Last day.
    pub to: PartialDate,
    /// When it became known; absent if it was known with the rule.
    #[serde(default)]
    pub announced: Option<PartialDate>,
}

/// One date for those bound.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// The date; absent for a relative one.
    #[serde(default)]
    pub date: Option<PartialDate>,
    /// What it runs from, if it is relative: computed only from an anchor somebody names.
    #[serde(default)]
    pub relative: Option<String>,
    /// How long after the anchor (`36mo`, `4y`, `10d`).
    #[serde(default)]
    pub plus: Option<Span>,
    /// What sort of date.
    pub kind: DeadlineKind,
    /// What is to be done.
    pub what: String,
    /// Generations it is for; empty for all.
    #[serde(default)]
    pub generations: Vec<String>,
    /// Parts of the network it is for; empty for all.
    #[serde(default)]
    pub segments: Vec<Segment>,
    /// `false` where only a draft or memory tells it.
    #[serde(default = "yes")]
    pub verified: bool,
}

/// One fact and where it comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What it backs.
    pub claim: String,
    /// How good it is.
    pub grade: Grade,
    /// How sure, for general knowledge.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// What the source is, if it was read.
    #[serde(default)]
    pub title: Option<String>,
    /// Where it is, if it was read.
    #[serde(default)]
    pub url: Option<String>,
}
