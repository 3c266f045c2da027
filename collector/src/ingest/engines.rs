//! Engines as they came down the stream: hostile until they are read here.
//!
//! Invariants: no more of them than a message may have, in order; each of an address that can be
//! asked, with at most as many octets as are kept; what the octets say is read when they are shown.

use super::read::not_ahead;
use model::Instant;
use proto::plan::{MAX_ENGINE_ID, MAX_ENGINES_TOLD};
use proto::v1;
use std::net::IpAddr;
use store::engines::{ToldEngine, ToldEngines};
use tonic::Status;

/// Octets of an engine ID that a message of SNMP can hold.
const MAX_OCTETS: u32 = 65_535;

/// Reads them.
///
/// # Errors
/// `INVALID_ARGUMENT` when they are none.
pub(super) fn read(told: &v1::Engines, now: Instant) -> Result<ToldEngines, Status> {
    let wrong = |what: &str| Status::invalid_argument(format!("engines: {what}"));
    if told.engines.len() > MAX_ENGINES_TOLD {
        return Err(wrong("too many of them"));
    }
    if told.generation == 0 || i64::try_from(told.generation).is_err() {
        return Err(wrong("generation is out of range"));
    }
    let mut last = 0;
    let mut engines = Vec::with_capacity(told.engines.len());
    for row in &told.engines {
        if row.revision <= last || row.revision > proto::MAX_SEQUENCE {
            return Err(wrong("revision is out of range"));
        }
        last = row.revision;
        engines.push(one(row, now).map_err(wrong)?);
    }
    Ok(ToldEngines {
        generation: told.generation,
        engines,
    })
}

fn one(row: &v1::ToldEngine, now: Instant) -> Result<ToldEngine, &'static str> {
    let v4 = <[u8; 4]>::try_from(row.address.as_ref()).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(row.address.as_ref()).map(IpAddr::from));
    let address = address.map_err(|_| "an address is none")?.to_canonical();
    if address.is_unspecified() || address.is_multicast() {
        return Err("nobody is at an address");
    }
    let port = u16::try_from(row.port).ok().filter(|port| *port > 0);
    let kept = row.engine_id.len();
    let whole = usize::try_from(row.engine_id_octets).ok();
    if kept == 0
        || whole.map(|whole| whole.min(MAX_ENGINE_ID)) != Some(kept)
        || row.engine_id_octets > MAX_OCTETS
    {
        return Err("an engine ID has another number of octets");
    }
    Ok(ToldEngine {
        address,
        port: port.ok_or("port is out of range")?,
        id: row.engine_id.to_vec(),
        octets: row.engine_id_octets,
        boots: row.boots,
        time: row.time,
        seen: not_ahead(row.seen_micros.max(0), now),
        revision: row.revision,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_000);

    fn row(revision: u64) -> v1::ToldEngine {
        v1::ToldEngine {
            address: vec![192, 0, 2, 1].into(),
            port: 161,
            engine_id: vec![7; 5].into(),
            engine_id_octets: 5,
            boots: 1,
            time: 9,
            seen_micros: 12,
            revision,
        }
    }

    fn told(engines: Vec<v1::ToldEngine>) -> v1::Engines {
        v1::Engines {
            generation: 3,
            engines,
        }
    }

    #[test]
    fn what_fits_is_taken_and_everything_else_refused() {
        let long = v1::ToldEngine {
            engine_id: vec![9; 32].into(),
            engine_id_octets: 200,
            address: vec![0x20; 16].into(),
            ..row(9)
        };
        let good = read(&told(vec![row(2), long]), NOW).unwrap();
        assert_eq!((good.generation, good.engines.len()), (3, 2));
        assert_eq!((good.engines[1].id.len(), good.engines[1].octets), (32, 200));
        assert!(read(&told(Vec::new()), NOW).unwrap().engines.is_empty());
        let mut ahead = row(1);
        ahead.seen_micros = i64::MAX;
        assert_eq!(
            read(&told(vec![ahead]), NOW).unwrap().engines[0].seen,
            NOW,
            "a clock that is ahead"
        );
        let refused =
            |engines: Vec<v1::ToldEngine>| read(&told(engines), NOW).unwrap_err().message().to_owned();
        let with = |change: fn(&mut v1::ToldEngine)| {
            let mut one = row(1);
            change(&mut one);
            refused(vec![one])
        };
        for (said, words) in [
            (refused((1..=1_025).map(row).collect()), "too many"),
            (refused(vec![row(2), row(2)]), "revision"),
            (refused(vec![row(0)]), "revision"),
            (with(|one| one.revision = u64::MAX), "revision"),
            (
                with(|one| one.address = vec![1, 2, 3].into()),
                "an address is none",
            ),
            (with(|one| one.address = vec![224, 0, 0, 5].into()), "nobody"),
            (with(|one| one.address = vec![0; 16].into()), "nobody"),
            (with(|one| one.port = 0), "port"),
            (with(|one| one.port = 65_536), "port"),
            (with(|one| one.engine_id_octets = 6), "octets"),
            (with(|one| one.engine_id_octets = u32::MAX), "octets"),
            (with(|one| one.engine_id = Vec::new().into()), "octets"),
            (
                with(|one| (one.engine_id, one.engine_id_octets) = (vec![1; 33].into(), 33)),
                "octets",
            ),
        ] {
            assert!(said.contains(words), "{said}, expected {words}");
        }
        for generation in [0, u64::MAX] {
            let odd = v1::Engines {
                generation,
                ..told(vec![row(1)])
            };
            assert!(read(&odd, NOW).unwrap_err().message().contains("generation"));
        }
    }
}
