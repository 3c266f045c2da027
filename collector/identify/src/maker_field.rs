//! Fields that hold a maker's name: entPhysicalMfgName, identification objects, private tables.
//!
//! Invariants: noise is no name, and has one (its kind); a company for whose equipment a part is made (`Huawei
//! compatible`, `for Huawei`, a seller's name before it) never is its maker.

use crate::knowledge::{Knowledge, Named, NoiseKind, SupplierRole};
use crate::weigh::{Findings, Standing, Vote};
use model::{Aspect, EvidenceRef, Signal, Varbind};

/// Words that say for whose equipment something is made; the first two need that company behind them.
const FOR_ANOTHER: [&str; 9] = [
    "for",
    "with",
    "compatible",
    "compatibel",
    "compat",
    "replacement",
    "equivalent",
    "clone",
    "alternative",
];

/// Longer texts are no names.
const MOST_CHARS: usize = 64;

/// What a field says.
#[derive(Debug, Clone, Default)]
pub(crate) struct MakerField {
    /// Who made it; `None` when the field does not tell.
    pub(crate) maker: Option<Named>,
    /// Whose name is on it, when the field holds both (`CISCO-ACCELINK`).
    pub(crate) brand: Option<Named>,
    /// Whether it names the company for whose equipment the part is made.
    pub(crate) for_another: bool,
    /// What it holds instead of a name.
    pub(crate) noise: Option<NoiseKind>,
}

impl MakerField {
    fn noise(kind: NoiseKind) -> Self {
        Self {
            noise: Some(kind),
            ..Self::default()
        }
    }
}

/// Reads a field that should hold a maker's name.
pub(crate) fn maker_of(text: &str, knowledge: &Knowledge) -> MakerField {
    let text = text.trim().trim_matches('"').trim();
    if text.is_empty() || text.chars().count() > MOST_CHARS {
        return MakerField::default();
    }
    knowledge.field(text, || read(text, knowledge))
}

fn read(text: &str, knowledge: &Knowledge) -> MakerField {
    if let Some(kind) = knowledge.noise(text) {
        return MakerField::noise(kind);
    }
    if text.chars().filter(|c| c.is_alphabetic()).count() < 2 {
        return MakerField::noise(NoiseKind::Filler);
    }
    if let Some(maker) = other_than_target(text, knowledge) {
        return MakerField {
            maker,
            for_another: true,
            ..MakerField::default()
        };
    }
    let names = |maker, brand| MakerField {
        maker: Some(maker),
        brand,
        ..MakerField::default()
    };
    let Some(whole) = knowledge.named(text) else {
        return MakerField::default();
    };
    if let Some((left, right)) = text.split_once('-')
        && let (Some(brand), Some(maker)) = (knowledge.named(left), knowledge.named(right))
        && brand.listed
        && maker.listed
        && brand.supplier != maker.supplier
        && (!whole.listed || whole.supplier == brand.supplier)
    {
        return names(maker, Some(brand));
    }
    match knowledge.noise_unless_known(text).filter(|_| !whole.listed) {
        Some(kind) => MakerField::noise(kind),
        None => names(whole, None),
    }
}

/// Where a name in a field comes from; padding that was cut is told.
pub(crate) fn source_of(source: &str, varbind: &Varbind, knowledge: &Knowledge) -> String {
    if knowledge.pads(&varbind.value.octets) {
        format!("{source}; trailing blanks cut")
    } else {
        source.to_owned()
    }
}

/// When a field names the company for whose equipment the part is made: who else it names.
fn other_than_target(text: &str, knowledge: &Knowledge) -> Option<Option<Named>> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let listed = |words: &[&str]| knowledge.named(&words.join(" ")).filter(|named| named.listed);
    let is_mark = |word: &&str| FOR_ANOTHER.contains(word);
    let Some(at) = words.iter().position(is_mark) else {
        return sold_for(&words, knowledge).map(Some);
    };
    let (before, marked) = words.split_at_checked(at)?;
    let marks = marked.iter().take_while(|word| is_mark(word)).count();
    let (marks, after) = marked.split_at_checked(marks)?;
    let (before, after) = (before, listed(after));
    if marks.iter().any(|word| ["for", "with"].contains(word)) {
        let other_word = marks.len() > 1 || !["for", "with"].contains(marks.first()?);
        return (other_word || after.is_some()).then(|| listed(before));
    }
    Some(after.or_else(|| sold_for(before, knowledge)))
}

/// The seller of equipment of several builders who stands before another company's name.
fn sold_for(words: &[&str], knowledge: &Knowledge) -> Option<Named> {
    let listed = |words: &[&str]| knowledge.named(&words.join(" ")).filter(|named| named.listed);
    (1..words.len().min(8)).find_map(|at| {
        let (seller, rest) = words.split_at_checked(at)?;
        let (seller, other) = (listed(seller)?, listed(rest)?);
        (knowledge.is_seller(&seller.supplier) && other.supplier != seller.supplier).then_some(seller)
    })
}

/// The doubt about a field that names for whose equipment the part is made.
pub(crate) fn for_another(text: &str) -> (&'static str, String) {
    let shown: String = text.trim().chars().take(64).collect();
    (
        "made_for_another",
        format!("the maker's field says for whose equipment it is made: `{shown}`"),
    )
}

/// A field that holds a maker's name.
pub(crate) struct Field<'a> {
    pub(crate) signal: Signal,
    pub(crate) weight: f64,
    pub(crate) standing: Standing,
    pub(crate) evidence: EvidenceRef,
    pub(crate) source: &'a str,
}

impl Field<'_> {
    /// Votes for the maker it names, and for the brand when it names both.
    pub(crate) fn votes(self, maker: Named, brand: Option<Named>, findings: &mut Findings) {
        let aspect = match maker.role {
            SupplierRole::Chip => return,
            SupplierRole::Software => Aspect::Brand,
            _ => Aspect::Maker,
        };
        for (aspect, named) in [(aspect, Some(maker)), (Aspect::Brand, brand)] {
            let Some(named) = named else { continue };
            findings.votes.push(Vote {
                aspect,
                knowledge: format!("supplier:{}", named.supplier.id),
                named,
                signal: self.signal,
                weight: self.weight,
                standing: self.standing,
                evidence: self.evidence.clone(),
                source: self.source.to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maker_fields_hold_makers_or_noise() {
        let knowledge = Knowledge::built_in().unwrap();
        let cases = [
            ("Huawei Technologies Co., Ltd.", Some(("huawei", None))),
            ("HUAWEI          ", Some(("huawei", None))),
            ("CISCO-ACCELINK  ", Some(("accelink", Some("cisco")))),
            ("Alcatel-Lucent", Some(("nokia", None))),
            ("Huawei-3Com", Some(("h3c", None))),
            ("FIBERLAND", Some(("fiberland", None))),
            ("4LAN_HW", Some(("4lan_hw", None))),
            ("N/A", None),
            ("OEM", None),
            ("", None),
            ("0x8086", None),
            ("8086:1533", None),
            ("V1.2", None),
            ("Rev. 3", None),
            ("DNT00", None),
            ("a=b", None),
        ];
        for (text, expected) in cases {
            let found = maker_of(text, knowledge);
            assert!(!found.for_another, "{text:?}");
            let brand = found.brand.map(|brand| brand.supplier.id);
            let found = found.maker.map(|maker| (maker.supplier.id, brand));
            let found = found
                .as_ref()
                .map(|(maker, brand)| (maker.as_str(), brand.as_deref()));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn noise_has_a_name() {
        let knowledge = Knowledge::built_in().unwrap();
        for (text, kind) in [
            ("N/A", NoiseKind::Filler),
            ("OEM", NoiseKind::Filler),
            ("To Be Filled By O.E.M.", NoiseKind::Filler),
            ("-", NoiseKind::Filler),
            ("Unknown (0x1234)", NoiseKind::Filler),
            ("None (empty)", NoiseKind::Filler),
            ("Generic (SFP)", NoiseKind::Filler),
            ("OEM Co., Ltd", NoiseKind::Filler),
            ("Unknown Inc.", NoiseKind::Filler),
            ("0x8086 (Intel)", NoiseKind::PciId),
            ("0x8086", NoiseKind::PciId),
            ("8086:1533", NoiseKind::PciId),
            ("15b3:101D", NoiseKind::PciId),
            ("V1.2", NoiseKind::Revision),
            ("Rev. 3", NoiseKind::Revision),
            ("Rev. B2", NoiseKind::Revision),
            ("DNT00", NoiseKind::ResellerCode),
            ("a=b", NoiseKind::ResellerCode),
        ] {
            let found = maker_of(text, knowledge);
            assert_eq!((found.maker, found.noise), (None, Some(kind)), "{text:?}");
        }
        for name in [
            "HUAWEI",
            "4LAN_HW",
            "ZTE",
            "Vertiv",
            "Revolution Optics",
            "R&M",
            "0xide",
        ] {
            assert_eq!(maker_of(name, knowledge).noise, None, "{name:?}");
        }
        for (octets, padded) in [
            (b"ZTE   ".as_slice(), true),
            (b"ZTE\0\0", true),
            (b" ZTE", false),
            (b"   ", false),
            (b"", false),
        ] {
            assert_eq!(knowledge.pads(octets), padded, "{octets:?}");
        }
    }

    #[test]
    fn who_a_part_is_made_for_is_not_its_maker() {
        let knowledge = Knowledge::built_in().unwrap();
        for (text, maker) in [
            ("HIKVISION COMPATIBLE", None),
            ("Huawei Compatible", None),
            ("Huawei (compatible)", None),
            ("huawei-compatible", None),
            ("Compatible with Huawei", None),
            ("for Huawei", None),
            ("Replacement for HUAWEI", None),
            ("FS HUAWEI", Some("fs_com")),
            ("FS-HUAWEI", Some("fs_com")),
            ("FS Huawei compatible", Some("fs_com")),
            ("FINISAR for Huawei", Some("finisar")),
            ("Huawei compatible FINISAR", Some("finisar")),
        ] {
            let found = maker_of(text, knowledge);
            assert!(found.for_another && found.brand.is_none(), "{text:?}: {found:?}");
            let found = found.maker.map(|maker| maker.supplier.id);
            assert_eq!(found.as_deref(), maker, "{text:?}");
        }
        for ordinary in ["Tools for Instruments", "FS", "FS.COM", "Huawei Symantec"] {
            assert!(!maker_of(ordinary, knowledge).for_another, "{ordinary:?}");
        }
    }
}
