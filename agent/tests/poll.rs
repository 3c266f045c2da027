//! The program from the outside: against net-snmp's snmpd, against elements that
//! misbehave, and through kill -9.

// So that the lints know the helpers for tests too.
#![cfg(test)]

mod poll {
    mod engines;
    mod interrupted;
    mod large;
    mod notified;
    mod peer;
    mod refusals;
    pub mod rounds;
    mod secrets;
    pub mod snmpd;
    pub mod spoken;
    mod strange;
    mod versions;
}

use agent::credential::Credential;
use agent::plan::{IfArc, Plan, Profile, oid};
use agent::poll::socket::{Patience, Sockets};
use agent::poll::wire::{self, Version};
use agent::poll::{Extent, Learned, Limits, Room, Round};
use agent::report::Report;
use async_snmp::ber::EncodeBuf;
use poll::snmpd::Snmpd;
use prost::bytes::Bytes;
use proto::v1::{Outcome, QuestionKind};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const COMMUNITY: &[u8] = b"hunter2";
const SYS_DESCR: &str = "1.3.6.1.2.1.1.1.0";
const PATIENCE: Duration = Duration::from_secs(30);

fn marque_agent(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_marque-agent"))
        .args(args)
        .env("MARQUE_COMMUNITY", "hunter2")
        .output()
        .unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    assert!(!text.contains("hunter2") && !String::from_utf8_lossy(&output.stderr).contains("hunter2"));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn poll(target: &str, further: &[&str]) -> Value {
    let mut args = vec!["poll", target, "--timeout-ms", "300", "--retries", "1"];
    args.extend(further);
    let output = marque_agent(&args);
    assert!(output.status.success(), "{output:?}");
    lines(&output).pop().unwrap()
}

fn outcomes(report: &Value) -> Vec<&str> {
    let observations = report["observations"].as_array().unwrap();
    observations
        .iter()
        .map(|one| one["outcome"].as_str().unwrap())
        .collect()
}

/// Ends what was started, whatever happens to the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_element_is_read_in_full_and_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let snmpd = Snmpd::start(folder.path(), "");
    let port = snmpd.port;
    let (v4, v6) = (format!("127.0.0.1:{port}"), format!("[::1]:{port}"));
    let output = marque_agent(&["poll", &v4, &v6]);
    assert!(output.status.success());
    let reports = lines(&output);
    assert_eq!(reports.len(), 2);
    for report in &reports {
        assert_eq!(report["completeness"], "complete");
        assert_eq!(
            outcomes(report),
            [
                "complete", "complete", "complete", "complete", "complete", "redacted"
            ]
        );
    }
    assert_eq!(reports[0]["evidence_digest"], reports[1]["evidence_digest"]);
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("49 30 1234"),
        "the contact stays at the site"
    );

    let report = reports.iter().find(|report| report["target"] == v6).unwrap();
    let varbinds = |at: usize| report["observations"][at]["varbinds"].as_array().unwrap();
    let location = varbinds(0)
        .iter()
        .find(|one| one["oid"] == "1.3.6.1.2.1.1.6.0")
        .unwrap();
    assert_eq!(location["text"], "Under the stairs");
    assert_eq!(location["value"], "556e6465722074686520737461697273");
    let entity: Vec<_> = varbinds(1)
        .iter()
        .map(|one| one["text"].as_str().unwrap())
        .collect();
    assert_eq!(entity, ["SN-1", "SN-2", "Model"]);
    assert!(
        varbinds(2).len() >= 2,
        "the loopback interface has a name and an address"
    );
    let arc = |one: &Value| one["oid"].as_str().and_then(|oid| oid.split('.').nth(6)) == Some("8072");
    assert!(varbinds(4).iter().any(arc), "{report}");
    assert_eq!(report["readings"][0]["oid"], "1.3.6.1.2.1.1.3.0");
    let inventory = poll(&v4, &["--profile", "inventory"]);
    assert_eq!(
        outcomes(&inventory),
        ["complete", "complete", "complete", "complete", "redacted"]
    );
    // A wrong community is silence.
    let file = folder.path().join("wrong");
    std::fs::write(&file, "wrong").unwrap();
    let wrong = marque_agent(&[
        "poll",
        &v4,
        "--community-file",
        file.to_str().unwrap(),
        "--timeout-ms",
        "50",
        "--retries",
        "1",
    ]);
    assert_eq!(lines(&wrong)[0]["completeness"], "unreachable");
}

fn limits(deadline: Duration) -> Limits {
    Limits {
        max_repetitions: 10,
        max_rows: 1000,
        max_value_bytes: 1000,
        max_evidence_bytes: 100_000,
        deadline,
        packets_per_second: 0,
        max_requests: 10_000,
        resume: Duration::from_secs(3_600),
    }
}

/// One round without the program around it.
fn round(target: &str, plan: &Plan, limits: &Limits) -> Round {
    round_at(target, plan, limits, 0)
}

/// The same, at so many packets a second.
fn round_at(target: &str, plan: &Plan, limits: &Limits, rate: u32) -> Round {
    let credential = Credential::community(Version::V2c, "hunter2".into(), "here").unwrap();
    let mut agent = Agent::new(rate);
    agent.round(target, &credential, plan, limits, &mut Learned::nothing(limits))
}

/// Sockets and what runs them.
struct Agent {
    runtime: tokio::runtime::Runtime,
    sockets: Sockets,
    patience: Patience,
}

impl Agent {
    fn new(rate: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let sockets = runtime.block_on(async { Sockets::open(1, rate).unwrap() });
        let patience = Patience {
            first_contact: Duration::from_secs(1),
            retries: 2,
        };
        Self {
            runtime,
            sockets,
            patience,
        }
    }

    fn round(
        &mut self,
        target: &str,
        credential: &Credential,
        plan: &Plan,
        limits: &Limits,
        learned: &mut Learned,
    ) -> Round {
        self.round_to(target, credential, plan, limits, learned, Extent::Full)
    }

    fn round_to(
        &mut self,
        target: &str,
        credential: &Credential,
        plan: &Plan,
        limits: &Limits,
        learned: &mut Learned,
        extent: Extent,
    ) -> Round {
        self.runtime.block_on(async {
            let deadline = tokio::time::Instant::now() + limits.deadline;
            let target = target.parse().unwrap();
            let conversation = self.sockets.converse(target, credential, self.patience, deadline);
            let round = (extent, std::time::SystemTime::now(), &mut Room::alone());
            agent::poll::round(conversation, plan, limits, learned, round).await
        })
    }
}

#[test]
fn an_arc_that_is_seen_is_walked() {
    let folder = tempfile::tempdir().unwrap();
    let snmpd = Snmpd::start(folder.path(), "");
    let port = snmpd.port;
    let mut plan = Plan::of(Profile::Full);
    let walk = |text| vec![oid::parse(text).unwrap()];
    plan.if_arc = vec![
        IfArc {
            arc: 8072,
            walk: walk("1.3.6.1.4.1.8072.1.2"),
            addresses: Vec::new(),
        },
        IfArc {
            arc: 99_999,
            walk: walk("1.3.6.1.4.1.99999.1"),
            addresses: Vec::new(),
        },
    ];
    let limits = Limits {
        max_rows: 25,
        ..limits(Duration::from_secs(20))
    };
    let round = round(&format!("127.0.0.1:{port}"), &plan, &limits);
    assert_eq!(
        round.observations.len(),
        plan.questions.len() + 1,
        "only the arc that is there"
    );
    let last = round.observations.last().unwrap();
    assert_eq!(
        (last.kind(), last.outcome()),
        (QuestionKind::Walk, Outcome::Truncated)
    );
    assert_eq!(last.varbinds.len(), 25);
}

/// Where the tag of the request stands.
fn tag_at(request: &[u8]) -> usize {
    let community = request
        .windows(COMMUNITY.len())
        .position(|part| part == COMMUNITY)
        .unwrap();
    community + COMMUNITY.len()
}

/// Turns a request into a response of the same bindings, all of them NULL.
fn echo(request: &[u8]) -> Vec<u8> {
    let mut response = request.to_vec();
    response[tag_at(request)] = 0xa2;
    response
}

fn answer(community: &[u8], id: i32, bindings: &[(Bytes, Vec<u8>)]) -> Vec<u8> {
    let mut buf = EncodeBuf::new();
    buf.push_sequence(|buf| {
        buf.push_constructed(0xa2, |buf| {
            buf.push_sequence(|buf| {
                for (name, value) in bindings.iter().rev() {
                    buf.push_sequence(|buf| {
                        buf.push_octet_string(value)?;
                        buf.push_bytes(name);
                        buf.push_length(name.len())?;
                        buf.push_tag(6);
                        Ok(())
                    })?;
                }
                Ok(())
            })?;
            buf.push_integer(0);
            buf.push_integer(0);
            buf.push_integer(id);
            Ok(())
        })?;
        buf.push_octet_string(community)?;
        buf.push_integer(1);
        Ok(())
    })
    .unwrap();
    buf.finish_vec()
}

/// An element that answers each request with these datagrams.
fn element(mut behave: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut buffer = [0; 65_535];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            for datagram in behave(&buffer[..length]) {
                let _ = socket.send_to(&datagram, from);
            }
        }
    });
    address
}

#[test]
fn what_is_no_target_is_said_and_the_rest_is_polled() {
    let element = element(|request| vec![echo(request)]);
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    std::fs::write(&list, format!("# these\n{element}\nnonsense\n")).unwrap();
    let output = marque_agent(&["poll", "--targets", list.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output).len(), 1);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("list: line 3: \"nonsense\" is no address"),
        "{said}"
    );
    assert_eq!(marque_agent(&["poll"]).status.code(), Some(1));
    assert_eq!(marque_agent(&["walk"]).status.code(), Some(64));
}

#[test]
fn a_reader_that_leaves_ends_the_command_quietly() {
    let element = element(|request| vec![echo(request)]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_marque-agent"))
        .args(["poll", &element])
        .env("MARQUE_COMMUNITY", "hunter2")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(said.is_empty(), "{said}");
}

/// A configuration with one element, a collector that is not there, and metrics.
fn configuration(folder: &Path, element: &str) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    let uri = format!("spiffe://marque/site/berlin/agent/{}", uuid::Uuid::now_v7());
    params.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().unwrap())];
    let certificate = params.self_signed(&key).unwrap().pem();
    std::fs::write(
        folder.join("agent.pem"),
        format!("{}{certificate}{certificate}", key.serialize_pem()),
    )
    .unwrap();
    std::fs::write(folder.join("community"), "hunter2").unwrap();
    let (address, port) = element.rsplit_once(':').unwrap();
    let file = folder.join("agent.toml");
    let text = format!(
        "[collector]\naddress = 'https://127.0.0.1:1'\nidentity = 'agent.pem'\n[spool]\npath = 'spool'\n\
         [poll]\ninterval_seconds = 1\n[admin]\nlisten = '127.0.0.1:0'\n\
         [[credential]]\nname = 'a'\ncommunity = {{ file = 'community' }}\n\
         [[target]]\naddress = '{address}'\nport = {port}\ncredential = 'a'\n"
    );
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn run(config: &str) -> (Ends, mpsc::Receiver<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_marque-agent"))
        .args(["run", "--config", config])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (said, log) = mpsc::channel();
    std::thread::spawn(move || {
        stderr
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| said.send(line))
    });
    (Ends(child), log)
}

fn wait_for(log: &mpsc::Receiver<String>, text: &str) -> String {
    loop {
        let line = log
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("never said {text:?}"));
        if line.contains(text) {
            return line;
        }
    }
}

fn metric(address: &str, name: &str) -> f64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(!text.contains("hunter2"));
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0.0, |value| value.trim().parse().unwrap())
}

#[test]
fn kept_reports_survive_kill_9_and_a_signal_ends_cleanly() {
    let (asked, rounds) = mpsc::channel();
    let element = element(move |request| {
        let _ = asked.send(());
        vec![echo(request)]
    });
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), &element);
    let (mut first, log) = run(&config);
    let serving = wait_for(&log, "serving metrics");
    let address = serving.split("address=").nth(1).unwrap().trim().to_owned();
    let kept = loop {
        rounds
            .recv_timeout(PATIENCE)
            .expect("polling goes on without a collector");
        let kept = metric(&address, "marque_agent_spool_reports");
        if kept >= 2.0 {
            break kept as u64;
        }
    };
    let second = marque_agent(&["run", "--config", &config]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("spool is in use by another process"));
    first.0.kill().unwrap();
    first.0.wait().unwrap();

    let (mut again, log) = run(&config);
    let started = wait_for(&log, "agent starts");
    let waiting = started
        .split("spool.waiting=")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(waiting.parse::<u64>().unwrap() >= kept, "{started}");
    let pid = again.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    wait_for(&log, "agent ended");
    assert!(again.0.wait().unwrap().success());
}

#[test]
fn a_broken_configuration_is_one_line_and_code_78() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "127.0.0.1:161");
    assert!(marque_agent(&["check-config", &config]).status.success());
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("interval_seconds = 1", "interval_seconds = 0"),
    )
    .unwrap();
    for command in [&["check-config", &config][..], &["run", "--config", &config]] {
        let output = marque_agent(command);
        assert_eq!(output.status.code(), Some(78));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            said,
            format!("marque-agent: {config}:7: interval_seconds: must be 1 to 31536000\n")
        );
    }
    // The address for metrics is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen = '{}'", taken.local_addr().unwrap());
    std::fs::write(&config, text.replace("listen = '127.0.0.1:0'", &listen)).unwrap();
    let output = marque_agent(&["run", "--config", &config]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.lines()
            .last()
            .unwrap()
            .starts_with("marque-agent: cannot listen at 127.0.0.1:"),
        "{said}"
    );
}

#[test]
fn a_reader_that_leaves_early_ends_all_rounds() {
    let (asked, requests) = mpsc::channel();
    let quick = element(|request| vec![echo(request)]);
    let late = element(|request| vec![echo(request)]);
    // Silent for an hour, were it not for the reader.
    let silent = element(move |_| {
        let _ = asked.send(());
        Vec::new()
    });
    let mut child = Ends(
        Command::new(env!("CARGO_BIN_EXE_marque-agent"))
            .args(["poll", &silent, &quick, &late])
            .env("MARQUE_COMMUNITY", "hunter2")
            .args(["--timeout-ms", "60000", "--retries", "10"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    drop(child.0.stdout.take());
    requests.recv_timeout(PATIENCE).unwrap();
    let (ends, ended) = mpsc::channel();
    let mut stderr = child.0.stderr.take().unwrap();
    std::thread::spawn(move || ends.send(stderr.read_to_end(&mut Vec::new()).map(drop)));
    ended.recv_timeout(PATIENCE).expect("it ends").unwrap();
    assert!(child.0.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn standard_error_that_fails_ends_nothing() {
    let (asked, requests) = mpsc::channel();
    let element = element(move |request| {
        let _ = asked.send(());
        vec![echo(request)]
    });
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), &element);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = Ends(
        Command::new(env!("CARGO_BIN_EXE_marque-agent"))
            .args(["run", "--config", &config])
            .stderr(full)
            .spawn()
            .unwrap(),
    );
    // It said that it starts, in vain, and polls.
    requests.recv_timeout(PATIENCE).expect("it polls");
    let pid = child.0.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}
