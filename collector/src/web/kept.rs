//! Views that people keep: keeping one, dropping one, and those counted on the first page.
//!
//! Invariants: what is kept was understood; only who may sign shares a view, or drops somebody else's; the first page
//! counts few of them, and a count it has shown lately is not counted again.

use super::access::Visit;
use super::page::{self, Frame};
use super::shelf::Shelf;
use super::show;
use crate::api::Problem;
use crate::filter::Subject;
use crate::filter::meaning::Asking;
use crate::views::{self, View};
use askama::Template;
use axum::Form;
use axum::extract::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use model::Right;
use serde::Deserialize;
use std::time::Duration;
use store::clause::Measure;
use store::views::{Kept, MOST_VIEWS, NewView};
use uuid::Uuid;

/// Longest name, in characters.
const MAX_NAME: usize = 60;
/// Longest query, in octets.
const MAX_QUERY: usize = 4_000;
/// Views counted on a person's first page.
const MOST_TILES: usize = 6;
/// A count is shown so long.
const FRESH: Duration = Duration::from_secs(30);

/// What a form says.
#[derive(Debug, Default, Deserialize)]
pub struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    page: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    shared: String,
    #[serde(default)]
    tile: String,
}

#[derive(Template)]
#[template(path = "keep.html")]
struct KeepPage {
    frame: Frame,
    typed: Typed,
    mistake: String,
    back: String,
    may_share: bool,
}

/// `POST /views`
pub async fn keep(visit: Visit, Form(typed): Form<Typed>) -> Response {
    match kept(&visit, &typed).await {
        Ok(Ok(link)) => Redirect::to(&link).into_response(),
        Ok(Err(mistake)) => {
            let subject = Subject::named(&typed.page).unwrap_or(Subject::Findings);
            let query = views::query_of(subject, &typed.query).unwrap_or_default();
            let page = KeepPage {
                frame: Frame::new(&visit, subject.as_str()),
                back: query.link(views::path(subject)),
                may_share: visit.person.may(Right::Sign),
                typed,
                mistake,
            };
            page::answer_as(StatusCode::BAD_REQUEST, &visit, Ok(page))
        }
        Err(problem) => page::refuse(&visit, Some(visit.person.clone()), &problem),
    }
}

/// Where the kept view is, or what is wrong with its name.
async fn kept(visit: &Visit, typed: &Typed) -> Result<Result<String, String>, Problem> {
    let subject = Subject::named(&typed.page).ok_or(Problem::NotFound("list"))?;
    let shared = !typed.shared.is_empty();
    if shared && !visit.person.may(Right::Sign) {
        return Err(Problem::NotAllowed);
    }
    let name: Vec<&str> = typed.name.split_whitespace().collect();
    let name = name.join(" ");
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(|c| show::visible(c) != c) {
        return Ok(Err(format!(
            "A view has a name of 1 to {MAX_NAME} letters, digits, blanks and signs."
        )));
    }
    if typed.query.len() > MAX_QUERY {
        return Ok(Err("Its filter is too long to be kept.".to_owned()));
    }
    let query = views::query_of(subject, &typed.query)?;
    if let Err(mistake) = query.line(subject)? {
        return Ok(Err(format!("Its filter is not understood: {}.", mistake.what)));
    }
    let view = NewView {
        owner: visit.person.name.clone(),
        name: name.clone(),
        page: subject.as_str().to_owned(),
        query: query.link("").trim_start_matches('?').to_owned(),
        shared,
        tile: !typed.tile.is_empty(),
    };
    Ok(match visit.views.keep_view(&view, (visit.clock)()).await? {
        Kept::Yes => Ok(query.with("view", &name).link(views::path(subject))),
        Kept::Taken => Err("Somebody else shares a view of this name; choose another.".to_owned()),
        Kept::Full => Err(format!("You keep {MOST_VIEWS} views already; drop one first.")),
    })
}

/// Which view goes, and where to go then.
#[derive(Debug, Deserialize)]
pub struct Dropped {
    view: Uuid,
    #[serde(default)]
    page: String,
}

/// `POST /views/drop`
pub async fn drop_view(visit: Visit, Form(dropped): Form<Dropped>) -> Response {
    let subject = Subject::named(&dropped.page).unwrap_or(Subject::Findings);
    let any = visit.person.may(Right::Sign);
    let gone = visit
        .views
        .drop_view(dropped.view, &visit.person.name, any, (visit.clock)())
        .await;
    let refused = match gone {
        Ok(true) => return Redirect::to(views::path(subject)).into_response(),
        Ok(false) => Problem::NotFound("view of yours"),
        Err(error) => Problem::Store(error),
    };
    page::refuse(&visit, Some(visit.person.clone()), &refused)
}

/// A view counted on the first page.
#[derive(Debug)]
pub struct Tile {
    /// Its name.
    pub name: String,
    /// How many rows it has; [`None`] where it is no longer understood.
    pub count: Option<String>,
    /// Whether it has none.
    pub nought: bool,
    /// What it filters.
    pub line: String,
    /// Of which list.
    pub page: &'static str,
    /// Where it is.
    pub link: String,
}

/// Counts shown lately, by what was counted and for whom.
#[derive(Clone, Default)]
pub struct Counts(Shelf<String, (u64, Measure)>);

/// The views a person has on the first page, their own first.
///
/// # Errors
/// [`Problem::Store`] when the store does not answer.
pub async fn tiles(visit: &Visit, Extension(counts): &Extension<Counts>) -> Result<Vec<Tile>, Problem> {
    let mut rows = visit.views.views(&visit.person.name).await?;
    rows.retain(|row| row.tile);
    rows.sort_by_key(|row| row.owner != visit.person.name);
    let mut tiles = Vec::new();
    for row in rows.into_iter().take(MOST_TILES) {
        let name = show::clean(&row.name, MAX_NAME);
        let Ok(view) = View::read(row) else { continue };
        let count = counts.of(visit, &view).await?;
        let line = view.query.line(view.subject).ok().and_then(Result::ok);
        tiles.push(Tile {
            name,
            nought: count.is_some_and(|(total, _)| total == 0),
            count: count.map(|(total, measure)| show::total(total, measure)),
            line: line
                .map(|line| show::clean(&line.to_string(), 120))
                .unwrap_or_default(),
            page: view.subject.as_str(),
            link: view.link(),
        });
    }
    Ok(tiles)
}

impl Counts {
    async fn of(&self, visit: &Visit, view: &View) -> Result<Option<(u64, Measure)>, Problem> {
        let person = &visit.person;
        let key = format!(
            "{:?} {:?} {} {}",
            person.name, person.sites, view.row.page, view.row.query
        );
        let asking = Asking::of(person, (visit.clock)());
        let read = view.count(&*visit.store, &asking);
        match self.0.get(visit, key, FRESH, read).await {
            Ok(counted) => Ok(Some(counted.told)),
            Err(Problem::BadParameter { .. }) => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}
