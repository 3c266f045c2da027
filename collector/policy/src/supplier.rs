//! Which supplier: how the maker of a thing meets the test of a rule.
//!
//! Invariants: ownership counts on the day the thing was made; country of
//! headquarters, of control and of production, and facts about a country, are
//! four different tests; a reading that is not in the text is said to be one,
//! and can be switched off.

use crate::affiliation::{Link, Search};
use crate::date::{PartialDate, Span};
use crate::pack::{Affiliates, Country, Entry, FactTest, Mode, Rule, Whose};
use crate::part::Part;
use crate::policies::Policies;
use crate::question::Question;
use model::Place;
use time::Date;

/// What a supplier test looks at.
#[derive(Clone, Copy)]
pub(crate) struct Test<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) place: &'a Place,
    pub(crate) part: &'a Part,
    pub(crate) policies: &'a Policies,
    pub(crate) question: &'a Question<'a>,
}

impl Test<'_> {
    /// How `supplier` meets the test; `None` if it does not.
    pub(crate) fn link(&self, supplier: &str) -> Option<Link> {
        let matching = &self.rule.matching;
        let found = match matching.mode {
            Mode::ApprovalList => Some(Link::certain(
                supplier,
                "needs an approval whoever made it".to_owned(),
            )),
            Mode::CountryOfProduction => self.production(supplier),
            Mode::CountryOfHeadquarters => self.headquarters(supplier),
            Mode::CountryOfControl => self.control(supplier),
            Mode::CountryFact => self.fact(matching.fact.as_ref()?, supplier),
            Mode::Ownership => self
                .named(&matching.suppliers, supplier)
                .filter(|link| link.listed != supplier),
            Mode::ListReference if self.policies.list(self.rule).is_some() => self.on_list(supplier),
            _ if self.policies.names_nobody(self.rule) => Some(self.nobody(supplier)),
            _ => self.named(&matching.suppliers, supplier),
        };
        let reads = matching.named_in_text || self.policies.interprets() || matching.mode.any_maker();
        found.map(|link| {
            if reads {
                link
            } else {
                link.open("the text names nobody, and whether it means this supplier is yours to judge")
            }
        })
    }

    fn search<'s>(&self, listed: &'s [String], affiliates: Affiliates) -> Search<'s> {
        Search {
            listed,
            affiliates,
            made: self.part.told.made.or(self.part.acquired),
            as_of: self.question.as_of,
        }
    }

    fn named(&self, listed: &[String], supplier: &str) -> Option<Link> {
        let search = self.search(listed, self.rule.matching.affiliates);
        self.policies.affiliations().link(search, supplier)
    }

    /// A power or a list under which nobody is named yet. An assumption is that it names this one.
    fn nobody(&self, supplier: &str) -> Link {
        let words = if self.question.assumed(&self.rule.id).is_some() {
            "assumed to be meant"
        } else {
            "the rule names nobody so far"
        };
        Link::certain(supplier, words.to_owned())
    }

    /// By the entries of the list in their time; one whose time is to come is told with its day.
    fn on_list(&self, supplier: &str) -> Option<Link> {
        let list = self.policies.list(self.rule)?;
        let as_of = self.question.as_of;
        let by_then = |day: Date| self.question.as_known.is_none_or(|known| day <= known);
        let known = |entry: &&Entry| by_then(entry.from.first());
        let counts = |entry: &Entry| entry.from.plus(Span::Days(self.rule.matching.list_lag_days));
        // Who is taken off is off only for those who know it.
        let off = |entry: &Entry, to: PartialDate| {
            let told = entry.to_announced.map_or(to.last(), PartialDate::first);
            to.last() < as_of && by_then(told)
        };
        let open = |entry: &&Entry| !entry.to.is_some_and(|to| off(entry, to));
        let names = |entries: &[&Entry]| -> Vec<String> {
            entries
                .iter()
                .flat_map(|entry| entry.suppliers.iter().cloned())
                .collect()
        };
        let entries: Vec<&Entry> = list.entries.iter().filter(known).filter(open).collect();
        let (now, later): (Vec<&Entry>, Vec<&Entry>) = entries
            .into_iter()
            .partition(|entry| counts(entry).unwrap_or(entry.from).first() <= as_of);
        if let Some(link) = self.named(&names(&now), supplier) {
            let entry = now.iter().find(|entry| entry.suppliers.contains(&link.listed));
            return Some(told(link, &list.name, entry.copied()));
        }
        let mut later = later;
        later.sort_by_key(|entry| entry.from.first());
        later.into_iter().find_map(|entry| {
            let link = self.named(&entry.suppliers, supplier)?;
            let from = counts(entry).or(Some(entry.from));
            Some(Link {
                from,
                ..told(link, &list.name, Some(entry))
            })
        })
    }

    fn production(&self, supplier: &str) -> Option<Link> {
        let outside = &self.rule.matching.outside;
        let tagged = self
            .place
            .tags
            .iter()
            .find_map(|tag| tag.strip_prefix("produced_in:"));
        let tagged = || Country::try_from(tagged?.to_owned()).ok();
        match self.part.told.production_country.clone().or_else(tagged) {
            Some(country) if outside.contains(&country) => None,
            Some(country) => {
                let words = format!(
                    "meant by where it was made ({}), whoever made it",
                    country.as_str()
                );
                Some(Link::certain(supplier, words))
            }
            None => Some(
                Link::certain(supplier, "meant by where it was made, whoever made it".to_owned())
                    .open("the country of production is not told; declare a tag such as produced_in:TW"),
            ),
        }
    }

    fn headquarters(&self, supplier: &str) -> Option<Link> {
        match self.policies.affiliations().company(supplier) {
            Some(company) if self.rule.matching.outside.contains(&company.hq) => None,
            Some(company) => Some(Link::certain(
                supplier,
                format!("has its headquarters in {}", company.hq.as_str()),
            )),
            None => Some(
                Link::certain(supplier, "has its headquarters".to_owned())
                    .open("in a country not recorded here"),
            ),
        }
    }

    fn control(&self, supplier: &str) -> Option<Link> {
        let company = self.policies.affiliations().company(supplier);
        let control = company.and_then(|company| company.control.as_ref());
        match control.filter(|control| self.rule.matching.country.as_ref() == Some(*control)) {
            Some(country) => Some(Link::certain(
                supplier,
                format!("is recorded as controlled from {}", country.as_str()),
            )),
            None => self.named(&self.rule.matching.suppliers, supplier),
        }
    }

    /// By a fact about the country of the supplier, or of a group it belonged to.
    fn fact(&self, test: &FactTest, supplier: &str) -> Option<Link> {
        let fact = self.policies.countries().fact(&test.id)?;
        let affiliations = self.policies.affiliations();
        let holds = |country: &Country| fact.holds(country, self.question.as_of);
        let meets = |id: &str| -> Option<(Option<bool>, Country)> {
            let company = affiliations.company(id)?;
            let control = company.control.as_ref().filter(|_| test.whose == Whose::Group);
            let countries = [Some(&company.hq), control];
            let answers = countries
                .into_iter()
                .flatten()
                .map(|c| (holds(c).map(|h| h == test.holds), c.clone()));
            // A sure yes outranks an open answer, and that a sure no.
            answers.max_by_key(|(answer, _)| match answer {
                Some(true) => 2,
                None => 1,
                Some(false) => 0,
            })
        };
        let (own, country) = meets(supplier)?;
        let is = if test.holds { "" } else { "not " };
        let words = |country: &Country| format!("{}: {is}so in {}", fact.name, country.as_str());
        match own {
            Some(true) => return Some(Link::certain(supplier, words(&country))),
            None => {
                let open = Link::certain(supplier, words(&country));
                return Some(open.open("which is not settled for that country"));
            }
            Some(false) => {}
        }
        if test.whose != Whose::Group {
            return None;
        }
        let all = affiliations.suppliers.iter().map(|company| &company.id);
        let listed: Vec<String> = all
            .filter(|id| meets(id).is_some_and(|(m, _)| m == Some(true)))
            .cloned()
            .collect();
        let link = affiliations.link(self.search(&listed, Affiliates::Group), supplier)?;
        let country = meets(&link.listed)?.1;
        Some(Link {
            words: format!("{}; {}", link.words, words(&country)),
            ..link
        })
    }
}

fn told(link: Link, list: &str, entry: Option<&Entry>) -> Link {
    let Some(entry) = entry else { return link };
    let since = |from: PartialDate| format!("{list}, since {from}: {}", entry.words);
    Link {
        words: format!("{}; {}", link.words, since(entry.from)),
        ..link
    }
}
