//! Dated facts about countries that rules of other countries cite: treaties, laws at home.
//!
//! Invariants: a fact restricts nobody; it only answers the question of a rule
//! that asks for it. A country nobody wrote down is unknown, unless the fact can
//! hold in the named countries alone.

use crate::date::PartialDate;
use crate::pack::{Confidence, Country, Grade};
use serde::Deserialize;
use time::Date;

/// The table, `countries.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Countries {
    /// The facts.
    #[serde(default, rename = "fact")]
    pub facts: Vec<Fact>,
}

/// One fact, and where it holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Its key, which rules cite.
    pub id: String,
    /// What it is, for people.
    pub name: String,
    /// Whether it is known not to hold in countries that are not listed.
    #[serde(default)]
    pub nowhere_else: bool,
    /// Country by country.
    #[serde(rename = "country")]
    pub countries: Vec<CountryFact>,
}

/// How one country stands to a fact.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountryFact {
    /// The country.
    pub code: Country,
    /// How it stands.
    pub stands: Stands,
    /// Since when, if it holds.
    #[serde(default)]
    pub from: Option<PartialDate>,
    /// Its last day, if it ended.
    #[serde(default)]
    pub to: Option<PartialDate>,
    /// How good this is.
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

/// Holds, does not, or is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// It holds, from `from` on.
    Holds,
    /// It does not.
    HoldsNot,
    /// Begun and not done; what that is worth is open.
    UnderWay,
}

impl Countries {
    /// The fact of this key.
    #[must_use]
    pub fn fact(&self, id: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.id == id)
    }
}

impl Fact {
    /// Whether it holds in `country` on `day`; `None` where that is not known.
    #[must_use]
    pub fn holds(&self, country: &Country, day: Date) -> Option<bool> {
        let Some(told) = self.countries.iter().find(|told| told.code == *country) else {
            return self.nowhere_else.then_some(false);
        };
        match told.stands {
            Stands::HoldsNot => Some(false),
            Stands::UnderWay => None,
            Stands::Holds if told.from.is_some_and(|from| day < from.first()) => Some(false),
            Stands::Holds if told.to.is_some_and(|to| day > to.last()) => Some(false),
            Stands::Holds if told.from.is_some_and(|from| day < from.last()) => None,
            Stands::Holds if told.to.is_some_and(|to| day > to.first()) => None,
            Stands::Holds => Some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn a_country_nobody_wrote_down_is_unknown() {
        let table: Countries = toml::from_str(
            r#"
[[fact]]
id = "treaty"
name = "A treaty"
country = [
    { code = "XA", stands = "holds", from = "2010", to = "2020-06-30", grade = "stored" },
    { code = "XB", stands = "holds_not", grade = "stored" },
    { code = "XC", stands = "under_way", grade = "stored" },
]
[[fact]]
id = "law"
name = "A law of one country"
nowhere_else = true
country = [{ code = "XA", stands = "holds", grade = "stored" }]
"#,
        )
        .unwrap();
        for (fact, code, day, expected) in [
            ("treaty", "XA", date!(2009 - 12 - 31), Some(false)),
            ("treaty", "XA", date!(2010 - 07 - 01), None),
            ("treaty", "XA", date!(2010 - 12 - 31), Some(true)),
            ("treaty", "XA", date!(2020 - 06 - 30), Some(true)),
            ("treaty", "XA", date!(2020 - 07 - 01), Some(false)),
            ("treaty", "XB", date!(2020 - 07 - 01), Some(false)),
            ("treaty", "XC", date!(2020 - 07 - 01), None),
            ("treaty", "XD", date!(2020 - 07 - 01), None),
            ("law", "XA", date!(2020 - 07 - 01), Some(true)),
            ("law", "XD", date!(2020 - 07 - 01), Some(false)),
        ] {
            let country = Country::try_from(code.to_owned()).unwrap();
            let found = table.fact(fact).unwrap().holds(&country, day);
            assert_eq!(found, expected, "{fact} {code} {day}");
        }
        assert!(table.fact("none").is_none());
    }
}
