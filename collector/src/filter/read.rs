//! A line read into terms.
//!
//! Invariant: every place it names lies in the line, on the border of a character.

use super::keys::{Key, Kind};
use super::{Line, MAX_LINE, MAX_TERMS, Mistake, Op, Subject, Term, keys};
use std::ops::Range;

/// See [`Line::read`] and, where it is asked of a day that is over, [`Line::read_then`].
///
/// # Errors
/// [`Mistake`] for the first thing not understood.
pub fn line(subject: Subject, text: &str, then: bool) -> Result<Line, Mistake> {
    if text.len() > MAX_LINE {
        let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= MAX_LINE);
        return Err(Mistake {
            at: end.unwrap_or(text.len())..text.len(),
            what: "the line is too long".to_owned(),
            allowed: format!("at most {MAX_LINE} octets"),
        });
    }
    let mut reader = Reader {
        subject,
        text,
        then,
        at: 0,
    };
    let mut terms = Vec::new();
    while let Some(term) = reader.next()? {
        if terms.len() >= MAX_TERMS {
            return Err(Mistake {
                at: reader.at..text.len(),
                what: "these are too many conditions".to_owned(),
                allowed: format!("at most {MAX_TERMS}"),
            });
        }
        terms.push(term);
    }
    Ok(Line { terms })
}

/// The term that says this word of this key, or these words anywhere with the key `text`.
#[must_use]
pub fn term(subject: Subject, key: &str, value: &str) -> Option<Term> {
    let known = match key {
        "text" => None,
        key => Some(subject.key(key)?),
    };
    let value = match known {
        Some(key) if key.kind == Kind::Flag => (value == "1").then(String::new)?,
        Some(key) => key.kind.value(value, false)?,
        None => value.chars().filter(|c| !c.is_control()).collect(),
    };
    Some(Term {
        not: false,
        key: known,
        op: Op::Is,
        value,
        begins: false,
    })
}

struct Reader<'a> {
    subject: Subject,
    text: &'a str,
    then: bool,
    at: usize,
}

/// A value with where it stood.
struct Value {
    text: String,
    begins: bool,
    at: Range<usize>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn step(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn mistake(&self, at: Range<usize>, what: impl Into<String>, allowed: impl Into<String>) -> Mistake {
        Mistake {
            at,
            what: what.into(),
            allowed: allowed.into(),
        }
    }

    fn next(&mut self) -> Result<Option<Term>, Mistake> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.step();
        }
        let start = self.at;
        let not = self.peek() == Some('-');
        if not {
            self.step();
        }
        match self.peek() {
            None if not => {
                return Err(self.mistake(
                    start..self.at,
                    "there is nothing behind the minus",
                    "a condition right behind it, as in -waived",
                ));
            }
            None => return Ok(None),
            Some(c) if not && c.is_whitespace() => {
                return Err(self.mistake(
                    start..self.at,
                    "there is nothing behind the minus",
                    "a condition right behind it, without a blank, as in -waived",
                ));
            }
            Some(_) => {}
        }
        let named = self.at;
        let name: &str = self
            .rest()
            .split(|c: char| !(c.is_ascii_alphabetic() || c == '_'))
            .next()
            .unwrap_or_default();
        let behind = self.rest().get(name.len()..).unwrap_or_default();
        let op = Op::ALL
            .into_iter()
            .find(|(written, _)| behind.starts_with(written));
        if let (false, Some((written, op))) = (name.is_empty(), op) {
            self.at += name.len() + written.len();
            return self.keyed(not, name, named, op).map(Some);
        }
        let value = self.value()?;
        let quoted = self
            .text
            .get(value.at.clone())
            .is_some_and(|text| text.starts_with('"'));
        let flag = self.subject.key(&value.text).filter(|key| key.kind == Kind::Flag);
        if let (Some(key), false, false) = (flag, quoted, value.begins) {
            return Ok(Some(Term {
                not,
                key: Some(key),
                op: Op::Is,
                value: String::new(),
                begins: false,
            }));
        }
        if value.text.is_empty() {
            return Err(self.mistake(
                value.at,
                "there is nothing to look for",
                "a word, or a text in quotes",
            ));
        }
        Ok(Some(Term {
            not,
            key: None,
            op: Op::Is,
            value: value.text,
            begins: value.begins,
        }))
    }

    fn keyed(&mut self, not: bool, name: &str, named: usize, op: Op) -> Result<Term, Mistake> {
        let Some(key) = self.subject.key(name) else {
            return Err(self.unknown_key(name, named));
        };
        let behind = named + name.len()..self.at;
        if self.then && key.now_only {
            let what = format!(
                "{} cannot be asked of a day that is over: nobody keeps how it was",
                key.name
            );
            return Err(self.mistake(named..named + name.len(), what, self.of_the_past()));
        }
        if key.kind == Kind::Flag {
            return Err(self.mistake(behind, format!("{} stands alone", key.name), key.kind.allowed()));
        }
        if op != Op::Is && !key.kind.compares() {
            let what = format!("{} cannot be compared with {}", key.name, op.as_str());
            return Err(self.mistake(behind, what, format!("{}: and {}", key.name, key.kind.allowed())));
        }
        if self.peek().is_none_or(char::is_whitespace) {
            let what = format!("{}{} says nothing", key.name, op.as_str());
            let end = self.at + self.peek().map_or(0, char::len_utf8);
            return Err(self.mistake(self.at..end, what, key.kind.allowed()));
        }
        let value = self.value()?;
        self.fits(key, op, &value)?;
        let kept = key.kind.value(&value.text, value.begins);
        let Some(kept) = kept.filter(|kept| !kept.is_empty() || value.begins) else {
            let written = shortened(&value.text);
            let what = if key.kind.is_time() && keys::is_ambiguous(&value.text) {
                format!("{written:?} could be minutes or months: write min or months")
            } else {
                format!("{} cannot be {written:?}", key.name)
            };
            return Err(self.mistake(value.at, what, key.kind.allowed()));
        };
        Ok(Term {
            not,
            key: Some(key),
            op,
            value: kept,
            begins: value.begins,
        })
    }

    /// The keys that a day that is over can be asked for.
    fn of_the_past(&self) -> String {
        let keys = self.subject.keys().iter().filter(|key| !key.now_only);
        keys.map(|key| key.name).collect::<Vec<_>>().join(", ")
    }

    fn fits(&self, key: &Key, op: Op, value: &Value) -> Result<(), Mistake> {
        if value.begins && !key.kind.begins() {
            let what = format!("{} takes no beginnings", key.name);
            let star = value.at.end.saturating_sub(1)..value.at.end;
            return Err(self.mistake(star, what, key.kind.allowed()));
        }
        let word = matches!(value.text.to_ascii_lowercase().as_str(), "never" | "none");
        let colon_fits = match key.kind {
            Kind::Share | Kind::Age => false,
            Kind::Seen => word,
            Kind::Day => word || keys::days(&value.text).is_some(),
            _ => true,
        };
        if op == Op::Is && !colon_fits && key.kind.value(&value.text, false).is_some() {
            let what = format!("{} is compared with < or >", key.name);
            return Err(self.mistake(value.at.clone(), what, key.kind.allowed()));
        }
        if op != Op::Is && word {
            let what = format!("{} {} cannot be compared", key.name, shortened(&value.text));
            return Err(self.mistake(value.at.clone(), what, key.kind.allowed()));
        }
        Ok(())
    }

    fn unknown_key(&self, name: &str, named: usize) -> Mistake {
        let keys: Vec<_> = self.subject.keys().iter().map(|key| key.name).collect();
        let name_lower = name.to_ascii_lowercase();
        let distance = |key: &&str| strsim::damerau_levenshtein(key, &name_lower);
        let least = keys.iter().map(&distance).min().unwrap_or(usize::MAX);
        let near: Vec<_> = keys
            .iter()
            .copied()
            .filter(|key| distance(key) == least)
            .collect();
        let what = match least {
            0..=2 => format!(
                "there is no key {:?}; did you mean {}?",
                shortened(name),
                near.join(" or ")
            ),
            _ => format!("there is no key {:?}", shortened(name)),
        };
        let allowed = format!("{}; a text with a colon in it goes into quotes", keys.join(", "));
        self.mistake(named..named + name.len(), what, allowed)
    }

    /// A word up to a blank, or a text in quotes; a star behind it makes it a beginning.
    fn value(&mut self) -> Result<Value, Mistake> {
        let start = self.at;
        let mut text = String::new();
        if self.peek() == Some('"') {
            self.quoted(&mut text)?;
        } else {
            while let Some(c) = self.peek().filter(|c| !c.is_whitespace() && *c != '*') {
                if c == '"' || c.is_control() {
                    let at = self.at..self.at + c.len_utf8();
                    let what = if c == '"' {
                        "a quote in the middle of a word"
                    } else {
                        "no character people write"
                    };
                    return Err(self.mistake(at, what, "quotes around the whole text, as in \"two words\""));
                }
                text.push(c);
                self.step();
            }
        }
        let begins = self.peek() == Some('*');
        if begins {
            self.step();
        }
        if let Some(c) = self.peek().filter(|c| !c.is_whitespace()) {
            let (at, what, allowed) = if begins {
                (
                    self.at - 1..self.at,
                    "* stands at the end only",
                    "the beginning of a word and *, as in ber*",
                )
            } else {
                (
                    self.at..self.at + c.len_utf8(),
                    "there is no blank behind the quote",
                    "a blank, or *",
                )
            };
            return Err(self.mistake(at, what, allowed));
        }
        Ok(Value {
            text,
            begins,
            at: start..self.at,
        })
    }

    fn quoted(&mut self, text: &mut String) -> Result<(), Mistake> {
        let open = self.at;
        self.step();
        loop {
            let at = self.at;
            match self.step() {
                None => {
                    return Err(self.mistake(
                        open..open + 1,
                        "this quote is never closed",
                        "a second \" behind the text",
                    ));
                }
                Some('"') => return Ok(()),
                Some('\\') if matches!(self.peek(), Some('"' | '\\')) => text.extend(self.step()),
                Some(c) if c.is_control() => {
                    return Err(self.mistake(
                        at..self.at,
                        "no character people write",
                        "letters, digits, blanks and signs",
                    ));
                }
                Some(c) => text.push(c),
            }
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}
