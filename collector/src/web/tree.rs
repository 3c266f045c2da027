//! The parts of a unit as a tree that is drawn row by row.
//!
//! Invariants: every part appears once, also when its parent is missing or parents
//! run in a circle; depth and number of rows are bounded; nothing recurses.

use super::show;
use model::{Attribution, ComponentIdentity, Severity};
use std::collections::{BTreeSet, HashMap};

/// Deeper parts are drawn at this depth.
const MAX_DEPTH: usize = 16;
/// Down to here the tree is open when the page is, and a large one less far.
const OPEN_DEPTH: usize = 2;
const LARGE: usize = 80;

/// One part, and what to open and close around it.
#[derive(Debug)]
pub struct Row {
    /// Index of the part.
    pub index: String,
    /// Class in words.
    pub class: String,
    /// Name, or what else is told.
    pub name: String,
    /// Description.
    pub description: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Maker of this very part.
    pub maker: Option<Attributed>,
    /// Brand, where it differs.
    pub brand: Option<Attributed>,
    /// The most urgent finding about it.
    pub worst: Option<Severity>,
    /// How many parts sit in it directly; 0 is a leaf.
    pub children: usize,
    /// Whether its list starts open.
    pub open: bool,
    /// How many lists end after it.
    pub closes: usize,
}

/// A supplier with confidence in words.
#[derive(Debug)]
pub struct Attributed {
    /// Name.
    pub name: String,
    /// Confidence in per cent.
    pub confidence: String,
}

impl Attributed {
    /// As shown.
    #[must_use]
    pub fn new(of: &Attribution) -> Self {
        Self {
            name: show::clean(&of.supplier.name, 48),
            confidence: show::confidence(of.confidence),
        }
    }
}

/// Draws at most `limit` parts; `worst` tells the most urgent finding of a part.
#[must_use]
pub fn draw(parts: &[ComponentIdentity], worst: &HashMap<&str, Severity>, limit: usize) -> Vec<Row> {
    let known: HashMap<&str, &ComponentIdentity> =
        parts.iter().map(|part| (part.index.as_str(), part)).collect();
    let parent = |part: &ComponentIdentity| {
        part.parent
            .as_deref()
            .filter(|&parent| parent != part.index)
            .and_then(|parent| known.get(parent).copied())
    };
    let mut below: HashMap<&str, Vec<&ComponentIdentity>> = HashMap::new();
    let mut roots = Vec::new();
    for part in parts {
        match parent(part) {
            Some(parent) => below.entry(&parent.index).or_default().push(part),
            None => roots.push(part),
        }
    }
    let mut to_open = BTreeSet::new();
    for &index in worst.keys() {
        let mut part = known.get(index).copied().and_then(parent);
        while let Some(above) = part.filter(|above| to_open.insert(above.index.as_str())) {
            part = parent(above);
        }
    }
    let mut drawn = BTreeSet::new();
    let mut order = Vec::new();
    // Parts in a circle hang below no root: each still undrawn one then starts a tree of its own.
    for root in roots.into_iter().chain(parts) {
        let mut todo = vec![(root, 0)];
        while let Some((part, depth)) = todo.pop() {
            if order.len() >= limit {
                break;
            }
            if drawn.insert(part.index.as_str()) {
                order.push((part, depth));
                let inside = below.get(part.index.as_str()).into_iter().flatten().rev();
                todo.extend(inside.map(|&child| (child, (depth + 1).min(MAX_DEPTH))));
            }
        }
    }
    let depths: Vec<usize> = order.iter().map(|&(_, depth)| depth).skip(1).chain([0]).collect();
    let open_depth = if order.len() > LARGE {
        OPEN_DEPTH - 1
    } else {
        OPEN_DEPTH
    };
    let row = |((part, depth), next): ((&ComponentIdentity, usize), usize)| {
        let holds = next > depth;
        let inside = below.get(part.index.as_str()).map_or(0, Vec::len);
        Row {
            index: show::clean(&part.index, 48),
            class: show::class(part.class),
            name: first_told(&[&part.name, &part.description, &part.model, &part.index]),
            description: show::clean(&part.description, 96),
            model: show::clean(&part.model, 48),
            serial: show::clean(&part.serial, 48),
            maker: part.maker.as_ref().map(Attributed::new),
            brand: part
                .brand
                .as_ref()
                .filter(|b| differs(b, part.maker.as_ref()))
                .map(Attributed::new),
            worst: worst.get(part.index.as_str()).copied(),
            children: if holds { inside } else { 0 },
            open: depth < open_depth || to_open.contains(part.index.as_str()),
            closes: depth.saturating_sub(next),
        }
    };
    order.into_iter().zip(depths).map(row).collect()
}

fn differs(brand: &Attribution, maker: Option<&Attribution>) -> bool {
    maker.is_none_or(|maker| maker.supplier != brand.supplier)
}

fn first_told(texts: &[&str]) -> String {
    texts
        .iter()
        .map(|text| show::clean(text, 64))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::ComponentClass;

    fn parts(edges: &[(&str, &str)]) -> Vec<ComponentIdentity> {
        let part = |&(index, parent): &(&str, &str)| ComponentIdentity {
            index: index.to_owned(),
            parent: (!parent.is_empty()).then(|| parent.to_owned()),
            class: ComponentClass::Module,
            name: index.to_owned(),
            description: String::new(),
            model: String::new(),
            serial: String::new(),
            revision: String::new(),
            maker: None,
            brand: None,
        };
        edges.iter().map(part).collect()
    }

    fn drawn(edges: &[(&str, &str)]) -> String {
        let rows = draw(&parts(edges), &HashMap::new(), 100);
        let text = |row: &Row| {
            let open = if row.children > 0 { "(" } else { "" };
            format!("{}{open}{}", row.index, ")".repeat(row.closes))
        };
        rows.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn nested_in_order_whatever_order_they_come_in() {
        assert_eq!(
            drawn(&[("1", ""), ("2", "1"), ("3", "1"), ("4", "2"), ("5", "")]),
            "1( 2( 4) 3) 5"
        );
        assert_eq!(drawn(&[("4", "2"), ("2", "1"), ("1", "")]), "1( 2( 4))");
    }

    #[test]
    fn orphans_circles_and_twins_appear_once() {
        assert_eq!(drawn(&[("1", "9"), ("2", "2")]), "1 2");
        assert_eq!(drawn(&[("1", "2"), ("2", "1")]), "1( 2)");
        assert_eq!(drawn(&[("1", ""), ("1", "")]), "1");
    }

    #[test]
    fn opened_and_closed_lists_balance_when_cut_or_deep() {
        let chain: Vec<(String, String)> = (1..60)
            .map(|n: u32| (n.to_string(), (n - 1).to_string()))
            .collect();
        let edges: Vec<_> = chain.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        for limit in [0, 1, 5, 17, 18, 59, 100] {
            let rows = draw(&parts(&edges), &HashMap::new(), limit);
            assert_eq!(rows.len(), limit.min(59));
            let opened = rows.iter().filter(|row| row.children > 0).count();
            assert_eq!(
                opened,
                rows.iter().map(|row| row.closes).sum::<usize>(),
                "{limit}"
            );
        }
    }

    #[test]
    fn a_finding_opens_the_way_to_it() {
        let all = parts(&[
            ("1", ""),
            ("2", "1"),
            ("3", "2"),
            ("4", "3"),
            ("5", "4"),
            ("6", "3"),
            ("7", "6"),
        ]);
        let open = |worst: &HashMap<&str, Severity>| -> Vec<String> {
            let rows = draw(&all, worst, 100);
            rows.iter()
                .filter(|row| row.children > 0 && row.open)
                .map(|row| row.index.clone())
                .collect()
        };
        assert_eq!(open(&HashMap::new()), ["1", "2"]);
        assert_eq!(
            open(&HashMap::from([("5", Severity::Major)])),
            ["1", "2", "3", "4"]
        );
    }
}
