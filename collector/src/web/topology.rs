//! One site as a graph: its elements and whom they name as neighbours, by maker.
//!
//! Invariants: who is polled by nobody is drawn hollow and is never clear; a maker a neighbour
//! is said to have is hearsay; an element of a site that whoever asks may not see is no more than what
//! its neighbour tells of it; the drawing is bounded, and says so where it leaves somebody out.

mod graph;

use super::access::Visit;
use super::glance::Glances;
use super::layout;
use super::page::{Frame, answer};
use super::show;
use crate::api::Problem;
use crate::api::query::Query;
use askama::Template;
use axum::extract::{Extension, Path, Query as Pairs};
use axum::response::Response;
use graph::{Graph, MOST};
use model::{SiteName, Standing};
use std::collections::BTreeMap;
use std::time::Duration;
use store::field::LinkRow;

/// Links read for one site.
const LINKS: u32 = 10_000;
/// Links in the table.
const ROWS: usize = 1_000;
/// Makers with a colour and a shape of their own.
const MAKERS: usize = 6;
/// The drawing, in its own units.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 560.0;
const MARGIN: f64 = 34.0;
/// Nodes that are linked to nobody stand below in rows.
const SPACING: f64 = 62.0;
/// Up to so many nodes all have their name beside them, beyond that those with most links.
const NAMED: usize = 70;

#[derive(Template)]
#[template(path = "topology.html")]
struct TopologyPage {
    frame: Frame,
    site: String,
    title: String,
    elements: String,
    height: String,
    lines: Vec<String>,
    nodes: Vec<Dot>,
    legend: Vec<Maker>,
    drawn: usize,
    hollow: usize,
    left_out: String,
    cut: bool,
    rows: Vec<Row>,
    links: String,
    more_rows: bool,
}

/// A node in the drawing.
struct Dot {
    link: Option<String>,
    title: String,
    /// Path of its shape.
    d: String,
    /// Path of the ring around it, where it is restricted.
    ring: String,
    class: String,
    name: String,
    x: String,
    below: String,
}

/// A maker in the legend.
struct Maker {
    name: String,
    d: String,
    class: String,
    count: usize,
    link: Option<String>,
}

/// One row of who names whom.
struct Row {
    element: String,
    name: String,
    protocol: String,
    other: Option<String>,
    told: String,
    address: String,
    maker: Option<String>,
    confidence: String,
}

/// `/map/{site}`
pub async fn topology(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(site): Path<String>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    let made = async {
        Query::read(pairs, &[])?;
        page(&visit, &glances, &site).await
    };
    answer(&visit, made.await)
}

async fn page(visit: &Visit, glances: &Glances, site: &str) -> Result<TopologyPage, Problem> {
    let frame = Frame::new(visit, "map");
    let nobody = Problem::NotFound("site");
    let site: SiteName = site.parse().map_err(|_| Problem::NotFound("site"))?;
    let glance = glances.get(visit, Duration::from_secs(1)).await?;
    let found = glance.overview.sites.iter().find(|row| row.site.name == site);
    let row = found.filter(|_| visit.person.sees(&site)).ok_or(nobody)?;
    let mut links = visit.field.links(&site, LINKS).await?;
    let cut = links.len() >= usize::try_from(LINKS).unwrap_or(usize::MAX);
    for link in &mut links {
        link.other = link.other.take().filter(|other| visit.person.sees(&other.site));
    }
    let mut graph = Graph::of(&links);
    let most = u32::try_from(MOST).unwrap_or(u32::MAX);
    let rows = visit.field.nodes(&site, &graph.polled(), most).await?;
    graph.fill(rows);
    let ends = graph.links.clone();
    let linked = graph.linked();
    let spots = tokio::task::spawn_blocking(move || layout::lay_out(linked, &ends))
        .await
        .map_err(|_| Problem::Unreadable("this site"))?;
    let hollow = graph.nodes.iter().filter(|node| node.element.is_none()).count();
    let polled = u64::try_from(graph.nodes.len() - hollow).unwrap_or(u64::MAX);
    let makers = ranks(&graph);
    let drawing = Drawing::new(&graph, spots, &makers, visit);
    let count = |count: usize| show::number(u64::try_from(count).unwrap_or(u64::MAX));
    Ok(TopologyPage {
        frame,
        title: show::clean(&row.site.title, 48),
        elements: show::number(row.elements),
        height: format!("{:.0}", drawing.height),
        lines: drawing.lines,
        legend: legend(&graph, &makers, &site),
        drawn: graph.nodes.len(),
        hollow,
        left_out: match row.elements.saturating_sub(polled) + graph.left_out {
            0 => String::new(),
            left => show::number(left),
        },
        nodes: drawing.dots,
        cut,
        rows: links.iter().take(ROWS).map(adjacent).collect(),
        links: count(links.len()),
        more_rows: links.len() > ROWS,
        site: site.to_string(),
    })
}

/// Makers by how many nodes they have, each with its rank: those beyond [`MAKERS`] share the last.
fn ranks(graph: &Graph) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for maker in graph.nodes.iter().filter_map(|node| node.maker.as_ref()) {
        *counts.entry(&maker.id).or_default() += 1;
    }
    let mut order: Vec<_> = counts.into_iter().collect();
    order.sort_by_key(|&(id, count)| (std::cmp::Reverse(count), id));
    let rank = |(at, (id, _)): (usize, (&str, usize))| (id.to_owned(), at.min(MAKERS));
    order.into_iter().enumerate().map(rank).collect()
}

/// What stands where.
struct Drawing {
    height: f64,
    lines: Vec<String>,
    dots: Vec<Dot>,
}

impl Drawing {
    fn new(graph: &Graph, spots: Vec<layout::Spot>, makers: &BTreeMap<String, usize>, visit: &Visit) -> Self {
        let linked = spots.len();
        let high = if linked == 0 { 0.0 } else { HEIGHT };
        let mut places: Vec<(f64, f64)> = spots
            .into_iter()
            .map(|(x, y)| {
                (
                    MARGIN + x * (WIDTH - 2.0 * MARGIN),
                    MARGIN + y * (HEIGHT - 2.0 * MARGIN - 14.0),
                )
            })
            .collect();
        let mut place = (MARGIN, high + MARGIN);
        for _ in linked..graph.nodes.len() {
            if place.0 > WIDTH - MARGIN {
                place = (MARGIN, place.1 + SPACING * 0.8);
            }
            places.push(place);
            place.0 += SPACING;
        }
        let height = if graph.nodes.len() > linked {
            place.1 + MARGIN
        } else {
            high.max(MARGIN)
        };
        let lines = graph.links.iter().filter_map(|&(a, b)| {
            let (&(ax, ay), &(bx, by)) = (places.get(a)?, places.get(b)?);
            Some(format!("M{ax:.1} {ay:.1}L{bx:.1} {by:.1}"))
        });
        let mut degrees: Vec<usize> = graph.nodes.iter().map(|node| node.degree).collect();
        degrees.sort_unstable_by(|a, b| b.cmp(a));
        let least = degrees.get(NAMED).map_or(0, |degree| degree + 1);
        let dots = graph.nodes.iter().zip(&places);
        Self {
            height,
            lines: lines.collect(),
            dots: dots
                .map(|(node, &at)| dot(node, at, makers, least, visit))
                .collect(),
        }
    }
}

fn dot(
    node: &graph::Node,
    (x, y): (f64, f64),
    makers: &BTreeMap<String, usize>,
    least: usize,
    visit: &Visit,
) -> Dot {
    let rank = node
        .maker
        .as_ref()
        .and_then(|maker| makers.get(&maker.id))
        .copied();
    let size = 7.0 + 5.0 * (f64::from(u32::try_from(node.degree.min(16)).unwrap_or(0)) / 16.0);
    let name = show::clean(&node.name, 24);
    let maker = node.maker.as_ref().map(|maker| show::clean(&maker.name, 40));
    let maker = maker.unwrap_or_else(|| "maker unknown".to_owned());
    let (state, restricted) = match node.standing {
        Some(standing) => (
            standing.to_string(),
            matches!(
                standing,
                Standing::Violation | Standing::Overdue | Standing::Due | Standing::Restricted
            ),
        ),
        // Hearsay of a supplier some rule names is shown, as what it is.
        None => match node
            .maker
            .as_ref()
            .filter(|maker| visit.policies.is_of_concern(&maker.id))
        {
            Some(_) => ("seen, not polled; perhaps restricted".to_owned(), true),
            None => ("seen, not polled".to_owned(), false),
        },
    };
    let fill = rank.map_or_else(|| "maker-none".to_owned(), |rank| format!("maker-{rank}"));
    let hollow = if node.element.is_none() { " hollow" } else { "" };
    Dot {
        link: node.element.map(|element| format!("/elements/{element}")),
        title: format!("{}: {maker}, {state}", show::clean(&node.name, 64)),
        d: shape(rank, x, y, size),
        ring: if restricted {
            shape(Some(0), x, y, size + 5.0)
        } else {
            String::new()
        },
        class: format!("{fill}{hollow}"),
        name: if node.degree >= least { name } else { String::new() },
        x: format!("{x:.1}"),
        below: format!("{:.1}", y + size + 15.0),
    }
}

/// The shape of the maker of this rank around a point; a square lying on its side for whom nobody knows.
fn shape(rank: Option<usize>, x: f64, y: f64, size: f64) -> String {
    let corners = match rank {
        Some(0) => {
            return format!(
                "M{:.1} {y:.1}a{size:.1} {size:.1} 0 1 0 {:.1} 0a{size:.1} {size:.1} 0 1 0 {:.1} 0z",
                x - size,
                size * 2.0,
                size * -2.0
            );
        }
        Some(1) => (4, 45.0),
        Some(2) => (3, -90.0),
        Some(3) => (4, 0.0),
        Some(4) => (5, -90.0),
        Some(5) => (6, 0.0),
        Some(_) => (8, 22.5),
        None => (4, 45.0),
    };
    let (count, turn) = corners;
    // Shapes of few corners are drawn larger, so that all weigh alike.
    let size = size * if count < 5 { 1.2 } else { 1.05 };
    let point = |at: u32| {
        let angle = (turn + 360.0 * f64::from(at) / f64::from(count)).to_radians();
        format!("{:.1} {:.1}", x + size * angle.cos(), y + size * angle.sin())
    };
    let points: Vec<String> = (0..count).map(point).collect();
    format!("M{}z", points.join("L"))
}

fn legend(graph: &Graph, makers: &BTreeMap<String, usize>, site: &SiteName) -> Vec<Maker> {
    let mut rows: Vec<Maker> = Vec::new();
    let entry = |rank: Option<usize>, name: String, link: Option<String>| Maker {
        name,
        d: shape(rank, 10.0, 10.0, 7.0),
        class: rank.map_or_else(|| "maker-none".to_owned(), |rank| format!("maker-{rank}")),
        count: 0,
        link,
    };
    let elements = |maker: &str| Query::of(&[("site", site.as_str()), ("maker", maker)]).link("/elements");
    for rank in 0..=MAKERS {
        let of = graph.nodes.iter().filter(|node| {
            let maker = node.maker.as_ref();
            maker.is_some_and(|maker| makers.get(&maker.id) == Some(&rank))
        });
        let nodes: Vec<_> = of.collect();
        let Some(maker) = nodes.first().and_then(|node| node.maker.as_ref()) else {
            continue;
        };
        let mut one = match rank {
            MAKERS => entry(Some(rank), "other makers".to_owned(), None),
            _ => entry(
                Some(rank),
                show::clean(&maker.name, 40),
                Some(elements(&maker.id)),
            ),
        };
        one.count = nodes.len();
        rows.push(one);
    }
    let unknown = graph.nodes.iter().filter(|node| node.maker.is_none()).count();
    if unknown > 0 {
        let mut one = entry(None, "maker unknown".to_owned(), Some(elements("unknown")));
        one.count = unknown;
        rows.push(one);
    }
    rows
}

fn adjacent(link: &LinkRow) -> Row {
    let address = link
        .address
        .as_deref()
        .or(link.mac.as_deref())
        .unwrap_or_default();
    let told = match &link.other {
        Some(other) => &other.name,
        None => &link.told_name,
    };
    Row {
        element: link.element.to_string(),
        name: show::clean(&link.element_name, 64),
        protocol: show::clean(&link.protocol, 8),
        other: link.other.as_ref().map(|other| other.element.to_string()),
        told: match show::clean(told, 64) {
            told if told.is_empty() => show::clean(address, 64),
            told => told,
        },
        address: show::clean(address, 64),
        maker: link
            .maker
            .as_ref()
            .map(|maker| show::clean(&maker.supplier.name, 48)),
        confidence: show::confidence(link.maker.as_ref().map_or(0.0, |maker| maker.confidence)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_has_a_shape_of_its_own() {
        let mut shapes: Vec<String> = (0..=MAKERS)
            .map(|rank| shape(Some(rank), 0.0, 0.0, 5.0))
            .collect();
        shapes.sort();
        shapes.dedup();
        assert_eq!(shapes.len(), MAKERS + 1);
        assert!(shapes.iter().all(|d| d.starts_with('M') && d.ends_with('z')));
    }
}
