//! The built-in files are well formed, and malformed ones are told by line.

use super::files::read_layers;
use super::*;

fn knowledge() -> &'static Knowledge {
    Knowledge::built_in().unwrap()
}

/// Keys that policies use for suppliers; a maker found under another key would never meet a rule.
const POLICY_KEYS: &str = "huawei hisilicon futurewei honor hmn_tech zte nubia netas hytera sepura teltronic norsat hikvision \
    ezviz dahua lorex imou dahua_usa kaspersky china_mobile_intl_usa china_telecom_americas china_unicom_americas \
    pacific_networks comnet_usa h3c unisplendour new_h3c_semi fiberhome inspur fujian_jinhua smic ymtc cxmt quectel \
    baicells tp_link_tech tp_link_systems dji autel_robotics supermicro broadcom qualcomm micron ericsson nokia";

#[test]
fn built_in_files_are_well_formed() {
    assert_eq!(knowledge().version().len(), 16);
    assert!(knowledge().suppliers().count() > 400);
    for key in POLICY_KEYS.split_whitespace() {
        assert!(knowledge().supplier(key).is_some(), "{key}");
    }
    assert_eq!(knowledge().supplier("huawei").unwrap().name, "Huawei");
    assert_eq!(knowledge().supplier("nobody"), None);
}

#[test]
fn organisations_meet_suppliers() {
    for (organisation, id, listed) in [
        ("HUAWEI TECHNOLOGIES CO.,LTD", "huawei", true),
        ("Huawei Device Co., Ltd.", "huawei", true),
        ("zte corporation", "zte", true),
        ("Zhongxing Telecom Co.,ltd. (abbr. ZTE)", "zte", true),
        ("Zhejiang Dahua Technology Co., Ltd.", "dahua", true),
        ("Hangzhou H3C Technologies Co., Limited", "h3c", true),
        ("New H3C Semiconductor Technologies", "new_h3c_semi", true),
        ("TP-LINK TECHNOLOGIES CO.,LTD.", "tp_link_tech", true),
        ("ciscoSystems", "cisco", true),
        (
            "JOREX LOREX INTERNATIONAL CO., LTD.",
            "jorex_lorex_international",
            false,
        ),
        ("Nautel LTD", "nautel", true),
        ("China Telecom Corporation Limited", "china_telecom", true),
        ("LENOVO(BEIJING)CO., LTD.", "lenovo", true),
        (
            "Shenzhen Zhongxinghui Technology",
            "shenzhen_zhongxinghui_technology",
            false,
        ),
    ] {
        let named = knowledge().named(organisation).unwrap();
        assert_eq!(
            (named.supplier.id.as_str(), named.listed),
            (id, listed),
            "{organisation}"
        );
    }
    assert_eq!(knowledge().named("  ... "), None);
    // A part of a company is called by its own name only.
    for name in ["China Telecom", "China Telecom (Americas)"] {
        assert_eq!(knowledge().supplier_called(name).unwrap().name, name);
    }
}

#[test]
fn the_longest_prefix_and_number_win() {
    let enterprise = |arcs: &[u32]| {
        knowledge()
            .enterprise(arcs)
            .and_then(|e| knowledge().reference(e.supplier?))
    };
    assert_eq!(enterprise(&[2011, 2, 1]).unwrap().id, "huawei");
    assert_eq!(enterprise(&[2011, 10, 1]).unwrap().id, "h3c");
    assert_eq!(enterprise(&[8072, 3]), None);
    assert_eq!(
        knowledge().registrant(2011).unwrap().organisation,
        "HUAWEI Technology Co.,Ltd"
    );
    let (organisation, prefix) = knowledge().holder([0x00, 0xe0, 0xfc, 1, 2, 3]).unwrap();
    assert!(organisation.starts_with("HUAWEI"), "{organisation}");
    assert_eq!(prefix.to_string(), "00E0FC");
    let mine = Knowledge::overlaid(vec![file(
        "here/address-registry.tsv",
        "Large\tAABBCC\nMiddle\tAABBCC1\nSmall\tAABBCC123\n",
    )])
    .unwrap();
    for (address, holder) in [
        ([0xaa, 0xbb, 0xcc, 0x12, 0x3f, 0xff], "Small"),
        ([0xaa, 0xbb, 0xcc, 0x1f, 0xff, 0xff], "Middle"),
        ([0xaa, 0xbb, 0xcc, 0xff, 0xff, 0xff], "Large"),
    ] {
        assert_eq!(mine.holder(address).unwrap().0, holder);
    }
    assert_eq!(mine.holder([0; 6]), None);
    assert_ne!(mine.version(), knowledge().version());
}

fn file(name: &str, text: &'static str) -> KnowledgeFile {
    KnowledgeFile {
        name: name.to_owned(),
        text: text.into(),
    }
}

#[test]
fn malformed_files_are_refused_with_their_line() {
    const SUPPLIER: &str = "x\tX\tmaker\t\t\t\t\ts\n";
    for (name, text, says) in [
        ("suppliers.tsv", "x\tX\tking\t\t\n", "line 1: role"),
        (
            "suppliers.tsv",
            "x\tX\tmaker\tsame\t\t\t\ts\ny\tY\tmaker\tsame\t\t\t\ts\n",
            "line 2: alias \"same\" twice, first in line 1",
        ),
        (
            "suppliers.tsv",
            "x\tX\tmaker\t\t\t\t\ts\nx\tX\tmaker\t\t\t\t\ts\n",
            "line 2: supplier twice, first in line 1",
        ),
        ("suppliers.tsv", "x\tX\tmaker\t\t\t\t\t\n", "line 1: no source"),
        ("enterprises.tsv", "7\towner\tnobody\t\t\t\tsource\n", "nobody"),
        ("enterprises.tsv", "7\towner\tx\t\t2\t\tsource\n", "weight"),
        (
            "enterprises.tsv",
            "# c\n7\towner\tx\t\t\t\t\n",
            "line 2: no source",
        ),
        ("enterprises.tsv", "7\tgeneric\tx\t\t\t\ts\n", "names nobody"),
        (
            "enterprises.tsv",
            "7.1\towner\tx\t\t\t\ts\n7.1\towner\tx\t\t\t\ts\n",
            "prefix twice",
        ),
        (
            "enterprises.tsv",
            "seven\towner\tx\t\t\t\ts\n",
            "no object identifier",
        ),
        ("products.tsv", "ab\tsky\tmaker\tx\t\t\t\ts\n", "sky"),
        (
            "products.tsv",
            "a\tdescr\tmaker\tx\t\tspecific\t\ts\n",
            "two letters",
        ),
        ("address-registry.tsv", "A\tABC\n", "digits"),
        ("address-registry.tsv", "A\tABCDEG\n", "hexadecimal"),
        ("enterprise-registry.tsv", "many\tA\n", "number"),
        (
            "tables.tsv",
            "t\t1.3.6.1.2.1\town\tmodule\t1\t0\t0\t0\t0\ts\n",
            "enterprise",
        ),
        (
            "enterprises.tsv",
            "1.3.6.1.4.1.7\towner\tx\t\t\t\ts\n",
            "line 1: prefix never matches: prefixes are written without 1.3.6.1.4.1",
        ),
        (
            "enterprises.tsv",
            "0.7\towner\tx\t\t\t\ts\n",
            "line 1: prefix never matches: 0 is no",
        ),
        (
            "enterprises.tsv",
            "7.1\towner\tx\t\t\t\ts\n7.01\towner\tx\t\t\t\ts\n",
            "line 2: prefix twice, first in line 1",
        ),
        (
            "enterprises.tsv",
            "7\tgeneric\t\tx\t\t\ts\n",
            "line 1: labels of a generic number never count",
        ),
        (
            "enterprises.tsv",
            "7\towner\tx\ty\t\t\ts\n",
            "line 1: supplier \"y\" is in no row",
        ),
        (
            "suppliers.tsv",
            "x\tX\tmaker\tAcme Ltd\t\t\t\ts\n",
            "line 1: alias \"Acme Ltd\" never matches: names are compared as",
        ),
        (
            "suppliers.tsv",
            "x\tX\tmaker\t\tAcme  Box\t\t\ts\n",
            "line 1: phrase \"Acme  Box\" never matches",
        ),
        (
            "products.tsv",
            "Acme \"Box\"\tdescr\tmaker\tx\t\tspecific\t\ts\n",
            "line 1: phrase \"Acme \\\"Box\\\"\" never matches",
        ),
        (
            "tables.tsv",
            "t\t1.3.6.1.4.1.9.9.23.1.2.1.1\town\tmodule\t1\t0\t0\t0\t0\ts\n",
            "line 1: table never matches",
        ),
        (
            "tables.tsv",
            "t\t1.3.6.1.4.1.7.1\town\tmodule\t0\t3\t0\t0\t0\ts\n",
            "line 1: table never names a part",
        ),
        (
            "tables.tsv",
            "t\t1.3.6.1.4.1.7.1\town\tmodule\t1\t0\t0\t0\t0\ts\nu\t1.3.6.1.4.1.7.1\town\tmodule\t1\t0\t0\t0\t0\ts\n",
            "line 2: object identifier of the table twice, first in line 1",
        ),
        ("noise.tsv", "smell\tis\tx\ts\n", "line 1: kind \"smell\""),
        ("noise.tsv", "filler\tsounds\tx\ts\n", "line 1: form \"sounds\""),
        (
            "noise.tsv",
            "filler\tis\tNone\ts\n",
            "line 1: text is empty or holds capital letters",
        ),
        ("noise.tsv", "filler\tis\tnone\t\n", "line 1: no source"),
        (
            "noise.tsv",
            "filler\tends_in\tblank\ts\n",
            "line 1: blanks are what a field ends in",
        ),
        ("notes.txt", "", "not a knowledge file"),
    ] {
        let mut files = vec![file(&format!("folder/{name}"), text)];
        if name != "suppliers.tsv" {
            files.push(file("suppliers.tsv", SUPPLIER));
        }
        let faults = Knowledge::faults(files.clone());
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(
            told.len() == 1 && told[0].contains(says) && told[0].starts_with(&format!("folder/{name}")),
            "{told:?}"
        );
        assert_eq!(Knowledge::overlaid(files).err(), faults.into_iter().next());
    }
}

#[test]
fn every_fault_is_told_not_only_the_first() {
    let faults = Knowledge::faults(vec![
        file(
            "a/enterprises.tsv",
            "7\towner\tnobody\t\t\t\ts\n8\towner\thuawei\t\t\t\t\n",
        ),
        file(
            "b/enterprises.tsv",
            "9\tgeneric\t\t\t\t\ts\n9\tgeneric\t\t\t\t\ts\n",
        ),
    ]);
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[2].starts_with("b/enterprises.tsv, line 2"), "{told:?}");
}

#[test]
fn an_overlay_comes_first_and_has_its_own_version() {
    let mine = Knowledge::overlaid(vec![
        file("my/suppliers.tsv", "acme\tAcme\tmaker\tacme*\tAcme\t\t\tour contract\nhuawei\tHUAWEI\tmaker\tour own word\t\t\t\tour contract\n"),
        file("my/enterprises.tsv", "2011\towner\tacme\t\t\t\tour contract\n"),
    ])
    .unwrap();
    assert_ne!(mine.version(), knowledge().version());
    assert_eq!(mine.named("ACME Widgets Ltd").unwrap().supplier.id, "acme");
    let owner = |of: &Knowledge| {
        of.reference(of.enterprise(&[2011, 1]).unwrap().supplier.unwrap())
            .unwrap()
            .id
    };
    assert_eq!(
        (owner(&mine).as_str(), owner(knowledge()).as_str()),
        ("acme", "huawei")
    );
    for spelling in ["our own word", "Huawei Device Co., Ltd."] {
        assert_eq!(
            mine.named(spelling).unwrap().supplier.name,
            "HUAWEI",
            "{spelling}"
        );
    }
    assert_eq!(mine.registrant(9).unwrap().named.supplier.id, "cisco");
}

#[test]
fn a_withheld_supplier_is_known_from_the_registries_alone() {
    let without = Knowledge::withholding(&BTreeSet::from(["huawei".to_owned()])).unwrap();
    assert_eq!(without.supplier("huawei"), None);
    let named = without.registrant(2011).unwrap().named;
    assert_eq!(
        (named.supplier.name.as_str(), named.listed),
        ("HUAWEI Technology", false)
    );
    assert!(without.phrases_in("Versatile Routing Platform").next().is_none());
}

#[test]
fn nothing_built_in_is_enough_for_nothing() {
    let (knowledge, faults) = read_layers([Vec::new(), Vec::new()], &BTreeSet::new());
    assert!(faults.is_empty() && knowledge.unwrap().suppliers().next().is_none());
}

#[test]
fn the_head_of_a_registry_bears_the_digest_of_its_rows() {
    for text in [
        include_str!("../../knowledge/enterprise-registry.tsv"),
        include_str!("../../knowledge/address-registry.tsv"),
    ] {
        let head = text.lines().next().unwrap();
        assert!(
            head.contains(&import::rows_digest(text)) && head.contains("as of 20"),
            "{head}"
        );
    }
}

#[test]
fn former_names_lead_to_who_bears_another_now() {
    let mine = Knowledge::overlaid(vec![file(
        "enterprise-registry.tsv",
        "7\tNobody Knows Ltd\tHUAWEI Technologies\n\tHikvision\tZTE Corporation\n",
    )])
    .unwrap();
    assert_eq!(mine.registrant(7).unwrap().named.supplier.id, "huawei");
    assert_eq!(mine.registrant(8).unwrap().named.supplier.id, "hikvision");
}
