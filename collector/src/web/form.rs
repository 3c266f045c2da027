//! The head of a list: the line that filters it, what builds that line, columns, order, exports and kept views.
//!
//! Invariants: what filters is visible, in the line and as a chip that takes it away; everything is in the address;
//! what cannot be understood is shown with its place and keeps nothing.

use super::access::Visit;
use super::alerts;
use super::show;
use crate::api::Problem;
use crate::api::query::Query;
use crate::filter::{Line, Mistake, Op, Subject};
use crate::views::{self, View};
use model::Right;

/// The head of a list.
#[derive(Debug)]
pub struct Form {
    /// The page it belongs to.
    pub path: &'static str,
    /// What completion calls it.
    pub page: &'static str,
    /// The line, as it stands in the field.
    pub line: String,
    /// What words without a key look into.
    pub hint: &'static str,
    /// What is wrong with the line.
    pub wrong: Option<Wrong>,
    /// What builds the line.
    pub picks: Vec<Pick>,
    /// The conditions set.
    pub chips: Vec<Chip>,
    /// What the address says beside the line and the day.
    pub kept: Vec<(String, String)>,
    /// The columns there are beside the first.
    pub columns: Vec<Column>,
    /// Classes of the table.
    pub classes: String,
    /// Whether rows stand close.
    pub tight: bool,
    /// The other density.
    pub density: String,
    /// The address as it is, without where a page begins.
    pub address: String,
    /// All matching rows as CSV and as JSON.
    pub exports: [String; 2],
    /// Kept views of this list.
    pub views: Vec<Kept>,
    /// Routes that whoever looks may have told of a view.
    pub routes: Vec<String>,
    /// Name of the view shown, if it is one.
    pub view: String,
    /// What a kept view remembers.
    pub query: String,
    /// Whether whoever looks may share views.
    pub may_share: bool,
    /// The day asked for, where that is over.
    pub asof: Option<String>,
    /// Today, the last day that can be asked for.
    pub today: String,
    /// The same list as it stands.
    pub now: String,
    /// The page with no condition set, of the same day.
    pub clear: String,
    looked: Query,
    order: &'static str,
}

/// What is wrong with a line.
#[derive(Debug)]
pub struct Wrong {
    /// The line before it.
    pub before: String,
    /// It itself; empty at the end.
    pub piece: String,
    /// The line behind it.
    pub behind: String,
    /// What is wrong.
    pub what: String,
    /// What is allowed.
    pub allowed: String,
}

/// Words of which several may be chosen.
#[derive(Debug)]
pub struct Pick {
    /// Key of the line.
    pub key: &'static str,
    /// For people.
    pub label: &'static str,
    /// How many are chosen.
    pub chosen: usize,
    /// The words.
    pub choices: Vec<Choice>,
}

/// One word.
#[derive(Debug)]
pub struct Choice {
    /// The word for people.
    pub label: String,
    /// Whether it is chosen.
    pub chosen: bool,
    /// The page with it chosen, or no longer.
    pub link: String,
}

/// One condition that is set.
#[derive(Debug)]
pub struct Chip {
    /// What it speaks of.
    pub key: String,
    /// What it says.
    pub value: String,
    /// The page without it.
    pub drop: String,
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its word in addresses.
    pub word: &'static str,
    /// For people.
    pub label: &'static str,
    /// Whether it is shown.
    pub shown: bool,
}

/// A kept view in the menu.
#[derive(Debug)]
pub struct Kept {
    /// Its key.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose it is, where that is somebody else.
    pub owner: String,
    /// Whether it is everybody's.
    pub shared: bool,
    /// The page.
    pub link: String,
    /// Whether whoever looks may drop it.
    pub may_drop: bool,
    /// Routes that are told of it: the key of that, the route, and who wants it where that is somebody else.
    pub told: Vec<(String, String, String)>,
}

/// How a column of an order stands.
#[derive(Debug)]
pub struct Sorted {
    /// The page in that order, or turned around.
    pub link: String,
    /// `ascending`, `descending` or `none`.
    pub state: &'static str,
}

/// What a list is, whatever is asked for.
pub struct Shape {
    /// Whose rows.
    pub subject: Subject,
    /// What words without a key look into.
    pub hint: &'static str,
    /// Words and names of the columns beside the first.
    pub columns: &'static [(&'static str, &'static str)],
    /// The order when none is asked for.
    pub order: &'static str,
}

impl Form {
    /// The head of a list as `query` asks for it; with the line, or what is wrong with it.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for looks not understood, [`Problem::Store`] when the store does not answer.
    pub async fn new(
        visit: &Visit,
        shape: &Shape,
        query: &Query,
        line: &Result<Line, Mistake>,
    ) -> Result<Self, Problem> {
        let path = views::path(shape.subject);
        let text = match line {
            Ok(line) => line.to_string(),
            Err(_) => query.one("q").to_owned(),
        };
        let looked = query.with_line(&text);
        let columns = columns(shape, query)?;
        let hidden = columns.iter().filter(|column| !column.shown);
        let tight = match query.one("density") {
            "" => false,
            "tight" => true,
            other => {
                return Err(crate::api::query::bad(
                    "density",
                    other,
                    "tight, or leave it out".to_owned(),
                ));
            }
        };
        let mut classes: String = hidden.map(|column| format!(" no-{}", column.word)).collect();
        classes.push_str(if tight { " tight" } else { "" });
        let density = match tight {
            true => looked.without_key("density"),
            false => looked.with("density", "tight"),
        };
        let export = looked.without_key("density").without_key("limit");
        let chips = line
            .as_ref()
            .map(|line| chips(line, &looked, path))
            .unwrap_or_default();
        Ok(Self {
            path,
            page: shape.subject.as_str(),
            line: text,
            hint: shape.hint,
            wrong: line
                .as_ref()
                .err()
                .map(|mistake| Wrong::new(query.one("q"), mistake)),
            picks: Vec::new(),
            chips,
            kept: pairs(&looked.without_key("q").without_key("asof")),
            columns,
            classes,
            tight,
            density: density.link(path),
            address: looked.link(path),
            exports: ["csv", "json"].map(|kind| export.link(&format!("{path}.{kind}"))),
            views: kept(visit, shape.subject).await?,
            routes: alerts::offered(visit, shape.subject),
            view: show::clean(query.one("view"), 60),
            // What is kept is of now: the day is not kept with it.
            query: looked
                .without_key("asof")
                .link("")
                .trim_start_matches('?')
                .to_owned(),
            asof: Some(looked.one("asof").to_owned()).filter(|day| !day.is_empty()),
            today: (visit.clock)()
                .date()
                .map(|day| day.to_string())
                .unwrap_or_default(),
            now: looked.without_key("asof").link(path),
            clear: day_alone(&looked).link(path),
            may_share: visit.person.may(Right::Sign),
            looked,
            order: shape.order,
        })
    }

    /// Adds a choice of words of one key.
    #[must_use]
    pub fn pick(
        mut self,
        subject: Subject,
        line: &Result<Line, Mistake>,
        key: &'static str,
        label: &'static str,
        words: impl Iterator<Item = String>,
    ) -> Self {
        let Ok(line) = line else { return self };
        let choice = |word: String| Choice {
            label: show::words(&word),
            chosen: line.has(key, &word),
            link: self
                .looked
                .with_line(&line.toggled(subject, key, &word).to_string())
                .link(self.path),
        };
        let choices: Vec<_> = words.map(choice).collect();
        self.picks.push(Pick {
            key,
            label,
            chosen: choices.iter().filter(|choice| choice.chosen).count(),
            choices,
        });
        self
    }

    /// How the list is ordered by this word, and what changes that; `newest` ones come first the other way round.
    #[must_use]
    pub fn sorted(&self, word: &str, newest: &bool) -> Sorted {
        let asked = match self.looked.one("sort") {
            "" => self.order,
            asked => asked,
        };
        let turned = format!("-{word}");
        let (state, next) = match asked {
            asked if asked == word => ("ascending", turned.as_str()),
            asked if asked == turned => ("descending", word),
            _ => ("none", if *newest { turned.as_str() } else { word }),
        };
        Sorted {
            link: self.looked.with("sort", next).link(self.path),
            state,
        }
    }

    /// What the column form keeps of the address.
    pub fn without_columns(&self) -> impl Iterator<Item = &(String, String)> {
        self.kept.iter().filter(|(key, _)| key != "cols")
    }
}

/// The day asked for and nothing else.
fn day_alone(query: &Query) -> Query {
    match query.one("asof") {
        "" => Query::default(),
        day => Query::of(&[("asof", day)]),
    }
}

fn pairs(query: &Query) -> Vec<(String, String)> {
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    query.pairs().map(owned).collect()
}

fn columns(shape: &Shape, query: &Query) -> Result<Vec<Column>, Problem> {
    let asked: Vec<&str> = query.all("cols").flat_map(|words| words.split(',')).collect();
    let known = |word: &&str| shape.columns.iter().any(|(column, _)| column == word);
    if let Some(word) = asked.iter().find(|word| !known(word)) {
        let words: Vec<_> = shape.columns.iter().map(|(word, _)| *word).collect();
        return Err(crate::api::query::bad("cols", word, words.join(", ")));
    }
    let column = |&(word, label): &(&'static str, &'static str)| Column {
        word,
        label,
        shown: asked.is_empty() || asked.contains(&word),
    };
    Ok(shape.columns.iter().map(column).collect())
}

fn chips(line: &Line, looked: &Query, path: &str) -> Vec<Chip> {
    let chip = |(number, term): (usize, &crate::filter::Term)| {
        let star = if term.begins { "*" } else { "" };
        let named = term.key.map_or("text", |key| key.name);
        let op = if term.op == Op::Is { "" } else { term.op.as_str() };
        let key = format!("{}{named}", if term.not { "not " } else { "" });
        Chip {
            key,
            value: show::clean(&format!("{op}{}{star}", show::words(&term.value)), 60),
            drop: looked.with_line(&line.without(number).to_string()).link(path),
        }
    };
    line.terms.iter().enumerate().map(chip).collect()
}

async fn kept(visit: &Visit, subject: Subject) -> Result<Vec<Kept>, Problem> {
    let rows = visit.views.views(&visit.person.name).await?;
    let attached = alerts::theirs(visit, subject).await?;
    let of_page = rows.into_iter().filter(|row| row.page == subject.as_str());
    let kept = |row: store::views::ViewRow| {
        let own = row.owner == visit.person.name;
        // One that is no longer understood still leads to what is wrong with it.
        let plain = format!("{}?{}", views::path(subject), row.query);
        Kept {
            id: row.view.to_string(),
            name: show::clean(&row.name, 60),
            owner: if own {
                String::new()
            } else {
                show::clean(&row.owner, 60)
            },
            shared: row.shared,
            told: attached
                .iter()
                .filter(|one| one.view.view == row.view)
                .map(|one| {
                    let by = if one.person == visit.person.name {
                        ""
                    } else {
                        &one.person
                    };
                    (one.attachment.to_string(), one.route.clone(), show::clean(by, 60))
                })
                .collect(),
            may_drop: own || visit.person.may(Right::Sign),
            link: View::read(row).map_or(plain, |view| view.link()),
        }
    };
    Ok(of_page.map(kept).collect())
}

impl Wrong {
    fn new(line: &str, mistake: &Mistake) -> Self {
        let shown = |text: Option<&str>| text.unwrap_or_default().chars().map(show::visible).collect();
        Self {
            before: shown(line.get(..mistake.at.start)),
            piece: shown(line.get(mistake.at.clone())),
            behind: shown(line.get(mistake.at.end..)),
            what: show::clean(&mistake.what, 200),
            allowed: mistake.allowed.clone(),
        }
    }

    /// One caret for each character, one at the end of the line.
    #[must_use]
    pub fn carets(&self) -> String {
        "^".repeat(self.piece.chars().count().clamp(1, 200))
    }
}
