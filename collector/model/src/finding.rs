//! What `policy` concludes, and the life of a finding.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// All, in the order pages list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word in files, database and pages.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| format!("unknown word {text:?}"))
            }
        }
    };
}

words!(
    /// What one rule says about one part on one day. Not every class is a finding.
    ResultClass {
        /// Matches a prohibition in force.
        Violation = "violation",
        /// A date by which it had to be gone has passed.
        Overdue = "overdue",
        /// Must be gone by a date to come.
        Due = "due",
        /// A share exceeds its cap.
        OverCap = "over_cap",
        /// A required approval is not on file.
        ApprovalMissing = "approval_missing",
        /// The facts leave the answer open (an interval straddles a cap).
        Undecided = "undecided",
        /// The rule turns on a fact nobody has declared or observed.
        ConditionUnknown = "condition_unknown",
        /// Under review by the authority, or needs one.
        Review = "review",
        /// Not a duty; worth watching.
        Watch = "watch",
        /// A share within its cap.
        WithinCap = "within_cap",
        /// Approved until a date.
        ApprovedUntil = "approved_until",
        /// The rule rests on facts older than they may be.
        StaleRecheck = "stale_recheck",
        /// Restricts only what is installed from now on; this is installed.
        NoNew = "no_new",
        /// Takes effect on a date to come.
        Future = "future",
        /// Draft or expired: what would follow if it held.
        WhatIf = "what_if",
        /// The rule exists and does not bind this operator.
        NotBound = "not_bound",
        /// No rule of the loaded packs speaks about it.
        NoRuleKnown = "no_rule_known",
    }
);

impl ResultClass {
    /// Whether a result of this class opens a finding that stays in the queue.
    #[must_use]
    pub fn opens_finding(self) -> bool {
        matches!(
            self,
            Self::Violation
                | Self::Overdue
                | Self::Due
                | Self::OverCap
                | Self::ApprovalMissing
                | Self::Undecided
                | Self::ConditionUnknown
                | Self::Review
                | Self::Watch
                | Self::StaleRecheck
                | Self::NoNew
        )
    }
}

words!(
    /// ITU-T X.733 perceived severity (RFC 3877 `ItuPerceivedSeverity`), most urgent first.
    Severity {
        /// Act now.
        Critical = "critical",
        /// Act soon.
        Major = "major",
        /// Plan.
        Minor = "minor",
        /// Know.
        Warning = "warning",
        /// Cannot be told.
        Indeterminate = "indeterminate",
        /// Nothing left to do.
        Cleared = "cleared",
    }
);

words!(
    /// The life of a finding.
    FindingState {
        /// A rule is met and nobody has taken it up.
        Open = "open",
        /// Somebody has seen it.
        Acknowledged = "acknowledged",
        /// Somebody works on it.
        Assigned = "assigned",
        /// Accepted until a date.
        Waived = "waived",
        /// The rule is no longer met.
        Closed = "closed",
    }
);

words!(
    /// What moved, so that a finding did. Where several moved at once, the first of these is named first.
    Cause {
        /// A person acted.
        Person = "person",
        /// Other evidence, or more or less of it.
        Network = "network",
        /// Other knowledge of who makes what.
        Knowledge = "knowledge",
        /// Other packs.
        Law = "law",
        /// The operator's own facts: declarations, tags, sites, approvals.
        Declaration = "declaration",
        /// Another day.
        Time = "time",
    }
);

words!(
    /// How a waiver stands: asked for, accepted, or over, and why.
    WaiverState {
        /// Waits for a second person.
        Asked = "asked",
        /// Accepted, and its last day is to come.
        InForce = "in_force",
        /// Its last day has passed: the finding returned.
        Expired = "expired",
        /// Nobody approved it.
        Refused = "refused",
        /// Accepted once, and taken back by a person.
        TakenBack = "taken_back",
        /// Another one took its place.
        Replaced = "replaced",
        /// Its finding closed.
        Closed = "closed",
    }
);

words!(
    /// How a finding ended, and so whether something was removed.
    Ending {
        /// Hardware evidence from a complete walk: another unit stands there.
        Swapped = "swapped",
        /// A complete walk of the same unit no longer has the part.
        PartGone = "part_gone",
        /// The element fell silent and a person confirmed that it is gone.
        Confirmed = "confirmed",
        /// A like part meets the rule elsewhere in the same unit.
        Moved = "moved",
        /// The thing may be there still: the rule is not met by it any more.
        NotMet = "not_met",
    }
);

impl Ending {
    /// Whether it proves that something was removed: what progress counts.
    #[must_use]
    pub fn is_removal(self) -> bool {
        matches!(self, Self::Swapped | Self::PartGone | Self::Confirmed)
    }
}

words!(
    /// One word for an element: its most urgent result, or why there is none.
    Standing {
        /// Matches a prohibition in force.
        Violation = "violation",
        /// A date by which something had to be gone has passed.
        Overdue = "overdue",
        /// Something must be gone by a date to come.
        Due = "due",
        /// Capped, lacking an approval, or may stay but not grow.
        Restricted = "restricted",
        /// Turns on a fact nobody has declared or observed.
        Undecided = "undecided",
        /// No duty; worth watching.
        Watch = "watch",
        /// Maker known, evidence complete, and nothing stays open.
        Clear = "clear",
        /// Nothing stays open, but not enough is known to call it clear.
        Unknown = "unknown",
    }
);

/// What one rule says about one part of one element on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleResult {
    /// Key of the rule, e.g. `DE-CONTRACT-CORE`.
    pub rule: String,
    /// Jurisdiction of its pack, e.g. `DE`.
    pub jurisdiction: String,
    /// Title of the rule.
    pub title: String,
    /// Instrument, section and date for people.
    pub citation: String,
    /// Index of the component it is about; `None` is the unit itself.
    pub component: Option<String>,
    /// Key of the supplier that matched.
    pub supplier: String,
    /// The class.
    pub class: ResultClass,
    /// How urgent.
    pub severity: Severity,
    /// The binding date, `YYYY-MM-DD` or as partial as the source, if there is one.
    pub deadline: Option<String>,
    /// Weakest link of the chain, 0 to 1; below [`RuleResult::CERTAIN`] it is a *possible* finding.
    pub confidence: f64,
    /// The chain in plain words: bound, supplier, thing, act, time.
    pub explanation: Vec<String>,
}

impl RuleResult {
    /// From here on a finding is stated without "possible".
    pub const CERTAIN: f64 = 0.8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_match_serde() {
        for &class in ResultClass::ALL {
            assert_eq!(class.as_str().parse::<ResultClass>(), Ok(class));
            assert_eq!(
                serde_json::to_string(&class).unwrap(),
                format!("{:?}", class.as_str())
            );
        }
        for &severity in Severity::ALL {
            assert_eq!(
                serde_json::to_string(&severity).unwrap(),
                format!("{:?}", severity.as_str())
            );
        }
        for &standing in Standing::ALL {
            assert_eq!(
                serde_json::to_string(&standing).unwrap(),
                format!("{:?}", standing.as_str())
            );
        }
        for &cause in Cause::ALL {
            assert_eq!(cause.as_str().parse::<Cause>(), Ok(cause));
        }
        for &ending in Ending::ALL {
            assert_eq!(ending.as_str().parse::<Ending>(), Ok(ending));
        }
        for &state in WaiverState::ALL {
            assert_eq!(state.as_str().parse::<WaiverState>(), Ok(state));
        }
        for &state in FindingState::ALL {
            assert_eq!(
                serde_json::to_string(&state).unwrap(),
                format!("{:?}", state.as_str())
            );
        }
    }

    #[test]
    fn what_restricts_nobody_opens_nothing() {
        for class in [
            ResultClass::NotBound,
            ResultClass::WhatIf,
            ResultClass::Future,
            ResultClass::NoRuleKnown,
        ] {
            assert!(!class.opens_finding());
        }
    }
}
