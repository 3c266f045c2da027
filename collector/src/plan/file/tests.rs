//! Plans that are taken, and mistakes that are told with line and column.

use super::*;

#[test]
fn the_example_of_the_manual_is_a_plan() {
    let manual = include_str!("../../../../docs/manual/plans.md");
    let example = manual
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let plan = PlanFile::parse(example, "plan.toml").unwrap();
    assert_eq!(plan.counts(), (2, 2));
    let wire = plan.at(7);
    assert_eq!(wire.id.unwrap().revision, 7);
    assert_eq!(wire.targets[1].interval_seconds, 600);
    assert_eq!(wire.ranges[0].excluded.len(), 2);
    assert_eq!(wire.questions.unwrap().if_arc[0].arc, 99_999);
}

#[test]
fn what_is_left_out_is_left_to_the_agent() {
    let plan = PlanFile::parse("", "plan.toml").unwrap().at(1);
    assert_eq!(plan.questions, None);
    assert_eq!(
        (plan.interval_seconds, plan.packets_per_second, plan.sweep_seconds),
        (0, 0, 0)
    );
    let target = "[[target]]\naddress = '::ffff:192.0.2.1'\ncredential = 'a'\n";
    let plan = PlanFile::parse(target, "plan.toml").unwrap().at(1);
    assert_eq!(
        (plan.targets[0].address.as_str(), plan.targets[0].port),
        ("192.0.2.1", 161)
    );
}

#[test]
fn an_address_may_be_there_once_with_each_credential_and_roles_travel() {
    let text = "[[target]]\naddress = '192.0.2.1'\ncredential = 'a'\nrole = 'core'\n\
        [[target]]\naddress = '192.0.2.1'\ncredential = 'b'\n\
        [[range]]\nprefix = '192.0.2.0/24'\ncredential = 'a'\nrole = 'ran'\n";
    let plan = PlanFile::parse(text, "p").unwrap().at(1);
    let named: Vec<_> = plan
        .targets
        .iter()
        .map(|target| (target.credential_name.as_str(), target.role()))
        .collect();
    assert_eq!(
        named,
        [("a", v1::PlanRole::Core), ("b", v1::PlanRole::Unspecified)]
    );
    assert_eq!(plan.ranges[0].role(), v1::PlanRole::Ran);
    // Each word both ends know goes up and comes back.
    for role in Role::ALL {
        let wire = v1::PlanRole::try_from(said(Some(role))).unwrap();
        let name = format!("PLAN_ROLE_{}", role.as_str().to_uppercase());
        assert_eq!(wire.as_str_name(), name);
    }
}

#[test]
fn windows_travel_by_number_and_are_named_in_targets_and_ranges() {
    let text = "[[window]]\nname = 'night'\nfrom = '22:00'\nto = '04:30'\noffset = '-03:30'\n\
        [[window]]\nname = 'fair'\ndays = ['sat', 'sun']\nfrom = '00:00'\nto = '00:00'\n\
        [[target]]\naddress = '192.0.2.1'\ncredential = 'a'\nleave_alone = ['fair']\n\
        [[range]]\nprefix = '192.0.2.0/24'\ncredential = 'a'\nleave_alone = ['night', 'fair']\nask_silent = true\n";
    let plan = PlanFile::parse(text, "p").unwrap().at(1);
    let shown = |window: &v1::Window| {
        (
            window.days,
            window.from_minute,
            window.to_minute,
            window.offset_minutes,
        )
    };
    let windows: Vec<_> = plan.windows.iter().map(shown).collect();
    assert_eq!(windows, [(127, 1320, 270, -210), (96, 0, 0, 0)]);
    assert_eq!((plan.targets[0].windows, plan.ranges[0].windows), (2, 3));
    assert!(plan.ranges[0].ask_silent);
    let window = |rest: &str| format!("[[window]]\nname = 'n'\n{rest}");
    for (text, expected) in [
        (
            window("from = '24:00'\nto = '01:00'\n"),
            "p:3:8: is no time of the day",
        ),
        (
            window("from = '22'\nto = '01:00'\n"),
            "p:3:8: is no time of the day",
        ),
        (
            window("from = '22:00'\nto = '01:00'\ndays = ['monday']\n"),
            "p:5:9: is none of mon, tue",
        ),
        (
            window("from = '22:00'\nto = '01:00'\ndays = []\n"),
            "p:2:8: has no days",
        ),
        (
            window("from = '22:00'\nto = '01:00'\noffset = 'CET'\n"),
            "p:5:10: is no offset",
        ),
        (
            window("from = '22:00'\nto = '01:00'\n").repeat(2),
            "p:6:8: is there twice",
        ),
        (
            "[[target]]\naddress = '192.0.2.1'\ncredential = 'a'\nleave_alone = ['x']\n".to_owned(),
            "p:4:16: no [[window]] is named x",
        ),
    ] {
        let error = PlanFile::parse(&text, "p").unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
    }
}

#[test]
fn private_tables_and_neighbours_are_asked_as_the_plan_says() {
    let asked = |text: &str| {
        let plan = PlanFile::parse(text, "p").unwrap().at(1);
        let questions = plan.questions.unwrap();
        let arcs: Vec<u32> = questions.if_arc.iter().map(|found| found.arc).collect();
        (arcs, questions.neighbours)
    };
    let (arcs, neighbours) = asked("[plan]\n");
    assert!(
        arcs.len() >= 4 && !arcs.contains(&9) && neighbours.is_none(),
        "{arcs:?}"
    );
    let (arcs, neighbours) = asked("[plan]\nprivate_tables = false\nneighbours = []\n");
    assert_eq!((arcs, neighbours), (vec![], Some(v1::Neighbours::default())));
    let (arcs, neighbours) = asked(
        "[plan]\nprivate_tables = false\nneighbours = ['lldp', 'cdp', 'arp']\n\
         [[plan.if_arc]]\narc = 99999\nwalk = ['1.3.6.1.4.1.99999.1']\n",
    );
    assert_eq!(arcs, [99_999, 9]);
    let neighbours = neighbours.unwrap();
    assert!(neighbours.lldp && neighbours.arp && !neighbours.bridge);
    assert!(PlanFile::parse("[plan]\nneighbours = ['ospf']\n", "p").is_err());
}

#[test]
fn ranges_may_follow_neighbours_and_have_any_size_when_they_are_not_swept() {
    let range =
        |prefix: &str, more: &str| format!("[[range]]\nprefix = '{prefix}'\ncredential = 'a'\n{more}");
    let text =
        range("10.0.0.0/16", "follow = true\n") + &range("2001:db8::/32", "follow = true\nsweep = false\n");
    let plan = PlanFile::parse(&text, "p").unwrap().at(1);
    let shown: Vec<_> = plan.ranges.iter().map(|one| (one.follow, one.unswept)).collect();
    assert_eq!(shown, [(true, false), (true, true)]);
    let asked = "[plan]\nprivate_tables = false\nneighbours = ['cdp']\n";
    let plan = PlanFile::parse(&format!("{asked}{text}"), "p").unwrap().at(1);
    assert_eq!(plan.questions.unwrap().if_arc[0].addresses.len(), 1);
    let own = "[plan]\n[[plan.if_arc]]\narc = 99999\nwalk = []\naddresses = ['1.3.6.1.4.1.99999.1.4']\n";
    assert!(PlanFile::parse(&format!("{own}{text}"), "p").is_ok());
    for (text, expected) in [
        (
            range("2001:db8::/32", "follow = true\n"),
            "p:2:10: 2001:db8::/32 is too large",
        ),
        (
            range("10.0.0.0/16", "sweep = false\n"),
            "p:2:10: is neither swept nor followed",
        ),
        (
            format!("[plan]\n{text}"),
            "p:3:10: follows neighbours, and [plan] asks for no addresses",
        ),
        (
            format!("[plan]\nneighbours = ['arp']\n{text}"),
            "p:4:10: follows neighbours, and [plan] asks for no addresses",
        ),
        (
            text.clone() + &range("2001:db8:1::/112", ""),
            "p:11:10: 2001:db8:1::/112 overlaps 2001:db8::/32",
        ),
    ] {
        let error = PlanFile::parse(&text, "p").unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
    }
}

#[test]
fn the_same_text_has_the_same_digest() {
    let one = PlanFile::parse("# a\n", "a").unwrap();
    assert_eq!(one.digest, PlanFile::parse("# a\n", "b").unwrap().digest);
    assert_ne!(one.digest, PlanFile::parse("# b\n", "a").unwrap().digest);
}

#[test]
fn a_mistake_is_told_with_line_and_column() {
    let target = "[[target]]\naddress = '192.0.2.1'\ncredential = 'a'\n";
    let range =
        |prefix: &str, more: &str| format!("[[range]]\nprefix = '{prefix}'\ncredential = 'a'\n{more}");
    for (text, expected) in [
        ("community = 'x'\n".to_owned(), "p:1:1: unknown field `community`"),
        ("[[target]\n".to_owned(), "p:1:"),
        (
            "[poll]\ninterval_seconds = 0\n".to_owned(),
            "p:2:20: must be 1 to 31536000",
        ),
        (
            "[poll]\npackets_per_second = 0\n".to_owned(),
            "p:2:22: must be 1 to 1000000",
        ),
        (
            "[discovery]\nsweep_seconds = 0\n".to_owned(),
            "p:2:17: must be 1 to 31536000",
        ),
        (
            "[plan]\nget = ['1.3.6.1.2.1.1.1.0', 'x']\n".to_owned(),
            "p:2:29: not an object identifier",
        ),
        (
            "[plan]\nwalk = ['1.3']\n".to_owned(),
            "p:2:9: not an object identifier",
        ),
        (
            "[plan]\nwalk = ['1.40.1']\n".to_owned(),
            "p:2:9: not an object identifier",
        ),
        (
            "[[plan.if_arc]]\narc = 9\nwalk = ['3.1.1']\n".to_owned(),
            "p:3:9: not an object identifier",
        ),
        (
            format!("{target}[[target]]\naddress = 'router'\ncredential = 'a'\n"),
            "p:5:11: ",
        ),
        (
            format!("{target}[[target]]\naddress = '::ffff:192.0.2.1'\ncredential = 'a'\n"),
            "p:5:11: 192.0.2.1:161 with credential \"a\" is [[target]] 1 already",
        ),
        (
            format!("{target}role = 'balloon'\n"),
            "p:4:8: unknown variant `balloon`",
        ),
        (
            "[[target]]\naddress = '224.0.0.1'\ncredential = 'a'\n".to_owned(),
            "p:2:11: 224.0.0.1 cannot be asked",
        ),
        (
            "[[target]]\naddress = '192.0.2.1'\ncredential = 'a b'\n".to_owned(),
            "p:3:14: is no name of a credential",
        ),
        (
            "[[target]]\naddress = '192.0.2.1'\n".to_owned(),
            "p:1:1: missing field `credential`",
        ),
        (range("10.0.0.0/8", ""), "p:2:10: 10.0.0.0/8 is too large"),
        (range("2001:db8::/64", ""), "p:2:10: 2001:db8::/64 is too large"),
        (
            range("192.0.2.0/24", "exclude = ['192.0.3.1']\n"),
            "p:2:10: excluded 192.0.3.1/32 does not lie",
        ),
        (
            range("192.0.2.0/24", &range("192.0.2.128/25", "")),
            "p:5:10: 192.0.2.128/25 overlaps 192.0.2.0/24",
        ),
        (
            (0..17).map(|n| range(&format!("10.{n}.0.0/16"), "")).collect(),
            "p:50:10: more than 1048576 addresses",
        ),
        (
            (0..=bounds::MAX_TARGETS)
                .map(|n| {
                    format!(
                        "[[target]]\naddress = '10.{}.{}.{}'\ncredential = 'a'\n",
                        n >> 16,
                        n >> 8 & 255,
                        n & 255
                    )
                })
                .collect(),
            "p:150002:11: more than 50000 targets",
        ),
    ] {
        let error = PlanFile::parse(&text, "p").unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let other_port = range("192.0.2.0/24", &range("192.0.2.0/24", "port = 1161\n"));
    assert_eq!(PlanFile::parse(&other_port, "p").unwrap().counts(), (0, 2));
}
