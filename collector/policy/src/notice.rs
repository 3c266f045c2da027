//! What stands beside everything that judges: that it is no advice, and until when the packs saw sources.

use crate::date::PartialDate;
use crate::policies::Policies;

/// Stands beside everything that judges.
pub const DISCLAIMER: &str = "research data, not legal advice: check the official text before acting";

impl Policies {
    /// Until when the packs saw sources, in words: `2026-07`, or `2025-11 to 2026-07` where packs differ.
    #[must_use]
    pub fn horizon(&self) -> String {
        let horizons = || self.packs().iter().map(|pack| pack.horizon);
        let first = horizons().min_by_key(|horizon: &PartialDate| horizon.last());
        let last = horizons().max_by_key(|horizon| horizon.last());
        match (first, last) {
            (Some(first), Some(last)) if first.last() < last.last() => format!("{first} to {last}"),
            (_, Some(last)) => last.to_string(),
            _ => "no day: no packs are loaded".to_owned(),
        }
    }

    /// The disclaimer with the horizon and the version of the packs, on one line.
    #[must_use]
    pub fn notice(&self) -> String {
        let (horizon, version) = (self.horizon(), self.version());
        format!("{DISCLAIMER}; nothing after {horizon} was seen; packs {version}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notice_names_advice_horizon_and_version() {
        let policies = Policies::built_in().unwrap();
        let said = policies.notice();
        for words in [
            "not legal advice",
            "nothing after 2026-07 was seen",
            policies.version(),
        ] {
            assert!(said.contains(words), "{said}");
        }
    }
}
