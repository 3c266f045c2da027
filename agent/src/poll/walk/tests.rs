//! Walks against answers made by hand: order, limits, degrading, ends.

use super::*;
use crate::plan::oid::{child, parse};
use crate::poll::room::Room;
use proptest::prelude::*;
use std::time::Duration;

fn limits() -> Limits {
    Limits {
        max_repetitions: 40,
        max_rows: 500,
        max_value_bytes: 100,
        max_evidence_bytes: 1 << 20,
        deadline: Duration::from_secs(1),
        packets_per_second: 0,
        max_requests: 10_000,
        resume: Duration::from_secs(3_600),
    }
}

fn name(text: &str) -> Bytes {
    parse(text).unwrap()
}

fn varbind(oid: Bytes, tag: u32, size: usize) -> Varbind {
    Varbind {
        oid,
        tag,
        value: vec![b'x'; size].into(),
    }
}

fn response(error_status: i32, error_index: i32, varbinds: Vec<Varbind>) -> Response {
    Response {
        request_id: 0,
        error_status,
        error_index,
        varbinds,
    }
}

/// Two tables of three columns and some rows, and an object after them.
fn tree(rows: u32) -> Vec<Varbind> {
    let mut all = Vec::new();
    for table in ["1.3.6.1.9.1", "1.3.6.1.9.2"] {
        for column in 2..=4 {
            for row in 1..=rows {
                all.push(varbind(child(&child(&name(table), column), row), 4, 10));
            }
        }
    }
    all.push(varbind(name("1.3.6.1.9.9.0"), 2, 1));
    all
}

fn columns(table: &str) -> Vec<Bytes> {
    (2..=4).map(|column| child(&name(table), column)).collect()
}

/// Answers as RFC 3416, 4.2 says.
fn element(tree: &[Varbind], pdu: Pdu, names: &[Bytes]) -> Response {
    let next = |from: &Bytes| {
        let found = tree.iter().find(|one| oid::compare(&one.oid, from).is_gt());
        found
            .cloned()
            .unwrap_or_else(|| varbind(from.clone(), exception::END_OF_MIB_VIEW, 0))
    };
    let repetitions = match pdu {
        Pdu::GetBulk { repetitions } => repetitions,
        _ => 1,
    };
    let mut cursors = names.to_vec();
    let mut varbinds = Vec::new();
    for _ in 0..repetitions {
        for cursor in &mut cursors {
            let found = next(cursor);
            *cursor = found.oid.clone();
            varbinds.push(found);
        }
    }
    response(0, 0, varbinds)
}

/// Leaves a column out of all rows after the one in which it left its table.
fn dropping(tree: &[Varbind], pdu: Pdu, names: &[Bytes]) -> Response {
    let full = element(tree, pdu, names);
    let table = |name: &Bytes| name.get(..6).map(<[u8]>::to_vec);
    let mut gone = vec![false; names.len()];
    let mut varbinds = Vec::new();
    for (at, varbind) in full.varbinds.into_iter().enumerate() {
        let column = at % names.len();
        if !gone[column] {
            gone[column] = table(&varbind.oid) != table(&names[column]);
            varbinds.push(varbind);
        }
    }
    response(0, 0, varbinds)
}

type Answered = Result<Response, ExchangeError>;

fn walk(
    questions: &[Vec<Bytes>],
    limits: &Limits,
    mut answer: impl FnMut(Pdu, &[Bytes]) -> Answered,
) -> (Vec<(Outcome, usize)>, usize) {
    let questions: Vec<&[Bytes]> = questions.iter().map(Vec::as_slice).collect();
    let mut room = Room::alone();
    let mut budget = Budget::new(limits, &mut room);
    let manner = Manner::new(limits);
    let mut walk = Walk::new(&questions, limits, manner, &mut budget, &Split::default());
    let mut requests = 0;
    while let Some((pdu, names)) = walk.next_request() {
        requests += 1;
        assert!(requests < 10_000, "the walk does not end");
        match answer(pdu, names) {
            Ok(response) => walk.answered(response),
            Err(failure) => walk.failed(failure),
        }
    }
    let answers = walk.finish(questions.len());
    for answer in &answers {
        assert!(
            answer
                .varbinds
                .windows(2)
                .all(|pair| oid::compare(&pair[0].oid, &pair[1].oid).is_lt())
        );
    }
    (
        answers
            .iter()
            .map(|answer| (answer.outcome, answer.varbinds.len()))
            .collect(),
        requests,
    )
}

/// What came of each question, in how many requests, and what to cut the next time.
fn cut_walk(tree: &[Varbind], split: &Split, fits: usize) -> (Vec<Vec<Varbind>>, usize, Option<Split>) {
    let (questions, limits) = (both(), limits());
    let questions: Vec<&[Bytes]> = questions.iter().map(Vec::as_slice).collect();
    let manner = Manner::new(&limits);
    let mut room = Room::alone();
    let mut budget = Budget::new(&limits, &mut room);
    let mut walk = Walk::new(&questions, &limits, manner, &mut budget, split);
    let mut requests = 0;
    while let Some((pdu, names)) = walk.next_request() {
        requests += 1;
        let mut response = element(tree, pdu, names);
        response.varbinds.truncate(fits);
        walk.answered(response);
    }
    let better = walk.better(split);
    let answers = walk.finish(questions.len()).into_iter();
    let rows = answers.map(|answer| {
        assert_eq!(answer.outcome, Outcome::Complete);
        answer.varbinds
    });
    (rows.collect(), requests, better)
}

/// Tables of so many rows in each of three columns.
fn uneven(rows: [[u32; 3]; 2]) -> Vec<Varbind> {
    let mut all = Vec::new();
    for (table, columns) in (1..).zip(rows) {
        for (column, rows) in (2..).zip(columns) {
            let column = child(&child(&name("1.3.6.1.9"), table), column);
            all.extend((1..=rows).map(|row| varbind(child(&column, row), 4, 10)));
        }
    }
    all.push(varbind(name("1.3.6.1.9.9.0"), 2, 1));
    all
}

#[test]
fn an_element_that_is_known_is_asked_less_often() {
    let tree = uneven([[28, 28, 28], [26, 0, 0]]);
    let (rows, first, better) = cut_walk(&tree, &Split::default(), 24);
    let better = better.unwrap();
    let (again, known, still) = cut_walk(&tree, &better, 24);
    assert!(known < first, "{known} {first}");
    assert_eq!(
        (again, still),
        (rows, None),
        "the same rows, and nothing new is learned"
    );
}

#[test]
fn answers_are_made_to_fill_a_frame_and_no_more() {
    let asked = |fits: usize, most: u32| {
        let limits = Limits {
            max_repetitions: most,
            ..limits()
        };
        let tree = tree(150);
        let mut largest = 0;
        let (answers, _) = walk(&both()[..1], &limits, |pdu, names| {
            let Pdu::GetBulk { repetitions } = pdu else {
                return Ok(element(&tree, pdu, names));
            };
            largest = largest.max(repetitions);
            let mut response = element(&tree, pdu, names);
            response.varbinds.truncate(fits);
            Ok(response)
        });
        assert_eq!(answers, [(Outcome::Complete, 450)]);
        largest
    };
    // A binding here takes some 24 octets.
    let frame = asked(usize::MAX, 1_000);
    assert!((50..70).contains(&frame), "{frame}");
    assert_eq!(asked(usize::MAX, 45), 45, "never beyond the limit");
    // Who cuts answers to the frame is asked for whatever fits.
    assert_eq!(asked(58, 1_000), 1_000);
    // Who cuts them much shorter has a reason.
    assert_eq!(asked(20, 1_000), 40);
}

proptest! {
    /// However it is cut, and whatever changed since: every row comes, once and in order.
    #[test]
    fn no_cut_loses_a_row(
        before in proptest::array::uniform2(proptest::array::uniform3(0_u32..30)),
        now in proptest::array::uniform2(proptest::array::uniform3(0_u32..30)),
        fits in 6_usize..60,
    ) {
        let (.., split) = cut_walk(&uneven(before), &Split::default(), fits);
        let tree = uneven(now);
        let (plain, ..) = cut_walk(&tree, &Split::default(), fits);
        let (cut, ..) = cut_walk(&tree, &split.unwrap_or_default(), fits);
        prop_assert_eq!(plain.concat().len() + 1, tree.len());
        prop_assert_eq!(plain, cut);
    }
}

fn both() -> Vec<Vec<Bytes>> {
    vec![columns("1.3.6.1.9.1"), columns("1.3.6.1.9.2")]
}

#[test]
fn elements_good_and_bad() {
    use Outcome::{Complete, Looping, Refused, Skipped, TimedOut, Truncated, Unreachable};
    type Element = Box<dyn FnMut(Pdu, &[Bytes]) -> Answered>;
    let rows = tree(20);
    type Behaviour = Box<dyn FnMut(Pdu, &[Bytes], &[Varbind]) -> Answered>;
    type Case = (&'static str, Element, [(Outcome, usize); 2]);
    let table = |mut behave: Behaviour| -> Element {
        let rows = rows.clone();
        Box::new(move |pdu, names| behave(pdu, names, &rows))
    };
    let is_bulk = |pdu| matches!(pdu, Pdu::GetBulk { .. });
    let second = name("1.3.6.1.9.2");
    let cases: Vec<Case> = vec![
        (
            "as it should be",
            table(Box::new(|pdu, names, rows| Ok(element(rows, pdu, names)))),
            [(Complete, 60), (Complete, 60)],
        ),
        (
            "nothing after the end",
            table(Box::new(|pdu, names, rows| Ok(element(&rows[..120], pdu, names)))),
            [(Complete, 60), (Complete, 60)],
        ),
        (
            "noSuchName at the end",
            table(Box::new(|_, names, rows| {
                let found = element(&rows[..120], Pdu::GetNext, &names[..1]);
                let end = found.varbinds[0].tag == exception::END_OF_MIB_VIEW;
                Ok(if end {
                    response(error::NO_SUCH_NAME, 1, Vec::new())
                } else {
                    found
                })
            })),
            [(Complete, 60), (Complete, 60)],
        ),
        (
            "tooBig above seven bindings",
            table(Box::new(|pdu, names, rows| {
                let found = element(rows, pdu, names);
                Ok(if found.varbinds.len() > 7 {
                    response(error::TOO_BIG, 0, Vec::new())
                } else {
                    found
                })
            })),
            [(Complete, 60), (Complete, 60)],
        ),
        (
            "silent to GETBULK",
            table(Box::new(move |pdu, names, rows| {
                if is_bulk(pdu) {
                    Err(ExchangeError::TimedOut)
                } else {
                    Ok(element(rows, pdu, names))
                }
            })),
            [(Complete, 60), (Complete, 60)],
        ),
        (
            "an empty list for GETBULK",
            table(Box::new(move |pdu, names, rows| {
                Ok(if is_bulk(pdu) {
                    response(0, 0, Vec::new())
                } else {
                    element(rows, pdu, names)
                })
            })),
            [(Complete, 60), (Complete, 60)],
        ),
        (
            "always an empty list",
            Box::new(|_, _| Ok(response(0, 0, Vec::new()))),
            [(Refused, 0), (Refused, 0)],
        ),
        (
            "always genErr",
            Box::new(|_, _| Ok(response(5, 1, Vec::new()))),
            [(Refused, 0), (Refused, 0)],
        ),
        (
            "silent about the second table",
            table(Box::new(move |pdu, names, rows| {
                let hangs = names.iter().any(|name| name.starts_with(&second));
                if hangs {
                    Err(ExchangeError::TimedOut)
                } else {
                    Ok(element(rows, pdu, names))
                }
            })),
            [(Complete, 60), (TimedOut, 0)],
        ),
        (
            "gone",
            Box::new(|_, _| Err(ExchangeError::TimedOut)),
            [(TimedOut, 0), (TimedOut, 0)],
        ),
        (
            "refused by ICMP",
            Box::new(|_, _| Err(ExchangeError::Unreachable)),
            [(Unreachable, 0), (Unreachable, 0)],
        ),
        (
            "round in a circle",
            table(Box::new(|pdu, names, rows| {
                let mut found = element(rows, pdu, names);
                for varbind in &mut found.varbinds {
                    if varbind.oid == rows[5].oid {
                        varbind.oid = rows[2].oid.clone();
                    }
                }
                Ok(found)
            })),
            [(Looping, 5), (Complete, 60)],
        ),
        (
            "noSuchName for GETBULK",
            table(Box::new(move |pdu, names, rows| {
                Ok(if is_bulk(pdu) {
                    response(error::NO_SUCH_NAME, 1, Vec::new())
                } else {
                    element(rows, pdu, names)
                })
            })),
            [(Complete, 60), (Complete, 60)],
        ),
        (
            "GETBULK answered like GET",
            table(Box::new(move |pdu, names, rows| {
                Ok(if is_bulk(pdu) {
                    let none = |name: &Bytes| varbind(name.clone(), exception::NO_SUCH_INSTANCE, 0);
                    response(0, 0, names.iter().map(none).collect())
                } else {
                    element(rows, pdu, names)
                })
            })),
            [(Complete, 60), (Complete, 60)],
        ),
        (
            "endOfMibView for every GETBULK",
            table(Box::new(move |pdu, names, rows| {
                Ok(if is_bulk(pdu) {
                    element(&[], pdu, names)
                } else {
                    element(rows, pdu, names)
                })
            })),
            [(Complete, 60), (Complete, 60)],
        ),
        (
            "columns that ended are left out of further rows",
            table(Box::new(|pdu, names, rows| {
                // The first table is short, so that its column ends long before the other.
                let rows: Vec<_> = rows.iter().skip(55).cloned().collect();
                Ok(dropping(&rows, pdu, names))
            })),
            [(Complete, 5), (Complete, 60)],
        ),
        (
            "an object from before the table",
            Box::new(|_, names| {
                let back = |_: &Bytes| varbind(parse("1.3.6.1.2.1.1.1.0").unwrap(), 4, 10);
                Ok(response(0, 0, names.iter().map(back).collect()))
            }),
            [(Looping, 0), (Looping, 0)],
        ),
        (
            "endless",
            Box::new(|_, names| {
                let grow = |name: &Bytes| {
                    let (parent, arc) = oid::split_last(name).unwrap();
                    let deep = if name.len() > 6 {
                        child(parent, arc + 1)
                    } else {
                        child(name, 1)
                    };
                    varbind(deep, 4, 10)
                };
                Ok(response(0, 0, names.iter().map(grow).collect()))
            }),
            // Of each of three columns.
            [(Truncated, 1_500), (Truncated, 1_500)],
        ),
        (
            "long values",
            table(Box::new(|pdu, names, rows| {
                let mut found = element(rows, pdu, names);
                found
                    .varbinds
                    .iter_mut()
                    .for_each(|one| one.value = vec![0; 60_000].into());
                Ok(found)
            })),
            [(Truncated, 60), (Truncated, 60)],
        ),
    ];
    for (name, element, expected) in cases {
        let (answers, requests) = walk(&both(), &limits(), element);
        assert_eq!(answers, expected, "{name} after {requests} requests");
    }
    let three = vec![
        columns("1.3.6.1.9.1"),
        columns("1.3.6.1.9.2"),
        columns("1.3.6.1.9.3"),
    ];
    let (answers, _) = walk(&three, &limits(), |_, _| Err(ExchangeError::TimedOut));
    assert_eq!(answers[2], (Skipped, 0), "two silent spans are enough");
}

#[test]
fn requests_are_few() {
    let rows = tree(20);
    let (_, requests) = walk(&both(), &limits(), |pdu, names| Ok(element(&rows, pdu, names)));
    // 121 bindings at 40 a request.
    assert_eq!(requests, 4);
    // Tables that are not there, before other objects: one request for both.
    let (answers, requests) = walk(&both(), &limits(), |pdu, names| {
        Ok(element(&rows[120..], pdu, names))
    });
    assert_eq!((&answers[..], requests), (&[(Outcome::Complete, 0); 2][..], 1));
    // The same at the end of everything: one more, whatever the number of tables.
    let many: Vec<_> = (1..=20)
        .map(|table| columns(&format!("1.3.6.1.9.8.{table}")))
        .collect();
    let (_, plain) = walk(&many, &limits(), |pdu, names| Ok(element(&rows, pdu, names)));
    let (answers, requests) = walk(&many, &limits(), |pdu, names| Ok(element(&[], pdu, names)));
    assert!(answers.iter().all(|answer| *answer == (Outcome::Complete, 0)));
    assert_eq!(requests, plain + 1);
}

#[test]
fn one_bad_table_does_not_slow_the_others() {
    let rows = tree(100);
    let [first, second] = both().try_into().unwrap();
    let hanging = first[0].clone();
    let (answers, requests) = walk(&[first, second], &limits(), |pdu, names| {
        if names.iter().any(|name| name.starts_with(&hanging)) {
            return Err(ExchangeError::TimedOut);
        }
        Ok(element(&rows, pdu, names))
    });
    assert_eq!(answers[0], (Outcome::TimedOut, 0));
    assert_eq!(answers[1], (Outcome::Complete, 300));
    // Without GETBULK it would be 301.
    assert!(requests < 100, "{requests}");
}

#[test]
fn a_table_that_is_too_long_is_cut_straight_across() {
    let rows = tree(20);
    for (most, outcome) in [
        (7, Outcome::Truncated),
        (19, Outcome::Truncated),
        (20, Outcome::Complete),
    ] {
        let limits = Limits {
            max_rows: most,
            ..limits()
        };
        let mut shown = Vec::new();
        let (answers, requests) = walk(&both(), &limits, |pdu, names| {
            shown.push(names.to_vec());
            Ok(element(&rows, pdu, names))
        });
        assert_eq!(answers, [(outcome, 3 * most); 2], "{most}");
        assert!(requests <= 8, "{requests} for {most}");
    }
}

#[test]
fn a_walk_goes_on_wherever_it_stopped() {
    let (rows, questions) = (tree(20), both());
    let questions: Vec<&[Bytes]> = questions.iter().map(Vec::as_slice).collect();
    for most in [7, 500] {
        let limits = Limits {
            max_rows: most,
            max_repetitions: 6,
            ..limits()
        };
        let rounds = |requests: usize| {
            let mut parts = Vec::new();
            for round in 1.. {
                let mut room = Room::alone();
                let mut budget = Budget::new(&limits, &mut room);
                let manner = Manner::new(&limits);
                let mut walk = Walk::new(&questions, &limits, manner, &mut budget, &Split::default());
                walk.resume(&parts);
                let before = walk.rows();
                let mut asked = 0;
                while asked < requests
                    && let Some((pdu, names)) = walk.next_request()
                {
                    asked += 1;
                    let answer = element(&rows, pdu, names);
                    walk.answered(answer);
                }
                parts = walk.parts();
                assert_eq!(parts.iter().map(Part::len).sum::<usize>(), walk.rows());
                if walk.next_request().is_none() {
                    let answers = walk.finish(2).into_iter();
                    let all = answers.map(|answer| (answer.outcome, answer.varbinds));
                    return (round, all.collect::<Vec<_>>());
                }
                assert!(round < 100 && walk.rows() >= before);
            }
            unreachable!("rounds end or fail")
        };
        let (one, all) = rounds(usize::MAX);
        assert_eq!(one, 1);
        for requests in [1, 2, 3, 7] {
            let (several, same) = rounds(requests);
            assert_eq!(same, all, "{requests} a round, {most} rows");
            assert!(several > 1);
        }
    }
}

#[test]
fn bytes_of_all_spans_together_are_bounded() {
    let rows = tree(20);
    let few = Limits {
        max_evidence_bytes: 2000,
        ..limits()
    };
    let (answers, _) = walk(&both(), &few, |pdu, names| Ok(element(&rows, pdu, names)));
    let kept: usize = answers.iter().map(|(_, rows)| rows).sum();
    assert!(answers.iter().all(|(outcome, _)| *outcome == Outcome::Truncated));
    assert!(kept > 70 && kept <= 80, "{kept}");
}

proptest! {
    /// Whatever an element answers, the walk ends and its rows increase.
    #[test]
    fn ends_whatever_comes(seed in prop::collection::vec((0u8..8, 0usize..121, -2i32..6), 1..40)) {
        let rows = tree(20);
        let mut at = 0;
        let (answers, _) = walk(&both(), &limits(), |pdu, names| {
            let (what, row, number) = seed[at % seed.len()];
            at += 1;
            match what {
                0 => Err(ExchangeError::TimedOut),
                1 => Err(ExchangeError::Undecodable),
                2 => Ok(response(number, number, Vec::new())),
                3 => Ok(response(0, 0, rows[row..].iter().take(number.max(0) as usize).cloned().collect())),
                4 => Ok(response(0, 0, vec![rows[row].clone(); 5])),
                _ => Ok(element(&rows, pdu, names)),
            }
        });
        prop_assert!(answers.iter().all(|(_, rows)| *rows <= 60));
    }
}
