//! Reports and gaps into the store, whichever way they came.
//!
//! Invariant: the ack says what is durable and nothing else; every verdict is
//! counted, and what is lost or refused for good is logged.

use model::{AgentId, Instant};
use proto::v1;
use store::record::{IncomingReport, ReportBody, Verdict};
use store::{Store, StoreError};

/// Commits in one transaction. The ack covers the last of `reports` and lists verdicts other
/// than "stored".
///
/// # Errors
/// [`StoreError`]; nothing was committed then.
pub(super) async fn commit(
    store: &dyn Store,
    agent: AgentId,
    epoch: &str,
    reports: Vec<IncomingReport>,
    now: Instant,
) -> Result<v1::Ack, StoreError> {
    let sequences: Vec<u64> = reports
        .iter()
        .map(|report| match &report.body {
            ReportBody::Gap(gap) => {
                tracing::error!(
                    agent.id = %agent,
                    gap.from = report.sequence,
                    gap.to = gap.to,
                    gap.count = gap.count,
                    reason = gap.reason.as_str(),
                    "agent declares reports lost"
                );
                gap.to
            }
            _ => report.sequence,
        })
        .collect();
    let verdicts = store.commit_reports(agent, epoch, reports, now).await?;
    let mut ack = v1::Ack {
        sequence: sequences.last().copied().unwrap_or(0),
        verdicts: Vec::new(),
    };
    for (sequence, verdict) in sequences.into_iter().zip(verdicts) {
        let (kind, word, reason) = match verdict {
            Verdict::Stored => (None, "stored", String::new()),
            Verdict::Repeated => (Some(v1::VerdictKind::Repeated), "repeated", String::new()),
            Verdict::Refused { reason } => {
                tracing::error!(agent.id = %agent, report.sequence = sequence, reason, "report refused");
                (Some(v1::VerdictKind::Refused), "refused", reason)
            }
            Verdict::Wanted => (Some(v1::VerdictKind::Wanted), "wanted", String::new()),
        };
        metrics::counter!("marque_collector_reports_total", "verdict" => word).increment(1);
        if let Some(kind) = kind {
            ack.verdicts.push(v1::Verdict {
                sequence,
                kind: kind.into(),
                reason,
            });
        }
    }
    Ok(ack)
}
