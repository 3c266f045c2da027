//! Which rules two questions can answer differently: the others need not be asked.
//!
//! Invariant: a rule that is left out says the same of everything under both; where
//! that cannot be told, none is left out.

use crate::pack::{Pack, Rule};
use crate::policies::Policies;
use crate::question::Question;
use std::collections::{BTreeMap, BTreeSet};

/// Keys of the rules that may answer differently; `None` is all of them.
#[must_use]
pub fn differing(
    before: (&Policies, &Question<'_>),
    after: (&Policies, &Question<'_>),
) -> Option<BTreeSet<String>> {
    let ((old, asked), (new, asks)) = (before, after);
    let days = |question: &Question<'_>| (question.as_of, question.as_known, question.powers);
    if days(asked) != days(asks) || old.interprets() != new.interprets() {
        return None;
    }
    let assumed = asked.assumed.keys().chain(asks.assumed.keys());
    let mut rules: BTreeSet<String> = assumed
        .filter(|rule| asked.assumed(rule) != asks.assumed(rule))
        .cloned()
        .collect();
    if old.version() == new.version() {
        return Some(rules);
    }
    if shared(old) != shared(new) {
        return None;
    }
    let by_code = |policies: &Policies| -> BTreeMap<String, Pack> {
        let packs = policies.packs().iter();
        packs
            .map(|pack| (pack.code.as_str().to_owned(), pack.clone()))
            .collect()
    };
    let (old, new) = (by_code(old), by_code(new));
    let codes: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for code in codes {
        let (was, is) = (told(old.get(code)), told(new.get(code)));
        let ids: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        rules.extend(ids.into_iter().filter(|id| was.get(*id) != is.get(*id)).cloned());
    }
    Some(rules)
}

/// What rules of every pack rest on.
fn shared(policies: &Policies) -> String {
    let affiliations = policies.affiliations();
    format!(
        "{:?} {:?} {:?}",
        affiliations.suppliers,
        affiliations.edges,
        policies.countries()
    )
}

/// Each rule of a pack as it was read, with the lists it may refer to.
fn told(pack: Option<&Pack>) -> BTreeMap<String, String> {
    let of = |pack: &Pack, rule: &Rule| format!("{rule:?} {:?}", pack.lists);
    let rules = pack
        .into_iter()
        .flat_map(|pack| pack.rules.iter().map(move |rule| (pack, rule)));
    rules
        .map(|(pack, rule)| (rule.id.clone(), of(pack, rule)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date::PartialDate;
    use time::macros::date;

    #[test]
    fn only_what_can_differ_is_asked() {
        let packs = Policies::built_in().unwrap();
        let nothing = BTreeMap::new();
        let on = |as_of, assumed| Question {
            as_of,
            as_known: Some(date!(2026 - 11 - 25)),
            assumed,
            powers: false,
        };
        let today = on(date!(2026 - 11 - 25), &nothing);
        let same = differing((&packs, &today), (&packs, &today));
        assert_eq!(same, Some(BTreeSet::new()));
        let tomorrow = on(date!(2026 - 11 - 26), &nothing);
        assert_eq!(differing((&packs, &today), (&packs, &tomorrow)), None);

        let assumed = BTreeMap::from([(
            "EU-CSA2-PROP".to_owned(),
            PartialDate::from(date!(2027 - 01 - 01)),
        )]);
        let what_if = on(date!(2026 - 11 - 25), &assumed);
        let expected = Some(BTreeSet::from(["EU-CSA2-PROP".to_owned()]));
        assert_eq!(differing((&packs, &today), (&packs, &what_if)), expected);

        let text = include_str!("../packs/dk.toml").replace("2027-01-01", "2028-01-01");
        let draft = [("draft.toml".to_owned(), text)];
        let drafted = Policies::with_drafts(Policies::built_in_texts(), &draft).unwrap();
        let expected = Some(BTreeSet::from(["DK-TDC-2023".to_owned()]));
        assert_eq!(differing((&packs, &today), (&drafted, &today)), expected);

        let read = packs.clone().without_interpretation();
        assert_eq!(differing((&packs, &today), (&read, &today)), None);
        let text = include_str!("../packs/affiliations.toml").replacen("hq = \"CN\"", "hq = \"DE\"", 1);
        let draft = [("affiliations.toml".to_owned(), text)];
        let drafted = Policies::with_drafts(Policies::built_in_texts(), &draft).unwrap();
        assert_eq!(differing((&packs, &today), (&drafted, &today)), None);
    }
}
