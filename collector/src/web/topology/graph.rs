//! The graph of one site: who is drawn, and who is linked to whom.
//!
//! Invariants: one node for what an element, a hardware address or an address shows to be one; one link
//! for each pair, however often and by whomever it is named; at most [`MOST`] nodes, those with most links.

use super::super::show;
use model::{ElementId, Standing, SupplierRef};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use store::field::{LinkRow, NodeRow};

/// Nodes drawn.
pub const MOST: usize = 300;

/// Somebody in the drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Which element; nobody polls it where there is none.
    pub element: Option<ElementId>,
    /// Its name.
    pub name: String,
    /// Who made it; hearsay where nobody polls it.
    pub maker: Option<SupplierRef>,
    /// How it stands.
    pub standing: Option<Standing>,
    /// How many it is linked to, drawn or not.
    pub degree: usize,
}

/// Who is drawn.
#[derive(Debug, Default)]
pub struct Graph {
    /// Those with links first.
    pub nodes: Vec<Node>,
    /// Pairs of places among them.
    pub links: Vec<(usize, usize)>,
    /// Neighbours that are not polled and found no room.
    pub left_out: u64,
}

impl Graph {
    /// The most linked of those that name each other.
    #[must_use]
    pub fn of(rows: &[LinkRow]) -> Self {
        let mut all: Vec<Node> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut pairs: BTreeSet<(usize, usize)> = BTreeSet::new();
        for row in rows {
            let own = polled(&mut all, &mut known, row.element, &row.element_name);
            let other = match &row.other {
                Some(other) => polled(&mut all, &mut known, other.element, &other.name),
                None => hollow(&mut all, &mut known, row),
            };
            if own != other {
                pairs.insert((own.min(other), own.max(other)));
            }
        }
        for end in pairs.iter().flat_map(|&(a, b)| [a, b]) {
            if let Some(node) = all.get_mut(end) {
                node.degree += 1;
            }
        }
        let mut order: Vec<usize> = (0..all.len())
            .filter(|&at| all.get(at).is_some_and(|node| node.degree > 0))
            .collect();
        order.sort_by_key(|&at| {
            all.get(at)
                .map(|node| (std::cmp::Reverse(node.degree), node.element.is_none()))
        });
        let hidden = order.iter().skip(MOST).filter_map(|&at| all.get(at));
        let left_out =
            u64::try_from(hidden.filter(|node| node.element.is_none()).count()).unwrap_or(u64::MAX);
        order.truncate(MOST);
        let place: BTreeMap<usize, usize> = order.iter().enumerate().map(|(new, &old)| (old, new)).collect();
        let links = pairs
            .iter()
            .filter_map(|(a, b)| Some((*place.get(a)?, *place.get(b)?)));
        Self {
            links: links.collect(),
            nodes: order.iter().filter_map(|&at| all.get(at).cloned()).collect(),
            left_out,
        }
    }

    /// The elements in it.
    #[must_use]
    pub fn polled(&self) -> Vec<ElementId> {
        self.nodes.iter().filter_map(|node| node.element).collect()
    }

    /// How many nodes are drawn for their links.
    #[must_use]
    pub fn linked(&self) -> usize {
        self.nodes.iter().filter(|node| node.degree > 0).count()
    }

    /// Takes in what is known of its elements, and elements linked to nobody as far as there is room.
    pub fn fill(&mut self, rows: Vec<NodeRow>) {
        let mut places: HashMap<ElementId, usize> = HashMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(element) = node.element {
                places.insert(element, at);
            }
        }
        for row in rows {
            let standing = Some(show::standing(&row.standing));
            if let Some(&at) = places.get(&row.known.element) {
                if let Some(node) = self.nodes.get_mut(at) {
                    (node.maker, node.standing) = (row.maker, standing);
                }
            } else if self.nodes.len() < MOST {
                self.nodes.push(Node {
                    element: Some(row.known.element),
                    name: row.known.name,
                    maker: row.maker,
                    standing,
                    degree: 0,
                });
            }
        }
    }
}

fn polled(all: &mut Vec<Node>, known: &mut HashMap<String, usize>, element: ElementId, name: &str) -> usize {
    *known.entry(format!("element {element}")).or_insert_with(|| {
        all.push(Node {
            element: Some(element),
            name: name.to_owned(),
            maker: None,
            standing: Some(Standing::Unknown),
            degree: 0,
        });
        all.len() - 1
    })
}

/// The node of somebody nobody polls: by hardware address, else by address, else by name.
fn hollow(all: &mut Vec<Node>, known: &mut HashMap<String, usize>, row: &LinkRow) -> usize {
    let mac = row.mac.as_ref().map(|mac| format!("mac {mac}"));
    let address = row.address.as_ref().map(|address| format!("address {address}"));
    let keys: Vec<String> = match (mac, address) {
        (None, None) => vec![format!("name {}", row.told_name)],
        (mac, address) => mac.into_iter().chain(address).collect(),
    };
    let at = keys
        .iter()
        .find_map(|key| known.get(key).copied())
        .unwrap_or(all.len());
    for key in keys {
        known.entry(key).or_insert(at);
    }
    let maker = row.maker.as_ref().map(|maker| maker.supplier.clone());
    match all.get_mut(at) {
        Some(node) => node.maker = node.maker.take().or(maker),
        None => all.push(Node {
            element: None,
            name: [Some(&row.told_name), row.address.as_ref(), row.mac.as_ref()]
                .into_iter()
                .flatten()
                .find(|text| !text.is_empty())
                .cloned()
                .unwrap_or_else(|| "nameless".to_owned()),
            maker,
            standing: None,
            degree: 0,
        }),
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::field::Known;

    fn id(number: u128) -> ElementId {
        ElementId(uuid::Uuid::from_u128(number))
    }

    fn known(number: u128) -> Known {
        Known {
            element: id(number),
            name: format!("r{number}"),
            site: "berlin".parse().unwrap(),
        }
    }

    fn link(from: u128, to: Option<u128>, mac: &str, address: &str) -> LinkRow {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        LinkRow {
            element: id(from),
            element_name: format!("r{from}"),
            site: "berlin".parse().unwrap(),
            protocol: "lldp".into(),
            address: text(address),
            mac: text(mac),
            told_name: "told".into(),
            maker: None,
            other: to.map(known),
        }
    }

    #[test]
    fn a_pair_is_one_link_whoever_names_it_and_a_stranger_one_node() {
        let rows = [
            link(1, Some(2), "", "192.0.2.2"),
            link(2, Some(1), "", "192.0.2.1"),
            link(1, Some(1), "", "192.0.2.1"),
            link(1, None, "m1", "192.0.2.9"),
            link(2, None, "m1", ""),
            link(2, None, "", "192.0.2.9"),
        ];
        let mut graph = Graph::of(&rows);
        assert_eq!((graph.nodes.len(), graph.links.len(), graph.linked()), (3, 3, 3));
        assert_eq!(graph.polled().len(), 2);
        graph.fill(vec![
            NodeRow {
                known: known(1),
                address: String::new(),
                role: None,
                maker: Some(SupplierRef {
                    id: "zte".into(),
                    name: "ZTE".into(),
                }),
                standing: "due".into(),
            },
            NodeRow {
                known: known(7),
                address: String::new(),
                role: None,
                maker: None,
                standing: "clear".into(),
            },
        ]);
        let one = graph
            .nodes
            .iter()
            .find(|node| node.element == Some(id(1)))
            .unwrap();
        assert_eq!(one.standing, Some(Standing::Due));
        assert_eq!((graph.nodes.len(), graph.linked()), (4, 3));
        let two = graph
            .nodes
            .iter()
            .find(|node| node.element == Some(id(2)))
            .unwrap();
        assert_eq!(
            two.standing,
            Some(Standing::Unknown),
            "nothing told is never clear"
        );
    }

    #[test]
    fn beyond_the_bound_the_most_linked_are_drawn() {
        let rows: Vec<_> = (0..400)
            .map(|n| link(1, None, &format!("m{n}"), ""))
            .chain([link(2, None, "m399", "")])
            .collect();
        let graph = Graph::of(&rows);
        assert_eq!((graph.nodes.len(), graph.left_out), (MOST, 102));
        assert!(
            graph.links.contains(&(0, 1)),
            "the hub and the one with two links come first"
        );
    }
}
