//! Lists of findings by keyset, and one finding with its life.

use super::{life, row};
use crate::StoreError;
use crate::view::{FindingEvent, FindingFilter, FindingRow, FindingView, Page};
use model::{ElementId, FindingId, Instant, RuleResult};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite};

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

/// A LIKE pattern that finds `text` anywhere; `!` escapes.
pub fn contains(text: &str) -> String {
    let escaped: String = text
        .chars()
        .take(200)
        .flat_map(|c| {
            if matches!(c, '%' | '_' | '!') {
                vec!['!', c]
            } else {
                vec![c]
            }
        })
        .collect();
    format!("%{escaped}%")
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &FindingFilter) {
    query.push(" WHERE 1 = 1");
    any_of(
        query,
        "f.severity",
        &filter.severities.iter().map(|s| s.as_str()).collect::<Vec<_>>(),
    );
    any_of(
        query,
        "f.class",
        &filter.classes.iter().map(|s| s.as_str()).collect::<Vec<_>>(),
    );
    if filter.states.is_empty() {
        query.push(" AND f.state <> 'closed'");
    } else {
        any_of(
            query,
            "f.state",
            &filter.states.iter().map(|s| s.as_str()).collect::<Vec<_>>(),
        );
    }
    any_of(query, "e.site", &filter.sites);
    any_of(query, "f.jurisdiction", &filter.jurisdictions);
    any_of(query, "f.supplier", &filter.suppliers);
    any_of(query, "f.rule", &filter.rules);
    let elements: Vec<String> = filter.elements.iter().map(ToString::to_string).collect();
    any_of(query, "f.element_id", &elements);
    any_of(query, "f.owner", &filter.owners);
    any_of(query, "COALESCE(d.role, 'unknown')", &filter.roles);
    if filter.asked {
        query.push(" AND f.asked IS NOT NULL");
    }
    if !filter.text.is_empty() {
        let pattern = contains(&filter.text);
        query
            .push(" AND (e.name LIKE ")
            .push_bind(pattern.clone())
            .push(" ESCAPE '!' OR e.address LIKE ");
        query
            .push_bind(pattern.clone())
            .push(" ESCAPE '!' OR c.name LIKE ");
        query
            .push_bind(pattern.clone())
            .push(" ESCAPE '!' OR i.model LIKE ");
        query.push_bind(pattern).push(" ESCAPE '!')");
    }
}

/// See [`crate::Store::findings`]. The page key is `rank.finding`.
pub async fn list(pool: &SqlitePool, filter: &FindingFilter) -> Result<Page<FindingRow>, StoreError> {
    let size = page_size(filter.limit);
    let mut count = QueryBuilder::<Sqlite>::new("SELECT COUNT(*)");
    count.push(TABLES);
    narrow(&mut count, filter);
    let total: i64 = count
        .build_query_scalar()
        .persistent(false)
        .fetch_one(pool)
        .await?;

    let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
    query.push(TABLES);
    narrow(&mut query, filter);
    let after = filter.after.as_deref().and_then(|key| key.split_once('.'));
    if let Some((rank, finding)) =
        after.and_then(|(r, f)| Some((r.parse::<i64>().ok()?, f.parse::<FindingId>().ok()?)))
    {
        query
            .push(" AND (f.severity_rank > ")
            .push_bind(rank)
            .push(" OR (f.severity_rank = ")
            .push_bind(rank);
        query
            .push(" AND f.finding_id > ")
            .push_bind(finding.to_string())
            .push("))");
    }
    query
        .push(" ORDER BY f.severity_rank, f.finding_id LIMIT ")
        .push_bind(i64::from(size) + 1);
    let mut rows = query.build().persistent(false).fetch_all(pool).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next = match rows.last() {
        Some(last) if more => Some(format!(
            "{}.{}",
            last.try_get::<i64, _>("severity_rank")?,
            last.try_get::<String, _>("finding_id")?
        )),
        _ => None,
    };
    Ok(Page {
        rows: rows.iter().map(read).collect::<Result<_, _>>()?,
        total: row::count(total),
        next,
    })
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
