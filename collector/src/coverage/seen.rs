//! Whom elements tell of and nobody polls: seen, not polled.
//!
//! Invariants: pure; one line for what a hardware address or a management address at the same site shows to be one;
//! nothing here is ever clear, and a maker is hearsay at its stated confidence.

use model::{Attribution, SiteName};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use store::clause::{Clause, ElementField, Value};
use store::coverage::NeighbourRow;

/// Somebody who was seen and is not polled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// Site of whoever told it.
    pub site: SiteName,
    /// What it calls itself; words of a device.
    pub name: String,
    /// Management addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Hardware addresses.
    pub macs: BTreeSet<String>,
    /// How it describes itself; words of a device.
    pub description: String,
    /// Who may have made it, and how surely.
    pub maker: Option<Attribution>,
    /// How it was told: `lldp`, `cdp`, `arp`, `bridge`.
    pub protocols: BTreeSet<String>,
    /// An element that told it.
    pub element: String,
    /// Its name.
    pub told_by: String,
    /// How many elements told the same at least.
    pub elements: u64,
}

/// One line for each, in the order the rows come: those who spoke for themselves first.
#[must_use]
pub fn seen(rows: &[NeighbourRow]) -> Vec<Seen> {
    let mut all: Vec<Seen> = Vec::new();
    let mut known: BTreeMap<(&SiteName, String), usize> = BTreeMap::new();
    for row in rows {
        let mac = row.mac.as_ref().map(|mac| (&row.site, format!("mac {mac}")));
        let address = row
            .address
            .map(|address| (&row.site, format!("address {address}")));
        let name = (&row.site, format!("name {}", row.told_name));
        let keys: Vec<_> = match (mac, address) {
            (None, None) => vec![name],
            (mac, address) => mac.into_iter().chain(address).collect(),
        };
        let at = keys
            .iter()
            .find_map(|key| known.get(key).copied())
            .unwrap_or(all.len());
        for key in keys {
            known.entry(key).or_insert(at);
        }
        match all.get_mut(at) {
            Some(one) => one.add(row),
            None => all.push(Seen::new(row)),
        }
    }
    all
}

impl Seen {
    fn new(row: &NeighbourRow) -> Self {
        Self {
            site: row.site.clone(),
            name: row.told_name.clone(),
            addresses: row.address.into_iter().collect(),
            macs: row.mac.clone().into_iter().collect(),
            description: row.description.clone(),
            maker: row.maker.clone(),
            protocols: BTreeSet::from([row.protocol.clone()]),
            element: row.element.to_string(),
            told_by: row.name.clone(),
            elements: row.elements,
        }
    }

    fn add(&mut self, row: &NeighbourRow) {
        self.addresses.extend(row.address);
        self.macs.extend(row.mac.clone());
        self.protocols.insert(row.protocol.clone());
        self.elements = self.elements.max(row.elements);
        for (mine, told) in [
            (&mut self.name, &row.told_name),
            (&mut self.description, &row.description),
        ] {
            if mine.is_empty() {
                mine.clone_from(told);
            }
        }
        let sure = |maker: &Option<Attribution>| maker.as_ref().map_or(0.0, |maker| maker.confidence);
        if sure(&row.maker) > sure(&self.maker) {
            self.maker.clone_from(&row.maker);
        }
    }

    /// Whether these conditions keep it: its role and standing are unknown, and it never answered.
    #[must_use]
    pub fn fits(&self, clauses: &[Clause<ElementField>]) -> bool {
        let maker = self.maker.as_ref().map(|maker| maker.supplier.id.as_str());
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        let words = [&self.name, &self.description].into_iter().chain(&self.macs);
        let words: Vec<_> = words.chain(&addresses).map(String::as_str).collect();
        clauses.iter().all(|clause| {
            // Each of its words may be what is looked for.
            let met = |word: &&str| {
                clause.any.iter().any(|test| {
                    let one = Clause::any(vec![test.clone()]);
                    one.holds(|field| match field {
                        ElementField::Site => Some(Value::Text(self.site.as_str())),
                        ElementField::Maker => maker.map(Value::Text),
                        ElementField::Role | ElementField::Standing => Some(Value::Text("unknown")),
                        ElementField::Name => Some(Value::Text(word)),
                        _ => None,
                    })
                })
            };
            words.iter().any(met) != clause.not
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::meaning::{self, Asking};
    use crate::filter::{Line, Subject};
    use model::{ElementId, Instant, SupplierRef};

    fn row(site: &str, address: &str, mac: &str, name: &str, confidence: f64) -> NeighbourRow {
        NeighbourRow {
            site: site.parse().unwrap(),
            address: address.parse().ok(),
            mac: (!mac.is_empty()).then(|| mac.to_owned()),
            protocol: if name.is_empty() { "arp" } else { "lldp" }.to_owned(),
            told_name: name.to_owned(),
            description: String::new(),
            maker: (confidence > 0.0).then(|| Attribution {
                supplier: SupplierRef {
                    id: "huawei".into(),
                    name: "Huawei".into(),
                },
                confidence,
            }),
            element: ElementId::generate(),
            name: "core".to_owned(),
            elements: 1,
        }
    }

    #[test]
    fn one_line_for_what_one_address_shows_to_be_one_at_a_site() {
        let rows = [
            row("berlin", "192.0.2.9", "m1", "edge", 0.0),
            row("berlin", "2001:db8::9", "m1", "edge", 0.0),
            row("lyon", "192.0.2.9", "", "other", 0.0),
            row("berlin", "192.0.2.9", "", "", 0.3),
            row("berlin", "", "", "nameless box", 0.0),
            row("berlin", "", "", "nameless box", 0.0),
        ];
        let all = seen(&rows);
        let told: Vec<_> = all
            .iter()
            .map(|one| {
                (
                    one.name.as_str(),
                    one.addresses.len(),
                    one.protocols.len(),
                    one.maker.is_some(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("edge", 2, 2, true),
                ("other", 1, 1, false),
                ("nameless box", 0, 1, false)
            ]
        );
        let fits = |one: &Seen, text: &str| {
            let line = Line::read(Subject::Elements, text).unwrap();
            let asking = Asking {
                then: None,
                now: Instant(0),
                person: "",
                sites: None,
            };
            one.fits(&meaning::elements(&line, &asking).clauses)
        };
        assert!(fits(&all[0], "site:berlin maker:huawei EDGE -lyon"));
        assert!(fits(&all[0], "192.0.2.9") && fits(&all[2], "maker:unknown role:unknown seen:never"));
        assert!(!fits(&all[0], "site:lyon") && !fits(&all[1], "maker:huawei"));
        assert!(!fits(&all[0], "-edge") && !fits(&all[0], "role:core"));
    }
}
