//! Sites on a map of our own, each by the worst that stands there.
//!
//! Invariants: shape and word say what colour says; a site where something is unknown is
//! never shown as clear; a site without coordinates has a row of its own; the table behind
//! the map holds everything the map shows.

use super::access::Visit;
use super::glance::Glances;
use super::page::{Frame, answer};
use super::projection::{Graticule, MARGIN, Projection, WIDTH};
use super::shelf::Shelf;
use super::show::{self, Moment};
use crate::api::Problem;
use crate::api::query::Query;
use askama::Template;
use axum::extract::{Extension, Query as Pairs};
use axum::response::Response;
use model::{SiteName, Standing};
use std::collections::BTreeMap;
use std::time::Duration;
use store::field::SiteStanding;
use store::view::SiteRow;

/// Sites drawn and listed: the worst of them.
const MOST: usize = 400;
/// Half the size of a mark: the least, and what elements add.
const SIZE: (f64, f64) = (9.0, 15.0);
/// Between two marks, for what is written below them.
const ROOM: f64 = 44.0;
/// Rounds in which marks that lie on each other move apart.
const APART: usize = 40;
/// Standings are counted at most so often.
const WITHIN: Duration = Duration::from_secs(10);

/// The last count of standings by site, shared by all handlers: every element is counted for it.
pub type Standings = Shelf<(), Vec<SiteStanding>>;

#[derive(Template)]
#[template(path = "map.html")]
struct MapPage {
    frame: Frame,
    counted: Moment,
    height: String,
    lines: Vec<Graticule>,
    marks: Vec<Mark>,
    unplaced: Vec<Mark>,
    total: String,
    cut: bool,
    sites: Vec<Row>,
    legend: Vec<(Standing, String)>,
}

/// A site in the drawing.
struct Mark {
    name: String,
    title: String,
    standing: Standing,
    /// Symbol of the frame that shows it; nothing for unknown, which is drawn hatched.
    symbol: Option<&'static str>,
    words: String,
    x: String,
    left: String,
    top: String,
    size: String,
    below: String,
    under: String,
}

/// A site in the table.
struct Row {
    name: String,
    title: String,
    law: String,
    place: String,
    standing: Standing,
    elements: String,
    answered: String,
    counts: Vec<(Standing, String)>,
}

/// One site with what stands there.
struct Site<'a> {
    row: &'a SiteRow,
    counts: BTreeMap<Standing, u64>,
    worst: Standing,
}

/// `/map`
pub async fn map(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Extension(standings): Extension<Standings>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    let made = async {
        Query::read(pairs, &[])?;
        page(&visit, &glances, &standings).await
    };
    answer(&visit, made.await)
}

async fn page(visit: &Visit, glances: &Glances, standings: &Standings) -> Result<MapPage, Problem> {
    let frame = Frame::new(visit, "map");
    let glance = glances.get(visit, Duration::from_secs(1)).await?;
    let read = async { Ok(visit.field.site_standings().await?) };
    let counted = standings.get(visit, (), WITHIN, read).await?;
    let mut by_site: BTreeMap<&SiteName, BTreeMap<Standing, u64>> = BTreeMap::new();
    for one in counted.iter() {
        let counts = by_site.entry(&one.site).or_default();
        *counts.entry(show::standing(&one.standing)).or_default() += one.count;
    }
    let seen = glance.overview.sites.iter();
    let seen = seen.filter(|row| visit.person.sees(&row.site.name));
    let mut sites: Vec<Site<'_>> = seen
        .map(|row| {
            let counts = by_site.remove(&row.site.name).unwrap_or_default();
            Site {
                worst: worst(&counts),
                row,
                counts,
            }
        })
        .collect();
    sites.sort_by_key(|site| (urgency(site.worst), &site.row.site.name));
    let total = sites.len();
    sites.truncate(MOST);
    let now = (visit.clock)();
    let at = Moment::new(counted.at.min(glance.at).min(now), now);
    Ok(drawn(frame, at, &sites, total))
}

/// The one word for a site. Where nothing is known to stand nothing is clear.
fn worst(counts: &BTreeMap<Standing, u64>) -> Standing {
    let there = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(standing, _)| *standing);
    there
        .min_by_key(|standing| urgency(*standing))
        .unwrap_or(Standing::Unknown)
}

/// The order of standings by what they ask of somebody: unknown comes before clear.
fn urgency(standing: Standing) -> usize {
    let order = Standing::ALL.iter().position(|one| *one == standing).unwrap_or(0);
    match standing {
        Standing::Clear => Standing::ALL.len(),
        _ => order,
    }
}

/// The symbol of a standing; unknown has a shape of its own.
#[must_use]
pub fn symbol(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Violation | Standing::Overdue => Some("s-critical"),
        Standing::Due => Some("s-major"),
        Standing::Restricted => Some("s-minor"),
        Standing::Undecided => Some("s-indeterminate"),
        Standing::Watch => Some("s-warning"),
        Standing::Clear => Some("s-cleared"),
        Standing::Unknown => None,
    }
}

fn drawn(frame: Frame, counted: Moment, sites: &[Site<'_>], total: usize) -> MapPage {
    let places: Vec<Option<(f64, f64)>> = sites.iter().map(place).collect();
    let projection = Projection::fit(places.iter().flatten().copied());
    let most = sites.iter().map(|site| site.row.elements).max().unwrap_or(0);
    let sizes: Vec<f64> = sites.iter().map(|site| size(site.row.elements, most)).collect();
    let mut spots: Vec<(usize, f64, f64)> = places
        .iter()
        .enumerate()
        .filter_map(|(at, place)| place.map(|place| (at, projection.point(place))))
        .map(|(at, (x, y))| (at, x, y))
        .collect();
    part(&mut spots, &sizes, projection.height);
    let of = |at: usize| sites.get(at).zip(sizes.get(at));
    let marks = spots
        .iter()
        .filter_map(|&(at, x, y)| of(at).map(|(site, &size)| mark(site, x, y, size)));
    let unplaced = places.iter().enumerate().filter(|(_, place)| place.is_none());
    let unplaced = unplaced.filter_map(|(at, _)| of(at).map(|(site, &size)| mark(site, 0.0, 0.0, size)));
    let legend = Standing::ALL.iter().filter_map(|&standing| {
        let count = sites.iter().filter(|site| site.worst == standing).count();
        (count > 0).then(|| (standing, show::number(u64::try_from(count).unwrap_or(u64::MAX))))
    });
    MapPage {
        frame,
        counted,
        height: format!("{:.0}", projection.height),
        lines: projection.graticule(),
        marks: marks.collect(),
        unplaced: unplaced.collect(),
        total: show::number(u64::try_from(total).unwrap_or(u64::MAX)),
        cut: total > sites.len(),
        legend: legend.collect(),
        sites: sites.iter().map(row).collect(),
    }
}

/// Where a site is, if that can be meant.
fn place(site: &Site<'_>) -> Option<(f64, f64)> {
    let (latitude, longitude) = (site.row.site.latitude?, site.row.site.longitude?);
    let meant = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    meant.then_some((latitude, longitude))
}

/// Half its size in the drawing: its area grows with the elements.
fn size(elements: u64, most: u64) -> f64 {
    let share = show::percent(elements, most).unwrap_or(0);
    let share = f64::from(u32::try_from(share).unwrap_or(0)) / 100.0;
    SIZE.0 + SIZE.1 * share.sqrt()
}

fn mark(site: &Site<'_>, x: f64, y: f64, size: f64) -> Mark {
    let title = show::clean(&site.row.site.title, 32);
    let count = |standing: Standing| site.counts.get(&standing).copied().unwrap_or(0);
    Mark {
        name: site.row.site.name.to_string(),
        title: if title.is_empty() {
            site.row.site.name.to_string()
        } else {
            title
        },
        standing: site.worst,
        symbol: symbol(site.worst),
        words: format!(
            "{} of {}",
            show::number(count(site.worst)),
            show::number(site.row.elements)
        ),
        x: format!("{x:.1}"),
        left: format!("{:.1}", x - size),
        top: format!("{:.1}", y - size),
        size: format!("{:.1}", size * 2.0),
        below: format!("{:.1}", y + size + 15.0),
        under: format!("{:.1}", y + size + 29.0),
    }
}

fn row(site: &Site<'_>) -> Row {
    let law = &site.row.site.jurisdictions;
    Row {
        name: site.row.site.name.to_string(),
        title: show::clean(&site.row.site.title, 48),
        law: law.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        place: place(site).map_or(String::new(), |(latitude, longitude)| {
            let (ns, ew) = (
                if latitude < 0.0 { 'S' } else { 'N' },
                if longitude < 0.0 { 'W' } else { 'E' },
            );
            format!("{:.2}° {ns} {:.2}° {ew}", latitude.abs(), longitude.abs())
        }),
        standing: site.worst,
        elements: show::number(site.row.elements),
        answered: show::percent(site.row.reached, site.row.elements)
            .map_or_else(|| "–".to_owned(), |share| format!("{share} %")),
        counts: site
            .counts
            .iter()
            .map(|(standing, count)| (*standing, show::number(*count)))
            .collect(),
    }
}

/// Marks that lie on each other move apart, a little each round; the same for the same sites.
fn part(spots: &mut [(usize, f64, f64)], sizes: &[f64], height: f64) {
    let size = |at: usize| sizes.get(at).copied().unwrap_or(SIZE.0);
    for _ in 0..APART {
        let before = spots.to_vec();
        let mut moved = false;
        for (rank, spot) in spots.iter_mut().enumerate() {
            for (other, &(at, ox, oy)) in before.iter().enumerate().filter(|(other, _)| *other != rank) {
                let (mut dx, mut dy) = (spot.1 - ox, spot.2 - oy);
                let (near, wanted) = ((dx * dx + dy * dy).sqrt(), size(spot.0) + size(at) + ROOM);
                if near >= wanted {
                    continue;
                }
                moved = true;
                if near < 0.5 {
                    (dx, dy) = if rank < other { (-1.0, 0.3) } else { (1.0, -0.3) };
                }
                let push = (wanted - near) / 4.0 / (dx * dx + dy * dy).sqrt();
                spot.1 = (spot.1 + dx * push).clamp(MARGIN / 2.0, WIDTH - MARGIN / 2.0);
                spot.2 = (spot.2 + dy * push).clamp(MARGIN / 2.0, height - MARGIN / 2.0);
            }
        }
        if !moved {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_on_one_spot_move_apart_and_stay_inside() {
        let mut spots = [(0, 500.0, 300.0), (1, 500.0, 300.0), (2, 505.0, 300.0)];
        part(&mut spots, &[20.0, 20.0, 10.0], 600.0);
        let far = |a: usize, b: usize| (spots[a].1 - spots[b].1).hypot(spots[a].2 - spots[b].2);
        assert!(far(0, 1) > 40.0 && far(1, 2) > 30.0, "{spots:?}");
    }

    #[test]
    fn a_site_is_clear_only_if_everything_in_it_is() {
        let of = |counts: &[(Standing, u64)]| worst(&counts.iter().copied().collect());
        assert_eq!(of(&[]), Standing::Unknown);
        assert_eq!(of(&[(Standing::Clear, 9)]), Standing::Clear);
        assert_eq!(
            of(&[(Standing::Clear, 9), (Standing::Unknown, 1)]),
            Standing::Unknown
        );
        assert_eq!(of(&[(Standing::Unknown, 9), (Standing::Due, 1)]), Standing::Due);
        assert_eq!(of(&[(Standing::Due, 0), (Standing::Clear, 1)]), Standing::Clear);
    }
}
