//! Exports of spools that came by courier.
//!
//! Invariants: a file is read twice, and nothing of it is stored before the first
//! reading came to its end with a good signature of an agent that may speak; then
//! reports take the way of the stream. What changes in the file between the two
//! readings fails the seals, whose keys nobody but that agent had.

use super::commit::commit;
use super::inbound::greeting;
use super::read::{self, Unreadable};
use crate::admin;
use crate::enrol::{Authority, EnrolError};
use model::{AgentId, Instant, SiteName};
use proto::courier::{CourierError, CourierKey, ExportReader, MAX_VERDICTS, Preamble};
use proto::tls::{AgentIdentity, Authorities, Bundle, TlsError, Validity};
use proto::v1::courier_item::Item;
use proto::v1::{self, VerdictKind};
use std::collections::BTreeSet;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::time::Duration;
use store::admission::Shut;
use store::record::{AgentHello, IncomingReport};
use store::{Admission, Store, StoreError};
use time::OffsetDateTime;

/// Why an export is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is damaged, for another collector, or its agent is not of our authority.
    #[error(transparent)]
    Courier(#[from] CourierError),
    /// A certificate, ours or the agent's.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The agent's certificate ran out too long ago, or is of another authority.
    #[error(
        "signed by an agent that this collector does not know, or whose certificate has run out for too long"
    )]
    Stranger(#[source] TlsError),
    /// Its agent may not speak.
    #[error("agent {0} is revoked")]
    Revoked(AgentId),
    /// Its agent may not speak now.
    #[error(
        "agent {0} is in quarantine: keep the file and import it once the agent is released (agent release, or its page)"
    )]
    Quarantined(AgentId),
    /// Its agent stands where nothing is declared.
    #[error("agent {0} stands at {1}, and no [[site]] is named so")]
    Site(AgentId, SiteName),
    /// A greeting or gap that no stream would take either.
    #[error("agent {0} says what no agent says: {1}")]
    Protocol(AgentId, String),
    /// Reports before its first are not here.
    #[error(
        "it begins with sequence {first}, and reports after {acked} are not here: import the exports made before it \
         first; if there are none, --over-hole goes on and shows what lies between as lost"
    )]
    Hole {
        /// Up to where we are.
        acked: u64,
        /// Where it begins.
        first: u64,
    },
    /// The file.
    #[error("file cannot be read")]
    File(#[from] io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No certificate could be made for the receipt.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
}

/// What an import needs.
pub struct Import<'a, S> {
    /// Where reports go, and who may speak.
    pub store: &'a S,
    /// Opens exports and vouches for agents.
    pub authority: &'a Authority,
    /// The sites of the configuration.
    pub sites: &'a BTreeSet<SiteName>,
    /// How long after its end a certificate still signs.
    pub grace: Duration,
    /// Whether to go on where reports are missing.
    pub over_hole: bool,
    /// The wall clock.
    pub clock: fn() -> Instant,
}

/// What became of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Whose it is.
    pub agent: AgentId,
    /// Where that stands.
    pub site: SiteName,
    /// First and last sequence in it; the last is one less if it holds none.
    pub span: (u64, u64),
    /// Reports and gaps that are new here.
    pub stored: u64,
    /// Those that were here already.
    pub repeated: u64,
    /// Those refused for good.
    pub refused: u64,
    /// Those whose digest is not known here.
    pub wanted: u64,
    /// Up to where the agent's epoch is durable now.
    pub acked: u64,
    epoch: Vec<u8>,
    verdicts: Vec<v1::Verdict>,
    signing_request: Vec<u8>,
}

impl<S: Store + Admission> Import<'_, S> {
    /// Reads an export to its end, and then stores what is in it.
    ///
    /// # Errors
    /// [`ImportError`]; nothing was stored then, unless the store failed half way: what was
    /// stored by then stays, and importing again goes on there.
    pub async fn import<F: io::Read + Seek>(&self, file: F) -> Result<Imported, ImportError> {
        let outcome = self.take(file).await;
        match &outcome {
            Ok(done) => tracing::info!(
                agent.id = %done.agent,
                site = %done.site,
                report.sequence = done.acked,
                stored = done.stored,
                repeated = done.repeated,
                refused = done.refused,
                "export imported"
            ),
            Err(error) => tracing::warn!(error = admin::chain(error), "export refused"),
        }
        outcome
    }

    async fn take<F: io::Read + Seek>(&self, mut file: F) -> Result<Imported, ImportError> {
        let preamble = Preamble::read(&mut file)?;
        let keys: Vec<&CourierKey> = self.authority.courier_keys().collect();
        let begin = file.stream_position()?;
        let reader = ExportReader::begin(BufReader::new(&mut file), &preamble, &keys)?;
        let grace = self.grace_of(&reader.opening().certificate).await?;
        let hello = self.believe(reader, grace)?;
        self.may_speak(hello.agent).await?;
        file.seek(SeekFrom::Start(begin))?;
        let reader = ExportReader::begin(BufReader::new(&mut file), &preamble, &keys)?;
        self.store_all(reader, hello).await
    }

    /// How long after its end this certificate signs: without the time its agent was in quarantine, in which no
    /// receipt brought it the next one. Nothing else is made of what it says before it is believed.
    async fn grace_of(&self, certificate: &[u8]) -> Result<Duration, ImportError> {
        let named = AgentIdentity::from_certificate(certificate);
        let ends = Validity::of_certificate(certificate);
        let (Ok(named), Ok(ends)) = (named, ends) else {
            return Ok(self.grace);
        };
        let ends = Instant(ends.not_after.saturating_mul(1_000_000));
        let (agent, now) = (AgentId(named.agent), (self.clock)());
        let kept_out = self.store.quarantined_for(agent, ends, now).await?;
        Ok(self.grace.saturating_add(kept_out))
    }

    /// The whole of an export, and who vouches for it.
    fn believe<R: io::Read>(
        &self,
        mut reader: ExportReader<R>,
        grace: Duration,
    ) -> Result<AgentHello, ImportError> {
        let now = (self.clock)();
        let seconds = u64::try_from(now.0 / 1_000_000).unwrap_or(0);
        let certificate = &reader.opening().certificate;
        let who = self.authorities()?.agent(certificate, seconds, grace);
        let who = who.map_err(ImportError::Stranger)?;
        let agent = AgentId(who.agent);
        let broken = |words: &dyn ToString| ImportError::Protocol(agent, words.to_string());
        let site = SiteName::try_from(who.site).map_err(|error| broken(&error))?;
        let hello = reader.opening().hello.clone().unwrap_or_default();
        let hello = greeting(agent, site, &hello).map_err(|status| broken(&status.message()))?;
        while let Some(item) = reader.read()? {
            if let Item::Gap(gap) = item {
                read::gap(&gap, hello.next_sequence).map_err(|error| broken(&error))?;
            }
        }
        if !self.sites.contains(&hello.site) {
            return Err(ImportError::Site(agent, hello.site));
        }
        Ok(hello)
    }

    async fn may_speak(&self, agent: AgentId) -> Result<(), ImportError> {
        match self.store.shut(agent).await? {
            Some(Shut::Revoked) => Err(ImportError::Revoked(agent)),
            Some(Shut::Quarantined) => Err(ImportError::Quarantined(agent)),
            None => Ok(()),
        }
    }

    async fn store_all<R: io::Read>(
        &self,
        mut reader: ExportReader<R>,
        hello: AgentHello,
    ) -> Result<Imported, ImportError> {
        let greeted = self.store.greet_carried(&hello, self.over_hole, (self.clock)());
        let acked = greeted.await.map_err(|error| match error {
            StoreError::NotDense { cursor, got } => ImportError::Hole {
                acked: cursor,
                first: got,
            },
            other => other.into(),
        })?;
        let epoch = reader.opening().hello.as_ref().map(|hello| hello.epoch.to_vec());
        let mut done = Imported {
            agent: hello.agent,
            site: hello.site.clone(),
            span: (hello.first_sequence, reader.last_sequence()),
            stored: 0,
            repeated: 0,
            refused: 0,
            wanted: 0,
            acked,
            epoch: epoch.unwrap_or_default(),
            verdicts: Vec::new(),
            signing_request: reader.opening().signing_request.to_vec(),
        };
        while let Some(item) = reader.read()? {
            for item in one_by_one(item) {
                let reports = self.incoming(item, &hello)?;
                self.may_speak(hello.agent).await?;
                let count = reports.len() as u64;
                let ack = commit(self.store, hello.agent, &hello.epoch, reports, (self.clock)()).await?;
                done.note(ack, count);
            }
        }
        done.span.1 = reader.last_sequence();
        Ok(done)
    }

    fn incoming(&self, item: Item, hello: &AgentHello) -> Result<Vec<IncomingReport>, ImportError> {
        let now = (self.clock)();
        match item {
            Item::Reports(batch) => Ok(batch
                .reports
                .iter()
                .map(|report| IncomingReport {
                    sequence: report.sequence,
                    body: read::report(&report.report, &hello.site, now),
                })
                .collect()),
            Item::Gap(gap) => {
                let broken = |error: Unreadable| ImportError::Protocol(hello.agent, error.to_string());
                Ok(vec![read::gap(&gap, hello.next_sequence).map_err(broken)?])
            }
            // The reader gives out nothing else.
            Item::Opening(_) | Item::Closing(_) => Ok(Vec::new()),
        }
    }

    /// The receipt for an import: what a link would have brought back, the next certificate included.
    ///
    /// # Errors
    /// [`ImportError`] when it cannot be made.
    pub async fn receipt(&self, done: &Imported) -> Result<Vec<u8>, ImportError> {
        self.may_speak(done.agent).await?;
        let now = (self.clock)();
        let mut certificates = Vec::new();
        // An agent that asks for nothing, or not as one should, gets its acknowledgement all the same.
        if Authority::check(&done.signing_request).is_ok()
            && let Some(at) = now.to_datetime()
        {
            let authority = self.authority;
            let made = authority.certify(&done.signing_request, done.agent, &done.site, at)?;
            self.store.certify(&made.issued, now).await?;
            certificates = made.chain.into_iter().map(Into::into).collect();
        }
        let omitted = (done.refused + done.wanted).saturating_sub(done.verdicts.len() as u64);
        let receipt = v1::CourierReceipt {
            agent: done.agent.0.as_bytes().to_vec().into(),
            epoch: done.epoch.clone().into(),
            sequence: done.acked,
            verdicts: done.verdicts.clone(),
            verdicts_omitted: omitted,
            certificates,
            courier_key: self.authority.courier_key().to_vec().into(),
        };
        let bundle = Bundle::from_pem(self.authority.collector_bundle(OffsetDateTime::now_utc())?);
        Ok(proto::courier::sign_receipt(&receipt, &bundle)?)
    }

    fn authorities(&self) -> Result<Authorities, ImportError> {
        let bundle = self.authority.collector_bundle(OffsetDateTime::now_utc())?;
        Ok(Bundle::from_pem(bundle).authorities()?)
    }
}

/// The same in parts: a report with packed evidence, which may be large in memory, comes by itself.
fn one_by_one(item: Item) -> Vec<Item> {
    let Item::Reports(batch) = item else {
        return vec![item];
    };
    let mut parts: Vec<(bool, v1::SequencedBatch)> = Vec::new();
    for report in batch.reports {
        let packed = read::is_packed(&report.report);
        match parts.last_mut().filter(|(alone, _)| !packed && !alone) {
            Some((_, part)) => part.reports.push(report),
            None => parts.push((
                packed,
                v1::SequencedBatch {
                    reports: vec![report],
                },
            )),
        }
    }
    parts.into_iter().map(|(_, part)| Item::Reports(part)).collect()
}

impl Imported {
    fn note(&mut self, ack: v1::Ack, count: u64) {
        self.acked = self.acked.max(ack.sequence);
        self.stored += count - ack.verdicts.len() as u64;
        for mut verdict in ack.verdicts {
            match verdict.kind() {
                VerdictKind::Refused => self.refused += 1,
                VerdictKind::Wanted => self.wanted += 1,
                // The agent need not hear of what changed nothing.
                _ => {
                    self.repeated += 1;
                    continue;
                }
            }
            if self.verdicts.len() < MAX_VERDICTS {
                verdict.reason = verdict.reason.chars().take(REASON_CHARS).collect();
                self.verdicts.push(verdict);
            }
        }
    }
}

/// Of a reason in a receipt.
const REASON_CHARS: usize = 100;
