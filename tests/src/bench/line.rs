//! The line as it is: a real agent with a filled spool, a real collector, everything durable.
//!
//! The agent's process finds the reports in its spool as if it had polled them; it has one
//! target of its own, so that it is an agent like any other.

use super::figures::{Backlog, Round, hundredths, precise, tenths};
use super::process::{Usage, usage};
use super::{BenchError, PATIENCE};
use crate::element::Behaviour;
use crate::house::{House, HouseSpec, http};
use crate::network::Plan;
use crate::proxy::{Mode, Proxy};
use prost::bytes::Bytes;
use spool::{Options, Spool};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The agent, by the name of its files.
const AGENT: &str = "agent-lab";
/// Reports put into the spool with one flush.
const GROUP: usize = 1_000;
/// Far more than any run spools.
const QUOTA_BYTES: u64 = 8 << 30;
/// How often the agent is asked how much still waits.
const LOOK: Duration = Duration::from_millis(20);
/// Once a day: one report of its own a run.
const INTERVAL_SECONDS: u64 = 86_400;
/// Of a round the last so many are not timed: the agent says goodbye to them at its leisure.
const LAST: u64 = 64;

/// A house whose agent runs only while it has something to send.
pub struct Line {
    house: House,
    proxy: Proxy,
    /// The agent's configuration, as the house wrote it.
    config: String,
}

/// How reports went.
pub struct Carried {
    /// Timed.
    pub round: Round,
    /// Octets on the wire a report, if they went through the proxy.
    pub wire_bytes: f64,
}

impl Line {
    /// Starts collector and agent, lets the agent enrol and report once, and ends it.
    ///
    /// # Errors
    /// [`BenchError`] when the house does not stand.
    pub async fn start(binary: PathBuf) -> Result<Self, BenchError> {
        let plan = Plan::small().with("arista-7280", "one", "core", Behaviour::Normal);
        let mut spec = HouseSpec::new(binary, plan);
        spec.interval_seconds = INTERVAL_SECONDS;
        spec.spool_quota_bytes = Some(QUOTA_BYTES);
        let mut house = House::start(spec).await?;
        house.wait_until(PATIENCE, |seen| seen.reports > 0).await?;
        house.kill_agent("lab").await?;
        let proxy = Proxy::start(house.grpc()).await?;
        let config = std::fs::read_to_string(house.data().join(AGENT).with_extension("toml"))?;
        Ok(Self { house, proxy, config })
    }

    /// What another uplink needs: the way in, and who it is.
    pub fn way(&self) -> (&Proxy, PathBuf) {
        (&self.proxy, self.house.data().join(AGENT).with_extension("pem"))
    }

    /// Waits until the collector has concluded everything from what it has.
    ///
    /// # Errors
    /// [`BenchError`] when it takes too long.
    pub async fn rest(&mut self) -> Result<(), BenchError> {
        let done = |seen: &crate::house::Summary| seen.pending.unidentified + seen.pending.unevaluated == 0;
        self.house.wait_until(PATIENCE * 5, done).await?;
        Ok(())
    }

    /// Carries reports from the spool to the collector's disk.
    ///
    /// # Errors
    /// [`BenchError`] when they do not get there.
    pub async fn carry(&mut self, reports: Vec<Bytes>, counted: bool) -> Result<Carried, BenchError> {
        let count = self.fill(reports).await?;
        let before = self.proxy.octets();
        let begun = (
            Instant::now(),
            [Usage::default(), usage(Some(self.house.process("collector")?))?],
        );
        let agent = self.start_agent(counted).await?;
        let (round, _) = self.watch(agent, count, begun).await?;
        self.house.kill_agent("lab").await?;
        let wire_bytes = precise(self.proxy.octets() - before) / precise(count);
        Ok(Carried { round, wire_bytes })
    }

    /// Fills the spool, lets the agent stand before a dead link for a while, then lets it through.
    ///
    /// # Errors
    /// [`BenchError`] when they do not get there.
    pub async fn backlog(
        &mut self,
        reports: Vec<Bytes>,
        known_bytes_per_target: f64,
    ) -> Result<Backlog, BenchError> {
        let full = reports
            .iter()
            .filter(|report| report.len() > super::DIGEST_BYTES)
            .count() as u64;
        let count = self.fill(reports).await?;
        let file_bytes = std::fs::metadata(self.spool())?.len();
        self.proxy.set(Mode::Cut);
        let before = self.proxy.octets();
        let agent = self.start_agent(true).await?;
        // By then it has read its spool, polled its target, kept that and found the link dead.
        let deadline = Instant::now() + PATIENCE;
        while waiting(agent).await? <= count {
            late(deadline, "the agent keeps nothing")?;
            tokio::time::sleep(LOOK).await;
        }
        self.house
            .wait_for_words(AGENT, "session ended", PATIENCE)
            .await?;
        let waited = usage(Some(self.house.process(AGENT)?))?;
        let begun = (
            Instant::now(),
            [waited, usage(Some(self.house.process("collector")?))?],
        );
        self.proxy.set(Mode::Pass);
        let (seconds, sent) = {
            let (_, whole) = self.watch(agent, count, begun).await?;
            (whole.as_secs_f64(), usage(Some(self.house.process(AGENT)?))?)
        };
        self.house.kill_agent("lab").await?;
        Ok(Backlog {
            reports: count,
            full,
            file_bytes,
            waiting_bytes: [waited.resident, waited.peak],
            sending_bytes: sent.peak,
            known_bytes_per_target: tenths(known_bytes_per_target),
            seconds: hundredths(seconds),
            per_second: (precise(count) / seconds.max(1e-6)).round(),
            wire_bytes: tenths(precise(self.proxy.octets() - before) / precise(count)),
        })
    }

    /// Puts reports into the spool of the agent that does not run.
    async fn fill(&self, reports: Vec<Bytes>) -> Result<u64, BenchError> {
        let (path, count) = (self.spool(), reports.len() as u64);
        let filled = tokio::task::spawn_blocking(move || {
            let options = Options {
                quota_bytes: QUOTA_BYTES,
                move_damaged_aside: false,
                clock: std::time::SystemTime::now,
            };
            let (spool, _) = Spool::open(&path, &options)?;
            for group in reports.chunks(GROUP) {
                for result in spool.append_all(group.to_vec()) {
                    result?;
                }
            }
            Ok::<(), BenchError>(())
        });
        filled.await.map_err(super::broken)??;
        Ok(count)
    }

    fn spool(&self) -> PathBuf {
        self.house.data().join(AGENT).with_extension("redb")
    }

    /// Starts the agent, through the proxy or not; returns where it tells how it stands.
    async fn start_agent(&mut self, through_proxy: bool) -> Result<SocketAddr, BenchError> {
        let data = self.house.data();
        let direct = self.house.grpc().to_string();
        let address = if through_proxy {
            self.proxy.address()
        } else {
            self.house.grpc()
        };
        let config = self.config.replace(&direct, &address.to_string());
        let config = format!("{config}\n[admin]\nlisten = \"127.0.0.1:0\"\n");
        std::fs::write(data.join(AGENT).with_extension("toml"), config)?;
        let log = data.join(AGENT).with_extension("log");
        std::fs::write(&log, "")?;
        self.house.start_agent("lab")?;
        let words = "admin.address=";
        self.house.wait_for_words(AGENT, words, PATIENCE).await?;
        let text = std::fs::read_to_string(log)?;
        let at = text
            .split(words)
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        let at = at.and_then(|at| at.parse().ok());
        at.ok_or_else(|| {
            BenchError::Unexpected("the agent does not say where it tells its metrics".to_owned())
        })
    }

    /// Times how `count` reports leave the spool: from the last look at which all were
    /// there, or else the first one, to the first at which few are left. Also how long it
    /// took to the very end.
    async fn watch(
        &mut self,
        agent: SocketAddr,
        count: u64,
        (begun, used): (Instant, [Usage; 2]),
    ) -> Result<(Round, Duration), BenchError> {
        let ids = [self.house.process(AGENT)?, self.house.process("collector")?];
        let deadline = begun + PATIENCE * 20;
        let (mut start, mut end) = ((count, begun, used), None);
        loop {
            let left = waiting(agent).await?;
            let now = (left, Instant::now(), [usage(Some(ids[0]))?, usage(Some(ids[1]))?]);
            if left >= count || (start.1 == begun && left > LAST) {
                start = now;
            }
            if left <= LAST {
                end.get_or_insert(now);
            }
            if let Some((last, ended, after)) = end.filter(|_| left == 0) {
                let (first, began, before) = start;
                let cpu = [0, 1].map(|n: usize| cpu_between(&before, &after, n));
                let round = Round::new(first.saturating_sub(last), ended - began, &cpu);
                return Ok((round, now.1 - began));
            }
            if let Some(ended) = self.house.ended() {
                return Err(ended.into());
            }
            late(deadline, "reports still wait")?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends everything.
    ///
    /// # Errors
    /// [`BenchError`] when the system does not let us.
    pub async fn stop(self) -> Result<(), BenchError> {
        Ok(self.house.stop().await?)
    }
}

/// Of the agent (0) or the collector (1).
fn cpu_between(before: &[Usage; 2], after: &[Usage; 2], process: usize) -> Duration {
    let cpu = |used: &[Usage; 2]| used.get(process).map_or(Duration::ZERO, |used| used.cpu);
    cpu(after).saturating_sub(cpu(before))
}

fn late(deadline: Instant, what: &str) -> Result<(), BenchError> {
    match Instant::now() < deadline {
        true => Ok(()),
        false => Err(BenchError::Unexpected(format!("{what} for too long"))),
    }
}

/// Reports in an agent's spool, as it says itself.
async fn waiting(agent: SocketAddr) -> Result<u64, BenchError> {
    let page = http::get(agent, "/metrics", None)
        .await
        .map_err(BenchError::Unexpected)?;
    spooled(&page).ok_or_else(|| BenchError::Unexpected("the agent does not say what waits".to_owned()))
}

fn spooled(page: &str) -> Option<u64> {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("marque_agent_spool_reports "));
    line?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_waits() {
        let page = "# TYPE marque_agent_spool_reports gauge\nmarque_agent_spool_reports 1207\n\nother 3\n";
        assert_eq!(spooled(page), Some(1_207));
        assert_eq!(spooled("marque_agent_spool_reports many\n"), None);
        assert_eq!(spooled(""), None);
    }

    #[test]
    fn patience_ends() {
        assert!(late(Instant::now() + Duration::from_secs(60), "x").is_ok());
        let error = late(Instant::now(), "reports wait").unwrap_err();
        assert_eq!(error.to_string(), "reports wait for too long");
    }
}
