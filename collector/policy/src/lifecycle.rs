//! The life of a finding: which step new facts cause, why, and how it ends.
//!
//! Invariants: an operator's state (acknowledged, assigned, waived) changes no
//! step but that a closed finding opens again. Incomplete evidence may open or
//! change a finding; it closes one only where the evidence is the same and
//! something else moved. Silence is no proof: what a person confirmed as gone
//! stays closed until the element answers again.

use model::{Cause, Ending, FindingState, Inputs, Life, ResultClass};

/// What a new set of results does to one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There was none, and the rule is met: open one.
    Open,
    /// It was closed, and the rule is met again: open it again.
    Reopen,
    /// It lives on under a more urgent class.
    Worsen,
    /// It lives on under a less urgent class.
    Ease,
    /// Nothing changes.
    Keep,
    /// The rule is no longer met: close it.
    Close,
}

/// A finding as it was when its rule was last met.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// How it stands.
    pub life: &'a Life,
    /// The class it had.
    pub class: ResultClass,
    /// What that rested on.
    pub inputs: &'a Inputs,
    /// Whether the element was walked after a person confirmed that it was gone.
    pub answered_since: bool,
}

/// What the present judgement rests on.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// Versions of everything.
    pub inputs: &'a Inputs,
    /// Whether the last round was a complete and fresh walk that is identified.
    pub complete: bool,
}

/// The step from `before` (if there is such a finding) to the class of the new
/// result (`None` when the rule no longer speaks).
#[must_use]
pub fn step(before: Option<Before<'_>>, class: Option<ResultClass>, now: Now<'_>) -> Step {
    let class = class.filter(|class| class.opens_finding());
    let Some(before) = before else {
        return class.map_or(Step::Keep, |_| Step::Open);
    };
    match (before.life.state, class) {
        (FindingState::Closed, None) => Step::Keep,
        (FindingState::Closed, Some(_)) if is_gone(before) => Step::Keep,
        (FindingState::Closed, Some(_)) => Step::Reopen,
        (_, None) if now.complete || same_evidence(before.inputs, now.inputs) => Step::Close,
        (_, None) => Step::Keep,
        (_, Some(class)) if class < before.class => Step::Worsen,
        (_, Some(class)) if class > before.class => Step::Ease,
        (_, Some(_)) => Step::Keep,
    }
}

/// Whether a person confirmed that it is gone, and nothing has answered there since: what was
/// last seen still meets the rule, and says nothing of the present.
#[must_use]
pub fn is_gone(before: Before<'_>) -> bool {
    before.life.state == FindingState::Closed
        && before.life.ending == Some(Ending::Confirmed)
        && !before.answered_since
}

/// Whether something else than the evidence moved, and the evidence did not.
fn same_evidence(before: &Inputs, now: &Inputs) -> bool {
    let causes = causes(Some(before), now);
    now.digest.is_some() && !causes.is_empty() && !causes.contains(&Cause::Network)
}

/// What moved between two judgements, in the order of [`Cause::ALL`]. A version that was not
/// written down cannot be compared. Of an element never judged before, the network is the cause.
#[must_use]
pub fn causes(before: Option<&Inputs>, now: &Inputs) -> Vec<Cause> {
    let Some(before) = before else {
        return vec![Cause::Network];
    };
    let moved = |cause: &Cause| match cause {
        Cause::Person => false,
        Cause::Network => {
            let heard = before.latest.is_some() && before.latest != now.latest;
            heard || (before.digest, before.partial) != (now.digest, now.partial)
        }
        Cause::Knowledge => differ(&before.knowledge, &now.knowledge),
        Cause::Law => differ(&before.policies, &now.policies),
        Cause::Declaration => differ(&before.facts, &now.facts),
        Cause::Time => differ(&before.as_of, &now.as_of),
    };
    Cause::ALL.iter().copied().filter(moved).collect()
}

fn differ(before: &str, now: &str) -> bool {
    !before.is_empty() && before != now
}

/// The versions that moved, in words: `packs 1f… → 2e…; day 2026-12-31 → 2027-01-01`.
#[must_use]
pub fn grounds(before: &Inputs, now: &Inputs) -> String {
    let digest = |digest: Option<model::Digest>| {
        digest.map_or_else(|| "none".to_owned(), |digest| short(&digest.to_string()))
    };
    let latest = |inputs: &Inputs| match inputs.latest {
        None => "",
        Some(model::Completeness::Complete) => "complete",
        Some(model::Completeness::Partial) => "partial",
        Some(model::Completeness::Unreachable) => "unreachable",
    };
    let pairs = [
        ("evidence", digest(before.digest), digest(now.digest)),
        ("partial evidence", digest(before.partial), digest(now.partial)),
        ("last round", latest(before).to_owned(), latest(now).to_owned()),
        ("knowledge", short(&before.knowledge), short(&now.knowledge)),
        ("packs", short(&before.policies), short(&now.policies)),
        ("declared facts", short(&before.facts), short(&now.facts)),
        ("day", before.as_of.clone(), now.as_of.clone()),
    ];
    pairs
        .into_iter()
        .filter(|(_, before, now)| differ(before, now))
        .map(|(what, before, now)| format!("{what} {before} → {now}"))
        .collect::<Vec<_>>()
        .join("; ")
}

fn short(version: &str) -> String {
    version.chars().take(12).collect()
}

/// What a judgement shows of the thing that met the rule, now that it is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proof {
    /// The last round was a complete and fresh walk.
    pub complete: bool,
    /// Hardware evidence says that another unit stands there.
    pub other_unit: bool,
    /// The finding is about a part, and the walk has no such part any more.
    pub part_gone: bool,
    /// The same rule is met by another part since this very judgement.
    pub like_part: bool,
}

/// How a finding that closes has ended. What is not proven to be gone is not counted as gone.
#[must_use]
pub fn ending(proof: Proof) -> Ending {
    match proof {
        Proof { complete: false, .. } => Ending::NotMet,
        Proof { other_unit: true, .. } => Ending::Swapped,
        Proof {
            part_gone: true,
            like_part: true,
            ..
        } => Ending::Moved,
        Proof { part_gone: true, .. } => Ending::PartGone,
        _ => Ending::NotMet,
    }
}

#[cfg(test)]
mod tests;
