//! The whole network judged through the command, over a store that a collector holds open.

use super::programs::{complaint, run};
use model::{
    AgentId, Attribution, Cause, Completeness, Digest, ElementId, Ending, FindingId, FindingState,
    Identification, Inputs, Instant, Life, ResultClass, RuleResult, Severity, SupplierRef, UnitIdentity,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use store::record::{
    AgentHello, Declaration, FindingStep, IdentifiedEvidence, IncomingReport, Judged, JudgedElement, Met,
    ReadReport, ReportBody, Stage, StageVersion, Stand, Thing, Undone, Why,
};
use store::view::{ElementFilter, FindingFilter};
use store::{SqliteStore, Store};
use time::macros::date;
use time::{Date, Duration, Time};

const CONFIG: &str = r#"
[store]
path = "collector.db"
[identity]
folder = "identity"
[operator]
tags = ["gb_directed_provider", "de_contract_operator", "eu_network_operator"]
[[site]]
name = "leeds"
jurisdictions = ["GB"]
[[site]]
name = "berlin"
jurisdictions = ["DE", "EU"]
"#;

fn noon(day: Date) -> Instant {
    Instant::from_datetime(day.with_time(Time::from_hms(12, 0, 0).unwrap()).assume_utc())
}

/// A network as its store would hold it.
struct Network {
    folder: tempfile::TempDir,
    store: SqliteStore,
    agent: AgentId,
    sequence: u64,
    declared: Vec<Declaration>,
}

impl Network {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("collector.toml"), CONFIG).unwrap();
        let store = SqliteStore::open(&folder.path().join("collector.db"))
            .await
            .unwrap();
        let mut network = Self {
            folder,
            store,
            agent: AgentId::generate(),
            sequence: 0,
            declared: Vec::new(),
        };
        let begun = noon(date!(2025 - 01 - 01));
        let version = StageVersion {
            stage: Stage::Identify,
            version: "k".into(),
        };
        network.store.adopt_version(&version, begun).await.unwrap();
        let hello = AgentHello {
            agent: network.agent,
            site: "leeds".parse().unwrap(),
            epoch: "e".into(),
            first_sequence: 1,
            next_sequence: 1,
            version: String::new(),
            clock: begun,
        };
        network.store.greet(&hello, begun).await.unwrap();
        for number in 1..=10 {
            network.declare("leeds", number, "access", "FTTP");
        }
        network.declare("berlin", 11, "ran", "5G");
        network.declare("berlin", 12, "core", "5G");
        let config = collector::config::Config::read(&network.folder.path().join("collector.toml")).unwrap();
        network
            .store
            .declare(&config.site, &network.declared, begun)
            .await
            .unwrap();
        network
    }

    fn declare(&mut self, site: &str, number: u8, role: &str, generation: &str) {
        self.declared.push(Declaration {
            site: site.parse().unwrap(),
            address: format!("192.0.2.{number}"),
            port: 161,
            name: format!("e{number}"),
            role: role.parse().ok(),
            generations: [generation.to_owned()].into(),
            tags: Default::default(),
            acquired: None,
        });
    }

    /// The element of this number showed a unit of this maker on a day, which came to us on another.
    async fn show(&mut self, number: u8, maker: Option<&str>, seen: Date, recorded: Date) {
        self.sequence += 1;
        let mut content = [number; 32];
        content[0] = u8::try_from(self.sequence).unwrap();
        let of = &self.declared[usize::from(number) - 1];
        let report = IncomingReport {
            sequence: self.sequence,
            body: ReportBody::Read(Box::new(ReadReport {
                context: String::new(),
                site: of.site.clone(),
                address: of.address.clone(),
                port: 161,
                started: noon(seen),
                finished: noon(seen),
                completeness: Completeness::Complete,
                digest: Digest(content),
                evidence: Some(content.to_vec()),
                readings: Vec::new(),
                requests: 1,
                retries: 0,
                varbinds: 1,
                refreshed: false,
            })),
        };
        self.store
            .commit_reports(self.agent, "e", vec![report], noon(recorded))
            .await
            .unwrap();
        for undone in self.store.undone(Stage::Identify, 10).await.unwrap() {
            let done = IdentifiedEvidence {
                digest: Digest::from_hex(&undone.key).unwrap(),
                undone,
                identification: identification(maker),
                hardware: Vec::new(),
                sum: Digest([0; 32]),
                neighbours: Vec::new(),
                own_addresses: Default::default(),
            };
            self.store
                .save_identified(vec![done], noon(recorded))
                .await
                .unwrap();
        }
    }

    async fn element(&self, name: &str) -> ElementId {
        let filter = ElementFilter {
            text: name.to_owned(),
            ..ElementFilter::default()
        };
        let page = self.store.elements(&filter).await.unwrap();
        page.rows.iter().find(|row| row.name == name).unwrap().element
    }

    async fn step(&self, element: ElementId, step: FindingStep, day: Date) {
        let why = Why {
            causes: vec![Cause::Network],
            grounds: String::new(),
            valid: noon(day),
        };
        let done = JudgedElement {
            undone: Undone {
                key: element.to_string(),
                revision: 0,
                since: Instant(0),
            },
            element,
            judged: Judged {
                standing: "due".into(),
                inputs: Inputs {
                    digest: None,
                    partial: None,
                    latest: None,
                    knowledge: "k".into(),
                    policies: "p".into(),
                    facts: String::new(),
                    as_of: day.to_string(),
                },
            },
            name: "e".into(),
            contradictions: Vec::new(),
            results: Vec::new(),
            findings: vec![why.clone().of(step)],
            why,
        };
        self.store.save_judged(vec![done], noon(day)).await.unwrap();
    }

    fn ask(&self, words: &str) -> (Option<i32>, String, String) {
        let words = format!("collector policy {words}");
        let output = run(self.folder.path(), &words.split(' ').collect::<Vec<_>>());
        let said = complaint(&output);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            said,
        )
    }

    /// The rows of the CSV, without the last one, which says what all of it is not.
    fn table(&self, words: &str) -> Vec<BTreeMap<String, String>> {
        let (code, said, complaint) = self.ask(&format!("{words} --config collector.toml --csv"));
        assert_eq!(code, Some(0), "{words}: {complaint}");
        let mut rows: Vec<BTreeMap<String, String>> = csv::Reader::from_reader(said.as_bytes())
            .deserialize()
            .map(Result::unwrap)
            .collect();
        let last = rows.pop().unwrap();
        let notice = last
            .values()
            .find(|cell| cell.contains("not legal advice"))
            .unwrap();
        assert!(notice.contains("nothing after 20"), "{notice}");
        rows
    }

    fn answer(&self, words: &str) -> Value {
        let (code, said, complaint) = self.ask(&format!("{words} --config collector.toml --json"));
        assert_eq!(code, Some(0), "{words}: {complaint}");
        assert_eq!(said.lines().count(), 1, "{said}");
        let told: Value = serde_json::from_str(&said).unwrap();
        assert!(
            told["about"]["disclaimer"]
                .as_str()
                .unwrap()
                .contains("not legal advice")
        );
        assert!(told["about"]["horizon"].as_str().unwrap().starts_with("20"));
        told
    }
}

fn swapped(finding: FindingId) -> Stand {
    Stand {
        finding,
        revision: 0,
        life: Life {
            state: FindingState::Closed,
            ending: Some(Ending::Swapped),
            ..Life::new()
        },
    }
}

fn identification(maker: Option<&str>) -> Identification {
    Identification {
        knowledge: "k".into(),
        maker: maker.map(|id| Attribution {
            supplier: SupplierRef {
                id: id.into(),
                name: id.into(),
            },
            confidence: 0.95,
        }),
        brand: None,
        claims: Vec::new(),
        doubts: Vec::new(),
        unit: UnitIdentity::default(),
        components: Vec::new(),
    }
}

#[tokio::test]
async fn a_draft_and_a_past_day_are_judged_over_the_store() {
    let mut network = Network::new().await;
    let spring = date!(2025 - 04 - 01);
    for number in 1..=10 {
        let maker =
            [Some("huawei"), Some("nokia"), None][usize::from((number > 3) as u8 + u8::from(number > 9))];
        network.show(number, maker, spring, spring).await;
    }
    network.show(11, Some("zte"), spring, spring).await;
    // This one stood there in May, and its agent could say so in September only.
    network
        .show(12, Some("huawei"), date!(2025 - 05 - 01), date!(2025 - 09 - 01))
        .await;

    let told = network.answer("what-if --assume EU-CSA2-PROP=2026-02 --as-of 2026-11-23");
    let difference = &told["difference"];
    assert_eq!(difference["elements"]["judged"], 12);
    assert_eq!(difference["elements"]["unknown_maker"], 1);
    let opened = difference["total"]["opened"].as_u64().unwrap();
    assert!(opened >= 1, "{told}");
    assert_eq!(difference["total"]["closed"], 0);
    assert_eq!(difference["groups"]["rule"]["EU-CSA2-PROP"]["opened"], opened);
    assert_eq!(difference["groups"]["site"]["berlin"]["opened"], opened);
    assert_eq!(difference["groups"]["site"].as_object().unwrap().len(), 1);
    assert_eq!(difference["groups"]["supplier"]["zte"]["opened"], 1);
    assert_eq!(difference["groups"]["role"]["ran"]["unpriced"], 1);
    assert_eq!(difference["groups"]["month"]["2029-02"]["opened"], opened);
    assert_eq!(told["assumed"]["EU-CSA2-PROP"], "2026-02");

    let (code, said, _) =
        network.ask("what-if --config collector.toml --assume EU-CSA2-PROP=2026-02 --by month");
    assert_eq!(code, Some(0));
    for words in [
        "assumed: EU-CSA2-PROP from 2026-02",
        "\n2029-02 ",
        "cost unknown",
        "e11: EU-CSA2-PROP (zte): nothing → due 2029-02",
        "not legal advice",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }

    let rows = network.table("what-if --assume EU-CSA2-PROP=2026-02 --as-of 2026-11-23");
    let row = |table: &str, key: &str| {
        let mut rows = rows.iter();
        rows.find(|row| row["table"] == table && row["key"] == key)
            .cloned()
    };
    let site = row("site", "berlin").unwrap();
    assert_eq!(
        (&*site["opened"], &*site["unpriced"]),
        (&*opened.to_string(), "2"),
        "{rows:?}"
    );
    assert_eq!(row("finding", "e11").unwrap()["after"], "due 2029-02");
    assert_eq!(row("elements", "unknown_maker").unwrap()["elements"], "1");

    // A draft moves a date of a contract: the finding changes, no other rule is heard.
    let draft = include_str!("../../../collector/policy/packs/de.toml").replace("2026-12-31", "2028-06-30");
    std::fs::write(network.folder.path().join("draft.toml"), draft).unwrap();
    let told = network.answer("what-if --pack draft.toml --as-of 2026-11-23");
    assert_eq!(told["difference"]["total"]["changed"], 1, "{told}");
    assert_eq!(told["difference"]["groups"]["month"]["2028-06"]["changed"], 1);
    assert_eq!(told["difference"]["examples"][0]["before"][1], "2026-12-31");

    // In June: what was known then, and what is known now.
    let told = network.answer("exposure --as-of 2025-06-30");
    let ways = told["ways"].as_array().unwrap();
    assert_eq!(ways.len(), 2);
    assert_eq!(ways[0]["as_known"], "2025-06-30");
    let core = |way: &Value| way["exposure"]["groups"]["rule"]["DE-CONTRACT-CORE"]["findings"].as_u64();
    assert_eq!([core(&ways[0]), core(&ways[1])], [None, Some(1)], "{told}");
    assert_eq!(ways[0]["exposure"]["elements"]["not_yet_seen"], 1);
    assert_eq!(ways[1]["exposure"]["elements"]["not_yet_seen"], 0);
    assert_eq!(
        told["difference"]["groups"]["rule"]["DE-CONTRACT-CORE"]["opened"],
        1
    );
    let then = network.answer("exposure --as-of 2025-06-30 --as-known 2025-06-30");
    assert_eq!(then["ways"][0], ways[0]);
    assert_eq!(then["difference"], Value::Null);
    let now = network.answer("exposure --as-of 2025-06-30 --as-known now");
    assert_eq!(now["ways"][0], ways[1]);
    // Before anybody looked.
    let told = network.answer("exposure --as-of 2025-02-01 --as-known now");
    assert_eq!(told["ways"][0]["exposure"]["elements"]["not_yet_seen"], 12);
    assert_eq!(told["ways"][0]["exposure"]["standings"]["clear"], Value::Null);

    let rows = network.table("exposure --as-of 2025-06-30");
    let of_rule = |known: &str| {
        let mut rows = rows.iter().filter(|row| row["as_known"] == known);
        rows.find(|row| {
            row["table"] == "rule" && row["key"] == "DE-CONTRACT-CORE" && !row["findings"].is_empty()
        })
    };
    assert!(of_rule("2025-06-30").is_none(), "{rows:?}");
    assert_eq!(
        rows.iter()
            .filter(|row| row["opened"] == "1" && row["key"] == "DE-CONTRACT-CORE")
            .count(),
        1
    );

    // Three of ten are listed, and of one nobody knows: the cap is undecided at 40 and within 35 at 30.
    let told = network.answer("exposure --as-of 2026-11-23 --as-known now");
    let caps = told["ways"][0]["exposure"]["caps"].as_array().unwrap();
    let cap = caps.iter().find(|cap| cap["rule"] == "GB-DVD-FTTP-CAP").unwrap();
    assert_eq!(
        (cap["class"].as_str(), cap["low"].as_f64(), cap["high"].as_f64()),
        (Some("undecided"), Some(30.0), Some(40.0))
    );

    for (words, code, named) in [
        ("what-if --config collector.toml", 64, "nothing is asked"),
        (
            "what-if --config collector.toml --assume EU-CSA2-PRO=2026-02",
            65,
            "the closest is EU-CSA2-PROP",
        ),
        (
            "what-if --config collector.toml --assume EU-CSA2-PROP",
            64,
            "write RULE=DATE",
        ),
        (
            "what-if --config collector.toml --pack none.toml",
            78,
            "none.toml: cannot be read",
        ),
        (
            "what-if --config collector.toml --pack collector.toml",
            78,
            "collector.toml:",
        ),
        (
            "what-if --config collector.toml --assume EU-CSA2-PROP=2027 --by colour",
            64,
            "possible values",
        ),
        (
            "exposure --config collector.toml --as-known 9999-12-31",
            65,
            "is to come",
        ),
        ("exposure --config collector.toml --as-known then", 64, "or now"),
        ("exposure --config none.toml", 78, "none.toml"),
    ] {
        let (found, said, complaint) = network.ask(words);
        assert_eq!(found, Some(code), "{words}: {complaint}");
        assert!(
            complaint.contains(named) && said.is_empty(),
            "{words}: {complaint}"
        );
    }
    let config = network.folder.path().join("elsewhere.toml");
    std::fs::write(&config, CONFIG.replace("collector.db", "elsewhere.db")).unwrap();
    let (code, _, said) = network.ask("exposure --config elsewhere.toml");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("elsewhere.db cannot be opened"), "{said}");
    assert!(!Path::new(&network.folder.path().join("elsewhere.db")).exists());
    network.store.close().await;
}

#[tokio::test]
async fn removal_is_told_against_its_date() {
    let network = Network::new().await;
    let element = network.element("e12").await;
    let begun = date!(2026 - 01 - 05);
    let finding = |number: u32| RuleResult {
        rule: "DE-CONTRACT-CORE".into(),
        jurisdiction: "DE".into(),
        title: String::new(),
        citation: String::new(),
        component: Some(number.to_string()),
        supplier: "huawei".into(),
        class: ResultClass::Due,
        severity: Severity::Major,
        deadline: Some("2026-12-31".into()),
        confidence: 0.9,
        explanation: Vec::new(),
    };
    for number in 0..30 {
        network
            .step(
                element,
                FindingStep::Open(Met {
                    result: finding(number),
                    thing: Thing::default(),
                }),
                begun,
            )
            .await;
    }
    let told = network.answer("burn-down --as-of 2026-02-01");
    let rule = &told["rules"][0];
    assert_eq!(
        (rule["remaining"].as_u64(), rule["outlook"].as_str()),
        (Some(30), Some("too_few_points"))
    );
    assert_eq!(rule["forecast"], Value::Null);

    let open = network.store.findings(&FindingFilter::default()).await.unwrap();
    for (week, row) in (1..=12).zip(&open.rows) {
        let day = begun + Duration::weeks(week) - Duration::days(2);
        network
            .step(
                element,
                FindingStep::Close(swapped(row.finding), "gone".into()),
                day,
            )
            .await;
    }
    let told = network.answer("burn-down --as-of 2026-03-30");
    let rule = &told["rules"][0];
    assert_eq!(
        (rule["rule"].as_str(), rule["deadline"].as_str()),
        (Some("DE-CONTRACT-CORE"), Some("2026-12-31"))
    );
    assert_eq!(
        (rule["removed"].as_u64(), rule["remaining"].as_u64()),
        (Some(12), Some(18))
    );
    // One a week: eighteen weeks to go, well before the date.
    assert_eq!(rule["forecast"]["per_week"], 1.0, "{rule}");
    assert_eq!(rule["forecast"]["done"], "2026-08-03");
    assert_eq!(rule["outlook"], "in_time");
    let rows = network.table("burn-down --as-of 2026-03-30");
    let cells = ["rule", "removed", "outlook", "per_week", "done"].map(|column| &*rows[0][column]);
    assert_eq!(cells, ["DE-CONTRACT-CORE", "12", "in_time", "1", "2026-08-03"]);
    let (code, said, _) = network.ask("burn-down --config collector.toml --as-of 2026-03-30");
    assert_eq!(code, Some(0));
    assert!(
        said.starts_with("DE-CONTRACT-CORE by 2026-12-31: 12 of 30 removed, 18 remain; in time"),
        "{said}"
    );
    assert!(said.contains("not legal advice"));
    network.store.close().await;
}
