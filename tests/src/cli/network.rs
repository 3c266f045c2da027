//! `lab network`: the simulated elements alone, for real tools to be tried on.

use crate::element::Behaviour;
use crate::network::{COMMUNITY, Network, Plan, catalogue, whole};
use crate::recording;
use std::path::{Path, PathBuf};

/// What stands in the network.
#[derive(Debug, clap::Args)]
pub struct NetworkArgs {
    /// UDP port of all elements; a free one if not given.
    #[arg(long)]
    snmp: Option<u16>,
    /// Serve one element with the objects of this recording (`OID|tag|value` lines) instead of the operator.
    #[arg(long)]
    recording: Vec<PathBuf>,
    /// Serve so many elements of a usual mix instead of the operator; for each line on standard
    /// input, tell requests and octets received and octets sent. Ends with standard input.
    #[arg(long, conflicts_with = "recording", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    mix: Option<u32>,
}

/// Starts the elements, tells where they are, and keeps them until Ctrl-C.
pub(super) async fn run(args: NetworkArgs) -> Result<(), String> {
    if let Some(elements) = args.mix {
        return counted(Plan::mix(elements), args.snmp).await;
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

/// Serves a plan, and tells of its traffic when asked.
async fn counted(plan: Plan, port: Option<u16>) -> Result<(), String> {
    let network = Network::start(plan, port).map_err(|e| collector::admin::chain(&e))?;
    let answering = tokio::task::spawn_blocking(move || {
        super::print(&network.port)?;
        for _asked in std::io::stdin().lines().map_while(Result::ok) {
            let [received, sent] = network.octets();
            super::print(&format_args!("{} {received} {sent}", network.requests()))?;
        }
        Ok(())
    });
    answering.await.map_err(|error| error.to_string())?
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
