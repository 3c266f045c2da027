//! What must not leave the site: values removed before anything is stored or sent.
//!
//! Invariant: a removed value leaves no trace but an observation that says which
//! identifier was removed; digest, spool and wire never see it.

use prost::bytes::Bytes;
use proto::v1::{Observation, Outcome, QuestionKind, Varbind};

/// SNMPv2-MIB::sysContact: names and telephone numbers of people.
pub const SYS_CONTACT: &str = "1.3.6.1.2.1.1.4.0";

/// Removes the values at or below each of `roots`, and appends one observation
/// for each root that had any.
pub fn redact(observations: &mut Vec<Observation>, readings: &mut Vec<Varbind>, roots: &[Bytes]) {
    for root in roots {
        let mut removed = false;
        let mut keep = |varbind: &Varbind| {
            let hit = varbind.oid.starts_with(root);
            removed |= hit;
            !hit
        };
        readings.retain(&mut keep);
        for observation in observations.iter_mut() {
            observation.varbinds.retain(&mut keep);
        }
        if removed {
            observations.push(Observation {
                kind: QuestionKind::Get as i32,
                oids: vec![root.clone()],
                outcome: Outcome::Redacted as i32,
                varbinds: Vec::new(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::oid;

    fn varbind(name: &str) -> Varbind {
        Varbind {
            oid: oid::parse(name).unwrap(),
            tag: 4,
            value: Bytes::from_static(b"+49 30 1234"),
        }
    }

    #[test]
    fn values_go_and_a_note_stays() {
        let mut observations = vec![Observation {
            kind: QuestionKind::Get as i32,
            oids: Vec::new(),
            outcome: Outcome::Complete as i32,
            varbinds: ["1.3.6.1.2.1.1.4.0", "1.3.6.1.2.1.1.5.0"].map(varbind).to_vec(),
        }];
        let mut readings = vec![varbind("1.3.6.1.2.1.1.4.0")];
        let roots = [SYS_CONTACT, "1.3.6.1.2.1.99"].map(|root| oid::parse(root).unwrap());
        redact(&mut observations, &mut readings, &roots);
        assert!(readings.is_empty());
        assert_eq!(observations[0].varbinds, [varbind("1.3.6.1.2.1.1.5.0")]);
        assert_eq!(observations.len(), 2);
        assert_eq!(observations[1].outcome, Outcome::Redacted as i32);
        assert_eq!(observations[1].oids, [roots[0].clone()]);
    }
}
