//! Elements and findings added up by law, role, maker, model and site.
//!
//! Invariant: an element counts once in each sum, however many findings it has; what
//! has no price is counted beside the costs and never taken as free.

use crate::web::Web;
use crate::web::access::Visit;
use crate::web::show;
use model::on_file::OnFile;
use model::{Role, Severity};
use std::collections::{BTreeMap, BTreeSet};
use store::ledger::{Burden, Ledger, Stock};

/// What has something in common, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Elements.
    pub(super) elements: u64,
    /// Of these, too little is known to judge: their standing is unknown.
    pub(super) unknown: u64,
    /// Of these, nobody is named who made the unit; some of them have findings of their parts.
    pub(super) nameless: u64,
    /// Of these, never seen.
    pub(super) dark: u64,
    /// Of these, with an open finding.
    pub(super) exposed: u64,
    /// Open findings.
    pub(super) findings: u64,
    /// The most urgent among them.
    pub(super) worst: Option<Severity>,
    /// What replacing those with an open finding costs, as far as there is a price.
    pub(super) cost: u64,
    /// Of those, without one.
    pub(super) unpriced: u64,
}

impl Sums {
    fn of(stock: &Stock, on_file: &OnFile) -> Self {
        let model = stock.model.as_deref().unwrap_or_default();
        let price = stock
            .maker
            .as_ref()
            .and_then(|maker| on_file.price(&maker.id, model));
        Self {
            elements: stock.elements,
            unknown: stock.unknown,
            nameless: if stock.maker.is_none() { stock.elements } else { 0 },
            dark: stock.elements.saturating_sub(stock.reached),
            exposed: stock.exposed,
            cost: price.map_or(0, |price| price.price.saturating_mul(stock.exposed)),
            unpriced: if price.is_none() { stock.exposed } else { 0 },
            ..Self::default()
        }
    }

    /// Adds the elements and costs of another, and not its findings.
    pub(super) fn add(&mut self, other: &Self) {
        self.elements += other.elements;
        self.unknown += other.unknown;
        self.nameless += other.nameless;
        self.dark += other.dark;
        self.exposed += other.exposed;
        self.cost = self.cost.saturating_add(other.cost);
        self.unpriced += other.unpriced;
    }

    /// Adds findings.
    pub(super) fn find(&mut self, findings: u64, worst: Option<Severity>) {
        self.findings += findings;
        self.worst = [self.worst, worst].into_iter().flatten().min();
    }

    /// The cost, and what is not in it.
    pub(super) fn cost_words(&self, currency: Option<&str>) -> (String, String) {
        let without = show::number(self.unpriced);
        match (self.exposed, currency) {
            (0, _) => ("0".to_owned(), "no element has an open finding".to_owned()),
            (_, None) => ("unknown".to_owned(), "no prices are on file".to_owned()),
            (exposed, _) if exposed == self.unpriced => {
                ("unknown".to_owned(), format!("{without} without a price"))
            }
            (_, Some(currency)) if self.unpriced == 0 => (show::number(self.cost), currency.to_owned()),
            (_, Some(currency)) => (
                show::number(self.cost),
                format!("{currency} and {without} without a price"),
            ),
        }
    }
}

/// Everything added up.
#[derive(Debug, Default)]
pub(super) struct Tally {
    laws: BTreeMap<String, Vec<String>>,
    cells: BTreeMap<(String, String), Sums>,
    codes: BTreeMap<String, Sums>,
    roles: BTreeMap<String, Sums>,
    /// All of it.
    pub(super) all: Sums,
    /// By key of the maker, with its name.
    pub(super) makers: BTreeMap<String, (String, Sums)>,
    /// By maker, its name, and model.
    pub(super) models: BTreeMap<(String, String, String), Sums>,
    /// By site.
    pub(super) places: BTreeMap<String, Sums>,
    /// Of the prices on file.
    pub(super) currency: Option<String>,
}

static NOTHING: Sums = Sums {
    elements: 0,
    unknown: 0,
    nameless: 0,
    dark: 0,
    exposed: 0,
    findings: 0,
    worst: None,
    cost: 0,
    unpriced: 0,
};

fn role_word(role: Option<Role>) -> String {
    show::role(role).to_owned()
}

impl Tally {
    /// Nothing counted yet, of sites under these laws.
    pub(super) fn new(laws: BTreeMap<String, Vec<String>>) -> Self {
        let codes = laws.values().flatten();
        Self {
            codes: codes.map(|code| (code.clone(), Sums::default())).collect(),
            laws,
            ..Self::default()
        }
    }

    /// Adds what the store counted at the sites whoever looks may see.
    pub(super) fn take_ledger(&mut self, ledger: &Ledger, visit: &Visit) {
        self.currency = currency(visit);
        for stock in ledger.stock.iter().filter(|one| visit.person.sees(&one.site)) {
            let sums = Sums::of(stock, &visit.on_file);
            self.stand(stock.site.as_str(), stock.role, &sums);
            if let Some(maker) = &stock.maker {
                self.maker(&maker.id, || maker.name.clone()).add(&sums);
                let key = (
                    maker.id.clone(),
                    maker.name.clone(),
                    stock.model.clone().unwrap_or_default(),
                );
                self.models.entry(key).or_default().add(&sums);
            }
        }
        for burden in ledger.burdens.iter().filter(|one| visit.person.sees(&one.site)) {
            self.bear(burden);
        }
        for blame in ledger.blames.iter().filter(|one| visit.person.sees(&one.site)) {
            let name = || visit.policies.affiliations().name(&blame.supplier).to_owned();
            self.maker(&blame.supplier, name).find(blame.findings, None);
        }
    }

    /// The sums of a supplier; one whose parts alone were found has no element of its own.
    pub(super) fn maker(&mut self, id: &str, name: impl FnOnce() -> String) -> &mut Sums {
        let own = self.makers.entry(id.to_owned());
        &mut own.or_insert_with(|| (name(), Sums::default())).1
    }

    /// Adds elements at a site in a role.
    pub(super) fn stand(&mut self, site: &str, role: Option<Role>, sums: &Sums) {
        self.all.add(sums);
        self.roles.entry(role_word(role)).or_default().add(sums);
        self.places.entry(site.to_owned()).or_default().add(sums);
        for code in self.laws.get(site).into_iter().flatten() {
            self.codes.entry(code.clone()).or_default().add(sums);
            self.cells
                .entry((code.clone(), role_word(role)))
                .or_default()
                .add(sums);
        }
    }

    fn bear(&mut self, burden: &Burden) {
        self.found(
            &burden.jurisdiction,
            show::role(burden.role),
            burden.open,
            burden.worst,
        );
        let place = self.places.entry(burden.site.to_string()).or_default();
        place.find(burden.open, burden.worst);
    }

    /// Adds findings of a law in a role.
    pub(super) fn found(&mut self, code: &str, role: &str, findings: u64, worst: Option<Severity>) {
        self.all.find(findings, worst);
        self.roles
            .entry(role.to_owned())
            .or_default()
            .find(findings, worst);
        self.codes
            .entry(code.to_owned())
            .or_default()
            .find(findings, worst);
        let cell = self.cells.entry((code.to_owned(), role.to_owned())).or_default();
        cell.find(findings, worst);
    }

    /// The laws that hold somewhere or of which something was found.
    pub(super) fn codes(&self) -> impl Iterator<Item = &str> {
        self.codes.keys().map(String::as_str)
    }

    /// The sites under a law.
    pub(super) fn sites_under<'a>(&'a self, code: &'a str) -> impl Iterator<Item = &'a str> {
        let under = move |(_, laws): &(&String, &Vec<String>)| laws.iter().any(|law| law == code);
        self.laws.iter().filter(under).map(|(site, _)| site.as_str())
    }

    /// The laws that hold at a site, in words.
    pub(super) fn law_of(&self, site: &str) -> String {
        self.laws
            .get(site)
            .map(|laws| laws.join(", "))
            .unwrap_or_default()
    }

    /// The sums of a law in a role, or in all.
    pub(super) fn cell(&self, code: &str, role: Option<&str>) -> &Sums {
        let found = match role {
            Some(role) => self.cells.get(&(code.to_owned(), role.to_owned())),
            None => self.codes.get(code),
        };
        found.unwrap_or(&NOTHING)
    }

    /// The sums of a role, or of all.
    pub(super) fn role(&self, role: Option<&str>) -> &Sums {
        role.map_or(&self.all, |role| self.roles.get(role).unwrap_or(&NOTHING))
    }
}

/// The currency of the prices on file; they have one in common.
pub(super) fn currency(web: &Web) -> Option<String> {
    let currencies: BTreeSet<&String> = web.on_file.prices.iter().map(|price| &price.currency).collect();
    currencies.into_iter().next().cloned()
}
