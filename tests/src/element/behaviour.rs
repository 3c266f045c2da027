//! The ways an element can behave, good and bad.

use serde::Deserialize;
use std::time::Duration;

/// How an element behaves when asked. Written `normal`, `slow:200`, `looping:25`, ….
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum Behaviour {
    /// Answers at once and correctly.
    #[default]
    Normal,
    /// Answers correctly, one request at a time, after this long.
    Slow(Duration),
    /// Hears everything and never answers.
    Silent,
    /// Nobody is there: no socket, so the kernel refuses.
    Absent,
    /// Answers with octets that are no SNMP.
    Garbage,
    /// GETNEXT of every nth object answers with that object again.
    Looping(usize),
    /// Ignores GETBULK.
    NoBulk,
    /// Says `tooBig` whenever an answer would hold more than this many objects.
    TooBig(usize),
    /// Loses every nth request.
    Lossy(u64),
    /// Answers GET and is silent to everything that walks.
    HalfDead,
    /// Sends so many times as many objects as GETBULK asked for, and each answer so many times.
    Amplifying(u32),
    /// After so many requests its parts have other serial numbers, and no counter tells.
    Lying(u64),
}

impl Behaviour {
    /// Whether it answers anything that can be understood.
    #[must_use]
    pub fn answers(self) -> bool {
        !matches!(self, Self::Silent | Self::Absent | Self::Garbage)
    }
}

impl TryFrom<String> for Behaviour {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let (word, number) = text.split_once(':').unwrap_or((&text, ""));
        let number = || number.parse::<u32>().ok().filter(|n| *n > 0);
        let size = || number().and_then(|n| usize::try_from(n).ok());
        match word {
            "normal" => Some(Self::Normal),
            "slow" => number().map(|n| Self::Slow(Duration::from_millis(n.into()))),
            "silent" => Some(Self::Silent),
            "absent" => Some(Self::Absent),
            "garbage" => Some(Self::Garbage),
            "looping" => size().map(Self::Looping),
            "no-bulk" => Some(Self::NoBulk),
            "too-big" => size().map(Self::TooBig),
            "half-dead" => Some(Self::HalfDead),
            "amplifying" => number().map(Self::Amplifying),
            "lying" => number().map(|n| Self::Lying(n.into())),
            "lossy" => number().map(|n| Self::Lossy(n.into())),
            _ => None,
        }
        .ok_or_else(|| format!("behaviour {text:?} is unknown or lacks its number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_and_numbers() {
        let read = |text: &str| Behaviour::try_from(text.to_owned());
        assert_eq!(read("slow:200"), Ok(Behaviour::Slow(Duration::from_millis(200))));
        assert_eq!(read("looping:5"), Ok(Behaviour::Looping(5)));
        assert_eq!(read("silent"), Ok(Behaviour::Silent));
        assert_eq!(read("half-dead"), Ok(Behaviour::HalfDead));
        assert_eq!(read("amplifying:3"), Ok(Behaviour::Amplifying(3)));
        assert_eq!(read("lying:90"), Ok(Behaviour::Lying(90)));
        for bad in ["", "slow", "slow:0", "lossy:x", "Normal"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
