//! The shape of a pack: one jurisdiction's rules as cited, dated data.
//!
//! Invariants: unknown keys and words are refused; every rule keeps the five
//! questions apart (who is bound, which supplier, which thing, which act, when)
//! and names its sources with their grade.

use crate::date::PartialDate;
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
    /// Open points and known gaps, for people.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Its rules.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
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
    /// Keys of the rules that took its place.
    #[serde(default)]
    pub superseded_by: Vec<String>,
    /// What it rests on.
    pub sources: Vec<Source>,
    /// Code of its pack; filled in on loading.
    #[serde(skip)]
    pub jurisdiction: String,
    /// First day a successor was in effect; filled in on loading.
    #[serde(skip)]
    pub succeeded_on: Option<Date>,
}

fn yes() -> bool {
    true
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// The word in packs and pages.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

choice!(
    /// The standing of a rule at the horizon of its pack.
    Status {
        /// Law, licence term or direction.
        Enacted = "enacted",
        /// Advice or stated policy.
        Guidance = "guidance",
        /// Binds whoever signed.
        Contract = "contract",
        /// A draft.
        Proposed = "proposed",
        /// Another rule took its place.
        Superseded = "superseded",
        /// Lapsed without taking effect.
        Expired = "expired",
        /// Held for a while, then ended.
        Repealed = "repealed",
        /// On hold.
        Suspended = "suspended",
        /// Taken back at once.
        Withdrawn = "withdrawn",
        /// Looked for, and there is none.
        NoneFound = "none_found",
        /// An allegation without proof.
        Unproven = "unproven",
    }
);

choice!(
    /// How sure a row or a fact from general knowledge is.
    Confidence {
        /// Read in a good source.
        High = "high",
        /// Rests on summaries, or a part of it is open.
        Medium = "medium",
        /// A pointer for further work.
        Low = "low",
    }
);

impl Confidence {
    /// As a share of certainty, 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        match self {
            Self::High => 1.0,
            Self::Medium => 0.85,
            Self::Low => 0.6,
        }
    }
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
    /// The list it refers to.
    #[serde(default)]
    pub list: Option<String>,
    /// The criteria of the text.
    #[serde(default)]
    pub criteria: Vec<String>,
    /// The country, for tests of control or production.
    #[serde(default)]
    pub country: Option<Country>,
    /// Headquarters in none of these countries meet the test.
    #[serde(default)]
    pub outside: Vec<Country>,
    /// Anything else, for people.
    #[serde(default)]
    pub note: Option<String>,
}

/// ISO 3166-1 alpha-2 code of a country.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
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

choice!(
    /// How a rule says which supplier it means.
    Mode {
        /// By name.
        Named = "named",
        /// By reference to a list kept elsewhere.
        ListReference = "list_reference",
        /// By criteria; suppliers, if any, are a reading.
        Criteria = "criteria",
        /// By the country that controls the supplier.
        CountryOfControl = "country_of_control",
        /// By the country of its headquarters.
        CountryOfHeadquarters = "country_of_headquarters",
        /// By where the thing was made.
        CountryOfProduction = "country_of_production",
        /// Everything needs an approval, whoever made it.
        ApprovalList = "approval_list",
        /// By a share owned by listed firms.
        Ownership = "ownership",
        /// It tests no supplier at all, and so never matches one: a duty of the operator
        /// whatever the maker. So does a list or criterion under which nobody is known yet.
        NoneNamed = "none_named",
    }
);

impl Mode {
    /// Whether it asks something of every maker's goods, and so of nobody in particular.
    #[must_use]
    pub fn any_maker(self) -> bool {
        matches!(
            self,
            Self::ApprovalList | Self::CountryOfHeadquarters | Self::CountryOfProduction
        )
    }
}

choice!(
    /// Which affiliation edges a rule counts. Brand and OEM customer edges never count.
    #[derive(Default)]
    Affiliates {
        /// None: the listed firm alone.
        #[default]
        ListedOnly = "listed_only",
        /// Firms it controls.
        Group = "group",
        /// Firms it controls, and minority holdings and joint ventures as possible matches.
        SubsidiariesAndAffiliates = "subsidiaries_and_affiliates",
        /// As before, and the firms that control it.
        WithParents = "with_parents",
        /// Firms it controls, and things that only carry its brand.
        Brand = "brand",
    }
);

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
    /// Hardware, software or service.
    #[serde(default)]
    pub kind: Option<String>,
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
    /// Only what was acquired on or before this day.
    #[serde(default)]
    pub acquired_until: Option<PartialDate>,
    /// Only what was acquired after this day.
    #[serde(default)]
    pub acquired_after: Option<PartialDate>,
    /// The condition in the words of the text.
    #[serde(default)]
    pub condition: Option<String>,
}

choice!(
    /// A part of the network, or something no element can be.
    Segment {
        /// Packet and IP core.
        Core = "core",
        /// Radio access.
        Ran = "ran",
        /// Transport.
        Transport = "transport",
        /// Fixed access.
        Access = "access",
        /// Management.
        Management = "management",
        /// Customer premises.
        Cpe = "cpe",
        /// Video surveillance.
        Video = "video",
        /// Anything else in a network.
        Other = "other",
        /// A service; no element is one.
        Service = "service",
        /// A handset; no element is one.
        Handset = "handset",
        /// A drone; no element is one.
        Drone = "drone",
    }
);

choice!(
    /// How deep into a unit a rule reaches.
    Level {
        /// What a catalogue or the operator calls critical.
        CriticalComponent = "critical_component",
        /// Substantial or essential component, or critical technology (s.889).
        EssentialComponent = "essential_component",
        /// A radio module with a grant of its own.
        ModularTransmitter = "modular_transmitter",
        /// Any part.
        ComponentPart = "component_part",
        /// A chip.
        Semiconductor = "semiconductor",
        /// The board of a server.
        Mainboard = "mainboard",
        /// Software inside another product.
        IntegratedSoftware = "integrated_software",
        /// The finished product; parts are treated otherwise.
        EndProduct = "end_product",
    }
);

choice!(
    /// New things, installed things, or neither.
    State {
        /// What is bought or put in from now on.
        New = "new",
        /// What is there.
        Installed = "installed",
        /// Both.
        Both = "both",
        /// It is not about things an operator has.
        None = "none",
    }
);

choice!(
    /// What is restricted.
    Action {
        /// Buying.
        Procure = "procure",
        /// Putting in.
        Install = "install",
        /// Running.
        Use = "use",
        /// Spending public money on it.
        FundWithSubsidy = "fund_with_subsidy",
        /// Granting an equipment authorisation.
        AuthoriseEquipment = "authorise_equipment",
        /// Importing and marketing.
        ImportMarket = "import_market",
        /// Contracting with somebody who uses it.
        ContractWithUser = "contract_with_user",
        /// Providing a service.
        ProvideService = "provide_service",
        /// Interconnecting.
        Interconnect = "interconnect",
        /// Telling an authority.
        Report = "report",
        /// Sending goods to the firm.
        ExportTo = "export_to",
        /// Selling in shops on the premises.
        SellOnPremises = "sell_on_premises",
        /// Merging with or buying the firm.
        MergeAcquire = "merge_acquire",
        /// Nothing but standing on a list.
        ListOnly = "list_only",
    }
);

impl Action {
    /// As people say it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Procure => "buying",
            Self::Install => "installing",
            Self::Use => "using",
            Self::FundWithSubsidy => "spending public money",
            Self::AuthoriseEquipment => "authorising new equipment",
            Self::ImportMarket => "importing and marketing",
            Self::ContractWithUser => "contracts with those who use it",
            Self::ProvideService => "providing a service",
            Self::Interconnect => "interconnecting",
            Self::Report => "reporting",
            Self::ExportTo => "exporting to the firm",
            Self::SellOnPremises => "selling on the premises",
            Self::MergeAcquire => "merging with or buying the firm",
            Self::ListOnly => "standing on a list",
        }
    }
}

choice!(
    /// With what effect.
    Effect {
        /// May not be.
        Prohibited = "prohibited",
        /// No more of it.
        NoNew = "no_new",
        /// Out by a date.
        RemoveBy = "remove_by",
        /// At most a share.
        Cap = "cap",
        /// Not without an approval.
        NeedsApproval = "needs_approval",
        /// An authority may act, or the operator must assess.
        Review = "review",
        /// Worth knowing.
        Watch = "watch",
        /// Nothing follows from it for equipment.
        None = "none",
    }
);

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
}

/// One date for those bound.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// The date; absent for a relative one.
    #[serde(default)]
    pub date: Option<PartialDate>,
    /// What it runs from, if it is relative; never computed here.
    #[serde(default)]
    pub relative: Option<String>,
    /// What sort of date.
    pub kind: DeadlineKind,
    /// What is to be done.
    pub what: String,
    /// Generations it is for; empty for all.
    #[serde(default)]
    pub generations: Vec<String>,
    /// `false` where only a draft or memory tells it.
    #[serde(default = "yes")]
    pub verified: bool,
}

choice!(
    /// What sort of date a deadline is.
    DeadlineKind {
        /// Asked for, not required.
        Urged = "urged",
        /// Required.
        Binding = "binding",
        /// A stated aim without a duty.
        Goal = "goal",
        /// End of a waiver or carve-out.
        WaiverEnd = "waiver_end",
        /// A date of the procedure (comments, a step of its start).
        Procedure = "procedure",
    }
);

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

choice!(
    /// How good a fact is.
    Grade {
        /// Read in the source named.
        Stored = "stored",
        /// Known, but no source was read for it.
        GeneralKnowledge = "general_knowledge",
    }
);
