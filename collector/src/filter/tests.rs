//! Lines that are read, refused, understood and completed.

use super::complete::{Vocabulary, complete};
use super::meaning::{self, Asking};
use super::*;
use model::Instant;
use proptest::prelude::*;
use store::clause::{Bound, Clause, ElementField as E, FindingField as F, Is, Test, Value};

/// 2026-11-26T09:00:00Z.
const NOW: Instant = Instant(1_795_683_600_000_000);
const DAY: i64 = 86_400_000_000;

fn asking() -> Asking<'static> {
    Asking {
        then: None,
        now: NOW,
        person: "Ada",
        sites: None,
    }
}

fn read(text: &str) -> Line {
    Line::read(Subject::Findings, text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"))
}

#[test]
fn lines_are_written_in_one_way() {
    for (text, written) in [
        ("", ""),
        (
            "maker:huawei role:core site:ber* confidence<0.9 state:overdue -waived seen>7d rule:DE-CONTRACT-CORE",
            "maker:huawei role:core site:ber* confidence<0.9 state:overdue -waived seen>7d rule:DE-CONTRACT-CORE",
        ),
        ("  Severity=MAJOR\tjurisdiction:de ", "severity:major law:DE"),
        ("conf>=90% class:\"over cap\"", "confidence>=0.9 class:over_cap"),
        ("\"two words\" -\"a\\\"b\" bare", "\"two words\" -\"a\\\"b\" bare"),
        (
            "\"waived\" -\"-x\" \"a:b\" \"x*\"",
            "\"waived\" -\"-x\" \"a:b\" \"x*\"",
        ),
        (
            "name:\"Köln 1\"* näme 10.0.0.1:161",
            "name:\"Köln 1\"* näme \"10.0.0.1:161\"",
        ),
        (
            "owner:* deadline:2026-12 deadline<180d",
            "owner:* deadline:2026-12 deadline<180d",
        ),
    ] {
        assert_eq!(read(text).to_string(), written, "{text}");
    }
}

#[test]
fn mistakes_have_their_place_and_say_what_is_allowed() {
    for (text, place, what, allowed) in [
        (
            "maker:huawei rle:core",
            "rle",
            "did you mean rule or role?",
            "severity, state",
        ),
        (
            "severity:red",
            "red",
            "severity cannot be \"red\"",
            "critical, major",
        ),
        ("site:", "", "says nothing", "name of a site"),
        ("confidence:0.9", "0.9", "compared with < or >", "<0.9"),
        ("confidence<1.5", "1.5", "cannot be", "share"),
        ("seen>soon", "soon", "cannot be", "7d"),
        ("seen>never", "never", "cannot be compared", ":never"),
        ("seen>6M", "6M", "minutes or months", "min, h, d, w, months"),
        ("opened<6m", "6m", "minutes or months", "min, h, d, w, months"),
        ("deadline<1y6M", "1y6M", "minutes or months", "d, w, months"),
        ("deadline<2027-13", "2027-13", "cannot be", "<2027-01-01"),
        ("site<ber", "<", "cannot be compared", "site: and"),
        ("waived:yes", ":", "stands alone", "nothing"),
        ("a b*c", "*", "at the end only", "ber*"),
        ("role:co*", "*", "no beginnings", "core, ran"),
        ("x - y", "-", "nothing behind the minus", "-waived"),
        ("a \"never closed", "\"", "never closed", "second"),
        ("ab\"c", "\"", "middle of a word", "quotes"),
        ("\"a\"b", "b", "no blank", "blank"),
        ("a\u{7}", "\u{7}", "no character", "quotes"),
        ("law:DEU", "DEU", "cannot be", "two letters"),
        ("*", "*", "nothing to look for", "word"),
    ] {
        let mistake = Line::read(Subject::Findings, text).unwrap_err();
        assert_eq!(&text[mistake.at.clone()], place, "{text}: {mistake:?}");
        assert!(mistake.what.contains(what), "{text}: {}", mistake.what);
        assert!(mistake.allowed.contains(allowed), "{text}: {}", mistake.allowed);
    }
    let long = "x".repeat(MAX_LINE + 1);
    assert_eq!(
        Line::read(Subject::Elements, &long).unwrap_err().at,
        MAX_LINE..MAX_LINE + 1
    );
    let many = "x ".repeat(MAX_TERMS + 1);
    assert!(
        Line::read(Subject::Elements, &many)
            .unwrap_err()
            .what
            .contains("too many")
    );
}

fn is<T>(field: T, is: Is) -> Clause<T> {
    Clause::any(vec![Test::new(field, is)])
}

#[test]
fn a_repeated_key_is_or_and_everything_else_is_and() {
    let asked = meaning::findings(
        &read("role:core severity:major role:ran -site:a -site:b* x y"),
        &asking(),
    );
    let text = |text: &str| {
        let test = |field| Test::new(field, Is::Contains(text.into()));
        Clause::any([F::Name, F::Address, F::Part, F::Model].map(test).to_vec())
    };
    assert_eq!(
        asked.clauses,
        [
            Clause::words(F::Role, ["core", "ran"]),
            Clause::words(F::Severity, ["major"]),
            Clause {
                not: true,
                any: vec![
                    Test::new(F::Site, Is::Word("a".into())),
                    Test::new(F::Site, Is::Begins("b".into()))
                ],
            },
            text("x"),
            text("y"),
        ]
    );
    let range = meaning::findings(&read("confidence>0.5 confidence<0.9"), &asking());
    assert_eq!(
        range.clauses,
        [
            is(F::Confidence, Is::More(Bound::Share(0.5))),
            is(F::Confidence, Is::Less(Bound::Share(0.9)))
        ]
    );
}

#[test]
fn words_mean_what_they_say() {
    let ago = |days: i64| Bound::At(Instant(NOW.0 - days * DAY));
    for (text, means) in [
        ("state:overdue", is(F::Class, Is::Word("overdue".into()))),
        ("state:closed", is(F::State, Is::Word("closed".into()))),
        ("owner:me", is(F::Owner, Is::Word("Ada".into()))),
        ("owner:nobody", is(F::Owner, Is::Unset)),
        ("owner:*", is(F::Owner, Is::Set)),
        ("maker:unknown", is(F::Maker, Is::Unset)),
        ("planned", is(F::Removal, Is::Set)),
        ("opened<1d", is(F::Opened, Is::More(ago(1)))),
        ("opened<1440MIN", is(F::Opened, Is::More(ago(1)))),
        (
            "opened<4Months",
            is(
                F::Opened,
                Is::More(Bound::At(Instant(NOW.0 - 4 * 2_630_016_000_000))),
            ),
        ),
        ("seen:never", is(F::Seen, Is::Unset)),
        ("deadline:none", is(F::Deadline, Is::Word("none".into()))),
        (
            "deadline<2027",
            is(F::Deadline, Is::Days("0".into(), "2027-01-01".into())),
        ),
        (
            "deadline<=2027-02",
            is(F::Deadline, Is::Days("0".into(), "2027-03-01".into())),
        ),
        (
            "deadline>2026-12-31",
            is(F::Deadline, Is::Days("2027-01-01".into(), ":".into())),
        ),
        (
            "deadline:2026",
            is(F::Deadline, Is::Days("2026-01-01".into(), "2027-01-01".into())),
        ),
        (
            "deadline<30d",
            is(F::Deadline, Is::Days("0".into(), "2026-12-26".into())),
        ),
        ("name:Ber*", is(F::Name, Is::Begins("Ber".into()))),
        (
            "opened>=2026-11-01",
            is(F::Opened, Is::AtLeast(Bound::At(Instant(1_793_491_200_000_000)))),
        ),
    ] {
        assert_eq!(
            meaning::findings(&read(text), &asking()).clauses,
            [means],
            "{text}"
        );
    }
    for (text, closed) in [
        ("state:closed", true),
        ("state:closed state:overdue", true),
        ("state:overdue", false),
        ("state:open state:overdue", false),
        ("-state:closed", false),
        ("-state:open", false),
    ] {
        let asked = meaning::findings(&read(text), &asking());
        assert_eq!(asked.closed, closed, "{text}");
    }
}

#[test]
fn silence_counts_as_not_seen_and_unknown_as_not_that_maker() {
    let element = |text: &str| {
        let line = Line::read(Subject::Elements, text).unwrap();
        meaning::elements(&line, &asking()).clauses.remove(0)
    };
    let silent = |_: &E| None;
    let heard = |_: &E| Some(Value::At(Instant(NOW.0 - DAY)));
    assert!(element("seen>7d").holds(silent) && !element("seen>7d").holds(heard));
    assert!(!element("seen<7d").holds(silent) && element("seen<7d").holds(heard));
    assert!(
        element("-maker:huawei").holds(silent),
        "unknown is not cleared of anything, nor shown to be it"
    );
    assert!(!element("maker:huawei").holds(silent));
}

fn vocabulary() -> Vocabulary {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect::<Vec<_>>()
    };
    Vocabulary {
        sites: pairs(&[("ber-1", "Berlin"), ("lon-2", "London")]),
        suppliers: pairs(&[("huawei", "Huawei"), ("hisilicon", "HiSilicon")]),
        rules: pairs(&[("DE-CONTRACT-CORE", "No critical components in the core")]),
        laws: pairs(&[("DE", "Germany")]),
    }
}

#[test]
fn completion_offers_what_fits_and_replaces_one_word() {
    for (text, at, replaced, first) in [
        ("", 0, "", "severity:"),
        ("sev", 3, "sev", "severity:"),
        ("role:core mak", 13, "mak", "maker:"),
        ("maker:hua role:core", 9, "hua", "huawei "),
        ("-site:lond", 10, "lond", "lon-2 "),
        ("rule:contr", 10, "contr", "DE-CONTRACT-CORE "),
        ("conf", 4, "conf", "confidence<"),
        ("seen>", 5, "", "1h "),
        ("seen>6", 6, "6", "6min "),
        ("seen>6mo", 8, "6mo", "6months "),
        ("deadline<18", 11, "18", "18d "),
        ("deadline<18m", 12, "18m", "18months "),
        ("\"quoted text\" wai", 17, "wai", "waived "),
        ("maker:\"hi", 9, "\"hi", "hisilicon "),
    ] {
        let offers = complete(Subject::Findings, text, at, &vocabulary());
        assert_eq!(&text[offers.replaces.clone()], replaced, "{text}");
        assert_eq!(
            offers.offers.first().map(|offer| offer.insert.as_str()),
            Some(first),
            "{text}"
        );
    }
    assert!(
        complete(Subject::Findings, "name:x", 6, &vocabulary())
            .offers
            .is_empty()
    );
}

#[test]
fn a_word_is_toggled_by_the_picks() {
    let line = read("severity:major -severity:minor x");
    assert_eq!(
        line.toggled(Subject::Findings, "severity", "critical")
            .to_string(),
        "severity:major -severity:minor x severity:critical"
    );
    assert_eq!(
        line.toggled(Subject::Findings, "severity", "major").to_string(),
        "-severity:minor x"
    );
}

proptest! {
    #[test]
    fn nothing_written_makes_it_panic_and_what_was_read_reads_back(
        text in prop_oneof![
            "\\PC{0,60}",
            "[-a-z:<>=\"\\\\* ]{0,40}",
            "(-?(maker|site|owner|name|confidence|seen|deadline|role)(:|<|>=)(\"[^\"]{0,6}\"|[a-z0-9.*-]{0,8}) ?){0,5}",
        ],
        at in 0_usize..80,
    ) {
        for subject in Subject::ALL {
            match Line::read(subject, &text) {
                Ok(line) => {
                    let written = line.to_string();
                    prop_assert_eq!(Line::read(subject, &written), Ok(line.clone()), "{}", written);
                    let clauses = meaning::findings(&line, &asking()).clauses.len();
                    prop_assert!(clauses + meaning::elements(&line, &asking()).clauses.len() <= 2 * line.terms.len());
                }
                Err(mistake) => prop_assert!(text.get(mistake.at.clone()).is_some(), "{:?}", mistake),
            }
            let offers = complete(subject, &text, at, &vocabulary());
            prop_assert!(text.get(offers.replaces.clone()).is_some(), "{:?}", offers);
        }
    }

    #[test]
    fn every_offer_of_a_value_can_be_read(which in 0_usize..21, part in "[a-z]{0,2}|[0-9]{1,5}[dmwy]?") {
        let keys = Subject::Findings.keys();
        let key = &keys[which % keys.len()];
        let op = if key.kind.compares() { ">" } else { ":" };
        let text = format!("{}{op}{part}", key.name);
        let offers = complete(Subject::Findings, &text, text.len(), &vocabulary());
        for offer in offers.offers.into_iter().filter(|_| key.kind != keys::Kind::Flag) {
            let mut line = text.clone();
            line.replace_range(offers.replaces.clone(), &offer.insert);
            prop_assert!(Line::read(Subject::Findings, &line).is_ok(), "{}", line);
        }
    }
}
