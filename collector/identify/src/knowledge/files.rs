//! The knowledge files: tab-separated rows, `#` opens a comment.

use super::{
    Enterprise, EnterpriseKind, Knowledge, KnowledgeError, Label, PartTable, Phrase, Place, Strength,
    Supplier, SupplierRole, TableIndex, address_key,
};
use aho_corasick::AhoCorasick;
use model::{ComponentClass, Oid};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The texts of all files.
pub(super) struct Files {
    pub(super) suppliers: &'static str,
    pub(super) enterprises: &'static str,
    pub(super) products: &'static str,
    pub(super) tables: &'static str,
    pub(super) enterprise_registry: &'static str,
    pub(super) address_registry: &'static str,
}

/// The files of this crate.
pub(super) const BUILT_IN: Files = Files {
    suppliers: include_str!("../../knowledge/suppliers.tsv"),
    enterprises: include_str!("../../knowledge/enterprises.tsv"),
    products: include_str!("../../knowledge/products.tsv"),
    tables: include_str!("../../knowledge/tables.tsv"),
    enterprise_registry: include_str!("../../knowledge/enterprise-registry.tsv"),
    address_registry: include_str!("../../knowledge/address-registry.tsv"),
};

/// Weight of a number that names its maker, when its row gives none.
const OWNER_WEIGHT: f64 = 0.85;
/// Weight of a supplier's own name as a word.
const NAME_WEIGHT: f64 = 0.6;

/// A row with its place, for errors.
struct Row {
    file: &'static str,
    line: usize,
    cells: Vec<&'static str>,
}

impl Row {
    fn cell(&self, at: usize) -> &'static str {
        self.cells.get(at).copied().unwrap_or_default().trim()
    }

    fn list(&self, at: usize, separator: char) -> impl Iterator<Item = &'static str> + use<> {
        self.cell(at)
            .split(separator)
            .map(str::trim)
            .filter(|item| !item.is_empty())
    }

    fn error(&self, reason: impl Into<String>) -> KnowledgeError {
        KnowledgeError::Row {
            file: self.file,
            line: self.line,
            reason: reason.into(),
        }
    }

    fn weight(&self, at: usize, default: f64) -> Result<f64, KnowledgeError> {
        match self.cell(at) {
            "" => Ok(default),
            text => match text.parse() {
                Ok(weight) if (0.0..=1.0).contains(&weight) => Ok(weight),
                _ => Err(self.error(format!("weight {text:?} is not between 0 and 1"))),
            },
        }
    }

    fn number(&self, at: usize) -> Result<u32, KnowledgeError> {
        self.cell(at)
            .parse()
            .map_err(|_| self.error(format!("{:?} is no number", self.cell(at))))
    }

    fn source(&self, at: usize) -> Result<&'static str, KnowledgeError> {
        match self.cell(at) {
            "" => Err(self.error("no source")),
            source => Ok(source),
        }
    }
}

fn rows(file: &'static str, text: &'static str) -> impl Iterator<Item = Row> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(move |(at, line)| Row {
        file,
        line: at + 1,
        cells: line.split('\t').collect(),
    })
}

/// Suppliers and everything that refers to them.
#[derive(Default)]
struct Names {
    suppliers: Vec<Supplier>,
    by_id: HashMap<&'static str, usize>,
    aliases: HashMap<&'static str, usize>,
    open_aliases: HashMap<&'static str, usize>,
    patterns: Vec<String>,
    phrases: Vec<Phrase>,
}

/// Reads all files.
pub(super) fn read(files: &Files) -> Result<Knowledge, KnowledgeError> {
    let mut names = read_suppliers(files.suppliers)?;
    read_products(files.products, &mut names)?;
    let enterprises = read_enterprises(files.enterprises, &names)?;
    let matcher = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(&names.patterns)
        .map_err(|_| KnowledgeError::Words)?;
    let mut registry = Vec::new();
    for row in rows("enterprise-registry.tsv", files.enterprise_registry) {
        registry.push((row.number(0)?, row.cell(1)));
    }
    registry.sort_unstable_by_key(|entry| entry.0);
    let (addresses, organisations) = read_addresses(files.address_registry)?;
    let sellers = enterprises
        .values()
        .filter(|entry| entry.doubts.contains(&"label_company"))
        .filter_map(|entry| entry.supplier)
        .collect();
    Ok(Knowledge {
        version: version(files),
        longest_enterprise: enterprises.keys().map(Vec::len).max().unwrap_or(0),
        suppliers: names.suppliers,
        by_id: names.by_id,
        aliases: names.aliases,
        open_aliases: names.open_aliases,
        enterprises,
        registry,
        addresses,
        organisations,
        phrases: names.phrases,
        matcher,
        tables: rows("tables.tsv", files.tables)
            .map(|row| table(&row))
            .collect::<Result<_, _>>()?,
        sellers,
    })
}

fn read_suppliers(text: &'static str) -> Result<Names, KnowledgeError> {
    let mut names = Names::default();
    for row in rows("suppliers.tsv", text) {
        let at = names.suppliers.len();
        let supplier = Supplier {
            id: row.cell(0),
            name: row.cell(1),
            role: role(&row)?,
        };
        if supplier.id.is_empty() || supplier.name.is_empty() || names.by_id.insert(supplier.id, at).is_some()
        {
            return Err(row.error("supplier without key or name, or twice"));
        }
        row.source(7)?;
        names.suppliers.push(supplier);
        for alias in row.list(3, ';') {
            let taken = match alias.strip_suffix('*') {
                Some(start) => names.open_aliases.insert(start, at),
                None => names.aliases.insert(alias, at),
            };
            if taken.is_some_and(|other| other != at) {
                return Err(row.error(format!("alias {alias:?} stands for two suppliers")));
            }
        }
        for word in row.list(4, ';') {
            let (pattern, mut phrase) = phrase(word, at);
            phrase.key = format!("name:{word}");
            phrase.source = "names the supplier puts on equipment";
            names.patterns.push(pattern);
            names.phrases.push(phrase);
        }
    }
    Ok(names)
}

fn known(names: &Names, row: &Row, id: &str) -> Result<usize, KnowledgeError> {
    names
        .by_id
        .get(id)
        .copied()
        .ok_or_else(|| row.error(format!("supplier {id:?} is in no row of suppliers.tsv")))
}

fn read_products(text: &'static str, names: &mut Names) -> Result<(), KnowledgeError> {
    for row in rows("products.tsv", text) {
        let (pattern, mut phrase) = phrase(row.cell(0), known(names, &row, row.cell(3))?);
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
            "specific" => Strength::Specific,
            "opening" => Strength::Opening,
            "ambiguous" => Strength::Ambiguous,
            other => {
                return Err(row.error(format!(
                    "strength {other:?} is none of specific, opening, ambiguous"
                )));
            }
        };
        phrase.doubts = row.list(6, ',').collect();
        phrase.source = row.source(7)?;
        names.patterns.push(pattern);
        names.phrases.push(phrase);
    }
    Ok(())
}

fn read_enterprises(
    text: &'static str,
    names: &Names,
) -> Result<HashMap<Vec<u32>, Enterprise>, KnowledgeError> {
    let mut enterprises = HashMap::new();
    for row in rows("enterprises.tsv", text) {
        let prefix: Oid = row
            .cell(0)
            .parse()
            .map_err(|_| row.error("prefix is no object identifier"))?;
        let supplier = match row.cell(2) {
            "" => None,
            id => Some(known(names, &row, id)?),
        };
        let kind = enterprise_kind(&row)?;
        if supplier.is_none() != (kind == EnterpriseKind::Generic) {
            return Err(row.error("a generic number names nobody, every other one a supplier"));
        }
        let entry = Enterprise {
            prefix: prefix.arcs().to_vec(),
            kind,
            supplier,
            labels: row
                .list(3, ',')
                .map(|label| labelled(names, &row, label))
                .collect::<Result<_, _>>()?,
            weight: row.weight(4, OWNER_WEIGHT)?,
            doubts: row.list(5, ',').collect(),
            source: row.source(6)?,
        };
        if enterprises.insert(entry.prefix.clone(), entry).is_some() {
            return Err(row.error("prefix twice"));
        }
    }
    Ok(enterprises)
}

/// `a`, `a>b` or `a<year`: whose name is on the label, whose brand that is, and until when.
fn labelled(names: &Names, row: &Row, label: &str) -> Result<Label, KnowledgeError> {
    let (label, before) = match label.split_once('<') {
        Some((label, year)) => {
            let year = year.parse();
            let year = year.map_err(|_| row.error(format!("label {label:?} has no year after <")))?;
            (label, Some(year))
        }
        None => (label, None),
    };
    let (name, brand) = label.split_once('>').unwrap_or((label, label));
    Ok(Label {
        name: known(names, row, name)?,
        brand: known(names, row, brand)?,
        before,
    })
}

/// Prefixes in order with the position of their organisation.
type Addresses = (Vec<(u64, u32)>, Vec<&'static str>);

fn read_addresses(text: &'static str) -> Result<Addresses, KnowledgeError> {
    let mut organisations = Vec::new();
    let mut addresses = Vec::new();
    for row in rows("address-registry.tsv", text) {
        let organisation =
            u32::try_from(organisations.len()).map_err(|_| row.error("too many organisations"))?;
        organisations.push(row.cell(0));
        for prefix in row.list(1, ' ') {
            let bits = match prefix.len() {
                6 => 24,
                7 => 28,
                9 => 36,
                _ => return Err(row.error(format!("prefix {prefix:?} has not 6, 7 or 9 digits"))),
            };
            let number =
                u64::from_str_radix(prefix, 16).map_err(|_| row.error("prefix is not hexadecimal"))?;
            addresses.push((address_key(bits, number), organisation));
        }
    }
    addresses.sort_unstable();
    Ok((addresses, organisations))
}

fn version(files: &Files) -> String {
    let mut digest = Sha256::new();
    for text in [
        files.suppliers,
        files.enterprises,
        files.products,
        files.tables,
        files.enterprise_registry,
        files.address_registry,
    ] {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    hex::encode(digest.finalize()).chars().take(16).collect()
}

fn role(row: &Row) -> Result<SupplierRole, KnowledgeError> {
    match row.cell(2) {
        "maker" => Ok(SupplierRole::Maker),
        "computer" => Ok(SupplierRole::Computer),
        "board" => Ok(SupplierRole::Board),
        "chip" => Ok(SupplierRole::Chip),
        "software" => Ok(SupplierRole::Software),
        other => Err(row.error(format!("role {other:?} is unknown"))),
    }
}

fn enterprise_kind(row: &Row) -> Result<EnterpriseKind, KnowledgeError> {
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
fn phrase(notation: &'static str, supplier: usize) -> (String, Phrase) {
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
        source: "",
        at_start,
        at_end,
        open,
        digit,
        lower_case: !body.chars().any(char::is_uppercase),
    };
    (body.to_owned(), phrase)
}

fn table(row: &Row) -> Result<PartTable, KnowledgeError> {
    let root: Oid = row
        .cell(1)
        .parse()
        .map_err(|_| row.error("table is no object identifier"))?;
    if root.enterprise().is_none() {
        return Err(row.error("table lies not below an enterprise number"));
    }
    Ok(PartTable {
        key: row.cell(0),
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
        maker: row.number(4)?,
        name: row.number(5)?,
        model: row.number(6)?,
        serial: row.number(7)?,
        revision: row.number(8)?,
        source: row.source(9)?,
    })
}
