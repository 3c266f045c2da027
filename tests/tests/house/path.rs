//! From a device to the screen, and back from the screen to the bytes.

use super::programs::{PATIENCE, Running, Snmpd, complaint, run};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// Lines that make snmpd a router of the network's core.
pub const CORE_ROUTER: &str = "sysObjectID .1.3.6.1.4.1.2011.2.62.2.9\n\
    sysDescr Huawei Versatile Routing Platform Software VRP (R) software NetEngine\n\
    sysName told-by-the-device\nsysContact somebody@example.net\n";

/// The pages of a collector, and a token that opens them.
#[derive(Default)]
pub struct Pages {
    /// Where they are.
    pub http: String,
    token: String,
}

impl Pages {
    /// Makes a token at the collector whose configuration lies in this folder.
    pub fn of(folder: &Path, http: &str) -> Self {
        let words = "collector account token test --scope see --scope metrics --config collector.toml";
        let output = run(folder, &words.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{}", complaint(&output));
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let http = http.to_owned();
        Self { http, token }
    }

    /// Asks until the answer is as wanted; tokio's clock is not needed for one blocking client.
    pub fn ask(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            let last = match serde_json::from_str::<Value>(&answer) {
                Ok(value) if wanted(&value) => return value,
                _ => answer,
            };
            assert!(Instant::now() < deadline, "{path}: {last}");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// One answer.
    pub fn get(&self, path: &str) -> String {
        get(
            &self.http,
            path,
            &["-H", &format!("Authorization: Bearer {}", self.token)],
        )
    }
}

/// What curl gets, with further words for it.
pub fn get(http: &str, path: &str, words: &[&str]) -> String {
    let output = std::process::Command::new("curl")
        .args(["-s", "-m", "10", &format!("http://{http}{path}")])
        .args(words)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn a_real_snmp_agent_is_polled_through_the_whole_path_to_a_finding_and_back_to_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let snmpd = Snmpd::start(folder, CORE_ROUTER);
    write(
        folder,
        "elements.csv",
        &format!(
            "site,address,name,role,generations\nberlin,{},BER-CORE-1,core,5G\n",
            snmpd.address
        ),
    );
    write(
        folder,
        "collector.toml",
        "[store]\npath = \"collector.db\"\n[identity]\nfolder = \"identity\"\n[grpc]\nlisten = \"127.0.0.1:0\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\nplain = true\n[operator]\ntags = [\"de_contract_operator\"]\nelements = \"elements.csv\"\n\
         [[site]]\nname = \"berlin\"\njurisdictions = [\"DE\", \"EU\"]\n",
    );
    let mut collector = Running::start(folder, &["collector", "serve", "--config", "collector.toml"]);
    let ready: Value = serde_json::from_str(&collector.first_line()).unwrap();
    let pages = Pages::of(folder, ready["http"].as_str().unwrap());
    let words = [
        "collector",
        "agent",
        "certificate",
        "--config",
        "collector.toml",
        "--site",
        "berlin",
        "--out",
        "a.pem",
    ];
    assert!(run(folder, &words).status.success());
    write(folder, "community", "public");
    write(
        folder,
        "agent.toml",
        &format!(
            "[collector]\naddress = \"https://{}\"\nidentity = \"a.pem\"\n[spool]\npath = \"spool.redb\"\n\
             [[credential]]\nname = \"c\"\ncommunity = {{ file = \"community\" }}\n\
             [[target]]\naddress = \"127.0.0.1\"\nport = {}\ncredential = \"c\"\n",
            ready["grpc"].as_str().unwrap(),
            snmpd.address.port()
        ),
    );
    let _agent = Running::start(folder, &["agent", "run", "--config", "agent.toml"]);

    // The finding, under the rule, with its date.
    let findings = pages.ask("/api/v1/findings?rule=DE-CONTRACT-CORE", |v| {
        v["total"].as_u64() > Some(0)
    });
    let finding = &findings["rows"][0];
    assert_eq!(finding["element_name"], "BER-CORE-1");
    assert_eq!(finding["supplier"], "Huawei");
    assert_eq!(finding["result"]["deadline"], "2026-12-31");
    assert_ne!(finding["result"]["citation"], "");

    // The page of the finding leads to rule, claim, agent and evidence.
    let page = pages.get(&format!("/findings/{}", finding["finding"].as_str().unwrap()));
    for part in [
        "DE-CONTRACT-CORE",
        "1.3.6.1.2.1.1.2.0",
        "enterprise:2011",
        "1.3.6.1.4.1.2011.2.62.2.9",
    ] {
        assert!(page.contains(part), "the page names {part}");
    }
    let digest = page
        .split("/evidence/")
        .nth(1)
        .unwrap()
        .get(..64)
        .unwrap()
        .to_owned();

    // The evidence holds the very bytes, and what the operator had redacted is not there.
    let evidence = pages.get(&format!("/evidence/{digest}"));
    assert!(
        evidence.contains("Versatile Routing Platform"),
        "the raw answer is shown"
    );
    assert!(
        !evidence.contains("somebody@example.net"),
        "sysContact stays at the site"
    );
    assert!(
        evidence.to_lowercase().contains("redacted"),
        "and its removal is recorded"
    );
}

#[test]
fn an_element_of_version_3_is_evidence_and_a_refused_user_is_shown_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let users =
        format!("{CORE_ROUTER}createUser marque SHA-256 authentic1 AES privately1\nrouser marque priv\n");
    let [open, shut] = ["open", "shut"].map(|name| {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        Snmpd::start(&folder, &users)
    });
    write(
        folder,
        "collector.toml",
        "[store]\npath = \"collector.db\"\n[identity]\nfolder = \"identity\"\n[grpc]\nlisten = \"127.0.0.1:0\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\nplain = true\n[[site]]\nname = \"berlin\"\njurisdictions = [\"DE\"]\n",
    );
    let mut collector = Running::start(folder, &["collector", "serve", "--config", "collector.toml"]);
    let ready: Value = serde_json::from_str(&collector.first_line()).unwrap();
    let pages = Pages::of(folder, ready["http"].as_str().unwrap());
    let words = "collector agent certificate --config collector.toml --site berlin --out a.pem";
    let words: Vec<_> = words.split(' ').collect();
    assert!(run(folder, &words).status.success());
    let mut config = format!(
        "[collector]\naddress = \"https://{}\"\nidentity = \"a.pem\"\n[spool]\npath = \"spool.redb\"\n",
        ready["grpc"].as_str().unwrap()
    );
    for (name, secret, snmpd) in [("right", "authentic1", &open), ("wrong", "authentic2", &shut)] {
        write(folder, name, secret);
        write(folder, "priv", "privately1");
        config += &format!(
            "[[credential]]\nname = \"{name}\"\nversion = \"3\"\nuser = \"marque\"\n\
             auth = {{ protocol = \"sha256\", password = {{ file = \"{name}\" }} }}\n\
             priv = {{ protocol = \"aes128\", password = {{ file = \"priv\" }} }}\n\
             [[target]]\naddress = \"127.0.0.1\"\nport = {}\ncredential = \"{name}\"\n",
            snmpd.address.port()
        );
    }
    write(folder, "agent.toml", &config);
    let _agent = Running::start(folder, &["agent", "run", "--config", "agent.toml"]);

    let elements = pages.ask("/api/v1/elements", |v| {
        let rows = v["rows"].as_array();
        rows.is_some_and(|rows| rows.len() == 2 && rows.iter().any(|row| row["maker"] == "Huawei"))
    });
    let shown = |port: u16| {
        let rows = elements["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["port"] == port).unwrap();
        let page = pages.get(&format!("/elements/{}", row["element"].as_str().unwrap()));
        // The sightings are at the end of the page.
        let sighting = page.rsplit("/evidence/").next().unwrap().get(..64).unwrap();
        let evidence = pages.get(&format!("/evidence/{sighting}"));
        (page, evidence.to_lowercase())
    };
    let (page, answered) = shown(open.address.port());
    assert!(!page.contains("last round"), "nothing is missing: {page}");
    assert!(answered.contains("versatile routing platform"), "{answered}");
    assert!(answered.contains("engine"), "who is there is evidence");
    let (page, refused) = shown(shut.address.port());
    assert!(page.contains("last round unreachable: wrong digest"), "{page}");
    assert!(refused.contains("wrong digest"), "{refused}");
    assert!(!refused.contains("versatile") && !refused.contains("authentic"));
}

#[test]
fn a_recording_of_our_own_is_served_polled_and_identified() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let recording = "1.3.6.1.2.1.1.1.0|4|ZXR10 ROS Version V4.08.23 ZXR10_5928 Software\n\
            1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.3902.3.100\n1.3.6.1.2.1.1.3.0|67|99\n1.3.6.1.2.1.1.5.0|4|recorded\n";
        let plan = Plan::small()
            .with_objects(recording, "recorded-switch", "access")
            .unwrap()
            .with("nokia-7750-sr7", "clean-router", "core", Behaviour::Normal);
        let mut house = House::start(HouseSpec::new(super::programs::LAB, plan)).await.unwrap();
        let done = |s: &lab::house::Summary| s.identified == 2 && s.pending.unevaluated == 0;
        let summary = house.wait_until(PATIENCE, done).await.unwrap();
        assert_eq!((summary.elements, summary.reached, summary.lost), (2, 2, 0));
        let elements: Value = serde_json::from_str(&house.get("/api/v1/elements").await.unwrap()).unwrap();
        let maker = |name: &str| {
            let rows = elements["rows"].as_array().unwrap();
            rows.iter().find(|r| r["name"] == name).unwrap()["maker"].clone()
        };
        assert_eq!(maker("recorded-switch"), "ZTE");
        assert_eq!(maker("clean-router"), "Nokia");
        house.stop().await.unwrap();
    });
}
