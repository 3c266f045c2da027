//! Units over time, clones, one box at two addresses, and those whom neighbours tell of: through real processes.

use super::programs::{LAB, PATIENCE, complaint, run};
use lab::house::{House, HouseError, HouseSpec};
use lab::network::Plan;
use serde_json::Value;
use std::path::Path;

/// A recording of our own making: a switch with a serial number, a hardware address and a neighbour.
fn switch(name: &str, serial: &str, mac: &str) -> String {
    format!(
        "1.0.8802.1.1.2.1.4.1.1.4.0.1.1|2|4\n1.0.8802.1.1.2.1.4.1.1.5.0.1.1|4x|00e0fc0000aa\n\
         1.0.8802.1.1.2.1.4.1.1.9.0.1.1|4|hidden-one\n\
         1.0.8802.1.1.2.1.4.1.1.10.0.1.1|4|Huawei Versatile Routing Platform Software VRP\n\
         1.0.8802.1.1.2.1.4.2.1.3.0.1.1.1.4.192.0.2.77|2|2\n\
         1.0.8802.1.1.2.1.4.1.1.4.0.2.1|2|4\n1.0.8802.1.1.2.1.4.1.1.5.0.2.1|4x|68070a0000c1\n\
         1.0.8802.1.1.2.1.4.1.1.9.0.2.1|4|known-by-its-address\n\
         1.3.6.1.2.1.1.1.0|4|ZXR10 ROS Version V4.08.23 ZXR10_5928 Software\n\
         1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.3902.3.100\n1.3.6.1.2.1.1.3.0|67|99\n1.3.6.1.2.1.1.5.0|4|{name}\n\
         1.3.6.1.2.1.2.2.1.6.1|4x|{mac}\n1.3.6.1.2.1.47.1.1.1.1.2.1|4|chassis\n1.3.6.1.2.1.47.1.1.1.1.4.1|2|0\n\
         1.3.6.1.2.1.47.1.1.1.1.5.1|2|3\n1.3.6.1.2.1.47.1.1.1.1.11.1|4|{serial}\n\
         1.3.6.1.2.1.47.1.1.1.1.12.1|4|ZTE\n1.3.6.1.2.1.47.1.1.1.1.13.1|4|ZXR10-5928\n"
    )
}

fn plan(first: &str) -> Plan {
    Plan::small()
        .with_objects(&switch("place", first, "68070a0000a1"), "place", "access")
        .and_then(|plan| plan.with_objects(&switch("box", "SN77777", "68070a0000b1"), "box-1", "access"))
        .and_then(|plan| plan.with_objects(&switch("box", "SN77777", "68070a0000b1"), "box-2", "access"))
        .and_then(|plan| plan.with_objects(&switch("true", "SN88888", "68070a0000c1"), "original", "access"))
        .and_then(|plan| plan.with_objects(&switch("false", "SN88888", "68070a0000d1"), "clone", "access"))
        .unwrap()
}

async fn house(data: &Path, first: &str, port: Option<u16>) -> House {
    let mut spec = HouseSpec::new(LAB, plan(first));
    spec.data = Some(data.to_owned());
    spec.interval_seconds = 1;
    spec.snmp = port;
    // Sockets of the house before close when its tasks end, which is a moment later.
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        match House::start(spec.clone()).await {
            Err(HouseError::Network(_)) if std::time::Instant::now() < deadline => {
                tokio::task::yield_now().await
            }
            started => return started.unwrap(),
        }
    }
}

async fn elements(house: &House) -> Vec<Value> {
    let all: Value = serde_json::from_str(&house.get("/api/v1/elements").await.unwrap()).unwrap();
    all["rows"].as_array().unwrap().clone()
}

async fn page(house: &House, name: &str) -> String {
    let rows = elements(house).await;
    let row = rows.iter().find(|row| row["name"] == name).unwrap();
    house
        .get(&format!("/elements/{}", row["element"].as_str().unwrap()))
        .await
        .unwrap()
}

fn units(folder: &Path, words: &[&str]) -> Vec<Value> {
    let words = [
        &[
            "collector",
            "unit",
            "list",
            "--config",
            "collector.toml",
            "--json",
        ],
        words,
    ]
    .concat();
    let output = run(folder, &words);
    assert!(output.status.success(), "{}", complaint(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Asks for the units until there are as many with this text as wanted.
async fn until(house: &mut House, text: &str, wanted: usize) -> Vec<Value> {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let found = units(house.data(), &["--text", text]);
        if found.len() == wanted {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "{text}: {found:?}");
        house.wait_until(PATIENCE, |_| true).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_clones_and_one_box_at_two_addresses_are_told_apart_and_the_operator_has_the_last_word() {
    let data = tempfile::tempdir().unwrap();
    // Below those the system gives out, so that nobody takes it between two houses on one data folder.
    let port = Some(10_000 + u16::try_from(std::process::id() % 20_000).unwrap());
    let mut first = house(data.path(), "SN11111", port).await;
    let done = |s: &lab::house::Summary| {
        s.identified == 5 && s.pending.unevaluated == 0 && s.pending.unidentified == 0
    };
    first.wait_until(PATIENCE, done).await.unwrap();
    assert!(!page(&first, "place").await.contains("swap"));
    first.stop().await.unwrap();

    // Other hardware at the same address.
    let mut house = house(data.path(), "SN22222", port).await;
    until(&mut house, "SN22222", 1).await;
    house.wait_until(PATIENCE, done).await.unwrap();
    let place = page(&house, "place").await;
    for words in ["SN11111", "SN22222", "swap"] {
        assert!(place.contains(words), "{words}: {place}");
    }
    let now = house.get("/").await.unwrap();
    assert!(
        now.contains("serial SN11111 → ZTE ZXR10-5928, serial SN22222"),
        "{now}"
    );

    // One box at two addresses is one unit; the same serial number in two boxes is a doubt at both.
    let both = until(&mut house, "SN77777", 1).await;
    assert_eq!((&both[0]["elements"], &both[0]["doubts"]), (&2.into(), &0.into()));
    assert!(page(&house, "box-1").await.contains("The same unit elsewhere"));
    let clones = until(&mut house, "SN88888", 2).await;
    assert!(
        clones
            .iter()
            .all(|unit| unit["elements"] == 1 && unit["doubts"] == 1),
        "{clones:?}"
    );
    for name in ["original", "clone"] {
        let page = page(&house, name).await;
        assert!(
            page.contains("cloned key") && page.contains("hardware address differs"),
            "{page}"
        );
    }

    // What the operator parts stays apart though the keys agree, until it is merged again.
    let folder = house.data().to_owned();
    let unit = both[0]["unit"].as_str().unwrap().to_owned();
    let rows = elements(&house).await;
    let second = rows.iter().find(|row| row["name"] == "box-2").unwrap();
    let second = second["element"].as_str().unwrap();
    let decide = |words: &[&str]| {
        let words = [
            &["collector", "unit", words[0], "--config", "collector.toml"],
            &words[1..],
        ]
        .concat();
        run(&folder, &words)
    };
    let output = decide(&[
        "split",
        &unit,
        "--at",
        second,
        "--because",
        "two boxes of one lot",
    ]);
    assert!(output.status.success(), "{}", complaint(&output));
    let parted = until(&mut house, "SN77777", 2).await;
    house.kill_agent("lab").await.unwrap();
    house.start_agent("lab").unwrap();
    let reports = house.summary().await.unwrap().reports;
    house
        .wait_until(PATIENCE, |s| s.reports > reports + 5 && done(s))
        .await
        .unwrap();
    assert_eq!(
        units(&folder, &["--text", "SN77777"]).len(),
        2,
        "the decision holds against new evidence"
    );
    let keys: Vec<&str> = parted.iter().map(|unit| unit["unit"].as_str().unwrap()).collect();
    let output = decide(&["merge", keys[0], keys[1], "--because", "looked at it"]);
    assert!(output.status.success(), "{}", complaint(&output));
    let merged = until(&mut house, "SN77777", 1).await;
    let output = decide(&["show", merged[0]["unit"].as_str().unwrap()]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("two boxes of one lot") && shown.contains("looked at it"),
        "{shown}"
    );
    for (words, complains) in [
        (
            ["merge", &unit, &unit, "--because", "x"].as_slice(),
            "is one unit already",
        ),
        (
            &["split", &unit, "--at", &unit, "--because", "x"],
            "never stood at",
        ),
        (&["show", second], "no unit"),
        (&["merge", keys[0], keys[0], "--because", " "], "say why"),
    ] {
        let output = decide(words);
        assert_eq!(output.status.code(), Some(64), "{words:?}");
        assert!(complaint(&output).contains(complains), "{}", complaint(&output));
    }
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_neighbours_tell_of_is_seen_and_not_polled_unless_it_is_one_of_ours() {
    let data = tempfile::tempdir().unwrap();
    let mut house = house(data.path(), "SN11111", None).await;
    let done = |s: &lab::house::Summary| s.identified == 5 && s.pending.unevaluated == 0;
    house.wait_until(PATIENCE, done).await.unwrap();
    let coverage: Value = serde_json::from_str(&house.get("/api/v1/coverage").await.unwrap()).unwrap();
    let seen = coverage["seen"].as_array().unwrap();
    assert_eq!(
        seen.len(),
        1,
        "who has the hardware address of a polled element is that element: {seen:?}"
    );
    let hidden = &seen[0];
    assert_eq!(hidden["name"], "hidden-one");
    assert_eq!(hidden["maker"]["supplier"]["id"], "huawei");
    assert!(hidden["maker"]["confidence"].as_f64().unwrap() < 0.5);
    assert_eq!(hidden["elements"], 5);
    for path in ["/coverage", "/elements?polling=not_polled&maker=huawei"] {
        let page = house.get(path).await.unwrap();
        assert!(
            page.contains("hidden-one") && page.contains("possibly Huawei"),
            "{path}: {page}"
        );
    }
    let clear = house
        .get("/elements?polling=not_polled&standing=clear")
        .await
        .unwrap();
    assert!(!clear.contains("hidden-one"));
    assert_eq!(
        house.summary().await.unwrap().elements,
        5,
        "it is counted nowhere else"
    );
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_knowledge_would_change_is_told_before_it_is_taken_and_nothing_is_written() {
    let data = tempfile::tempdir().unwrap();
    let nameless = "1.3.6.1.2.1.1.1.0|4|Controller 7\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.27058.7.1\n1.3.6.1.2.1.1.3.0|67|9\n";
    let huawei =
        "1.3.6.1.2.1.1.1.0|4|Box\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2011.2.62.2.9\n1.3.6.1.2.1.1.3.0|67|9\n";
    let plan = Plan::small()
        .with_objects(nameless, "nameless", "core")
        .and_then(|plan| plan.with_objects(huawei, "restricted", "core"))
        .unwrap();
    let mut spec = HouseSpec::new(LAB, plan);
    spec.data = Some(data.path().to_owned());
    spec.interval_seconds = 1;
    let mut house = House::start(spec).await.unwrap();
    let done = |s: &lab::house::Summary| s.reached == 2 && s.identified == 1 && s.pending.unevaluated == 0;
    house.wait_until(PATIENCE, done).await.unwrap();
    let own = data.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(
        own.join("enterprises.tsv"),
        "27058.7\towner\thuawei\t\t\t\tour purchase files\n2011.2.62\towner\tnokia\t\t\t\tour purchase files\n",
    )
    .unwrap();
    let preview = |words: &[&str]| {
        let words = [
            &["collector", "knowledge", "preview", "--config", "collector.toml"],
            words,
        ]
        .concat();
        run(data.path(), &words)
    };
    let output = preview(&["--json", "own"]);
    assert!(output.status.success(), "{}", complaint(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |name: &str| {
        lines
            .iter()
            .find(|line| line["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {told}"))
    };
    let named = of("nameless");
    assert_eq!(named["changes"][0]["before"], Value::Null);
    assert_eq!(named["changes"][0]["after"]["supplier"]["id"], "huawei");
    assert!(
        named["opens"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["rule"] == "DE-CONTRACT-CORE"),
        "{named}"
    );
    let cleared = of("restricted");
    assert_eq!(cleared["changes"][0]["after"]["supplier"]["id"], "nokia");
    assert!(!cleared["closes"].as_array().unwrap().is_empty(), "{cleared}");
    let last = lines.last().unwrap();
    assert_eq!(last["counts"]["changed"], 2, "{told}");
    assert!(
        last["notice"].as_str().unwrap().contains("not legal advice"),
        "{told}"
    );
    let output = preview(&["own/enterprises.tsv"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("maker: unknown → Huawei") && told.contains("2 of 2 elements change"),
        "{told}"
    );

    // Nothing was written, and knowledge that says nothing new changes nothing.
    let rows = elements(&house).await;
    let maker = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap()["maker_id"].clone();
    assert_eq!(
        (maker("nameless"), maker("restricted")),
        (Value::Null, "huawei".into())
    );
    std::fs::write(
        own.join("enterprises.tsv"),
        "9999999\towner\tnokia\t\t\t\tour purchase files\n",
    )
    .unwrap();
    let output = preview(&["own"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.starts_with("0 of 2 elements change"), "{told}");
    assert!(told.contains("\n# research data, not legal advice"), "{told}");
    std::fs::write(own.join("enterprises.tsv"), "7.1\towner\tnobody\t\t\t\ts\n").unwrap();
    let output = preview(&["own"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        complaint(&output).contains("own/enterprises.tsv, line 1"),
        "{}",
        complaint(&output)
    );
    house.stop().await.unwrap();
}
