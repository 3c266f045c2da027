//! One round with one element: the questions of a plan, asked one at a time,
//! and their raw answers.
//!
//! Invariants: an element that is silent costs one question, the others are
//! skipped; rows received are kept whatever happens after; what was cut says so;
//! in version 3 the first observation says which engine is there.

pub mod pace;
mod inbox;
pub mod socket;
pub mod conversation;
pub mod wire;
pub mod engine;
pub mod usm;
pub mod room;
pub mod walk;
pub mod refresh;
pub mod unfinished;
pub mod learned;
mod asking;

use crate::plan::{Plan, Question};
pub use learned::Learned;
pub use room::Room;
pub use unfinished::Unfinished;

use asking::Asking;
use conversation::Conversation;
use proto::v1::{Cost, Observation, Outcome, QuestionKind, Varbind};
use refresh::{Glance, Moved};
use socket::ExchangeError;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// What one round may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bindings wanted in one answer to GETBULK, all columns together.
    pub max_repetitions: u32,
    /// Rows kept of one table: of each of its columns the first so many.
    pub max_rows: usize,
    /// Octets kept of one value.
    pub max_value_bytes: usize,
    /// Octets of evidence kept of one round.
    pub max_evidence_bytes: usize,
    /// Time for everything together.
    pub deadline: Duration,
    /// Packets a second to one element; 0 sets no cap.
    pub packets_per_second: u32,
    /// Packets of one round.
    pub max_requests: u32,
    /// How long after its beginning a walk that did not end is gone on with.
    pub resume: Duration,
}

impl Limits {
    /// The binding, its value cut to the limit, and whether it was.
    fn cut(&self, mut varbind: Varbind) -> (Varbind, bool) {
        let cut = varbind.value.len() > self.max_value_bytes;
        varbind.value.truncate(self.max_value_bytes);
        (varbind, cut)
    }
}

/// Everything one element answered in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// When it began.
    pub started: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// In the order of the plan.
    pub observations: Vec<Observation>,
    /// Values that change each round.
    pub readings: Vec<Varbind>,
    /// What it cost the element.
    pub cost: Cost,
    /// Whether the element answered anything.
    pub answered: bool,
    /// Datagrams from the element that could not be read or not be believed.
    pub undecodable: u32,
    /// Its engine was last seen at another address: a box with several, or a copied ID.
    pub engine_shared: bool,
    /// What the first answer showed, if there was one.
    pub glance: Option<Glance>,
    /// It went on with walks that began earlier.
    pub resumed: bool,
    /// What moved since the walk before, as the first answer shows.
    pub moved: Option<Moved>,
    /// It ended after the first answer, which showed that nothing moved; there are no
    /// observations then.
    pub refreshed: bool,
}

/// How far a round goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything in the plan.
    Full,
    /// No further than the first question, if that shows that nothing moved.
    IfMoved,
}

/// Asks one element what is in the plan, from `started` on by the wall clock; its rows lie in `room`.
pub async fn round(
    conversation: Result<Conversation<'_>, ExchangeError>,
    plan: &Plan,
    limits: &Limits,
    learned: &mut Learned,
    (extent, started, room): (Extent, SystemTime, &mut Room),
) -> Round {
    let clock = Instant::now();
    let mut asked = match conversation {
        Ok(conversation) => Asking::begin(conversation, (plan, limits), learned.clone(), extent, room).await,
        Err(failure) => Asked::nothing(plan, failure),
    };
    match asked.over {
        Some(over) if over.is_about_the_user() => learned.refused = learned.refused.saturating_add(1),
        // Silence says nothing about the user.
        _ => {}
    }
    if asked.answered {
        *learned = asked.learned.unwrap_or_else(|| learned.clone());
    }
    if let Some(engine) = asked.engine.filter(|_| !asked.refreshed) {
        asked.observations.insert(0, engine);
    }
    if let Some(first) = asked.observations.first_mut().filter(|_| !asked.answered) {
        // Not asked at all, or asked and not heard: the first question says why.
        if first.outcome == Outcome::Skipped as i32 {
            first.outcome = Outcome::TimedOut as i32;
        }
    }
    Round {
        started,
        took: clock.elapsed(),
        observations: asked.observations,
        readings: asked.readings,
        cost: asked.cost,
        answered: asked.answered,
        undecodable: asked.undecodable,
        engine_shared: asked.engine_shared,
        glance: asked.glance,
        resumed: asked.resumed,
        moved: asked.moved,
        refreshed: asked.refreshed,
    }
}

/// The result of the questions.
struct Asked {
    observations: Vec<Observation>,
    readings: Vec<Varbind>,
    cost: Cost,
    answered: bool,
    undecodable: u32,
    learned: Option<Learned>,
    /// In version 3.
    engine: Option<Observation>,
    engine_shared: bool,
    glance: Option<Glance>,
    resumed: bool,
    moved: Option<Moved>,
    refreshed: bool,
    over: Option<ExchangeError>,
}

impl Asked {
    fn nothing(plan: &Plan, failure: ExchangeError) -> Self {
        let mut observations: Vec<_> = plan.questions.iter().map(skipped).collect();
        if let Some(first) = observations.first_mut() {
            first.outcome = outcome_of(failure) as i32;
        }
        Self {
            observations,
            readings: Vec::new(),
            cost: Cost::default(),
            answered: false,
            undecodable: 0,
            learned: None,
            engine: None,
            engine_shared: false,
            glance: None,
            resumed: false,
            moved: None,
            refreshed: false,
            over: Some(failure),
        }
    }
}

fn skipped(question: &Question) -> Observation {
    let (kind, oids) = match question {
        Question::Get(names) => (QuestionKind::Get, names.clone()),
        Question::Walk(roots) => (QuestionKind::Walk, roots.clone()),
        Question::Arcs { root, .. } => (QuestionKind::Arcs, vec![root.clone()]),
    };
    Observation {
        kind: kind as i32,
        oids,
        outcome: Outcome::Skipped as i32,
        varbinds: Vec::new(),
    }
}

fn outcome_of(failure: ExchangeError) -> Outcome {
    match failure {
        ExchangeError::TimedOut | ExchangeError::Deadline => Outcome::TimedOut,
        ExchangeError::Unreachable => Outcome::Unreachable,
        ExchangeError::Undecodable => Outcome::Undecodable,
        ExchangeError::Refused => Outcome::Refused,
        ExchangeError::WrongDigest => Outcome::WrongDigest,
        ExchangeError::UnknownUser => Outcome::UnknownUser,
        ExchangeError::UnsupportedLevel => Outcome::UnsupportedLevel,
        ExchangeError::WrongPrivacy => Outcome::WrongPrivacy,
        ExchangeError::NotInTimeWindow => Outcome::NotInTimeWindow,
        ExchangeError::UnknownEngine => Outcome::UnknownEngine,
        ExchangeError::UnknownContext => Outcome::UnknownContext,
        ExchangeError::Ignored => Outcome::Ignored,
        ExchangeError::NoCredential => Outcome::NoCredential,
    }
}
