//! Rounds in which nothing was walked.
//!
//! Invariant: they stretch the sighting of what was shown last and change nothing else;
//! the sighting keeps when it was walked last.

use super::{Line, Present, Tx};
use crate::StoreError;
use crate::record::ReadReport;

/// Extends the latest sighting by a round in which nothing was walked.
pub(super) async fn stretch(
    tx: &mut Tx,
    line: &Line<'_>,
    present: &Present,
    read: &ReadReport,
    digest: &str,
) -> Result<(), StoreError> {
    let finished = read.finished.0;
    sqlx::query(
        "UPDATE sighting SET walked_until = COALESCE(walked_until, valid_until), \
         valid_until = CASE WHEN valid_until < $3 THEN $3 ELSE valid_until END, rounds = rounds + 1, \
         refreshed = refreshed + 1, agent_id = $4, epoch = $5, sequence = $6 \
         WHERE element_id = $1 AND digest = $2 AND valid_from = \
         (SELECT MAX(valid_from) FROM sighting WHERE element_id = $1 AND digest = $2)",
    )
    .bind(&present.element)
    .bind(digest)
    .bind(finished)
    .bind(line.agent)
    .bind(line.epoch)
    .bind(line.sequence)
    .execute(&mut *tx)
    .await?;
    if present.last_report.is_none_or(|last| finished >= last) {
        sqlx::query("UPDATE element SET last_report_at = $2, last_answer_at = $2 WHERE element_id = $1")
            .bind(&present.element)
            .bind(finished)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}
