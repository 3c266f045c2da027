//! A walk against whatever is answered: it ends, its rows increase and are those of what
//! was asked, and it keeps no more than it may.

#![no_main]

use agent::plan::oid;
use agent::poll::room::Budget;
use agent::poll::socket::ExchangeError;
use agent::poll::walk::{Manner, Split, Walk};
use agent::poll::wire::{Pdu, Response};
use agent::poll::{Limits, Room};
use agent_fuzz::Input;
use agent_fuzz::message::name;
use libfuzzer_sys::fuzz_target;
use prost::bytes::Bytes;
use proto::v1::{Outcome, Varbind};
use std::time::Duration;

/// Two tables, three columns of each, and a subtree.
const ROOTS: [&[&str]; 3] = [
    &["1.3.6.1.9.1.1", "1.3.6.1.9.1.2", "1.3.6.1.9.1.3"],
    &["1.3.6.1.9.2.1", "1.3.6.1.9.2.2", "1.3.6.1.9.2.4"],
    &["1.3.6.1.9.3"],
];
const SPANS: usize = 4;
const COLUMNS: usize = 7;
const ROWS: usize = 30;
/// Requests that move no cursor and end no span, of one span: bulk and company halved down
/// to one, silence, and both again after a span that had to be left.
const FUTILE: usize = 32;

const FAILURES: [ExchangeError; 6] = [
    ExchangeError::TimedOut,
    ExchangeError::TimedOut,
    ExchangeError::Undecodable,
    ExchangeError::Refused,
    ExchangeError::Unreachable,
    ExchangeError::Deadline,
];

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let first = input.byte();
    let limits = Limits {
        max_repetitions: u32::from(input.byte()).max(1),
        max_rows: ROWS,
        max_value_bytes: 16,
        max_evidence_bytes: 64 * usize::from(input.byte()),
        deadline: Duration::from_secs(1),
        packets_per_second: 0,
        max_requests: 10_000,
        resume: Duration::from_secs(3_600),
    };
    let mut manner = Manner::new(&limits);
    if first & 1 == 1 {
        manner = manner.without_bulk();
    }
    let questions: Vec<Vec<Bytes>> = ROOTS
        .iter()
        .map(|roots| roots.iter().map(|root| name(root)).collect())
        .collect();
    let questions: Vec<&[Bytes]> = questions.iter().map(Vec::as_slice).collect();
    let whole = Split::default();
    let (mut room, mut again) = (Room::alone(), Room::alone());
    let mut budget = Budget::new(&limits, &mut room);
    let mut walk = Walk::new(&questions, &limits, manner, &mut budget, &whole);
    // What is answered begins again when it is at its end.
    let begin = input;
    let (mut requests, mut stop) = (0, usize::from(first >> 1));
    while let Some((pdu, names)) = walk.next_request() {
        requests += 1;
        assert!(requests <= COLUMNS * (ROWS + 1) + SPANS * FUTILE, "it does not end");
        if requests == stop {
            // The next round goes on where this one stopped.
            let parts = walk.parts();
            let manner = walk.manner.relaxed(&limits);
            budget = Budget::new(&limits, &mut again);
            walk = Walk::new(&questions, &limits, manner, &mut budget, &whole);
            walk.resume(&parts);
            (requests, stop) = (0, 0);
            continue;
        }
        if input.is_empty() {
            input = begin;
        }
        match answer(&mut input, pdu, names) {
            Ok(response) => walk.answered(response),
            Err(failure) => walk.failed(failure),
        }
    }
    let answers = walk.finish(questions.len());
    let mut octets = 0;
    for (answer, roots) in answers.iter().zip(&questions) {
        let below = |varbind: &Varbind| {
            roots
                .iter()
                .any(|root| oid::arc_below(&varbind.oid, root).is_some() || varbind.oid == root)
        };
        assert!(answer.varbinds.iter().all(below));
        for pair in answer.varbinds.windows(2) {
            assert!(oid::compare(&pair[0].oid, &pair[1].oid).is_lt());
        }
        assert!(answer.varbinds.len() <= 3 * ROWS);
        for varbind in &answer.varbinds {
            assert!(varbind.value.len() <= limits.max_value_bytes);
            octets += varbind.oid.len() + varbind.value.len();
        }
        assert_ne!(answer.outcome, Outcome::Unspecified);
    }
    assert!(octets <= limits.max_evidence_bytes);
});

fn answer(input: &mut Input<'_>, pdu: Pdu, names: &[Bytes]) -> Result<Response, ExchangeError> {
    let what = input.byte();
    let (mut error_status, mut error_index, mut varbinds) = (0, 0, Vec::new());
    match what % 8 {
        0 => return Err(FAILURES[usize::from(what >> 3) % FAILURES.len()]),
        1 => (error_status, error_index) = (i32::from(input.byte() % 20), i32::from(input.byte()) - 1),
        // What was asked for, and some more.
        2..=4 => {
            let rows = match pdu {
                Pdu::GetBulk { repetitions } => repetitions.min(u32::from(what >> 3)),
                _ => 1,
            };
            let mut cursors = names.to_vec();
            for _ in 0..rows {
                for cursor in &mut cursors {
                    *cursor = next(cursor, input.byte());
                    varbinds.push(varbind(cursor.clone(), 4, input.byte()));
                }
            }
        }
        _ => {
            for _ in 0..what >> 3 {
                let kind = input.byte();
                let root = &names[usize::from(kind >> 4) % names.len()];
                let name = match kind % 4 {
                    0 => root.clone(),
                    1 => oid::child(root, u32::from(input.byte())),
                    2 => next(root, input.byte()),
                    _ => {
                        let any = Bytes::copy_from_slice(input.piece());
                        // Others are no response.
                        if oid::is_valid(&any) { any } else { root.clone() }
                    }
                };
                let tag = if kind & 8 == 0 {
                    4
                } else {
                    u32::from(0x80 | (input.byte() & 3))
                };
                varbinds.push(varbind(name, tag, input.byte()));
            }
        }
    }
    Ok(Response {
        request_id: 0,
        error_status,
        error_index,
        varbinds,
    })
}

/// A little further on, or deeper.
fn next(from: &Bytes, step: u8) -> Bytes {
    match oid::split_last(from) {
        Some((parent, arc)) if step % 4 > 0 => oid::child(parent, arc.saturating_add(u32::from(step / 4))),
        _ => oid::child(from, u32::from(step)),
    }
}

fn varbind(oid: Bytes, tag: u32, size: u8) -> Varbind {
    Varbind {
        oid,
        tag,
        value: vec![7; size.into()].into(),
    }
}
