//! What an agent itself said, line by line in its log: which report it kept under
//! which sequence, and up to where it was acknowledged.
//!
//! Invariant: read from the file, so that it outlives the agent; a line that a kill
//! cut short is no line.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Instant;

/// A report that the agent made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which of the agent's lives, from 1.
    pub life: u32,
    /// Under which sequence.
    pub sequence: u64,
    /// `ADDRESS:PORT`.
    pub target: String,
    /// Hexadecimal digest of its evidence.
    pub digest: String,
}

/// The log of one agent, read as it grows.
#[derive(Debug)]
pub struct Witness {
    path: PathBuf,
    read: u64,
    partial: String,
    life: u32,
    /// Every report kept.
    pub kept: Vec<Kept>,
    /// The highest sequence acknowledged.
    pub acked: u64,
    /// When an acknowledgement was last seen.
    pub last_ack: Option<Instant>,
}

impl Witness {
    /// Of a log that may not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: 0,
            partial: String::new(),
            life: 0,
            kept: Vec::new(),
            acked: 0,
            last_ack: None,
        }
    }

    /// Reads what was written since.
    pub fn look(&mut self) {
        let mut more = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            file.read_to_end(&mut more)
        });
        if let Ok(length) = read {
            self.read += length as u64;
            self.take(&String::from_utf8_lossy(&more));
        }
    }

    fn take(&mut self, text: &str) {
        self.partial.push_str(text);
        let whole = std::mem::take(&mut self.partial);
        for line in whole.split_inclusive('\n') {
            if line.ends_with('\n') {
                self.line(line);
            } else {
                line.clone_into(&mut self.partial);
            }
        }
    }

    fn line(&mut self, line: &str) {
        let number = |key| field(line, key).and_then(|text| text.parse::<u64>().ok());
        if line.contains(" agent starts ") {
            self.life += 1;
        } else if line.contains(" report kept ") {
            let kept = || {
                Some(Kept {
                    life: self.life,
                    sequence: number("report.sequence")?,
                    target: field(line, "target.address")?.to_owned(),
                    digest: field(line, "evidence.digest")?.to_owned(),
                })
            };
            self.kept.extend(kept());
        } else if line.contains(" acknowledged ") {
            self.acked = self.acked.max(number("report.sequence").unwrap_or(0));
            self.last_ack = Some(Instant::now());
        } else if line.contains(" session began ") {
            self.acked = self.acked.max(number("collector.acked").unwrap_or(0));
        }
    }
}

/// `key=value` or `key="value"`.
fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let words = line.split_whitespace();
    let value = |word: &'a str| word.strip_prefix(key)?.strip_prefix('=');
    words
        .filter_map(value)
        .next()
        .map(|value| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_lines_of_several_lives() {
        let mut witness = Witness::new(PathBuf::new());
        witness.take("t INFO agent: agent starts agent.version=\"1\"\n");
        witness.take("t DEBUG agent::keep: report kept report.sequence=7 target.address=127.0.0.1:1 evid");
        assert!(witness.kept.is_empty());
        witness.take("ence.digest=\"ab\"\nt DEBUG agent::uplink: acknowledged report.sequence=5\nt INFO agent: agent starts x=1\n");
        witness.take("t DEBUG agent::keep: report kept report.sequence=8 target.address=[::1]:1 evidence.digest=\"cd\"\n");
        let lives: Vec<_> = witness
            .kept
            .iter()
            .map(|kept| (kept.life, kept.sequence, kept.digest.as_str()))
            .collect();
        assert_eq!(lives, [(1, 7, "ab"), (2, 8, "cd")]);
        assert_eq!(witness.acked, 5);
    }
}
