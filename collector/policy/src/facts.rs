//! One asset as facts: what `judge` and the worked examples of the packs are asked about.
//!
//! Invariants: a field, a supplier or a closed word that is not known is an error
//! that names it, never a silent miss; purposes, site tags and kinds are open
//! words. What is left out is unknown.

use crate::date::PartialDate;
use crate::pack::{Country, Level, Segment};
use crate::part::{Approval, Depth, Identity, Part, Presence, Share, Told};
use crate::policies::Policies;
use model::{Attribution, Place, Role, SupplierRef};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;

/// Generations a fact may name, in the spelling of the packs.
const GENERATIONS: &[&str] = &[
    "2G",
    "3G",
    "4G",
    "5G",
    "6G",
    "FTTP",
    "fixed",
    "cable",
    "satellite",
    "wifi",
    "private",
];

/// Said of a thing whose generation nobody narrowed down: as if none were told.
const ANY: &str = "any";

/// Other spellings of them.
const SPELLINGS: &[(&str, &str)] = &[
    ("GSM", "2G"),
    ("UMTS", "3G"),
    ("LTE", "4G"),
    ("NR", "5G"),
    ("GPON", "FTTP"),
    ("PON", "FTTP"),
    ("FTTH", "FTTP"),
];

/// One asset.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// Whose law; a worked example takes that of its pack.
    pub jurisdiction: Option<Country>,
    /// Key of the supplier.
    pub supplier: String,
    /// Generations of network it serves.
    pub generation: Words,
    /// The part of the network.
    pub segment: Option<Segment>,
    /// To be put in, or there already.
    pub state: Option<State>,
    /// Day it was made.
    pub made: Option<PartialDate>,
    /// Day it was bought.
    pub acquired: Option<PartialDate>,
    /// Day it was put in.
    pub installed: Option<PartialDate>,
    /// Day its model was authorised.
    pub authorised: Option<PartialDate>,
    /// What it is used for.
    pub purpose: Words,
    /// What its site is; a list that is given is whole.
    pub site_tags: Option<Words>,
    /// The supplier's share, in per cent: at least and at most.
    pub share: Option<(f64, f64)>,
    /// Whether an approval is on file.
    pub approval: Option<OnFile>,
    /// How deep in the bill of materials it was found.
    pub level: Option<LevelWord>,
    /// What it is.
    pub kind: Option<String>,
    /// Who the operator is before the law.
    pub operator_tags: Words,
    /// The radio band it serves.
    pub band: Option<Band>,
    /// Its data rate in Gbit/s.
    pub data_rate_gbps: Option<f64>,
    /// Where it was made, designed or developed.
    pub production_country: Option<Country>,
    /// Networks it manages, for a management system.
    pub manages: Words,
    /// The operator, as approvals name it.
    pub operator: Option<String>,
    /// The model, as approvals name it.
    pub model: Option<String>,
    /// The version of its software, as approvals name it.
    pub version: Option<String>,
    /// The area, as approvals name it.
    pub area: Option<String>,
}

/// Why facts cannot be judged; correct the field it names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// No supplier has this key.
    #[error("supplier {0:?} is not known; `policy list --suppliers` prints the keys")]
    Supplier(String),
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field has a value that cannot be meant.
    #[error("{field}: {hint}")]
    Value {
        /// Which.
        field: &'static str,
        /// What is wrong and what would be right.
        hint: String,
    },
}

/// One word or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> serde::de::Visitor<'de> for Reader {
            type Value = Words;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a word or a list of words")
            }
            fn visit_unit<E>(self) -> Result<Words, E> {
                Ok(Words::default())
            }
            fn visit_str<E>(self, word: &str) -> Result<Words, E> {
                Ok(Words(vec![word.to_owned()]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Words, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = seq.next_element()? {
                    words.push(word);
                }
                Ok(Words(words))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// To be put in, or there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be bought or put in.
    New,
    /// In use.
    Installed,
}

/// An approval as facts tell it: `true`, or until when and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnFile {
    /// There is one, or there is none.
    Told(bool),
    /// There is one with an end, or limited to something.
    Limited(Limited),
}

impl<'de> Deserialize<'de> for OnFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> serde::de::Visitor<'de> for Reader {
            type Value = OnFile;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false or an object such as {\"until\": \"2030-06-30\"}")
            }
            fn visit_bool<E>(self, told: bool) -> Result<OnFile, E> {
                Ok(OnFile::Told(told))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<OnFile, A::Error> {
                Limited::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(OnFile::Limited)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// What an approval is limited to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limited {
    /// Its last day.
    pub until: Option<PartialDate>,
    /// The operator it was given to.
    pub operator: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The version of its software.
    pub version: Option<String>,
    /// The area.
    pub area: Option<String>,
}

/// A level in the bill of materials: a plain word, or the word of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct LevelWord(Depth);

impl TryFrom<String> for LevelWord {
    type Error = String;
    fn try_from(word: String) -> Result<Self, Self::Error> {
        Ok(Self(match word.as_str() {
            "chassis" | "unit" | "device" | "system" | "product" => Depth::Whole,
            "board" | "module" | "card" | "optic" | "component" => Depth::Board,
            "chip" => Depth::Chip,
            "software" => Depth::Software,
            "critical_part" => Depth::Named(Level::CriticalComponent),
            "substantial_or_essential_component_or_critical_technology" => {
                Depth::Named(Level::EssentialComponent)
            }
            other => Depth::Named(Level::read(other).ok_or_else(|| {
                format!(
                    "{:?} is no level; write chassis, board, module, chip, software, {}",
                    bounded(other),
                    Level::WORDS.join(", ")
                )
            })?),
        }))
    }
}

/// A radio band: a frequency, or another name for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    mhz: Option<u32>,
    name: String,
}

impl From<String> for Band {
    fn from(text: String) -> Self {
        let name = text.to_lowercase().replace([' ', '_'], "");
        let in_unit = |unit: &str, factor: f64| {
            let value = name.strip_suffix(unit)?.parse::<f64>().ok()? * factor;
            // Frequencies in use lie far below this bound, so the cast is exact.
            (0.0..1_000_000.0)
                .contains(&value)
                .then_some(value.round() as u32)
        };
        // A bare number below a hundred is in GHz: no band in use lies below 100 MHz or above 100 GHz.
        let bare = name
            .parse::<f64>()
            .ok()
            .map(|value| if value < 100.0 { value * 1000.0 } else { value });
        let bare = bare
            .filter(|mhz| (0.0..1_000_000.0).contains(mhz))
            .map(|mhz| mhz.round() as u32);
        let mhz = in_unit("ghz", 1000.0).or_else(|| in_unit("mhz", 1.0)).or(bare);
        Self { mhz, name }
    }
}

impl<'de> Deserialize<'de> for Band {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl serde::de::Visitor<'_> for Reader {
            type Value = Band;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a band such as \"3.5GHz\"")
            }
            fn visit_str<E>(self, name: &str) -> Result<Band, E> {
                Ok(Band::from(name.to_owned()))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Band, E> {
                Ok(Band::from(number.to_string()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Band, E> {
                Ok(Band::from(number.to_string()))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Band {
    /// Whether two names mean the same band.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.name == other.name || (self.mhz.is_some() && self.mhz == other.mhz)
    }

    /// Its name in lower case, without blanks.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

impl Facts {
    /// The asset as the evaluator takes it.
    ///
    /// # Errors
    /// [`FactsError`] naming the field.
    pub fn read(&self, policies: &Policies) -> Result<(Place, Part), FactsError> {
        let jurisdiction = self
            .jurisdiction
            .as_ref()
            .ok_or(FactsError::Missing("jurisdiction"))?;
        if self.supplier.is_empty() {
            return Err(FactsError::Missing("supplier"));
        }
        let company = policies
            .affiliations()
            .company(&self.supplier)
            .ok_or_else(|| FactsError::Supplier(bounded(&self.supplier)))?;
        let mut place = Place::nowhere();
        place.jurisdictions.insert(jurisdiction.as_str().to_owned());
        let told = self.generation.0.iter();
        for word in told.filter(|word| !word.eq_ignore_ascii_case(ANY)) {
            place.generations.insert(generation(word)?.to_owned());
        }
        place.role = self
            .segment
            .and_then(|segment| segment.as_str().parse::<Role>().ok());
        let site_tags = self.site_tags.as_ref().map(|tags| &tags.0);
        place.tags = self
            .operator_tags
            .0
            .iter()
            .chain(site_tags.into_iter().flatten())
            .cloned()
            .collect();
        if self.level == Some(LevelWord(Depth::Named(Level::CriticalComponent))) {
            // Some laws call the same thing a part.
            place.tags.insert("critical_part".to_owned());
        }
        let prefixed = [("purpose:", &self.purpose.0), ("manages:", &self.manages.0)];
        place.tags.extend(
            prefixed
                .into_iter()
                .flat_map(|(prefix, words)| words.iter().map(move |word| format!("{prefix}{word}"))),
        );
        let part = Part {
            component: None,
            class: None,
            label: String::new(),
            maker: Some(Attribution {
                supplier: SupplierRef {
                    id: company.id.clone(),
                    name: company.name.clone(),
                },
                confidence: 1.0,
            }),
            brand: None,
            acquired: self.acquired,
            told: self.told()?,
        };
        Ok((place, part))
    }

    fn told(&self) -> Result<Told, FactsError> {
        let site_tag = |tag: &String| tag.strip_prefix("site:").unwrap_or(tag).to_owned();
        let depth = self.level.map(|level| level.0);
        if self
            .data_rate_gbps
            .is_some_and(|rate| !(rate.is_finite() && rate >= 0.0))
        {
            return Err(FactsError::Value {
                field: "data_rate_gbps",
                hint: "is no data rate; write Gbit/s from 0".to_owned(),
            });
        }
        Ok(Told {
            segment: self.segment,
            presence: Some(match self.state {
                Some(State::New) => Presence::New,
                Some(State::Installed) => Presence::Installed,
                None => Presence::Untold,
            }),
            made: self.made,
            installed: self.installed,
            authorised: self.authorised,
            share: self.share.map(share).transpose()?,
            approval: self.approval.as_ref().and_then(approval),
            approvals: Vec::new(),
            shares: Vec::new(),
            identity: Identity {
                operator: self.operator.clone(),
                model: self.model.clone(),
                version: self.version.clone(),
                area: self.area.clone(),
            },
            depth,
            kind: self.kind.clone(),
            band: self.band.clone(),
            data_rate_gbps: self.data_rate_gbps,
            production_country: self.production_country.clone(),
            site_tags: self
                .site_tags
                .as_ref()
                .map(|tags| tags.0.iter().map(site_tag).collect::<BTreeSet<_>>()),
        })
    }
}

/// A generation in the spelling of the packs: what operators call it, in any case of letters.
///
/// # Errors
/// [`FactsError::Value`] naming the words that are known.
pub fn generation(word: &str) -> Result<&'static str, FactsError> {
    let other = SPELLINGS
        .iter()
        .find(|(other, _)| other.eq_ignore_ascii_case(word));
    let word_of = |known: &&&str| known.eq_ignore_ascii_case(word);
    other
        .map(|(_, known)| *known)
        .or_else(|| GENERATIONS.iter().find(word_of).copied())
        .ok_or_else(|| FactsError::Value {
            field: "generation",
            hint: format!(
                "{:?} is not known; write one of {}",
                bounded(word),
                GENERATIONS.join(", ")
            ),
        })
}

fn share((low, high): (f64, f64)) -> Result<Share, FactsError> {
    if 0.0 <= low && low <= high && high <= 100.0 {
        return Ok(Share { low, high });
    }
    Err(FactsError::Value {
        field: "share",
        hint: format!("[{low}, {high}] is no share; write [at least, at most] in per cent, 0 to 100"),
    })
}

fn approval(told: &OnFile) -> Option<Approval> {
    match told {
        OnFile::Told(false) => None,
        OnFile::Told(true) => Some(Approval::default()),
        OnFile::Limited(limited) => Some(Approval {
            until: limited.until,
            only: Identity {
                operator: limited.operator.clone(),
                model: limited.model.clone(),
                version: limited.version.clone(),
                area: limited.area.clone(),
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_has_many_spellings() {
        let band = |text: &str| Band::from(text.to_owned());
        for same in ["3.5GHz", "3.5 ghz", "3500 MHz", "3500mhz", "3.5", "3500"] {
            assert!(band(same).is(&band("3.5GHz")), "{same}");
        }
        for other in ["", "2.3GHz", "35 GHz", "NaN", "inf", "-3.5GHz", "1e300GHz", "n78"] {
            assert!(!band(other).is(&band("3.5GHz")), "{other}");
        }
        assert!(band("n78").is(&band("N78")));
    }
}
