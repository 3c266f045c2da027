//! Loading: the built-in packs hold what they must, and wrong packs are told where they are wrong.

use super::*;
use crate::facts::Facts;
use crate::judge::judge;
use crate::pack::Grade;
use std::collections::BTreeSet;
use time::macros::date;

const COMPANIES: &str = "[[supplier]]\nid = \"acme\"\nname = \"Acme\"\nhq = \"DE\"\n\
     [[supplier]]\nid = \"bolt\"\nname = \"Bolt\"\nhq = \"DE\"\n\
     [[edge]]\nholder = \"acme\"\nheld = \"bolt\"\nkind = \"subsidiary\"\nwords = \"owned\"\ngrade = \"stored\"\n";

const PACK: &str = r#"code = "XA"
name = "Example"
horizon = "2026"
[[rule]]
id = "XA-1"
title = "No Acme"
instrument = "Act"
kind = "statute"
authority = "Ministry"
citation = "Act 1"
status = "enacted"
confidence = "high"
bound = { words = "operators", tags = ["xa_operator"] }
actions = ["use"]
effect = "prohibited"
detail = "None"
match = { mode = "named", suppliers = ["acme"], affiliates = "group" }
thing = { state = "both" }
time = { effective = "2020" }
sources = [{ claim = "It says so", grade = "stored", title = "Gazette", url = "https://example.org" }]
"#;

fn load(pack: &str, companies: &str) -> Result<Policies, PackError> {
    Policies::from_texts(vec![
        ("xa.toml".to_owned(), pack.to_owned()),
        (AFFILIATIONS_FILE.to_owned(), companies.to_owned()),
    ])
}

#[test]
fn the_built_in_list_is_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs");
    let files: BTreeSet<(String, String)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    assert_eq!(files, Policies::built_in_texts().into_iter().collect());
}

#[test]
fn every_rule_is_cited_sourced_and_dated() {
    let policies = Policies::built_in().unwrap();
    assert_eq!(policies.packs().len(), 32);
    let mut ids = BTreeSet::new();
    for rule in policies.rules() {
        assert!(ids.insert(&rule.id), "{}", rule.id);
        assert!(
            policies
                .rule(&rule.id)
                .is_some_and(|found| found.title == rule.title),
            "{}",
            rule.id
        );
        assert!(
            !rule.citation.is_empty() && !rule.instrument.is_empty() && !rule.authority.is_empty(),
            "{}",
            rule.id
        );
        assert!(!rule.tests.is_empty(), "{} has no worked example", rule.id);
        for source in &rule.sources {
            let named = source.title.is_some() && source.url.is_some();
            assert_eq!(
                named,
                source.grade == Grade::Stored,
                "{}: {}",
                rule.id,
                source.claim
            );
            assert_eq!(
                source.confidence.is_some(),
                source.grade == Grade::GeneralKnowledge,
                "{}",
                rule.id
            );
        }
        let dated =
            rule.time.announced.is_some() || rule.time.effective.is_some() || rule.time.unknown.is_some();
        assert!(dated, "{}", rule.id);
        assert!(rule.id.starts_with(rule.jurisdiction.as_str()), "{}", rule.id);
    }
    assert!(ids.len() >= 123);
}

/// What a page shows of a rule: a title of its own that fits a line, and words everywhere words are due.
#[test]
fn every_rule_has_a_short_title_of_its_own_and_says_what_it_rests_on() {
    let policies = Policies::built_in().unwrap();
    let mut titles = BTreeSet::new();
    for rule in policies.rules() {
        let id = &rule.id;
        let long = rule.title.chars().count();
        assert!((1..=100).contains(&long), "{id}: the title has {long} characters");
        assert!(titles.insert(&rule.title), "{id}: another rule has this title");
        let words = [&rule.title, &rule.detail, &rule.bound.words]
            .into_iter()
            .chain(&rule.exceptions)
            .chain(&rule.matching.criteria)
            .chain(rule.sources.iter().map(|source| &source.claim));
        for text in words {
            assert!(
                !text.is_empty() && text.trim() == text,
                "{id}: no words, or blanks around them: {text:?}"
            );
        }
        assert!(!rule.sources.is_empty(), "{id}");
        for source in &rule.sources {
            let address = source.url.as_deref().is_none_or(|url| url.starts_with("http"));
            assert!(address, "{id}: {:?} is no address", source.url);
        }
    }
}

#[test]
fn who_was_taken_off_a_list_is_off_for_those_who_know_it() {
    let facts: Facts = toml::from_str(
        "jurisdiction = \"XA\"\nsupplier = \"acme\"\nstate = \"installed\"\noperator_tags = [\"xa_operator\"]",
    )
    .unwrap();
    let (before, after) = (date!(2023 - 05 - 31), date!(2023 - 06 - 01));
    for (told, as_of, as_known, listed) in [
        ("", before, None, true),
        ("", after, None, false),
        ("", after, Some(before), false),
        ("", after, Some(date!(2023 - 05 - 30)), true),
        (
            "to_announced = \"2023-05-02\"",
            after,
            Some(date!(2023 - 05 - 02)),
            false,
        ),
        (
            "to_announced = \"2023-05-02\"",
            after,
            Some(date!(2023 - 05 - 01)),
            true,
        ),
    ] {
        let named = "mode = \"named\", suppliers = [\"acme\"]";
        assert!(PACK.contains(named));
        let pack = format!(
            "{}[[list]]\nname = \"L\"\n[[list.entry]]\nsuppliers = [\"acme\"]\nfrom = \"2021\"\n\
             to = \"2023-05-31\"\nwords = \"first list\"\n{told}\n",
            PACK.replace(named, "mode = \"list_reference\", list = \"L\"")
        );
        let question = Question {
            as_known,
            ..Question::on(as_of)
        };
        let found = judge(&facts, &load(&pack, COMPANIES).unwrap(), &question).unwrap();
        assert_eq!(
            found.contains_key("XA-1"),
            listed,
            "{told:?} on {as_of} as known on {as_known:?}"
        );
    }
}

#[test]
fn the_version_follows_every_byte() {
    let first = load(PACK, COMPANIES).unwrap();
    let second = load(&PACK.replace("No Acme", "No Acmf"), COMPANIES).unwrap();
    let third = load(PACK, &COMPANIES.replace("Bolt", "Bult")).unwrap();
    assert_eq!(first.version().len(), 16);
    assert_eq!(first.version(), load(PACK, COMPANIES).unwrap().version());
    assert!(first.version() != second.version() && first.version() != third.version());
}

#[test]
fn wrong_packs_are_told_where() {
    for (from, to, line, column, key, hint) in [
        (
            "effect = \"prohibited\"",
            "efect = \"prohibited\"",
            15,
            1,
            "efect",
            "unknown field `efect`",
        ),
        (
            "\"prohibited\"",
            "\"forbidden\"",
            15,
            10,
            "effect",
            "unknown variant `forbidden`",
        ),
        (
            "{ effective = \"2020\" }",
            "{ effective = \"2020-13\" }",
            19,
            22,
            "time",
            "YYYY-MM-DD",
        ),
        (
            "suppliers = [\"acme\"]",
            "suppliers = [\"acmee\"]",
            17,
            41,
            "XA-1",
            "affiliations.toml",
        ),
        (
            "time = { effective = \"2020\" }",
            "time = {}",
            19,
            1,
            "XA-1",
            "unknown",
        ),
        (
            "effect = \"prohibited\"",
            "effect = \"cap\"",
            15,
            1,
            "XA-1",
            "[rule.cap]",
        ),
        (
            "detail =",
            "superseded_by = [\"XA-2\"]\ndetail =",
            16,
            19,
            "XA-1",
            "no rule has this key",
        ),
        (
            "{ effective = \"2020\" }",
            "{ effective = 2020-02-03 }",
            19,
            22,
            "time",
            "between quotes",
        ),
        (
            "status = \"enacted\"",
            "status = \"superseded\"",
            11,
            1,
            "XA-1",
            "superseded_by",
        ),
        (
            "actions = [\"use\"]",
            "actions = []",
            14,
            1,
            "XA-1",
            "at least one act",
        ),
        (
            "id = \"XA-1\"",
            "id = \"DE-1\"",
            5,
            7,
            "DE-1",
            "begins with the code",
        ),
        ("code = \"XA\"", "code = \"XB\"", 1, 9, "code", "lower case"),
        (
            "{ effective = \"2020\" }",
            "{ effective = \"2020\", ends_announced = \"2021\" }",
            19,
            30,
            "XA-1",
            "`ends`",
        ),
        (
            "{ effective = \"2020\" }",
            "{ effective = \"2020\", ends = \"2021\", ends_first = \"2022\" }",
            19,
            45,
            "XA-1",
            "`ends_announced`",
        ),
        (
            "[[rule]]",
            "[[list]]\nname = \"L\"\nentry = [{ suppliers = [], from = \"2021\", words = \"w\",\n\
             to_announced = \"2022\" }]\n[[rule]]",
            7,
            1,
            "to_announced",
            "`to`",
        ),
        (
            "code = \"XA\"",
            "code = \"xa\"",
            1,
            8,
            "code",
            "two capital letters",
        ),
    ] {
        assert!(PACK.contains(from), "{from}");
        match load(&PACK.replace(from, to), COMPANIES) {
            Err(PackError::Invalid {
                file,
                line: l,
                column: c,
                key: k,
                hint: h,
            }) => {
                assert_eq!(
                    (file.as_str(), l, c, k.as_str()),
                    ("xa.toml", line, column, key),
                    "{to}: {h}"
                );
                assert!(h.contains(hint), "{to}: {h}");
            }
            other => panic!("{to}: {other:?}"),
        }
    }
    let twice = format!(
        "{PACK}{}",
        PACK.split_once("[[rule]]")
            .map(|(_, rule)| format!("[[rule]]{rule}"))
            .unwrap()
    );
    let error = load(&twice, COMPANIES).unwrap_err().to_string();
    assert_eq!(
        error,
        "xa.toml:22:6: XA-1: this rule key is used twice; keys are unique over all packs"
    );
}

#[test]
fn wrong_affiliations_are_told_where() {
    for (from, to, hint) in [
        (
            "held = \"bolt\"",
            "held = \"nut\"",
            "affiliations.toml:11:9: nut: no [[supplier]]",
        ),
        (
            "id = \"bolt\"",
            "id = \"acme\"",
            "affiliations.toml:2:7: acme: this supplier key is used twice",
        ),
        (
            "kind = \"subsidiary\"",
            "kind = \"former_unit\"",
            "a former_unit edge needs `to`",
        ),
        (
            "kind = \"subsidiary\"",
            "kind = \"cousin\"",
            "unknown variant `cousin`",
        ),
    ] {
        let error = load(PACK, &COMPANIES.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(hint), "{to}: {error}");
    }
    let alone = Policies::from_texts(vec![("xa.toml".to_owned(), PACK.to_owned())]).unwrap_err();
    assert!(matches!(alone, PackError::Incomplete(_)), "{alone}");
}

#[test]
fn a_supplier_meets_only_its_own_rules() {
    let policies = Policies::built_in().unwrap();
    let question = Question::on(time::macros::date!(2026 - 11 - 25));
    let of = |supplier: &str| {
        policies
            .candidates("GB", supplier, true, &question)
            .map(|r| r.id.as_str())
            .collect::<BTreeSet<_>>()
    };
    assert!(of("huawei").contains("GB-DVD-CORE") && of("hisilicon").contains("GB-DVD-CORE"));
    assert!(of("cisco").is_empty() && of("nokia").is_empty());
    assert_eq!(of("h3c"), BTreeSet::from(["GB-CCTV-2022"]));
}

#[test]
fn a_misspelt_tag_is_not_known() {
    let policies = Policies::built_in().unwrap();
    for good in [
        "de_contract_operator",
        "not:de_contract_operator",
        "critical_component",
        "not:critical_component",
        "not:site:government_sensitive_site",
        "purpose:other",
        "manages:ran",
        "evolves_to:5G",
        "approved:IN-NSDTS:2030",
    ] {
        assert!(policies.knows_tag(good), "{good}");
    }
    for bad in [
        "de_contract_operater",
        "not:de_contract_operater",
        "site:sensitve",
        "approved:IN-NSDT",
        "purpose:",
        "not:",
        "",
    ] {
        assert!(!policies.knows_tag(bad), "{bad}");
    }
}

#[test]
fn a_jurisdiction_without_a_declaration_is_named() {
    let policies = Policies::built_in().unwrap();
    let set = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<BTreeSet<String>>()
    };
    let here = set(&["DE", "GB", "SG", "NO"]);
    for (tags, expected) in [
        (&[][..], &["DE", "GB"][..]),
        (&["critical_component", "eu_commission"], &["DE", "GB"]),
        (&["de_contract_operator"], &["GB"]),
        (&["not:de_critical_operator", "gb_government"], &[]),
    ] {
        assert_eq!(policies.undeclared(&set(tags), &here), expected, "{tags:?}");
    }
}
