//! Drives the steps after ingest: woken by commits and by time, idempotent, taking no input.
//!
//! Restart, replay, new knowledge, new law and a new day are the same path: a
//! stage whose version moved finds all its inputs undone. Evidence comes first:
//! while reports wait for their commit, conclusions take a quarter of the time, so
//! that neither a backlog nor what is concluded from it ever stands still.

use crate::evaluate::{self, Law, Operator};
use crate::ingest::Uncommitted;
use crate::{admin, identify, units};
use ::identify::Knowledge;
use model::Instant;
use model::on_file::OnFile;
use policy::Policies;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::record::{Stage, StageVersion};
use store::{Store, StoreError, Units};
use tokio_util::sync::CancellationToken;

/// How long to sleep when nothing wakes us: the day may have changed.
const TICK: Duration = Duration::from_secs(5);

/// Reports that waited so lately are followed by others.
const MOMENT: Duration = Duration::from_millis(100);

/// While reports wait, a step is followed by a rest so many times as long.
const REST: u32 = 3;
/// And never longer than this.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What the reconcilers work with.
pub struct Reconciler {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// The same, for what concerns units.
    pub units: Arc<dyn Units>,
    /// Who makes what.
    pub knowledge: &'static Knowledge,
    /// What is restricted.
    pub policies: Arc<Policies>,
    /// Who the operator is before the law.
    pub operator_tags: BTreeSet<String>,
    /// What the operator is called.
    pub operator: String,
    /// What the operator has on file.
    pub on_file: Arc<OnFile>,
    /// The wall clock.
    pub clock: fn() -> Instant,
    /// Reports that wait for their commit.
    pub uncommitted: Uncommitted,
}

impl Reconciler {
    /// Works until `stop`. A store that fails is asked again at the next tick.
    pub async fn run(self, stop: CancellationToken) {
        let mut revision = self.store.revision();
        loop {
            match self.pass(&stop).await {
                Ok(()) => {}
                Err(error) => tracing::error!(error = admin::chain(&error), "reconciler waits for the store"),
            }
            // Our own commits raise the revision too; a pass that finds nothing undone costs two reads.
            tokio::select! {
                () = stop.cancelled() => return,
                changed = revision.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Does everything undone, step by bounded step.
    async fn pass(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        let now = (self.clock)();
        let Some(as_of) = now.date() else { return Ok(()) };
        let tags = self
            .operator_tags
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ");
        let versions = [
            StageVersion {
                stage: Stage::Identify,
                version: self.knowledge.version().to_owned(),
            },
            StageVersion {
                stage: Stage::Unit,
                version: ::identify::units::RULES.to_owned(),
            },
            // The policies come first: see [`policies_of`].
            StageVersion {
                stage: Stage::Evaluate,
                version: format!(
                    "{} {as_of} {tags} {}",
                    self.policies.version(),
                    evaluate::facts_version(&(&*self.on_file, &self.operator))
                ),
            },
        ];
        for version in &versions {
            if self.store.adopt_version(version, now).await? {
                tracing::info!(
                    stage = version.stage.as_str(),
                    version = version.version,
                    "stage begins anew"
                );
            }
        }
        let law = Law {
            policies: &self.policies,
            operator: Operator {
                tags: &self.operator_tags,
                name: &self.operator,
                on_file: &self.on_file,
            },
            as_of,
        };
        while !stop.is_cancelled() {
            let begun = std::time::Instant::now();
            let identified = identify::step(&*self.store, self.knowledge, (self.clock)()).await?;
            let joined = units::step(&*self.store, &*self.units, (self.clock)()).await?;
            let evaluated = evaluate::step(&*self.store, law, (self.clock)()).await?;
            if identified + joined + evaluated == 0 {
                return Ok(());
            }
            if self.uncommitted.is_busy(MOMENT) {
                let rest = (begun.elapsed() * REST).min(LONGEST_REST);
                let _ = tokio::time::timeout(rest, stop.cancelled()).await;
            }
        }
        Ok(())
    }
}
/// The version of the policies in that of the stage of evaluation.
#[must_use]
pub fn policies_of(evaluation: &str) -> &str {
    evaluation.split(' ').next().unwrap_or_default()
}
