//! Which elements stand where: the whole operator from the data files, or a few of one's own.

use crate::element::{Behaviour, Tells};
use crate::kind::{Kind, Pools};
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::sync::LazyLock;

const KINDS: [&str; 6] = [
    include_str!("../../network/kinds/core.toml"),
    include_str!("../../network/kinds/ran.toml"),
    include_str!("../../network/kinds/transport.toml"),
    include_str!("../../network/kinds/access.toml"),
    include_str!("../../network/kinds/management.toml"),
    include_str!("../../network/kinds/edge.toml"),
];
const OPTICS: &str = include_str!("../../network/optics.tsv");
const SITES: &str = include_str!("../../network/sites.toml");
const ELEMENTS: &str = include_str!("../../network/elements.tsv");
const RECORDINGS: [(&str, &str); 1] = [(
    "cabinet-power.snmprec",
    include_str!("../../network/recordings/cabinet-power.snmprec"),
)];

/// Sites and the elements at them.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The sites.
    pub sites: Vec<SiteEntry>,
    /// The elements, those of a site in a row.
    pub elements: Vec<Placed>,
}

/// A site as the operator describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteEntry {
    /// Its key.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// ISO 3166-1 alpha-2 codes, and `EU`.
    pub jurisdictions: Vec<String>,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Second octet of its addresses: 127.`network`.0.0/16.
    pub network: u8,
}

/// An element at its place, and what the operator declares about it.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Key of its site.
    pub site: String,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its kind.
    pub hardware: Hardware,
    /// How it behaves, if not as its kind does.
    pub behaviour: Option<Behaviour>,
    /// Declared role.
    pub role: String,
    /// Declared generations, separated by blanks.
    pub generations: String,
    /// Declared tags, separated by blanks.
    pub tags: String,
    /// Declared day of acquisition, `YYYY-MM-DD`; empty is unknown.
    pub acquired: String,
    /// Whether what it says is remembered, and is another word each time.
    pub tells: Option<Tells>,
}

/// What stands there.
#[derive(Debug, Clone)]
pub enum Hardware {
    /// A kind of the catalogue, by its key.
    Catalogue(String),
    /// A kind of one's own.
    Own(Box<Kind>),
}

type Catalogue = (Vec<Kind>, Pools);

/// All kinds of the data files, and the pools of optics; none if a file is wrong, which [`whole`] tells.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    static READ: LazyLock<Catalogue> = LazyLock::new(|| read_catalogue().unwrap_or_default());
    &READ
}

/// The whole operator: three sites and all their elements.
///
/// # Errors
/// A sentence naming the file and what is wrong in it.
pub fn whole() -> Result<Plan, String> {
    read_catalogue()?;
    #[derive(Deserialize)]
    struct File {
        site: Vec<SiteEntry>,
    }
    let file: File = toml::from_str(SITES).map_err(|e| format!("sites: {e}"))?;
    let mut plan = Plan {
        sites: file.site,
        elements: Vec::new(),
    };
    for (number, line) in ELEMENTS
        .lines()
        .enumerate()
        .filter(|(_, l)| !l.is_empty() && !l.starts_with('#'))
    {
        plan.row(line)
            .map_err(|why| format!("elements, line {}: {why}", number + 1))?;
    }
    Ok(plan)
}

impl Plan {
    /// One site, `lab` in Germany, and no element yet.
    #[must_use]
    pub fn small() -> Self {
        let site = SiteEntry {
            name: "lab".to_owned(),
            title: "Lab".to_owned(),
            jurisdictions: vec!["DE".to_owned(), "EU".to_owned()],
            latitude: 52.52,
            longitude: 13.40,
            network: 30,
        };
        Self {
            sites: vec![site],
            elements: Vec::new(),
        }
    }

    /// The same with one more element of the catalogue at the last site.
    #[must_use]
    pub fn with(self, kind: &str, name: &str, role: &str, behaviour: Behaviour) -> Self {
        self.add(Hardware::Catalogue(kind.to_owned()), name, role, Some(behaviour))
    }

    /// The same with one more element that shows the objects of a recording's text.
    ///
    /// # Errors
    /// A sentence saying which line is wrong.
    pub fn with_objects(self, recording: &str, name: &str, role: &str) -> Result<Self, String> {
        crate::recording::parse(recording).map_err(|e| e.to_string())?;
        let head = format!("key = {name:?}\ntitle = {name:?}\n");
        let mut kind: Kind = toml::from_str(&head).map_err(|e| e.to_string())?;
        recording.clone_into(&mut kind.recording);
        Ok(self.add(Hardware::Own(Box::new(kind)), name, role, None))
    }

    fn add(mut self, hardware: Hardware, name: &str, role: &str, behaviour: Option<Behaviour>) -> Self {
        let Some(site) = self.sites.last().cloned() else {
            return self;
        };
        self.elements.push(Placed {
            address: self.next_address(&site, role),
            site: site.name,
            name: name.to_owned(),
            hardware,
            behaviour,
            role: role.to_owned(),
            generations: "5G".to_owned(),
            tags: String::new(),
            acquired: String::new(),
            tells: None,
        });
        self
    }

    /// Reads one row of the elements file.
    fn row(&mut self, line: &str) -> Result<(), String> {
        let columns: Vec<&str> = line.split('\t').collect();
        let [
            site,
            kind,
            name,
            count,
            role,
            generations,
            tags,
            acquired,
            behaviour,
        ] = columns.as_slice()
        else {
            return Err(format!("{} columns, not 9", columns.len()));
        };
        let entry = self
            .sites
            .iter()
            .find(|s| s.name == *site)
            .cloned()
            .ok_or(format!("no site {site:?}"))?;
        let count: u32 = count.parse().map_err(|_| "count is no number".to_owned())?;
        let behaviour = match *behaviour {
            "" => None,
            word => Some(Behaviour::try_from(word.to_owned())?),
        };
        for n in 1..=count {
            self.elements.push(Placed {
                site: entry.name.clone(),
                name: name.replace("{n}", &n.to_string()),
                address: self.next_address(&entry, role),
                hardware: Hardware::Catalogue((*kind).to_owned()),
                behaviour,
                role: (*role).to_owned(),
                generations: (*generations).to_owned(),
                tags: (*tags).to_owned(),
                acquired: (*acquired).to_owned(),
                tells: None,
            });
        }
        Ok(())
    }

    /// 127.site.role.count, so that addresses of a role stand together.
    fn next_address(&self, site: &SiteEntry, role: &str) -> Ipv4Addr {
        let roles = model::Role::ALL;
        let block = roles
            .iter()
            .position(|r| r.as_str() == role)
            .unwrap_or(roles.len());
        let taken = self
            .elements
            .iter()
            .filter(|e| e.site == site.name && e.role == role)
            .count();
        let octet = |n: usize| u8::try_from(n + 1).unwrap_or(u8::MAX);
        Ipv4Addr::new(127, site.network, octet(block), octet(taken))
    }

    /// How many elements answer anything that can be understood.
    #[must_use]
    pub fn answering(&self) -> usize {
        let (kinds, _) = catalogue();
        let answers = |placed: &&Placed| {
            placed
                .kind(kinds)
                .is_ok_and(|kind| placed.behaves_like(kind).answers())
        };
        self.elements.iter().filter(answers).count()
    }
}

impl Placed {
    /// What stands there, from the catalogue or its own.
    ///
    /// # Errors
    /// A sentence naming the unknown kind.
    pub fn kind<'a>(&'a self, kinds: &'a [Kind]) -> Result<&'a Kind, String> {
        match &self.hardware {
            Hardware::Own(kind) => Ok(kind),
            Hardware::Catalogue(key) => kinds
                .iter()
                .find(|kind| kind.key == *key)
                .ok_or(format!("{}: no kind {key:?}", self.name)),
        }
    }

    /// As declared, or as its kind does.
    pub(super) fn behaves_like(&self, kind: &Kind) -> Behaviour {
        self.behaviour.unwrap_or(kind.behaviour)
    }
}

fn read_catalogue() -> Result<Catalogue, String> {
    #[derive(Deserialize)]
    struct File {
        kind: Vec<Kind>,
    }
    let mut kinds = Vec::new();
    for text in KINDS {
        let file: File = toml::from_str(text).map_err(|e| format!("kinds: {e}"))?;
        kinds.extend(file.kind);
    }
    for kind in &mut kinds {
        if let Some((_, text)) = RECORDINGS.iter().find(|(file, _)| *file == kind.recording) {
            (*text).clone_into(&mut kind.recording);
        }
    }
    Ok((kinds, Pools::parse(OPTICS)?))
}
