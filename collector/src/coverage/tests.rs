//! Words of agents and elements drawn together.

use super::*;
use model::{AgentId, ElementId};
use store::coverage::{NeighbourRow, ToldRange};

fn range(site: &str, prefix: &str, told: i64, states: &[State]) -> RangeRow {
    let octet = |state: &State| u8::try_from(i32::from(*state)).unwrap();
    RangeRow {
        agent: AgentId::generate(),
        site: site.parse().unwrap(),
        plan: 1,
        told: Instant(told),
        swept: None,
        range: ToldRange {
            prefix: prefix.to_owned(),
            port: 161,
            states: states.iter().map(octet).collect(),
            named: None,
        },
    }
}

/// An element that reached so many steps.
fn place(site: &str, address: &str, steps: u8) -> PlaceRow {
    PlaceRow {
        site: site.parse().unwrap(),
        address: address.to_owned(),
        port: 161,
        asked: steps >= 1,
        answered: steps >= 3,
        identified: steps >= 4,
        confidence: if steps >= 5 { 0.5 } else { 0.49 },
        judged: steps >= 6,
    }
}

fn neighbour(site: &str, address: &str) -> NeighbourRow {
    NeighbourRow {
        site: site.parse().unwrap(),
        address: address.parse().ok(),
        mac: None,
        protocol: "lldp".to_owned(),
        told_name: String::new(),
        description: String::new(),
        maker: None,
        element: ElementId::generate(),
        name: "<b>".to_owned(),
        elements: 1,
    }
}

fn shown(funnel: &Funnel) -> [u64; 7] {
    [
        funnel.in_scope,
        funnel.asked,
        funnel.answered,
        funnel.polled,
        funnel.identified,
        funnel.confident,
        funnel.judged,
    ]
}

const FIRST: [State; 8] = [
    State::Excluded,
    State::Engine,
    State::Engine,
    State::Silent,
    State::Silent,
    State::Unreachable,
    State::Ignored,
    State::Excluded,
];

#[test]
fn every_address_counts_once_at_the_furthest_step_it_reached() {
    let view = CoverageView {
        ranges: vec![range("berlin", "192.0.2.0/29", 10, &FIRST)],
        places: vec![
            place("berlin", "192.0.2.1", 6),
            place("berlin", "192.0.2.2", 1),
            // A round was answered though the sweep met silence.
            place("berlin", "192.0.2.3", 3),
            // Named, and left alone by the sweep; its maker is told too weakly.
            place("berlin", "192.0.2.7", 4),
            // In no range; declared and never asked; of another site.
            place("berlin", "198.51.100.1", 5),
            place("berlin", "198.51.100.2", 0),
            place("lyon", "192.0.2.1", 3),
        ],
        neighbours: Vec::new(),
    };
    let all = coverage(&view);
    let [berlin, lyon] = &all.sites[..] else {
        panic!("{all:?}")
    };
    assert_eq!(shown(&berlin.ranges[0].funnel), [7, 7, 5, 3, 2, 1, 1]);
    assert_eq!(shown(&berlin.named), [2, 1, 1, 1, 1, 1, 0]);
    assert_eq!(shown(&berlin.funnel), [9, 8, 6, 4, 3, 2, 1]);
    assert_eq!(shown(&lyon.funnel), [1, 1, 1, 1, 0, 0, 0]);
    assert_eq!(shown(&all.funnel), [10, 9, 7, 5, 3, 2, 1]);
    let states = &berlin.ranges[0].states;
    assert_eq!(
        (states["silent"], states["excluded"], states["ignored"]),
        (2, 2, 1)
    );
}

#[test]
fn of_contexts_at_one_address_the_one_that_is_least_far_counts() {
    let address = "192.0.2.1";
    let told = [range("berlin", "192.0.2.1/32", 5, &[State::Engine])];
    for steps in [[6, 4], [4, 6]] {
        let view = CoverageView {
            ranges: told.to_vec(),
            places: steps.map(|steps| place("berlin", address, steps)).to_vec(),
            neighbours: Vec::new(),
        };
        let all = coverage(&view);
        assert_eq!((all.funnel.identified, all.funnel.judged), (1, 0), "{steps:?}");
    }
}

#[test]
fn a_step_counts_only_with_all_before_it() {
    let odd = PlaceRow {
        answered: false,
        identified: true,
        confidence: 0.9,
        judged: true,
        ..place("berlin", "192.0.2.1", 1)
    };
    let view = CoverageView {
        places: vec![odd],
        ..CoverageView::default()
    };
    assert_eq!(shown(&coverage(&view).funnel), [1, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn the_best_word_of_all_agents_of_a_site_counts() {
    let mut other = FIRST;
    other[1] = State::Silent;
    other[3] = State::Object;
    other[4] = State::NotAsked;
    let view = CoverageView {
        ranges: vec![
            range("berlin", "192.0.2.0/29", 10, &FIRST),
            range("berlin", "192.0.2.0/29", 30, &other),
            range("lyon", "192.0.2.0/29", 20, &other),
        ],
        ..CoverageView::default()
    };
    let all = coverage(&view);
    let berlin = &all.sites[0].ranges[0];
    assert_eq!((all.sites.len(), all.sites[0].ranges.len()), (2, 1));
    assert_eq!(
        (shown(&berlin.funnel), berlin.told),
        ([6, 6, 4, 0, 0, 0, 0], Instant(30))
    );
    assert_eq!(shown(&all.sites[1].ranges[0].funnel), [6, 5, 3, 0, 0, 0, 0]);
}

#[test]
fn what_an_agent_does_not_say_or_says_strangely_was_not_asked() {
    let mut row = range("berlin", "192.0.2.0/30", 1, &[State::Excluded]);
    row.range.states = vec![2, 0, 63];
    let view = CoverageView {
        ranges: vec![row, range("berlin", "<script>", 1, &FIRST)],
        ..CoverageView::default()
    };
    let all = coverage(&view);
    assert_eq!(all.sites[0].ranges.len(), 1);
    assert_eq!(shown(&all.funnel), [3, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_dark_is_told_in_runs_of_one_state() {
    let view = CoverageView {
        ranges: vec![range("berlin", "192.0.2.0/29", 10, &FIRST)],
        ..CoverageView::default()
    };
    let all = coverage(&view);
    let range = &all.sites[0].ranges[0];
    let told = |states: &[State]| -> Vec<String> {
        let runs = range.runs(states);
        let one = |run: &Run| format!("{}-{} {} {}", run.first, run.last, run.count, run.state);
        runs.iter().map(one).collect()
    };
    let expected = [
        "192.0.2.3-192.0.2.4 2 silent",
        "192.0.2.5-192.0.2.5 1 unreachable",
        "192.0.2.6-192.0.2.6 1 ignored",
    ];
    assert_eq!(told(&DARK), expected);
    assert_eq!(
        told(&[State::Excluded]),
        ["192.0.2.0-192.0.2.0 1 excluded", "192.0.2.7-192.0.2.7 1 excluded"]
    );
    assert!(told(&[]).is_empty());
}

#[test]
fn neighbours_in_scope_are_no_proposals() {
    let view = CoverageView {
        ranges: vec![range("berlin", "192.0.2.0/29", 10, &FIRST)],
        places: vec![place("berlin", "198.51.100.1", 3)],
        neighbours: vec![
            neighbour("berlin", "192.0.2.6"),
            neighbour("berlin", "198.51.100.1"),
            neighbour("berlin", "203.0.113.9"),
            neighbour("lyon", "192.0.2.6"),
            NeighbourRow {
                protocol: "arp".to_owned(),
                ..neighbour("lyon", "192.0.2.7")
            },
        ],
    };
    let proposed: Vec<_> = coverage(&view)
        .proposed
        .into_iter()
        .map(|one| format!("{} {}", one.site, one.address))
        .collect();
    assert_eq!(proposed, ["berlin 203.0.113.9", "lyon 192.0.2.6"]);
}

#[test]
fn who_was_not_reached_by_any_agent_is_told_with_the_reason() {
    let (engine, silent, window, behind) = (6, 4, 64, 128);
    let rows = |octets: &[&[u8]]| {
        let row = |octets: &&[u8]| {
            let mut row = range("berlin", "192.0.2.0/29", 10, &[]);
            row.range.states = octets.to_vec();
            row
        };
        let view = CoverageView {
            ranges: octets.iter().map(row).collect(),
            ..CoverageView::default()
        };
        coverage(&view).sites.remove(0).ranges.remove(0)
    };
    let one: &[u8] = &[
        2,
        engine,
        engine | window,
        engine | window,
        silent | behind,
        silent,
        silent,
        2,
    ];
    let found = rows(&[one]);
    assert_eq!(found.unreached, BTreeMap::from([("behind", 1), ("window", 2)]));
    assert_eq!(
        (found.states["engine"], found.states["silent"]),
        (3, 3),
        "known all the same"
    );
    let runs: Vec<_> = found
        .runs(&DARK)
        .iter()
        .map(|run| (run.first.to_string(), run.count, run.state, run.unreached))
        .collect();
    let expected = [
        ("192.0.2.2".to_owned(), 2, "engine", Some("window")),
        ("192.0.2.4".to_owned(), 1, "silent", Some("behind")),
        ("192.0.2.5".to_owned(), 2, "silent", None),
    ];
    assert_eq!(runs, expected);
    assert_eq!(found.runs(&[State::Excluded]).len(), 2, "nobody else");
    // Another agent reached one of them.
    let other: &[u8] = &[2, engine, engine, silent, silent | behind, silent, silent, 2];
    assert_eq!(
        rows(&[one, other]).unreached,
        BTreeMap::from([("behind", 1), ("window", 1)])
    );
}

/// A range of which only these are asked.
fn named(site: &str, prefix: &str, words: &[(&str, State)]) -> RangeRow {
    let states: Vec<State> = words.iter().map(|(_, state)| *state).collect();
    let mut row = range(site, prefix, 10, &states);
    row.range.named = Some(
        words
            .iter()
            .map(|(address, _)| address.parse().unwrap())
            .collect(),
    );
    row
}

#[test]
fn where_only_named_addresses_are_asked_they_alone_are_in_scope() {
    let net = "2001:db8::/32";
    let view = CoverageView {
        ranges: vec![
            named(
                "berlin",
                net,
                &[
                    ("2001:db8::1", State::Engine),
                    ("2001:db8::2", State::Silent),
                    ("2001:db8::9", State::Silent),
                ],
            ),
            // Another agent of the site: its best word counts.
            named(
                "berlin",
                net,
                &[
                    ("2001:db8::2", State::NotAsked),
                    ("2001:db8::3", State::Silent),
                    ("2001:db8::9", State::Object),
                    ("2001:db8:7::1", State::Excluded),
                ],
            ),
        ],
        places: vec![
            place("berlin", "2001:db8::1", 6),
            place("berlin", "2001:db8::77", 3),
        ],
        neighbours: vec![
            neighbour("berlin", "2001:db8::2"),
            neighbour("berlin", "2001:db8:7::1"),
            // Not told yet, or pushed out by others: nobody else would show it.
            neighbour("berlin", "2001:db8::4"),
        ],
    };
    let all = coverage(&view);
    let [berlin] = &all.sites[..] else {
        panic!("{all:?}")
    };
    let range = &berlin.ranges[0];
    assert!(range.named_only && range.swept.is_none() && berlin.ranges.len() == 1);
    assert_eq!(shown(&range.funnel), [4, 4, 2, 1, 1, 1, 1]);
    assert_eq!(shown(&berlin.named), [1, 1, 1, 1, 0, 0, 0]);
    assert_eq!((range.states["silent"], range.states["excluded"]), (2, 1));
    // Addresses are one run only where they lie next to each other.
    let runs = range.runs(&[State::Silent, State::Object]);
    let runs: Vec<_> = runs
        .iter()
        .map(|run| (run.first.to_string(), run.count, run.state))
        .collect();
    let expected = [("2001:db8::2", 2, "silent"), ("2001:db8::9", 1, "object")];
    assert_eq!(
        runs,
        expected.map(|(first, count, state)| (first.to_owned(), count, state))
    );
    let apart = range.runs(&[State::Silent, State::Object, State::Engine, State::Excluded]);
    assert_eq!(apart.len(), 4);
    let proposed: Vec<_> = all.proposed.iter().map(|one| one.address.to_string()).collect();
    assert_eq!(proposed, ["2001:db8::4"]);
}

#[test]
fn a_range_that_one_agent_sweeps_and_another_does_not_is_one() {
    let view = CoverageView {
        ranges: vec![
            range("berlin", "192.0.2.0/31", 10, &[State::Silent, State::NotAsked]),
            named("berlin", "192.0.2.0/31", &[("192.0.2.1", State::Engine)]),
        ],
        ..CoverageView::default()
    };
    let all = coverage(&view);
    assert_eq!(shown(&all.sites[0].ranges[0].funnel), [2, 2, 1, 0, 0, 0, 0]);
    assert!(!all.sites[0].ranges[0].named_only && all.sites[0].ranges.len() == 1);
}
