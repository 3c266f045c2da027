//! Marque's programs and net-snmp's as processes of a test: each ends with the test.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The `lab` binary, which is agent and collector too.
pub const LAB: &str = env!("CARGO_BIN_EXE_lab");

/// How long anything may take before the test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed when it is dropped.
pub struct Running(Child);

impl Running {
    /// Starts `lab WORDS…` in `folder`.
    pub fn start(folder: &Path, words: &[&str]) -> Self {
        let child = Command::new(LAB)
            .args(words)
            .current_dir(folder)
            .env(lab::house::LEAVE_WITH_PARENT, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// The first line on its standard output.
    pub fn first_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        line
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `lab WORDS…` to its end.
pub fn run(folder: &Path, words: &[&str]) -> Output {
    Command::new(LAB)
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Standard error of a finished process.
pub fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A UDP port of loopback that was free a moment ago.
pub fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// net-snmp's agent on a port of its own, ready to answer.
pub struct Snmpd {
    _process: Running,
    /// Where it answers.
    pub address: SocketAddr,
}

impl Snmpd {
    /// Starts snmpd with these lines of configuration; the community is `public`.
    pub fn start(folder: &Path, lines: &str) -> Self {
        Self::at(folder, lines, &[])
    }

    /// The same on further addresses of this machine, at the same port.
    pub fn at(folder: &Path, lines: &str, further: &[&str]) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_udp_port()));
        let config = folder.join("snmpd.conf");
        std::fs::write(&config, format!("rocommunity public 127.0.0.1\n{lines}\n")).unwrap();
        let child = Command::new("/usr/sbin/snmpd")
            .args(["-f", "-r", "-Lo", "-C", "-c"])
            .arg(&config)
            .arg(format!("udp:{address}"))
            .args(further.iter().map(|at| format!("udp:{at}:{}", address.port())))
            .env("SNMP_PERSISTENT_DIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("snmpd is installed by tests/run");
        let started = Self {
            _process: Running(child),
            address,
        };
        started.wait();
        started
    }

    /// Asks for sysUpTime until it answers.
    fn wait(&self) {
        let answers = || {
            Command::new("snmpget")
                .args([
                    "-v2c",
                    "-cpublic",
                    "-r0",
                    "-t1",
                    &self.address.to_string(),
                    "1.3.6.1.2.1.1.3.0",
                ])
                .output()
                .is_ok_and(|output| output.status.success())
        };
        assert!((0..30).any(|_| answers()), "snmpd answers");
    }
}
