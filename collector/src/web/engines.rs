//! Who told an SNMPv3 engine, as the page of coverage shows it: words, a possible maker, and which addresses are one box.
//!
//! Invariants: everything a device wrote is cleaned and bounded; nothing here is shown as clear.

use super::show::{self, Moment};
use crate::coverage::{Engine, Kin};
use model::Instant;

/// Addresses named in one line.
const MOST: usize = 6;

/// One engine, as a list shows it.
pub struct EngineLine {
    /// Key of the row.
    pub key: String,
    /// The addresses that told it.
    pub addresses: String,
    /// How many more did.
    pub others: u64,
    /// What became of them in the last sweep.
    pub states: String,
    /// Site.
    pub site: String,
    /// Its ID, or the beginning of a longer one.
    pub id: String,
    /// What the ID is made of.
    pub form: &'static str,
    /// Whether it is one.
    pub valid: bool,
    /// What stands in it.
    pub says: Vec<String>,
    /// Who may have made it.
    pub maker: Option<String>,
    /// How surely.
    pub confidence: String,
    /// Whether those who told it are one.
    pub kin: String,
    /// Whether that is a copy.
    pub cloned: bool,
    /// How often it started.
    pub boots: String,
    /// When it started last.
    pub started: Option<Moment>,
    /// Elements it is, or whose ID it has.
    pub elements: Vec<Link>,
}

/// An element to go to.
pub struct Link {
    /// Which.
    pub element: String,
    /// How it belongs to the engine.
    pub how: &'static str,
    /// Its name.
    pub name: String,
}

impl EngineLine {
    /// The line of one.
    #[must_use]
    pub fn new(engine: &Engine, now: Instant) -> Self {
        let at = |one: &crate::coverage::Heard| match (one.address, one.port) {
            (address, 161) => address.to_string(),
            (address, port) => std::net::SocketAddr::new(address, port).to_string(),
        };
        let addresses: Vec<String> = engine.addresses.iter().take(MOST).map(at).collect();
        let states: std::collections::BTreeSet<String> = engine
            .addresses
            .iter()
            .map(|one| one.state.map_or("in no range".to_owned(), show::words))
            .collect();
        let shown = u64::try_from(addresses.len()).unwrap_or(u64::MAX);
        Self {
            key: format!("{}-{}-{}", engine.site, engine.engine_id, addresses.join("-")),
            addresses: addresses.join(", "),
            others: engine.count.saturating_sub(shown),
            states: states.into_iter().collect::<Vec<_>>().join(", "),
            site: engine.site.to_string(),
            id: id(engine),
            form: engine.form,
            valid: engine.valid,
            says: says(engine),
            maker: engine
                .maker
                .as_ref()
                .map(|maker| show::clean(&maker.supplier.name, 48)),
            confidence: show::confidence(engine.maker.as_ref().map_or(0.0, |maker| maker.confidence)),
            kin: kin(engine),
            cloned: engine.kin == Kin::Cloned,
            boots: show::number(u64::from(engine.boots)),
            started: engine.started.map(|at| Moment::new(at, now)),
            elements: elements(engine),
        }
    }
}

fn id(engine: &Engine) -> String {
    let kept = engine.engine_id.len() / 2;
    match usize::try_from(engine.octets) {
        Ok(octets) if octets > kept => format!("{}… ({octets} octets)", engine.engine_id),
        _ => engine.engine_id.clone(),
    }
}

/// What stands in the ID, each in words.
fn says(engine: &Engine) -> Vec<String> {
    let number = engine.enterprise.map(|number| {
        let owner = engine.owner.as_deref();
        let owner = owner.map_or("registered to nobody we know".to_owned(), |owner| {
            show::clean(owner, 64)
        });
        let generic = if engine.generic {
            ", in equipment of many makers"
        } else {
            ""
        };
        format!("enterprise {number}: {owner}{generic}")
    });
    let mac = engine.mac.as_ref().map(|mac| match &engine.mac_holder {
        Some(holder) => format!("{mac}: {}", show::clean(holder, 64)),
        None => mac.clone(),
    });
    let address = engine.address.map(|address| address.to_string());
    let text = engine
        .text
        .as_ref()
        .map(|text| format!("“{}”", show::clean(text, 32)));
    [number, mac, address, text].into_iter().flatten().collect()
}

fn kin(engine: &Engine) -> String {
    let count = show::number(engine.count);
    match engine.kin {
        Kin::Alone => "one address".to_owned(),
        Kin::OneBox => format!("one box on {count} addresses"),
        Kin::Cloned if engine.count > 1 => format!("cloned engine ID, here on {count} addresses"),
        Kin::Cloned => "cloned engine ID: another box tells it too".to_owned(),
        Kin::Untold => {
            format!("{count} of several addresses; boots and time are not told, so one box is not shown")
        }
    }
}

/// The elements at its addresses, then those whose evidence has this ID.
fn elements(engine: &Engine) -> Vec<Link> {
    let mut all: Vec<Link> = Vec::new();
    for one in &engine.addresses {
        if let (Some(element), Some(name)) = (&one.element, &one.name) {
            all.push(Link {
                element: element.clone(),
                how: if one.polled {
                    "polled as"
                } else {
                    "asked in vain as"
                },
                name: show::clean(name, 64),
            });
        }
    }
    for one in &engine.elements {
        if !all.iter().any(|link| link.element == one.element) {
            all.push(Link {
                element: one.element.clone(),
                how: "has the engine ID of",
                name: show::clean(&one.name, 64),
            });
        }
    }
    all.truncate(MOST);
    all
}
