//! One round under way: asks, and puts answers where they belong.
//!
//! Invariants: those of the round; rows of an earlier round are gone on with only where the
//! element shows that nothing moved; every row is counted before it is kept.

use super::conversation::Conversation;
use super::learned::Learned;
use super::refresh::Glance;
use super::room::{Budget, Room};
use super::socket::ExchangeError;
use super::unfinished::Unfinished;
use super::walk::{self, Manner, Part, Split, Walk};
use super::wire::{self, Pdu};
use super::{Asked, Extent, Limits, engine, outcome_of, skipped};
use crate::plan::{Plan, Question, oid};
use prost::bytes::Bytes;
use proto::v1::{Observation, Outcome, QuestionKind, Varbind};
use std::sync::Arc;
use tokio::time::Instant;

/// Rows of a walk that are worth going on with where the element fell silent: smaller ones are
/// soon walked again, and are as of one time then.
const WORTH_KEEPING: usize = 10_000;

/// A round under way.
pub(super) struct Asking<'a, 'r> {
    conversation: Conversation<'a>,
    plan: &'a Plan,
    limits: &'a Limits,
    manner: Manner,
    split: Arc<Split>,
    budget: Budget<'r>,
    readings: Vec<Varbind>,
    glance: Option<Glance>,
    /// Gone on with.
    earlier: Option<Arc<Unfinished>>,
    /// How far the walks were when the time was over or the element fell silent.
    stopped: Vec<Part>,
    fell_silent: bool,
    begun: Instant,
}

impl<'a, 'r> Asking<'a, 'r> {
    /// The whole round.
    pub(super) async fn begin(
        mut conversation: Conversation<'a>,
        (plan, limits): (&'a Plan, &'a Limits),
        learned: Learned,
        extent: Extent,
        room: &'r mut Room,
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
            budget: Budget::new(limits, room).without(everything(plan)),
            readings: Vec::new(),
            glance: None,
            earlier: None,
            stopped: Vec::new(),
            fell_silent: false,
            begun: Instant::now(),
        };
        let mut observations = asking.first().await;
        let glance = asking.glance.as_ref();
        let fits = |unfinished: &Arc<Unfinished>| {
            unfinished.goes_on(plan.mark(), glance) && !unfinished.is_older_than(limits.resume)
        };
        asking.earlier = learned.unfinished.filter(fits);
        let moved = asking
            .glance
            .as_ref()
            .and_then(|glance| learned.memory.moved(glance));
        let refreshed = extent == Extent::IfMoved && asking.glance.is_some() && moved.is_none();
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
            moved,
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
            let full = !self.budget.take(&varbind);
            if outcome == Outcome::Complete && (cut || full) {
                outcome = Outcome::Truncated;
            }
            if !full {
                kept.push(varbind);
            }
        }
        (outcome as i32, kept)
    }

    /// Also how the tables are better cut the next time.
    async fn walk(&mut self, questions: &[&[Bytes]], split: &Split) -> (Vec<walk::Answer>, Option<Split>) {
        let limits = self.limits;
        let mut walk = Walk::new(questions, limits, self.manner, &mut self.budget, split);
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
        if self.stopped.is_empty() && walk.fell_silent() && walk.rows() >= WORTH_KEEPING {
            self.fell_silent = true;
            self.stopped.extend(walk.parts());
        }
        self.manner = walk.manner;
        let better = walk.better(split);
        (walk.finish(questions.len()), better)
    }

    /// What the next round can go on with.
    fn unfinished(&mut self) -> Option<Arc<Unfinished>> {
        if self.conversation.over() != Some(ExchangeError::Deadline) && !self.fell_silent {
            return None;
        }
        // Walks that were not begun again are as far as they were.
        let Some(glance) = self.glance.clone().filter(|_| !self.stopped.is_empty()) else {
            return self.earlier.clone();
        };
        let earlier = self.earlier.as_ref();
        let begun = earlier.map_or(self.begun, |earlier| earlier.begun);
        let parts = std::mem::take(&mut self.stopped);
        let now = Unfinished::new(self.plan.mark(), glance, parts, begun);
        // There was no room for what was read before: it waits for a round that has some.
        if !self.fell_silent && earlier.is_some_and(|earlier| now.rows() < earlier.rows()) {
            return self.earlier.clone();
        }
        // Silent where it was silent before: what was read is too old to wait for that.
        let futile = self.fell_silent && earlier.is_some_and(|earlier| now.rows() <= earlier.rows());
        (!futile).then(|| Arc::new(now))
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
            if found.len() >= limit || !self.budget.take(&varbind) {
                break Outcome::Truncated;
            }
            found.push(varbind);
            match arc.checked_add(1) {
                Some(next) => from = oid::child(root, next),
                None => break Outcome::Complete,
            }
        };
        (outcome as i32, found)
    }
}

/// Every observation that there may be, without rows.
fn everything(plan: &Plan) -> Vec<Observation> {
    let further = plan.if_arc.iter().map(|found| &found.walk);
    let further = further.map(|walk| skipped(&Question::Walk(walk.clone())));
    let engine = engine::observation(Err(Outcome::Skipped));
    let questions = plan.questions.iter().map(skipped);
    questions.chain(further).chain([engine]).collect()
}
