//! Reports and gaps into the store, whichever way they came.
//!
//! Invariant: the ack says what is durable and nothing else; every verdict is
//! counted, and what is lost or refused for good is logged.

use model::{AgentId, Instant};
use proto::v1;
use store::record::{DeclaredGap, IncomingReport, ReportBody, Verdict};
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
    let said: Vec<(u64, Option<DeclaredGap>)> = reports
        .iter()
        .map(|report| match &report.body {
            ReportBody::Gap(gap) => (report.sequence, Some(*gap)),
            _ => (report.sequence, None),
        })
        .collect();
    let last = |(sequence, gap): &(u64, Option<DeclaredGap>)| gap.map_or(*sequence, |gap| gap.to);
    let verdicts = store.commit_reports(agent, epoch, reports, now).await?;
    let mut ack = v1::Ack {
        sequence: said.last().map_or(0, last),
        verdicts: Vec::new(),
    };
    for (one, verdict) in said.iter().zip(verdicts) {
        let sequence = last(one);
        if let (from, Some(gap), Verdict::Stored) = (one.0, one.1, &verdict) {
            tracing::error!(
                agent.id = %agent,
                gap.from = from,
                gap.to = gap.to,
                gap.count = gap.count,
                reason = gap.reason.as_str(),
                "agent declares reports lost"
            );
        }
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
