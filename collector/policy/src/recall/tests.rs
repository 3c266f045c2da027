//! What is remembered is what would be worked out.

use super::*;
use crate::evaluate::{Situation, evaluate};
use crate::population::tests::{POLICIES, assets};
use proptest::prelude::*;
use std::collections::BTreeMap;
use time::macros::date;

type Row = (
    String,
    Option<String>,
    String,
    ResultClass,
    Severity,
    Option<String>,
    u64,
);

fn row(
    component: Option<&str>,
    rule: &str,
    result: (&str, ResultClass, Severity, Option<String>, f64),
) -> Row {
    let (supplier, class, severity, deadline, confidence) = result;
    let component = component.map(str::to_owned);
    (
        rule.to_owned(),
        component,
        supplier.to_owned(),
        class,
        severity,
        deadline,
        confidence.to_bits(),
    )
}

fn rows(place: &Place, parts: &[Part], recall: &mut Recall<'_>) -> Vec<Row> {
    let said = recall.ask(place, parts).into_iter();
    let mut rows: Vec<Row> = said
        .map(|(component, said)| {
            let date = said.deadline.map(|date| date.to_string());
            let result = (&*said.supplier, said.class, said.severity, date, said.confidence);
            row(component, &said.rule.id, result)
        })
        .collect();
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// With much remembered, with little, and one by one without memory.
    #[test]
    fn memory_changes_no_answer(assets in assets(12), year in 2019..2030i32, most in 0..40usize) {
        let as_of = time::Date::from_ordinal_date(year, 200).unwrap();
        let nothing = BTreeMap::new();
        let question = Question { as_of, as_known: None, assumed: &nothing, powers: false };
        let mut recall = Recall::new(&POLICIES, question);
        let mut forgetful = Recall { most, ..Recall::new(&POLICIES, question) };
        for asset in assets.iter().chain(&assets) {
            let situation = Situation { place: &asset.place, parts: &asset.parts };
            let results = evaluate(&situation, &POLICIES, &question);
            let mut expected: Vec<Row> = results
                .iter()
                .filter(|result| result.class != ResultClass::NoRuleKnown)
                .map(|result| {
                    let date = result.deadline.clone();
                    let short = (&*result.supplier, result.class, result.severity, date, result.confidence);
                    row(result.component.as_deref(), &result.rule, short)
                })
                .collect();
            expected.sort();
            prop_assert_eq!(&rows(&asset.place, &asset.parts, &mut recall), &expected);
            prop_assert_eq!(&rows(&asset.place, &asset.parts, &mut forgetful), &expected);
            let said = recall.ask(&asset.place, &asset.parts);
            let (known, complete) = (asset.maker_known, asset.complete);
            let expected = crate::standing(&asset.place, &POLICIES, &results, known, complete);
            prop_assert_eq!(recall.standing(&asset.place, &said, known, complete), expected);
        }
    }
}

/// One place and part, and each with one fact changed: asked one after the other of one memory.
#[test]
fn every_fact_is_part_of_the_key() {
    let who = |id: &str, confidence| {
        Some(Attribution {
            supplier: model::SupplierRef {
                id: id.to_owned(),
                name: id.to_owned(),
            },
            confidence,
        })
    };
    let mut place = Place::nowhere();
    place.jurisdictions.insert("GB".to_owned());
    place.role = Some(Role::Ran);
    place.generations.insert("5G".to_owned());
    place.tags.insert("gb_directed_provider".to_owned());
    let unit = Part {
        maker: who("huawei", 0.95),
        acquired: "2019".parse().ok(),
        ..Part::nobody()
    };
    let mut asked = vec![(place.clone(), unit.clone())];
    let parts: [fn(&mut Part); 5] = [
        |part| part.acquired = "2024".parse().ok(),
        |part| part.component = Some("7".to_owned()),
        |part| part.maker = None,
        |part| part.told.presence = Some(crate::part::Presence::New),
        |part| part.told.kind = Some("service".to_owned()),
    ];
    for change in parts {
        let mut other = unit.clone();
        change(&mut other);
        asked.push((place.clone(), other));
    }
    for maker in [who("zte", 0.95), who("huawei", 0.3)] {
        let other = Part {
            maker,
            ..unit.clone()
        };
        asked.push((place.clone(), other));
    }
    let brand = Part {
        brand: who("huawei", 0.9),
        maker: who("nokia", 0.9),
        ..unit.clone()
    };
    asked.push((place.clone(), brand));
    let chip = |class| Part {
        component: Some("7".to_owned()),
        class: Some(class),
        ..unit.clone()
    };
    asked.push((place.clone(), chip(ComponentClass::Cpu)));
    asked.push((place.clone(), chip(ComponentClass::Module)));
    let places: [fn(&mut Place); 4] = [
        |place| place.role = Some(Role::Core),
        |place| place.generations = BTreeSet::from(["4G".to_owned()]),
        |place| place.tags.clear(),
        |place| place.jurisdictions = BTreeSet::from(["DE".to_owned()]),
    ];
    for change in places {
        let mut other = place.clone();
        change(&mut other);
        asked.push((other, unit.clone()));
    }
    let question = Question::on(date!(2026 - 11 - 25));
    let mut recall = Recall::new(&POLICIES, question);
    let mut told = BTreeSet::new();
    for (place, part) in &asked {
        let parts = std::slice::from_ref(part);
        let found = rows(place, parts, &mut recall);
        let alone = rows(place, parts, &mut Recall::new(&POLICIES, question));
        assert_eq!(found, alone, "{place:?} {part:?}");
        told.insert(found);
    }
    // Most changes change the answer, so that one left out of the key would show.
    assert!(told.len() >= 11, "{} of {}", told.len(), asked.len());
}

#[test]
fn what_is_remembered_is_bounded() {
    let question = Question::on(date!(2026 - 11 - 25));
    let mut recall = Recall {
        most: 10,
        ..Recall::new(&POLICIES, question)
    };
    for number in 0..100 {
        let mut place = Place::nowhere();
        place.jurisdictions.insert("DE".to_owned());
        place.tags.insert(format!("purpose:{number}"));
        recall.ask(&place, &[Part::nobody()]);
        let held = recall.places.len() + recall.parts.len() + recall.said.len();
        assert!(held <= 10 + 3, "{held}");
    }
}
