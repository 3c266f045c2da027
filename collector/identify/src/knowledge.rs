//! The versioned body of facts that says who makes what, read from data files built in and
//! those an operator lays over them.
//!
//! Invariants: every entry names its source; a supplier named anywhere exists; the version
//! is a digest of the files, so that two collectors with one version conclude the same.

pub mod import;
mod names;
mod noise;
mod registry;
mod row;
mod files;
pub mod profile;

pub(crate) use names::normalised;
pub(crate) use noise::NoiseKind;
pub(crate) use registry::Prefix;

use crate::maker_field::MakerField;
use aho_corasick::AhoCorasick;
use model::SupplierRef;
use registry::{AddressRegistry, Builders, EnterpriseRegistry};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{OnceLock, PoisonError, RwLock};

/// One file of knowledge; the last part of its name says what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnowledgeFile {
    /// Where it lies, as people write it; ends in one of [`FILE_NAMES`].
    pub name: String,
    /// What it holds.
    pub text: Cow<'static, str>,
}

/// What knowledge files are called.
pub const FILE_NAMES: [&str; 7] = [
    "suppliers.tsv",
    "enterprises.tsv",
    "products.tsv",
    "tables.tsv",
    "noise.tsv",
    import::ENTERPRISE_REGISTRY,
    import::ADDRESS_REGISTRY,
];

/// Why knowledge files cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KnowledgeError {
    /// A row breaks the form of its file.
    #[error("{file}, line {line}: {reason}")]
    Row {
        /// Which file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is called like none of [`FILE_NAMES`].
    #[error("{file}: not a knowledge file; it would be called like {}", FILE_NAMES.join(", "))]
    Unnamed {
        /// Which file.
        file: String,
    },
    /// The words cannot be made into one matcher.
    #[error("words cannot be searched for")]
    Words,
}

/// What a supplier's name on something tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SupplierRole {
    /// Its builder.
    Maker,
    /// Its builder, except on a network card.
    Computer,
    /// The builder of the board within.
    Board,
    /// The chip or kit within.
    Chip,
    /// The software on it.
    Software,
}

/// What is known of one supplier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Supplier {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: SupplierRole,
    /// Legal, native and former names.
    pub(crate) legal: Vec<String>,
    pub(crate) spellings: Vec<String>,
    pub(crate) words: Vec<String>,
    pub(crate) brands: Vec<String>,
    pub(crate) source: String,
}

/// What a number or prefix below 1.3.6.1.4.1 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnterpriseKind {
    /// Names the maker.
    Owner,
    /// Names the maker; another name is on the label.
    Oem,
    /// Counts only beside other evidence.
    Weak,
    /// Names nobody.
    Generic,
    /// Names the system, not the maker.
    Software,
    /// Comes with a management controller within other makers' computers: names only beside other evidence.
    Controller,
}

/// A supplier whose name on another maker's equipment is a brand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    /// Whose name it is.
    pub(crate) name: usize,
    /// Which brand it then means.
    pub(crate) brand: usize,
    /// The year from which on the supplier's own signature speaks against it.
    pub(crate) before: Option<u32>,
}

/// One row about an object identifier.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Enterprise {
    pub(crate) prefix: Vec<u32>,
    pub(crate) kind: EnterpriseKind,
    pub(crate) supplier: Option<usize>,
    pub(crate) labels: Vec<Label>,
    pub(crate) weight: f64,
    pub(crate) doubts: Vec<String>,
    pub(crate) source: String,
}

/// Where a product word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// sysDescr.0 without the element's own name.
    Descr,
    /// The element's own name in the sysDescr.0 of a Unix.
    OwnName,
    /// sysDescr.0 and the texts of parts.
    Any,
}

/// How sure a phrase names a supplier, since operators can write sysDescr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strength {
    /// A form only the equipment's own software writes: names the maker wherever it stands.
    Built,
    /// Names the maker wherever it stands; on a host of a generic agent and in what a Unix says only where the
    /// text opens with it, since anybody may write of a product there.
    Specific,
    /// Names the maker where the text opens with it, elsewhere only beside other evidence; as an element's own
    /// name unless the agent is a generic one.
    Opening,
    /// Also an ordinary word: counts only beside other evidence.
    Ambiguous,
}

/// One phrase that names a supplier.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phrase {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) strength: Strength,
    pub(crate) brand: bool,
    pub(crate) supplier: usize,
    pub(crate) weight: f64,
    pub(crate) doubts: Vec<String>,
    pub(crate) source: String,
    pub(crate) at_start: bool,
    pub(crate) at_end: bool,
    pub(crate) open: bool,
    pub(crate) digit: bool,
    pub(crate) lower_case: bool,
}

/// How the rows of a private table are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableIndex {
    /// A part of its own.
    Own,
    /// entPhysicalIndex of the part.
    Entity,
}

/// A private table that names parts; columns by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartTable {
    pub(crate) key: String,
    pub(crate) root: Vec<u32>,
    pub(crate) index: TableIndex,
    pub(crate) class: model::ComponentClass,
    pub(crate) maker: u32,
    /// Whether the maker's column holds an IEEE prefix as a number instead of a name.
    pub(crate) maker_is_prefix: bool,
    pub(crate) name: u32,
    pub(crate) model: u32,
    pub(crate) serial: u32,
    pub(crate) revision: u32,
    pub(crate) source: String,
}

impl PartTable {
    /// Whether one of its named columns has this number.
    pub(crate) fn has_column(&self, column: u32) -> bool {
        column != 0 && [self.maker, self.name, self.model, self.serial, self.revision].contains(&column)
    }
}

/// Suppliers, numbers, prefixes, words and tables.
#[derive(Debug)]
pub struct Knowledge {
    version: String,
    suppliers: Vec<Supplier>,
    by_id: HashMap<String, usize>,
    aliases: HashMap<String, usize>,
    open_aliases: HashMap<String, usize>,
    enterprises: HashMap<Vec<u32>, Enterprise>,
    longest_enterprise: usize,
    enterprise_registry: EnterpriseRegistry,
    address_registry: AddressRegistry,
    builders: OnceLock<Builders>,
    holdings: OnceLock<profile::Holdings>,
    phrases: Vec<Phrase>,
    matcher: AhoCorasick,
    tables: Vec<PartTable>,
    noise: noise::Noise,
    sellers: HashSet<usize>,
    fields: Remembered,
}

/// What texts in makers' fields were read as: a fleet repeats a few of them again and again. What is read depends
/// on the text alone; when it is full, further ones are read each time.
#[derive(Debug, Default)]
struct Remembered(RwLock<HashMap<String, MakerField>>);

impl Remembered {
    const MOST: usize = 4_096;
}

/// Who stands behind a spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) supplier: SupplierRef,
    pub(crate) role: SupplierRole,
    /// Whether the supplier is one of the curated ones.
    pub(crate) listed: bool,
}

/// Whom an enterprise number is registered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registrant<'a> {
    pub(crate) organisation: &'a str,
    pub(crate) named: Named,
    pub(crate) proof: Proof,
}

/// Whether the registries show that an organisation builds equipment. Of those nobody curated, 9 of 10 that hold
/// prefixes under their name made what answers with their number, 3 of 4 of those whose first word somebody
/// else's name shares, and only half of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nobody of this name holds prefixes.
    None,
    /// Somebody whose name begins with the same word does.
    Perhaps,
    /// It is curated, or holds prefixes under this very name.
    Builds,
}

impl Knowledge {
    /// The knowledge this program was built with.
    ///
    /// # Errors
    /// [`KnowledgeError`] when a built-in file is malformed; tests keep that from happening.
    pub fn built_in() -> Result<&'static Self, KnowledgeError> {
        static BUILT_IN: OnceLock<Result<Knowledge, KnowledgeError>> = OnceLock::new();
        BUILT_IN
            .get_or_init(|| Self::overlaid(Vec::new()))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The built-in knowledge with an operator's files over it: their rows come first, a registry of theirs
    /// replaces the built-in one.
    ///
    /// # Errors
    /// The first [`KnowledgeError`], in the order of files and lines.
    pub fn overlaid(overlay: Vec<KnowledgeFile>) -> Result<Self, KnowledgeError> {
        let (knowledge, mut faults) = files::read(overlay, &BTreeSet::new());
        if faults.is_empty() {
            knowledge
        } else {
            Err(faults.remove(0))
        }
    }

    /// Everything that is wrong with an operator's files, laid over the built-in ones.
    #[must_use]
    pub fn faults(overlay: Vec<KnowledgeFile>) -> Vec<KnowledgeError> {
        let (knowledge, mut faults) = files::read(overlay, &BTreeSet::new());
        faults.extend(knowledge.err());
        faults
    }

    /// The built-in knowledge as if nobody had curated these suppliers: the registries alone still tell of them.
    ///
    /// # Errors
    /// [`KnowledgeError`] when a built-in file is malformed.
    pub fn withholding(suppliers: &BTreeSet<String>) -> Result<Self, KnowledgeError> {
        let (knowledge, mut faults) = files::read(Vec::new(), suppliers);
        if faults.is_empty() {
            knowledge
        } else {
            Err(faults.remove(0))
        }
    }

    /// Digest of the files it was read from: 16 hexadecimal digits of SHA-256.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A curated supplier by its key.
    #[must_use]
    pub fn supplier(&self, id: &str) -> Option<SupplierRef> {
        self.by_id.get(id).and_then(|&at| self.reference(at))
    }

    /// The curated supplier a name stands for, in any spelling the knowledge holds; its own name goes before
    /// spellings, which leave out what stands in brackets.
    #[must_use]
    pub fn supplier_called(&self, name: &str) -> Option<SupplierRef> {
        let mut curated = self.suppliers.iter();
        if let Some(own) = curated.find(|supplier| supplier.name.eq_ignore_ascii_case(name.trim())) {
            return Some(reference(own));
        }
        let plain = normalised(name);
        let by_name = || {
            self.suppliers
                .iter()
                .find(|supplier| normalised(&supplier.name) == plain)
        };
        self.alias(&plain)
            .and_then(|at| self.reference(at))
            .or_else(|| by_name().map(reference))
    }

    /// All curated suppliers, in the order of the file.
    pub fn suppliers(&self) -> impl Iterator<Item = SupplierRef> + '_ {
        self.suppliers.iter().map(reference)
    }

    pub(crate) fn reference(&self, at: usize) -> Option<SupplierRef> {
        self.suppliers.get(at).map(reference)
    }

    pub(crate) fn named_at(&self, at: usize) -> Option<Named> {
        let supplier = self.suppliers.get(at)?;
        Some(Named {
            supplier: reference(supplier),
            role: supplier.role,
            listed: true,
        })
    }

    /// Who an organisation's name stands for: a curated supplier, or one made of the name itself.
    /// `None` when nothing is left of it.
    pub(crate) fn named(&self, organisation: &str) -> Option<Named> {
        let plain = normalised(organisation);
        if let Some(at) = self.alias(&plain) {
            return self.named_at(at);
        }
        if names::makes_nothing(&plain) {
            return None;
        }
        let id = names::slug(&plain)?;
        let name = names::without_legal_form(organisation);
        Some(Named {
            supplier: SupplierRef { id, name },
            role: SupplierRole::Maker,
            listed: false,
        })
    }

    /// What a text in a maker's field says, read once.
    pub(crate) fn field(&self, text: &str, read: impl FnOnce() -> MakerField) -> MakerField {
        let known = self.fields.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(field) = known.get(text) {
            return field.clone();
        }
        drop(known);
        let field = read();
        let mut known = self.fields.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < Remembered::MOST {
            known.insert(text.to_owned(), field.clone());
        }
        field
    }

    /// What kind of noise a text in a maker's field is, whoever is called so.
    pub(crate) fn noise(&self, text: &str) -> Option<NoiseKind> {
        self.noise.of(text)
    }

    /// What kind of noise a text in a maker's field is, unless a curated supplier is called so.
    pub(crate) fn noise_unless_known(&self, text: &str) -> Option<NoiseKind> {
        self.noise.unless_known(text)
    }

    /// Whether a field ends in padding, which is no part of the name.
    pub(crate) fn pads(&self, octets: &[u8]) -> bool {
        self.noise.pads(octets)
    }

    /// Whether a supplier sells equipment of several builders under its own name.
    pub(crate) fn is_seller(&self, supplier: &SupplierRef) -> bool {
        self.by_id
            .get(supplier.id.as_str())
            .is_some_and(|at| self.sellers.contains(at))
    }

    fn alias(&self, plain: &str) -> Option<usize> {
        if let Some(&at) = self.aliases.get(plain) {
            return Some(at);
        }
        let mut start = plain;
        loop {
            if let Some(&at) = self.open_aliases.get(start) {
                return Some(at);
            }
            start = start.rsplit_once(' ')?.0;
        }
    }

    /// The longest row above or at `arcs` (below 1.3.6.1.4.1).
    pub(crate) fn enterprise(&self, arcs: &[u32]) -> Option<&Enterprise> {
        (1..=self.longest_enterprise.min(arcs.len()))
            .rev()
            .find_map(|n| self.enterprises.get(arcs.get(..n)?))
    }

    /// The organisation an enterprise number is registered to.
    pub(crate) fn registrant(&self, number: u32) -> Option<Registrant<'_>> {
        let (organisation, formerly) = self.enterprise_registry.get(number)?;
        let named = self.named(organisation)?;
        let former = || self.named(formerly).filter(|former| former.listed);
        let named = if named.listed {
            named
        } else {
            former().unwrap_or(named)
        };
        let proof = if named.listed {
            Proof::Builds
        } else {
            let builders = self.builders.get_or_init(|| self.address_registry.builders());
            builders.proof(&normalised(organisation))
        };
        Some(Registrant {
            organisation,
            named,
            proof,
        })
    }

    /// The holder of the longest prefix of an address, with that prefix.
    pub(crate) fn holder(&self, address: [u8; 6]) -> Option<(&str, Prefix)> {
        self.address_registry.holder(address)
    }

    /// The holder of a prefix of 24 bits that stands as a number, as in the memory of optics (SFF-8472, vendor OUI).
    pub(crate) fn holder_of(&self, number: i64) -> Option<(&str, Prefix)> {
        let prefix = u32::try_from(number)
            .ok()
            .filter(|prefix| (1..1 << 24).contains(prefix))?;
        self.address_registry.of_24_bits(prefix)
    }

    /// Phrases found in a text as (start, end, phrase), boundaries not yet checked.
    pub(crate) fn phrases_in<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (usize, usize, &'a Phrase)> {
        self.matcher.find_overlapping_iter(text).filter_map(|found| {
            self.phrases
                .get(found.pattern().as_usize())
                .map(|phrase| (found.start(), found.end(), phrase))
        })
    }

    /// A private table by its position.
    pub(crate) fn table(&self, at: usize) -> Option<&PartTable> {
        self.tables.get(at)
    }

    /// The private tables below an enterprise number, with their positions.
    pub(crate) fn tables_of(&self, number: u32) -> impl Iterator<Item = (usize, &PartTable)> {
        self.tables
            .iter()
            .enumerate()
            .filter(move |(_, table)| table.root.get(6) == Some(&number))
    }
}

fn reference(supplier: &Supplier) -> SupplierRef {
    SupplierRef {
        id: supplier.id.clone(),
        name: supplier.name.clone(),
    }
}

#[cfg(test)]
mod tests;
