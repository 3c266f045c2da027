//! SNMPv3 contexts of one address, from net-snmp's agent to the page.

use super::path::{CORE_ROUTER, Pages};
use super::programs::{Running, Snmpd, complaint, run};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

fn snmpd(folder: &Path, name: &str, lines: &str) -> Snmpd {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).unwrap();
    Snmpd::start(&folder, lines)
}

#[test]
fn contexts_of_one_address_are_elements_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let red = snmpd(folder, "red", CORE_ROUTER);
    let blue = snmpd(
        folder,
        "blue",
        "sysObjectID .1.3.6.1.4.1.6527.1.3.17\nsysDescr TiMOS-C-22.10.R4 cpm/hops64 Nokia 7750 SR\nsysName blue\n",
    );
    let mut lines = String::from(
        "sysDescr the box itself\nview all included .1\ncreateUser marque SHA-256 authentic1 AES privately1\n\
         rouser marque priv -V all\n",
    );
    for (context, behind) in [("red", &red), ("blue", &blue)] {
        let at = behind.address;
        write!(
            lines,
            "rouser marque priv -V all {context}\nproxy -Cn {context} -v 2c -c public udp:{at} .1.3\n"
        )
        .unwrap();
    }
    let front = snmpd(folder, "front", &lines);

    write(
        folder,
        "collector.toml",
        "[store]\npath = \"collector.db\"\n[identity]\nfolder = \"identity\"\n[grpc]\nlisten = \"127.0.0.1:0\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\nplain = true\n[[site]]\nname = \"berlin\"\njurisdictions = [\"DE\"]\n",
    );
    let mut collector = Running::start(folder, &["collector", "serve", "--config", "collector.toml"]);
    let ready: Value = serde_json::from_str(&collector.first_line()).unwrap();
    let pages = Pages::of(folder, ready["http"].as_str().unwrap());
    let says = |words: &str| {
        let output = run(folder, &words.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{words}: {}", complaint(&output));
    };
    says("collector agent certificate --config collector.toml --site berlin --out a.pem");
    write(folder, "auth", "authentic1");
    write(folder, "priv", "privately1");
    let mut config = format!(
        "[collector]\naddress = \"https://{}\"\nidentity = \"a.pem\"\n[spool]\npath = \"spool.redb\"\n\
         [collector_plan]\naccept = true\nallow = [\"127.0.0.1/32\"]\n\
         [[credential]]\nname = \"far\"\nsites = [\"hamburg\"]\ncommunity = {{ file = \"nowhere\" }}\n",
        ready["grpc"].as_str().unwrap()
    );
    let mut plan = String::new();
    let port = front.address.port();
    // Green is unknown there.
    for context in ["", "red", "blue", "green"] {
        let name = format!("c{context}");
        write!(
            config,
            "[[credential]]\nname = \"{name}\"\nversion = \"3\"\nuser = \"marque\"\ncontext = \"{context}\"\n\
             sites = [\"hamburg\", \"berlin\"]\nroles = [\"core\"]\n\
             auth = {{ protocol = \"sha256\", password = {{ file = \"auth\" }} }}\n\
             priv = {{ protocol = \"aes128\", password = {{ file = \"priv\" }} }}\n"
        )
        .unwrap();
        write!(
            plan,
            "[[target]]\naddress = \"127.0.0.1\"\nport = {port}\ncredential = \"{name}\"\nrole = \"core\"\n"
        )
        .unwrap();
    }
    write(folder, "agent.toml", &config);
    let _agent = Running::start(folder, &["agent", "run", "--config", "agent.toml"]);
    let put = |text: &str, state: &str| {
        write(folder, "plan.toml", text);
        says("collector plan put --config collector.toml --site berlin plan.toml");
        let summary = pages.ask("/api/v1/summary", |summary| summary["plans"][0]["state"] == state);
        summary["plans"][0]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let reason = put(
        "[[target]]\naddress = \"127.0.0.1\"\ncredential = \"far\"\n",
        "refused",
    );
    assert!(
        reason.contains("credential \"far\", which is for hamburg: this agent is of site berlin"),
        "{reason}"
    );
    let reason = put(
        "[[target]]\naddress = \"127.0.0.1\"\ncredential = \"cred\"\n",
        "refused",
    );
    assert!(reason.contains("names no role"), "{reason}");
    put(&plan, "applied");

    let makers = |rows: &[Value]| rows.iter().filter(|row| row["maker"].is_string()).count();
    let elements = pages.ask("/api/v1/elements", |v| {
        let rows = v["rows"].as_array();
        rows.is_some_and(|rows| rows.len() == 4 && makers(rows) >= 2)
    });
    let shown = |context: &str| {
        let rows = elements["rows"].as_array().unwrap();
        let place = match context {
            "" => "127.0.0.1".to_owned(),
            context => format!("127.0.0.1 in {context}"),
        };
        let row = rows.iter().find(|row| row["address"] == place).unwrap();
        assert_eq!(row["port"], port);
        let page = pages.get(&format!("/elements/{}", row["element"].as_str().unwrap()));
        assert!(page.contains(&place), "{page}");
        // The sightings are at the end of the page.
        let sighting = page.rsplit("/evidence/").next().unwrap().get(..64).unwrap();
        let evidence = pages.get(&format!("/evidence/{sighting}"));
        (row["maker"].clone(), page, evidence)
    };
    let (_, _, itself) = shown("");
    assert!(
        itself.contains("the box itself") && !itself.contains("Versatile"),
        "{itself}"
    );
    let (maker, _, evidence) = shown("red");
    assert_eq!(maker, "Huawei");
    assert!(
        evidence.contains("Versatile Routing Platform") && !evidence.contains("TiMOS"),
        "{evidence}"
    );
    let (maker, _, evidence) = shown("blue");
    assert_eq!(maker, "Nokia");
    assert!(
        evidence.contains("TiMOS") && !evidence.contains("Versatile"),
        "{evidence}"
    );
    let (_, page, evidence) = shown("green");
    assert!(page.contains("last round unreachable: unknown context"), "{page}");
    assert!(!evidence.contains("Versatile") && !evidence.contains("TiMOS"));

    // The file for spreadsheets tells them apart, too.
    let file = pages.get("/elements.csv");
    let ends = |end: &str| file.lines().filter(|line| line.trim_end().ends_with(end)).count();
    assert_eq!((ends(",red"), ends(",blue"), ends(",green")), (1, 1, 1), "{file}");
}
