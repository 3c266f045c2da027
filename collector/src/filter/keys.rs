//! The keys a line may speak of, by list, and what may stand behind each.
//!
//! Invariant: a key has one name; other names for it are read and never written.

use super::Subject;
use model::{FindingState, ResultClass, Role, Severity, SiteName, Standing};
use policy::PartialDate;

/// A key.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// Also read.
    pub alias: &'static str,
    /// What may stand behind it.
    pub kind: Kind,
    /// What it speaks of, for people.
    pub note: &'static str,
    /// Whether nobody keeps how it was, so that it cannot be asked of a day that is over.
    pub now_only: bool,
}

/// What may stand behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it stands alone.
    Flag,
    /// One of a few words.
    Words(Words),
    /// A name of a site, or its beginning.
    Site,
    /// The key of a supplier, or its beginning.
    Supplier,
    /// The same, or `unknown`.
    Maker,
    /// The key of a rule, or its beginning.
    Rule,
    /// Two capital letters.
    Law,
    /// Whoever has it, `me` or `nobody`.
    Owner,
    /// Any text, or its beginning.
    Text,
    /// A share, compared.
    Share,
    /// How long ago, or a day; compared.
    Age,
    /// The same, or `never`.
    Seen,
    /// A day, how long from now, or `none`.
    Day,
}

/// Words of which one stands behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Severities.
    Severity,
    /// States of findings, and what their rules say.
    State,
    /// What rules say.
    Class,
    /// Roles, and unknown.
    Role,
    /// Standings.
    Standing,
    /// How complete a round was.
    Round,
    /// Whether it is polled.
    Polling,
}

impl Words {
    /// All of them.
    #[must_use]
    pub fn all(self) -> Vec<&'static str> {
        let classes = ResultClass::ALL.iter().filter(|class| class.opens_finding());
        let classes = classes.map(|class| class.as_str());
        match self {
            Self::Severity => Severity::ALL.iter().map(|word| word.as_str()).collect(),
            Self::State => FindingState::ALL
                .iter()
                .map(|word| word.as_str())
                .chain(classes)
                .collect(),
            Self::Class => ResultClass::ALL.iter().map(|word| word.as_str()).collect(),
            Self::Role => Role::ALL
                .iter()
                .map(|word| word.as_str())
                .chain(["unknown"])
                .collect(),
            Self::Standing => Standing::ALL.iter().map(|word| word.as_str()).collect(),
            Self::Round => vec!["complete", "partial", "unreachable"],
            Self::Polling => vec!["not_polled"],
        }
    }
}

const fn key(name: &'static str, kind: Kind, note: &'static str) -> Key {
    Key {
        name,
        alias: "",
        kind,
        note,
        now_only: false,
    }
}

const fn also(name: &'static str, alias: &'static str, kind: Kind, note: &'static str) -> Key {
    Key {
        name,
        alias,
        kind,
        note,
        now_only: false,
    }
}

const FINDINGS: &[Key] = &[
    key("severity", Kind::Words(Words::Severity), "how urgent"),
    key(
        "state",
        Kind::Words(Words::State),
        "what was done about it, or what its rule says",
    ),
    key("class", Kind::Words(Words::Class), "what its rule says"),
    key("site", Kind::Site, "where"),
    also("law", "jurisdiction", Kind::Law, "whose law"),
    key("supplier", Kind::Supplier, "supplier that matched"),
    key("maker", Kind::Maker, "who made the part, or the unit"),
    key("rule", Kind::Rule, "which rule"),
    key("role", Kind::Words(Words::Role), "what part the element plays"),
    key("owner", Kind::Owner, "who has it"),
    key("waived", Kind::Flag, "has a waiver in force"),
    key("planned", Kind::Flag, "its removal is planned"),
    key("asked", Kind::Flag, "a waiver waits for a second person"),
    also("confidence", "conf", Kind::Share, "how surely"),
    key("opened", Kind::Age, "how long ago it was opened"),
    key("deadline", Kind::Day, "by when it must be gone"),
    key("seen", Kind::Seen, "how long ago its element answered"),
    also("name", "element", Kind::Text, "name of the element"),
    key("address", Kind::Text, "address of the element"),
    key("part", Kind::Text, "name of the part"),
    key("model", Kind::Text, "model of the unit"),
];

const ELEMENTS: &[Key] = &[
    key("site", Kind::Site, "where"),
    key("role", Kind::Words(Words::Role), "what part it plays"),
    key("maker", Kind::Maker, "who made it"),
    key("brand", Kind::Maker, "whose name is on it"),
    key("model", Kind::Text, "its model"),
    key("serial", Kind::Text, "its serial number"),
    key("standing", Kind::Words(Words::Standing), "what follows from it"),
    key("seen", Kind::Seen, "how long ago it answered"),
    also("confidence", "conf", Kind::Share, "how surely its maker is known"),
    key(
        "round",
        Kind::Words(Words::Round),
        "how complete its last round was",
    ),
    also("name", "element", Kind::Text, "its name"),
    key("address", Kind::Text, "its address"),
    Key {
        now_only: true,
        ..key(
            "polling",
            Kind::Words(Words::Polling),
            "those seen and polled by nobody",
        )
    },
];

impl Subject {
    /// What a line about it may speak of.
    #[must_use]
    pub fn keys(self) -> &'static [Key] {
        match self {
            Self::Findings => FINDINGS,
            Self::Elements => ELEMENTS,
        }
    }

    /// The key of this name.
    #[must_use]
    pub fn key(self, name: &str) -> Option<&'static Key> {
        let name = name.to_ascii_lowercase();
        self.keys()
            .iter()
            .find(|key| key.name == name || (!key.alias.is_empty() && key.alias == name))
    }
}

/// Whether a word alone means something on any list.
#[must_use]
pub fn is_flag(word: &str) -> bool {
    let known = Subject::ALL.into_iter().filter_map(|subject| subject.key(word));
    known.into_iter().any(|key| key.kind == Kind::Flag)
}

impl Kind {
    /// Whether it is compared with more than a colon.
    #[must_use]
    pub fn compares(self) -> bool {
        self == Self::Share || self.is_time()
    }

    /// Whether a span of time may stand behind it.
    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(self, Self::Age | Self::Seen | Self::Day)
    }

    /// Whether a beginning is enough.
    #[must_use]
    pub fn begins(self) -> bool {
        matches!(
            self,
            Self::Site | Self::Supplier | Self::Maker | Self::Rule | Self::Owner | Self::Text
        )
    }

    /// What may stand behind the key, for people.
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            Self::Flag => "nothing: it stands alone, or with - before it".to_owned(),
            Self::Words(words) => words.all().join(", "),
            Self::Site => "the name of a site in a-z, 0-9 and -, or its beginning and *".to_owned(),
            Self::Supplier => "the key of a supplier in a-z, 0-9 and _, or its beginning and *".to_owned(),
            Self::Maker => {
                "the key of a supplier in a-z, 0-9 and _, its beginning and *, or unknown".to_owned()
            }
            Self::Rule => "the key of a rule, as in DE-CONTRACT-CORE, or its beginning and *".to_owned(),
            Self::Law => "two letters, as in DE".to_owned(),
            Self::Owner => "a name, me, or nobody".to_owned(),
            Self::Text => "a text, in quotes if it has blanks, or its beginning and *".to_owned(),
            Self::Share => "< or > and a share, as in <0.9 or <90%".to_owned(),
            Self::Age => {
                "< or > and how long ago in min, h, d, w, months or y, as in <24h or >7d, or a day, as in >=2026-11-01".to_owned()
            }
            Self::Seen => {
                "< or > and how long ago in min, h, d, w, months or y, as in <24h or >7d, a day, as in <2026-11-01, or \
                 :never"
                    .to_owned()
            }
            Self::Day => {
                "a day, month or year, as in <2027-01-01 or :2026, how long from now in d, w, months or y, as in \
                 <180d, or :none"
                    .to_owned()
            }
        }
    }

    /// The value in its one way of writing, or nothing if it is none.
    #[must_use]
    pub fn value(self, text: &str, begins: bool) -> Option<String> {
        let lower = text.to_ascii_lowercase();
        let made_of = |extra: &str, text: &str| {
            text.len() <= 80
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        match self {
            Self::Flag => None,
            Self::Words(words) => {
                let lower = lower.replace(' ', "_");
                words.all().contains(&lower.as_str()).then_some(lower)
            }
            Self::Site if begins => made_of("-", &lower).then_some(lower),
            Self::Site => lower.parse::<SiteName>().is_ok().then_some(lower),
            Self::Supplier | Self::Maker => made_of("_", &lower).then_some(lower),
            Self::Rule => made_of("-_.", text).then(|| text.to_owned()),
            Self::Law => {
                let fits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
                fits.then(|| text.to_ascii_uppercase())
            }
            Self::Owner | Self::Text => Some(text.to_owned()),
            Self::Share => share(text).map(|share| share.to_string()),
            Self::Age => (days(text).is_some() || span(text).is_some()).then_some(lower),
            Self::Seen => (days(text).is_some() || span(text).is_some() || lower == "never").then_some(lower),
            Self::Day => (days(text).is_some() || span(text).is_some() || lower == "none").then_some(lower),
        }
    }
}

/// A share from 0 to 1, also in per cent.
#[must_use]
pub fn share(text: &str) -> Option<f64> {
    let (number, of) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let share = number.parse::<f64>().ok().filter(|_| plain)? / of;
    (0.0..=1.0).contains(&share).then_some(share)
}

/// Units of spans, as they are offered.
pub const UNITS: &[(&str, &str)] = &[
    ("min", "minutes"),
    ("h", "hours"),
    ("d", "days"),
    ("w", "weeks"),
    ("months", "months"),
    ("y", "years"),
];

/// Whether a span has an `m` alone, in small or capital, of which nobody can tell whether minutes or months are meant.
#[must_use]
pub fn is_ambiguous(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .split(|c: char| !c.is_ascii_alphabetic())
            .any(|unit| unit.eq_ignore_ascii_case("m"))
}

/// A length of time, in seconds.
#[must_use]
pub fn span(text: &str) -> Option<i64> {
    if is_ambiguous(text) {
        return None;
    }
    let length = humantime::parse_duration(&text.to_ascii_lowercase()).ok()?;
    // A thousand years are long enough.
    i64::try_from(length.as_secs())
        .ok()
        .filter(|seconds| *seconds <= 31_557_600_000)
}

/// A day, month or year.
#[must_use]
pub fn days(text: &str) -> Option<PartialDate> {
    text.parse().ok()
}
