//! Labels: who truly made an element, and where its recording lies.
//!
//! Read are tables with a head: `path` (or `source_path`), `sysObjectID`, `sysDescr`, `truth_maker`,
//! `accept` (other names that are right, `|` between), `restricted_tier` (or `tier`). A folder of
//! recordings may hold `INDEX.tsv`, which says by what name a recording of `source_path` lies there; else it
//! lies under its path, its file name, or the first part of its path, two underscores and its file name.

use super::Verdict;
use identify::{Knowledge, recording};
use model::{
    Evidence, Identification, Observation, Oid, Outcome, Question, QuestionKind, SupplierRef, Value, Varbind,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Why labels or a recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The table cannot be read.
    #[error("{path}: {source}")]
    Table {
        /// Where it lies.
        path: String,
        /// What is wrong.
        source: csv::Error,
    },
    /// A recording cannot be read.
    #[error("{path}: {why}")]
    Recording {
        /// Where it lies.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// Nothing to measure.
    #[error("{0}: no label in it")]
    Empty(String),
}

/// One row of the labels.
#[derive(Debug, Clone, Deserialize)]
pub struct Label {
    /// Which recording it is about.
    #[serde(alias = "source_path")]
    pub path: String,
    /// sysObjectID, dotted.
    #[serde(default, rename = "sysObjectID")]
    pub object_id: String,
    /// sysDescr.
    #[serde(default, rename = "sysDescr")]
    pub descr: String,
    /// Who made it; `unknown` for hardware that nothing names.
    #[serde(rename = "truth_maker")]
    pub truth: String,
    /// Other names that are right.
    #[serde(default)]
    pub accept: String,
    /// `1` for makers that laws restrict.
    #[serde(default, alias = "restricted_tier")]
    pub tier: String,
    /// How the recording is called in its folder.
    #[serde(default)]
    file: String,
}

/// All labels, and where recordings lie.
#[derive(Debug)]
pub struct Labels {
    /// The rows.
    pub all: Vec<Label>,
    folder: PathBuf,
    files: BTreeMap<String, String>,
}

impl Labels {
    /// Reads a table of labels and the index of a folder of recordings, if it has one.
    ///
    /// # Errors
    /// [`LabelError`] when a table cannot be read.
    pub fn read(labels: &Path, recordings: &Path) -> Result<Self, LabelError> {
        let all = table(labels)?;
        if all.is_empty() {
            return Err(LabelError::Empty(labels.display().to_string()));
        }
        let index = recordings.join("INDEX.tsv");
        let index = if index.exists() {
            table(&index)?
        } else {
            Vec::new()
        };
        Ok(Self {
            all,
            folder: recordings.to_owned(),
            files: index.into_iter().map(|label| (label.path, label.file)).collect(),
        })
    }

    /// The labels whose recording is there, with it; of one that holds nothing to be read, nothing is known.
    ///
    /// # Errors
    /// [`LabelError::Recording`] for a file that cannot be read.
    pub fn recorded(&self) -> Result<Vec<(&Label, Evidence)>, LabelError> {
        let mut rows = Vec::new();
        for label in &self.all {
            let Some(path) = self.place(label) else { continue };
            let failed = |why: String| LabelError::Recording {
                path: path.display().to_string(),
                why,
            };
            let bytes = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
            rows.push((label, recording::read(&bytes).unwrap_or_default()));
        }
        Ok(rows)
    }

    fn place(&self, label: &Label) -> Option<PathBuf> {
        let plain = label.path.trim_end_matches(".bz2");
        let last = plain.rsplit('/').next().unwrap_or(plain);
        let joined = format!("{}__{last}", plain.split('/').next().unwrap_or_default());
        let indexed = self.files.get(&label.path).map(String::as_str);
        [
            indexed,
            Some(label.file.as_str()),
            Some(plain),
            Some(&joined),
            Some(last),
        ]
        .into_iter()
        .flatten()
        .filter(|name| !name.is_empty())
        .map(|name| self.folder.join(name))
        .find(|path| path.is_file())
    }

    /// Keys of the makers that laws restrict, as the labels say.
    #[must_use]
    pub fn restricted(&self, knowledge: &Knowledge) -> BTreeSet<String> {
        let rows = self.all.iter().filter(|label| label.is_restricted());
        rows.flat_map(|label| label.names())
            .filter_map(|name| knowledge.supplier_called(name))
            .map(|supplier| supplier.id)
            .collect()
    }
}

impl Label {
    /// Whether the maker is one that laws restrict.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.tier.trim() == "1"
    }

    /// Whether nothing names the hardware.
    #[must_use]
    pub fn is_generic(&self) -> bool {
        self.truth.eq_ignore_ascii_case("unknown")
    }

    /// All names that are right.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.truth.as_str())
            .chain(self.accept.split('|'))
            .map(str::trim)
            .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("unknown"))
    }

    /// How an answer compares: by the supplier a name stands for, else by its letters.
    #[must_use]
    pub fn verdict(&self, found: &Identification, knowledge: &Knowledge) -> Verdict {
        let Some(maker) = &found.maker else {
            let may_be_unknown = self
                .accept
                .split('|')
                .any(|name| name.eq_ignore_ascii_case("unknown"));
            return if self.is_generic() || may_be_unknown {
                Verdict::Right
            } else {
                Verdict::Unknown
            };
        };
        let named = |supplier: &SupplierRef| {
            self.names().any(|name| {
                knowledge
                    .supplier_called(name)
                    .is_some_and(|called| called.id == supplier.id)
                    || letters(name) == letters(&supplier.name)
            })
        };
        if named(&maker.supplier) {
            Verdict::Right
        } else if found.brand.as_ref().is_some_and(|brand| named(&brand.supplier)) {
            Verdict::Brand
        } else {
            Verdict::Wrong
        }
    }

    /// What an agent would have seen that asked for nothing but sysDescr and sysObjectID.
    #[must_use]
    pub fn two_strings(&self) -> Evidence {
        let mut varbinds = Vec::new();
        let mut add = |last: u32, value: Value| {
            varbinds.push(Varbind {
                oid: Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 1, last, 0]),
                value,
            });
        };
        if !self.descr.is_empty() {
            add(1, Value::octet_string(self.descr.as_bytes()));
        }
        if let Ok(oid) = self.object_id.parse::<Oid>()
            && !self.object_id.is_empty()
        {
            add(2, Value::object_identifier(&oid));
        }
        Evidence {
            observations: vec![Observation {
                question: Question {
                    kind: QuestionKind::Get,
                    oids: vec![Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 1])],
                },
                outcome: Outcome::Complete,
                varbinds,
            }],
        }
    }
}

/// Lower-case letters and digits of a name.
pub(super) fn letters(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn table(path: &Path) -> Result<Vec<Label>, LabelError> {
    let failed = |source| LabelError::Table {
        path: path.display().to_string(),
        source,
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .flexible(true)
        .from_path(path)
        .map_err(failed)?;
    let head = reader.byte_headers().map_err(failed)?.clone();
    let mut rows = Vec::new();
    for record in reader.byte_records() {
        // What devices say is not always UTF-8.
        let record: csv::StringRecord = record
            .map_err(failed)?
            .iter()
            .map(|cell| String::from_utf8_lossy(cell).into_owned())
            .collect();
        let head: csv::StringRecord = head
            .iter()
            .map(|cell| String::from_utf8_lossy(cell).into_owned())
            .collect();
        rows.push(record.deserialize(Some(&head)).map_err(failed)?);
    }
    Ok(rows)
}
