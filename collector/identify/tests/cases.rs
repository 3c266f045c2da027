//! One small recording of our own making for every kind of hard case, and what must come out.

#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

#[path = "cases/table.rs"]
mod table;

use identify::{Knowledge, identify, recording};
use model::{Aspect, ComponentIdentity, Identification, Signal, Subject};
use table::{Case, cases};

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
    assert!(cases().len() > 80);
    for case in cases() {
        let Case {
            file,
            maker,
            brand,
            least,
            most,
            doubts,
        } = case;
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
                found.doubts.iter().any(|d| d.code == doubt),
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
        "neighbour_by_cdp.snmprec",
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
fn what_a_neighbour_is_told_to_be_is_hearsay_about_that_one() {
    let knowledge = Knowledge::built_in().unwrap();
    for (file, own) in [
        ("neighbour_huawei.snmprec", "eltex"),
        ("neighbour_by_cdp.snmprec", "-"),
    ] {
        let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
        let evidence = recording::read(&std::fs::read(path).unwrap()).unwrap();
        let neighbours = identify::neighbour::neighbours(&evidence);
        let makers = identify::neighbour::makers(&neighbours, knowledge);
        let told: Vec<_> = makers.iter().flatten().collect();
        assert!(!told.is_empty(), "{file}");
        for maker in told {
            assert!(
                maker.supplier.id == "huawei" && maker.confidence < 0.5,
                "{file}: {maker:?}"
            );
        }
        assert_eq!(id(&answer(file).maker), own, "{file}");
    }
}

#[test]
fn every_recording_is_listed_with_what_it_is_for() {
    let root = env!("CARGO_MANIFEST_DIR");
    let listed = std::fs::read_to_string(format!("{root}/tests/README.md")).unwrap();
    let mut files = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(format!("{root}/tests/data")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let shown = name.trim_end_matches(".snmprec").to_owned();
        assert!(
            listed.contains(&format!("`{shown}`")),
            "{shown} is not in tests/README.md"
        );
        files.insert(shown);
    }
    let rows = listed.lines().filter(|line| line.starts_with('|'));
    let held = rows.take_while(|line| !line.contains("Held by"));
    let names = held.flat_map(|line| line.split('`').skip(1).step_by(2));
    for name in names {
        assert!(
            files.contains(name),
            "{name} is in tests/README.md and nowhere else"
        );
    }
    // Those without a row are of parts alone, which the tests below look at.
    let parts = ["made_for_another", "optic_contradicted", "optics_by_prefix"];
    for file in files.iter().filter(|file| !parts.contains(&file.as_str())) {
        let has_row = |case: &Case| case.file.trim_end_matches(".snmprec") == file;
        assert!(cases().iter().any(has_row), "{file} has no row");
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
        ("board_maker_address.snmprec", "lanner", Signal::Oui),
        ("vendor_type_of_another.snmprec", "cisco", Signal::VendorType),
        ("vendor_type_alone.snmprec", "juniper", Signal::VendorType),
        ("repeated_objects.snmprec", "huawei", Signal::SysObjectId),
    ] {
        let lost = |claim: &model::Claim| {
            claim.supplier.id == supplier && claim.signal == signal && !claim.won && claim.confidence > 0.0
        };
        assert!(answer(file).claims.iter().any(lost), "{file}");
    }
}

#[test]
fn a_doubt_names_who_lost_and_what_it_rested_on() {
    let text = |file: &str, code: &str| {
        let found = answer(file);
        let doubt = found.doubts.iter().find(|doubt| doubt.code == code).unwrap();
        assert!(doubt.evidence.is_some(), "{file}: {doubt:?}");
        doubt.text.clone()
    };
    assert_eq!(
        text("board_maker_address.snmprec", "outweighed"),
        "evidence for Lanner (hardware addresses) is too little to stand against Topsec"
    );
    assert_eq!(
        text("vendor_type_of_another.snmprec", "outweighed"),
        "evidence for Cisco (entPhysicalVendorType) is too little to stand against Eltex"
    );
    assert_eq!(
        text("repeated_objects.snmprec", "contradiction"),
        "evidence for Huawei (sysObjectID, sysDescr) stands against Cisco"
    );
    let whole = answer("huawei_switch.snmprec");
    assert!(whole.doubts.iter().all(|doubt| doubt.code != "outweighed"));
}

#[test]
fn chassis_that_disagree_all_claim_and_the_doubt_shows_the_losing_bytes() {
    let bytes = |file: &str, code: &str, words: &str| {
        let found = answer(file);
        let is = |doubt: &&model::Doubt| doubt.code == code && doubt.text.contains(words);
        let doubt = found.doubts.iter().find(is).unwrap();
        doubt.evidence.as_ref().unwrap().shown.clone()
    };
    for file in [
        "chassis_that_disagree.snmprec",
        "chassis_that_disagree_under_software.snmprec",
        "chassis_most_of_one.snmprec",
    ] {
        let found = answer(file);
        let lost = |claim: &model::Claim| {
            claim.subject == Subject::Unit
                && claim.supplier.id == "zte"
                && !claim.won
                && claim.confidence > 0.0
        };
        assert!(found.claims.iter().any(lost), "{file}: {:#?}", found.claims);
        assert!(
            found.doubts.iter().all(|doubt| doubt.code != "no_evidence"),
            "{file}"
        );
        assert!(
            bytes(file, "several_makers", "Cisco, ZTE").contains("ZTE"),
            "{file}"
        );
    }
    let spelled = answer("chassis_in_two_spellings.snmprec");
    assert!(spelled.doubts.iter().all(|doubt| doubt.code != "no_evidence"));
    assert!(bytes("brands_that_disagree.snmprec", "outweighed", "brand pfSense").contains("pfSense"));
}

#[test]
fn what_answers_twice_and_differently_counts_both_ways() {
    let found = answer("repeated_objects.snmprec");
    let repeated = |doubt: &&model::Doubt| doubt.code == "repeated_object";
    assert_eq!(found.doubts.iter().filter(repeated).count(), 2);
    let optic = part(&found, "1");
    assert_eq!(id(&optic.maker), "finisar");
    assert!(optic.maker.as_ref().unwrap().confidence < 0.7);
    let subject = Subject::Component("1".to_owned());
    let claims: Vec<_> = found
        .claims
        .iter()
        .filter(|claim| claim.subject == subject)
        .map(|claim| (claim.supplier.id.as_str(), claim.won))
        .collect();
    assert_eq!(claims, [("finisar", true), ("hisilicon", false)]);
    let doubted = |doubt: &model::Doubt| doubt.subject == subject && doubt.code == "contradiction";
    assert!(found.doubts.iter().any(doubted), "{:?}", found.doubts);
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
    assert_eq!(part(&found, "5").description, "card", "the lesser answer counts");
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

#[test]
fn restricted_optics_are_found_in_a_private_table_of_a_clean_chassis() {
    let found = answer("restricted_optics_in_private_table.snmprec");
    let maker = |row: u32| id(&part(&found, &format!("eltex_optic:{row}")).maker).to_owned();
    assert_eq!([49, 50, 51].map(maker), ["huawei", "-", "hg_genuine"]);
    let optic = part(&found, "eltex_optic:49");
    assert_eq!(
        (optic.serial.as_str(), optic.model.as_str()),
        ("HWSERIAL1", "PART-HW")
    );
}

#[test]
fn makers_of_modules_are_told_from_the_chassis() {
    let found = answer("module_makers.snmprec");
    let names = |index: &str| {
        let part = part(&found, index);
        (id(&part.maker).to_owned(), id(&part.brand).to_owned())
    };
    for (index, maker, brand) in [
        ("1", "cisco", "cisco"),
        ("2", "hg_genuine", "hg_genuine"),
        ("3", "hisense_broadband", "hisense_broadband"),
        ("4", "wtd", "wtd"),
        ("5", "accelink", "accelink"),
        ("6", "linktel", "linktel"),
        ("7", "hisense_broadband", "cisco"),
    ] {
        assert_eq!(names(index), (maker.to_owned(), brand.to_owned()), "{index}");
    }
}

#[test]
fn clean_optics_are_told_from_their_restricted_chassis() {
    let found = answer("clean_optics_in_restricted_chassis.snmprec");
    let maker = |index: &str| id(&part(&found, index).maker).to_owned();
    assert_eq!(
        ["1", "2", "3", "4", "5"].map(maker),
        ["huawei", "huawei", "finisar", "hg_genuine", "4lan_hw"]
    );
    assert_eq!(part(&found, "3").model, "FTLX-EX");
    assert_eq!(part(&found, "3").parent.as_deref(), Some("2"));
}

#[test]
fn an_optic_named_in_a_name_or_description_alone_has_a_maker() {
    let found = answer("optic_in_name_only.snmprec");
    let maker = |index: &str| id(&part(&found, index).maker).to_owned();
    assert_eq!(
        ["1", "2", "3", "4"].map(maker),
        ["-", "hisilicon", "hisilicon", "-"]
    );
    let claims = found
        .claims
        .iter()
        .filter(|claim| claim.supplier.id == "hisilicon");
    let columns: Vec<u32> = claims.map(|claim| claim.evidence.oid.arcs()[11]).collect();
    assert_eq!(columns, [7, 2], "name, then description");
    assert_eq!(id(&found.maker), "pandacom");
}

#[test]
fn members_of_a_stack_are_units_of_one_element() {
    let found = answer("stack_members.snmprec");
    let units = identify::units::hardware(&found);
    let serials: Vec<_> = units.iter().map(|unit| unit.identity.serial.as_deref()).collect();
    assert_eq!(
        serials,
        [
            Some("2102350AAAAA01"),
            Some("2102350AAAAA02"),
            Some("2102350AAAAA03")
        ]
    );
    for unit in &units {
        assert!(unit.member && unit.maker.as_ref().is_some_and(|maker| maker.id == "huawei"));
    }
    assert_eq!(part(&found, "5").parent.as_deref(), Some("3"));
    assert_eq!(id(&part(&found, "6").maker), "finisar");
}

#[test]
fn noise_is_told_by_its_name_and_names_nobody() {
    let found = answer("noise_in_makers_fields.snmprec");
    for index in ["2", "3", "4", "5", "7", "8"] {
        assert_eq!(id(&part(&found, index).maker), "-", "{index}");
    }
    for (code, says) in [
        (
            "noise_filler",
            "1 makers' fields hold a word for a missing name (`N/A`)",
        ),
        (
            "noise_pci_id",
            "2 makers' fields hold a PCI identifier (`0x8086`)",
        ),
        ("noise_revision", "2 makers' fields hold a revision (`V1.2`)"),
        (
            "noise_reseller_code",
            "1 makers' fields hold the code of a seller or a stock (`DNT00`)",
        ),
    ] {
        let doubt = found.doubts.iter().find(|doubt| doubt.code == code).unwrap();
        assert!(doubt.text.starts_with(says), "{}", doubt.text);
        assert!(doubt.evidence.is_some(), "{code} rests on bytes");
    }
    let of = |supplier: &str| {
        found
            .claims
            .iter()
            .find(|claim| claim.supplier.id == supplier)
            .unwrap()
    };
    assert!(
        of("finisar").source.ends_with("; trailing blanks cut"),
        "{}",
        of("finisar").source
    );
    assert!(!of("cisco").source.ends_with("; trailing blanks cut"));
}

/// Every word that may name a maker, in the notation of the files.
fn words() -> Vec<(String, String)> {
    let products = include_str!("../knowledge/products.tsv").lines();
    let products = products.filter(|line| !line.starts_with('#')).map(|line| {
        let mut cells = line.split('\t');
        let (word, place) = (cells.next().unwrap(), cells.next().unwrap());
        (word.to_owned(), format!("{place} {}", cells.nth(3).unwrap()))
    });
    let names = include_str!("../knowledge/suppliers.tsv").lines();
    let names = names.filter(|line| !line.starts_with('#')).flat_map(|line| {
        let words = line.split('\t').nth(4).unwrap();
        words
            .split(';')
            .filter(|word| !word.is_empty())
            .map(|word| (word.to_owned(), "any name".to_owned()))
    });
    products.chain(names).collect()
}

fn described(text: &str) -> Identification {
    let rows = format!("1.3.6.1.2.1.1.1.0|4|{text}\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072.3.2.10\n");
    identify(
        &recording::read(rows.as_bytes()).unwrap(),
        Knowledge::built_in().unwrap(),
    )
}

#[test]
fn a_part_of_a_word_makes_no_claim() {
    let words = words();
    assert!(words.len() > 400);
    for (notation, _) in &words {
        let word = notation.trim_start_matches('^').trim_end_matches(['$', '*', '#']);
        let of_it = |claim: &model::Claim| claim.knowledge.ends_with(&format!(":{notation}"));
        // What begins with a mark stands on its own: the mark parts it from what is before. What may go on does.
        if !word.starts_with(char::is_alphanumeric) && notation.ends_with('*') {
            continue;
        }
        let glued = if word.starts_with(char::is_alphanumeric) {
            format!("Xq{word}1")
        } else {
            format!("{}xq", word.trim_end_matches(|c: char| !c.is_alphanumeric()))
        };
        let found = described(&glued);
        assert!(
            !found.claims.iter().any(of_it),
            "{notation} in {glued}: {:?}",
            found.claims
        );
    }
}

#[test]
fn a_host_that_mentions_a_product_has_no_maker() {
    for (notation, kind) in words() {
        let word = notation.trim_start_matches('^').trim_end_matches(['$', '*', '#']);
        if kind.ends_with("built") {
            continue;
        }
        for text in [
            format!("Linux archive 6.1.0-9-amd64 #1 SMP files of {word} 7 x86_64"),
            format!("Linux archive 6.1.0-9-amd64 #1 SMP {word} 7 x86_64"),
            format!("Archive host, {word} 7 and others"),
        ] {
            let found = described(&text);
            assert_eq!(id(&found.maker), "-", "{notation}: {text}: {:?}", found.claims);
        }
    }
}
