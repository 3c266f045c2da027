//! One small recording of our own making for every kind of hard case, and what must come out.

#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

use identify::{Knowledge, identify, recording};
use model::{ComponentIdentity, Identification, Signal, Subject};

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

/// File, maker, brand, confidence from and to, doubts that must be there.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    f64,
    f64,
    &'static [&'static str],
);

const CASES: [Case; 29] = [
    ("huawei_switch.snmprec", "huawei", "huawei", 0.95, 1.0, &[]),
    ("walk.txt", "huawei", "huawei", 0.95, 1.0, &[]),
    (
        "huawei_behind_generic_agent.snmprec",
        "huawei",
        "huawei",
        0.7,
        0.9,
        &["generic_enterprise"],
    ),
    (
        "ups_ident_only.snmprec",
        "huawei",
        "huawei",
        0.6,
        0.8,
        &["no_object_id"],
    ),
    (
        "squatted_number.snmprec",
        "hikvision",
        "hikvision",
        0.7,
        0.85,
        &["squatted_number"],
    ),
    (
        "unregistered_number.snmprec",
        "dahua",
        "dahua",
        0.8,
        0.95,
        &["unregistered_number", "platform_brand"],
    ),
    (
        "no_system_group.snmprec",
        "hikvision",
        "hikvision",
        0.4,
        0.7,
        &["no_object_id"],
    ),
    (
        "weak_number_contradicted.snmprec",
        "symmetricom",
        "symmetricom",
        0.6,
        0.9,
        &["contradiction"],
    ),
    (
        "weak_number_alone.snmprec",
        "hikvision",
        "hikvision",
        0.25,
        0.4,
        &["needs_corroboration"],
    ),
    ("joint_venture_subtree.snmprec", "h3c", "h3c", 0.8, 0.95, &[]),
    ("oem_hp_label.snmprec", "h3c", "hpe", 0.9, 1.0, &[]),
    (
        "oem_fs_label.snmprec",
        "centec",
        "fs_com",
        0.8,
        0.9,
        &["oem_brand"],
    ),
    (
        "whitebox_nos.snmprec",
        "ufispace",
        "ip_infusion",
        0.7,
        0.9,
        &["software_only"],
    ),
    (
        "nos_alone.snmprec",
        "-",
        "cumulus",
        0.0,
        0.0,
        &["software_only", "no_evidence"],
    ),
    (
        "generic_linux_nic.snmprec",
        "-",
        "-",
        0.0,
        0.0,
        &["generic_enterprise", "board_address_only"],
    ),
    (
        "generic_windows.snmprec",
        "-",
        "-",
        0.0,
        0.0,
        &["generic_enterprise", "board_address_only"],
    ),
    (
        "plugged_in_modem.snmprec",
        "-",
        "-",
        0.0,
        0.0,
        &["generic_enterprise", "board_address_only"],
    ),
    ("board_maker_address.snmprec", "topsec", "topsec", 0.9, 1.0, &[]),
    ("neighbour_huawei.snmprec", "eltex", "eltex", 0.8, 0.9, &[]),
    ("operator_texts.snmprec", "juniper", "juniper", 0.8, 0.9, &[]),
    (
        "malformed_object_id.snmprec",
        "sonicwall",
        "sonicwall",
        0.7,
        0.95,
        &["malformed_object_id"],
    ),
    ("substring_traps.snmprec", "-", "-", 0.0, 0.0, &["no_evidence"]),
    (
        "restricted_optic_in_clean_chassis.snmprec",
        "pandacom",
        "pandacom",
        0.8,
        0.9,
        &[],
    ),
    (
        "joint_brand_optic.snmprec",
        "cisco",
        "cisco",
        0.95,
        1.0,
        &["unnamed_maker"],
    ),
    (
        "modem_in_private_table.snmprec",
        "teltonika",
        "teltonika",
        0.7,
        0.95,
        &["host_name_only"],
    ),
    (
        "broken_tree.snmprec",
        "arista",
        "arista",
        0.9,
        1.0,
        &["component_cycle", "orphan_component", "repeated_component"],
    ),
    ("binary_description.snmprec", "zte", "zte", 0.9, 1.0, &[]),
    (
        "hytera_stub.snmprec",
        "-",
        "-",
        0.0,
        0.0,
        &["generic_enterprise", "no_evidence"],
    ),
    ("registry_only.snmprec", "alcoma", "alcoma", 0.5, 0.9, &[]),
];

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
    let modem = answer("plugged_in_modem.snmprec");
    assert!(
        modem
            .claims
            .iter()
            .any(|claim| claim.supplier.id == "huawei" && !claim.won)
    );
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
    assert_eq!(answer("walk.txt").unit.software.as_deref(), Some("9.9"));
}
