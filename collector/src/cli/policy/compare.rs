//! `policy diff`: what changes from one set of packs to another, rule by rule and key by key.
//!
//! Invariants: both sides are checked before they are compared; worked examples
//! are no part of the law and are left out; a single file stands for the pack of
//! its jurisdiction, so that the others are not told as gone.

use super::{Failure, load, pack_text, written};
use crate::packs::texts_of;
use ::policy::Policies;
use ::policy::policies::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use toml::{Table, Value};

/// Dotted key and value, as written.
type Keys = BTreeMap<String, String>;

pub(super) fn diff(old: &Path, new: &Path) -> Result<(), Failure> {
    let [mut old, mut new] = [Side::read(old)?, Side::read(new)?];
    let alone = [&old, &new].into_iter().filter_map(|side| side.alone.clone());
    let codes: BTreeSet<String> = alone.collect();
    if !codes.is_empty() {
        for side in [&mut old, &mut new] {
            side.rules.retain(|_, (code, _)| codes.contains(code));
        }
    }
    let notice = new.notice;
    let only = |rules: BTreeMap<String, (String, Keys)>| -> BTreeMap<String, Keys> {
        rules.into_iter().map(|(id, (_, keys))| (id, keys)).collect()
    };
    let (old, new) = (only(old.rules), only(new.rules));
    let mut out = String::new();
    let ids: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for id in ids {
        match (old.get(id), new.get(id)) {
            (None, Some(rule)) => out.push_str(&format!("+ {id}\t{}\n", title(rule))),
            (Some(rule), None) => out.push_str(&format!("- {id}\t{}\n", title(rule))),
            (Some(before), Some(after)) => {
                let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
                for key in keys.into_iter().filter(|key| before.get(*key) != after.get(*key)) {
                    let value = |keys: &Keys| keys.get(key).map_or("(none)", String::as_str).to_owned();
                    out.push_str(&format!("~ {id}\t{key}\t{} → {}\n", value(before), value(after)));
                }
            }
            (None, None) => {}
        }
    }
    if out.is_empty() {
        out.push_str("# no rule changes\n");
    }
    out.push_str(&format!("# {notice}\n"));
    written(std::io::stdout().write_all(out.as_bytes()))
}

fn title(rule: &Keys) -> &str {
    rule.get("title").map_or("", String::as_str)
}

/// One side: its rules by key, each with the code of its pack.
struct Side {
    rules: BTreeMap<String, (String, Keys)>,
    /// The code of a single file.
    alone: Option<String>,
    notice: String,
}

impl Side {
    fn read(path: &Path) -> Result<Self, Failure> {
        let only = |texts: Vec<Text>| -> Vec<String> { texts.into_iter().map(|(_, text)| text).collect() };
        let built_in = path == Path::new("built-in");
        let (policies, texts) = if built_in {
            let policies = Policies::built_in().map_err(|error| Failure::configuration(&error))?;
            (policies, only(Policies::built_in_texts()))
        } else if path.is_dir() {
            let texts = texts_of(path).map_err(|error| Failure::configuration(&error))?;
            (load(path)?, only(texts))
        } else {
            (load(path)?, vec![pack_text(path)?])
        };
        let mut side = Self {
            rules: BTreeMap::new(),
            alone: None,
            notice: policies.notice(),
        };
        for text in texts {
            let table: Table = toml::from_str(&text).map_err(|e| Failure::configuration(&e))?;
            let code = table.get("code").and_then(Value::as_str).unwrap_or_default();
            if !built_in && !path.is_dir() {
                side.alone = Some(code.to_owned());
            }
            let listed = table.get("rule").and_then(Value::as_array);
            for rule in listed.into_iter().flatten().filter_map(Value::as_table) {
                let mut keys = Keys::new();
                for (key, value) in rule.iter().filter(|(key, _)| *key != "test") {
                    flatten(key, value, &mut keys);
                }
                if let Some(id) = keys.remove("id") {
                    side.rules.insert(id, (code.to_owned(), keys));
                }
            }
        }
        Ok(side)
    }
}

fn flatten(key: &str, value: &Value, keys: &mut Keys) {
    match value {
        Value::Table(table) => table
            .iter()
            .for_each(|(name, value)| flatten(&format!("{key}.{name}"), value, keys)),
        Value::Array(values) if values.iter().any(Value::is_table) => {
            for (number, value) in values.iter().enumerate() {
                flatten(&format!("{key}[{number}]"), value, keys);
            }
        }
        Value::Array(values) => {
            let words: Vec<String> = values.iter().map(plain).collect();
            keys.insert(key.to_owned(), words.join(", "));
        }
        value => {
            keys.insert(key.to_owned(), plain(value));
        }
    }
}

/// A value on one line, without the quotes of a text.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Datetime(date) => date.to_string(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Table(table) => table.keys().cloned().collect::<Vec<_>>().join(", "),
    };
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
