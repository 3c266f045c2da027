//! Worked examples beside the rules: facts, a day, and what the rule says then.
//!
//! Invariant: an example is run by the evaluator that judges the network.

use crate::date::PartialDate;
use crate::facts::Facts;
use crate::judge::judge;
use crate::pack::{Pack, Rule};
use crate::policies::Policies;
use crate::question::Question;
use model::ResultClass;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use time::Date;

/// One worked example of one rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The asset; its jurisdiction is that of the pack.
    pub facts: Facts,
    /// The day judged for.
    pub as_of: Day,
    /// The day whose knowledge is taken; absent for all the packs know.
    #[serde(default)]
    pub as_known: Option<Day>,
    /// The day from which the rule is assumed to be in force.
    #[serde(default)]
    pub assume: Option<PartialDate>,
    /// What the rule says.
    pub class: Expected,
    /// The date that goes with it; where absent none may.
    #[serde(default)]
    pub date: Option<PartialDate>,
}

/// A day, written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PartialDate")]
pub struct Day(pub Date);

impl TryFrom<PartialDate> for Day {
    type Error = String;
    fn try_from(date: PartialDate) -> Result<Self, Self::Error> {
        if date.first() != date.last() {
            return Err(format!("{date} is no day; write YYYY-MM-DD"));
        }
        Ok(Self(date.first()))
    }
}

/// A class, or that the rule says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Expected(pub Option<ResultClass>);

impl TryFrom<String> for Expected {
    type Error = String;
    fn try_from(word: String) -> Result<Self, Self::Error> {
        if word == "nothing" {
            return Ok(Self(None));
        }
        word.parse().map(|class| Self(Some(class))).map_err(|_| {
            let words: Vec<_> = ResultClass::ALL.iter().map(|class| class.as_str()).collect();
            let shown: String = word.chars().take(40).collect();
            format!("{shown:?} is no class; write nothing, {}", words.join(", "))
        })
    }
}

/// An example that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Key of the rule.
    pub rule: String,
    /// Name of the example.
    pub name: String,
    /// What it expects.
    pub expected: String,
    /// What the rule says.
    pub found: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: expected {}, found {}",
            self.rule, self.name, self.expected, self.found
        )
    }
}

/// Runs every example of a pack; how many there are, and which do not hold.
#[must_use]
pub fn run(pack: &Pack, policies: &Policies) -> (usize, Vec<Broken>) {
    let cases = || {
        pack.rules
            .iter()
            .flat_map(|rule| rule.tests.iter().map(move |case| (rule, case)))
    };
    let broken = cases().filter_map(|(rule, case)| case.broken(rule, pack, policies));
    (cases().count(), broken.collect())
}

impl Case {
    fn broken(&self, rule: &Rule, pack: &Pack, policies: &Policies) -> Option<Broken> {
        let facts = Facts {
            jurisdiction: Some(pack.code.clone()),
            ..self.facts.clone()
        };
        let assumed: BTreeMap<String, PartialDate> = self
            .assume
            .map(|date| (rule.id.clone(), date))
            .into_iter()
            .collect();
        let question = Question {
            as_of: self.as_of.0,
            as_known: self.as_known.map(|day| day.0),
            assumed: &assumed,
            powers: true,
        };
        let date = self.date.map_or_else(String::new, |date| format!(" {date}"));
        let expected = match self.class.0 {
            Some(class) => format!("{class}{date}"),
            None => "nothing".to_owned(),
        };
        let found = match judge(&facts, policies, &question) {
            Err(error) => error.to_string(),
            Ok(verdicts) => verdicts.get(&rule.id).map_or_else(
                || "nothing".to_owned(),
                |verdict| {
                    let date = verdict
                        .date
                        .as_ref()
                        .map_or_else(String::new, |date| format!(" {date}"));
                    format!("{}{date}", verdict.class)
                },
            ),
        };
        (expected != found).then(|| Broken {
            rule: rule.id.clone(),
            name: self.name.clone(),
            expected,
            found,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use time::macros::date;

    #[test]
    fn every_built_in_example_holds() {
        let policies = Policies::built_in().unwrap();
        let mut count = 0;
        for pack in policies.packs() {
            let (ran, broken) = run(pack, &policies);
            let lines: Vec<_> = broken.iter().map(ToString::to_string).collect();
            assert!(lines.is_empty(), "{}", lines.join("\n"));
            assert!(ran > 0, "{} has no example", pack.name);
            count += ran;
        }
        assert!(count >= 122, "{count}");
    }

    #[test]
    fn a_wrong_example_is_told() {
        let text = include_str!("../packs/dk.toml");
        let wrong = text.replace("class = \"due\"\ndate = \"2027-01-01\"", "class = \"overdue\"");
        assert_ne!(text, wrong);
        let policies =
            Policies::with_drafts(Policies::built_in_texts(), &[("dk.toml".to_owned(), wrong)]).unwrap();
        let (_, broken) = run(policies.pack("DK").unwrap(), &policies);
        let lines: Vec<_> = broken.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["DK-TDC-2023: optical transport at TDC NET: expected overdue, found due 2027-01-01"]
        );
    }

    /// The survey of rules this set was made from: each is in a pack.
    #[test]
    fn every_rule_of_the_survey_is_in_a_pack() {
        let policies = Policies::built_in().unwrap();
        let missing: Vec<_> = include_str!("case/rules.txt")
            .lines()
            .filter(|id| policies.rule(id).is_none())
            .collect();
        assert_eq!(missing, Vec::<&str>::new());
        assert_eq!(include_str!("case/rules.txt").lines().count(), 123);
    }

    #[test]
    fn words_that_cannot_be_meant_are_told() {
        for (word, told) in [
            (
                "allowed",
                "\"allowed\" is no class; write nothing, violation, overdue",
            ),
            ("", "\"\" is no class"),
        ] {
            let error = Expected::try_from(word.to_owned()).unwrap_err();
            assert!(error.starts_with(told), "{error}");
        }
        assert_eq!(
            Day::try_from("2026-11".parse::<PartialDate>().unwrap()),
            Err("2026-11 is no day; write YYYY-MM-DD".to_owned())
        );
    }

    /// Every supplier under every tag, new and installed, in every pack, then and now.
    #[test]
    fn judging_is_total_and_opens_nothing_without_effect() {
        let policies = Policies::built_in().unwrap();
        let tags: BTreeSet<String> = policies
            .rules()
            .flat_map(|rule| rule.bound.tags.clone())
            .collect();
        let nothing = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for pack in policies.packs() {
            for company in &policies.affiliations().suppliers {
                for state in ["new", "installed"] {
                    let text = format!(
                        "supplier = {:?}\nstate = {state:?}\ngeneration = \"5G\"",
                        company.id
                    );
                    let mut facts: Facts = toml::from_str(&text).unwrap();
                    facts.jurisdiction = Some(pack.code.clone());
                    facts.operator_tags.0 = tags.iter().cloned().collect();
                    for as_of in [
                        date!(2018 - 11 - 20),
                        date!(2023 - 06 - 01),
                        date!(2028 - 01 - 01),
                    ] {
                        let question = Question {
                            as_of,
                            as_known: None,
                            assumed: &nothing,
                            powers: true,
                        };
                        for (id, verdict) in judge(&facts, &policies, &question).unwrap() {
                            let effect = policies.rule(&id).map(|rule| rule.effect);
                            let idle = effect == Some(crate::pack::Effect::None);
                            assert!(!idle || !verdict.class.opens_finding(), "{id}");
                            assert!(!verdict.why.to_lowercase().contains("illegal"), "{id}");
                            assert!(
                                verdict.why.contains(&format!("rule {id}")) || idle,
                                "{id}: {}",
                                verdict.why
                            );
                            seen.insert(verdict.class);
                        }
                    }
                }
            }
        }
        assert!(seen.len() >= 9, "{seen:?}");
    }
}
