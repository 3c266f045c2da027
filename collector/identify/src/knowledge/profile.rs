//! All that is known of one supplier, for people who look it up.
//!
//! Invariant: who holds a number or a prefix is told by the same look-up that names
//! makers, so that this page and a claim never differ.

use super::{EnterpriseKind, Knowledge, Supplier, SupplierRole};
use model::SupplierRef;
use std::collections::HashMap;

/// A supplier as the knowledge has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Key and usual English name.
    pub supplier: SupplierRef,
    /// Whether somebody curated it; otherwise its name is that of a registry.
    pub curated: bool,
    /// What its name on something tells, in words.
    pub tells: &'static str,
    /// Legal, native and former names.
    pub names: Vec<String>,
    /// Spellings under which registries and devices mean it; `*` may go on.
    pub spellings: Vec<String>,
    /// Names it puts on equipment, as texts of devices are searched for them.
    pub words: Vec<String>,
    /// Brands.
    pub brands: Vec<String>,
    /// Where the spellings stand.
    pub source: String,
    /// Its IANA private enterprise numbers, each with organisation and former name as registered.
    pub numbers: Vec<Number>,
    /// Its IEEE prefixes in hexadecimal, by the organisation that holds them.
    pub prefixes: Vec<(String, Vec<String>)>,
    /// Object identifiers of which the knowledge says more than their number does.
    pub objects: Vec<Object>,
}

/// An enterprise number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// The number below 1.3.6.1.4.1.
    pub number: u32,
    /// Who it is registered to.
    pub organisation: String,
    /// The former name the registry tells; empty for none.
    pub formerly: String,
}

/// An object identifier that needs a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// It, below 1.3.6.1.4.1.
    pub arcs: String,
    /// What it tells, in words.
    pub tells: &'static str,
    /// Other names that stand on such equipment.
    pub labels: Vec<String>,
    /// Where that stands.
    pub source: String,
}

/// Numbers and prefixes by the key of their supplier, as places in the registries.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    numbers: HashMap<String, Vec<u32>>,
    organisations: HashMap<String, Vec<usize>>,
}

impl Knowledge {
    /// What is known of a supplier, curated or named by a registry; [`None`] of a key nobody bears.
    /// The first call reads both registries through, which takes a good part of a second.
    #[must_use]
    pub fn profile(&self, id: &str) -> Option<Profile> {
        let holdings = self.holdings.get_or_init(|| self.held());
        let numbers = holdings.numbers.get(id).map_or(&[][..], Vec::as_slice);
        let organisations = holdings.organisations.get(id).map_or(&[][..], Vec::as_slice);
        let curated = self
            .by_id
            .get(id)
            .and_then(|&at| Some((at, self.suppliers.get(at)?)));
        let numbers: Vec<Number> = numbers.iter().filter_map(|&number| self.number(number)).collect();
        let prefixes: Vec<(String, Vec<String>)> = organisations
            .iter()
            .filter_map(|&at| self.address_registry.organisation(at))
            .collect();
        let registered = numbers
            .first()
            .map(|number| &number.organisation)
            .or_else(|| prefixes.first().map(|(organisation, _)| organisation));
        let supplier = match curated {
            Some((_, supplier)) => super::reference(supplier),
            None => self.named(registered?)?.supplier,
        };
        let of = |list: fn(&Supplier) -> &Vec<String>| {
            curated
                .map(|(_, supplier)| list(supplier).clone())
                .unwrap_or_default()
        };
        Some(Profile {
            supplier,
            curated: curated.is_some(),
            tells: curated.map_or("its builder, as far as the registries tell", |(_, supplier)| {
                tells(supplier.role)
            }),
            names: of(|supplier| &supplier.legal),
            spellings: of(|supplier| &supplier.spellings),
            words: of(|supplier| &supplier.words),
            brands: of(|supplier| &supplier.brands),
            source: curated
                .map(|(_, supplier)| supplier.source.clone())
                .unwrap_or_default(),
            numbers,
            prefixes,
            objects: curated.map(|(at, _)| self.objects(at)).unwrap_or_default(),
        })
    }

    /// Both registries, by whom each entry names.
    fn held(&self) -> Holdings {
        let mut held = Holdings::default();
        for number in self.enterprise_registry.all() {
            if let Some(registrant) = self.registrant(number) {
                let id = registrant.named.supplier.id;
                held.numbers.entry(id).or_default().push(number);
            }
        }
        for (at, organisation) in self.address_registry.all() {
            if let Some(named) = self.named(organisation) {
                held.organisations.entry(named.supplier.id).or_default().push(at);
            }
        }
        held
    }

    fn number(&self, number: u32) -> Option<Number> {
        let (organisation, formerly) = self.enterprise_registry.get(number)?;
        Some(Number {
            number,
            organisation: organisation.to_owned(),
            formerly: formerly.to_owned(),
        })
    }

    fn objects(&self, at: usize) -> Vec<Object> {
        let rows = self.enterprises.values().filter(|row| {
            let labelled = || {
                row.labels
                    .iter()
                    .any(|label| label.name == at || label.brand == at)
            };
            row.supplier == Some(at) || labelled()
        });
        let name = |at: usize| self.suppliers.get(at).map(|supplier| supplier.name.clone());
        let mut objects: Vec<Object> = rows
            .map(|row| Object {
                arcs: row
                    .prefix
                    .iter()
                    .map(u32::to_string)
                    .collect::<Vec<_>>()
                    .join("."),
                tells: if row.supplier == Some(at) {
                    number_tells(row.kind)
                } else {
                    "its name is on equipment that another one made"
                },
                labels: row
                    .labels
                    .iter()
                    .map(|label| label.brand)
                    .chain(row.supplier)
                    .filter(|&other| other != at)
                    .filter_map(name)
                    .collect(),
                source: row.source.clone(),
            })
            .collect();
        objects.sort_by(|a, b| a.arcs.cmp(&b.arcs));
        objects
    }
}

fn tells(role: SupplierRole) -> &'static str {
    match role {
        SupplierRole::Maker => "its builder",
        SupplierRole::Computer => "its builder, except on a network card",
        SupplierRole::Board => "the builder of the board within",
        SupplierRole::Chip => "the chip or kit within, never the maker of the unit",
        SupplierRole::Software => "the software on it, never a maker",
    }
}

fn number_tells(kind: EnterpriseKind) -> &'static str {
    match kind {
        EnterpriseKind::Owner => "names it as the maker",
        EnterpriseKind::Oem => "names it as the maker; another name is on the label",
        EnterpriseKind::Weak => "counts only beside other evidence",
        EnterpriseKind::Generic => "names nobody",
        EnterpriseKind::Software => "names the system, not the maker",
        EnterpriseKind::Controller => "a management controller within computers of others",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curated_supplier_comes_with_its_names_numbers_and_prefixes() {
        let knowledge = Knowledge::built_in().unwrap();
        let found = knowledge.profile("huawei").unwrap();
        assert!(found.curated && !found.names.is_empty() && !found.brands.is_empty());
        assert!(found.numbers.iter().any(|number| number.number == 2011));
        let mut prefixes = found.prefixes.iter().flat_map(|(_, prefixes)| prefixes);
        assert!(prefixes.any(|prefix| prefix == "00E0FC"));
        assert!(found.prefixes.iter().all(|(holder, _)| {
            knowledge
                .named(holder)
                .is_some_and(|named| named.supplier.id == "huawei")
        }));
    }

    #[test]
    fn whom_a_registry_alone_names_is_found_by_the_key_claims_use() {
        let knowledge = Knowledge::built_in().unwrap();
        let named = knowledge.named("1Finity Inc").unwrap();
        assert!(!named.listed);
        let found = knowledge.profile(&named.supplier.id).unwrap();
        assert!(!found.curated && found.names.is_empty());
        assert!(!found.prefixes.is_empty());
        assert_eq!(knowledge.profile("nobody_bears_this_key"), None);
    }
}
