//! The data folder: configurations as an operator would write them, and everything Marque keeps.

use super::{HouseError, Trial};
use crate::network::{COMMUNITY, Network, Plan, SiteEntry};
use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Who the operator is before the law of its three countries.
const OPERATOR_TAGS: [&str; 8] = [
    "de_contract_operator",
    "de_critical_operator",
    "eu_network_operator",
    "gb_directed_provider",
    "gb_public_provider",
    "gb_operator_advice",
    "au_carrier",
    "au_responsible_entity",
];

/// Private tables worth asking where their enterprise's arc answers: an operator's plan.
const PRIVATE_TABLES: [(u32, &[&str]); 9] = [
    (48690, &["1.3.6.1.4.1.48690.1", "1.3.6.1.4.1.48690.2.2.1"]),
    (7483, &["1.3.6.1.4.1.7483.2.2.7.3.1.3.1"]),
    (39165, &["1.3.6.1.4.1.39165.1"]),
    (50001, &["1.3.6.1.4.1.50001.1"]),
    (674, &["1.3.6.1.4.1.674.10892.5.1"]),
    (232, &["1.3.6.1.4.1.232.2.2"]),
    (318, &["1.3.6.1.4.1.318.1.1.1.1"]),
    (12148, &["1.3.6.1.4.1.12148.10.2", "1.3.6.1.4.1.12148.10.5.6"]),
    (9070, &["1.3.6.1.4.1.9070.1.2.3.1.5.1.1"]),
];

/// A folder of this name in the data is the operator's own knowledge.
const KNOWLEDGE: &str = "knowledge";
/// The file that holds the port of the elements.
const PORT: &str = "snmp.port";
/// The file that is locked as long as a house stands.
const LOCK: &str = "lab.lock";

/// What is chosen of an agent's configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuning {
    pub(super) interval_seconds: u64,
    pub(super) full_round_seconds: u64,
    pub(super) spool_quota_bytes: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Unlocked when closed, also by the end of the process.
    _lock: File,
    /// Removed with the house.
    _temporary: Option<TempDir>,
}

impl Folder {
    /// The given folder, made if absent, or a fresh temporary one.
    pub(super) fn new(data: Option<PathBuf>) -> Result<Self, HouseError> {
        let temporary = match data {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("marque-lab-")
                    .tempdir()
                    .map_err(at(&std::env::temp_dir()))?,
            ),
        };
        let root = match (&data, &temporary) {
            (Some(root), _) => root.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => PathBuf::new(),
        };
        std::fs::create_dir_all(&root).map_err(at(&root))?;
        let root = root.canonicalize().map_err(at(&root))?;
        let path = root.join(LOCK);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(HouseError::InUse { path: root }),
            Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
        }
        Ok(Self {
            root,
            _lock: lock,
            _temporary: temporary,
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The port of the elements when a house last stood on this data.
    pub(super) fn last_port(&self) -> Option<u16> {
        std::fs::read_to_string(self.path(PORT)).ok()?.trim().parse().ok()
    }

    /// What the operator declares about elements.
    pub(super) fn elements(&self, network: &Network) -> Result<(), HouseError> {
        self.write(PORT, &format!("{}\n", network.port))?;
        let path = self.path("elements.csv");
        let table = || -> Result<(), csv::Error> {
            let mut table = csv::Writer::from_path(&path)?;
            table.write_record([
                "site",
                "address",
                "name",
                "role",
                "generations",
                "tags",
                "acquired",
            ])?;
            for e in &network.plan.elements {
                let address = format!("{}:{}", e.address, network.port);
                table.write_record([
                    &e.site,
                    &address,
                    &e.name,
                    &e.role,
                    &e.generations,
                    &e.tags,
                    &e.acquired,
                ])?;
            }
            Ok(table.flush()?)
        };
        table().map_err(|error| at(&path)(error.into()))
    }

    pub(super) fn collector(
        &self,
        http: SocketAddr,
        grpc: SocketAddr,
        certificate_lifetime: &str,
        plan: &Plan,
        routes: &str,
        trial: Option<&Trial>,
    ) -> Result<PathBuf, HouseError> {
        let store = trial.map_or(self.root.as_path(), |trial| &trial.store);
        let shown = |name: &str| quoted(&self.path(name).to_string_lossy());
        let mut text = format!(
            "[store]\npath = {}\n\n[identity]\nfolder = {}\nagent_certificate_lifetime = {}\n\n[grpc]\nlisten = \"{grpc}\"\n\n[http]\nlisten = \"{http}\"\nplain = true\n",
            quoted(&store.join("collector.db").to_string_lossy()),
            shown("identity"),
            quoted(certificate_lifetime),
        );
        let tags = OPERATOR_TAGS.map(quoted).join(", ");
        let elements = shown("elements.csv");
        text.push_str(&format!(
            "\n[operator]\nname = \"Lab Telecom\"\ntags = [{tags}]\nelements = {elements}\n"
        ));
        let knowledge = self.path(KNOWLEDGE);
        if knowledge.is_dir() {
            text.push_str(&format!("\n[knowledge]\nfolder = {}\n", shown(KNOWLEDGE)));
        }
        for site in &plan.sites {
            let jurisdictions: Vec<String> = site.jurisdictions.iter().map(|code| quoted(code)).collect();
            let (name, title, codes) = (quoted(&site.name), quoted(&site.title), jurisdictions.join(", "));
            text.push_str(&format!(
                "\n[[site]]\nname = {name}\ntitle = {title}\njurisdictions = [{codes}]\nlatitude = {:?}\nlongitude = {:?}\n",
                site.latitude, site.longitude,
            ));
        }
        text.push_str(routes);
        self.write("collector.toml", &text)
    }

    /// What an agent enrols with; of no use to anyone afterwards.
    pub(super) fn token(&self, site: &str, token: &str) -> Result<PathBuf, HouseError> {
        self.write(&format!("agent-{site}.token"), token)
    }

    /// An agent's configuration, targets and community.
    pub(super) fn agent(
        &self,
        site: &SiteEntry,
        identity: &Path,
        grpc: SocketAddr,
        network: &Network,
        tuning: Tuning,
        trial: Option<&Trial>,
    ) -> Result<PathBuf, HouseError> {
        let name = format!("agent-{}", site.name);
        let mut targets = String::new();
        for element in network
            .plan
            .elements
            .iter()
            .filter(|element| element.site == site.name)
        {
            targets.push_str(&format!("{}:{}\n", element.address, network.port));
        }
        let targets = self.write(&format!("{name}.targets"), &targets)?;
        let community = self.write("community", COMMUNITY)?;
        let spools = trial.map_or(self.root.as_path(), |trial| &trial.spools);
        let spool = spools.join(format!("{name}.redb"));
        let collector = trial
            .and_then(|trial| trial.through.get(&site.name))
            .unwrap_or(&grpc);
        let reconnect = trial.map_or(String::new(), |trial| {
            format!("reconnect_max_seconds = {}\n", trial.reconnect_max_seconds)
        });
        let shown = |path: &Path| quoted(&path.to_string_lossy());
        let interval_seconds = tuning.interval_seconds;
        let full_round_seconds = tuning.full_round_seconds;
        let quota = tuning.spool_quota_bytes;
        let quota = quota.map_or(String::new(), |bytes| format!("quota_bytes = {bytes}\n"));
        let mut text = format!(
            "[collector]\naddress = \"https://{collector}\"\nidentity = {}\n{reconnect}\n[spool]\npath = {}\n{quota}\n\
             [poll]\ninterval_seconds = {interval_seconds}\nfull_round_seconds = {full_round_seconds}\ntimeout_ms = 1000\nretries = 2\nelement_deadline_seconds = 25\n\n\
             [[credential]]\nname = \"lab\"\ncommunity = {{ file = {} }}\n\n\
             [[target_file]]\npath = {}\ncredential = \"lab\"\n",
            shown(identity),
            shown(&spool),
            shown(&community),
            shown(&targets),
        );
        for (arc, walk) in PRIVATE_TABLES {
            let _infallible = write!(text, "\n[[plan.if_arc]]\narc = {arc}\nwalk = {walk:?}\n");
        }
        self.write(&format!("{name}.toml"), &text)
    }

    /// Puts a file in place as a whole: a process that reads it sees the old one or the new one.
    fn write(&self, name: &str, text: &str) -> Result<PathBuf, HouseError> {
        let path = self.path(name);
        let new = self.path(&format!("{name}.new"));
        std::fs::write(&new, text).map_err(at(&new))?;
        std::fs::rename(&new, &path).map_err(at(&path))?;
        Ok(path)
    }
}

/// A TOML basic string, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> HouseError {
    let path = path.to_owned();
    move |source| HouseError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Behaviour;
    use agent::config::Loaded;
    use collector::config::Config;

    #[test]
    fn both_programs_take_what_is_written() {
        let folder = Folder::new(None).unwrap();
        let plan = Plan::small()
            .with("axis-p3265", "one", "video", Behaviour::Normal)
            .with("axis-p3265", "two", "video", Behaviour::Normal);
        let network = Network::start(plan, None).unwrap();
        let address: SocketAddr = "127.0.0.1:7443".parse().unwrap();
        folder.elements(&network).unwrap();
        assert_eq!(folder.last_port(), Some(network.port));

        let config = Config::read(
            &folder
                .collector(address, address, "7d", &network.plan, "", None)
                .unwrap(),
        )
        .unwrap();
        assert_eq!(config.site.len(), 1);
        assert_eq!(config.grpc.listen, address);
        let declared = collector::declare::read(&config.operator.elements.unwrap()).unwrap();
        assert_eq!(declared.len(), 2);

        let pem = folder.path("agent-lab.pem");
        let (config, out) = (folder.path("collector.toml"), pem.clone());
        let words =
            ["collector", "agent", "certificate", "--site", "lab", "--config"].map(std::ffi::OsString::from);
        collector::cli::run(
            words
                .into_iter()
                .chain([config.into(), "--out".into(), out.into()]),
        );
        let site = &network.plan.sites[0];
        let tuning = Tuning {
            interval_seconds: 30,
            full_round_seconds: 3_600,
            spool_quota_bytes: Some(2 << 20),
        };
        let agent =
            Loaded::read(&folder.agent(site, &pem, address, &network, tuning, None).unwrap()).unwrap();
        assert_eq!(agent.config.spool.quota_bytes, 2 << 20);
        let polled: Vec<String> = agent
            .assignments
            .iter()
            .map(|a| a.target.address().to_string())
            .collect();
        let expected = ["127.30.7.1", "127.30.7.2"].map(|address| format!("{address}:{}", network.port));
        assert_eq!(polled, expected);
    }

    #[test]
    fn two_houses_do_not_share_a_folder() {
        let parent = tempfile::tempdir().unwrap();
        let open = || Folder::new(Some(parent.path().join("data")));
        let first = open().unwrap();
        let second = open().unwrap_err();
        assert!(
            matches!(&second, HouseError::InUse { path } if path == first.root()),
            "{second}"
        );
        drop(first);
        assert!(open().is_ok());
    }

    #[test]
    fn quotes_as_toml_does() {
        assert_eq!(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\n\"");
    }
}
