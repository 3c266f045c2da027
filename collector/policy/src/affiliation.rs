//! Who belonged to whom, and when: dated edges between suppliers.
//!
//! Invariants: an edge carries a rule further only if the rule counts its kind
//! and the edge held on the day that matters; brand and OEM customer edges never
//! do. Chains end (each supplier is visited once).

use crate::date::PartialDate;
use crate::pack::{Affiliates, Confidence, Country, Grade};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use time::Date;

/// Companies and the edges between them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affiliations {
    /// The companies.
    #[serde(rename = "supplier")]
    pub suppliers: Vec<Company>,
    /// The edges.
    #[serde(rename = "edge")]
    pub edges: Vec<Edge>,
    #[serde(skip)]
    by_id: HashMap<String, usize>,
    #[serde(skip)]
    upward: HashMap<String, Vec<usize>>,
    #[serde(skip)]
    downward: HashMap<String, Vec<usize>>,
}

/// One company.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Company {
    /// Its key, the same as in identification.
    pub id: String,
    /// Its usual name.
    pub name: String,
    /// Country of its headquarters, ISO 3166-1 alpha-2.
    pub hq: Country,
    /// Country that controls it, where that is told; a question of its own.
    #[serde(default)]
    pub control: Option<Country>,
}

/// One edge: `holder` stands behind `held`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The owner, principal or customer.
    pub holder: String,
    /// The owned, the brand or the maker.
    pub held: String,
    /// What the edge is.
    pub kind: EdgeKind,
    /// Its first day, if known.
    #[serde(default)]
    pub from: Option<PartialDate>,
    /// Its last day, if it ended.
    #[serde(default)]
    pub to: Option<PartialDate>,
    /// In words.
    pub words: String,
    /// How good the fact is.
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

/// What an edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Controlled.
    Subsidiary,
    /// Controlled until the edge ended.
    FormerUnit,
    /// A holding below control.
    Minority,
    /// Shared with others.
    JointVenture,
    /// A name on goods.
    Brand,
    /// Sells goods of the other under its own name.
    OemCustomer,
}

impl EdgeKind {
    /// How far a rule counts such an edge, 0 to 1; `None` is not at all.
    fn weight(self, affiliates: Affiliates) -> Option<f64> {
        match (self, affiliates) {
            (Self::Brand | Self::OemCustomer, _) | (_, Affiliates::ListedOnly) => None,
            (Self::Subsidiary | Self::FormerUnit, _) => Some(1.0),
            (_, Affiliates::SubsidiariesAndAffiliates | Affiliates::WithParents) => Some(0.6),
            _ => None,
        }
    }

    /// As people say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subsidiary => "subsidiary",
            Self::FormerUnit => "former unit",
            Self::Minority => "minority holding",
            Self::JointVenture => "joint venture",
            Self::Brand => "brand",
            Self::OemCustomer => "OEM customer",
        }
    }
}

/// How a supplier comes to meet a rule's supplier test.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The supplier the rule lists.
    pub listed: String,
    /// Whether every edge surely held on the day that matters.
    pub sure: bool,
    /// Weakest edge, 0 to 1.
    pub certainty: f64,
    /// The chain in words.
    pub words: String,
    /// The day its place on a list starts to count, if that is to come.
    pub from: Option<PartialDate>,
}

impl Link {
    /// Without doubt, by itself.
    pub(crate) fn certain(listed: &str, words: String) -> Self {
        Self {
            listed: listed.to_owned(),
            sure: true,
            certainty: 1.0,
            words,
            from: None,
        }
    }

    /// The same, with this left open.
    pub(crate) fn open(self, words: &str) -> Self {
        Self {
            sure: false,
            certainty: self.certainty.min(0.5),
            words: format!("{}; {words}", self.words),
            ..self
        }
    }
}

/// Suppliers looked for, how far their edges count, and on which day.
#[derive(Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) listed: &'a [String],
    pub(crate) affiliates: Affiliates,
    /// Day the thing was made, or acquired.
    pub(crate) made: Option<PartialDate>,
    pub(crate) as_of: Date,
}

impl Search<'_> {
    fn meets(&self, supplier: &str) -> bool {
        self.listed.iter().any(|listed| listed == supplier)
    }
}

impl Edge {
    /// Whether the edge held on `day`: `None` where its dates are too coarse to tell.
    fn held_on(&self, day: Date) -> Option<bool> {
        if self.from.is_some_and(|from| day < from.first()) || self.to.is_some_and(|to| day > to.last()) {
            return Some(false);
        }
        let begun = self.from.is_none_or(|from| day >= from.last());
        let unended = self
            .to
            .is_none_or(|to| day < to.first() || to.first() == to.last());
        (begun && unended).then_some(true)
    }

    /// As before for goods made or acquired on a known day, or at an unknown one up to `as_of`.
    fn holds(&self, acquired: Option<PartialDate>, as_of: Date) -> Option<bool> {
        match acquired {
            Some(day) => match (self.held_on(day.first()), self.held_on(day.last())) {
                (Some(a), Some(b)) if a == b => Some(a),
                _ => None,
            },
            None => match self.held_on(as_of) {
                Some(false)
                    if self.kind == EdgeKind::FormerUnit && self.to.is_some_and(|to| to.last() < as_of) =>
                {
                    None
                }
                other => other,
            },
        }
    }

    fn certainty(&self) -> f64 {
        match self.grade {
            Grade::Stored => 1.0,
            Grade::GeneralKnowledge => self.confidence.map_or(0.6, Confidence::share).min(0.95),
        }
    }

    fn source_words(&self) -> String {
        match self.grade {
            Grade::Stored => self.title.clone().unwrap_or_default(),
            Grade::GeneralKnowledge => "general knowledge".to_owned(),
        }
    }
}

impl Affiliations {
    /// The company of this key.
    #[must_use]
    pub fn company(&self, id: &str) -> Option<&Company> {
        self.by_id
            .get(id)
            .and_then(|&position| self.suppliers.get(position))
    }

    /// The usual name of a supplier, or its key.
    #[must_use]
    pub fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.company(id).map_or(id, |company| company.name.as_str())
    }

    /// Fills the look-up tables; the first key that is used twice or not known is the error.
    pub(crate) fn connect(&mut self) -> Result<(), (String, &'static str)> {
        for (position, company) in self.suppliers.iter().enumerate() {
            if self.by_id.insert(company.id.clone(), position).is_some() {
                return Err((company.id.clone(), "this supplier key is used twice"));
            }
        }
        for (position, edge) in self.edges.iter().enumerate() {
            for end in [&edge.holder, &edge.held] {
                if !self.by_id.contains_key(end) {
                    return Err((end.clone(), "no [[supplier]] has this key; add one"));
                }
            }
            if edge.kind == EdgeKind::FormerUnit && edge.to.is_none() {
                return Err((edge.held.clone(), "a former_unit edge needs `to`"));
            }
            self.upward.entry(edge.held.clone()).or_default().push(position);
            self.downward
                .entry(edge.holder.clone())
                .or_default()
                .push(position);
        }
        Ok(())
    }

    /// Every supplier that could meet the test on some day.
    pub(crate) fn reach(&self, listed: &[String], affiliates: Affiliates) -> BTreeSet<String> {
        let mut met: BTreeSet<String> = listed.iter().cloned().collect();
        let mut todo: Vec<(String, bool)> = met.iter().map(|id| (id.clone(), true)).collect();
        if affiliates == Affiliates::WithParents {
            todo.extend(met.iter().map(|id| (id.clone(), false)));
        }
        while let Some((id, down)) = todo.pop() {
            for edge in self.edges_of(&id, down) {
                let other = if down { &edge.held } else { &edge.holder };
                if edge.kind.weight(affiliates).is_some() && met.insert(other.clone()) {
                    todo.push((other.clone(), down));
                }
            }
        }
        met
    }

    /// How `supplier` meets the named part of the test, if it does.
    pub(crate) fn link(&self, search: Search<'_>, supplier: &str) -> Option<Link> {
        if search.meets(supplier) {
            return Some(Link::certain(
                supplier,
                format!("{} is named", self.name(supplier)),
            ));
        }
        let up = self.climb(search, supplier, false);
        if search.affiliates != Affiliates::WithParents {
            return up;
        }
        up.or_else(|| self.climb(search, supplier, true))
    }

    fn climb(&self, search: Search<'_>, supplier: &str, down: bool) -> Option<Link> {
        let mut seen = BTreeSet::new();
        let mut best: Option<Link> = None;
        let mut todo = vec![(supplier, true, 1.0_f64, Vec::<String>::new())];
        // The surest way to a company is gone first, so that the first to arrive is the one to go on from.
        let surest = |todo: &[(&str, bool, f64, Vec<String>)]| {
            let ways = todo.iter().enumerate();
            let way = ways.max_by(|(_, a), (_, b)| a.1.cmp(&b.1).then(a.2.total_cmp(&b.2)));
            way.map(|(position, _)| position)
        };
        while let Some(position) = surest(&todo) {
            let (id, sure, certainty, path) = todo.swap_remove(position);
            if !seen.insert(id) {
                continue;
            }
            for edge in self.edges_of(id, down) {
                let other = if down {
                    edge.held.as_str()
                } else {
                    edge.holder.as_str()
                };
                let (Some(weight), held) = (
                    edge.kind.weight(search.affiliates),
                    edge.holds(search.made, search.as_of),
                ) else {
                    continue;
                };
                if held == Some(false) {
                    continue;
                }
                // Whether a holding below control makes an affiliate is for somebody to judge.
                let sure = sure && held == Some(true) && weight >= 1.0;
                let certainty = certainty.min(weight).min(edge.certainty());
                let mut path = path.clone();
                path.push(self.edge_words(edge));
                if search.meets(other) {
                    let better = best
                        .as_ref()
                        .is_none_or(|b| (sure, certainty) > (b.sure, b.certainty));
                    if better {
                        best = Some(Link {
                            listed: other.to_owned(),
                            sure,
                            certainty,
                            words: path.join("; "),
                            from: None,
                        });
                    }
                } else if !seen.contains(other) {
                    todo.push((other, sure, certainty, path));
                }
            }
        }
        best
    }

    /// The edges a supplier is an end of, as told.
    pub fn edges_with<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Edge> {
        self.edges_of(id, true).chain(self.edges_of(id, false))
    }

    fn edges_of(&self, id: &str, down: bool) -> impl Iterator<Item = &Edge> {
        let table = if down { &self.downward } else { &self.upward };
        table
            .get(id)
            .into_iter()
            .flatten()
            .filter_map(|&position| self.edges.get(position))
    }

    fn edge_words(&self, edge: &Edge) -> String {
        let span = match (edge.from, edge.to) {
            (None, None) => String::new(),
            (Some(from), None) => format!(" since {from}"),
            (None, Some(to)) => format!(" until {to}"),
            (Some(from), Some(to)) => format!(" from {from} to {to}"),
        };
        let kind = edge.kind.as_str();
        let words = if edge.words.starts_with(kind) {
            edge.words.clone()
        } else {
            format!("{kind}, {}", edge.words)
        };
        let (held, holder) = (self.name(&edge.held), self.name(&edge.holder));
        format!(
            "{held} belongs to the group of {holder} ({words}{span}; {})",
            edge.source_words()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    const FIRMS: &str = r#"
supplier = [
    { id = "top", name = "Top", hq = "DE" }, { id = "mid", name = "Mid", hq = "DE" }, { id = "low", name = "Low", hq = "DE" },
    { id = "label", name = "Label", hq = "DE" }, { id = "buyer", name = "Buyer", hq = "DE" }, { id = "sold", name = "Sold", hq = "DE" },
    { id = "part", name = "Part", hq = "DE" }, { id = "weak", name = "Weak", hq = "DE" }, { id = "both", name = "Both", hq = "DE" },
]
edge = [
    { holder = "top", held = "mid", kind = "subsidiary", words = "owned", grade = "stored", title = "Register" },
    { holder = "mid", held = "low", kind = "subsidiary", from = "2019-06", words = "owned", grade = "general_knowledge", confidence = "medium" },
    { holder = "low", held = "top", kind = "subsidiary", words = "a ring", grade = "stored" },
    { holder = "top", held = "label", kind = "brand", words = "a name", grade = "stored" },
    { holder = "top", held = "buyer", kind = "oem_customer", words = "relabels", grade = "stored" },
    { holder = "top", held = "sold", kind = "former_unit", to = "2022", words = "sold", grade = "stored" },
    { holder = "top", held = "part", kind = "minority", words = "a third", grade = "stored" },
    { holder = "top", held = "weak", kind = "minority", words = "a third", grade = "stored" },
    { holder = "top", held = "weak", kind = "subsidiary", words = "owned", grade = "stored" },
    { holder = "mid", held = "both", kind = "minority", words = "a third", grade = "stored" },
    { holder = "low", held = "both", kind = "subsidiary", words = "owned", grade = "stored" },
]
"#;

    fn link(supplier: &str, affiliates: &str, acquired: Option<&str>) -> Option<(bool, f64, String)> {
        let mut firms: Affiliations = toml::from_str(FIRMS).unwrap();
        firms.connect().unwrap();
        let listed = ["top".to_owned()];
        let affiliates = Affiliates::read(affiliates).unwrap();
        let search = Search {
            listed: &listed,
            affiliates,
            made: acquired.map(|day| day.parse().unwrap()),
            as_of: date!(2026 - 11 - 25),
        };
        let found = firms.link(search, supplier)?;
        assert_eq!(found.listed, "top");
        assert!(firms.reach(&listed, affiliates).contains(supplier));
        Some((found.sure, found.certainty, found.words))
    }

    #[test]
    fn each_rule_counts_its_own_edges() {
        for (supplier, affiliates, acquired, expected) in [
            ("top", "listed_only", None, Some((true, 1.0))),
            ("mid", "listed_only", None, None),
            ("mid", "group", None, Some((true, 1.0))),
            ("low", "group", None, Some((true, 0.85))),
            ("low", "group", Some("2019-05-31"), None),
            ("low", "group", Some("2019-06-15"), Some((false, 0.85))),
            ("low", "group", Some("2019-07-01"), Some((true, 0.85))),
            ("label", "with_parents", None, None),
            ("buyer", "with_parents", None, None),
            ("label", "brand", None, None),
            ("sold", "group", Some("2021-12-31"), Some((true, 1.0))),
            ("sold", "group", Some("2022-07-01"), Some((false, 1.0))),
            ("sold", "group", Some("2023-01-01"), None),
            ("sold", "group", None, Some((false, 1.0))),
            ("part", "group", None, None),
            ("part", "subsidiaries_and_affiliates", None, Some((false, 0.6))),
            // Of two holdings, and of two ways, the surer counts, whichever the file names first.
            ("weak", "subsidiaries_and_affiliates", None, Some((true, 1.0))),
            ("both", "subsidiaries_and_affiliates", None, Some((true, 0.85))),
        ] {
            let found = link(supplier, affiliates, acquired).map(|(sure, certainty, _)| (sure, certainty));
            assert_eq!(found, expected, "{supplier} {affiliates} {acquired:?}");
        }
    }

    #[test]
    fn the_chain_is_told_with_its_sources() {
        let (_, _, words) = link("low", "group", None).unwrap();
        assert_eq!(
            words,
            "Low belongs to the group of Mid (subsidiary, owned since 2019-06; general knowledge); \
             Mid belongs to the group of Top (subsidiary, owned; Register)"
        );
    }
}
