//! The neighbours of one element, both ways, with whom each says has made the other: hearsay, never a claim.
//!
//! Invariant: an element at a site that whoever asks may not see is what its neighbour tells of it,
//! and what it tells itself is left out.

use super::access::Visit;
use super::show;
use crate::api::Problem;
use model::ElementId;
use store::field::LinkRow;

/// Neighbours of each direction.
const MOST: u32 = 100;

/// A neighbour, as the element tells of it or as it tells of the element.
pub struct Neighbour {
    /// `names` or `is named by`.
    pub way: &'static str,
    /// Which element it is, if it is one that may be seen.
    pub element: Option<String>,
    /// What it is called.
    pub name: String,
    /// Its address.
    pub address: String,
    /// `lldp` or `cdp`.
    pub protocol: String,
    /// Who may have made the one that is named: the neighbour, or this element where the neighbour names it.
    pub maker: Option<String>,
    /// How surely.
    pub confidence: String,
}

/// Whom it names, then who names it.
///
/// # Errors
/// [`Problem::Store`] when the store does not answer.
pub async fn neighbours(visit: &Visit, element: ElementId) -> Result<Vec<Neighbour>, Problem> {
    let found = visit.field.neighbours(element, MOST).await?;
    let names = found.names.into_iter().map(|link| named(visit, &link));
    let by = found.named_by.iter().filter(|link| visit.person.sees(&link.site));
    let by = by.map(|link| Neighbour {
        way: "is named by",
        element: Some(link.element.to_string()),
        name: show::clean(&link.element_name, 64),
        address: String::new(),
        protocol: show::clean(&link.protocol, 8),
        maker: maker(link),
        confidence: confidence(link),
    });
    Ok(names.chain(by).collect())
}

fn named(visit: &Visit, link: &LinkRow) -> Neighbour {
    let other = link.other.as_ref().filter(|other| visit.person.sees(&other.site));
    let address = link
        .address
        .as_deref()
        .or(link.mac.as_deref())
        .unwrap_or_default();
    let name = other.map_or(link.told_name.as_str(), |other| &other.name);
    Neighbour {
        way: "names",
        element: other.map(|other| other.element.to_string()),
        name: show::clean(if name.is_empty() { address } else { name }, 64),
        address: show::clean(address, 64),
        protocol: show::clean(&link.protocol, 8),
        maker: maker(link),
        confidence: confidence(link),
    }
}

fn maker(link: &LinkRow) -> Option<String> {
    link.maker
        .as_ref()
        .map(|maker| show::clean(&maker.supplier.name, 48))
}

fn confidence(link: &LinkRow) -> String {
    show::confidence(link.maker.as_ref().map_or(0.0, |maker| maker.confidence))
}
