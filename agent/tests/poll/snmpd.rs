//! net-snmp's snmpd, started for one test.

use crate::Ends;
use agent::credential::Credential;
use agent::credential::user::{Password, User};
use async_snmp::{AuthProtocol, PrivProtocol};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Passwords of every user of every test here.
pub const AUTH: &str = "authentic1";
pub const PRIVACY: &str = "privately1";

/// A running snmpd; ended with the value.
pub struct Snmpd {
    running: Option<Ends>,
    /// On both loopback addresses.
    pub port: u16,
    folder: PathBuf,
}

impl Snmpd {
    /// At a free port, with the lines of `further` in its configuration.
    pub fn start(folder: &Path, further: &str) -> Self {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut snmpd = Self {
            running: None,
            port,
            folder: folder.to_owned(),
        };
        snmpd.restart(further);
        snmpd
    }

    /// With the signal that lets it write down its boots.
    pub fn stop(&mut self) {
        if let Some(mut ends) = self.running.take() {
            let pid = ends.0.id().to_string();
            assert!(Command::new("kill").arg(pid).status().unwrap().success());
            ends.0.wait().unwrap();
        }
    }

    /// Again at the same port; boots are counted on in the same folder.
    pub fn restart(&mut self, further: &str) {
        self.stop();
        let config = self.folder.join("snmpd.conf.test");
        let text = "rocommunity hunter2\nrocommunity6 hunter2\nsysLocation Under the stairs\n\
                    sysContact +49 30 1234\n\
                    override 1.3.6.1.2.1.47.1.1.1.1.11.1 octet_str \"SN-1\"\n\
                    override 1.3.6.1.2.1.47.1.1.1.1.11.2 octet_str \"SN-2\"\n\
                    override 1.3.6.1.2.1.47.1.1.1.1.13.1 octet_str \"Model\"\n";
        std::fs::write(&config, format!("{text}{further}")).unwrap();
        let port = self.port;
        let started = Command::new("snmpd")
            .args(["-f", "-Ln", "-c"])
            .arg(&config)
            .arg(format!("udp:127.0.0.1:{port},udp6:[::1]:{port}"))
            .env("SNMP_PERSISTENT_DIR", &self.folder)
            // Nothing of the machine's own, only what was persisted.
            .env("SNMPCONFPATH", &self.folder)
            .env("MIBS", "")
            .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap()))
            .stderr(Stdio::null())
            .spawn()
            .expect("net-snmp's snmpd is installed");
        self.running = Some(Ends(started));
        let answers = (0..100)
            .any(|_| crate::poll(&self.target(), &["--profile", "inventory"])["completeness"] == "complete");
        assert!(answers, "snmpd began to answer");
    }

    /// Where it is.
    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn password<P>(protocol: Option<P>, secret: &str) -> Option<Password<P>> {
    Some(Password {
        protocol: protocol?,
        secret: secret.into(),
        origin: "here".to_owned(),
    })
}

/// A user with the passwords of the tests.
pub fn user(name: &str, auth: Option<AuthProtocol>, privacy: Option<PrivProtocol>) -> Credential {
    user_with(
        name,
        auth.map(|auth| (auth, AUTH)),
        privacy.map(|privacy| (privacy, PRIVACY)),
        "",
    )
}

/// A user with others, and in a context.
pub fn user_with(
    name: &str,
    auth: Option<(AuthProtocol, &str)>,
    privacy: Option<(PrivProtocol, &str)>,
    context: &str,
) -> Credential {
    let auth = auth.and_then(|(protocol, secret)| password(Some(protocol), secret));
    let privacy = privacy.and_then(|(protocol, secret)| password(Some(protocol), secret));
    Credential::user(User::new(name, auth.as_ref(), privacy.as_ref(), context).unwrap())
}
