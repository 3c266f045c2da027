//! The elements that are polled, in a process of their own, and what they counted.

use super::{BenchError, Spec};
use std::net::Ipv4Addr;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, ChildStdin, Command};

/// Elements of `lab network --mix`, and the line to their counts.
pub(super) struct Elements {
    /// Ends with its standard input; [`None`] if somebody else started it.
    child: Option<(Child, ChildStdin)>,
    ask: OwnedWriteHalf,
    told: Lines<BufReader<OwnedReadHalf>>,
    pub(super) port: u16,
}

/// What elements counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    pub(super) requests: u64,
    pub(super) octets: [u64; 2],
}

impl Traffic {
    /// What came since an earlier count.
    pub(super) fn since(self, earlier: Self) -> Self {
        let [received, sent] = self.octets;
        let [before_received, before_sent] = earlier.octets;
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            octets: [
                received.saturating_sub(before_received),
                sent.saturating_sub(before_sent),
            ],
        }
    }
}

impl Elements {
    /// Starts them, or goes to those that run already.
    pub(super) async fn start(spec: &Spec) -> Result<Self, BenchError> {
        let (child, [port, counts]) = match spec.at {
            Some(at) => (None, at),
            None => {
                let (child, at) = launch(spec).await?;
                (Some(child), at)
            }
        };
        let (told, ask) = TcpStream::connect((Ipv4Addr::LOCALHOST, counts))
            .await?
            .into_split();
        Ok(Self {
            child,
            ask,
            told: BufReader::new(told).lines(),
            port,
        })
    }

    pub(super) async fn traffic(&mut self) -> Result<Traffic, BenchError> {
        self.ask.write_all(b"\n").await?;
        let line = self.told.next_line().await?.unwrap_or_default();
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        match numbers.as_slice() {
            [requests, received, sent, ..] => Ok(Traffic {
                requests: *requests,
                octets: [*received, *sent],
            }),
            _ => Err(BenchError::Unexpected(format!("the elements said {line:?}"))),
        }
    }

    pub(super) async fn stop(self) -> Result<(), BenchError> {
        if let Some((mut child, stdin)) = self.child {
            drop(stdin);
            child.wait().await?;
        }
        Ok(())
    }
}

async fn launch(spec: &Spec) -> Result<((Child, ChildStdin), [u16; 2]), BenchError> {
    let crowd = &spec.crowd;
    let mut command = Command::new(&spec.binary);
    command.args(["network", "--mix", &crowd.elements.to_string()]);
    command.args(["--latency", &crowd.latency.as_millis().to_string()]);
    command.args(["--hostile", &crowd.hostile.to_string()]);
    if crowd.users {
        command.arg("--users");
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let missing = || BenchError::Unexpected("the elements have no standard streams".to_owned());
    let stdin = child.stdin.take().ok_or_else(missing)?;
    let mut told = BufReader::new(child.stdout.take().ok_or_else(missing)?).lines();
    let line = told.next_line().await?.unwrap_or_default();
    let ports: Vec<u16> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    match ports.as_slice() {
        [port, counts] => Ok(((child, stdin), [*port, *counts])),
        _ => Err(BenchError::Unexpected("the elements did not start".to_owned())),
    }
}
