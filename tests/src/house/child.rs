//! One process of the house.
//!
//! Invariants: it is ended when dropped; what it writes goes to a log in the data folder.

use super::HouseError;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::time::timeout;

/// Set in the environment of a process that shall leave when its standard input ends.
pub const LEAVE_WITH_PARENT: &str = "LAB_LEAVE_WITH_PARENT";
/// How much of a log is told when its process fails.
const LAST_LINES: usize = 5;
/// The longest part of a log that is looked at.
const LAST_OCTETS: usize = 2_000;

#[derive(Debug)]
pub(super) struct Child {
    name: String,
    log: PathBuf,
    process: tokio::process::Child,
    /// Open as long as this process lives.
    _stdin: Option<ChildStdin>,
}

impl Child {
    pub(super) fn start(
        binary: &Path,
        name: &str,
        args: &[&OsStr],
        folder: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Self, HouseError> {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log);
        let file = file.map_err(|source| HouseError::File {
            path: log.clone(),
            source,
        })?;
        let started = Command::new(binary)
            .args(args)
            .env(LEAVE_WITH_PARENT, "1")
            .envs(environment.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .kill_on_drop(true)
            .spawn();
        let failed = |why: std::io::Error| HouseError::Process {
            name: name.to_owned(),
            why: format!("{}: {why}", binary.display()),
            log: String::new(),
        };
        let mut process = started.map_err(failed)?;
        let stdin = process.stdin.take();
        Ok(Self {
            name: name.to_owned(),
            log,
            process,
            _stdin: stdin,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As the system knows it, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// The first line on its standard output; what follows is read and forgotten.
    pub(super) async fn first_line(&mut self, within: Duration) -> Result<String, HouseError> {
        let output = self
            .process
            .stdout
            .take()
            .ok_or_else(|| self.failed("has no output".to_owned()))?;
        let mut lines = BufReader::new(output).lines();
        let line = match timeout(within, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None)) => return Err(self.failed("ended before it was ready".to_owned())),
            Ok(Err(error)) => return Err(self.failed(error.to_string())),
            Err(_) => return Err(self.failed(format!("not ready within {} s", within.as_secs()))),
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(line)
    }

    /// Waits for a good end.
    pub(super) async fn finished(mut self, within: Duration) -> Result<(), HouseError> {
        match timeout(within, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.failed(told(status))),
            Ok(Err(error)) => Err(self.failed(error.to_string())),
            Err(_) => Err(self.failed(format!("did not end within {} s", within.as_secs()))),
        }
    }

    /// What became of it, if it is no more.
    pub(super) fn ended(&mut self) -> Option<HouseError> {
        match self.process.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(self.failed(told(status))),
            Err(error) => Some(self.failed(error.to_string())),
        }
    }

    pub(super) async fn kill(mut self) -> Result<(), HouseError> {
        self.process
            .kill()
            .await
            .map_err(|error| self.failed(error.to_string()))
    }

    pub(super) fn failed(&self, why: String) -> HouseError {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let end = text
            .get(text.len().saturating_sub(LAST_OCTETS)..)
            .unwrap_or_default();
        let end = String::from_utf8_lossy(end);
        let lines: Vec<&str> = end.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(LAST_LINES)..)
            .unwrap_or_default();
        let log = last.iter().map(|line| format!("\n    {line}")).collect();
        HouseError::Process {
            name: self.name.clone(),
            why,
            log,
        }
    }
}

fn told(status: ExitStatus) -> String {
    format!("ended with {status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn shell(script: &str, folder: &Path) -> Child {
        Child::start(
            Path::new("/bin/sh"),
            "shell",
            &["-c".as_ref(), script.as_ref()],
            folder,
            &[],
        )
        .unwrap()
    }

    #[tokio::test]
    async fn is_ready_with_its_first_line_and_ends_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell("echo ready; exec cat", folder.path());
        assert_eq!(child.first_line(SOON).await.unwrap(), "ready");
        assert!(child.ended().is_none());
        child.kill().await.unwrap();
    }

    #[tokio::test]
    async fn its_last_words_are_told_when_it_fails() {
        let folder = tempfile::tempdir().unwrap();
        let failed = shell("echo because >&2; exit 3", folder.path())
            .finished(SOON)
            .await
            .unwrap_err();
        let text = failed.to_string();
        assert!(
            text.contains("exit status: 3") && text.contains("because"),
            "{text}"
        );
        let silent = shell("exec 1>&-; exec cat", folder.path())
            .first_line(SOON)
            .await
            .unwrap_err();
        assert!(
            silent.to_string().contains("ended before it was ready"),
            "{silent}"
        );
    }

    #[tokio::test]
    async fn sees_its_input_end_when_the_parent_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell("exec cat", folder.path());
        drop(child._stdin.take());
        child.finished(SOON).await.unwrap();
    }
}
