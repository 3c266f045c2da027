//! The reconciler step between identification and judgement: what elements showed to units. The crate decides, this
//! fetches and saves.
//!
//! Invariant: histories are saved before companies are looked at, so that two elements of one batch see each other.

use ::identify::units::{COMMON, history, join, key};
use model::{ElementId, Instant};
use store::record::Stage;
use store::units::{ElementHistory, JoinedCompany};
use store::{Store, StoreError, Units};

/// Elements done in one transaction.
const BATCH: u32 = 64;

/// Does a bounded amount; returns how many inputs were done.
///
/// # Errors
/// [`StoreError`] when the store cannot be read or written; what is half done is done again.
pub async fn step(store: &dyn Store, units: &dyn Units, now: Instant) -> Result<usize, StoreError> {
    let undone = store.undone(Stage::Unit, BATCH).await?;
    if undone.is_empty() {
        return Ok(0);
    }
    let mut elements = Vec::with_capacity(undone.len());
    let mut histories = Vec::with_capacity(undone.len());
    for one in undone {
        let element: ElementId = one.key.parse().map_err(|_| StoreError::Damaged("element"))?;
        let tenures = history(element, &units.shown(element).await?);
        histories.push(ElementHistory {
            element,
            tenures: tenures
                .into_iter()
                .map(|tenure| {
                    let keys = key::keys(&tenure.hardware);
                    (tenure, keys.into_iter().map(|(_, key)| key).collect())
                })
                .collect(),
        });
        elements.push((one, element));
    }
    units.save_histories(histories, COMMON, now).await?;
    let mut done = Vec::with_capacity(elements.len());
    for (undone, element) in elements {
        let company = units.company(element, COMMON).await?;
        let joined = join(&company.tenures, &company.decisions, &company.common);
        done.push(JoinedCompany {
            undone,
            tenures: company.tenures,
            joined,
        });
    }
    let count = done.len();
    units.save_joined(done, now).await?;
    Ok(count)
}
