//! What one stream says, message by message: the collector's side of the line without its I/O.
//!
//! Invariants: everything an agent may say is read here and nowhere else; a message that breaks the protocol is
//! named and changes nothing; a report that cannot be read is refused by itself; no gap reaches a sequence that
//! the agent did not tell.

use super::{coverage, engines, read};
use crate::plan::{self, Pushed};
use model::{AgentId, Instant, SiteName};
use proto::v1;
use proto::v1::report_request::Message;
use store::coverage::ToldCoverage;
use store::engines::ToldEngines;
use store::plans::Said;
use store::record::{AgentHello, IncomingReport, ReportBody, SpoolStatus};
use tonic::Status;

/// Reports an agent may send beyond the last ack, and in one message.
pub const WINDOW: u32 = 256;

/// Longest program version kept, in characters.
const VERSION_CHARS: usize = 40;

/// One stream's place in the protocol, after its greeting.
#[derive(Debug)]
pub struct Inbound {
    site: SiteName,
    /// The next sequence as the agent told it last.
    next_sequence: u64,
    /// Plans it has not answered yet.
    pushed: Pushed,
    /// What it said beside its reports, the last of each kind that says all anew.
    pub words: Words,
}

/// Words that have no sequence and are not acknowledged; not yet written down.
#[derive(Debug, Default)]
pub struct Words {
    /// How its spool stands.
    pub spool: Option<SpoolStatus>,
    /// What became of a plan.
    pub plan: Option<Said>,
    /// What became of its addresses.
    pub coverage: Option<ToldCoverage>,
    /// What addresses told of their engines: all of it, since each tells only what is new.
    pub engines: Vec<ToldEngines>,
}

/// Reads the first message; who speaks comes from the certificate.
///
/// # Errors
/// `INVALID_ARGUMENT` or `FAILED_PRECONDITION`, naming what is wrong.
pub fn greeting(agent: AgentId, site: SiteName, hello: &v1::Hello) -> Result<AgentHello, Status> {
    if hello.capability == 0 {
        return Err(Status::failed_precondition("capability 0 is not spoken here"));
    }
    if hello.epoch.len() != 16 {
        return Err(Status::invalid_argument("epoch is not 16 bytes"));
    }
    if hello.first_sequence == 0 || hello.first_sequence > hello.next_sequence {
        return Err(Status::invalid_argument("first_sequence is out of range"));
    }
    if hello.next_sequence > proto::MAX_SEQUENCE {
        return Err(Status::invalid_argument("next_sequence is out of range"));
    }
    Ok(AgentHello {
        agent,
        site,
        epoch: hex::encode(&hello.epoch),
        first_sequence: hello.first_sequence,
        next_sequence: hello.next_sequence,
        version: hello
            .agent_version
            .chars()
            .filter(|c| !c.is_control())
            .take(VERSION_CHARS)
            .collect(),
        clock: Instant(hello.clock_micros),
    })
}

impl Inbound {
    /// A stream that greeted; `pushed` counts the plans that went down it.
    #[must_use]
    pub fn new(hello: &AgentHello, pushed: Pushed) -> Self {
        Self {
            site: hello.site.clone(),
            next_sequence: hello.next_sequence,
            pushed,
            words: Words::default(),
        }
    }

    /// Takes a message in that was received at `now`; what it reports goes to the end of `reports`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when no honest agent says it: the stream ends.
    pub fn take(
        &mut self,
        request: v1::ReportRequest,
        now: Instant,
        reports: &mut Vec<IncomingReport>,
    ) -> Result<(), Status> {
        let wrong = |why: &str| Status::invalid_argument(why);
        match request.message {
            Some(Message::Report(report)) => {
                let body = read::report(&report.report, &self.site, now);
                reports.push(self.numbered(report.sequence, body));
            }
            Some(Message::Batch(batch)) => {
                if batch.reports.len() > WINDOW as usize {
                    return Err(wrong("a batch is larger than the window"));
                }
                reports.extend(batch.reports.iter().map(|report| {
                    let body = read::batched(&report.report, &self.site, now);
                    self.numbered(report.sequence, body)
                }));
            }
            Some(Message::Gap(gap)) => {
                let gap = read::gap(&gap, self.next_sequence);
                reports.push(gap.map_err(|error| wrong(&error.to_string()))?);
            }
            Some(Message::Status(status)) => {
                if status.next_sequence > proto::MAX_SEQUENCE {
                    return Err(wrong("next_sequence is out of range"));
                }
                self.next_sequence = self.next_sequence.max(status.next_sequence);
                self.words.spool = Some(spool(&status));
            }
            Some(Message::PlanStatus(status)) => {
                self.pushed.answered()?;
                self.words.plan = Some(plan::said(&status)?);
            }
            Some(Message::Coverage(told)) => self.words.coverage = Some(coverage::read(&told)?),
            Some(Message::Engines(told)) => self.words.engines.push(engines::read(&told, now)?),
            Some(Message::Hello(_)) | None => return Err(wrong("a report was expected")),
        }
        Ok(())
    }

    /// Where it stands.
    #[must_use]
    pub fn site(&self) -> &SiteName {
        &self.site
    }

    /// A report that was read, in its place.
    pub fn numbered(&mut self, sequence: u64, body: ReportBody) -> IncomingReport {
        // The agent has given this sequence out.
        self.next_sequence = self.next_sequence.max(sequence.saturating_add(1));
        IncomingReport { sequence, body }
    }
}

fn spool(told: &v1::SpoolStatus) -> SpoolStatus {
    SpoolStatus {
        waiting: told.waiting_reports,
        bytes: told.waiting_bytes,
        oldest_age_micros: told.oldest_age_micros,
        unsent_age_micros: told.unsent_age_micros,
        unacked_age_micros: told.unacked_age_micros,
        refused: told.refused_reports,
        dropped: told.dropped_reports,
        no_room_micros: told.no_room_micros,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_000);

    fn hello(change: impl Fn(&mut v1::Hello)) -> Result<AgentHello, Status> {
        let mut hello = v1::Hello {
            capability: 1,
            epoch: vec![7; 16].into(),
            first_sequence: 1,
            next_sequence: 5,
            agent_version: format!("1.2\n{}", "x".repeat(99)),
            clock_micros: -1,
            plan: None,
        };
        change(&mut hello);
        greeting(AgentId::generate(), "berlin".parse().unwrap(), &hello)
    }

    #[test]
    fn a_greeting_is_read_or_refused_by_name() {
        let read = hello(|_| {}).unwrap();
        assert_eq!((read.first_sequence, read.next_sequence), (1, 5));
        assert_eq!(
            read.version,
            format!("1.2{}", "x".repeat(37)),
            "bounded and plain"
        );
        type Fault = fn(&mut v1::Hello);
        let faults: [(Fault, &str); 6] = [
            (|h| h.capability = 0, "capability 0 is not spoken here"),
            (|h| h.epoch = vec![7; 15].into(), "epoch is not 16 bytes"),
            (|h| h.epoch = vec![7; 17].into(), "epoch is not 16 bytes"),
            (|h| h.first_sequence = 0, "first_sequence is out of range"),
            (|h| h.first_sequence = 6, "first_sequence is out of range"),
            (
                |h| h.next_sequence = proto::MAX_SEQUENCE + 1,
                "next_sequence is out of range",
            ),
        ];
        for (fault, why) in faults {
            assert_eq!(hello(fault).unwrap_err().message(), why);
        }
    }

    fn junk(sequence: u64) -> v1::SequencedReport {
        v1::SequencedReport {
            sequence,
            report: vec![0xff; 3].into(),
        }
    }

    fn batch(sequences: std::ops::RangeInclusive<u64>) -> Message {
        Message::Batch(v1::SequencedBatch {
            reports: sequences.map(junk).collect(),
        })
    }

    fn gap(from: u64, to: u64) -> Message {
        Message::Gap(v1::Gap {
            from,
            to,
            count: 0,
            reason: v1::GapReason::SpoolFull.into(),
            declared_micros: 1,
        })
    }

    fn status(next_sequence: u64) -> Message {
        Message::Status(v1::SpoolStatus {
            next_sequence,
            ..v1::SpoolStatus::default()
        })
    }

    fn applied() -> Message {
        Message::PlanStatus(v1::PlanStatus {
            plan: Some(v1::PlanId {
                revision: 1,
                digest: vec![1; 32].into(),
            }),
            outcome: v1::PlanOutcome::Applied.into(),
            reason: String::new(),
            clock_micros: 1,
        })
    }

    /// What a stream that greeted with next sequence 5 brings, or how it ends.
    fn say(pushed: usize, said: Vec<Message>) -> Result<Vec<u64>, String> {
        let waiting = Pushed::default();
        (0..pushed).for_each(|_| waiting.one_more());
        let mut inbound = Inbound::new(&hello(|_| {}).unwrap(), waiting);
        let mut reports = Vec::new();
        for message in said {
            let message = Some(message);
            inbound
                .take(v1::ReportRequest { message }, NOW, &mut reports)
                .map_err(|status| status.message().to_owned())?;
        }
        Ok(reports.iter().map(|report| report.sequence).collect())
    }

    #[test]
    fn what_may_be_said_is_taken_in_order() {
        for (pushed, said, brought) in [
            (0, vec![Message::Report(junk(1)), batch(2..=4)], vec![1, 2, 3, 4]),
            (0, vec![gap(1, 4), Message::Report(junk(5))], vec![1, 5]),
            // What was told later, by a report or in words, counts.
            (0, vec![status(9), gap(1, 8)], vec![1]),
            (0, vec![Message::Report(junk(5)), gap(1, 5)], vec![5, 1]),
            (2, vec![applied(), applied()], vec![]),
            (0, vec![batch(1..=u64::from(WINDOW))], (1..=256).collect()),
        ] {
            assert_eq!(say(pushed, said), Ok(brought));
        }
    }

    #[test]
    fn what_no_honest_agent_says_ends_the_stream() {
        for (pushed, said, why) in [
            (0, gap(1, 5), "gap.to is missing or out of range"),
            (
                0,
                status(proto::MAX_SEQUENCE + 1),
                "next_sequence is out of range",
            ),
            (0, batch(1..=257), "a batch is larger than the window"),
            (0, applied(), "no plan is waiting for an answer"),
            (0, Message::Hello(v1::Hello::default()), "a report was expected"),
            (
                1,
                Message::PlanStatus(v1::PlanStatus::default()),
                "a plan's outcome is missing",
            ),
            (
                0,
                Message::Coverage(v1::Coverage {
                    revision: u64::MAX,
                    ..v1::Coverage::default()
                }),
                "coverage: revision is out of range",
            ),
            (
                0,
                Message::Engines(v1::Engines::default()),
                "engines: generation is out of range",
            ),
        ] {
            assert_eq!(say(pushed, vec![said]), Err(why.to_owned()));
        }
        let mut inbound = Inbound::new(&hello(|_| {}).unwrap(), Pushed::default());
        let nothing = inbound.take(v1::ReportRequest { message: None }, NOW, &mut Vec::new());
        assert_eq!(nothing.unwrap_err().message(), "a report was expected");
    }

    #[test]
    fn one_bad_report_is_refused_by_itself() {
        let mut inbound = Inbound::new(&hello(|_| {}).unwrap(), Pushed::default());
        let mut reports = Vec::new();
        let message = Some(batch(1..=2));
        inbound
            .take(v1::ReportRequest { message }, NOW, &mut reports)
            .unwrap();
        assert!(
            reports
                .iter()
                .all(|one| matches!(one.body, ReportBody::Refused { .. }))
        );
    }
}
