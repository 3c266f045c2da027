//! The life of a finding through real processes: taken up, waived by two, run out, closed by proof and never by silence.

use super::programs::{LAB, PATIENCE, complaint};
use lab::chaos::clock::{self, CLOCK};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec, Seen, Trial};
use lab::network::Plan;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const DAY: i64 = 86_400;

/// Two core routers of one restricted maker, until something else stands there.
fn plan(first: &str, second: Behaviour) -> Plan {
    Plan::small()
        .with(first, "core-1", "core", Behaviour::Normal)
        .with("huawei-ne8000-m14", "core-2", "core", second)
}

/// A house whose clocks can jump, and which can stand on another network later.
struct Lived {
    house: House,
    folder: tempfile::TempDir,
}

impl Lived {
    async fn start(folder: tempfile::TempDir, plan: Plan) -> Self {
        let path = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let (store, spools, data) = (path("store"), path("spools"), path("data"));
        let clock = folder.path().join("clock");
        let set = |process: &str| {
            let file = clock.to_string_lossy().into_owned();
            (process.to_owned(), CLOCK.to_owned(), file)
        };
        let mut spec = HouseSpec::new(LAB, plan);
        spec.data = Some(data);
        spec.interval_seconds = 2;
        spec.full_round_seconds = 0;
        spec.trial = Some(Trial {
            through: BTreeMap::new(),
            spools,
            store,
            reconnect_max_seconds: 2,
            environment: vec![set("collector"), set("agent-lab")],
        });
        let house = House::start(spec).await.unwrap();
        Self { house, folder }
    }

    /// The same data, and another network below it.
    async fn on(self, plan: Plan) -> Self {
        let Self { house, folder } = self;
        house.stop().await.unwrap();
        Self::start(folder, plan).await
    }

    fn clock(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    fn config(&self) -> PathBuf {
        self.house.data().join("collector.toml")
    }

    /// Asks until the answer is as wanted.
    async fn ask<T>(&mut self, what: &str, wanted: impl AsyncFn(&House) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            assert!(self.house.ended().is_none(), "a process ended");
            if let Some(found) = wanted(&self.house).await {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "waited for {what}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn element(&mut self, name: &str, what: &str, wanted: impl Fn(&Seen) -> bool) {
        let found = async |house: &House| {
            let seen = house.elements().await.ok()?;
            seen.into_iter().find(|seen| seen.name == name && wanted(seen))
        };
        let _seen = self.ask(what, found).await;
    }

    /// Waits for the finding about the core rule at an element, in a state.
    async fn finding(&mut self, element: &str, state: &str) -> String {
        let path = format!("/api/v1/findings?rule=DE-CONTRACT-CORE&text={element}&state={state}");
        let found = async |house: &House| {
            let page: Value = serde_json::from_str(&house.get(&path).await.ok()?).ok()?;
            assert!(page["notice"].as_str().unwrap().contains("not legal advice"));
            Some(page["rows"].get(0)?["finding"].as_str()?.to_owned())
        };
        self.ask(&path, found).await
    }

    /// `finding WORDS…` on this house, by its clock.
    fn command(&self, words: &[&str], input: &str) -> Output {
        let mut child = Command::new(LAB)
            .args(["collector", "finding"])
            .args(words.iter().take(1))
            .arg("--config")
            .arg(self.config())
            .args(words.iter().skip(1))
            .env(CLOCK, self.clock())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who does not read its input closes it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn done(&self, words: &[&str]) -> String {
        self.done_with(words, "")
    }

    fn done_with(&self, words: &[&str], input: &str) -> String {
        let output = self.command(words, input);
        assert!(output.status.success(), "{words:?}: {}", complaint(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, words: &[&str], named: &str) {
        let output = self.command(words, "");
        let said = complaint(&output);
        assert_eq!(output.status.code(), Some(65), "{words:?}: {said}");
        assert!(said.contains(named) && said.lines().count() == 1, "{said}");
    }

    fn shown(&self, finding: &str) -> Value {
        let text = self.done(&["show", "--json", finding]);
        let shown: Value = serde_json::from_str(&text).unwrap();
        assert!(shown["horizon"].is_string(), "{text}");
        shown
    }
}

/// Kinds of events with who or what caused them.
fn events(shown: &Value) -> Vec<(&str, &str, Option<&str>)> {
    let events = shown["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| {
            (
                event["kind"].as_str().unwrap(),
                event["cause"].as_str().unwrap(),
                event["person"].as_str(),
            )
        })
        .collect()
}

/// The day so many days from now, by the wall clock of this machine.
fn day(ahead: i64) -> String {
    let at = time::OffsetDateTime::now_utc() + time::Duration::days(ahead);
    at.date().to_string()
}

#[test]
fn a_finding_is_taken_up_waived_by_two_and_returns_when_the_waiver_ends() {
    run(async {
        let mut lived = Lived::start(folder(), plan("huawei-ne8000-m14", Behaviour::Normal)).await;
        let first = lived.finding("core-1", "open").await;
        let second = lived.finding("core-2", "open").await;

        // Both by what they say, then by what a list printed.
        let both = [
            "acknowledge",
            "--by",
            "Ann Lee",
            "--rule",
            "DE-CONTRACT-CORE",
            "--site",
            "lab",
        ];
        assert_eq!(lived.done(&both).lines().count(), 2);
        let listed = lived.done(&["list", "--rule", "DE-CONTRACT-CORE"]);
        assert!(
            listed.contains("not legal advice") && listed.contains("nothing after 2026-07"),
            "{listed}"
        );
        assert_eq!(listed.matches("\tacknowledged\t").count(), 2, "{listed}");
        lived.done_with(&["assign", "--by", "Ann Lee", "--to", "Core team", "-"], &listed);

        // Nobody waives alone, nor for a day that has passed.
        let waive = |until: &str| {
            let words = [
                "waive",
                "--by",
                "Ann Lee",
                "--reason",
                "spare parts",
                "--until",
                until,
                &first,
            ];
            words.map(str::to_owned)
        };
        let last = day(2);
        lived.refused(&waive(&day(-2)).each_ref().map(String::as_str), "has passed");
        lived.refused(&["approve", "--by", "Bob", &first], "nobody asked for a waiver");
        lived.done(&waive(&last).each_ref().map(String::as_str));
        lived.refused(
            &["approve", "--by", "ann  lee", &first],
            "somebody else must approve it",
        );
        assert_eq!(
            lived.shown(&first)["row"]["state"],
            "assigned",
            "asked for is not approved"
        );
        lived.done(&["approve", "--by", "Bob", &first]);
        let page = lived.house.get(&format!("/findings/{first}")).await.unwrap();
        assert!(page.contains("approved by Bob") && page.contains(&last), "{page}");

        // A plan beyond the law is shown beside it.
        lived.done(&[
            "plan-removal",
            "--by",
            "Ann Lee",
            "--planned",
            "2039",
            "--owner",
            "Cy",
            "--replacement",
            "NE-2",
            &second,
        ]);
        let against = lived.shown(&second)["row"]["contradictions"][0]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            against.starts_with("planned for 2039, after the rule's date"),
            "{against}"
        );
        lived.refused(
            &["confirm-removal", "--by", "Ann Lee", "--reason", "gone", &second],
            "the element answers",
        );

        // The day after its last one the waiver holds nobody back.
        clock::jump(&lived.clock(), 3 * DAY).unwrap();
        assert_eq!(lived.finding("core-1", "assigned").await, first);
        let shown = lived.shown(&first);
        let life = events(&shown);
        for event in [
            ("opened", "network", None),
            ("acknowledged", "person", Some("Ann Lee")),
            ("assigned", "person", Some("Ann Lee")),
            ("waiver_asked", "person", Some("Ann Lee")),
            ("waived", "person", Some("Bob")),
            ("lapsed", "time", None),
        ] {
            assert!(life.contains(&event), "{event:?}: {life:?}");
        }
        assert_eq!(shown["row"]["waiver"], Value::Null);
        let log = lived.done(&["log"]);
        assert_eq!(log.lines().count(), 5, "refused acts are not done: {log}");
        assert!(log.contains("uid "), "{log}");
        lived.house.stop().await.unwrap();
    });
}

#[test]
fn a_swap_is_proof_and_silence_is_none_and_each_change_has_its_cause() {
    run(async {
        let mut lived = Lived::start(folder(), plan("huawei-ne8000-m14", Behaviour::Normal)).await;
        let swapped = lived.finding("core-1", "open").await;
        let silent = lived.finding("core-2", "open").await;

        let mut lived = lived.on(plan("nokia-7750-sr7", Behaviour::Silent)).await;
        assert_eq!(lived.finding("core-1", "closed").await, swapped);
        let shown = lived.shown(&swapped);
        assert_eq!(shown["row"]["ending"], "swapped", "{shown}");
        let closed = shown["events"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&closed["kind"], &closed["cause"]),
            (&"closed".into(), &"network".into())
        );
        assert!(
            closed["text"]
                .as_str()
                .unwrap()
                .starts_with("removed: another unit stands here, serial NS")
        );
        assert!(
            closed["grounds"].as_str().unwrap().contains("evidence"),
            "{closed}"
        );

        // Silence was judged, and closed nothing.
        lived
            .element("core-2", "silence", |seen| {
                seen.completeness.as_deref() == Some("unreachable")
            })
            .await;
        let judged = async |house: &House| {
            let summary = house.summary().await.ok()?;
            (summary.pending.unevaluated == 0).then_some(())
        };
        lived.ask("judgement", judged).await;
        let shown = lived.shown(&silent);
        assert_eq!(shown["row"]["state"], "open", "{shown}");
        assert_eq!(events(&shown).len(), 1, "{shown}");
        let counted = |lived: &Lived| {
            let text = lived.done(&["progress", "--json"]);
            let all: Value = serde_json::from_str(&text).unwrap();
            let rows = all["rows"].as_array().unwrap();
            let of_core = rows.iter().find(|row| row["rule"] == "DE-CONTRACT-CORE").unwrap();
            [&of_core["left"], &of_core["removed"]].map(|n| n.as_u64().unwrap())
        };
        assert_eq!(counted(&lived), [1, 1], "only the swap counts");

        // A person says that it is gone, under every rule; what was seen last then says nothing of its standing.
        let element = shown["row"]["element"].as_str().unwrap();
        lived.done(&[
            "confirm-removal",
            "--by",
            "Ann Lee",
            "--reason",
            "scrapped",
            "--element",
            element,
        ]);
        assert_eq!(counted(&lived), [0, 2]);
        lived
            .element("core-2", "an unknown standing", |seen| seen.standing == "unknown")
            .await;
        assert_eq!(lived.shown(&silent)["row"]["ending"], "confirmed");

        let mut lived = lived.on(plan("nokia-7750-sr7", Behaviour::Normal)).await;
        assert_eq!(lived.finding("core-2", "open").await, silent);
        let shown = lived.shown(&silent);
        assert_eq!(
            events(&shown).last(),
            Some(&("reopened", "network", None)),
            "{shown}"
        );
        // Declared to be something else: the rule is not met any more, and nothing was removed.
        let mut declared = plan("nokia-7750-sr7", Behaviour::Normal);
        declared.elements[1].role = "access".to_owned();
        let mut lived = lived.on(declared).await;
        assert_eq!(lived.finding("core-2", "closed").await, silent);
        let shown = lived.shown(&silent);
        assert_eq!(
            events(&shown).last(),
            Some(&("closed", "declaration", None)),
            "{shown}"
        );
        assert_eq!(shown["row"]["ending"], "not_met", "{shown}");
        assert_eq!(
            counted(&lived),
            [0, 2],
            "what was proven once stays on record, and no more"
        );
        lived.house.stop().await.unwrap();
    });
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    clock::jump(&folder.path().join("clock"), 0).unwrap();
    folder
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}
