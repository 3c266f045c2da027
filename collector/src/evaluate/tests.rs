//! Units that are swapped, and how old things are.

use super::*;
use model::{Place, UnitIdentity};
use store::record::MovedIn;

fn subject() -> Subject {
    Subject {
        place: Place {
            element: ElementId::generate(),
            site: "berlin".parse().unwrap(),
            jurisdictions: BTreeSet::new(),
            role: None,
            generations: BTreeSet::new(),
            tags: BTreeSet::new(),
            acquired: None,
        },
        name: String::new(),
        address: "192.0.2.1".into(),
        port: 161,
        context: String::new(),
        latest: None,
        last_walk: None,
        complete: None,
        partial: None,
        tenure: None,
        initial: None,
        findings: Vec::new(),
        judged: None,
    }
}

#[test]
fn who_has_been_silent_for_long_is_not_known_to_be_as_it_was() {
    let day =
        |text: &str| Date::parse(text, time::macros::format_description!("[year]-[month]-[day]")).unwrap();
    let answered = |text: &str| {
        Some(Instant::from_datetime(
            day(text).with_hms(12, 0, 0).unwrap().assume_utc(),
        ))
    };
    let today = day("2026-11-25");
    assert!(is_fresh(answered("2026-11-18"), today));
    assert!(!is_fresh(answered("2026-11-17"), today));
    assert!(!is_fresh(None, today));
}

#[test]
fn a_swapped_unit_is_as_new_as_its_first_sighting() {
    let day = |text: &str| text.parse::<PartialDate>().unwrap();
    let from = Instant::from_datetime(time::macros::datetime!(2026-03-01 0:00 UTC));
    let mut subject = subject();
    subject.place.acquired = Some("2017-02-12".into());
    assert_eq!(acquired(&subject), Some(day("2017-02-12")));
    let moved_in = |swapped| Some(MovedIn { from, swapped });
    subject.tenure = moved_in(true);
    assert_eq!(acquired(&subject), Some(day("2026-03-01")));
    subject.place.acquired = Some("2026-04".into());
    assert_eq!(
        acquired(&subject),
        Some(day("2026-04")),
        "what is declared later wins"
    );
    subject.place.acquired = None;
    assert_eq!(acquired(&subject), Some(day("2026-03-01")));
    subject.tenure = moved_in(false);
    assert_eq!(
        acquired(&subject),
        None,
        "the first unit seen may have stood there for long"
    );
}

#[test]
fn a_weak_or_contradicted_maker_clears_nothing() {
    let mut identification = Identification {
        knowledge: "k".into(),
        maker: Some(model::Attribution {
            supplier: model::SupplierRef {
                id: "cisco".into(),
                name: "Cisco".into(),
            },
            confidence: 0.9,
        }),
        brand: None,
        claims: vec![],
        doubts: vec![],
        unit: UnitIdentity::default(),
        components: vec![],
    };
    assert!(is_known(&identification));
    let doubt = |subject| model::Doubt {
        subject,
        code: "contradiction".into(),
        text: String::new(),
        evidence: None,
    };
    identification.doubts = vec![doubt(model::Subject::Component("7".into()))];
    assert!(
        is_known(&identification),
        "a doubt about a part is not one about the unit"
    );
    identification.doubts = vec![doubt(model::Subject::Unit)];
    assert!(!is_known(&identification));
    identification.doubts.clear();
    identification.maker.as_mut().unwrap().confidence = 0.45;
    assert!(!is_known(&identification));
}

fn optic(index: &str, serial: &str) -> ComponentIdentity {
    ComponentIdentity {
        index: index.into(),
        parent: None,
        class: model::ComponentClass::Module,
        name: String::new(),
        description: String::new(),
        model: "SFP".into(),
        serial: serial.into(),
        revision: String::new(),
        maker: Some(model::Attribution {
            supplier: model::SupplierRef {
                id: "hisilicon".into(),
                name: "HiSilicon".into(),
            },
            confidence: 0.85,
        }),
        brand: None,
    }
}

#[test]
fn a_replaced_optic_is_as_new_as_its_first_sighting() {
    let identified = |components| Identification {
        knowledge: "k".into(),
        maker: None,
        brand: None,
        claims: vec![],
        doubts: vec![],
        unit: UnitIdentity::default(),
        components,
    };
    let mut subject = subject();
    let declared = Some("2017-02-12".parse::<PartialDate>().unwrap());
    subject.complete = Some(IdentifiedSighting {
        digest: model::Digest([2; 32]),
        from: Instant::from_datetime(time::macros::datetime!(2026-11-01 9:00 UTC)),
        identification: identified(vec![optic("7", "old"), optic("8", "new")]),
    });
    let dates = |subject: &Subject| {
        parts(subject, declared)
            .into_iter()
            .map(|p| p.acquired)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        dates(&subject),
        [declared, declared],
        "nothing changed since the unit was first seen"
    );
    subject.initial = Some(identified(vec![optic("7", "old"), optic("8", "gone")]));
    assert_eq!(dates(&subject), [declared, "2026-11-01".parse().ok()]);
    // Indices were given out anew, and a serial number is told that was not told before.
    subject.initial = Some(identified(vec![optic("1007", "old"), optic("8", "")]));
    assert_eq!(dates(&subject), [declared, declared]);
}
