//! `lab network`: the simulated elements alone, for real tools to be tried on.

use crate::element::Behaviour;
use crate::network::{COMMUNITY, Network, Plan, catalogue, crowd, whole};
use crate::recording;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What stands in the network.
#[derive(Debug, clap::Args)]
pub struct NetworkArgs {
    /// UDP port of all elements; a free one if not given.
    #[arg(long)]
    snmp: Option<u16>,
    /// Serve one element with the objects of this recording (`OID|tag|value` lines) instead of the operator.
    #[arg(long)]
    recording: Vec<PathBuf>,
    /// Serve so many elements of a usual mix behind one socket instead of the operator. The first line tells their
    /// UDP port and a TCP port on 127.0.0.1: each line there is answered with requests and octets received and octets
    /// sent by elements, requests to addresses without one, and how many of these had the community in them. Ends
    /// with standard input.
    #[arg(long, conflicts_with = "recording", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    mix: Option<u32>,
    /// With --mix: milliseconds that each answer takes.
    #[arg(long, requires = "mix", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    latency: u64,
    /// With --mix: of a hundred elements so many are dead or hostile.
    #[arg(long, requires = "mix", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=50))]
    hostile: u32,
    /// With --mix: elements know a user of version 3 too, with SHA-1 and AES-128.
    #[arg(long, requires = "mix")]
    users: bool,
    /// With --mix: one element at every hundredth address of 127.41.0.0/16, nobody at the others.
    #[arg(long, requires = "mix")]
    sparse: bool,
}

/// Starts the elements, tells where they are, and keeps them until Ctrl-C.
pub(super) async fn run(args: NetworkArgs) -> Result<(), String> {
    if let Some(elements) = args.mix {
        let spec = crowd::Spec {
            elements,
            sparse: args.sparse,
            latency: Duration::from_millis(args.latency),
            hostile: args.hostile,
            users: args.users,
        };
        return counted(spec, args.snmp).await;
    }
    let plan = if args.recording.is_empty() {
        whole()?
    } else {
        args.recording
            .iter()
            .try_fold(Plan::small(), |plan, file| recorded(plan, file))?
    };
    let network = Network::start(plan, args.snmp).map_err(|e| collector::admin::chain(&e))?;
    super::print(&listing(&network))?;
    super::interrupted().await;
    Ok(())
}

/// Serves elements of the mix, and tells of their traffic when asked.
async fn counted(spec: crowd::Spec, port: Option<u16>) -> Result<(), String> {
    let crowd = Arc::new(crowd::Crowd::start(spec, port).map_err(|e| collector::admin::chain(&e))?);
    let desk = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let counts = desk.local_addr().map_err(|error| error.to_string())?.port();
    super::print(&format_args!("{} {counts}", crowd.port))?;
    std::thread::spawn(move || {
        for asking in desk.incoming().flatten() {
            let crowd = Arc::clone(&crowd);
            std::thread::spawn(move || tell(&crowd, &asking));
        }
    });
    let ending = tokio::task::spawn_blocking(|| {
        std::io::stdin().lines().map_while(Result::ok).for_each(drop);
    });
    ending.await.map_err(|error| error.to_string())
}

/// Answers each line until nobody listens any more.
fn tell(crowd: &crowd::Crowd, mut asking: &TcpStream) {
    for _asked in BufReader::new(asking).lines().map_while(Result::ok) {
        let crowd::Traffic {
            requests: [requests, strangers],
            octets: [received, sent],
            told,
        } = crowd.traffic();
        if writeln!(asking, "{requests} {received} {sent} {strangers} {told}").is_err() {
            return;
        }
    }
}

/// The plan with one more element, which shows what a file recorded.
fn recorded(plan: Plan, file: &Path) -> Result<Plan, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
    for line in recording::generated(&text) {
        super::note(&format_args!(
            "lab: {shown}:{line}: passed over, a simulator makes its value"
        ));
    }
    let name = file
        .file_stem()
        .map_or_else(|| "recording".into(), |stem| stem.to_string_lossy());
    plan.with_objects(&text, &name, "other")
        .map_err(|why| format!("{shown}: {why}"))
}

/// One line an element, and how to ask it.
fn listing(network: &Network) -> String {
    let mut lines = vec!["# address\tport\tname\tsite\tkind\tobjects\tbehaviour".to_owned()];
    let port = network.port;
    for (element, placed) in network.elements().iter().zip(&network.plan.elements) {
        let kind = placed.kind(&catalogue().0).map_or("?", |kind| &kind.key);
        let (address, name, site, objects) =
            (element.address, &element.name, &placed.site, element.view.len());
        let behaviour = match element.behaviour {
            Behaviour::Normal => String::new(),
            other => format!("{other:?}"),
        };
        lines.push(format!(
            "{address}\t{port}\t{name}\t{site}\t{kind}\t{objects}\t{behaviour}"
        ));
    }
    let (elements, objects) = (network.elements().len(), network.objects());
    lines.push(format!(
        "# {elements} elements, {objects} objects, SNMP v1 and v2c, community {COMMUNITY}"
    ));
    if let Some(first) = network.elements().first() {
        lines.push(format!(
            "# try: snmpbulkwalk -v2c -c {COMMUNITY} {}:{port} 1.3.6.1.2.1",
            first.address
        ));
    }
    lines.push("# Ctrl-C ends it".to_owned());
    lines.join("\n")
}
