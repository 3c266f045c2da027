//! One small recording of our own making for every kind of hard case, and what must come out.

#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

#[path = "cases/table.rs"]
mod table;

use identify::{Knowledge, identify, recording};
use model::{Aspect, ComponentIdentity, Identification, Signal, Subject};
use table::CASES;

fn answer(name: &str) -> Identification {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let evidence = recording::read(&std::fs::read(path).unwrap()).unwrap();
    identify(&evidence, Knowledge::built_in().unwrap())
}

fn id(attribution: &Option<model::Attribution>) -> &str {
    attribution.as_ref().map_or("-", |a| a.supplier.id.as_str())
}

fn part<'a>(found: &'a Identification, index: &str) -> &'a ComponentIdentity {
    found.components.iter().find(|part| part.index == index).unwrap()
}

#[test]
fn every_case_comes_out() {
    for (file, maker, brand, least, most, doubts) in CASES {
        let found = answer(file);
        assert_eq!(
            (id(&found.maker), id(&found.brand)),
            (maker, brand),
            "{file}: {:#?}",
            found.claims
        );
        let confidence = found.maker.as_ref().map_or(0.0, |maker| maker.confidence);
        assert!(
            (least..=most).contains(&confidence),
            "{file}: confidence {confidence}"
        );
        for doubt in doubts {
            assert!(
                found.doubts.iter().any(|d| d.code == *doubt),
                "{file}: no doubt {doubt} in {:?}",
                found.doubts
            );
        }
        for claim in found.claims.iter().filter(|claim| claim.subject == Subject::Unit) {
            assert!(
                !claim.source.is_empty() && !claim.knowledge.is_empty(),
                "{file}: {claim:?}"
            );
            assert!(claim.evidence.octets_hex.len() <= 512 && claim.evidence.shown.chars().count() <= 300);
        }
    }
}

#[test]
fn no_restricted_supplier_is_even_claimed_from_neighbours_and_operators() {
    for file in [
        "neighbour_huawei.snmprec",
        "operator_texts.snmprec",
        "substring_traps.snmprec",
    ] {
        let found = answer(file);
        for supplier in ["huawei", "zte", "lorex", "autel_robotics"] {
            assert!(
                found.claims.iter().all(|claim| claim.supplier.id != supplier),
                "{file}: {:#?}",
                found.claims
            );
        }
    }
}

#[test]
fn losing_claims_are_kept() {
    let found = answer("weak_number_contradicted.snmprec");
    let lost: Vec<_> = found
        .claims
        .iter()
        .filter(|claim| !claim.won)
        .map(|claim| claim.supplier.id.as_str())
        .collect();
    assert_eq!(lost, ["hikvision"]);
    for (file, supplier, signal) in [
        ("plugged_in_modem.snmprec", "huawei", Signal::Oui),
        ("peripheral_modem.snmprec", "zte", Signal::Oui),
        ("half_of_addresses.snmprec", "zte", Signal::Oui),
        ("engine_id_alone.snmprec", "huawei", Signal::EngineId),
        ("word_in_passing.snmprec", "huawei", Signal::SysDescr),
        ("controller_of_another.snmprec", "aten", Signal::SysObjectId),
    ] {
        let lost = |claim: &model::Claim| {
            claim.supplier.id == supplier && claim.signal == signal && !claim.won && claim.confidence > 0.0
        };
        assert!(answer(file).claims.iter().any(lost), "{file}");
    }
}

#[test]
fn what_a_table_reads_from_an_optic_beats_entity_mib() {
    let found = answer("optic_contradicted.snmprec");
    let optic = part(&found, "2");
    assert_eq!((id(&optic.maker), id(&optic.brand)), ("finisar", "huawei"));
    assert!(optic.maker.as_ref().unwrap().confidence < 0.7);
    let claims: Vec<_> = found
        .claims
        .iter()
        .filter(|claim| claim.subject == Subject::Component("2".to_owned()))
        .map(|claim| (claim.aspect, claim.supplier.id.as_str(), claim.signal, claim.won))
        .collect();
    assert_eq!(
        claims,
        [
            (Aspect::Maker, "huawei", Signal::MfgName, false),
            (Aspect::Maker, "finisar", Signal::PrivateTable, true),
            (Aspect::Brand, "huawei", Signal::MfgName, true),
        ]
    );
    for index in ["3", "4"] {
        assert_eq!(id(&part(&found, index).maker), "huawei", "{index}");
    }
    let doubted: Vec<_> = found
        .doubts
        .iter()
        .filter(|doubt| doubt.code == "contradiction")
        .map(|doubt| &doubt.subject)
        .collect();
    assert_eq!(doubted, [&Subject::Component("2".to_owned())]);
}

#[test]
fn a_part_made_for_anothers_equipment_is_not_anothers() {
    let found = answer("made_for_another.snmprec");
    for (index, maker, doubted) in [
        ("1", "-", true),
        ("2", "-", true),
        ("3", "-", true),
        ("4", "fs_com", true),
        ("5", "-", false),
    ] {
        assert_eq!(id(&part(&found, index).maker), maker, "{index}");
        let subject = Subject::Component(index.to_owned());
        let doubt = |doubt: &&model::Doubt| doubt.subject == subject && doubt.code == "made_for_another";
        assert_eq!(found.doubts.iter().find(doubt).is_some(), doubted, "{index}");
    }
}

#[test]
fn parts_are_named_by_their_own_evidence() {
    let found = answer("huawei_switch.snmprec");
    assert_eq!(id(&part(&found, "1").maker), "huawei");
    assert_eq!(id(&part(&found, "2").maker), "wtd");
    assert_eq!(part(&found, "2").parent.as_deref(), Some("1"));

    let found = answer("restricted_optic_in_clean_chassis.snmprec");
    assert_eq!(id(&part(&found, "1").maker), "-", "nothing is inherited");
    assert_eq!(id(&part(&found, "2").maker), "hisilicon");
    assert_eq!(id(&part(&found, "3").maker), "-", "HP is high power here");

    let found = answer("joint_brand_optic.snmprec");
    assert_eq!(
        (id(&part(&found, "2").maker), id(&part(&found, "2").brand)),
        ("accelink", "cisco")
    );
    assert_eq!(
        (id(&part(&found, "3").maker), id(&part(&found, "4").maker)),
        ("-", "-")
    );

    let found = answer("modem_in_private_table.snmprec");
    let modem = part(&found, "teltonika_modem:1");
    assert_eq!(
        (id(&modem.maker), modem.model.as_str(), modem.serial.as_str()),
        ("quectel", "EX25", "SERIAL1")
    );
    let claim = found
        .claims
        .iter()
        .find(|claim| claim.signal == Signal::PrivateTable)
        .unwrap();
    assert_eq!(claim.subject, Subject::Component("teltonika_modem:1".to_owned()));
    assert_eq!(claim.evidence.oid.to_string(), "1.3.6.1.4.1.48690.2.2.1.5.1");
}

#[test]
fn a_broken_tree_keeps_every_part_with_parents_first() {
    let found = answer("broken_tree.snmprec");
    let order: Vec<_> = found.components.iter().map(|part| part.index.as_str()).collect();
    assert_eq!(order, ["3", "4", "5", "1", "2"]);
    for (at, part) in found.components.iter().enumerate() {
        if let Some(parent) = &part.parent {
            assert!(
                order[..at].contains(&parent.as_str()),
                "{} before {parent}",
                part.index
            );
        }
    }
    assert_eq!(part(&found, "5").description, "card", "the first answer stays");
}

#[test]
fn the_unit_is_told_from_others() {
    let found = answer("huawei_switch.snmprec");
    assert_eq!(found.unit.serial.as_deref(), Some("SN0001"));
    assert_eq!(found.unit.model.as_deref(), Some("S-EXAMPLE"));
    assert_eq!(found.unit.base_mac.as_deref(), Some("00:e0:fc:00:00:01"));
    assert_eq!(found.unit.sys_name.as_deref(), Some("core-1"));
    let address = found
        .claims
        .iter()
        .find(|claim| claim.signal == Signal::Oui)
        .unwrap();
    assert!(
        address.evidence.shown.ends_with("(2 of 2 addresses)"),
        "{}",
        address.evidence.shown
    );
    let modem = answer("peripheral_modem.snmprec");
    assert_eq!(modem.unit.base_mac, None, "what is plugged in is not the unit");
    assert_eq!(answer("walk.txt").unit.software.as_deref(), Some("9.9"));
}

#[test]
fn optics_told_by_a_prefix_in_their_memory_have_makers() {
    let found = answer("optics_by_prefix.snmprec");
    let maker = |row: u32| {
        let index = format!("nokia_service_router_optic:1.{row}");
        id(&part(&found, &index).maker).to_owned()
    };
    assert_eq!([1, 2, 3, 4].map(maker), ["finisar", "huawei", "-", "-"]);
    assert_eq!(id(&found.maker), "nokia");
}

#[test]
fn optics_told_only_in_a_private_table_have_makers() {
    let found = answer("optics_of_a_white_box.snmprec");
    let maker = |row: u32| id(&part(&found, &format!("ocnos_optic:1.{row}")).maker).to_owned();
    assert_eq!([3, 4, 5, 6].map(maker), ["hisilicon", "finisar", "-", "-"]);
    assert_eq!(part(&found, "ocnos_optic:1.4").model, "PN-4");
}
