//! What unchanged elements cost on the wire, and an agent that has nothing to say.
//!
//! The agent's own uplink runs in this process, over its own TLS, to the real collector;
//! only when something is kept is decided here, so that an hour need not be waited for.

use super::figures::{Unchanged, precise};
use super::reports::{Fleet, Mix};
use super::{BenchError, PATIENCE};
use crate::proxy::Proxy;
use agent::keep::Shared;
use agent::target::Target;
use agent::uplink::Uplink;
use agent::uplink::sameness::Sameness;
use prost::bytes::Bytes;
use spool::{Options, Spool};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Reports that go alone, one after the other.
const ALONE: usize = 64;
/// Messages of reports that go together, and how many reports each carries.
const TOGETHER: (usize, usize) = (16, 128);
/// How often it is looked whether they were acknowledged.
const LOOK: Duration = Duration::from_millis(2);
/// What waits for company goes after this, which is far less than in an agent.
const LINGER: Duration = Duration::from_millis(20);

/// Measures the octets of unchanged reports and of so much silence.
///
/// # Errors
/// [`BenchError`] when the collector does not take them.
pub async fn measure(
    (proxy, identity): (&Proxy, PathBuf),
    folder: &Path,
    fleet: &mut Fleet,
    silence: Duration,
) -> Result<Unchanged, BenchError> {
    let options = Options {
        quota_bytes: 64 << 20,
        move_damaged_aside: false,
        clock: std::time::SystemTime::now,
    };
    let (spool, _) = Spool::open(&folder.join("unchanged.redb"), &options)?;
    let shared = Shared::new(spool, std::time::SystemTime::now);
    let (_renewed, renewals) = watch::channel(0);
    let uplink = Uplink {
        address: format!("https://{}", proxy.address()),
        identity,
        renewals,
        shared: shared.clone(),
        linger: LINGER,
        collector_limit: Arc::default(),
        plans: None,
        max_pause: Duration::from_secs(60),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(uplink.run(stop.clone()));
    // A session stands when its first report is acknowledged.
    carry(&shared, fleet.make(Mix::Unchanged, 1)).await?;

    let before = proxy.octets();
    for _ in 0..ALONE {
        carry(&shared, fleet.digests(1)).await?;
    }
    let between = proxy.octets();
    for _ in 0..TOGETHER.0 {
        carry(&shared, fleet.digests(TOGETHER.1)).await?;
    }
    let after = proxy.octets();
    tokio::time::sleep(silence).await;
    let silent = proxy.octets() - after;
    stop.cancel();
    running.await.map_err(super::broken)??;
    let together = (TOGETHER.0 * TOGETHER.1) as u64;
    Ok(Unchanged::new(
        precise(between - before) / precise(ALONE as u64),
        precise(after - between) / precise(together),
        silent,
        silence,
    ))
}

/// Keeps reports and waits until they are acknowledged.
async fn carry(shared: &Shared, reports: Vec<Bytes>) -> Result<(), BenchError> {
    let mut last = 0;
    for result in shared.spool.append_all(reports) {
        last = result?;
    }
    shared.appended.notify_one();
    let deadline = Instant::now() + PATIENCE;
    while shared.spool.first_sequence() <= last {
        if Instant::now() > deadline {
            return Err(BenchError::Unexpected("no acknowledgement came".to_owned()));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Octets of memory an agent needs for what it knows of each of `targets`, when all are
/// acknowledged and as many reports again are under way. Of this process before and after.
///
/// # Errors
/// [`BenchError`] when the kernel does not tell.
pub fn known_bytes_per_target(targets: u32) -> Result<f64, BenchError> {
    let before = super::process::usage(None)?.resident;
    let same = Sameness::default();
    let all = |first: u64| {
        for n in 0..targets {
            let address = IpAddr::V4((0x0a00_0001 + n).into());
            if let Ok(target) = Target::new(address, 161) {
                same.spooled(first + u64::from(n), target, [7; 32]);
            }
        }
    };
    all(1);
    same.acked(u64::from(targets));
    all(u64::from(targets) + 1);
    let after = super::process::usage(None)?.resident;
    drop(same);
    Ok(precise(after.saturating_sub(before)) / f64::from(targets.max(1)))
}
