//! Which findings a command is about: by key, from standard input, or by what they say.
//!
//! Invariant: a command without a choice is about none; what is read is bounded.

use super::{Failure, wrong};
use clap::Args;
use model::{ElementId, FindingId, FindingState, Severity, SiteName};
use std::collections::BTreeSet;
use std::io::Read as _;
use store::view::{FindingFilter, FindingRow};
use store::{SqliteStore, Store as _};

/// So many at a time: more is hardly meant.
const MOST: usize = 100_000;
/// Of standard input.
const MAX_BYTES: u64 = 16 << 20;

/// What findings say; several values of one option are alternatives.
#[derive(Args)]
pub(super) struct Choice {
    /// Of this rule.
    #[arg(long, value_name = "KEY")]
    rule: Vec<String>,
    /// About this element, by its key.
    #[arg(long, value_name = "KEY")]
    element: Vec<ElementId>,
    /// At this site.
    #[arg(long, value_name = "NAME")]
    site: Vec<SiteName>,
    /// About this supplier.
    #[arg(long, value_name = "KEY")]
    supplier: Vec<String>,
    /// In this state; all but closed unless given.
    #[arg(long, value_name = "STATE")]
    state: Vec<FindingState>,
    /// Of this severity.
    #[arg(long, value_name = "SEVERITY")]
    severity: Vec<Severity>,
}

impl Choice {
    fn filter(&self) -> FindingFilter {
        FindingFilter {
            rules: self.rule.clone(),
            elements: self.element.clone(),
            sites: self.site.iter().map(ToString::to_string).collect(),
            suppliers: self.supplier.clone(),
            states: self.state.clone(),
            severities: self.severity.clone(),
            ..FindingFilter::default()
        }
    }

    fn is_empty(&self) -> bool {
        self.rule.is_empty()
            && self.element.is_empty()
            && self.site.is_empty()
            && self.supplier.is_empty()
            && self.state.is_empty()
            && self.severity.is_empty()
    }
}

/// Everything chosen, most urgent first.
pub(super) async fn rows(store: &SqliteStore, choice: &Choice) -> Result<Vec<FindingRow>, Failure> {
    let mut rows = Vec::new();
    for keys in chosen(store, choice).await?.chunks(500) {
        rows.extend(
            store
                .findings_of(keys, None)
                .await
                .map_err(|e| Failure::other(&e))?,
        );
    }
    Ok(rows)
}

async fn chosen(store: &SqliteStore, choice: &Choice) -> Result<Vec<FindingId>, Failure> {
    let keys = store.finding_keys(&choice.filter()).await;
    let keys = keys.map_err(|e| Failure::other(&e))?;
    if keys.len() > MOST {
        return Err(wrong(format!("more than {MOST} findings match; choose fewer")));
    }
    Ok(keys)
}

/// The keys chosen, each once, and whether they were named one by one.
pub(super) async fn keys(
    store: &SqliteStore,
    named: &[String],
    choice: &Choice,
) -> Result<(Vec<FindingId>, bool), Failure> {
    match (named.is_empty(), choice.is_empty()) {
        (true, true) => Err(wrong(
            "name findings, - for standard input, or choose by --rule, --element, --site, --supplier, --state, --severity"
                .to_owned(),
        )),
        (false, false) => Err(wrong("name findings or choose by what they say, not both".to_owned())),
        (true, false) => Ok((chosen(store, choice).await?, false)),
        (false, true) => {
            let mut words = Vec::new();
            for word in named {
                if word == "-" {
                    words.extend(first_words(&standard_input()?));
                } else {
                    words.push(word.clone());
                }
            }
            Ok((read(&words)?, true))
        }
    }
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| wrong(format!("standard input: {error}")))?;
    Ok(text)
}

/// The first word of each line that is no remark.
fn first_words(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn read(words: &[String]) -> Result<Vec<FindingId>, Failure> {
    if words.len() > MOST {
        return Err(wrong(format!("more than {MOST} findings are named")));
    }
    let mut seen = BTreeSet::new();
    let mut keys = Vec::with_capacity(words.len());
    for word in words {
        let key: FindingId = word.parse().map_err(|_| {
            let shown: String = word.chars().filter(|c| !c.is_control()).take(60).collect();
            wrong(format!("{shown:?} is no key of a finding"))
        })?;
        if seen.insert(key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_first_words_of_lines() {
        let key = FindingId::generate();
        let text = format!("# a remark\n{key}\tmajor\tdue\n\n  {key} again\n");
        let words = first_words(&text);
        assert_eq!(words.len(), 2);
        assert_eq!(read(&words).ok(), Some(vec![key]), "each once");
        let refused = read(&["\u{1b}nonsense".to_owned()]).err().unwrap();
        assert_eq!(refused.line, "\"nonsense\" is no key of a finding");
    }
}
