//! Lists of elements by keyset, and one element with everything its page shows.

use super::findings::{of_element, page_size};
use super::seek::{Asked, Kept, Listed, Order, Reckoned, all, exactly, in_order, seek};
use super::{conclude, row, then, units};
use crate::StoreError;
use crate::clause::{Clause, ElementField, ElementOrder, Is, Test};
use crate::view::{ElementFilter, ElementRow, ElementView, Page, SightingRow};
use model::{ElementId, Instant, Severity, UnitIdentity};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite};
use std::borrow::Cow;

const COLUMNS: &str = "SELECT e.*, d.role, d.generations, d.tags, d.acquired, s.jurisdictions, \
    COALESCE(j.standing, 'unknown') AS standing, j.digest AS judged_digest, j.knowledge, j.policies, j.as_of, j.results, j.contradictions, \
    i.maker_id, i.maker_name, i.maker_confidence, i.brand_name, i.model, i.serial, i.component_count, \
    (SELECT COUNT(*) FROM finding f WHERE f.element_id = e.element_id AND f.state NOT IN ('closed', 'waived')) \
        AS finding_count, \
    (SELECT MIN(severity_rank) FROM finding f WHERE f.element_id = e.element_id \
        AND f.state NOT IN ('closed', 'waived')) AS worst";

const TABLES: &str = " FROM element e \
    LEFT JOIN site s ON s.name = e.site \
    LEFT JOIN declaration d ON d.element_id = e.element_id AND d.superseded_at IS NULL \
    LEFT JOIN judgement j ON j.element_id = e.element_id \
    LEFT JOIN identification i ON i.digest = j.digest AND i.knowledge = j.knowledge";

impl Listed for ElementField {
    const TABLE: &'static str = "element e";
    const KEY: &'static str = "e.element_id";
    const JOINS: &'static [&'static str] = &[
        "LEFT JOIN declaration d ON d.element_id = e.element_id AND d.superseded_at IS NULL",
        "LEFT JOIN judgement j ON j.element_id = e.element_id",
        "LEFT JOIN identification i ON i.digest = j.digest AND i.knowledge = j.knowledge",
    ];

    fn column(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Site => "e.site",
            Self::Role => "COALESCE(d.role, 'unknown')",
            Self::Maker => "i.maker_id",
            Self::Brand => "i.brand_id",
            Self::Model => "i.model",
            Self::Serial => "i.serial",
            Self::Standing => "COALESCE(j.standing, 'unknown')",
            Self::Seen => "e.last_answer_at",
            Self::Confidence => "CASE WHEN i.maker_id IS NOT NULL THEN i.maker_confidence END",
            Self::Round => "e.latest_completeness",
            Self::Name => "e.name",
            Self::Address => "e.address",
            Self::Context => "e.context",
        })
    }

    fn joins(self) -> &'static [usize] {
        match self {
            Self::Role => &[0],
            Self::Standing => &[1],
            Self::Maker | Self::Brand | Self::Model | Self::Serial | Self::Confidence => &[1, 2],
            Self::Site | Self::Seen | Self::Round | Self::Name | Self::Address | Self::Context => &[],
        }
    }

    fn index(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Site => Some(("element_id", "element WHERE site")),
            Self::Role => Some(("element_id", "declaration WHERE superseded_at IS NULL AND role")),
            Self::Standing => Some(("element_id", "judgement WHERE standing")),
            Self::Maker => Some((
                "j.element_id",
                "identification i JOIN judgement j ON j.digest = i.digest \
                AND j.knowledge = i.knowledge WHERE i.maker_id",
            )),
            Self::Brand => Some((
                "j.element_id",
                "identification i JOIN judgement j ON j.digest = i.digest \
                AND j.knowledge = i.knowledge WHERE i.brand_id",
            )),
            Self::Serial => Some((
                "j.element_id",
                "identification i JOIN judgement j ON j.digest = i.digest \
                AND j.knowledge = i.knowledge WHERE i.serial",
            )),
            _ => None,
        }
    }
}

/// All that holds, the plain lists of words too.
fn clauses(filter: &ElementFilter) -> Vec<Clause<ElementField>> {
    use ElementField as F;
    let lists = [
        (F::Site, &filter.sites),
        (F::Role, &filter.roles),
        (F::Standing, &filter.standings),
    ];
    let lists = lists.into_iter().filter(|(_, words)| !words.is_empty());
    let mut all: Vec<_> = lists.map(|(field, words)| Clause::words(field, words)).collect();
    if !filter.text.is_empty() {
        let test = |field| Test::new(field, Is::Contains(filter.text.clone()));
        all.push(Clause::any(
            [F::Name, F::Address, F::Context, F::Model, F::Serial]
                .map(test)
                .to_vec(),
        ));
    }
    all.extend(filter.clauses.iter().cloned());
    all
}

fn order(filter: &ElementFilter) -> Order {
    let columns = match (filter.order, filter.then) {
        (ElementOrder::Name, None) => "e.name",
        (ElementOrder::Site, None) => "e.site, e.name",
        (ElementOrder::Name, Some(_)) => "s.name",
        (ElementOrder::Site, Some(_)) => "s.site, s.name",
    };
    Order {
        columns,
        kept: Kept::Texts,
        down: filter.down,
    }
}

/// See [`crate::Store::elements`].
pub async fn list(
    pool: &SqlitePool,
    reckoned: &Reckoned,
    filter: &ElementFilter,
) -> Result<Page<ElementRow>, StoreError> {
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

/// See [`crate::Store::element_keys`].
pub async fn keys(pool: &SqlitePool, filter: &ElementFilter) -> Result<Vec<ElementId>, StoreError> {
    let keys = match filter.then {
        None => all(pool, &clauses(filter), order(filter)).await?,
        Some(at) => all(pool, &then::clauses(clauses(filter), at), order(filter)).await?,
    };
    Ok(keys.into_iter().map(ElementId).collect())
}

/// The rows of these keys, in their order.
pub async fn rows(
    pool: &SqlitePool,
    keys: &[String],
    then: Option<Instant>,
) -> Result<Vec<ElementRow>, StoreError> {
    let mut query = match then {
        None => {
            let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
            query.push(TABLES).push(" WHERE e.element_id IN (");
            query
        }
        Some(then) => QueryBuilder::new(then::element_rows(then)),
    };
    let mut separated = query.separated(", ");
    for key in keys {
        separated.push_bind(key.clone());
    }
    query.push(")");
    let rows = query.build().persistent(false).fetch_all(pool).await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(in_order(keys, rows, |row| row.element.to_string()))
}

/// See [`crate::Store::count_elements`].
pub async fn count(pool: &SqlitePool, filter: &ElementFilter) -> Result<u64, StoreError> {
    match filter.then {
        None => exactly(pool, &clauses(filter)).await,
        Some(at) => exactly(pool, &then::clauses(clauses(filter), at)).await,
    }
}

fn read(r: &SqliteRow) -> Result<ElementRow, StoreError> {
    let worst: Option<i64> = r.try_get("worst")?;
    let completeness: Option<String> = r.try_get("latest_completeness")?;
    Ok(ElementRow {
        element: row::word::<ElementId>(r.try_get("element_id")?, "element")?,
        name: r.try_get("name")?,
        site: row::site(r.try_get("site")?)?,
        address: row::place_of(r)?,
        context: r.try_get("context")?,
        port: u16::try_from(r.try_get::<i64, _>("port")?).map_err(|_| StoreError::Damaged("port"))?,
        role: row::role(r.try_get("role")?)?,
        maker: r.try_get("maker_name")?,
        maker_id: r.try_get("maker_id")?,
        confidence: r.try_get::<Option<f64>, _>("maker_confidence")?.unwrap_or(0.0),
        brand: r.try_get("brand_name")?,
        model: r.try_get("model")?,
        serial: r.try_get("serial")?,
        completeness: completeness.as_deref().map(row::completeness).transpose()?,
        last_answer: row::instant(r.try_get("last_answer_at")?),
        last_report: row::instant(r.try_get("last_report_at")?),
        standing: r.try_get("standing")?,
        findings: row::count(r.try_get("finding_count")?),
        worst: worst
            .and_then(|n| usize::try_from(n).ok())
            .and_then(|n| Severity::ALL.get(n))
            .copied(),
        components: row::count(r.try_get::<Option<i64>, _>("component_count")?.unwrap_or(0)),
    })
}

/// See [`crate::Store::element`].
pub async fn one(pool: &SqlitePool, element: ElementId) -> Result<Option<ElementView>, StoreError> {
    let key = element.to_string();
    let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
    query
        .push(TABLES)
        .push(" WHERE e.element_id = ")
        .push_bind(key.clone());
    let Some(found) = query.build().fetch_optional(pool).await? else {
        return Ok(None);
    };
    let text = |column: &str| {
        found
            .try_get::<Option<String>, _>(column)
            .map(Option::unwrap_or_default)
    };
    let words = |column: &str| -> Result<Vec<String>, StoreError> {
        Ok(row::set(&text(column)?).into_iter().collect())
    };
    let knowledge = text("knowledge")?;
    let digest: Option<String> = found.try_get("judged_digest")?;
    let identification = match &digest {
        Some(digest) => conclude::identification(pool, digest, &knowledge).await?,
        None => None,
    };
    let (unit, claims, doubts, parts) = match identification {
        Some(i) => (i.unit, i.claims, i.doubts, i.components),
        None => (UnitIdentity::default(), Vec::new(), Vec::new(), Vec::new()),
    };
    let (results, contradictions) = (text("results")?, text("contradictions")?);
    Ok(Some(ElementView {
        row: read(&found)?,
        jurisdictions: words("jurisdictions")?,
        generations: words("generations")?,
        tags: words("tags")?,
        acquired: found.try_get("acquired")?,
        contradictions: if contradictions.is_empty() {
            Vec::new()
        } else {
            row::from_json(&contradictions, "contradictions")?
        },
        tenures: units::of_element(pool, &key).await?,
        kin: units::kin(pool, &key).await?,
        unit_doubts: units::doubts(pool, &key).await?,
        sightings: sightings(pool, &key).await?,
        digest: row::maybe_digest(digest)?,
        knowledge,
        unit,
        claims,
        doubts,
        parts,
        findings: of_element(pool, &key).await?,
        results: if results.is_empty() {
            Vec::new()
        } else {
            row::from_json(&results, "results")?
        },
        policies: text("policies")?,
        as_of: text("as_of")?,
    }))
}

async fn sightings(pool: &SqlitePool, element: &str) -> Result<Vec<SightingRow>, StoreError> {
    let rows = sqlx::query("SELECT * FROM sighting WHERE element_id = $1 ORDER BY valid_from DESC LIMIT 20")
        .bind(element)
        .fetch_all(pool)
        .await?;
    rows.into_iter()
        .map(|r| {
            Ok(SightingRow {
                digest: row::digest(r.try_get("digest")?)?,
                completeness: row::completeness(r.try_get("completeness")?)?,
                from: Instant(r.try_get("valid_from")?),
                until: Instant(r.try_get("valid_until")?),
                rounds: row::count(r.try_get("rounds")?),
                refreshed: row::count(r.try_get("refreshed")?),
                walked: match r.try_get("walked_until")? {
                    Some(walked) => Instant(walked),
                    None => Instant(r.try_get("valid_until")?),
                },
                agent: row::word(r.try_get("agent_id")?, "agent")?,
                epoch: r.try_get("epoch")?,
                sequence: row::count(r.try_get("sequence")?),
                recorded: Instant(r.try_get("recorded_at")?),
            })
        })
        .collect()
}
