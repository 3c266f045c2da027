//! Walking lists by keyset and counting them, at a cost that does not grow with the table.
//!
//! Invariants: every value is a bound parameter; a page looks at rows that an index says are few, or at windows of
//! [`WINDOW`] rows in the order of the list, until it is full or [`BUDGET`] is spent, and then says where to go on;
//! a total is exact, or says that it was reckoned from a sample.

mod narrow;
mod reckoned;
#[cfg(test)]
mod tests;

pub use reckoned::Reckoned;

use crate::StoreError;
use crate::clause::{Clause, Is, Measure};
use crate::view::Page;
use futures_util::TryStreamExt as _;
use narrow::narrow;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Rows looked at before the clock is, and rows that are few enough to look at all of them.
const WINDOW: u32 = 20_000;
/// Spent looking before a page is handed over as it is.
const BUDGET: Duration = Duration::from_millis(200);
/// A sample is so many stretches of the table …
const STRETCHES: u32 = 20;
/// … of so many rows.
const STRETCH: u32 = 250;
/// Stands for what has no row to be found by an index.
const UNKNOWN: &str = "unknown";
/// With fewer matches a sample tells no number.
const TELLING: u64 = 100;

/// Stands for a moment in what is joined.
pub const THEN: &str = "{then}";

/// What a list is made of.
pub trait Listed: Copy + Debug + PartialEq + Send + Sync + 'static {
    /// The table with its short name, as in `finding f`.
    const TABLE: &'static str;
    /// The key of its rows.
    const KEY: &'static str;
    /// The key of what a row tells of; where a table has what things were, a thing has many rows.
    const THING: &'static str = Self::KEY;
    /// A table with one row a thing, and its key: what totals are reckoned from.
    const THINGS: (&'static str, &'static str) = (Self::TABLE, Self::KEY);
    /// What can be joined to it, one row at most each; [`THEN`] stands for the moment of [`Listed::then`].
    const JOINS: &'static [&'static str];

    /// The moment asked for, where the table has what things were.
    fn then(self) -> Option<model::Instant> {
        None
    }

    /// The expression that has the field's value, NULL where there is none.
    fn column(self) -> Cow<'static, str>;
    /// Which of the joins that expression needs.
    fn joins(self) -> &'static [usize];
    /// Where an index finds keys by words of this field: a key, and from where, up to the column.
    fn index(self) -> Option<(&'static str, &'static str)>;
}

/// How the values of an order are kept in the key of a page: as they were when it was handed out, so that a row whose
/// own values move meanwhile takes no page along.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// As a number.
    Number,
    /// As texts, each in hexadecimal: names have all kinds of characters.
    Texts,
}

/// An order a list is walked in. The key of the row always comes last.
#[derive(Clone, Copy)]
pub struct Order {
    /// What comes before the key; an index has them in this order.
    pub columns: &'static str,
    /// How a page's key keeps it.
    pub kept: Kept,
    /// Whether it is walked backwards.
    pub down: bool,
}

/// One page asked for.
pub struct Asked<'a, F> {
    /// What holds for its rows.
    pub clauses: &'a [Clause<F>],
    /// In which order.
    pub order: Order,
    /// Key of the page.
    pub after: Option<&'a str>,
    /// Rows of the page.
    pub size: u32,
}

impl<'a, F> Asked<'a, F> {
    /// A page behind a place, of so many rows.
    pub fn new(clauses: &'a [Clause<F>], order: Order, (after, size): (Option<&'a str>, u32)) -> Self {
        Self {
            clauses,
            order,
            after,
            size,
        }
    }
}

/// What one page tells of, in order, and how many there are of all pages.
pub struct Found {
    /// Keys of things.
    pub keys: Vec<String>,
    /// How many match in all.
    pub total: u64,
    /// How that is known.
    pub measure: Measure,
    /// Key of the next page.
    pub next: Option<String>,
}

/// These rows, in the order of their keys.
pub fn in_order<T>(keys: &[String], rows: Vec<T>, key: impl Fn(&T) -> String) -> Vec<T> {
    let mut by_key: HashMap<String, T> = rows.into_iter().map(|row| (key(&row), row)).collect();
    keys.iter().filter_map(|key| by_key.remove(key)).collect()
}

impl Found {
    /// A page of these rows.
    pub fn page<T>(self, rows: Vec<T>) -> Page<T> {
        Page {
            rows,
            total: self.total,
            measure: self.measure,
            next: self.next,
        }
    }
}

/// A place in a list: what the order says there, and the key of the row.
#[derive(Clone)]
struct Place {
    kept: String,
    key: String,
    /// What the row tells of; empty where nobody asks.
    thing: String,
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let (kept, key) = text.rsplit_once('.').unwrap_or(("", text));
        key.parse::<Uuid>().ok()?;
        Some(Self {
            kept: kept.to_owned(),
            key: key.to_owned(),
            thing: String::new(),
        })
    }

    fn write(&self) -> String {
        if self.kept.is_empty() {
            self.key.clone()
        } else {
            format!("{}.{}", self.kept, self.key)
        }
    }
}

/// The keys of a page, with the total.
pub async fn seek<F: Listed>(
    pool: &SqlitePool,
    reckoned: &Reckoned,
    asked: &Asked<'_, F>,
) -> Result<Found, StoreError> {
    let few = few(pool, asked.clauses).await?;
    let start = asked.after.and_then(Place::read);
    let first = start.is_none();
    let (mut places, next) = match few {
        Some(few) => walk(pool, asked, Some(few), start.as_ref(), None, asked.size + 1)
            .await
            .map(|places| (places, None))?,
        None => windows(pool, asked, start).await?,
    };
    let size = asked.size as usize;
    let next = if places.len() > size {
        places.truncate(size);
        places.last().map(Place::write)
    } else {
        next.map(|place| place.write())
    };
    let (total, measure) = if first && next.is_none() {
        (places.len() as u64, Measure::Exact)
    } else {
        let (total, measure) = count(pool, reckoned, asked.clauses, few).await?;
        // What was found is there, whatever a sample says.
        let found = places.len() as u64 + u64::from(next.is_some() && places.len() == size);
        match measure {
            Measure::Exact => (total, measure),
            _ => (total.max(found + 1), measure),
        }
    };
    Ok(Found {
        keys: places.into_iter().map(|place| place.thing).collect(),
        total,
        measure,
        next,
    })
}

/// The keys of all things whose rows match, in order, by one statement: of one moment.
pub async fn all<F: Listed>(
    pool: &SqlitePool,
    clauses: &[Clause<F>],
    order: Order,
) -> Result<Vec<Uuid>, StoreError> {
    let few = few(pool, clauses).await?;
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(F::THING).push(" AS thing FROM ");
    tables(&mut query, clauses, few);
    query.push(" WHERE TRUE");
    narrow(&mut query, clauses);
    ordered::<F>(&mut query, order);
    let query = query.build_query_scalar::<String>().persistent(false);
    let mut found = query.fetch(pool);
    let mut keys = Vec::new();
    while let Some(key) = found.try_next().await? {
        keys.push(key.parse().map_err(|_| StoreError::Damaged("key"))?);
    }
    Ok(keys)
}

/// Those of these keys that match.
pub async fn among<F: Listed>(
    pool: &SqlitePool,
    among: &[String],
    clauses: &[Clause<F>],
) -> Result<Vec<String>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(F::KEY).push(" FROM ");
    tables(&mut query, clauses, None);
    query.push(" WHERE ").push(F::KEY).push(" IN (");
    let mut keys = query.separated(", ");
    for key in among {
        keys.push_bind(key.clone());
    }
    query.push(")");
    narrow(&mut query, clauses);
    let query = query.build_query_scalar().persistent(false);
    Ok(query.fetch_all(pool).await?)
}

/// Window by window, until there is enough, nothing more, or no time left; tells where to go on.
async fn windows<F: Listed>(
    pool: &SqlitePool,
    asked: &Asked<'_, F>,
    mut from: Option<Place>,
) -> Result<(Vec<Place>, Option<Place>), StoreError> {
    let began = Instant::now();
    let mut found = Vec::new();
    loop {
        let end = if asked.clauses.is_empty() {
            None
        } else {
            end_of_window::<F>(pool, asked.order, from.as_ref()).await?
        };
        let wanted = asked.size + 1 - u32::try_from(found.len()).unwrap_or(asked.size);
        found.extend(walk(pool, asked, None, from.as_ref(), end.as_ref(), wanted).await?);
        let enough = found.len() > asked.size as usize;
        if enough || end.is_none() || began.elapsed() > BUDGET {
            return Ok((found, end.filter(|_| !enough)));
        }
        from = end;
    }
}

async fn end_of_window<F: Listed>(
    pool: &SqlitePool,
    order: Order,
    from: Option<&Place>,
) -> Result<Option<Place>, StoreError> {
    let mut query = start::<F>(order);
    query.push(F::TABLE).push(" WHERE TRUE");
    if let Some(from) = from {
        beyond::<F>(&mut query, order, from, if order.down { " < " } else { " > " });
    }
    ordered::<F>(&mut query, order);
    query.push(" LIMIT 1 OFFSET ").push_bind(i64::from(WINDOW) - 1);
    let row = query.build().persistent(false).fetch_optional(pool).await?;
    row.as_ref().map(place).transpose()
}

/// The places that match, from one place to another, in order.
async fn walk<F: Listed>(
    pool: &SqlitePool,
    asked: &Asked<'_, F>,
    few: Option<&Clause<F>>,
    from: Option<&Place>,
    end: Option<&Place>,
    most: u32,
) -> Result<Vec<Place>, StoreError> {
    let order = asked.order;
    let mut query = start::<F>(order);
    tables(&mut query, asked.clauses, few);
    query.push(" WHERE TRUE");
    narrow(&mut query, asked.clauses);
    if let Some(from) = from {
        beyond::<F>(&mut query, order, from, if order.down { " < " } else { " > " });
    }
    if let Some(end) = end {
        beyond::<F>(&mut query, order, end, if order.down { " >= " } else { " <= " });
    }
    ordered::<F>(&mut query, order);
    query.push(" LIMIT ").push_bind(i64::from(most));
    let rows = query.build().persistent(false).fetch_all(pool).await?;
    rows.iter().map(place).collect()
}

fn start<F: Listed>(order: Order) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT ");
    match order.kept {
        Kept::Number => query.push("CAST(").push(order.columns).push(" AS TEXT)"),
        Kept::Texts => query
            .push("hex(")
            .push(order.columns.replace(", ", ") || '-' || hex("))
            .push(")"),
    };
    query.push(" AS kept, ").push(F::KEY).push(" AS row_key, ");
    query.push(F::THING).push(" AS thing FROM ");
    query
}

fn place(row: &SqliteRow) -> Result<Place, StoreError> {
    Ok(Place {
        kept: row.try_get("kept")?,
        key: row.try_get("row_key")?,
        thing: row.try_get("thing")?,
    })
}

fn beyond<F: Listed>(query: &mut QueryBuilder<Sqlite>, order: Order, place: &Place, side: &str) {
    query
        .push(" AND (")
        .push(order.columns)
        .push(", ")
        .push(F::KEY)
        .push(")")
        .push(side);
    match order.kept {
        Kept::Number => {
            let number: i64 = place.kept.parse().unwrap_or(i64::MIN);
            query
                .push("(")
                .push_bind(number)
                .push(", ")
                .push_bind(place.key.clone())
                .push(")");
        }
        Kept::Texts => {
            query.push("(");
            let mut kept = place.kept.split('-');
            for _column in order.columns.split(", ") {
                let text = kept.next().and_then(|text| hex::decode(text).ok());
                let text = text.and_then(|text| String::from_utf8(text).ok());
                query.push_bind(text.unwrap_or_default()).push(", ");
            }
            query.push_bind(place.key.clone()).push(")");
        }
    }
}

fn ordered<F: Listed>(query: &mut QueryBuilder<Sqlite>, order: Order) {
    let columns = order.columns.split(", ").chain([F::KEY]);
    for (position, column) in columns.enumerate() {
        query.push(if position == 0 { " ORDER BY " } else { ", " });
        query.push(column).push(if order.down { " DESC" } else { " ASC" });
    }
}

/// The table with what the clauses need beside it; where few keys are known, those lead: an outer join keeps the order.
fn tables<F: Listed>(query: &mut QueryBuilder<Sqlite>, clauses: &[Clause<F>], few: Option<&Clause<F>>) {
    match few {
        Some(clause) => {
            query.push("(");
            keys(query, clause);
            query
                .push(") k LEFT JOIN ")
                .push(F::TABLE)
                .push(" ON ")
                .push(F::KEY)
                .push(" = k.row_key");
        }
        None => {
            query.push(F::TABLE);
        }
    }
    joins(query, clauses);
}

fn joins<F: Listed>(query: &mut QueryBuilder<Sqlite>, clauses: &[Clause<F>]) {
    let tests = || clauses.iter().flat_map(|clause| &clause.any);
    for (number, join) in F::JOINS.iter().enumerate() {
        let asked = tests().find(|test| test.field.joins().contains(&number));
        if let Some(test) = asked {
            query.push(" ").push(at(join, test.field.then()));
        }
    }
}

/// The same of a moment: a number of ours, and nothing anybody typed.
pub fn at(sql: &str, then: Option<model::Instant>) -> String {
    match then {
        Some(then) => sql.replace(THEN, &then.0.to_string()),
        None => sql.to_owned(),
    }
}

/// Keys by index.
fn keys<F: Listed>(query: &mut QueryBuilder<Sqlite>, clause: &Clause<F>) {
    let Some((key, from)) = clause.any.first().and_then(|test| test.field.index()) else {
        return;
    };
    query
        .push("SELECT ")
        .push(key)
        .push(" AS row_key FROM ")
        .push(from)
        .push(" IN (");
    let mut words = query.separated(", ");
    for test in &clause.any {
        if let Is::Word(word) = &test.is {
            words.push_bind(word.clone());
        }
    }
    query.push(")");
}

/// The clause that an index can answer with the fewest keys, if they are few.
async fn few<'a, F: Listed>(
    pool: &SqlitePool,
    clauses: &'a [Clause<F>],
) -> Result<Option<&'a Clause<F>>, StoreError> {
    let mut best: Option<(i64, &Clause<F>)> = None;
    for clause in clauses.iter().filter(|clause| indexed(clause)) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM (");
        keys(&mut query, clause);
        // No more than tell that they are not few.
        query.push(" LIMIT ").push_bind(i64::from(WINDOW) + 1).push(")");
        let count: i64 = query
            .build_query_scalar()
            .persistent(false)
            .fetch_one(pool)
            .await?;
        if count <= i64::from(WINDOW) && best.is_none_or(|(least, _)| count < least) {
            best = Some((count, clause));
        }
    }
    Ok(best.map(|(_, clause)| clause))
}

fn indexed<F: Listed>(clause: &Clause<F>) -> bool {
    let Some(first) = clause.any.first().filter(|test| test.field.index().is_some()) else {
        return false;
    };
    !clause.not
        && clause
            .any
            .iter()
            .all(|test| test.field == first.field && matches!(&test.is, Is::Word(word) if word != UNKNOWN))
}

/// How many rows match: exact where few are looked at, else reckoned from a sample of the whole table.
async fn count<F: Listed>(
    pool: &SqlitePool,
    reckoned: &Reckoned,
    clauses: &[Clause<F>],
    few: Option<&Clause<F>>,
) -> Result<(u64, Measure), StoreError> {
    if few.is_some() {
        return Ok((each(pool, clauses, few).await?, Measure::Exact));
    }
    let rows = size::<F>(pool, reckoned).await?;
    if clauses.is_empty() {
        return Ok((rows, Measure::Exact));
    }
    if rows <= u64::from(WINDOW) {
        return Ok((each(pool, clauses, None).await?, Measure::Exact));
    }
    let asked = format!("{} {clauses:?}", F::TABLE);
    if let Some(known) = reckoned.get(&asked) {
        return Ok(known);
    }
    let (looked, met) = sample(pool, clauses).await?;
    let (total, measure) = reckon(rows, looked, met);
    reckoned.keep(asked, total, measure);
    Ok((total, measure))
}

/// How many rows match, however many must be looked at.
pub async fn exactly<F: Listed>(pool: &SqlitePool, clauses: &[Clause<F>]) -> Result<u64, StoreError> {
    each(pool, clauses, few(pool, clauses).await?).await
}

async fn each<F: Listed>(
    pool: &SqlitePool,
    clauses: &[Clause<F>],
    few: Option<&Clause<F>>,
) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM ");
    tables(&mut query, clauses, few);
    query.push(" WHERE TRUE");
    narrow(&mut query, clauses);
    let count = query.build_query_scalar().persistent(false);
    let count: i64 = count.fetch_one(pool).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// How many things there are; of many as they were a moment ago.
async fn size<F: Listed>(pool: &SqlitePool, reckoned: &Reckoned) -> Result<u64, StoreError> {
    let (things, _) = F::THINGS;
    if let Some((rows, _)) = reckoned.get(things) {
        return Ok(rows);
    }
    let mut query = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM ");
    query.push(things);
    let rows: i64 = query.build_query_scalar().fetch_one(pool).await?;
    let rows = u64::try_from(rows).unwrap_or(0);
    if rows > u64::from(WINDOW) {
        reckoned.keep(things.to_owned(), rows, Measure::Exact);
    }
    Ok(rows)
}

/// From so many rows looked at and so many that matched, how many of all match.
fn reckon(rows: u64, looked: u64, met: u64) -> (u64, Measure) {
    let of_all = |part: u64| part.saturating_mul(rows).div_ceil(looked.max(1));
    let rounded = |number: u64, digits: u32| {
        let unit = 10_u64.saturating_pow(number.max(1).ilog10().saturating_sub(digits - 1));
        number.saturating_add(unit / 2) / unit * unit
    };
    if met >= TELLING {
        return (rounded(of_all(met), 2), Measure::About);
    }
    // Two deviations above what was met, and never nothing: a sample without a match does not say that there is none.
    let most = met + 2 * met.isqrt() + 4;
    (rounded(of_all(most), 1).max(1), Measure::Below)
}

/// The first or the last key; one at a time, since an index answers one of them at once and both by a walk.
async fn end<F: Listed>(pool: &SqlitePool, which: &str) -> Result<Option<Uuid>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    let (things, key) = F::THINGS;
    query.push(format!("{which}({key}) FROM {things}"));
    let key: Option<String> = query.build_query_scalar().fetch_one(pool).await?;
    Ok(key.and_then(|key| key.parse().ok()))
}

/// Looks at stretches spread evenly over the keys of things.
async fn sample<F: Listed>(pool: &SqlitePool, clauses: &[Clause<F>]) -> Result<(u64, u64), StoreError> {
    let (Some(least), Some(most)) = (end::<F>(pool, "MIN").await?, end::<F>(pool, "MAX").await?) else {
        return Ok((0, 0));
    };
    let (things, key) = F::THINGS;
    let step = (most.as_u128() - least.as_u128()) / u128::from(STRETCHES);
    let (mut looked, mut met) = (0, 0);
    for stretch in 0..STRETCHES {
        // Not in step with whatever returns in equal steps.
        let shift = step / 1_000 * u128::from(stretch * 618 % 1_000);
        let from = Uuid::from_u128(least.as_u128() + step * u128::from(stretch) + shift).to_string();
        let mut query =
            QueryBuilder::<Sqlite>::new("SELECT COUNT(DISTINCT k.row_key) AS looked, COALESCE(SUM(TRUE");
        narrow(&mut query, clauses);
        query.push(format!(
            "), 0) AS met FROM (SELECT {key} AS row_key FROM {things} WHERE {key} >= "
        ));
        query.push_bind(from).push(format!(" ORDER BY {key} LIMIT "));
        query.push_bind(i64::from(STRETCH)).push(") k LEFT JOIN ");
        query.push(format!("{} ON {} = k.row_key", F::TABLE, F::THING));
        joins(&mut query, clauses);
        let row = query.build().persistent(false).fetch_one(pool).await?;
        looked += u64::try_from(row.try_get::<i64, _>("looked")?).unwrap_or(0);
        met += u64::try_from(row.try_get::<Option<i64>, _>("met")?.unwrap_or(0)).unwrap_or(0);
    }
    Ok((looked, met))
}
