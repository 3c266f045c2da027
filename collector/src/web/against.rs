//! Why not the other verdict: what spoke for somebody else, and why it lost.
//!
//! Invariant: every supplier that any claim names and the answer does not is told, with all its signals.

use super::show;
use model::{Aspect, Claim, Signal, Subject};
use std::collections::BTreeMap;

/// A signal with more weight settles something by itself.
const STRONG: f64 = 0.5;

/// Somebody who might have been meant.
#[derive(Debug, PartialEq, Eq)]
pub struct Other {
    /// Index of the component; empty for the unit.
    pub about: String,
    /// `maker` or `brand`.
    pub aspect: &'static str,
    /// Who.
    pub supplier: String,
    /// What spoke for it, with weights.
    pub signals: String,
    /// Who was taken, and what spoke for that; empty where nobody was.
    pub taken: String,
    /// Why it lost, in words.
    pub why: &'static str,
}

/// The others, in the order of what they are about.
#[must_use]
pub fn others(claims: &[Claim]) -> Vec<Other> {
    let mut about: BTreeMap<(&Subject, Aspect), Vec<&Claim>> = BTreeMap::new();
    for claim in claims {
        about
            .entry((&claim.subject, claim.aspect))
            .or_default()
            .push(claim);
    }
    about
        .into_iter()
        .flat_map(|((subject, aspect), claims)| of(subject, aspect, &claims))
        .collect()
}

fn of(subject: &Subject, aspect: Aspect, claims: &[&Claim]) -> Vec<Other> {
    let (won, lost): (Vec<&Claim>, Vec<&Claim>) = claims.iter().partition(|claim| claim.won);
    let mut rivals: BTreeMap<&str, Vec<&Claim>> = BTreeMap::new();
    for claim in &lost {
        rivals.entry(&claim.supplier.id).or_default().push(claim);
    }
    let told = won
        .first()
        .map(|first| format!("{}: {}", show::clean(&first.supplier.name, 48), signals(&won)));
    let other = |(_, lost): (&str, Vec<&Claim>)| Other {
        about: match subject {
            Subject::Unit => String::new(),
            Subject::Component(index) => show::clean(index, 48),
        },
        aspect: match aspect {
            Aspect::Maker => "maker",
            Aspect::Brand => "brand",
        },
        supplier: lost
            .first()
            .map(|claim| show::clean(&claim.supplier.name, 48))
            .unwrap_or_default(),
        signals: signals(&lost),
        taken: told.clone().unwrap_or_default(),
        why: why(&lost, &won),
    };
    rivals.into_iter().map(other).collect()
}

/// Each signal once, the weightiest first.
fn signals(claims: &[&Claim]) -> String {
    let mut best: BTreeMap<&str, f64> = BTreeMap::new();
    for claim in claims {
        let weight = best.entry(show::signal(claim.signal)).or_insert(claim.confidence);
        *weight = weight.max(claim.confidence);
    }
    let mut best: Vec<_> = best.into_iter().collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1));
    let words = best
        .iter()
        .map(|(signal, weight)| format!("{signal} {}", show::confidence(*weight)));
    words.collect::<Vec<_>>().join(", ")
}

fn why(lost: &[&Claim], won: &[&Claim]) -> &'static str {
    let only = |signals: &[Signal]| lost.iter().all(|claim| signals.contains(&claim.signal));
    let most = |claims: &[&Claim]| claims.iter().map(|claim| claim.confidence).fold(0.0, f64::max);
    if only(&[Signal::EngineId]) {
        "an operator can set snmpEngineID: it names nobody unless the hardware agrees"
    } else if only(&[Signal::SysDescr]) {
        "an operator can write it: it names nobody unless the hardware agrees"
    } else if only(&[Signal::Oui]) {
        "a hardware address may be that of a network card or a part: alone it carries little"
    } else if won.is_empty() {
        "none of those named is sure enough to be taken"
    } else if most(lost) < STRONG {
        "too little by itself, and nothing else says the same"
    } else if most(lost) <= most(won) {
        "what speaks for the one taken weighs more, all together; this took its share off the confidence"
    } else {
        "more kinds of evidence speak for the one taken; this took its share off the confidence"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{EvidenceRef, SupplierRef};

    fn claim(who: &str, signal: Signal, confidence: f64, won: bool) -> Claim {
        Claim {
            subject: Subject::Unit,
            aspect: Aspect::Maker,
            supplier: SupplierRef {
                id: who.to_lowercase(),
                name: who.to_owned(),
            },
            signal,
            confidence,
            evidence: EvidenceRef {
                oid: "1.3.6".parse().unwrap(),
                tag: 4,
                octets_hex: String::new(),
                shown: String::new(),
            },
            knowledge: String::new(),
            source: String::new(),
            won,
        }
    }

    #[test]
    fn each_loser_is_told_with_its_signals_and_a_reason() {
        let won = || claim("Huawei", Signal::SysObjectId, 0.9, true);
        for (lost, why) in [
            (vec![claim("Nokia", Signal::Oui, 0.4, false)], "network card"),
            (vec![claim("Nokia", Signal::EngineId, 0.4, false)], "snmpEngineID"),
            (
                vec![claim("Nokia", Signal::SysDescr, 0.6, false)],
                "an operator can write it",
            ),
            (vec![claim("Nokia", Signal::MfgName, 0.3, false)], "too little"),
            (vec![claim("Nokia", Signal::MfgName, 0.8, false)], "weighs more"),
            (vec![claim("Nokia", Signal::MfgName, 0.95, false)], "more kinds"),
        ] {
            let all: Vec<_> = std::iter::once(won()).chain(lost).collect();
            let told = others(&all);
            assert_eq!((told.len(), told[0].supplier.as_str()), (1, "Nokia"));
            assert!(told[0].why.contains(why), "{told:?}");
            assert_eq!(told[0].taken, "Huawei: sysObjectID 90 %");
        }
        assert!(others(&[won()]).is_empty());
        let nobody = others(&[
            claim("A", Signal::MfgName, 0.6, false),
            claim("B", Signal::MfgName, 0.6, false),
        ]);
        assert_eq!((nobody.len(), nobody[0].taken.as_str()), (2, ""));
        assert!(nobody[0].why.contains("none of those"));
    }
}
