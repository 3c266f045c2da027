//! Marque on a simulated network: one collector and one agent a site, as real processes.
//!
//! The processes are the `lab` binary itself, started again as collector and agents, so
//! that certificates, spools, sockets and files are those of production.
//!
//! Invariant: when a [`House`] is dropped, so are its processes; when its process dies,
//! they see their standard input end and leave.

mod child;
mod door;
mod files;
pub(crate) mod http;
mod seen;

pub use child::LEAVE_WITH_PARENT;
pub use seen::{Pending, Seen, Summary};

use crate::network::{Network, NetworkError, Plan};
use child::Child;
use door::Key;
use files::{Folder, Tuning};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How long the collector may take to say that it is ready.
const READY: Duration = Duration::from_secs(20);
/// How often the collector is asked how far it is.
const LOOK: Duration = Duration::from_millis(250);

/// What house to start.
#[derive(Debug, Clone)]
pub struct HouseSpec {
    /// The `lab` binary.
    pub binary: PathBuf,
    /// The network below it.
    pub plan: Plan,
    /// Where data lies; a folder that goes with the house if absent.
    pub data: Option<PathBuf>,
    /// Where browsers connect; a free port of loopback if absent.
    pub http: Option<SocketAddr>,
    /// Where agents connect; a free port of loopback if absent.
    pub grpc: Option<SocketAddr>,
    /// UDP port of the elements; that of the data's last house or a free one if absent.
    pub snmp: Option<u16>,
    /// Seconds between two rounds of an agent.
    pub interval_seconds: u64,
    /// The longest time between two walks of one element, in seconds.
    pub full_round_seconds: u64,
    /// How long certificates of agents hold, as in the collector's configuration.
    pub certificate_lifetime: String,
    /// Bytes that may wait in an agent's spool; the agent's own default if absent.
    pub spool_quota_bytes: Option<u64>,
    /// Routes of alerts, as the collector's configuration has them.
    pub routes: String,
    /// What is set up around it to make its life hard.
    pub trial: Option<Trial>,
}

/// Where a house stands that is put to the test.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Where the agent of a site finds the collector: in front of it.
    pub through: BTreeMap<String, SocketAddr>,
    /// Folder of the spools.
    pub spools: PathBuf,
    /// Folder of the store.
    pub store: PathBuf,
    /// The longest pause of an agent before the next session.
    pub reconnect_max_seconds: u64,
    /// What processes find in their environment: process, name, value.
    pub environment: Vec<(String, String, String)>,
}

impl HouseSpec {
    /// A house on a plan, with everything else chosen by itself and a round every 30 seconds.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>, plan: Plan) -> Self {
        Self {
            binary: binary.into(),
            plan,
            data: None,
            http: None,
            grpc: None,
            snmp: None,
            interval_seconds: 30,
            full_round_seconds: 21_600,
            // A demonstration may be taken up again after weeks.
            certificate_lifetime: "365d".to_owned(),
            spool_quota_bytes: None,
            routes: String::new(),
            trial: None,
        }
    }
}

/// Why a house does not stand or no longer does.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// The network cannot be had.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A file cannot be written.
    #[error("{path}: cannot be written")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The data belongs to elements at another port.
    #[error(
        "{path}: the elements of this data are at UDP port {last}, not {asked}; take that port or other data"
    )]
    Port {
        /// The data folder.
        path: PathBuf,
        /// The port it remembers.
        last: u16,
        /// The port asked for.
        asked: u16,
    },
    /// Two houses cannot share data.
    #[error("{path}: in use by another lab")]
    InUse {
        /// The data folder.
        path: PathBuf,
    },
    /// An address is taken or not ours.
    #[error("cannot listen on {address} for {who}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Who would connect there.
        who: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// A process cannot be started or is not ready in time.
    #[error("{name}: {why}{log}")]
    Process {
        /// Which.
        name: String,
        /// What happened.
        why: String,
        /// The last lines it wrote.
        log: String,
    },
    /// Nobody could be let in.
    #[error("{path}: no account could be made: {why}")]
    Door {
        /// The configuration.
        path: PathBuf,
        /// What happened.
        why: String,
    },
    /// The collector does not answer as it should.
    #[error("collector at {url}: {why}")]
    Http {
        /// What was asked.
        url: String,
        /// What happened.
        why: String,
    },
    /// What was waited for did not come.
    #[error("not reached within {seconds} s: {last}")]
    Late {
        /// How long it was waited for.
        seconds: u64,
        /// The last state seen.
        last: String,
    },
}

/// A running house.
#[derive(Debug)]
pub struct House {
    binary: PathBuf,
    network: Network,
    folder: Folder,
    collector: Option<Child>,
    agents: Vec<Child>,
    http: SocketAddr,
    grpc: SocketAddr,
    certificate_lifetime: String,
    routes: String,
    trial: Option<Trial>,
    key: Key,
}

impl House {
    /// Starts network, collector and agents; returns when all are started and the collector is ready.
    ///
    /// # Errors
    /// [`HouseError`] naming what does not start and the last lines it wrote.
    pub async fn start(spec: HouseSpec) -> Result<Self, HouseError> {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let folder = Folder::new(spec.data)?;
        // The same data again means the same elements, and a port is part of where they are.
        let last = folder.last_port();
        if let (Some(last), Some(asked)) = (last, spec.snmp.filter(|asked| last != Some(*asked))) {
            let path = folder.root().to_owned();
            return Err(HouseError::Port { path, last, asked });
        }
        for (address, who) in [(spec.http, "browsers"), (spec.grpc, "agents")] {
            if let Some(address) = address {
                // Closed again at once; a taken one would be told by the collector's log only.
                std::net::TcpListener::bind(address).map_err(|source| HouseError::Listen {
                    address,
                    who,
                    source,
                })?;
            }
        }
        let network = Network::start(spec.plan, spec.snmp.or(last))?;
        let mut house = Self {
            binary: spec.binary,
            network,
            folder,
            collector: None,
            agents: Vec::new(),
            http: spec.http.unwrap_or(free),
            grpc: spec.grpc.unwrap_or(free),
            certificate_lifetime: spec.certificate_lifetime,
            routes: spec.routes,
            trial: spec.trial,
            key: Key::default(),
        };
        house.folder.elements(&house.network)?;
        house.start_collector().await?;
        house.key = Key::cut(&house.folder.path("collector.toml")).await?;
        for site in house.network.plan.sites.clone() {
            let pem = house.folder.path(&format!("agent-{}.pem", site.name));
            if !pem.exists() {
                house.enrol(&site.name, &pem).await?;
            }
            let tuning = Tuning {
                interval_seconds: spec.interval_seconds,
                full_round_seconds: spec.full_round_seconds,
                spool_quota_bytes: spec.spool_quota_bytes,
            };
            house.folder.agent(
                &site,
                &pem,
                house.grpc,
                &house.network,
                tuning,
                house.trial.as_ref(),
            )?;
            house.start_agent(&site.name)?;
        }
        Ok(house)
    }

    /// Starts the collector, on the same ports and data as before if it ran before.
    ///
    /// # Errors
    /// [`HouseError`] when it is not ready in time.
    pub async fn start_collector(&mut self) -> Result<(), HouseError> {
        let config = self.configure_collector()?;
        let args = [
            "collector".as_ref(),
            "serve".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
        ];
        let mut child = self.child("collector", &args)?;
        let line = child.first_line(READY).await?;
        let ready: Ready = serde_json::from_str(&line).map_err(|e| child.failed(format!("{line:?}: {e}")))?;
        (self.http, self.grpc) = (ready.http, ready.grpc);
        self.collector = Some(child);
        // Where it listens now: commands read the file too, and print links.
        self.configure_collector()?;
        Ok(())
    }

    fn configure_collector(&self) -> Result<PathBuf, HouseError> {
        self.folder.collector(
            self.http,
            self.grpc,
            &self.certificate_lifetime,
            &self.network.plan,
            &self.routes,
            self.trial.as_ref(),
        )
    }

    /// Ends the collector as a power cut would (SIGKILL).
    ///
    /// # Errors
    /// [`HouseError`] when the system does not let us.
    pub async fn kill_collector(&mut self) -> Result<(), HouseError> {
        match self.collector.take() {
            Some(child) => child.kill().await,
            None => Ok(()),
        }
    }

    /// Ends the agent of a site the same way.
    ///
    /// # Errors
    /// [`HouseError`] when the system does not let us.
    pub async fn kill_agent(&mut self, site: &str) -> Result<(), HouseError> {
        let name = format!("agent-{site}");
        match self.agents.iter().position(|agent| agent.name() == name) {
            Some(position) => self.agents.remove(position).kill().await,
            None => Ok(()),
        }
    }

    /// Starts the agent of a site again on the data it had.
    ///
    /// # Errors
    /// [`HouseError`] when it does not start.
    pub fn start_agent(&mut self, site: &str) -> Result<(), HouseError> {
        let name = format!("agent-{site}");
        let config = self.folder.path(&format!("{name}.toml"));
        let args = [
            "agent".as_ref(),
            "run".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
        ];
        let agent = self.child(&name, &args)?;
        self.agents.push(agent);
        Ok(())
    }

    fn child(&self, name: &str, args: &[&OsStr]) -> Result<Child, HouseError> {
        let all = self.trial.iter().flat_map(|trial| &trial.environment);
        let own = all.filter(|(process, ..)| process == name);
        let environment: Vec<(&str, &str)> = own
            .map(|(_, key, value)| (key.as_str(), value.as_str()))
            .collect();
        Child::start(&self.binary, name, args, self.folder.root(), &environment)
    }

    /// Where its pages are.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// A link that signs a browser in, once.
    #[must_use]
    pub fn sign_in_url(&self) -> String {
        format!("{}{}", self.http_url(), self.key.link)
    }

    /// What programs show to the collector: `Authorization: Bearer …`.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.key.token
    }

    /// Where its agents connect.
    #[must_use]
    pub fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// The network below it.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Where its configuration, data and logs lie.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.folder.root()
    }

    /// What the collector counts.
    ///
    /// # Errors
    /// [`HouseError::Http`] when it does not answer.
    pub async fn summary(&self) -> Result<Summary, HouseError> {
        let text = self.get("/api/v1/summary").await?;
        serde_json::from_str(&text).map_err(|e| HouseError::Http {
            url: self.http_url(),
            why: format!("summary {text:.200}: {e}"),
        })
    }

    /// Every element as the collector shows it.
    ///
    /// # Errors
    /// [`HouseError::Http`] when it does not answer.
    pub async fn elements(&self) -> Result<Vec<Seen>, HouseError> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/api/v1/elements?limit=500{after}");
            let text = self.get(&path).await?;
            let page: seen::Page = serde_json::from_str(&text).map_err(|e| HouseError::Http {
                url: self.http_url() + &path,
                why: e.to_string(),
            })?;
            all.extend(page.rows);
            match page.next {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(all),
            }
        }
    }

    /// A page or answer of the collector, by its path.
    ///
    /// # Errors
    /// [`HouseError::Http`] when it does not answer 200.
    pub async fn get(&self, path: &str) -> Result<String, HouseError> {
        http::get(self.http, path, Some(&self.key.token))
            .await
            .map_err(|why| HouseError::Http {
                url: format!("{}{path}", self.http_url()),
                why,
            })
    }

    /// A connection to its pages that is kept.
    ///
    /// # Errors
    /// [`HouseError::Http`] when there is none to be had.
    pub(crate) async fn asker(&self) -> Result<http::Asker, HouseError> {
        let asker = http::Asker::connect(self.http, self.key.token.clone()).await;
        let url = self.http_url();
        asker.map_err(|why| HouseError::Http { url, why })
    }

    /// The name and last words of a process that ended by itself.
    pub fn ended(&mut self) -> Option<HouseError> {
        self.collector
            .iter_mut()
            .chain(&mut self.agents)
            .find_map(Child::ended)
    }

    /// The id of a running process of the house.
    ///
    /// # Errors
    /// [`HouseError::Process`] when there is none of this name.
    pub fn process(&self, name: &str) -> Result<u32, HouseError> {
        let mut all = self.collector.iter().chain(&self.agents);
        let child = all.find(|child| child.name() == name);
        child.and_then(Child::id).ok_or_else(|| HouseError::Process {
            name: name.to_owned(),
            why: "does not run".to_owned(),
            log: String::new(),
        })
    }

    /// Waits until the counts are as wanted.
    ///
    /// # Errors
    /// [`HouseError::Late`] with the last counts when they are not in time, or what ended meanwhile.
    pub async fn wait_until(
        &mut self,
        within: Duration,
        wanted: impl Fn(&Summary) -> bool,
    ) -> Result<Summary, HouseError> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(ended) = self.ended() {
                return Err(ended);
            }
            let seen = self.summary().await;
            let last = match seen {
                Ok(summary) if wanted(&summary) => return Ok(summary),
                Ok(summary) => format!("{summary:?}"),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                return Err(HouseError::Late {
                    seconds: within.as_secs(),
                    last,
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until a process of the house has written words to its log.
    ///
    /// # Errors
    /// [`HouseError::Late`] when it has not in time, or what ended meanwhile.
    pub async fn wait_for_words(
        &mut self,
        name: &str,
        words: &str,
        within: Duration,
    ) -> Result<(), HouseError> {
        let log = self.folder.path(&format!("{name}.log"));
        let deadline = Instant::now() + within;
        loop {
            if let Some(ended) = self.ended() {
                return Err(ended);
            }
            let written = std::fs::read_to_string(&log).unwrap_or_default();
            if written.contains(words) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let last = written.lines().last().unwrap_or_default();
                return Err(HouseError::Late {
                    seconds: within.as_secs(),
                    last: format!("{name}: {last:.200}"),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends everything, processes first.
    ///
    /// # Errors
    /// [`HouseError`] when the system does not let us end one.
    pub async fn stop(mut self) -> Result<(), HouseError> {
        for agent in std::mem::take(&mut self.agents) {
            agent.kill().await?;
        }
        self.kill_collector().await
    }

    /// As an operator does it: an invitation here, and the agent makes its own key.
    async fn enrol(&self, site: &str, out: &Path) -> Result<(), HouseError> {
        let config = self.folder.path("collector.toml");
        let args = [
            "collector".as_ref(),
            "agent".as_ref(),
            "invite".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
            "--site".as_ref(),
            site.as_ref(),
        ];
        let name = format!("invite-{site}");
        let mut child = self.child(&name, &args)?;
        let line = child.first_line(READY).await?;
        child.finished(READY).await?;
        let token = self.folder.token(site, &line)?;
        let url = format!("https://{}", self.grpc);
        let args = [
            "agent".as_ref(),
            "enrol".as_ref(),
            "--collector".as_ref(),
            url.as_ref(),
            "--token-file".as_ref(),
            token.as_os_str(),
            "--out".as_ref(),
            out.as_os_str(),
        ];
        let name = format!("enrol-{site}");
        self.child(&name, &args)?.finished(READY).await
    }
}

/// What the collector says when it is ready.
#[derive(serde::Deserialize)]
struct Ready {
    http: SocketAddr,
    grpc: SocketAddr,
}

#[cfg(test)]
mod tests;
