//! From results to the steps of findings: the crate `policy` decides each, this finds what it asks for.
//!
//! Invariant: what is not proven to be gone is not said to be gone.

use ::identify::units::is_other;
use model::{
    Cause, ComponentIdentity, Ending, FindingState, Identification, Inputs, Instant, Life, RuleResult,
    UnitIdentity,
};
use policy::lifecycle::{self, Before, Now, Proof, Step};
use policy::waiver;
use std::collections::BTreeMap;
use store::record::{FindingMove, FindingStep, KnownFinding, Met, Stand, Subject, Thing, Why};
use time::Date;

/// What the present judgement rests on.
#[derive(Clone, Copy)]
pub(super) struct Present<'a> {
    /// Versions of everything.
    pub(super) inputs: &'a Inputs,
    /// The unit and its parts as identified, if anything was.
    pub(super) seen: Option<&'a Identification>,
    /// Whether the last round was a complete and fresh walk that is identified.
    pub(super) complete: bool,
    /// The day judged for.
    pub(super) as_of: Date,
    /// When this is recorded.
    pub(super) now: Instant,
}

type Key<'a> = (&'a str, Option<&'a str>, &'a str);

fn key(result: &RuleResult) -> Key<'_> {
    (&result.rule, result.component.as_deref(), &result.supplier)
}

/// What becomes of the findings of an element by these results.
pub(super) fn moves(subject: &Subject, results: &[RuleResult], present: Present<'_>) -> Vec<FindingMove> {
    let known: BTreeMap<Key<'_>, _> = subject.findings.iter().map(|f| (key(&f.result), f)).collect();
    let met: BTreeMap<Key<'_>, _> = results
        .iter()
        .filter(|r| r.class.opens_finding())
        .map(|r| (key(r), r))
        .collect();
    let mut moves = Vec::new();
    for (key, result) in &met {
        let before = known.get(key).copied();
        let step = lifecycle::step(
            before.map(|f| before_of(f, subject)),
            Some(result.class),
            present.rests(),
        );
        let now_met = Met {
            result: (*result).clone(),
            thing: thing(result.component.as_deref(), present.seen),
        };
        let judged = subject.judged.as_ref().map(|judged| &judged.inputs);
        match (step, before) {
            (Step::Open, _) | (_, None) => {
                moves.push(present.why(subject, judged).of(FindingStep::Open(now_met)));
            }
            (Step::Reopen, Some(f)) => {
                let step = FindingStep::Reopen(Box::new(stand(f, waiver::reopened(&f.life))), now_met);
                moves.push(present.why(subject, judged).of(step));
            }
            (_, Some(f)) if lifecycle::is_gone(before_of(f, subject)) => {}
            (_, Some(f)) => {
                moves.extend(lapse(f, present));
                let step = if moved(&f.result, result) {
                    let mut text = describe(&f.result, result);
                    if waiver::expired(&f.life, present.as_of).is_none()
                        && waiver::is_worse(&f.life, result.class)
                    {
                        text.push_str("; worse than what was waived");
                    }
                    FindingStep::Change(f.finding, now_met, text)
                } else {
                    // The row also names the evidence and versions behind it: keep those current.
                    FindingStep::Refresh(f.finding, now_met)
                };
                moves.push(present.why(subject, Some(&f.inputs)).of(step));
            }
        }
    }
    for (key, f) in &known {
        if met.contains_key(key) {
            continue;
        }
        if lifecycle::step(Some(before_of(f, subject)), None, present.rests()) == Step::Close {
            // Opened by these very results: the same rule and supplier at another part.
            let like_part = met.keys().any(|other| {
                let opens = known
                    .get(other)
                    .is_none_or(|f| f.life.state == FindingState::Closed);
                other.0 == key.0 && other.2 == key.2 && other.1.is_some() && opens
            });
            let (ending, text) = ended(f, present, like_part);
            let step = FindingStep::Close(stand(f, waiver::ended(&f.life, ending)), text);
            moves.push(present.why(subject, Some(&f.inputs)).of(step));
        } else {
            moves.extend(lapse(f, present));
        }
    }
    moves
}

/// Results that say something of the present: not those of what a person confirmed as gone.
pub(super) fn of_the_present(subject: &Subject, results: &[RuleResult]) -> Vec<RuleResult> {
    let gone = |result: &&RuleResult| {
        subject
            .findings
            .iter()
            .any(|f| key(&f.result) == key(result) && lifecycle::is_gone(before_of(f, subject)))
    };
    results.iter().filter(|result| !gone(result)).cloned().collect()
}

fn before_of<'a>(finding: &'a KnownFinding, subject: &Subject) -> Before<'a> {
    Before {
        life: &finding.life,
        class: finding.result.class,
        inputs: &finding.inputs,
        answered_since: subject.last_walk > finding.gone_walk,
    }
}

/// The waiver that has run out, if it has: time passed, whatever else moved.
fn lapse(finding: &KnownFinding, present: Present<'_>) -> Option<FindingMove> {
    let until = waiver::expired(&finding.life, present.as_of)?;
    let why = Why {
        causes: vec![Cause::Time],
        grounds: format!("day {}", present.as_of),
        valid: present.day(),
    };
    let text = format!("the waiver ended on {until}");
    let step = FindingStep::Lapse(stand(finding, waiver::lapsed(&finding.life)), text);
    Some(why.of(step))
}

fn stand(finding: &KnownFinding, life: Life) -> Stand {
    Stand {
        finding: finding.finding,
        revision: finding.revision,
        life,
    }
}

fn ended(finding: &KnownFinding, present: Present<'_>, like_part: bool) -> (Ending, String) {
    let unit = present.seen.map(|seen| &seen.unit);
    let component = finding.result.component.as_deref();
    let parts = present.seen.map_or(&[][..], |seen| &seen.components);
    let stands = |serial: &str| !serial.is_empty() && parts.iter().any(|part| part.serial == serial);
    // A part that went along, or a chassis that leads its stack no longer, is not gone.
    let part_stands = component.is_some() && (stands(&finding.thing.serial) || like_part);
    let chassis_stands = stands(finding.thing.unit.serial.as_deref().unwrap_or_default());
    let other_unit = unit.is_some_and(|unit| is_other(&finding.thing.unit, unit, present.complete));
    let proof = Proof {
        complete: present.complete,
        other_unit: other_unit && !part_stands && !chassis_stands,
        part_gone: component.is_some_and(|index| {
            present
                .seen
                .is_some_and(|seen| !has_part(&seen.components, index, &finding.thing))
        }),
        like_part,
    };
    let ending = lifecycle::ending(proof);
    let text = match ending {
        Ending::Swapped => {
            let unit = unit.map(hardware).unwrap_or_default();
            format!("removed: another unit stands here, {unit}, by a complete walk")
        }
        Ending::PartGone => "removed: a complete walk of the unit no longer has this part".to_owned(),
        Ending::Moved => "not counted as removed: a like part meets the rule since the same walk".to_owned(),
        Ending::Confirmed | Ending::NotMet => "the rule is no longer met".to_owned(),
    };
    (ending, text)
}

fn hardware(unit: &UnitIdentity) -> String {
    match (&unit.serial, &unit.base_mac) {
        (Some(serial), _) => format!("serial {serial}"),
        (None, Some(mac)) => format!("address {mac}"),
        (None, None) => "told apart by its engine".to_owned(),
    }
}

/// Whether a walk still has the part: by its serial number wherever it sits, else at its index, unless what
/// is told there is something else.
fn has_part(components: &[ComponentIdentity], index: &str, thing: &Thing) -> bool {
    let agrees = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
    components.iter().any(|part| {
        (!thing.serial.is_empty() && part.serial == thing.serial)
            || (part.index == index
                && agrees(&part.serial, &thing.serial)
                && agrees(&part.model, &thing.model))
    })
}

/// What of the hardware tells later whether it is still there.
fn thing(component: Option<&str>, seen: Option<&Identification>) -> Thing {
    let Some(seen) = seen else {
        return Thing::default();
    };
    let part = component.and_then(|index| seen.components.iter().find(|part| part.index == index));
    Thing {
        unit: UnitIdentity {
            serial: seen.unit.serial.clone(),
            base_mac: seen.unit.base_mac.clone(),
            engine_id: seen.unit.engine_id.clone(),
            ..UnitIdentity::default()
        },
        serial: part.map(|part| part.serial.clone()).unwrap_or_default(),
        model: part.map(|part| part.model.clone()).unwrap_or_default(),
    }
}

fn moved(before: &RuleResult, now: &RuleResult) -> bool {
    (before.class, before.severity, &before.deadline) != (now.class, now.severity, &now.deadline)
}

fn describe(before: &RuleResult, now: &RuleResult) -> String {
    if before.class != now.class {
        return format!("{} → {}", before.class, now.class);
    }
    if before.severity != now.severity {
        return format!("{} → {}", before.severity, now.severity);
    }
    let date = |d: &Option<String>| d.clone().unwrap_or_else(|| "no date".to_owned());
    format!("{} → {}", date(&before.deadline), date(&now.deadline))
}

impl<'a> Present<'a> {
    fn rests(self) -> Now<'a> {
        Now {
            inputs: self.inputs,
            complete: self.complete,
        }
    }

    /// The day judged for, from its first moment.
    fn day(self) -> Instant {
        Instant::from_datetime(self.as_of.midnight().assume_utc())
    }

    /// What moved since `before`. Where no version did, what was seen was put in another light by
    /// what came late from the network.
    pub(super) fn why(self, subject: &Subject, before: Option<&Inputs>) -> Why {
        let mut causes = lifecycle::causes(before, self.inputs);
        if causes.is_empty() {
            causes.push(Cause::Network);
        }
        let seen_since = |digest| {
            let sightings = [&subject.complete, &subject.partial];
            let seen = sightings.into_iter().flatten().find(|s| Some(s.digest) == digest);
            seen.map(|seen| seen.from)
        };
        let valid = match causes.first() {
            Some(Cause::Network) if before.is_none_or(|b| b.digest != self.inputs.digest) => {
                seen_since(self.inputs.digest)
            }
            Some(Cause::Network) => seen_since(self.inputs.partial),
            Some(Cause::Time) => Some(self.day()),
            _ => None,
        };
        Why {
            causes,
            grounds: before
                .map(|before| lifecycle::grounds(before, self.inputs))
                .unwrap_or_default(),
            valid: valid.unwrap_or(self.now),
        }
    }
}

#[cfg(test)]
mod tests;
