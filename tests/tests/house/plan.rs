//! Plans: put at the collector, followed at the site, also when nobody is there to ask.

use super::path::{Pages, get};
use super::programs::{PATIENCE, Running, Snmpd, complaint, run};
use lab::element::{Behaviour, Element};
use lab::network::{COMMUNITY, Network, Plan};
use serde_json::Value;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A collector and one agent without targets of its own.
struct Site {
    folder: tempfile::TempDir,
    network: Option<Network>,
    /// Where its elements are, also when they are gone.
    addresses: Vec<SocketAddr>,
    pages: Pages,
    metrics: String,
    collector: Option<Running>,
    agent: Option<Running>,
}

/// On an address of loopback that no outgoing connection takes a port of, and no other test.
fn own_address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    format!("127.{}.{}.{count}:9161", 128 + process % 64, process / 64 % 250)
}

impl Site {
    fn start(elements: usize, allow: &str) -> Self {
        let kinds = ["nokia-7750-sr7", "cisco-asr9010", "juniper-mx480", "arista-7280"];
        let plan = (0..elements).fold(Plan::small(), |plan, n| {
            let kind = kinds[n % kinds.len()];
            plan.with(kind, &format!("element-{n}"), "core", Behaviour::Normal)
        });
        Self::over(plan, allow)
    }

    fn over(plan: Plan, allow: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::start(plan, None).unwrap();
        let address = |e: &Arc<Element>| SocketAddr::from((e.address, network.port));
        let mut site = Self {
            folder,
            addresses: network.elements().iter().map(address).collect(),
            network: Some(network),
            pages: Pages::default(),
            metrics: own_address(),
            collector: None,
            agent: None,
        };
        site.write_collector("127.0.0.1:0", "127.0.0.1:0");
        let ready = site.start_collector();
        site.pages = Pages::of(site.path(), ready["http"].as_str().unwrap());
        let grpc = ready["grpc"].as_str().unwrap();
        site.write_collector(grpc, &site.pages.http);
        let words = "collector agent certificate --config collector.toml --site lab --out a.pem";
        site.says(words);
        site.write("community", COMMUNITY);
        site.write(
            "agent.toml",
            &format!(
                "[collector]\naddress = \"https://{grpc}\"\nidentity = \"a.pem\"\n[spool]\npath = \"spool.redb\"\n\
                 [admin]\nlisten = \"{}\"\n[collector_plan]\naccept = true\nallow = [\"{allow}\"]\n\
                 min_interval_seconds = 1\nmin_sweep_seconds = 1\n\
                 [[credential]]\nname = \"lab\"\ncommunity = {{ file = \"community\" }}\n",
                site.metrics
            ),
        );
        site.start_agent();
        site
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn write_collector(&self, grpc: &str, http: &str) {
        self.write(
            "collector.toml",
            &format!(
                "[store]\npath = \"collector.db\"\n[identity]\nfolder = \"identity\"\n[grpc]\nlisten = \"{grpc}\"\n\
                 [http]\nlisten = \"{http}\"\nplain = true\n[[site]]\nname = \"lab\"\njurisdictions = [\"DE\"]\n"
            ),
        );
    }

    fn start_collector(&mut self) -> Value {
        let words = ["collector", "serve", "--config", "collector.toml"];
        let mut collector = Running::start(self.path(), &words);
        let ready = serde_json::from_str(&collector.first_line()).unwrap();
        self.collector = Some(collector);
        ready
    }

    fn start_agent(&mut self) {
        let words = ["agent", "run", "--config", "agent.toml"];
        self.agent = Some(Running::start(self.path(), &words));
    }

    /// What a command prints.
    fn says(&self, words: &str) -> String {
        let words: Vec<&str> = words.split(' ').collect();
        let output = run(self.path(), &words);
        assert!(output.status.success(), "{words:?}: {}", complaint(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Elements of the network as targets of a plan.
    fn targets(&self, elements: &[usize], credential: &str) -> String {
        let target = |n: &usize| {
            let (address, port) = (self.addresses[*n].ip(), self.addresses[*n].port());
            format!("[[target]]\naddress = \"{address}\"\nport = {port}\ncredential = \"{credential}\"\n")
        };
        elements.iter().map(target).collect()
    }

    fn put(&self, text: &str) -> String {
        self.write("plan.toml", text);
        self.says("collector plan put --config collector.toml --site lab plan.toml")
    }

    fn summary(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.pages.ask("/api/v1/summary", wanted)
    }

    /// Waits until the agent stands so to the newest plan.
    fn stands(&self, state: &str, revision: u64) -> Value {
        let stands = |plan: &Value| plan["state"] == state && plan["revision"] == revision;
        self.summary(|summary| stands(&summary["plans"][0]))["plans"][0].clone()
    }

    /// Waits until the agent's own metric is as wanted.
    fn counts(&self, metric: &str, wanted: impl Fn(f64) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let all = get(&self.metrics, "/metrics", &[]);
            let value = all
                .lines()
                .find_map(|line| line.strip_prefix(metric)?.trim().parse::<f64>().ok());
            if value.is_some_and(&wanted) {
                return;
            }
            assert!(Instant::now() < deadline, "{metric} is {value:?}");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

const EVERY_SECOND: &str = "[poll]\ninterval_seconds = 1\n";

#[test]
fn an_agent_follows_what_is_put_refuses_what_it_cannot_and_goes_on_alone() {
    let mut site = Site::start(3, "127.0.0.0/8");
    site.summary(|summary| summary["plans"][0]["state"] == "none_put");

    // Put while the stream is open.
    let first = format!("{EVERY_SECOND}{}", site.targets(&[0, 1], "lab"));
    assert_eq!(site.put(&first), "lab: revision 1; 2 targets, 0 ranges\n");
    site.summary(|summary| summary["elements"] == 2 && summary["reached"] == 2);
    site.stands("applied", 1);
    assert_eq!(site.put(&first), "lab: unchanged, revision 1 says the same\n");

    // One name that the agent does not know refuses the whole, and the first goes on.
    site.put(&format!("{first}{}", site.targets(&[2], "other")));
    let refused = site.stands("refused", 2);
    assert_eq!(refused["runs"], 1);
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("there is no credential \"other\""), "{reason}");
    let page = site.pages.get("/");
    assert!(
        page.contains("plan refused") && page.contains("2 refused: target"),
        "{page}"
    );
    let before = site.summary(|_| true)["reports"].as_u64().unwrap();
    let after = site.summary(|summary| summary["reports"].as_u64() >= Some(before + 4));
    assert_eq!((&after["elements"], &after["lost"]), (&2.into(), &0.into()));

    // One more target.
    let third = format!("{EVERY_SECOND}{}", site.targets(&[0, 1, 2], "lab"));
    site.put(&third);
    site.stands("applied", 3);
    site.summary(|summary| summary["reached"] == 3);
    let list = site.says("collector plan list --config collector.toml");
    assert!(
        list.contains("lab\trevision 3\t") && list.contains("\t3 applied\n"),
        "{list}"
    );
    let show = "collector plan show --config collector.toml --site lab";
    assert_eq!(site.says(&format!("{show} --revision 1")), first);
    assert_eq!(site.says(show), third);

    // Nobody to ask, and a restart: the last good plan is followed, reports wait and arrive.
    site.collector = None;
    site.agent = None;
    site.start_agent();
    site.counts("marque_agent_plan_revision", |n| n == 3.0);
    site.counts("marque_agent_targets", |n| n == 3.0);
    site.counts("marque_agent_spool_reports", |n| n >= 6.0);
    // Ages at each stage: what waits here was not sent and so is not waited for.
    site.counts("marque_agent_spool_oldest_seconds", |n| n > 0.0);
    site.counts("marque_agent_spool_unsent_oldest_seconds", |n| n > 0.0);
    site.counts("marque_agent_uplink_unacked_oldest_seconds", |n| n == 0.0);
    site.start_collector();
    let known = after["reports"].as_u64().unwrap();
    let whole = site.summary(|summary| summary["reports"].as_u64() >= Some(known + 6));
    assert_eq!((&whole["elements"], &whole["lost"]), (&3.into(), &0.into()));
    site.stands("applied", 3);
    site.counts("marque_agent_spool_unsent_oldest_seconds", |n| n == 0.0);
    let metrics = site.pages.get("/metrics");
    for stage in [
        "marque_collector_uncommitted_oldest_seconds ",
        "marque_collector_stage_oldest_seconds{stage=\"identify\"} ",
        "marque_collector_stage_oldest_seconds{stage=\"evaluate\"} ",
    ] {
        assert!(metrics.contains(stage), "{stage}: {metrics}");
    }
}

#[test]
fn a_plan_outside_of_what_the_operator_allows_is_refused() {
    let site = Site::start(1, "127.30.1.1/32");
    for (revision, text) in [
        (1, "[[target]]\naddress = \"127.30.1.2\"\ncredential = \"lab\"\n"),
        (2, "[[range]]\nprefix = \"127.30.1.0/30\"\ncredential = \"lab\"\n"),
    ] {
        site.put(text);
        let refused = site.stands("refused", revision);
        let reason = refused["reason"].as_str().unwrap();
        assert!(reason.contains("outside what this agent allows"), "{reason}");
        assert_eq!(refused["runs"], 0);
    }
    site.put(&format!("{EVERY_SECOND}{}", site.targets(&[0], "lab")));
    site.stands("applied", 3);
    site.summary(|summary| summary["reached"] == 1);
}

#[test]
fn who_answers_in_a_range_becomes_a_target_until_it_falls_silent() {
    let mut site = Site::start(4, "127.0.0.0/8");
    let addresses = site.addresses.clone();
    let text = format!(
        "{EVERY_SECOND}[discovery]\nsweep_seconds = 2\n{}[[range]]\nprefix = \"127.30.1.0/28\"\nport = {}\n\
         exclude = [\"{}\"]\ncredential = \"lab\"\n",
        site.targets(&[0], "lab"),
        addresses[0].port(),
        addresses[3].ip(),
    );
    site.put(&text);
    site.stands("applied", 1);
    site.summary(|summary| summary["reached"] == 3);
    // Of 14 addresses one is listed, one excluded, two answer: at ten the machine says that nobody is there.
    site.counts("marque_agent_discovery_unreachable_total", |n| n >= 10.0);
    let whole = |coverage: &Value| {
        let range = &coverage["sites"][0]["ranges"][0];
        let states = &range["states"];
        range["swept"].is_i64() && states["unreachable"] == 10 && coverage["funnel"]["polled"] == 3
    };
    let coverage = site.pages.ask("/api/v1/coverage?range=127.30.1.0/28", whole);
    let range = &coverage["sites"][0]["ranges"][0];
    let states = &range["states"];
    assert_eq!(
        (&states["engine"], &states["listed"], &states["excluded"]),
        (&2.into(), &1.into(), &3.into()),
        "{coverage}"
    );
    assert_eq!(range["funnel"]["in_scope"], 13);
    assert_eq!(coverage["runs"][0]["state"], "unreachable", "{coverage}");
    let page = site.pages.get("/coverage?range=127.30.1.0/28");
    assert!(
        page.contains("nobody takes SNMP there") && page.contains("127.30.1.0/28"),
        "{page}"
    );
    assert_eq!(
        site.summary(|_| true)["elements"],
        3,
        "the excluded one was left alone"
    );

    // What was found is kept: with nobody there to answer, only the file can tell.
    site.collector = None;
    site.agent = None;
    site.network = None;
    let found = std::fs::read(site.path().join("spool.plan.found")).unwrap();
    let found = String::from_utf8_lossy(&found).into_owned();
    let is_found = |n: usize| found.contains(&format!("{}\n", addresses[n]));
    assert_eq!([0, 1, 2, 3].map(is_found), [false, true, true, false], "{found}");
    site.start_agent();
    site.counts("marque_agent_targets", |n| n == 3.0);
    // Three silent sweeps later only the listed one is left.
    site.counts("marque_agent_targets", |n| n == 1.0);
}

#[test]
fn whom_a_neighbour_names_is_polled_inside_a_range_that_follows_and_proposed_outside() {
    let names = |address: &str| format!("1.0.8802.1.1.2.1.4.2.1.3.0.1.1.{address}|2|2\n");
    let objects = [
        "1.3.6.1.2.1.1.1.0|4|the first\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9.1.1\n1.3.6.1.2.1.1.3.0|67|5\n",
        // Followed; excluded; running and in no range; nowhere near.
        &names("1.4.127.30.1.2"),
        &names("1.4.127.30.1.3"),
        &names("1.4.127.30.1.4"),
        &names("1.4.203.0.113.9"),
        &names("2.16.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1"),
    ];
    let plan = Plan::small()
        .with_objects(&objects.concat(), "first", "core")
        .unwrap();
    let plan = ["named", "excluded", "outside"]
        .into_iter()
        .fold(plan, |plan, name| {
            plan.with("nokia-7750-sr7", name, "core", Behaviour::Normal)
        });
    let mut site = Site::over(plan, "127.0.0.0/8\", \"::1/128");
    let addresses: Vec<_> = site.addresses.iter().map(|at| at.ip().to_string()).collect();
    assert_eq!(
        addresses,
        ["127.30.1.1", "127.30.1.2", "127.30.1.3", "127.30.1.4"]
    );
    let port = site.addresses[0].port();
    let element = |site: &Site, n: usize| Arc::clone(&site.network.as_ref().unwrap().elements()[n]);
    // The second one has an address of IPv6 as well, where this machine has any.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let socket = runtime.block_on(tokio::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, port)));
    let found = if socket.is_ok() { 3 } else { 2 };
    if let Ok(socket) = socket {
        runtime.spawn(lab::element::serve(element(&site, 1), socket));
    }
    let range = |prefix: &str, more: &str| {
        format!("[[range]]\nprefix = \"{prefix}\"\nport = {port}\ncredential = \"lab\"\n{more}")
    };
    let named = "follow = true\nsweep = false\n";
    site.put(&format!(
        "{EVERY_SECOND}[plan]\nneighbours = [\"lldp\"]\n[discovery]\nsweep_seconds = 2\n{}{}{}{}",
        site.targets(&[0], "lab"),
        range("127.30.1.2/31", &format!("{named}exclude = [\"127.30.1.3\"]\n")),
        range("::1/128", named),
        range("127.30.2.0/30", ""),
    ));
    site.stands("applied", 1);
    site.summary(|summary| summary["reached"] == found);
    let of = |coverage: &Value, prefix: &str| -> Value {
        let ranges = coverage["sites"][0]["ranges"].as_array();
        let ranges = ranges.into_iter().flatten();
        ranges
            .clone()
            .find(|range| range["prefix"] == prefix)
            .cloned()
            .unwrap_or_default()
    };
    let whole = |coverage: &Value| {
        let (v4, v6) = (of(coverage, "127.30.1.2/31"), of(coverage, "::1/128"));
        let v6 = &v6["states"];
        v4["funnel"]["polled"] == 1
            && v4["states"]["engine"] == 1
            && (v6["engine"] == found - 2 || v6["unreachable"] == 3 - found)
            && !coverage["proposed"].as_array().unwrap().is_empty()
    };
    let coverage = site.pages.ask("/api/v1/coverage", whole);
    let v4 = of(&coverage, "127.30.1.2/31");
    assert_eq!(
        (&v4["named_only"], &v4["states"]["excluded"]),
        (&true.into(), &1.into())
    );
    assert_eq!(v4["funnel"]["in_scope"], 1, "{coverage}");
    let proposed = coverage["proposed"].as_array().unwrap();
    let proposed: Vec<_> = proposed.iter().map(|one| &one["address"]).collect();
    assert_eq!(proposed, ["203.0.113.9"], "{coverage}");
    let page = site.pages.get("/coverage");
    assert!(
        page.contains("127.30.1.2/31") && page.contains("named by neighbours"),
        "{page}"
    );
    for (n, name) in [(2, "excluded"), (3, "outside")] {
        let element = element(&site, n);
        assert_eq!(
            (element.name.as_str(), element.requests.load(Ordering::Relaxed)),
            (name, 0)
        );
        assert_eq!(element.octets[0].load(Ordering::Relaxed), 0, "{name}");
    }

    // With nobody there to name or answer, what was told is known over a restart.
    site.collector = None;
    site.agent = None;
    site.network = None;
    drop(runtime);
    let kept = std::fs::read(site.path().join("spool.plan.coverage")).unwrap();
    assert!(
        kept.windows(8)
            .any(|octets| octets == [127, 30, 1, 2, 127, 30, 1, 3])
    );
    site.start_agent();
    site.counts("marque_agent_targets", |n| n == f64::from(found));
    site.start_collector();
    let again = site.pages.ask("/api/v1/coverage", |coverage| {
        of(coverage, "127.30.1.2/31")["states"]["excluded"] == 1
    });
    assert_eq!(of(&again, "127.30.1.2/31")["named_only"], true);
}

#[test]
fn a_mistake_in_a_plan_is_told_with_its_place_and_nothing_is_put() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "c.toml",
        "[store]\npath = \"c.db\"\n[identity]\nfolder = \"id\"\n[[site]]\nname = \"lab\"\njurisdictions = []\n",
    );
    write("good.toml", "[poll]\ninterval_seconds = 60\n");
    write(
        "bad.toml",
        "[poll]\ninterval_seconds = 60\n[[target]]\naddress = \"router\"\ncredential = \"a\"\n",
    );
    for (words, code, expected) in [
        ("plan check bad.toml", 78, "bad.toml:4:11: "),
        ("plan check none.toml", 78, "none.toml: cannot be read"),
        (
            "plan put --config c.toml --site lab bad.toml",
            78,
            "bad.toml:4:11: ",
        ),
        (
            "plan put --config c.toml --site oslo good.toml",
            78,
            "no [[site]] is named oslo",
        ),
        (
            "plan show --config c.toml --site lab",
            1,
            "no plan was put for lab",
        ),
        (
            "plan show --config c.toml --site lab --revision 0",
            64,
            "0 is not in 1..",
        ),
        ("plan check good.toml", 0, ""),
        ("plan put --config c.toml --site lab good.toml", 0, ""),
        (
            "plan show --config c.toml --site lab --revision 2",
            1,
            "no plan of revision 2 was put for lab",
        ),
        ("plan list --config c.toml", 0, ""),
    ] {
        let words: Vec<&str> = ["collector"].into_iter().chain(words.split(' ')).collect();
        let output = run(folder.path(), &words);
        let complaint = complaint(&output);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {complaint}");
        assert!(complaint.contains(expected), "{words:?}: {complaint}");
    }
}

#[test]
fn whoever_told_an_engine_is_named_without_a_secret_and_two_addresses_of_it_are_one_box() {
    let mut site = Site::start(1, "127.0.0.0/8");
    let snmpd = tempfile::tempdir().unwrap();
    // It takes another community than the plan's.
    let told = Snmpd::at(snmpd.path(), "", &["127.0.0.2"]);
    site.put(&format!(
        "{EVERY_SECOND}[discovery]\nsweep_seconds = 2\n[[range]]\nprefix = \"127.0.0.0/30\"\nport = {}\n\
         credential = \"lab\"\n",
        told.address.port(),
    ));
    site.stands("applied", 1);
    let both = |coverage: &Value| coverage["engines"]["rows"][0]["count"] == 2;
    let coverage = site.pages.ask("/api/v1/coverage", both);
    let engines = &coverage["engines"];
    assert_eq!(
        (&engines["total"], engines["rows"].as_array().map(Vec::len)),
        (&1.into(), Some(1))
    );
    let one = &engines["rows"][0];
    // net-snmp's number, which is in equipment of many makers and names nobody.
    assert!(
        one["engine_id"].as_str().unwrap().starts_with("80001f88"),
        "{one}"
    );
    assert_eq!(
        (
            &one["kin"],
            &one["valid"],
            &one["enterprise"],
            &one["generic"],
            &one["maker"]
        ),
        (
            &"one_box".into(),
            &true.into(),
            &8072.into(),
            &true.into(),
            &Value::Null
        )
    );
    assert!(
        one["boots"].as_u64() >= Some(1) && one["started"].is_i64(),
        "{one}"
    );
    let addresses: Vec<_> = [0, 1]
        .map(|n| one["addresses"][n].clone())
        .into_iter()
        .map(|at| (at["address"].clone(), at["state"].clone(), at["polled"].clone()))
        .collect();
    let ignored = |address: &str| (address.into(), "ignored".into(), false.into());
    assert_eq!(addresses, [ignored("127.0.0.1"), ignored("127.0.0.2")]);
    let page = site.pages.get("/coverage?range=127.0.0.0/30");
    for words in [
        "one box on 2 addresses",
        "enterprise 8072: net-snmp",
        "127.0.0.1:",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }

    // What was told is not told again, and both ends keep it.
    let kept = std::fs::read(site.path().join("spool.plan.engines")).unwrap();
    site.agent = None;
    site.start_agent();
    site.counts("marque_agent_discovery_ignored_total", |n| n >= 4.0);
    assert_eq!(
        std::fs::read(site.path().join("spool.plan.engines")).unwrap(),
        kept
    );
    let seen =
        |coverage: &Value| [0, 1].map(|n| coverage["engines"]["rows"][0]["addresses"][n]["seen"].clone());
    assert_eq!(seen(&site.pages.ask("/api/v1/coverage", both)), seen(&coverage));
}
