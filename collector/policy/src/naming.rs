//! Which rules mean a supplier on a day, whatever stands in the network.
//!
//! Invariants: the supplier tests are those that judge; nothing is asked of a place or
//! a thing, so that this says who is meant and never that something is found; a fact
//! about a country stays a fact about a country.

use crate::affiliation::Link;
use crate::force::{Force, force};
use crate::pack::{Mode, Rule};
use crate::part::Part;
use crate::policies::Policies;
use crate::question::Question;
use crate::supplier::Test;
use model::Place;
use time::Date;

/// A rule that means a supplier.
#[derive(Debug, Clone)]
pub struct Naming<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Whether it holds on the day.
    pub force: Force,
    /// By what it means the supplier.
    pub by: Meant,
    /// How, in words and how surely.
    pub link: Link,
}

/// By what a rule means a supplier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// It or its list names the supplier.
    Name,
    /// It names another one, to which the supplier belongs or belonged.
    Affiliation,
    /// By a fact about the supplier's country.
    Country,
}

impl Policies {
    /// The rules that mean a supplier on a day as it was known then, pack by pack. Those that ask
    /// something of every maker's goods name nobody, and are not among them.
    #[must_use]
    pub fn naming(&self, supplier: &str, as_of: Date) -> Vec<Naming<'_>> {
        let question = Question::on(as_of);
        let (place, part) = (Place::nowhere(), Part::nobody());
        let mut found = Vec::new();
        for pack in self.packs() {
            for rule in self.meaning(pack.code.as_str(), supplier) {
                let test = Test {
                    rule,
                    place: &place,
                    part: &part,
                    policies: self,
                    question: &question,
                };
                if let Some(link) = test.link(supplier) {
                    found.push(Naming {
                        rule,
                        force: force(rule, &question),
                        by: self.meant(rule, supplier, &link),
                        link,
                    });
                }
            }
        }
        found
    }

    fn meant(&self, rule: &Rule, supplier: &str, link: &Link) -> Meant {
        let company = self.affiliations().company(supplier);
        let control = company.and_then(|company| company.control.as_ref());
        match rule.matching.mode {
            Mode::CountryFact => Meant::Country,
            Mode::CountryOfControl if control.is_some() && control == rule.matching.country.as_ref() => {
                Meant::Country
            }
            _ if link.listed == supplier => Meant::Name,
            _ => Meant::Affiliation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn a_supplier_is_meant_by_name_by_affiliation_or_not_at_all() {
        let policies = Policies::built_in().unwrap();
        let day = date!(2026 - 11 - 25);
        let by = |supplier: &str, rule: &str| {
            let named = policies.naming(supplier, day);
            named.iter().find(|one| one.rule.id == rule).map(|one| one.by)
        };
        assert_eq!(by("huawei", "DE-CONTRACT-CORE"), Some(Meant::Name));
        assert_eq!(by("hisilicon", "DE-CONTRACT-CORE"), Some(Meant::Affiliation));
        assert_eq!(by("nokia", "DE-CONTRACT-CORE"), None);
        assert_eq!(
            by("huawei", "DE-6G-2025"),
            Some(Meant::Country),
            "its test is who controls"
        );
        assert!(policies.naming("nobody_at_all", day).is_empty());
    }

    #[test]
    fn what_was_not_known_then_means_nobody_then() {
        let policies = Policies::built_in().unwrap();
        let on = |day| {
            let named = policies.naming("huawei", day);
            let one = named.into_iter().find(|one| one.rule.id == "DE-CONTRACT-CORE");
            one.map(|one| one.force)
        };
        assert_eq!(on(date!(2015 - 01 - 01)), Some(Force::Silent));
        assert_eq!(on(date!(2026 - 11 - 25)), Some(Force::Holds));
    }

    #[test]
    fn a_country_is_no_name() {
        let policies = Policies::built_in().unwrap();
        let company = policies
            .affiliations()
            .suppliers
            .iter()
            .find(|company| company.control.as_ref().is_some_and(|c| c.as_str() == "CN"));
        let named = policies.naming(&company.unwrap().id, date!(2026 - 11 - 25));
        for one in named {
            let tests_country = matches!(one.rule.matching.mode, Mode::CountryFact | Mode::CountryOfControl);
            assert!(tests_country || one.by != Meant::Country, "{}", one.rule.id);
        }
    }
}
