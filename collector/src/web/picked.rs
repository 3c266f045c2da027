//! Which columns a file has when a list shows only some.
//!
//! Invariant: what tells a row from all others stays, whatever is chosen; the rest comes in the order it was asked for.

use crate::api::Problem;
use crate::api::query::{Query, bad};
use crate::filter::Subject;

/// A column of the page, and what it is in a file.
type Column = (&'static str, &'static [&'static str]);

const FINDING_KEYS: &[&str] = &["finding"];
const FINDINGS: &[Column] = &[
    ("class", &["severity", "class"]),
    ("element", &["element", "name", "address"]),
    ("site", &["site", "role"]),
    ("part", &["part", "component"]),
    ("maker", &["supplier", "supplier_name"]),
    ("rule", &["rule", "jurisdiction", "title", "citation"]),
    ("deadline", &["deadline"]),
    ("confidence", &["confidence"]),
    ("owner", &["owner", "planned"]),
    ("state", &["state", "waived_until", "opened", "closed"]),
];

const ELEMENT_KEYS: &[&str] = &["element", "name", "address", "port", "context"];
const ELEMENTS: &[Column] = &[
    ("maker", &["maker", "maker_name", "brand"]),
    ("confidence", &["confidence"]),
    ("model", &["model"]),
    ("serial", &["serial"]),
    ("site", &["site", "role"]),
    ("standing", &["standing"]),
    ("worst", &["findings", "worst"]),
    ("parts", &["parts"]),
    ("answer", &["last_round", "last_answer", "last_report"]),
];

/// The columns of a file that are asked for by `cols`, by their places in `all`; `None` where all are.
///
/// # Errors
/// [`Problem::BadParameter`] for a column that the page does not have.
pub(super) fn picked(
    subject: Subject,
    query: &Query,
    all: &[&'static str],
) -> Result<Option<Vec<usize>>, Problem> {
    let (keys, known) = match subject {
        Subject::Findings => (FINDING_KEYS, FINDINGS),
        Subject::Elements => (ELEMENT_KEYS, ELEMENTS),
    };
    let mut names: Vec<&str> = Vec::new();
    for word in query.all("cols").flat_map(|words| words.split(',')) {
        let found = known.iter().find(|(column, _)| *column == word);
        let Some((_, columns)) = found else {
            let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
            return Err(bad("cols", word, words.join(", ")));
        };
        let fresh = columns.iter().filter(|column| !names.contains(*column));
        let fresh: Vec<_> = fresh.copied().collect();
        names.extend(fresh);
    }
    if names.is_empty() {
        return Ok(None);
    }
    let more = names.into_iter().filter(|name| !keys.contains(name));
    let place = |name: &str| all.iter().position(|column| *column == name);
    Ok(Some(keys.iter().copied().chain(more).filter_map(place).collect()))
}

/// What is chosen of a row.
pub(super) fn of<T: Clone>(picks: &[usize], row: &[T]) -> Vec<T> {
    picks.iter().filter_map(|&pick| row.get(pick).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::export::{ELEMENT_COLUMNS, FINDING_COLUMNS};

    #[test]
    fn every_column_of_a_page_has_its_own_in_the_file_and_none_is_forgotten() {
        for (subject, all, known, keys) in [
            (Subject::Findings, FINDING_COLUMNS, FINDINGS, FINDING_KEYS),
            (Subject::Elements, ELEMENT_COLUMNS, ELEMENTS, ELEMENT_KEYS),
        ] {
            let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
            let query = Query::of(&[("cols", &words.join(","))]);
            let mut picks = picked(subject, &query, all).unwrap().unwrap();
            assert_eq!(picks.len(), all.len(), "{subject:?}: each once");
            picks.sort_unstable();
            assert_eq!(picks, (0..all.len()).collect::<Vec<_>>());
            assert!(keys.iter().all(|key| all.contains(key)));
        }
    }

    #[test]
    fn what_is_chosen_comes_in_the_order_asked_for_behind_the_keys() {
        let picks = |cols| {
            let query = Query::of(&[("cols", cols)]);
            let picks = picked(Subject::Findings, &query, FINDING_COLUMNS);
            picks.map(|picks| picks.map(|picks| of(&picks, FINDING_COLUMNS)))
        };
        let all = picked(Subject::Findings, &Query::default(), FINDING_COLUMNS);
        assert_eq!(all.unwrap(), None);
        let chosen = picks("deadline,class,deadline").unwrap().unwrap();
        assert_eq!(chosen, ["finding", "deadline", "severity", "class"]);
        assert!(picks("deadline,nonsense").is_err());
    }
}
