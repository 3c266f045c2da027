//! One row of a tab-separated knowledge file, with its place for errors.

use super::KnowledgeError;

/// A row that is neither blank nor a comment.
pub(super) struct Row<'a> {
    file: &'a str,
    line: usize,
    cells: Vec<&'a str>,
}

/// The rows of a file; `#` opens a comment.
pub(super) fn rows<'a>(file: &'a str, text: &'a str) -> impl Iterator<Item = Row<'a>> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(move |(at, line)| Row {
        file,
        line: at + 1,
        cells: line.split('\t').collect(),
    })
}

impl<'a> Row<'a> {
    /// A cell without blanks around it; empty when the row ends before it.
    pub(super) fn cell(&self, at: usize) -> &'a str {
        self.cells.get(at).copied().unwrap_or_default().trim()
    }

    /// The items of a cell.
    pub(super) fn list(&self, at: usize, separator: char) -> impl Iterator<Item = &'a str> + use<'a> {
        self.cell(at)
            .split(separator)
            .map(str::trim)
            .filter(|item| !item.is_empty())
    }

    /// Counted from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// What is wrong with this row.
    pub(super) fn error(&self, reason: impl Into<String>) -> KnowledgeError {
        KnowledgeError::Row {
            file: self.file.to_owned(),
            line: self.line,
            reason: reason.into(),
        }
    }

    /// A weight from 0 to 1.
    pub(super) fn weight(&self, at: usize, default: f64) -> Result<f64, KnowledgeError> {
        match self.cell(at) {
            "" => Ok(default),
            text => match text.parse() {
                Ok(weight) if (0.0..=1.0).contains(&weight) => Ok(weight),
                _ => Err(self.error(format!("weight {text:?} is not between 0 and 1"))),
            },
        }
    }

    /// A whole number.
    pub(super) fn number(&self, at: usize) -> Result<u32, KnowledgeError> {
        self.cell(at)
            .parse()
            .map_err(|_| self.error(format!("{:?} is no number", self.cell(at))))
    }

    /// Where the row's facts come from, which every row must say.
    pub(super) fn source(&self, at: usize) -> Result<&'a str, KnowledgeError> {
        match self.cell(at) {
            "" => Err(self.error("no source")),
            source => Ok(source),
        }
    }
}
