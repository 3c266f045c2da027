//! The witnesses' words for the judge, read after everything has ended.

use super::judge::{Held, Line};
use super::witness::Witness;
use crate::element::Element;
use crate::element::story::{PLACE, Said, word_of};
use collector::ingest::decode_evidence;
use model::{Digest, Oid};
use spool::{Options, Spool};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use store::{SqliteStore, Store as _};

/// sysUpTime.0, as a key of the readings.
const UPTIME: &str = "1.3.6.1.2.1.1.3.0";

/// An agent's log and its spool.
pub(super) fn line(site: &str, spool: &Path, witness: Witness) -> Result<Line, String> {
    let wrong = |why: String| format!("{}: {why}", spool.display());
    let options = Options {
        quota_bytes: u64::MAX,
        move_damaged_aside: false,
        clock: SystemTime::now,
    };
    let (opened, _) = Spool::open(spool, &options).map_err(|error| wrong(error.to_string()))?;
    let items = opened
        .read_from(0, usize::MAX, usize::MAX)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(Line {
        site: site.to_owned(),
        kept: witness.kept,
        epoch: opened.epoch().map(|octet| format!("{octet:02x}")).concat(),
        next: opened.next_sequence(),
        waiting: items.iter().flat_map(|item| item.first()..=item.last()).collect(),
    })
}

/// What each element said, by where it is.
pub(super) fn said(elements: &[Arc<Element>], port: u16) -> BTreeMap<String, Vec<Said>> {
    let said = |element: &Arc<Element>| {
        let story = element.story.as_ref()?;
        Some((format!("{}:{port}", element.address), story.said()))
    };
    elements.iter().filter_map(said).collect()
}

/// Everything in the store, evidence decoded from its bytes.
pub(super) async fn held(path: &Path) -> Result<Held, String> {
    let wrong =
        |error: &dyn std::error::Error| format!("{}: {}", path.display(), collector::admin::chain(error));
    let store = SqliteStore::open(path).await.map_err(|error| wrong(&error))?;
    let audit = store.audit().await.map_err(|error| wrong(&error))?;
    let digests: BTreeSet<&String> = audit.reports.iter().map(|report| &report.digest).collect();
    let mut words = BTreeMap::new();
    for text in digests {
        let Some(digest) = hex::decode(text)
            .ok()
            .and_then(|octets| Digest::from_slice(&octets))
        else {
            continue;
        };
        if let Some(evidence) = store.evidence(digest).await.map_err(|error| wrong(&error))? {
            words.insert(text.clone(), read(digest, &evidence.bytes));
        }
    }
    let uptimes = audit
        .reports
        .iter()
        .map(|report| uptime(&report.readings))
        .collect();
    store.close().await;
    Ok(Held {
        audit,
        words,
        uptimes,
    })
}

/// Lets the next commit of a running collector need room; if it is busy, later ones do.
pub(super) async fn cut_journal(path: &Path) {
    if let Ok(store) = SqliteStore::open(path).await {
        let _ = store.cut_journal().await;
        store.close().await;
    }
}

/// The words in evidence; [`None`] when its bytes are not those of its digest.
fn read(digest: Digest, bytes: &[u8]) -> Option<BTreeSet<u64>> {
    if proto::digest::of_evidence(bytes) != digest.0 {
        return None;
    }
    let evidence = decode_evidence(bytes).ok()?;
    let place = Oid::from_arcs(&PLACE);
    let varbinds = evidence
        .observations
        .iter()
        .flat_map(|observation| &observation.varbinds);
    let words = varbinds.filter(|varbind| varbind.oid == place);
    Some(
        words
            .filter_map(|varbind| word_of(&varbind.value.octets))
            .collect(),
    )
}

fn uptime(readings: &str) -> Option<u32> {
    let readings: serde_json::Value = serde_json::from_str(readings).ok()?;
    let octets = readings.get(UPTIME)?.get("octets")?.as_array()?;
    let number = octets
        .iter()
        .try_fold(0_u64, |sum, octet| Some(sum << 8 | octet.as_u64()?))?;
    u32::try_from(number).ok()
}
