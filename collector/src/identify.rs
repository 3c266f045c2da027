//! The first reconciler step: undone evidence to identifications. The crate decides, this fetches and saves.

use crate::ingest::decode_evidence;
use identify::knowledge::{FILE_NAMES, KnowledgeFile};
use identify::{Knowledge, KnowledgeError, neighbour};
use model::{Digest, Doubt, Evidence, Identification, Instant, Subject, UnitIdentity};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use store::coverage::FoundNeighbour;
use store::record::{IdentifiedEvidence, Stage, Undone};
use store::{Store, StoreError};

/// Why the knowledge cannot be used; one line for people.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// A file or folder cannot be read.
    #[error("{path}: cannot be read")]
    Unreadable {
        /// Where it lies.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds more than this program reads of one.
    #[error("{path}: is larger than {most} bytes")]
    TooLarge {
        /// Where it lies.
        path: String,
        /// Bytes read of one file at most.
        most: u64,
    },
    /// Whoever named a folder meant something in it.
    #[error("{path}: holds no table; they are called like {}", FILE_NAMES.join(", "))]
    Empty {
        /// The folder.
        path: String,
    },
    /// A row cannot be used.
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
}

/// Most bytes of one knowledge file.
const MAX_FILE: u64 = 64 << 20;

/// The knowledge this process concludes with: the built-in one, or that with an operator's folder over it.
/// It lives as long as the process.
///
/// # Errors
/// [`OverlayError`] naming the file, and the line where a row is wrong.
pub fn knowledge(folder: Option<&Path>) -> Result<&'static Knowledge, OverlayError> {
    match folder {
        None => Ok(Knowledge::built_in()?),
        Some(folder) => Ok(Box::leak(Box::new(Knowledge::overlaid(files(folder)?)?))),
    }
}

/// A knowledge file, or the tables (`*.tsv`) a folder holds; one with another name is a mistake that reading
/// tells, and so is a folder without any.
///
/// # Errors
/// [`OverlayError`] when one cannot be read.
pub fn files(place: &Path) -> Result<Vec<KnowledgeFile>, OverlayError> {
    let paths: Vec<PathBuf> = if place.is_dir() {
        let unreadable = |source| OverlayError::Unreadable {
            path: place.display().to_string(),
            source,
        };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(place).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|ending| ending == "tsv") {
                found.push(path);
            }
        }
        if found.is_empty() {
            let path = place.display().to_string();
            return Err(OverlayError::Empty { path });
        }
        found.sort();
        found
    } else {
        vec![place.to_owned()]
    };
    let read = |path: &PathBuf| {
        Ok(KnowledgeFile {
            name: path.display().to_string(),
            text: text(path, MAX_FILE)?.into(),
        })
    };
    paths.iter().map(read).collect()
}

/// The text of a file; what is not UTF-8 in it is replaced.
///
/// # Errors
/// [`OverlayError`] when it cannot be read or is larger than `most` bytes.
pub fn text(path: &Path, most: u64) -> Result<String, OverlayError> {
    let shown = || path.display().to_string();
    let unreadable = |source| OverlayError::Unreadable {
        path: shown(),
        source,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > most) {
        return Err(OverlayError::TooLarge { path: shown(), most });
    }
    Ok(String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).into_owned())
}

/// Evidence identified in one transaction, and its octets.
const BATCH: u32 = 1_024;
const BATCH_OCTETS: usize = 16 << 20;

/// Does a bounded amount; returns how many inputs were done.
///
/// # Errors
/// [`StoreError`] when the store cannot be read or written; nothing is half done.
pub async fn step(
    store: &dyn Store,
    knowledge: &'static Knowledge,
    now: Instant,
) -> Result<usize, StoreError> {
    let mut undone = HashMap::new();
    for one in store.undone(Stage::Identify, BATCH).await? {
        let digest = Digest::from_hex(&one.key).ok_or(StoreError::Damaged("digest"))?;
        undone.insert(digest, one);
    }
    if undone.is_empty() {
        return Ok(0);
    }
    let digests: Vec<Digest> = undone.keys().copied().collect();
    let held = store.evidences(&digests, BATCH_OCTETS).await?;
    // What is not among them did not fit, or is not there.
    let mut work: Vec<(Digest, Undone, Option<Vec<u8>>)> = Vec::with_capacity(held.len());
    for (digest, record) in held {
        if let Some(one) = undone.remove(&digest) {
            work.push((digest, one, Some(record.bytes)));
        }
    }
    if work.is_empty() {
        work.extend(undone.into_iter().map(|(digest, one)| (digest, one, None)));
    }
    // A large walk takes milliseconds of CPU: off the threads that serve agents.
    let concluded = move || {
        let one = |(digest, undone, bytes): (Digest, Undone, Option<Vec<u8>>)| {
            one(bytes.as_deref(), digest, undone, knowledge)
        };
        work.into_iter().map(one).collect::<Vec<_>>()
    };
    let done = tokio::task::spawn_blocking(concluded)
        .await
        .map_err(|_| StoreError::Damaged("identification"))?;
    let count = done.len();
    store.save_identified(done, now).await?;
    Ok(count)
}

fn one(
    bytes: Option<&[u8]>,
    digest: Digest,
    undone: Undone,
    knowledge: &'static Knowledge,
) -> IdentifiedEvidence {
    let conclude = || match bytes.map(decode_evidence) {
        Some(Ok(evidence)) => Concluded::from(&evidence, knowledge),
        Some(Err(unreadable)) => Concluded::nothing(knowledge, "unreadable", &unreadable.to_string()),
        None => {
            let text = "the store does not hold the bytes of this evidence";
            Concluded::nothing(knowledge, "evidence_missing", text)
        }
    };
    // One evidence that brings identification down must not bring down the rest.
    let concluded = std::panic::catch_unwind(AssertUnwindSafe(conclude)).unwrap_or_else(|_| {
        tracing::error!(evidence.digest = %digest, "identification panicked");
        let text = "identification failed on this evidence; this is a fault of Marque";
        Concluded::nothing(knowledge, "fault", text)
    });
    IdentifiedEvidence {
        undone,
        digest,
        sum: concluded.sum(),
        hardware: ::identify::units::hardware(&concluded.identification),
        identification: concluded.identification,
        neighbours: concluded.neighbours,
        own_addresses: concluded.own_addresses,
    }
}

/// Everything one evidence tells.
struct Concluded {
    identification: Identification,
    neighbours: Vec<FoundNeighbour>,
    own_addresses: BTreeSet<String>,
}

impl Concluded {
    fn from(evidence: &Evidence, knowledge: &Knowledge) -> Self {
        let neighbours = neighbour::neighbours(evidence);
        let makers = neighbour::makers(&neighbours, knowledge);
        let found = neighbours.into_iter().zip(makers);
        Self {
            identification: ::identify::identify(evidence, knowledge),
            neighbours: found
                .map(|(found, maker)| FoundNeighbour {
                    address: found.address,
                    mac: found.mac,
                    protocol: found.protocol,
                    name: found.name,
                    description: found.description,
                    maker,
                })
                .collect(),
            own_addresses: neighbour::own_addresses(evidence),
        }
    }

    /// Over everything but the version of the knowledge.
    fn sum(&self) -> Digest {
        let Identification {
            knowledge: _,
            maker,
            brand,
            claims,
            doubts,
            unit,
            components,
        } = &self.identification;
        let all = (
            (maker, brand, claims, doubts, unit, components),
            (&self.neighbours, &self.own_addresses),
        );
        // Texts, numbers and lists: writing them cannot fail.
        let text = serde_json::to_vec(&all).unwrap_or_default();
        Digest(Sha256::digest(text).into())
    }

    fn nothing(knowledge: &Knowledge, code: &str, text: &str) -> Self {
        Self {
            identification: nothing(knowledge, code, text),
            neighbours: Vec::new(),
            own_addresses: BTreeSet::new(),
        }
    }
}

/// Unknown, and why.
fn nothing(knowledge: &Knowledge, code: &str, text: &str) -> Identification {
    Identification {
        knowledge: knowledge.version().to_owned(),
        maker: None,
        brand: None,
        claims: Vec::new(),
        doubts: vec![Doubt {
            subject: Subject::Unit,
            code: code.to_owned(),
            text: text.to_owned(),
            evidence: None,
        }],
        unit: UnitIdentity::default(),
        components: Vec::new(),
    }
}
