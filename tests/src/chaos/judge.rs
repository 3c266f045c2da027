//! What was said and kept against what the collector holds.
//!
//! Three witnesses who do not know of each other: the elements (what was answered),
//! the agents (what was kept under which sequence; what their spools still hold), the
//! collector's store (rows, gaps, counts, evidence). Invariants: every sequence that
//! was given out is stored once, declared lost, or still in the spool; what an agent
//! kept is what is stored; every answer of a round that was kept is in evidence once.

use super::witness::Kept;
use crate::element::story::Said;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::sqlite::audit::Audit;

/// Two answers within so long belong to one round: the agent asked again.
const ONE_ROUND: Duration = Duration::from_millis(1_500);

/// What was made to happen.
#[derive(Debug, Default)]
pub struct Truth {
    /// Each agent.
    pub lines: Vec<Line>,
    /// What each element said, by `ADDRESS:PORT`.
    pub said: BTreeMap<String, Vec<Said>>,
}

/// One agent at the end of the run.
#[derive(Debug, Default)]
pub struct Line {
    /// Its site, by which the collector knows it.
    pub site: String,
    /// What it said that it kept.
    pub kept: Vec<Kept>,
    /// Hexadecimal epoch of its spool.
    pub epoch: String,
    /// The sequence its next report would get.
    pub next: u64,
    /// Sequences that wait in its spool, gaps included.
    pub waiting: BTreeSet<u64>,
}

/// What the collector holds.
#[derive(Debug, Default)]
pub struct Held {
    /// Rows, gaps, counts.
    pub audit: Audit,
    /// What evidence holds, by digest: `None` when its bytes are not those of the digest.
    pub words: BTreeMap<String, Option<BTreeSet<u64>>>,
    /// sysUpTime of each report, as in the audit's order.
    pub uptimes: Vec<Option<u32>>,
}

/// What came out; each fault in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What is nowhere.
    pub lost: Vec<String>,
    /// What counts twice.
    pub duplicated: Vec<String>,
    /// Words compared.
    pub words: usize,
}

/// Compares.
#[must_use]
pub fn judge(truth: &Truth, held: &Held) -> Judgement {
    let mut judgement = Judgement::default();
    for line in &truth.lines {
        judge_line(line, held, &mut judgement);
    }
    judge_counts(held, &mut judgement);
    for (target, said) in &truth.said {
        judge_element(target, said, truth, held, &mut judgement);
    }
    judgement
}

/// Every sequence has one place, and what lies there is what was kept.
fn judge_line(line: &Line, held: &Held, judgement: &mut Judgement) {
    let site = &line.site;
    let cursors = held.audit.cursors.iter().filter(|cursor| cursor.site == *site);
    for cursor in cursors.clone().filter(|cursor| cursor.epoch != line.epoch) {
        judgement
            .lost
            .push(format!("{site}: epoch {} is not its spool's", cursor.epoch));
    }
    let Some(cursor) = cursors.clone().find(|cursor| cursor.epoch == line.epoch) else {
        judgement
            .lost
            .push(format!("{site}: the collector never heard of its spool"));
        return;
    };
    let own = |agent, epoch: &str| agent == cursor.agent && epoch == line.epoch;
    let mut digests = BTreeMap::new();
    for report in held.audit.reports.iter().filter(|r| own(r.agent, &r.epoch)) {
        if digests.insert(report.sequence, report).is_some() {
            judgement
                .duplicated
                .push(format!("{site}: sequence {} twice", report.sequence));
        }
        if report.sequence >= line.next {
            judgement.duplicated.push(format!(
                "{site}: sequence {} was never given out",
                report.sequence
            ));
        }
    }
    let gaps: Vec<(u64, u64)> = held
        .audit
        .gaps
        .iter()
        .filter(|g| own(g.agent, &g.epoch))
        .map(|g| (g.from, g.to))
        .collect();
    let in_gap = |sequence| {
        gaps.iter()
            .filter(|(from, to)| (*from..=*to).contains(&sequence))
            .count()
    };
    for sequence in 1..line.next {
        match (digests.contains_key(&sequence), in_gap(sequence)) {
            (true, 0) | (false, 1) => {}
            (false, 0) if line.waiting.contains(&sequence) => {}
            (false, 0) => judgement
                .lost
                .push(format!("{site}: sequence {sequence} is nowhere")),
            _ => judgement
                .duplicated
                .push(format!("{site}: sequence {sequence} is stored and declared lost")),
        }
    }
    for kept in &line.kept {
        if let Some(report) = digests.get(&kept.sequence)
            && (report.digest != kept.digest || report.target != kept.target || report.verdict != "stored")
        {
            judgement.lost.push(format!(
                "{site}: sequence {} of {} was kept as {:.8} and is {} {:.8} of {}",
                kept.sequence, kept.target, kept.digest, report.verdict, report.digest, report.target
            ));
        }
    }
}

/// What is counted beside the rows is what the rows are.
fn judge_counts(held: &Held, judgement: &mut Judgement) {
    for cursor in &held.audit.cursors {
        let rows = held
            .audit
            .reports
            .iter()
            .filter(|r| r.agent == cursor.agent && r.epoch == cursor.epoch)
            .count() as u64;
        let (site, counted) = (&cursor.site, cursor.reports);
        if counted > rows {
            judgement
                .duplicated
                .push(format!("{site}: {counted} reports counted, {rows} stored"));
        } else if counted < rows {
            judgement
                .lost
                .push(format!("{site}: {counted} reports counted, {rows} stored"));
        }
    }
    for element in &held.audit.elements {
        let rows = held
            .audit
            .reports
            .iter()
            .filter(|r| r.target == element.target && r.verdict == "stored")
            .count() as u64;
        let (target, rounds) = (&element.target, element.rounds);
        if rounds > rows {
            judgement
                .duplicated
                .push(format!("{target}: {rounds} rounds sighted, {rows} reported"));
        } else if rounds < rows {
            judgement
                .lost
                .push(format!("{target}: {rounds} rounds sighted, {rows} reported"));
        }
    }
}

/// Every answer is in evidence once, and evidence holds nothing else.
fn judge_element(target: &str, said: &[Said], truth: &Truth, held: &Held, judgement: &mut Judgement) {
    let mut found: BTreeMap<u64, usize> = BTreeMap::new();
    let mut uptimes = BTreeSet::new();
    for (report, uptime) in held
        .audit
        .reports
        .iter()
        .zip(&held.uptimes)
        .filter(|(r, _)| r.target == target)
    {
        match held.words.get(&report.digest) {
            Some(Some(words)) => words
                .iter()
                .for_each(|word| *found.entry(*word).or_default() += 1),
            Some(None) => judgement.lost.push(format!(
                "{target}: evidence {:.8} is not what its digest says",
                report.digest
            )),
            None if report.verdict == "stored" => judgement
                .lost
                .push(format!("{target}: evidence {:.8} is not there", report.digest)),
            None => {}
        }
        if let Some(uptime) = uptime
            && !uptimes.insert(*uptime)
        {
            judgement
                .duplicated
                .push(format!("{target}: the round at uptime {uptime} is stored twice"));
        }
    }
    let told: BTreeSet<u64> = said.iter().filter_map(|said| said.word).collect();
    for (word, times) in &found {
        if *times > 1 {
            judgement
                .duplicated
                .push(format!("{target}: word {word} is in {times} reports"));
        }
        if !told.contains(word) {
            judgement
                .lost
                .push(format!("{target}: word {word} was never said"));
        }
    }
    judgement.words += found.len();
    judge_order(target, said, &lives(target, truth, held), judgement);
}

/// Rounds of an element follow each other and are kept in that order: what was answered
/// between two that one life of the agent kept was kept by it too. What was under way,
/// or waited for a full disk, when a life ended was promised to nobody.
fn judge_order(target: &str, said: &[Said], lives: &Lives, judgement: &mut Judgement) {
    let mut missing: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    let mut since: Option<(u32, Vec<u64>)> = None;
    let mut words = said
        .iter()
        .filter_map(|said| Some((said.word?, said.at)))
        .peekable();
    while let Some((word, at)) = words.next() {
        match lives.of_word.get(&word) {
            Some(life) => {
                if let Some((begun, between)) = since.take()
                    && Some(begun) == *life
                {
                    missing.entry(begun).or_default().extend(between);
                }
                since = life.map(|life| (life, Vec::new()));
            }
            // The agent asked again within the round.
            None if words
                .peek()
                .is_some_and(|(_, next)| next.duration_since(at) < ONE_ROUND) => {}
            None => {
                if let Some((_, between)) = &mut since {
                    between.push(word);
                }
            }
        }
    }
    for (life, words) in missing {
        let away = lives.away.get(&life).copied().unwrap_or(0);
        if words.len() > away {
            judgement.lost.push(format!(
                "{target}: words {words:?} of life {life} are nowhere, {away} reports are in gaps or wait"
            ));
        }
    }
}

/// Which life of the agent kept what.
#[derive(Debug, Default)]
struct Lives {
    /// Words at the collector; [`None`] where a kill came before the agent said so.
    of_word: BTreeMap<u64, Option<u32>>,
    /// Kept reports that are not stored, by life.
    away: BTreeMap<u32, usize>,
}

fn lives(target: &str, truth: &Truth, held: &Held) -> Lives {
    let mut lives = Lives::default();
    let stored: BTreeMap<(&str, u64), &str> = held
        .audit
        .reports
        .iter()
        .filter(|r| r.target == target)
        .map(|r| ((r.epoch.as_str(), r.sequence), r.digest.as_str()))
        .collect();
    let mut life_of = BTreeMap::new();
    for line in &truth.lines {
        for kept in line.kept.iter().filter(|kept| kept.target == target) {
            let place = (line.epoch.as_str(), kept.sequence);
            life_of.insert(place, kept.life);
            if !stored.contains_key(&place) {
                *lives.away.entry(kept.life).or_default() += 1;
            }
        }
    }
    for (place, digest) in stored {
        for word in held.words.get(digest).into_iter().flatten().flatten() {
            lives.of_word.insert(*word, life_of.get(&place).copied());
        }
    }
    lives
}

#[cfg(test)]
mod tests;
