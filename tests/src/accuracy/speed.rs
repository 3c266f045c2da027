//! How fast evidence is identified on one core.
//!
//! The standard mix is 70 access switches, 5 routers with many parts, 15 cameras and 10 radio units of
//! the lab's own kinds. Reading of recordings is not counted.

use super::Label;
use crate::kind::{Kind, objects};
use crate::network::catalogue;
use identify::{Knowledge, identify};
use model::{Evidence, Observation, Outcome, Question, QuestionKind, Varbind};
use serde::Serialize;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Kinds of the standard mix and how many of each.
const MIX: [(&str, usize); 4] = [
    ("tplink-t2600g", 70),
    ("cisco-asr9010", 5),
    ("hikvision-ds2cd", 15),
    ("ericsson-minilink-6352", 10),
];
/// How long the mix is identified over and over.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// Figures of one core.
#[derive(Debug, Serialize)]
pub struct Speed {
    /// All recordings, once.
    pub recordings_seconds: f64,
    /// Variables of an element of the standard mix.
    pub mix_variables: f64,
    /// Elements of the standard mix a second.
    pub mix_per_second: f64,
    /// Whether the program was built with optimisation; without it the figures mean little.
    pub optimised: bool,
}

/// Identifies the recordings once and the mix until a second is over.
pub(super) fn measure(recorded: &[(&Label, Evidence)], knowledge: &Knowledge) -> Speed {
    let begun = Instant::now();
    for (_, evidence) in recorded {
        black_box(identify(evidence, knowledge));
    }
    let recordings_seconds = begun.elapsed().as_secs_f64();
    let mix = mix();
    let (begun, mut done) = (Instant::now(), 0_u32);
    while !mix.is_empty() && begun.elapsed() < LONG_ENOUGH {
        for evidence in &mix {
            black_box(identify(evidence, knowledge));
            done += 1;
        }
    }
    let variables: usize = mix.iter().map(|evidence| evidence.varbinds().count()).sum();
    Speed {
        recordings_seconds,
        mix_variables: super::count::real(variables) / super::count::real(mix.len().max(1)),
        mix_per_second: (f64::from(done) / begun.elapsed().as_secs_f64()).round(),
        optimised: !cfg!(debug_assertions),
    }
}

fn mix() -> Vec<Evidence> {
    let (kinds, pools) = catalogue();
    let mut mix = Vec::new();
    for (key, count) in MIX {
        let Some(kind) = kinds.iter().find(|kind: &&Kind| kind.key == key) else {
            continue;
        };
        for n in 0..count {
            let name = format!("{key}-{n}");
            if let Ok(shown) = objects(kind, pools, &name, "lab", Ipv4Addr::LOCALHOST, &[]) {
                let varbinds = shown
                    .objects
                    .into_iter()
                    .map(|(oid, value)| Varbind { oid, value });
                mix.push(evidence(varbinds.collect()));
            }
        }
    }
    mix
}

fn evidence(varbinds: Vec<Varbind>) -> Evidence {
    Evidence {
        observations: vec![Observation {
            question: Question {
                kind: QuestionKind::Walk,
                oids: Vec::new(),
            },
            outcome: Outcome::Complete,
            varbinds,
        }],
    }
}
