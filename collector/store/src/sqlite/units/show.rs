//! Units as pages and commands show them.

use super::super::findings::{escaped, page_size};
use super::super::row;
use crate::StoreError;
use crate::clause::Measure;
use crate::units::{UnitFilter, UnitRow, UnitView};
use crate::view::{KinRow, Page, TenureRow, UnitDoubtRow};
use model::{Hardware, Instant, UnitId};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite};

const TENURE: &str = "SELECT t.*, e.name, e.site, e.address, e.context, EXISTS (SELECT 1 FROM tenure b \
    WHERE b.element_id = t.element_id AND b.slot = t.replaces AND b.unit_id <> t.unit_id) AS swapped \
    FROM tenure t JOIN element e ON e.element_id = t.element_id ";

/// Units at an element now and before, the latest first.
pub async fn of_element(pool: &SqlitePool, element: &str) -> Result<Vec<TenureRow>, StoreError> {
    let which = "WHERE t.element_id = $1 ORDER BY t.valid_from DESC, t.slot DESC LIMIT 100";
    let rows = read(pool, which, element).await?;
    rows.iter().map(tenure).collect()
}

/// Other places of the units at an element.
pub async fn kin(pool: &SqlitePool, element: &str) -> Result<Vec<KinRow>, StoreError> {
    let which = "WHERE t.element_id <> $1 AND t.unit_id IN (SELECT unit_id FROM tenure WHERE element_id = $1) \
        ORDER BY t.valid_until IS NOT NULL, e.site, e.name, t.slot LIMIT 100";
    let rows = read(pool, which, element).await?;
    rows.iter().map(place).collect()
}

async fn read(pool: &SqlitePool, which: &str, key: &str) -> Result<Vec<SqliteRow>, StoreError> {
    // Put together from the words above alone.
    let query = sqlx::AssertSqlSafe(format!("{TENURE}{which}"));
    Ok(sqlx::query(query).bind(key).fetch_all(pool).await?)
}

/// Doubts about the units at an element.
pub async fn doubts(pool: &SqlitePool, element: &str) -> Result<Vec<UnitDoubtRow>, StoreError> {
    doubts_where(pool, "d.element_id = $1", element).await
}

async fn doubts_where(pool: &SqlitePool, which: &str, key: &str) -> Result<Vec<UnitDoubtRow>, StoreError> {
    let query = sqlx::AssertSqlSafe(format!(
        "SELECT d.code, d.text, d.other_element, t.unit_id, o.unit_id AS other_unit, e.name, e.site FROM unit_doubt d \
         JOIN tenure t ON t.element_id = d.element_id AND t.slot = d.slot \
         JOIN tenure o ON o.element_id = d.other_element AND o.slot = d.other_slot \
         JOIN element e ON e.element_id = d.other_element \
         WHERE {which} ORDER BY d.code, e.name, d.slot, d.other_element, d.other_slot LIMIT 100"
    ));
    let rows = sqlx::query(query).bind(key).fetch_all(pool).await?;
    rows.iter()
        .map(|r| {
            Ok(UnitDoubtRow {
                code: r.try_get("code")?,
                text: r.try_get("text")?,
                unit: row::word(r.try_get("unit_id")?, "unit")?,
                other: row::word(r.try_get("other_unit")?, "unit")?,
                other_element: row::word(r.try_get("other_element")?, "element")?,
                other_name: r.try_get("name")?,
                other_site: row::site(r.try_get("site")?)?,
            })
        })
        .collect()
}

fn tenure(r: &SqliteRow) -> Result<TenureRow, StoreError> {
    let Hardware {
        identity,
        maker,
        member,
    } = row::from_json(r.try_get("hardware")?, "hardware")?;
    Ok(TenureRow {
        unit: row::word(r.try_get("unit_id")?, "unit")?,
        serial: identity.serial,
        base_mac: identity.base_mac,
        engine_id: identity.engine_id,
        maker: maker.map(|maker| maker.name),
        model: identity.model,
        from: Instant(r.try_get("valid_from")?),
        until: row::instant(r.try_get("valid_until")?),
        swapped: r.try_get("swapped")?,
        member,
        first: super::digest(r, "first_digest")?,
        last: super::digest(r, "last_digest")?,
    })
}

fn place(r: &SqliteRow) -> Result<KinRow, StoreError> {
    Ok(KinRow {
        unit: row::word(r.try_get("unit_id")?, "unit")?,
        element: row::word(r.try_get("element_id")?, "element")?,
        name: r.try_get("name")?,
        site: row::site(r.try_get("site")?)?,
        address: row::place_of(r)?,
        from: Instant(r.try_get("valid_from")?),
        until: row::instant(r.try_get("valid_until")?),
    })
}

/// See [`crate::Units::units`].
pub(super) async fn list(pool: &SqlitePool, filter: &UnitFilter) -> Result<Page<UnitRow>, StoreError> {
    let size = page_size(filter.limit);
    let narrow = |query: &mut QueryBuilder<Sqlite>| {
        query.push(" WHERE 1 = 1");
        if !filter.text.is_empty() {
            let pattern = format!("%{}%", escaped(&filter.text));
            query
                .push(" AND (t.serial LIKE ")
                .push_bind(pattern.clone())
                .push(" ESCAPE '!'");
            query
                .push(" OR t.maker_name LIKE ")
                .push_bind(pattern.clone())
                .push(" ESCAPE '!'");
            query
                .push(" OR t.hardware LIKE ")
                .push_bind(pattern)
                .push(" ESCAPE '!')");
        }
        if filter.notable {
            query.push(
                " AND (EXISTS (SELECT 1 FROM tenure o WHERE o.unit_id = t.unit_id AND o.element_id <> t.element_id) \
                 OR EXISTS (SELECT 1 FROM unit_doubt d WHERE d.element_id = t.element_id AND d.slot = t.slot))",
            );
        }
    };
    let mut count = QueryBuilder::<Sqlite>::new("SELECT COUNT(DISTINCT t.unit_id) FROM tenure t");
    narrow(&mut count);
    let total: i64 = count
        .build_query_scalar()
        .persistent(false)
        .fetch_one(pool)
        .await?;
    let mut query = QueryBuilder::<Sqlite>::new("SELECT DISTINCT t.unit_id FROM tenure t");
    narrow(&mut query);
    if let Some(after) = &filter.after {
        query.push(" AND t.unit_id > ").push_bind(after);
    }
    query
        .push(" ORDER BY t.unit_id LIMIT ")
        .push_bind(i64::from(size) + 1);
    let mut units: Vec<String> = query
        .build_query_scalar()
        .persistent(false)
        .fetch_all(pool)
        .await?;
    let more = units.len() > size as usize;
    units.truncate(size as usize);
    let next = units.last().filter(|_| more).cloned();
    let mut rows = Vec::with_capacity(units.len());
    for unit in &units {
        rows.extend(unit_row(pool, unit).await?);
    }
    Ok(Page {
        measure: Measure::Exact,
        rows,
        total: row::count(total),
        next,
    })
}

async fn unit_row(pool: &SqlitePool, unit: &str) -> Result<Option<UnitRow>, StoreError> {
    let found = sqlx::query(
        "SELECT t.hardware, (SELECT COUNT(DISTINCT element_id) FROM tenure WHERE unit_id = $1) AS elements, \
         (SELECT COUNT(*) FROM unit_doubt d JOIN tenure k ON k.element_id = d.element_id AND k.slot = d.slot \
         WHERE k.unit_id = $1) AS doubts FROM tenure t WHERE t.unit_id = $1 ORDER BY t.valid_from DESC LIMIT 1",
    )
    .bind(unit)
    .fetch_optional(pool)
    .await?;
    found
        .map(|r| {
            let hardware: Hardware = row::from_json(r.try_get("hardware")?, "hardware")?;
            Ok(UnitRow {
                unit: row::word(unit, "unit")?,
                serial: hardware.identity.serial,
                maker: hardware.maker.map(|maker| maker.name),
                model: hardware.identity.model,
                elements: row::count(r.try_get("elements")?),
                doubts: row::count(r.try_get("doubts")?),
            })
        })
        .transpose()
}

/// See [`crate::Units::unit`].
pub(super) async fn one(pool: &SqlitePool, unit: UnitId) -> Result<Option<UnitView>, StoreError> {
    let key = unit.to_string();
    let which = "WHERE t.unit_id = $1 ORDER BY t.valid_from, t.element_id, t.slot LIMIT 1000";
    let rows = read(pool, which, &key).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let decisions: Vec<(i64, String)> = sqlx::query_as(
        "SELECT recorded_at, CASE WHEN other_element IS NULL THEN 'a unit of its own: ' ELSE 'one unit: ' END || reason \
         FROM unit_decision WHERE element_id IN (SELECT element_id FROM tenure WHERE unit_id = $1) \
         OR other_element IN (SELECT element_id FROM tenure WHERE unit_id = $1) ORDER BY decision_id",
    )
    .bind(&key)
    .fetch_all(pool)
    .await?;
    Ok(Some(UnitView {
        unit,
        tenures: rows
            .iter()
            .map(|r| Ok((place(r)?, tenure(r)?)))
            .collect::<Result<_, StoreError>>()?,
        doubts: doubts_where(pool, "t.unit_id = $1", &key).await?,
        decisions: decisions
            .into_iter()
            .map(|(at, text)| (Instant(at), text))
            .collect(),
    }))
}
