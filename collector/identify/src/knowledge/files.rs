//! The knowledge files in layers: an operator's rows over the built-in ones.
//!
//! Invariants: within one layer no key stands twice; an upper row takes the place of a lower one
//! with its key, and a supplier's spellings add up; a row that can never match is a fault; every fault is told
//! with file and line.

use super::noise::{Noise, Rule};
use super::registry::{AddressRegistry, EnterpriseRegistry};
use super::row::{Row, rows};
use super::{
    Enterprise, EnterpriseKind, FILE_NAMES, Knowledge, KnowledgeError, KnowledgeFile, Label, PartTable,
    Phrase, Place, Remembered, Strength, Supplier, SupplierRole, TableIndex, import, normalised,
};
use crate::index::CDP;
use crate::text::plain;
use aho_corasick::AhoCorasick;
use model::{ComponentClass, Oid};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

/// The files of this crate.
const BUILT_IN: [(&str, &str); 7] = [
    ("suppliers.tsv", include_str!("../../knowledge/suppliers.tsv")),
    ("enterprises.tsv", include_str!("../../knowledge/enterprises.tsv")),
    ("products.tsv", include_str!("../../knowledge/products.tsv")),
    ("tables.tsv", include_str!("../../knowledge/tables.tsv")),
    ("noise.tsv", include_str!("../../knowledge/noise.tsv")),
    (
        import::ENTERPRISE_REGISTRY,
        include_str!("../../knowledge/enterprise-registry.tsv"),
    ),
    (
        import::ADDRESS_REGISTRY,
        include_str!("../../knowledge/address-registry.tsv"),
    ),
];

/// Weight of a number that names its maker, when its row gives none.
const OWNER_WEIGHT: f64 = 0.85;
/// Before the number of a column that holds an IEEE prefix.
const PREFIX_COLUMN: &str = "oui:";
/// Weight of a supplier's own name as a word.
const NAME_WEIGHT: f64 = 0.6;

/// The built-in files with an operator's over them, as if nobody had curated the withheld suppliers.
pub(super) fn read(
    overlay: Vec<KnowledgeFile>,
    withheld: &BTreeSet<String>,
) -> (Result<Knowledge, KnowledgeError>, Vec<KnowledgeError>) {
    let built_in = BUILT_IN
        .iter()
        .map(|(name, text)| KnowledgeFile {
            name: (*name).to_owned(),
            text: Cow::Borrowed(text),
        })
        .collect();
    read_layers([built_in, overlay], withheld)
}

/// Files one over the other, the lowest first.
pub(super) fn read_layers(
    layers: [Vec<KnowledgeFile>; 2],
    withheld: &BTreeSet<String>,
) -> (Result<Knowledge, KnowledgeError>, Vec<KnowledgeError>) {
    let mut reading = Reading::new(withheld);
    reading.version_of(&layers);
    // Suppliers first, since every other file refers to them.
    for name in FILE_NAMES {
        for files in &layers {
            reading.begin_layer();
            for file in files.iter().filter(|file| last_part(&file.name) == name) {
                reading.file(name, file);
            }
        }
    }
    for file in layers.iter().flatten() {
        if !FILE_NAMES.contains(&last_part(&file.name)) {
            reading.faults.push(KnowledgeError::Unnamed {
                file: file.name.clone(),
            });
        }
    }
    reading.finish()
}

fn last_part(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// What has been read so far.
struct Reading<'w> {
    withheld: &'w BTreeSet<String>,
    faults: Vec<KnowledgeError>,
    /// Keys of the layer and file at hand, each with its line.
    seen: HashMap<String, usize>,
    digest: Sha256,
    suppliers: Vec<Supplier>,
    by_id: HashMap<String, usize>,
    aliases: HashMap<String, usize>,
    open_aliases: HashMap<String, usize>,
    enterprises: HashMap<Vec<u32>, Enterprise>,
    /// Phrases with the text to search for, by what tells them apart.
    phrases: Vec<(String, Phrase)>,
    phrase_at: HashMap<String, usize>,
    tables: Vec<PartTable>,
    noise: Vec<Rule>,
    enterprise_registry: EnterpriseRegistry,
    address_registry: AddressRegistry,
}

impl<'w> Reading<'w> {
    fn new(withheld: &'w BTreeSet<String>) -> Self {
        Self {
            withheld,
            faults: Vec::new(),
            seen: HashMap::new(),
            digest: Sha256::new(),
            suppliers: Vec::new(),
            by_id: HashMap::new(),
            aliases: HashMap::new(),
            open_aliases: HashMap::new(),
            enterprises: HashMap::new(),
            phrases: Vec::new(),
            phrase_at: HashMap::new(),
            tables: Vec::new(),
            noise: Vec::new(),
            enterprise_registry: EnterpriseRegistry::default(),
            address_registry: AddressRegistry::default(),
        }
    }

    /// The built-in registries count by their head, which bears the digest of the rest.
    fn version_of(&mut self, layers: &[Vec<KnowledgeFile>; 2]) {
        for (layer, files) in layers.iter().enumerate() {
            for file in files {
                let head = || {
                    file.text
                        .lines()
                        .take(import::HEAD_LINES)
                        .collect::<Vec<_>>()
                        .join("\n")
                };
                let text = match last_part(&file.name) {
                    import::ENTERPRISE_REGISTRY | import::ADDRESS_REGISTRY if layer == 0 => {
                        Cow::Owned(head())
                    }
                    _ => Cow::Borrowed(&*file.text),
                };
                self.digest.update(last_part(&file.name));
                self.digest.update((text.len() as u64).to_be_bytes());
                self.digest.update(text.as_bytes());
            }
        }
        for id in self.withheld {
            self.digest.update(id);
        }
    }

    fn begin_layer(&mut self) {
        self.seen.clear();
    }

    fn file(&mut self, kind: &str, file: &KnowledgeFile) {
        let is_registry = [import::ENTERPRISE_REGISTRY, import::ADDRESS_REGISTRY].contains(&kind);
        // One that was cut would forget numbers in silence. A test holds the built-in ones to theirs.
        let digest = || import::rows_digest(&file.text);
        let head = file.text.lines().next().unwrap_or_default();
        if is_registry && matches!(file.text, Cow::Owned(_)) && !head.contains(&digest()) {
            self.faults.push(KnowledgeError::Row {
                file: file.name.clone(),
                line: 1,
                reason:
                    "the rows are not those whose digest stands here; make the table with knowledge import"
                        .to_owned(),
            });
            return;
        }
        match kind {
            import::ENTERPRISE_REGISTRY => {
                self.enterprise_registry =
                    EnterpriseRegistry::read(&file.name, file.text.clone(), &mut self.faults);
            }
            import::ADDRESS_REGISTRY => {
                self.address_registry =
                    AddressRegistry::read(&file.name, file.text.clone(), &mut self.faults);
            }
            _ => {
                for row in rows(&file.name, &file.text) {
                    let read = match kind {
                        "suppliers.tsv" => self.supplier(&row),
                        "enterprises.tsv" => self.enterprise(&row),
                        "products.tsv" => self.product(&row),
                        "noise.tsv" => self.noise(&row),
                        _ => self.table(&row),
                    };
                    self.faults.extend(read.err());
                }
            }
        }
    }

    /// That a key stands once in this layer.
    fn once(&mut self, row: &Row<'_>, key: String, what: &str) -> Result<(), KnowledgeError> {
        match self.seen.insert(key, row.line()) {
            Some(line) => Err(row.error(format!("{what} twice, first in line {line}"))),
            None => Ok(()),
        }
    }

    fn supplier(&mut self, row: &Row<'_>) -> Result<(), KnowledgeError> {
        let (id, name) = (row.cell(0), row.cell(1));
        if self.withheld.contains(id) {
            return Ok(());
        }
        if id.is_empty() || name.is_empty() {
            return Err(row.error("supplier without key or name"));
        }
        let role = role(row)?;
        let source = row.source(7)?;
        let list = |cell: usize| row.list(cell, ';').map(str::to_owned).collect();
        let mut supplier = Supplier {
            id: id.to_owned(),
            name: name.to_owned(),
            role,
            legal: list(5),
            spellings: list(3),
            words: list(4),
            brands: list(6),
            source: source.to_owned(),
        };
        self.once(row, id.to_owned(), "supplier")?;
        let at = match self.by_id.get(id) {
            Some(&at) => {
                if let Some(place) = self.suppliers.get_mut(at) {
                    supplier.spellings.splice(0..0, place.spellings.iter().cloned());
                    supplier.words.splice(0..0, place.words.iter().cloned());
                    *place = supplier;
                }
                at
            }
            None => {
                self.by_id.insert(id.to_owned(), self.suppliers.len());
                self.suppliers.push(supplier);
                self.suppliers.len() - 1
            }
        };
        for alias in row.list(3, ';') {
            self.once(row, format!("alias {alias}"), &format!("alias {alias:?}"))?;
            let whole = alias.replace('*', " x");
            let compared = normalised(&whole);
            if compared != whole {
                let text = format!("alias {alias:?} never matches: names are compared as {compared:?}");
                return Err(row.error(text));
            }
            match alias.strip_suffix('*') {
                Some(start) => self.open_aliases.insert(start.to_owned(), at),
                None => self.aliases.insert(alias.to_owned(), at),
            };
        }
        for word in row.list(4, ';') {
            let (pattern, mut phrase) = phrase(word, at);
            searchable(row, &pattern)?;
            phrase.key = format!("name:{word}");
            phrase.source = format!("names the supplier puts on equipment; its spellings: {source}");
            self.keep(pattern, phrase);
        }
        Ok(())
    }

    fn keep(&mut self, pattern: String, phrase: Phrase) {
        let key = format!("{} {:?} {}", phrase.key, phrase.place, phrase.brand);
        match self.phrase_at.get(&key).and_then(|&at| self.phrases.get_mut(at)) {
            Some(place) => *place = (pattern, phrase),
            None => {
                self.phrase_at.insert(key, self.phrases.len());
                self.phrases.push((pattern, phrase));
            }
        }
    }

    fn known(&self, row: &Row<'_>, id: &str) -> Result<usize, KnowledgeError> {
        let at = self.by_id.get(id).copied();
        at.ok_or_else(|| row.error(format!("supplier {id:?} is in no row of suppliers.tsv")))
    }

    fn product(&mut self, row: &Row<'_>) -> Result<(), KnowledgeError> {
        if self.withheld.contains(row.cell(3)) {
            return Ok(());
        }
        let (pattern, mut phrase) = phrase(row.cell(0), self.known(row, row.cell(3))?);
        if pattern.len() < 2 {
            return Err(row.error("phrase has fewer than two letters"));
        }
        searchable(row, &pattern)?;
        phrase.key = format!("product:{}", row.cell(0));
        phrase.place = match row.cell(1) {
            "descr" => Place::Descr,
            "own_name" => Place::OwnName,
            "any" => Place::Any,
            other => return Err(row.error(format!("place {other:?} is none of descr, own_name, any"))),
        };
        phrase.brand = match row.cell(2) {
            "maker" => false,
            "brand" => true,
            other => return Err(row.error(format!("aspect {other:?} is neither maker nor brand"))),
        };
        phrase.weight = row.weight(4, NAME_WEIGHT)?;
        phrase.strength = match row.cell(5) {
            "built" => Strength::Built,
            "specific" => Strength::Specific,
            "opening" => Strength::Opening,
            "ambiguous" => Strength::Ambiguous,
            other => {
                return Err(row.error(format!(
                    "strength {other:?} is none of built, specific, opening, ambiguous"
                )));
            }
        };
        phrase.doubts = row.list(6, ',').map(str::to_owned).collect();
        row.source(7)?.clone_into(&mut phrase.source);
        let key = format!("{} {} {}", row.cell(0), row.cell(1), row.cell(2));
        self.once(row, key, "phrase")?;
        self.keep(pattern, phrase);
        Ok(())
    }

    fn enterprise(&mut self, row: &Row<'_>) -> Result<(), KnowledgeError> {
        if self.withheld.contains(row.cell(2)) {
            return Ok(());
        }
        let prefix: Oid = row
            .cell(0)
            .parse()
            .map_err(|_| row.error("prefix is no object identifier"))?;
        can_match(row, prefix.arcs())?;
        let supplier = match row.cell(2) {
            "" => None,
            id => Some(self.known(row, id)?),
        };
        let kind = enterprise_kind(row)?;
        if supplier.is_none() != (kind == EnterpriseKind::Generic) {
            return Err(row.error("a generic number names nobody, every other one a supplier"));
        }
        if kind == EnterpriseKind::Generic && !row.cell(3).is_empty() {
            return Err(row.error("labels of a generic number never count"));
        }
        let entry = Enterprise {
            prefix: prefix.arcs().to_vec(),
            kind,
            supplier,
            labels: row
                .list(3, ',')
                .map(|label| self.labelled(row, label))
                .filter_map(Result::transpose)
                .collect::<Result<_, _>>()?,
            weight: row.weight(4, OWNER_WEIGHT)?,
            doubts: row.list(5, ',').map(str::to_owned).collect(),
            source: row.source(6)?.to_owned(),
        };
        // One prefix may be written in several ways.
        self.once(row, format!("{:?}", entry.prefix), "prefix")?;
        self.enterprises.insert(entry.prefix.clone(), entry);
        Ok(())
    }

    /// `a`, `a>b` or `a<year`: whose name is on the label, whose brand that is, and until when.
    fn labelled(&self, row: &Row<'_>, label: &str) -> Result<Option<Label>, KnowledgeError> {
        let (label, before) = match label.split_once('<') {
            Some((label, year)) => {
                let year = year.parse();
                let year = year.map_err(|_| row.error(format!("label {label:?} has no year after <")))?;
                (label, Some(year))
            }
            None => (label, None),
        };
        let (name, brand) = label.split_once('>').unwrap_or((label, label));
        if self.withheld.contains(name) || self.withheld.contains(brand) {
            return Ok(None);
        }
        Ok(Some(Label {
            name: self.known(row, name)?,
            brand: self.known(row, brand)?,
            before,
        }))
    }

    fn noise(&mut self, row: &Row<'_>) -> Result<(), KnowledgeError> {
        let rule = Rule::read(row)?;
        self.once(row, format!("{} {}", row.cell(1), row.cell(2)), "noise")?;
        // An upper layer's word on the same text goes first.
        self.noise.insert(0, rule);
        Ok(())
    }

    fn table(&mut self, row: &Row<'_>) -> Result<(), KnowledgeError> {
        let table = table(row)?;
        self.once(row, table.key.clone(), "table")?;
        self.once(row, format!("{:?}", table.root), "object identifier of the table")?;
        self.tables.retain(|other| other.key != table.key);
        self.tables.push(table);
        Ok(())
    }

    fn finish(self) -> (Result<Knowledge, KnowledgeError>, Vec<KnowledgeError>) {
        let (patterns, phrases): (Vec<String>, Vec<Phrase>) = self.phrases.into_iter().unzip();
        let matcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&patterns);
        let sellers: HashSet<usize> = self
            .enterprises
            .values()
            .filter(|entry| entry.doubts.iter().any(|code| code == "label_company"))
            .filter_map(|entry| entry.supplier)
            .collect();
        let knowledge = matcher
            .map_err(|_| KnowledgeError::Words)
            .map(|matcher| Knowledge {
                version: hex::encode(self.digest.finalize()).chars().take(16).collect(),
                longest_enterprise: self.enterprises.keys().map(Vec::len).max().unwrap_or(0),
                suppliers: self.suppliers,
                by_id: self.by_id,
                aliases: self.aliases,
                open_aliases: self.open_aliases,
                enterprises: self.enterprises,
                enterprise_registry: self.enterprise_registry,
                address_registry: self.address_registry,
                builders: OnceLock::new(),
                holdings: OnceLock::new(),
                phrases,
                matcher,
                tables: self.tables,
                noise: Noise(self.noise),
                sellers,
                fields: Remembered::default(),
            });
        (knowledge, self.faults)
    }
}

/// That a prefix below 1.3.6.1.4.1 can be met by an object identifier.
fn can_match(row: &Row<'_>, prefix: &[u32]) -> Result<(), KnowledgeError> {
    match prefix {
        [1, 3, 6, 1, ..] => Err(row.error(
            "prefix never matches: prefixes are written without 1.3.6.1.4.1, beginning with the enterprise number",
        )),
        [] | [0, ..] => Err(row.error("prefix never matches: 0 is no enterprise number")),
        _ => Ok(()),
    }
}

/// That a phrase can stand in a text as texts are searched: on one line, with one blank between words.
fn searchable(row: &Row<'_>, pattern: &str) -> Result<(), KnowledgeError> {
    // One blank may stand before the digit that must follow.
    if plain(pattern.as_bytes()) == pattern.strip_suffix(' ').unwrap_or(pattern) {
        Ok(())
    } else {
        let text =
            format!("phrase {pattern:?} never matches: texts are searched without quotes and double blanks");
        Err(row.error(text))
    }
}

fn role(row: &Row<'_>) -> Result<SupplierRole, KnowledgeError> {
    match row.cell(2) {
        "maker" => Ok(SupplierRole::Maker),
        "computer" => Ok(SupplierRole::Computer),
        "board" => Ok(SupplierRole::Board),
        "chip" => Ok(SupplierRole::Chip),
        "software" => Ok(SupplierRole::Software),
        other => Err(row.error(format!("role {other:?} is unknown"))),
    }
}

fn enterprise_kind(row: &Row<'_>) -> Result<EnterpriseKind, KnowledgeError> {
    match row.cell(1) {
        "owner" => Ok(EnterpriseKind::Owner),
        "oem" => Ok(EnterpriseKind::Oem),
        "weak" => Ok(EnterpriseKind::Weak),
        "generic" => Ok(EnterpriseKind::Generic),
        "software" => Ok(EnterpriseKind::Software),
        "controller" => Ok(EnterpriseKind::Controller),
        other => Err(row.error(format!("kind {other:?} is unknown"))),
    }
}

/// A phrase in the notation of products.tsv, and the text to search for.
fn phrase(notation: &str, supplier: usize) -> (String, Phrase) {
    let (body, at_start) = notation
        .strip_prefix('^')
        .map_or((notation, false), |body| (body, true));
    let (body, at_end) = body.strip_suffix('$').map_or((body, false), |body| (body, true));
    let (body, open) = body.strip_suffix('*').map_or((body, false), |body| (body, true));
    let (body, digit) = body.strip_suffix('#').map_or((body, false), |body| (body, true));
    let phrase = Phrase {
        key: String::new(),
        place: Place::Any,
        strength: Strength::Opening,
        brand: false,
        supplier,
        weight: NAME_WEIGHT,
        doubts: Vec::new(),
        source: String::new(),
        at_start,
        at_end,
        open,
        digit,
        lower_case: !body.chars().any(char::is_uppercase),
    };
    (body.to_owned(), phrase)
}

fn table(row: &Row<'_>) -> Result<PartTable, KnowledgeError> {
    let root: Oid = row
        .cell(1)
        .parse()
        .map_err(|_| row.error("table is no object identifier"))?;
    if root.enterprise().is_none() {
        return Err(row.error("table lies not below an enterprise number"));
    }
    if root.arcs().starts_with(CDP) {
        return Err(row.error("table never matches: rows of CDP are of neighbours and not read"));
    }
    let maker_is_prefix = row.cell(4).starts_with(PREFIX_COLUMN);
    let maker = row.cell(4).trim_start_matches(PREFIX_COLUMN);
    let maker = maker
        .parse()
        .map_err(|_| row.error(format!("maker's column {maker:?} is no number")))?;
    let model = row.number(6)?;
    if (maker, model) == (0, 0) {
        return Err(
            row.error("table never names a part: it has a column neither for the maker nor for the model")
        );
    }
    Ok(PartTable {
        maker,
        maker_is_prefix,
        key: row.cell(0).to_owned(),
        root: root.arcs().to_vec(),
        index: match row.cell(2) {
            "own" => TableIndex::Own,
            "entity" => TableIndex::Entity,
            other => return Err(row.error(format!("index {other:?} is neither own nor entity"))),
        },
        class: match row.cell(3) {
            "module" => ComponentClass::Module,
            "port" => ComponentClass::Port,
            "power_supply" => ComponentClass::PowerSupply,
            other => return Err(row.error(format!("class {other:?} is unknown"))),
        },
        name: row.number(5)?,
        model,
        serial: row.number(7)?,
        revision: row.number(8)?,
        source: row.source(9)?.to_owned(),
    })
}
