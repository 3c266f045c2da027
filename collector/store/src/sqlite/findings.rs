//! Lists of findings by keyset, and one finding with its life.

use super::seek::{self, Asked, Kept, Listed, Order, Reckoned, all, in_order, seek};
use super::{life, row, then};
use crate::StoreError;
use crate::clause::{Clause, FindingField, FindingOrder, Is, Test};
use crate::view::{FindingEvent, FindingFilter, FindingRow, FindingView, Page};
use model::{ElementId, FindingId, FindingState, Instant, RuleResult};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite};
use std::borrow::Cow;
use std::collections::BTreeSet;

const COLUMNS: &str = "SELECT f.*, e.name AS element_name, e.address, e.context, e.site, d.role, \
    c.name AS part_name, c.description AS part_description, c.maker_name AS part_maker, \
    i.model, i.maker_name, i.brand_name, i.maker_id, i.brand_id";

const TABLES: &str = " FROM finding f JOIN element e ON e.element_id = f.element_id \
    LEFT JOIN declaration d ON d.element_id = f.element_id AND d.superseded_at IS NULL \
    LEFT JOIN identification i ON i.digest = f.digest AND i.knowledge = f.knowledge \
    LEFT JOIN component c ON f.component <> '' AND c.digest = f.digest AND c.knowledge = f.knowledge \
    AND c.component_index = f.component";

/// Rows a page when the filter does not say, and at most.
pub fn page_size(limit: u32) -> u32 {
    if limit == 0 { 100 } else { limit.min(500) }
}

/// Adds `AND column IN (…)` when there are words.
pub fn any_of<T: AsRef<str>>(query: &mut QueryBuilder<Sqlite>, column: &str, words: &[T]) {
    if words.is_empty() {
        return;
    }
    query.push(" AND ").push(column).push(" IN (");
    let mut separated = query.separated(", ");
    for word in words {
        separated.push_bind(word.as_ref().to_owned());
    }
    query.push(")");
}

/// A text as a LIKE pattern that means itself; `!` escapes.
pub fn escaped(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(|c| {
            if matches!(c, '%' | '_' | '!') {
                vec!['!', c]
            } else {
                vec![c]
            }
        })
        .collect()
}

impl Listed for FindingField {
    const TABLE: &'static str = "finding f";
    const KEY: &'static str = "f.finding_id";
    const JOINS: &'static [&'static str] = &[
        "LEFT JOIN element e ON e.element_id = f.element_id",
        "LEFT JOIN declaration d ON d.element_id = f.element_id AND d.superseded_at IS NULL",
        "LEFT JOIN identification i ON i.digest = f.digest AND i.knowledge = f.knowledge",
        "LEFT JOIN component c ON f.component <> '' AND c.digest = f.digest AND c.knowledge = f.knowledge \
         AND c.position = (SELECT MIN(o.position) FROM component o WHERE o.digest = f.digest \
         AND o.knowledge = f.knowledge AND o.component_index = f.component)",
    ];

    fn column(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Element => "f.element_id",
            Self::Severity => "f.severity",
            Self::State => "f.state",
            Self::Class => "f.class",
            Self::Site => "f.site",
            Self::Law => "f.jurisdiction",
            Self::Supplier => "f.supplier",
            Self::Maker => "CASE WHEN f.component = '' THEN i.maker_id ELSE c.maker_id END",
            Self::Rule => "f.rule",
            Self::Role => "COALESCE(d.role, 'unknown')",
            Self::Owner => "f.owner",
            Self::Removal => "f.removal",
            Self::Asked => "f.asked",
            Self::Confidence => "f.confidence",
            Self::Opened => "f.opened_at",
            Self::Deadline => "f.due_by",
            Self::Seen => "e.last_answer_at",
            Self::Name => "e.name",
            Self::Address => "e.address",
            Self::Part => "c.name",
            Self::Model => "i.model",
        })
    }

    fn joins(self) -> &'static [usize] {
        match self {
            Self::Seen | Self::Name | Self::Address => &[0],
            Self::Role => &[1],
            Self::Model => &[2],
            Self::Part => &[3],
            Self::Maker => &[2, 3],
            _ => &[],
        }
    }

    fn index(self) -> Option<(&'static str, &'static str)> {
        let from = match self {
            Self::Element => "finding WHERE element_id",
            Self::State => "finding WHERE state",
            Self::Class => "finding WHERE class",
            Self::Site => "finding WHERE site",
            Self::Law => "finding WHERE jurisdiction",
            Self::Supplier => "finding WHERE supplier",
            Self::Rule => "finding WHERE rule",
            Self::Owner => "finding WHERE owner",
            _ => return None,
        };
        Some(("finding_id", from))
    }
}

/// All that holds, the plain lists of words too.
fn clauses(filter: &FindingFilter) -> Vec<Clause<FindingField>> {
    use FindingField as F;
    let strings = |words: &[&'static str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let severities: Vec<_> = filter.severities.iter().map(|s| s.as_str()).collect();
    let classes: Vec<_> = filter.classes.iter().map(|s| s.as_str()).collect();
    let states: Vec<_> = filter.states.iter().map(|s| s.as_str()).collect();
    let lists = [
        (F::Severity, strings(&severities)),
        (F::Class, strings(&classes)),
        (F::State, strings(&states)),
        (F::Site, filter.sites.clone()),
        (F::Law, filter.jurisdictions.clone()),
        (F::Supplier, filter.suppliers.clone()),
        (F::Rule, filter.rules.clone()),
        (
            F::Element,
            filter.elements.iter().map(ToString::to_string).collect(),
        ),
        (F::Role, filter.roles.clone()),
    ];
    let lists = lists.into_iter().filter(|(_, words)| !words.is_empty());
    let mut all: Vec<_> = lists.map(|(field, words)| Clause::words(field, words)).collect();
    if filter.states.is_empty() && !filter.closed {
        all.push(Clause {
            not: true,
            ..Clause::words(F::State, [FindingState::Closed.as_str()])
        });
    }
    if !filter.text.is_empty() {
        let test = |field| Test::new(field, Is::Contains(filter.text.clone()));
        all.push(Clause::any(
            [F::Name, F::Address, F::Part, F::Model].map(test).to_vec(),
        ));
    }
    all.extend(filter.clauses.iter().cloned());
    all
}

fn order(filter: &FindingFilter) -> Order {
    let then = filter.then.is_some();
    let (now, past, kept) = match filter.order {
        FindingOrder::Urgency => ("f.severity_rank", "t.severity_rank", Kept::Number),
        FindingOrder::Deadline => ("f.due_by", "t.due_by", Kept::Texts),
        FindingOrder::Opened => ("f.opened_at", "t.opened_at", Kept::Number),
    };
    Order {
        columns: if then { past } else { now },
        kept,
        down: filter.down,
    }
}

/// See [`crate::Store::findings`].
pub async fn list(
    pool: &SqlitePool,
    reckoned: &Reckoned,
    filter: &FindingFilter,
) -> Result<Page<FindingRow>, StoreError> {
    let page = (filter.after.as_deref(), page_size(filter.limit));
    let found = match filter.then {
        None => seek(pool, reckoned, &Asked::new(&clauses(filter), order(filter), page)).await?,
        Some(at) => {
            let clauses = then::clauses(clauses(filter), at);
            seek(pool, reckoned, &Asked::new(&clauses, order(filter), page)).await?
        }
    };
    let rows = rows(pool, &found.keys, filter.then).await?;
    Ok(found.page(rows))
}

/// See [`crate::Store::finding_keys`].
pub async fn keys(pool: &SqlitePool, filter: &FindingFilter) -> Result<Vec<FindingId>, StoreError> {
    let keys = match filter.then {
        None => all(pool, &clauses(filter), order(filter)).await?,
        Some(at) => all(pool, &then::clauses(clauses(filter), at), order(filter)).await?,
    };
    Ok(keys.into_iter().map(FindingId).collect())
}

/// See [`crate::Alerts::matching`].
pub async fn among(
    pool: &SqlitePool,
    findings: &[FindingId],
    filter: &FindingFilter,
) -> Result<BTreeSet<FindingId>, StoreError> {
    let keys: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let found = seek::among(pool, &keys, &clauses(filter)).await?;
    found.iter().map(|key| row::word(key, "finding")).collect()
}

/// The rows of these keys, in their order.
pub async fn rows(
    pool: &SqlitePool,
    keys: &[String],
    then: Option<Instant>,
) -> Result<Vec<FindingRow>, StoreError> {
    let mut query = match then {
        None => {
            let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
            query.push(TABLES).push(" WHERE f.finding_id IN (");
            query
        }
        Some(then) => QueryBuilder::new(then::finding_rows(then)),
    };
    let mut separated = query.separated(", ");
    for key in keys {
        separated.push_bind(key.clone());
    }
    query.push(")");
    let rows = query.build().persistent(false).fetch_all(pool).await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(in_order(keys, rows, |row| row.finding.to_string()))
}

/// Findings of one element, open ones first.
pub async fn of_element(pool: &SqlitePool, element: &str) -> Result<Vec<FindingRow>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
    query
        .push(TABLES)
        .push(" WHERE f.element_id = ")
        .push_bind(element.to_owned());
    query.push(" ORDER BY f.state = 'closed', f.severity_rank, f.finding_id LIMIT 1000");
    query.build().fetch_all(pool).await?.iter().map(read).collect()
}

/// See [`crate::Store::finding`].
pub async fn one(pool: &SqlitePool, finding: FindingId) -> Result<Option<FindingView>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
    query
        .push(TABLES)
        .push(" WHERE f.finding_id = ")
        .push_bind(finding.to_string());
    let Some(found) = query.build().fetch_optional(pool).await? else {
        return Ok(None);
    };
    let events = sqlx::query("SELECT * FROM finding_event WHERE finding_id = $1 ORDER BY event_id")
        .bind(finding.to_string())
        .fetch_all(pool)
        .await?;
    Ok(Some(FindingView {
        row: read(&found)?,
        events: events.iter().map(event).collect::<Result<_, _>>()?,
        digest: row::maybe_digest(found.try_get("digest")?)?,
        knowledge: found.try_get("knowledge")?,
        policies: found.try_get("policies")?,
        as_of: found.try_get("as_of")?,
    }))
}

fn event(r: &SqliteRow) -> Result<FindingEvent, StoreError> {
    let at = Instant(r.try_get("recorded_at")?);
    let also: String = r.try_get("also")?;
    Ok(FindingEvent {
        at,
        valid: row::instant(r.try_get("valid_at")?).unwrap_or(at),
        kind: r.try_get("kind")?,
        cause: r.try_get("cause")?,
        also: also.split_whitespace().map(str::to_owned).collect(),
        grounds: r.try_get("grounds")?,
        person: r.try_get("person")?,
        text: r.try_get("text")?,
    })
}

fn read(r: &SqliteRow) -> Result<FindingRow, StoreError> {
    let component: String = r.try_get("component")?;
    let text = |column: &str| {
        r.try_get::<Option<String>, _>(column)
            .map(Option::unwrap_or_default)
    };
    let result: RuleResult = row::from_json(r.try_get("result")?, "finding")?;
    let (part, supplier) = if component.is_empty() {
        let brand_matched = text("brand_id")? == result.supplier && text("maker_id")? != result.supplier;
        (
            text("model")?,
            text(if brand_matched { "brand_name" } else { "maker_name" })?,
        )
    } else {
        let name = text("part_name")?;
        (
            if name.is_empty() {
                text("part_description")?
            } else {
                name
            },
            text("part_maker")?,
        )
    };
    Ok(FindingRow {
        finding: row::word(r.try_get("finding_id")?, "finding")?,
        revision: row::count(r.try_get("revision")?),
        element: row::word::<ElementId>(r.try_get("element_id")?, "element")?,
        element_name: r.try_get("element_name")?,
        address: row::place_of(r)?,
        site: row::site(r.try_get("site")?)?,
        role: row::role(r.try_get("role")?)?,
        component: (!component.is_empty()).then_some(component),
        part,
        supplier: if supplier.is_empty() {
            result.supplier.clone()
        } else {
            supplier
        },
        life: life::life(r)?,
        opened: Instant(r.try_get("opened_at")?),
        closed: row::instant(r.try_get("closed_at")?),
        result,
    })
}
