//! Views that people keep, as the lists, the first page and reports read them.
//!
//! Invariant: what was kept is read like an address that somebody typed: what is no longer understood is refused,
//! and nobody sees more by a shared view than they may.

use crate::api::Problem;
use crate::api::query::{self, Query};
use crate::filter::Subject;
use crate::filter::meaning::Asking;
use store::clause::Measure;
use store::views::ViewRow;
use store::{Store, Views};

/// How a page of a list looks; the same for both lists.
pub const LOOKS: &[&str] = &["cols", "density", "view"];

/// A kept view, understood.
#[derive(Debug, Clone)]
pub struct View {
    /// As it is kept.
    pub row: ViewRow,
    /// Which list.
    pub subject: Subject,
    /// Filter, order and columns.
    pub query: Query,
}

impl View {
    /// Reads a view.
    ///
    /// # Errors
    /// [`Problem::Unreadable`] for a page there is not, [`Problem::BadParameter`] for a query not understood.
    pub fn read(row: ViewRow) -> Result<Self, Problem> {
        let subject = Subject::named(&row.page).ok_or(Problem::Unreadable("page of a view"))?;
        Ok(Self {
            query: query_of(subject, &row.query)?,
            subject,
            row,
        })
    }

    /// The page it shows.
    #[must_use]
    pub fn link(&self) -> String {
        self.query.with("view", &self.row.name).link(path(self.subject))
    }

    /// How many rows it has for whoever asks.
    ///
    /// # Errors
    /// [`Problem`] when it is not understood, or the store does not answer.
    pub async fn count(&self, store: &dyn Store, asking: &Asking<'_>) -> Result<(u64, Measure), Problem> {
        let one = self.query.with("limit", "1");
        match self.subject {
            Subject::Findings => {
                let page = store.findings(&one.findings(asking)?).await?;
                Ok((page.total, page.measure))
            }
            Subject::Elements => {
                let page = store.elements(&one.elements(asking)?).await?;
                Ok((page.total, page.measure))
            }
        }
    }
}

/// The view a person means by a name, their own before a shared one: for reports that name one.
///
/// # Errors
/// [`Problem::NotFound`] where there is none, and what [`View::read`] says.
pub async fn by_name(views: &dyn Views, person: &str, name: &str) -> Result<View, Problem> {
    let row = views.view_by_name(person, name).await?;
    View::read(row.ok_or(Problem::NotFound("view"))?)
}

/// What stands behind the `?` of a list's address, without where a page begins.
///
/// # Errors
/// [`Problem::BadParameter`] for what the list does not understand.
pub fn query_of(subject: Subject, text: &str) -> Result<Query, Problem> {
    let pairs =
        url_pairs(text).ok_or_else(|| query::bad("query", text, "an address of a list".to_owned()))?;
    let keys = match subject {
        Subject::Findings => query::FINDINGS,
        Subject::Elements => query::ELEMENTS,
    };
    if let Some((_, day)) = pairs.iter().find(|(key, _)| key == "asof") {
        let allowed = "nothing: what is kept shows how things stand when somebody looks";
        return Err(query::bad("asof", day, allowed.to_owned()));
    }
    let query = Query::read(pairs, &[keys, LOOKS].concat())?;
    Ok(query.without_key("view"))
}

/// The address of a list.
#[must_use]
pub fn path(subject: Subject) -> &'static str {
    match subject {
        Subject::Findings => "/findings",
        Subject::Elements => "/elements",
    }
}

fn url_pairs(text: &str) -> Option<Vec<(String, String)>> {
    let address = format!("/?{text}").parse::<axum::http::Uri>().ok()?;
    axum::extract::Query::try_from_uri(&address)
        .ok()
        .map(|axum::extract::Query(pairs)| pairs)
}
