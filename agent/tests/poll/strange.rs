//! Elements that misbehave: what they do is named, bounded, and never called complete.

use crate::poll::rounds::{honest_answer, plan, view};
use crate::*;

#[test]
fn misbehaviour_is_named_and_bounded() {
    fn id(request: &[u8]) -> i32 {
        wire::decode(echo(request).into(), Version::V2c, COMMUNITY)
            .unwrap()
            .request_id
    }
    let descr = || oid::parse(SYS_DESCR).unwrap();
    let silent = element(|_| Vec::new());
    let garbage = element(|_| vec![b"hello".to_vec()]);
    let looping = element(|request| vec![echo(request)]);
    let wrong_id =
        element(move |request| vec![answer(COMMUNITY, id(request) ^ 1, &[(descr(), b"x".to_vec())])]);
    let stranger = element(move |request| vec![answer(b"other", id(request), &[(descr(), b"x".to_vec())])]);
    let long = element(move |request| {
        let asked = wire::decode(echo(request).into(), Version::V2c, COMMUNITY).unwrap();
        let long = |name: Bytes| {
            let length = if name == descr() { 60_000 } else { 1 };
            (name, vec![b'x'; length])
        };
        let all: Vec<_> = asked.varbinds.into_iter().map(|one| long(one.oid)).collect();
        vec![answer(COMMUNITY, id(request), &all)]
    });
    // Late and wrong ones before the right one do no harm.
    let noisy = element(move |request| {
        let wrong = answer(COMMUNITY, id(request) ^ 1, &[(descr(), b"wrong".to_vec())]);
        vec![b"hello".to_vec(), wrong, echo(request), echo(request)]
    });
    let nobody = {
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap().to_string()
    };
    let walks = ["looping", "looping", "looping"];
    for (target, completeness, get, others) in [
        (&silent, "unreachable", "timed_out", ["skipped"; 3]),
        (&garbage, "unreachable", "undecodable", ["skipped"; 3]),
        (&nobody, "unreachable", "unreachable", ["skipped"; 3]),
        (&wrong_id, "unreachable", "timed_out", ["skipped"; 3]),
        (&stranger, "unreachable", "undecodable", ["skipped"; 3]),
        (&looping, "partial", "complete", walks),
        (&noisy, "partial", "complete", walks),
    ] {
        let report = poll(target, &["--profile", "inventory"]);
        assert_eq!(report["completeness"], completeness, "{report}");
        let outcomes = outcomes(&report);
        assert_eq!((outcomes[0], &outcomes[1..4]), (get, &others[..]), "{report}");
        let damaged = report["undecodable"].as_u64().unwrap();
        let expected = [&garbage, &noisy, &stranger].contains(&target);
        assert_eq!(damaged > 0, expected, "{report}");
    }
    let report = poll(&long, &["--profile", "inventory"]);
    assert_eq!(outcomes(&report)[0], "truncated");
    let value = report["observations"][0]["varbinds"][0]["value"]
        .as_str()
        .unwrap();
    assert_eq!(value.len(), 2 * 8192, "hexadecimal of the limit");
}

#[test]
fn an_element_that_falls_silent_has_its_deadline() {
    let mut answers = 0;
    let element = element(move |request| {
        answers += 1;
        if answers == 1 {
            vec![echo(request)]
        } else {
            Vec::new()
        }
    });
    let limits = limits(Duration::from_millis(600));
    let round = round(&element, &Plan::of(Profile::Full), &limits);
    let outcomes: Vec<_> = round.observations.iter().map(|one| one.outcome()).collect();
    let silent = Outcome::TimedOut;
    assert_eq!(
        outcomes,
        [Outcome::Complete, silent, silent, silent, Outcome::Skipped]
    );
    assert!(round.answered && round.took >= limits.deadline && round.took < Duration::from_secs(5));
    assert_eq!(
        round.observations[0].varbinds.len(),
        12,
        "what was answered is kept"
    );
}

#[test]
fn waiting_for_the_rate_is_not_the_elements_time() {
    let element = element(|request| vec![echo(request)]);
    // Four packets a second: the requests wait for each other far longer than the deadline.
    let limits = limits(Duration::from_millis(400));
    let round = round_at(&element, &Plan::of(Profile::Inventory), &limits, 4);
    let outcomes: Vec<_> = round.observations.iter().map(|one| one.outcome()).collect();
    let looping = Outcome::Looping;
    assert_eq!(outcomes, [Outcome::Complete, looping, looping, looping]);
    assert_eq!((round.cost.requests, round.cost.retries), (5, 0));
}

#[test]
fn a_get_that_is_not_answered_in_full_is_not_complete() {
    let named = |request: &[u8]| wire::decode(echo(request).into(), Version::V2c, COMMUNITY).unwrap();
    let reply = move |id, names: Vec<Bytes>| {
        let all: Vec<_> = names.into_iter().map(|name| (name, b"x".to_vec())).collect();
        vec![answer(COMMUNITY, id, &all)]
    };
    let names = move |request: &[u8]| -> Vec<Bytes> {
        let read = named(request);
        read.varbinds.into_iter().map(|one| one.oid).collect()
    };
    let other = || oid::parse("1.3.6.1.2.1.99.1.0").unwrap();
    let empty = element(move |request| reply(named(request).request_id, Vec::new()));
    let strange = element(move |request| reply(named(request).request_id, vec![other(); 8]));
    let same = element(move |request| {
        let first = names(request).into_iter().next().unwrap();
        reply(named(request).request_id, vec![first; 8])
    });
    let deaf = element(move |request| {
        let all = names(request)
            .into_iter()
            .filter(|name| !name.ends_with(&[1, 5, 0]));
        reply(named(request).request_id, all.collect())
    });
    let plan = Plan {
        questions: Plan::of(Profile::Inventory)
            .questions
            .into_iter()
            .take(1)
            .collect(),
        readings: Vec::new(),
        if_arc: Vec::new(),
    };
    let limits = limits(Duration::from_secs(20));
    for (target, outcome, values, requests) in [
        (&empty, Outcome::Refused, 0, 8),
        (&strange, Outcome::Refused, 0, 8),
        // Each is there when asked for alone.
        (&same, Outcome::Complete, 7, 7),
        (&deaf, Outcome::Refused, 6, 2),
    ] {
        let round = round(target, &plan, &limits);
        let first = &round.observations[0];
        let shown = (first.outcome(), first.varbinds.len(), round.cost.requests);
        assert_eq!(shown, (outcome, values, requests), "{round:?}");
        let distinct: std::collections::HashSet<_> = first.varbinds.iter().map(|one| &one.oid).collect();
        assert_eq!(distinct.len(), values);
    }
}

#[test]
fn arcs_that_do_not_increase_are_a_loop() {
    let element = element(|request| vec![echo(request)]);
    let plan = Plan::of(Profile::Full);
    let round = round(&element, &plan, &limits(Duration::from_secs(20)));
    let last = round.observations.last().unwrap();
    assert_eq!(
        (last.kind(), last.outcome()),
        (QuestionKind::Arcs, Outcome::Looping)
    );
    assert!(last.varbinds.is_empty());
}

/// The same view read from an element that does something else beside, or instead.
fn read(behave: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static, deadline: Duration) -> Round {
    let limits = limits(deadline);
    let credential = Credential::community(Version::V2c, "hunter2".into(), "here").unwrap();
    let mut agent = Agent::new(0);
    agent.patience.retries = 6;
    agent.patience.first_contact = Duration::from_millis(50);
    let mut learned = Learned::nothing(&limits);
    agent.round(&element(behave), &credential, &plan(), &limits, &mut learned)
}

#[test]
fn an_element_that_floods_is_read_like_any_other() {
    let here = view();
    let honest = read(move |request| vec![honest_answer(&here, request)], PATIENCE);
    assert_eq!(honest.observations[1].outcome(), Outcome::Complete);
    // For each question what it said before, something huge, the answer, and the answer again.
    let (here, mut before) = (view(), Vec::new());
    let flood = move |request: &[u8]| {
        let answer = honest_answer(&here, request);
        let old = std::mem::replace(&mut before, vec![answer.clone(); 10]);
        let huge = vec![0x30; 60_000];
        [old, vec![huge], vec![answer; 10]].concat()
    };
    let flooded = read(flood, PATIENCE);
    assert_eq!(flooded.observations, honest.observations);
    let asked = |round: &Round| round.cost.requests - round.cost.retries;
    assert_eq!(asked(&flooded), asked(&honest));
    assert_eq!(
        flooded.cost.varbinds, honest.cost.varbinds,
        "each answer counts once"
    );
    assert!(flooded.undecodable > 0, "what is no SNMP is counted");
}

#[test]
fn an_element_that_answers_every_fifth_question_is_partial_and_what_it_said_is_kept() {
    let here = view();
    let honest = read(move |request| vec![honest_answer(&here, request)], PATIENCE);
    let (here, mut asked) = (view(), 0);
    let half_dead = move |request: &[u8]| {
        asked += 1;
        match asked % 5 {
            0 => vec![honest_answer(&here, request)],
            _ => Vec::new(),
        }
    };
    let round = read(half_dead, Duration::from_secs(3));
    assert_eq!(round.observations[0], honest.observations[0]);
    let (rows, all) = (&round.observations[1], &honest.observations[1].varbinds);
    assert_eq!(rows.outcome(), Outcome::TimedOut, "never called complete");
    assert_eq!(
        rows.varbinds,
        all[..rows.varbinds.len()],
        "rows that were, in order"
    );
    // Its deadline bounds it, and nobody is asked more than the tries of each question.
    let questions = round.cost.requests - round.cost.retries;
    assert!(
        round.cost.retries >= 4 && round.cost.requests <= questions * 7,
        "{:?}",
        round.cost
    );
}
