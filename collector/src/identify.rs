//! The first reconciler step: undone evidence to identifications. The crate decides, this fetches and saves.

use crate::ingest::decode_evidence;
use identify::Knowledge;
use model::{Digest, Doubt, Evidence, Identification, Instant, Subject, UnitIdentity};
use store::coverage::FoundNeighbour;
use store::record::{IdentifiedEvidence, Stage, Undone};
use store::{Store, StoreError};

/// Evidence identified in one transaction.
const BATCH: u32 = 32;

/// Does a bounded amount; returns how many inputs were done.
///
/// # Errors
/// [`StoreError`] when the store cannot be read or written; nothing is half done.
pub async fn step(
    store: &dyn Store,
    knowledge: &'static Knowledge,
    now: Instant,
) -> Result<usize, StoreError> {
    let mut done = Vec::new();
    for undone in store.undone(Stage::Identify, BATCH).await? {
        let Some(digest) = Digest::from_hex(&undone.key) else {
            return Err(StoreError::Damaged("digest"));
        };
        let bytes = store.evidence(digest).await?.map(|record| record.bytes);
        done.push(one(bytes, digest, undone, knowledge).await);
    }
    let count = done.len();
    if count > 0 {
        store.save_identified(done, now).await?;
    }
    Ok(count)
}

async fn one(
    bytes: Option<Vec<u8>>,
    digest: Digest,
    undone: Undone,
    knowledge: &'static Knowledge,
) -> IdentifiedEvidence {
    // A large walk takes milliseconds of CPU: off the threads that serve agents.
    let concluded = tokio::task::spawn_blocking(move || match bytes.map(|b| decode_evidence(&b)) {
        Some(Ok(evidence)) => (identify::identify(&evidence, knowledge), found_in(&evidence)),
        Some(Err(unreadable)) => (
            nothing(knowledge, "unreadable", &unreadable.to_string()),
            Vec::new(),
        ),
        None => (
            nothing(
                knowledge,
                "evidence_missing",
                "the store does not hold the bytes of this evidence",
            ),
            Vec::new(),
        ),
    })
    .await;
    let (identification, neighbours) = concluded.unwrap_or_else(|fault| {
        tracing::error!(evidence.digest = %digest, error = %fault, "identification panicked");
        let text = "identification failed on this evidence; this is a fault of Marque";
        (nothing(knowledge, "fault", text), Vec::new())
    });
    IdentifiedEvidence {
        undone,
        digest,
        identification,
        neighbours,
    }
}

fn found_in(evidence: &Evidence) -> Vec<FoundNeighbour> {
    identify::neighbour::neighbours(evidence)
        .into_iter()
        .map(|found| FoundNeighbour {
            address: found.address,
            protocol: found.protocol,
        })
        .collect()
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
