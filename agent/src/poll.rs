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
pub mod walk;
pub mod refresh;
pub mod learned;

use crate::plan::{Plan, Question, oid};
pub use learned::{Learned, Unfinished};

use conversation::Conversation;
use prost::bytes::Bytes;
use proto::v1::{Cost, Observation, Outcome, QuestionKind, Varbind};
use refresh::Glance;
use socket::ExchangeError;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use walk::{Manner, Part, Split, Walk};
use wire::Pdu;

/// What one round may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bindings wanted in one answer to GETBULK, all columns together.
    pub max_repetitions: u32,
    /// Rows kept of one run of columns.
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
}

impl Limits {
    /// The binding, its value cut to the limit, and whether it was.
    fn cut(&self, mut varbind: Varbind) -> (Varbind, bool) {
        let cut = varbind.value.len() > self.max_value_bytes;
        varbind.value.truncate(self.max_value_bytes);
        (varbind, cut)
    }
}

/// What a binding takes in an encoded report, generously.
fn row_bytes(varbind: &Varbind) -> usize {
    varbind.oid.len() + varbind.value.len() + 24
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

/// Asks one element what is in the plan, from `started` on by the wall clock.
pub async fn round(
    conversation: Result<Conversation<'_>, ExchangeError>,
    plan: &Plan,
    limits: &Limits,
    learned: &mut Learned,
    (extent, started): (Extent, SystemTime),
) -> Round {
    let clock = Instant::now();
    let mut asked = match conversation {
        Ok(conversation) => Asking::begin(conversation, plan, limits, learned.clone(), extent).await,
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
            refreshed: false,
            over: Some(failure),
        }
    }
}

/// A round under way.
struct Asking<'a> {
    conversation: Conversation<'a>,
    plan: &'a Plan,
    limits: &'a Limits,
    manner: Manner,
    split: Arc<Split>,
    bytes_left: usize,
    readings: Vec<Varbind>,
    glance: Option<Glance>,
    /// Gone on with.
    earlier: Option<Arc<Unfinished>>,
    /// How far the walks were when the time was over.
    stopped: Vec<Part>,
}

impl<'a> Asking<'a> {
    async fn begin(
        mut conversation: Conversation<'a>,
        plan: &'a Plan,
        limits: &'a Limits,
        learned: Learned,
        extent: Extent,
    ) -> Asked {
        conversation.trip = learned.trip;
        conversation.keep_to(limits.packets_per_second, limits.max_requests);
        conversation.remember(learned.engine);
        let manner = match conversation.has_bulk() {
            true => learned.manner.relaxed(limits),
            false => learned.manner.relaxed(limits).without_bulk(),
        };
        let mut asking = Asking {
            conversation,
            plan,
            limits,
            manner,
            split: learned.split,
            bytes_left: limits.max_evidence_bytes,
            readings: Vec::new(),
            glance: None,
            earlier: None,
            stopped: Vec::new(),
        };
        let mut observations = asking.first().await;
        let glance = asking.glance.as_ref();
        let fits = |unfinished: &Arc<Unfinished>| unfinished.goes_on(plan.mark(), glance);
        asking.earlier = learned.unfinished.filter(fits);
        let nothing_moved = |glance: &Glance| learned.memory.moved(glance).is_none();
        let refreshed = extent == Extent::IfMoved && asking.glance.as_ref().is_some_and(nothing_moved);
        if refreshed {
            observations.clear();
        } else {
            asking.rest(&mut observations).await;
        }
        let resumed = asking.earlier.is_some() && !refreshed;
        let unfinished = asking.unfinished();
        let conversation = asking.conversation;
        let engine = conversation.engine();
        match engine {
            Some(Ok(engine)) => asking.readings.extend(engine.readings()),
            // Nobody was there to be asked anything else.
            Some(Err(_)) => observations
                .iter_mut()
                .for_each(|observation| observation.outcome = Outcome::Skipped as i32),
            None => {}
        }
        Asked {
            observations,
            readings: asking.readings,
            cost: conversation.cost,
            answered: conversation.answered(),
            undecodable: conversation.undecodable,
            engine: engine.map(|engine| engine::observation(engine.map_err(outcome_of))),
            engine_shared: conversation.shares_engine(),
            glance: asking.glance,
            resumed,
            refreshed,
            over: conversation.over(),
            learned: Some(Learned {
                trip: conversation.trip,
                manner: asking.manner,
                split: asking.split,
                engine: conversation.known().cloned(),
                refused: 0,
                memory: learned.memory,
                unfinished,
            }),
        }
    }

    /// The first question, and the readings with it; all others are skipped so far.
    async fn first(&mut self) -> Vec<Observation> {
        let plan = self.plan;
        let mut observations: Vec<_> = plan.questions.iter().map(skipped).collect();
        if let (Some(Question::Get(names)), Some(first)) = (plan.questions.first(), observations.first_mut())
        {
            (first.outcome, first.varbinds) = self.get(names, &plan.readings).await;
            if first.outcome() == Outcome::Complete {
                let found = self.conversation.engine().and_then(Result::ok);
                let engine = found.map(|engine| engine::observation(Ok(engine)));
                let readings: Vec<_> = match found {
                    Some(engine) => self.readings.iter().cloned().chain(engine.readings()).collect(),
                    None => self.readings.clone(),
                };
                let shown: Vec<&Observation> = engine.iter().chain([&*first]).collect();
                self.glance = Some(Glance::new(&shown, &readings, Instant::now()));
            }
        }
        observations
    }

    /// All questions after the first.
    async fn rest(&mut self, observations: &mut Vec<Observation>) {
        let plan = self.plan;
        let asked = matches!(plan.questions.first(), Some(Question::Get(_)));
        let later = plan
            .questions
            .iter()
            .zip(observations.iter_mut())
            .skip(usize::from(asked));
        for (question, observation) in later {
            if let Question::Get(names) = question
                && self.conversation.over().is_none()
            {
                (observation.outcome, observation.varbinds) = self.get(names, &[]).await;
            }
        }
        // All walks share their requests.
        let walks: Vec<&[Bytes]> = plan
            .questions
            .iter()
            .filter_map(|question| match question {
                Question::Walk(roots) => Some(roots.as_slice()),
                _ => None,
            })
            .collect();
        let split = Arc::clone(&self.split);
        let (answers, better) = self.walk(&walks, &split).await;
        if let Some(better) = better {
            self.split = Arc::new(better);
        }
        let mut answers = answers.into_iter();
        for (question, observation) in plan.questions.iter().zip(observations.iter_mut()) {
            match question {
                Question::Walk(_) => {
                    if let Some(answer) = answers.next() {
                        observation.outcome = answer.outcome as i32;
                        observation.varbinds = answer.varbinds;
                    }
                }
                Question::Arcs { root, limit } if self.conversation.over().is_none() => {
                    (observation.outcome, observation.varbinds) = self.arcs(root, *limit).await;
                }
                _ => {}
            }
        }
        let further = self.further(observations);
        let roots: Vec<&[Bytes]> = further.iter().copied().map(Vec::as_slice).collect();
        let (answers, _) = self.walk(&roots, &Split::default()).await;
        for (walk, answer) in further.iter().zip(answers) {
            observations.push(Observation {
                kind: QuestionKind::Walk as i32,
                oids: walk.to_vec(),
                outcome: answer.outcome as i32,
                varbinds: answer.varbinds,
            });
        }
    }

    /// The plan's walks for the arcs that were seen.
    fn further(&self, observations: &[Observation]) -> Vec<&'a Vec<Bytes>> {
        let seen = |arc| {
            observations
                .iter()
                .filter(|observation| observation.kind == QuestionKind::Arcs as i32)
                .flat_map(|arcs| arcs.oids.first().map(|root| (root, &arcs.varbinds)))
                .any(|(root, found)| {
                    found
                        .iter()
                        .any(|varbind| oid::arc_below(&varbind.oid, root) == Some(arc))
                })
        };
        self.plan
            .if_arc
            .iter()
            .filter(|found| seen(found.arc))
            .map(|found| &found.walk)
            .collect()
    }

    /// GET of exact instances. One that does not exist in version 1 fails them all and is
    /// left out (RFC 1157, 4.1.2); one that the element refuses or passes over is asked for
    /// alone.
    async fn get(&mut self, names: &[Bytes], readings: &[Bytes]) -> (i32, Vec<Varbind>) {
        let all: Vec<Bytes> = names.iter().chain(readings).cloned().collect();
        let mut outcome = Outcome::Complete;
        let mut found = Vec::with_capacity(all.len());
        let mut pending = vec![all];
        while let Some(mut part) = pending.pop() {
            let failed = match self.conversation.exchange(Pdu::Get, &part).await {
                Ok(response) if response.error_status == 0 => {
                    let mut passed_over = Vec::new();
                    for name in &part {
                        // The first answer counts.
                        let answer = response.varbinds.iter().find(|one| one.oid == name);
                        match answer {
                            Some(varbind) => found.push(varbind.clone()),
                            None => passed_over.push(vec![name.clone()]),
                        }
                    }
                    if passed_over.is_empty() {
                        continue;
                    }
                    if part.len() > 1 {
                        pending.extend(passed_over.into_iter().rev());
                        continue;
                    }
                    Outcome::Refused
                }
                Ok(response) if response.error_status == wire::error::NO_SUCH_NAME => {
                    let named = usize::try_from(response.error_index)
                        .ok()
                        .and_then(|index| index.checked_sub(1))
                        .filter(|&at| at < part.len());
                    match named {
                        Some(missing) => drop(part.remove(missing)),
                        None if part.len() > 1 => pending.push(part.split_off(part.len() / 2)),
                        None => part.clear(),
                    }
                    if !part.is_empty() {
                        pending.push(part);
                    }
                    continue;
                }
                Ok(_) if part.len() > 1 => {
                    pending.push(part.split_off(part.len() / 2));
                    pending.push(part);
                    continue;
                }
                Ok(_) => Outcome::Refused,
                Err(failure) => outcome_of(failure),
            };
            if outcome == Outcome::Complete {
                outcome = failed;
            }
            if failed != Outcome::Refused {
                break;
            }
        }
        let mut kept = Vec::with_capacity(names.len());
        for varbind in found {
            let (varbind, cut) = self.limits.cut(varbind);
            if readings.contains(&varbind.oid) {
                if !walk::is_exception(varbind.tag) {
                    self.readings.push(varbind);
                }
                continue;
            }
            let full = row_bytes(&varbind) > self.bytes_left;
            if outcome == Outcome::Complete && (cut || full) {
                outcome = Outcome::Truncated;
            }
            if !full {
                self.bytes_left -= row_bytes(&varbind);
                kept.push(varbind);
            }
        }
        (outcome as i32, kept)
    }

    /// Also how the tables are better cut the next time.
    async fn walk(&mut self, questions: &[&[Bytes]], split: &Split) -> (Vec<walk::Answer>, Option<Split>) {
        let limits = self.limits;
        let mut walk = Walk::new(questions, limits, self.manner, self.bytes_left, split);
        if let Some(earlier) = &self.earlier {
            walk.resume(&earlier.parts);
        }
        while self.conversation.over().is_none() {
            let Some((pdu, names)) = walk.next_request() else {
                break;
            };
            match self.conversation.exchange(pdu, names).await {
                Ok(response) => walk.answered(response),
                Err(ExchangeError::Deadline) if self.conversation.answered() => {
                    self.stopped.extend(walk.parts());
                    walk.failed(ExchangeError::Deadline);
                }
                Err(failure) if !self.conversation.answered() => walk.abandon(outcome_of(failure)),
                Err(failure) => walk.failed(failure),
            }
        }
        self.manner = walk.manner;
        let better = walk.better(split);
        self.bytes_left = walk.bytes_left;
        (walk.finish(questions.len()), better)
    }

    /// What the next round can go on with.
    fn unfinished(&self) -> Option<Arc<Unfinished>> {
        if self.conversation.over() != Some(ExchangeError::Deadline) {
            return None;
        }
        // Walks that were not begun again are as far as they were.
        let Some(glance) = self.glance.clone().filter(|_| !self.stopped.is_empty()) else {
            return self.earlier.clone();
        };
        let parts = self.stopped.clone();
        Some(Arc::new(Unfinished::new(self.plan.mark(), glance, parts)))
    }

    /// From the first object below `root` to the first one of a later arc, and so on.
    async fn arcs(&mut self, root: &Bytes, limit: usize) -> (i32, Vec<Varbind>) {
        let mut found = Vec::new();
        let mut from = root.clone();
        let outcome = loop {
            let response = match self
                .conversation
                .exchange(Pdu::GetNext, std::slice::from_ref(&from))
                .await
            {
                Ok(response) => response,
                Err(failure) => break outcome_of(failure),
            };
            match response.error_status {
                0 => {}
                wire::error::NO_SUCH_NAME => break Outcome::Complete,
                _ => break Outcome::Refused,
            }
            let Some(varbind) = response.varbinds.into_iter().next() else {
                break Outcome::Refused;
            };
            if walk::is_exception(varbind.tag) {
                break Outcome::Complete;
            }
            if oid::compare(&varbind.oid, &from).is_le() {
                break Outcome::Looping;
            }
            let Some(arc) = oid::arc_below(&varbind.oid, root) else {
                break Outcome::Complete;
            };
            let (varbind, _) = self.limits.cut(varbind);
            let bytes = row_bytes(&varbind);
            if found.len() >= limit || bytes > self.bytes_left {
                break Outcome::Truncated;
            }
            self.bytes_left -= bytes;
            found.push(varbind);
            match arc.checked_add(1) {
                Some(next) => from = oid::child(root, next),
                None => break Outcome::Complete,
            }
        };
        (outcome as i32, found)
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
