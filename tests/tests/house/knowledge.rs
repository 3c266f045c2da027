//! What an operator does to the knowledge, and what the measure of accuracy says of a few elements.

use super::programs::{LAB, PATIENCE, complaint, run};
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::Value;
use std::path::Path;
use std::process::Output;

const SUPPLIERS: &str = "own_works\tOwn Works\tmaker\town works*\tOwnWorks\t\t\tour purchase files\n";
const ENTERPRISES: &str = "27058.7\towner\town_works\t\t\t\tour purchase files\n";
const RECORDING: &str = "1.3.6.1.2.1.1.1.0|4|Controller 7\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.27058.7.1\n";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn every_mistake_in_knowledge_files_is_told_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("own/suppliers.tsv", SUPPLIERS),
            (
                "own/enterprises.tsv",
                "# ours\n7.1\towner\tnobody\t\t\t\ts\n7.2\towner\town_works\t\t\t\t\n",
            ),
            (
                "own/products.tsv",
                "OwnWorks 9\tdescr\tmaker\town_works\t\tspecific\t\ts\n"
                    .repeat(2)
                    .as_str(),
            ),
            (
                "c.toml",
                "[store]\npath = \"c.db\"\n[identity]\nfolder = \"i\"\n[knowledge]\nfolder = \"own\"\n",
            ),
        ],
    );
    let output = run(folder.path(), &["collector", "knowledge", "check", "own"]);
    let told = complaint(&output);
    assert_eq!(output.status.code(), Some(78), "{told}");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    for (line, says) in lines.iter().zip([
        "own/enterprises.tsv, line 2: supplier \"nobody\" is in no row",
        "own/enterprises.tsv, line 3: no source",
        "own/products.tsv, line 2: phrase twice, first in line 1",
    ]) {
        assert!(line.contains(says), "{told}");
    }
    for words in [
        ["collector", "check-config", "c.toml"].as_slice(),
        &["collector", "serve", "--config", "c.toml"],
    ] {
        let output = run(folder.path(), words);
        assert_eq!(output.status.code(), Some(78), "{}", complaint(&output));
        assert!(
            complaint(&output).contains("own/enterprises.tsv, line 2"),
            "{}",
            complaint(&output)
        );
    }
    let output = run(folder.path(), &["collector", "knowledge", "check", "absent.tsv"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        complaint(&output).contains("absent.tsv: cannot be read"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn registries_are_imported_and_own_facts_lie_over_the_built_in_ones() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("own/suppliers.tsv", SUPPLIERS),
            ("own/enterprises.tsv", ENTERPRISES),
            ("element.snmprec", RECORDING),
            (
                "enterprise-numbers.txt",
                "PRIVATE ENTERPRISE NUMBERS\n\nDecimal\n| Organization\n27058\n  Renamed Works\n    A Person\n      a&b.example\n",
            ),
            (
                "oui.csv",
                "Registry,Assignment,Organization Name,Organization Address\nMA-L,AABBCC,\"Renamed Works, Ltd.\",\"1 Street\nTown\"\n",
            ),
            ("nothing.txt", "no registry\n"),
        ],
    );
    let identify = |words: &[&str]| -> Value {
        let output = run(folder.path(), &[&["collector", "identify"], words].concat());
        serde_json::from_str(&said(&output)).unwrap()
    };
    let before = identify(&["element.snmprec"]);
    assert_eq!(before["maker"], Value::Null);
    let mine = identify(&["--knowledge", "own", "element.snmprec"]);
    assert_eq!(mine["maker"]["id"], "own_works");
    assert_ne!(mine["knowledge"], before["knowledge"]);

    std::fs::remove_file(folder.path().join("own/enterprises.tsv")).unwrap();
    let import = [
        "collector",
        "knowledge",
        "import",
        "--enterprise-numbers",
        "enterprise-numbers.txt",
        "--prefixes",
        "oui.csv",
        "--as-of",
        "2026-11-01",
        "--folder",
        "own",
    ];
    let output = run(folder.path(), &import);
    assert!(output.status.success(), "{}", complaint(&output));
    assert!(
        said(&output).contains("1 numbers of 1 organisations") && said(&output).contains("1 prefixes of 1"),
        "{}",
        said(&output)
    );
    assert!(
        !std::fs::read_to_string(folder.path().join("own/enterprise-registry.tsv"))
            .unwrap()
            .contains("Person")
    );
    let renamed = identify(&["--knowledge", "own", "element.snmprec"]);
    assert_eq!(renamed["maker"]["name"], "Renamed Works", "{renamed}");
    let output = run(folder.path(), &["collector", "knowledge", "check", "own"]);
    assert!(
        said(&output).contains("good: 3 files"),
        "{} {}",
        said(&output),
        complaint(&output)
    );

    let empty = import.map(|word| if word == "oui.csv" { "nothing.txt" } else { word });
    let output = run(folder.path(), &empty);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint(&output).contains("no prefixes in it"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn accuracy_counts_right_wrong_and_unknown() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            (
                "labels.tsv",
                "path\tsysObjectID\tsysDescr\ttruth_maker\taccept\tambiguous\trestricted_tier\trows\n\
                 a/one.snmprec\t1.3.6.1.4.1.2011.2.1\tHuawei switch\tHuawei\t\t0\t1\t2\n\
                 a/two.snmprec\t1.3.6.1.4.1.8072.3.2.10\tLinux h 5.0\tunknown\t\t0\t\t2\n\
                 a/three.snmprec\t1.3.6.1.4.1.9.1.1\tCisco IOS\tJuniper\t\t0\t\t2\n\
                 a/four.snmprec\t1.3.6.1.4.1.8072.3.2.10\tLinux h 5.0\tZTE\t\t0\t1\t2\n\
                 a/five.snmprec\t1.3.6.1.4.1.27975.99.1\tFSOS software\tFS.COM\t\t0\t2\t2\n",
            ),
            (
                "recordings/INDEX.tsv",
                "file\tsource_path\ttruth_maker\none\ta/one.snmprec\tHuawei\n",
            ),
            (
                "recordings/one",
                "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2011.2.1\n1.3.6.1.2.1.2.2.1.6.1|4x|00e0fc000001\n",
            ),
        ],
    );
    let measure = [
        "bench",
        "accuracy",
        "--recordings",
        "recordings",
        "--labels",
        "labels.tsv",
    ];
    let output = run(
        folder.path(),
        &[measure.as_slice(), &["--json", "--plot", "plot.svg"]].concat(),
    );
    let told: Value =
        serde_json::from_str(&said(&output)).unwrap_or_else(|_| panic!("{}", complaint(&output)));
    let counts =
        |of: &str| ["elements", "right", "wrong", "unknown"].map(|key| told[of][key].as_u64().unwrap());
    assert_eq!(counts("two_strings"), [5, 3, 1, 1]);
    assert_eq!(
        told["two_strings"]["right_by_brand"], 1,
        "the label names whose name is on it"
    );
    assert_eq!(counts("recordings"), [1, 1, 0, 0]);
    assert_eq!(counts("with_interfaces"), [1, 1, 0, 0]);
    let restricted = &told["two_strings"]["restricted"];
    assert_eq!(
        (restricted["precision"].as_f64(), restricted["recall"].as_f64()),
        (Some(1.0), Some(0.5))
    );
    assert_eq!(told["two_strings"]["generic_hosts"], 1);
    assert_eq!(told["two_strings"]["generic_hosts_asserted"], 0);
    assert!(told["speed"]["mix_per_second"].as_f64().unwrap() > 0.0);
    assert!(
        std::fs::read_to_string(folder.path().join("plot.svg"))
            .unwrap()
            .contains("share right")
    );
    let output = run(folder.path(), &measure);
    assert!(
        said(&output).contains("generic hosts asserted 0 of 1"),
        "{}",
        said(&output)
    );
}

/// The states of the findings about a rule of German law at an element.
async fn states(house: &House, element: &str) -> Vec<String> {
    let path = format!("/api/v1/findings?rule=DE-CONTRACT-CORE&text={element}");
    let page: Value = serde_json::from_str(&house.get(&path).await.unwrap()).unwrap();
    let rows = page["rows"].as_array().unwrap().iter();
    rows.map(|row| row["state"].as_str().unwrap().to_owned())
        .collect()
}

/// The element's maker, the version of the knowledge that names it, and its row.
async fn maker(house: &House, element: &str) -> Option<String> {
    let all: Value = serde_json::from_str(&house.get("/api/v1/elements").await.unwrap()).unwrap();
    let mut rows = all["rows"].as_array().unwrap().iter();
    let row = rows.find(|row| row["name"] == element).unwrap();
    row["maker_id"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_started_with_other_knowledge_identifies_its_store_anew_and_findings_open_and_close() {
    let data = tempfile::tempdir().unwrap();
    let nameless = "1.3.6.1.2.1.1.1.0|4|Controller 7\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.27058.7.1\n1.3.6.1.2.1.1.3.0|67|9\n";
    let huawei =
        "1.3.6.1.2.1.1.1.0|4|Box\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2011.2.62.2.9\n1.3.6.1.2.1.1.3.0|67|9\n";
    let plan = Plan::small()
        .with_objects(nameless, "nameless", "core")
        .and_then(|plan| plan.with_objects(huawei, "restricted", "core"))
        .unwrap();
    let site = plan.elements[0].site.clone();
    let mut spec = HouseSpec::new(LAB, plan);
    spec.data = Some(data.path().to_owned());
    spec.interval_seconds = 1;
    let mut house = House::start(spec).await.unwrap();
    let done = |s: &lab::house::Summary| {
        s.reached == 2 && s.identified == 1 && s.pending.unevaluated == 0 && s.pending.unidentified == 0
    };
    house.wait_until(PATIENCE, done).await.unwrap();
    assert_eq!(states(&house, "nameless").await, [] as [&str; 0]);
    assert_eq!(states(&house, "restricted").await, ["open"]);

    // Nobody polls any more: all that follows comes from the store.
    house.kill_agent(&site).await.unwrap();
    house.kill_collector().await.unwrap();
    write(
        data.path(),
        &[(
            "knowledge/enterprises.tsv",
            "27058.7\towner\thuawei\t\t\t\tour purchase files\n2011.2.62\towner\tnokia\t\t\t\tour purchase files\n",
        )],
    );
    house.start_collector().await.unwrap();
    let renamed = |s: &lab::house::Summary| {
        s.identified == 2 && s.pending.unevaluated == 0 && s.pending.unidentified == 0
    };
    house.wait_until(PATIENCE, renamed).await.unwrap();
    assert_eq!(maker(&house, "nameless").await.as_deref(), Some("huawei"));
    assert_eq!(maker(&house, "restricted").await.as_deref(), Some("nokia"));
    assert_eq!(states(&house, "nameless").await, ["open"]);
    assert_eq!(
        states(&house, "restricted").await,
        [] as [&str; 0],
        "closed ones are not in the list"
    );

    // And back: without the folder it knows what it was built with.
    house.kill_collector().await.unwrap();
    std::fs::remove_dir_all(data.path().join("knowledge")).unwrap();
    house.start_collector().await.unwrap();
    house.wait_until(PATIENCE, done).await.unwrap();
    assert_eq!(maker(&house, "nameless").await, None);
    assert_eq!(states(&house, "restricted").await, ["open"], "opened again");
    house.stop().await.unwrap();
}
