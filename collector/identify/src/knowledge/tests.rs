//! The built-in files are well formed, and malformed ones are told by line.

use super::files::{BUILT_IN, Files, read};
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
        ("Nautel LTD", "nautel", false),
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
    assert_eq!(knowledge().registrant(2011), Some("HUAWEI Technology Co.,Ltd"));
    let (organisation, prefix) = knowledge().holder([0x00, 0xe0, 0xfc, 1, 2, 3]).unwrap();
    assert!(organisation.starts_with("HUAWEI"), "{organisation}");
    assert_eq!(prefix, "00E0FC");
    let files = Files {
        address_registry: "Large\tAABBCC\nMiddle\tAABBCC1\nSmall\tAABBCC123\n",
        ..BUILT_IN
    };
    let mine = read(&files).unwrap();
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

#[test]
fn malformed_files_are_refused_with_their_line() {
    let supplier = "x\tX\tmaker\t\t\t\t\ts\n";
    for (files, says) in [
        (
            Files {
                suppliers: "x\tX\tking\t\t\n",
                ..BUILT_IN
            },
            "role",
        ),
        (
            Files {
                suppliers: "x\tX\tmaker\tsame\t\t\t\ts\ny\tY\tmaker\tsame\t\t\t\ts\n",
                ..BUILT_IN
            },
            "two suppliers",
        ),
        (
            Files {
                suppliers: supplier,
                products: "",
                enterprises: "7\towner\tnobody\t\t\t\tsource\n",
                ..BUILT_IN
            },
            "nobody",
        ),
        (
            Files {
                suppliers: supplier,
                products: "",
                enterprises: "7\towner\tx\t\t2\t\tsource\n",
                ..BUILT_IN
            },
            "weight",
        ),
        (
            Files {
                suppliers: supplier,
                products: "",
                enterprises: "7\towner\tx\t\t\t\t\n",
                ..BUILT_IN
            },
            "source",
        ),
        (
            Files {
                suppliers: supplier,
                products: "",
                enterprises: "7\tgeneric\tx\t\t\t\ts\n",
                ..BUILT_IN
            },
            "names nobody",
        ),
        (
            Files {
                suppliers: supplier,
                products: "a\tsky\tmaker\tx\t\t\ts\n",
                ..BUILT_IN
            },
            "sky",
        ),
        (
            Files {
                address_registry: "A\tABC\n",
                ..BUILT_IN
            },
            "digits",
        ),
        (
            Files {
                enterprise_registry: "many\tA\n",
                ..BUILT_IN
            },
            "number",
        ),
        (
            Files {
                tables: "t\t1.3.6.1.2.1\town\tmodule\t1\t0\t0\t0\t0\ts\n",
                ..BUILT_IN
            },
            "enterprise",
        ),
    ] {
        let error = read(&files).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("line"), "{error}");
    }
}
