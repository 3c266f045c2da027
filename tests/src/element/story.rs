//! What an element was made to say, so that it can be compared with what arrived.
//!
//! Invariant: what is told is remembered before it is sent.

use model::Value;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// sysLocation.0 (RFC 3418): where a word is told.
pub const PLACE: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 6, 0];
/// Before each word.
const MARK: &str = "word ";

/// Whether an element says something else each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// What it always says.
    TheSame,
    /// A word that is another one in each answer.
    AnotherWord,
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Its number, from 1; [`None`] when the answer was the same as always.
    pub word: Option<u64>,
    /// sysUpTime.0 of the same answer, hundredths of a second.
    pub uptime: u32,
    /// When.
    pub at: Instant,
}

/// All answers of one element to questions for [`PLACE`].
#[derive(Debug)]
pub struct Story {
    tells: Tells,
    said: Mutex<Vec<Said>>,
}

impl Story {
    /// Nothing told yet.
    #[must_use]
    pub fn new(tells: Tells) -> Self {
        Self {
            tells,
            said: Mutex::default(),
        }
    }

    /// The next answer; [`None`] when it is what it always is.
    pub fn tell(&self, uptime: u32) -> Option<Value> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let word = (self.tells == Tells::AnotherWord).then_some(said.len() as u64 + 1);
        let at = Instant::now();
        said.push(Said { word, uptime, at });
        word.map(|word| Value::octet_string(format!("{MARK}{word}")))
    }

    /// Everything told so far.
    #[must_use]
    pub fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The word that a value holds, if it is one.
#[must_use]
pub fn word_of(octets: &[u8]) -> Option<u64> {
    std::str::from_utf8(octets).ok()?.strip_prefix(MARK)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_another_and_can_be_read() {
        let story = Story::new(Tells::AnotherWord);
        let words: Vec<_> = (0..3).map(|n| word_of(&story.tell(n).unwrap().octets)).collect();
        assert_eq!(words, [Some(1), Some(2), Some(3)]);
        assert_eq!(story.said()[1].uptime, 1);
        let same = Story::new(Tells::TheSame);
        assert_eq!(same.tell(5), None);
        assert_eq!(same.said()[0].word, None);
    }
}
