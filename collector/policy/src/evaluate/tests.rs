//! Worked examples against the built-in packs, and what must hold over all of them.

use super::*;
use crate::pack::Effect;
use crate::part::Told;
use crate::standing::standing;
use model::{ComponentClass, ElementId, Role, Standing, SupplierRef};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use time::Date;
use time::macros::date;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    as_of: Option<PartialDate>,
    jurisdictions: BTreeSet<String>,
    role: Option<Role>,
    #[serde(default)]
    generations: BTreeSet<String>,
    #[serde(default)]
    tags: BTreeSet<String>,
    acquired: Option<PartialDate>,
    maker: Option<String>,
    brand: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default)]
    expect: BTreeMap<String, String>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    quiet: bool,
    every: Option<String>,
    standing: Option<Standing>,
    says: Option<String>,
    confidence: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    index: String,
    class: ComponentClass,
    maker: String,
    acquired: Option<PartialDate>,
}

const TODAY: Date = date!(2026 - 11 - 25);

fn attribution(policies: &Policies, id: &str, confidence: f64) -> Attribution {
    let name = policies.affiliations().name(id).to_owned();
    Attribution {
        supplier: SupplierRef {
            id: id.to_owned(),
            name,
        },
        confidence,
    }
}

fn place(jurisdictions: &[&str], role: Option<Role>) -> Place {
    Place {
        element: ElementId(Uuid::nil()),
        site: "here".parse().unwrap(),
        jurisdictions: jurisdictions.iter().map(|code| (*code).to_owned()).collect(),
        role,
        generations: BTreeSet::from(["5G".to_owned()]),
        tags: BTreeSet::new(),
        acquired: None,
    }
}

fn unit(policies: &Policies, maker: &str, confidence: f64) -> Part {
    let maker = Some(attribution(policies, maker, confidence));
    Part {
        component: None,
        class: None,
        label: "unit".to_owned(),
        maker,
        brand: None,
        acquired: None,
        told: Told::default(),
    }
}

fn case_place(case: &Case) -> Place {
    Place {
        role: case.role,
        jurisdictions: case.jurisdictions.clone(),
        generations: case.generations.clone(),
        tags: case.tags.clone(),
        // A day of the place is a day of no part.
        acquired: Some("2001-01-01".to_owned()),
        ..place(&[], None)
    }
}

fn run(case: &Case, place: &Place, policies: &Policies) -> Vec<RuleResult> {
    let named = |id: &String| attribution(policies, id, 0.95);
    let mut parts = vec![Part {
        component: None,
        class: None,
        label: "unit".to_owned(),
        maker: case.maker.as_ref().map(named),
        brand: case.brand.as_ref().map(named),
        acquired: case.acquired,
        told: Told::default(),
    }];
    parts.extend(case.components.iter().map(|component| Part {
        component: Some(component.index.clone()),
        class: Some(component.class),
        label: format!("part {}", component.index),
        maker: Some(named(&component.maker)),
        brand: None,
        acquired: component.acquired,
        told: Told::default(),
    }));
    let as_of = case.as_of.map_or(TODAY, PartialDate::first);
    evaluate(
        &Situation { place, parts: &parts },
        policies,
        &Question::on(as_of),
    )
}

#[test]
fn worked_examples() {
    let policies = Policies::built_in().unwrap();
    let cases: Cases = toml::from_str(include_str!("cases.toml")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases.case {
        let place = case_place(case);
        let results = run(case, &place, &policies);
        let found: BTreeMap<String, (String, f64)> = results
            .iter()
            .map(|r| {
                let part = r
                    .component
                    .as_ref()
                    .map_or_else(String::new, |index| format!("#{index}"));
                let date = r
                    .deadline
                    .as_ref()
                    .map_or_else(String::new, |date| format!(" {date}"));
                (
                    format!("{}{part}", r.rule),
                    (format!("{}{date}", r.class), r.confidence),
                )
            })
            .collect();
        let mut bad = |what: String| wrong.push(format!("{}: {what}\n    {found:?}", case.name));
        for (rule, class) in &case.expect {
            let got = found.get(rule).map(|(class, _)| class);
            if got != Some(class) {
                bad(format!("{rule} is {got:?}, expected {class}"));
            }
            if case
                .confidence
                .is_some_and(|c| found.get(rule).is_none_or(|(_, got)| (got - c).abs() > 1e-9))
            {
                bad(format!(
                    "{rule} has another confidence than {:?}",
                    case.confidence
                ));
            }
        }
        for rule in case.absent.iter().filter(|rule| found.contains_key(*rule)) {
            bad(format!("{rule} speaks"));
        }
        if case.quiet && results.iter().any(|r| r.class.opens_finding()) {
            bad("something is open".to_owned());
        }
        if let Some(class) = case.every.as_deref()
            && results
                .iter()
                .any(|r| r.class.as_str() != class && r.class != ResultClass::NotBound)
        {
            bad(format!("not every result is {class}"));
        }
        let maker_known = case.maker.is_some();
        let stands = standing(&place, &policies, &results, maker_known, true);
        if case.standing.is_some_and(|expected| expected != stands) {
            bad(format!("standing is {stands}"));
        }
        if let Some(words) = &case.says
            && !results
                .iter()
                .flat_map(|r| &r.explanation)
                .any(|line| line.contains(words.as_str()))
        {
            let said: Vec<_> = results.iter().flat_map(|r| &r.explanation).collect();
            bad(format!("nothing says {words:?}: {said:#?}"));
        }
    }
    assert!(cases.case.len() > 90);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Every supplier at every kind of place under every tag: total, worded with care, and never opened by what has no effect.
#[test]
fn nothing_without_effect_opens_a_finding() {
    let policies = Policies::built_in().unwrap();
    let tags: BTreeSet<String> = policies
        .rules()
        .flat_map(|rule| rule.bound.tags.clone())
        .collect();
    let codes: Vec<&str> = policies.packs().iter().map(|pack| pack.code.as_str()).collect();
    let idle: BTreeSet<&str> = policies
        .rules()
        .filter(|rule| {
            let never = [
                Status::Withdrawn,
                Status::Repealed,
                Status::NoneFound,
                Status::Unproven,
            ];
            rule.effect == Effect::None || never.contains(&rule.status)
        })
        .map(|rule| rule.id.as_str())
        .collect();
    assert!(idle.len() >= 10);
    let mut seen = BTreeSet::new();
    for company in &policies.affiliations().suppliers {
        for role in Role::ALL.into_iter().map(Some).chain([None]) {
            let place = Place {
                tags: tags.clone(),
                ..place(&codes, role)
            };
            let parts = [unit(&policies, &company.id, 1.0)];
            for result in evaluate(
                &Situation {
                    place: &place,
                    parts: &parts,
                },
                &policies,
                &Question::on(TODAY),
            ) {
                let opens = result.class != ResultClass::NoRuleKnown;
                assert!(!(opens && idle.contains(result.rule.as_str())), "{}", result.rule);
                let words = result.explanation.join("\n").to_lowercase();
                assert!(
                    !words.contains("illegal")
                        && words.contains(&format!("rule {}", result.rule.to_lowercase())),
                    "{words}"
                );
                assert!((0.0..=1.0).contains(&result.confidence) && !result.citation.is_empty());
                seen.insert(result.rule);
            }
        }
    }
    assert!(seen.len() > 60, "{}", seen.len());
}

#[test]
fn a_weak_identification_stays_weak() {
    let policies = Policies::built_in().unwrap();
    let place = Place {
        tags: BTreeSet::from(["us_federal_contractor".to_owned()]),
        ..place(&["US"], Some(Role::Core))
    };
    let parts = [unit(&policies, "huawei", 0.55)];
    let results = evaluate(
        &Situation {
            place: &place,
            parts: &parts,
        },
        &policies,
        &Question::on(TODAY),
    );
    let met = results.iter().find(|r| r.rule == "US-889-B").unwrap();
    assert_eq!(met.class, ResultClass::Violation);
    assert!((met.confidence - 0.55).abs() < 1e-9 && met.confidence < RuleResult::CERTAIN);
}

#[test]
fn a_guess_presses_nobody_and_is_not_silent() {
    let policies = Policies::built_in().unwrap();
    for (tag, class, confidence, severity, stands) in [
        (
            "us_federal_contractor",
            ResultClass::Violation,
            0.49,
            Severity::Indeterminate,
            Standing::Undecided,
        ),
        (
            "us_federal_contractor",
            ResultClass::Violation,
            0.5,
            Severity::Critical,
            Standing::Violation,
        ),
        (
            "us_fcc_subsidy_recipient",
            ResultClass::Watch,
            0.49,
            Severity::Indeterminate,
            Standing::Watch,
        ),
        (
            "not:us_federal_contractor",
            ResultClass::NotBound,
            0.49,
            Severity::Cleared,
            Standing::Watch,
        ),
    ] {
        let place = Place {
            tags: BTreeSet::from([tag.to_owned()]),
            ..place(&["US"], Some(Role::Core))
        };
        let parts = [unit(&policies, "huawei", confidence)];
        let situation = Situation {
            place: &place,
            parts: &parts,
        };
        let results = evaluate(&situation, &policies, &Question::on(TODAY));
        let of_class: Vec<_> = results.iter().filter(|r| r.class == class).collect();
        assert!(!of_class.is_empty(), "{tag}");
        assert!(
            of_class.iter().all(|r| r.severity == severity),
            "{tag} {confidence}"
        );
        let told = |r: &RuleResult| r.explanation.iter().any(|line| line.contains("open question"));
        assert!(of_class.iter().all(|r| told(r) == (confidence < 0.5)), "{tag}");
        assert_eq!(
            standing(&place, &policies, &results, true, true),
            stands,
            "{tag} {confidence}"
        );
    }
}

#[test]
fn severity_follows_class_and_nearness() {
    let policies = Policies::built_in().unwrap();
    let mut place = Place {
        tags: BTreeSet::from(["de_contract_operator".to_owned()]),
        ..place(&["DE"], Some(Role::Core))
    };
    let parts = [unit(&policies, "huawei", 1.0)];
    for (as_of, class, severity) in [
        (date!(2026 - 07 - 03), ResultClass::Due, Severity::Minor),
        (date!(2026 - 07 - 04), ResultClass::Due, Severity::Major),
        (date!(2026 - 12 - 31), ResultClass::Due, Severity::Major),
        (date!(2027 - 01 - 01), ResultClass::Overdue, Severity::Critical),
    ] {
        let results = evaluate(
            &Situation {
                place: &place,
                parts: &parts,
            },
            &policies,
            &Question::on(as_of),
        );
        assert_eq!(
            (results[0].class, results[0].severity),
            (class, severity),
            "{as_of}"
        );
    }
    place.tags.clear();
    let results = evaluate(
        &Situation {
            place: &place,
            parts: &parts,
        },
        &policies,
        &Question::on(TODAY),
    );
    assert!(
        results
            .iter()
            .any(|r| r.class == ResultClass::NotBound && r.severity == Severity::Cleared)
    );
}

#[test]
fn clear_asks_for_maker_and_complete_evidence() {
    let policies = Policies::built_in().unwrap();
    for (maker_known, complete, expected) in [
        (true, true, Standing::Clear),
        (false, true, Standing::Unknown),
        (true, false, Standing::Unknown),
    ] {
        let place = place(&["GB"], None);
        assert_eq!(standing(&place, &policies, &[], maker_known, complete), expected);
    }
}

#[test]
fn hostile_declarations_and_labels_are_borne() {
    let policies = Policies::built_in().unwrap();
    let mut place = place(&["US", "DE", "\u{202e}", ""], None);
    place.acquired = Some("yesterday\u{0}".to_owned());
    place.tags = [
        "not:",
        "purpose:",
        "approved:IN-NSDTS:",
        "manages:",
        "us_federal_contractor",
    ]
    .map(str::to_owned)
    .into();
    let mut parts = vec![unit(&policies, "huawei", f64::INFINITY)];
    parts.push(Part {
        component: Some("1".to_owned()),
        label: "\u{1b}[31m".repeat(10_000),
        ..unit(&policies, "zte", f64::NAN)
    });
    let results = evaluate(
        &Situation {
            place: &place,
            parts: &parts,
        },
        &policies,
        &Question::on(TODAY),
    );
    assert!(
        results
            .iter()
            .flat_map(|r| &r.explanation)
            .all(|line| line.len() < 1_500 && !line.contains('\u{1b}'))
    );
    assert!(results.iter().all(|r| (0.0..=1.0).contains(&r.confidence)));
}
