//! The operator's facts: sites and what is declared about elements, with history.

use super::conclude::queue;
use super::{row, stood};
use crate::StoreError;
use crate::record::{Declaration, Stage, place};
use model::on_file::OnFile;
use model::{ElementId, Instant, Site};
use sqlx::SqliteConnection;
use std::collections::{BTreeSet, HashSet};

type Tx = SqliteConnection;

/// Makes these the current declarations; what changed is queued for evaluation.
pub async fn declare(
    tx: &mut Tx,
    sites: &[Site],
    elements: &[Declaration],
    now: Instant,
) -> Result<(), StoreError> {
    let mut moved_sites = HashSet::new();
    for site in sites {
        let jurisdictions = row::join(&site.jurisdictions);
        let known: Option<String> = sqlx::query_scalar("SELECT jurisdictions FROM site WHERE name = $1")
            .bind(site.name.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        if known.as_deref() != Some(jurisdictions.as_str()) {
            moved_sites.insert(site.name.as_str());
            declare_law(tx, site, &jurisdictions, now).await?;
        }
        sqlx::query(
            "INSERT INTO site (name, title, jurisdictions, latitude, longitude, recorded_at) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (name) DO UPDATE SET title = excluded.title, jurisdictions = excluded.jurisdictions, \
             latitude = excluded.latitude, longitude = excluded.longitude, recorded_at = excluded.recorded_at",
        )
        .bind(site.name.as_str())
        .bind(&site.title)
        .bind(&jurisdictions)
        .bind(site.latitude)
        .bind(site.longitude)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    }

    let mut declared = HashSet::with_capacity(elements.len());
    for declaration in elements {
        let element = ensure_element(
            tx,
            declaration.site.as_str(),
            &declaration.address,
            declaration.port,
            now,
        )
        .await?;
        declared.insert(element.clone());
        if declare_one(tx, &element, declaration, now).await?
            || moved_sites.contains(declaration.site.as_str())
        {
            queue(tx, Stage::Evaluate, &element, now).await?;
        }
    }
    withdraw(tx, &declared, now).await
}

/// Supersedes the law that was declared to hold at a site.
async fn declare_law(tx: &mut Tx, site: &Site, jurisdictions: &str, now: Instant) -> Result<(), StoreError> {
    sqlx::query("UPDATE site_law SET superseded_at = $2 WHERE site = $1 AND superseded_at IS NULL")
        .bind(site.name.as_str())
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO site_law (site, recorded_at, jurisdictions) VALUES ($1, $2, $3) ON CONFLICT (site, recorded_at) \
         DO UPDATE SET jurisdictions = excluded.jurisdictions, superseded_at = NULL",
    )
    .bind(site.name.as_str())
    .bind(now.0)
    .bind(jurisdictions)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The element at this place, made if it is new.
async fn ensure_element(
    tx: &mut Tx,
    site: &str,
    address: &str,
    port: u16,
    now: Instant,
) -> Result<String, StoreError> {
    let known: Option<String> =
        // What stands in files is the default context.
        sqlx::query_scalar(
            "SELECT element_id FROM element WHERE site = $1 AND address = $2 AND port = $3 AND context = ''",
        )
            .bind(site)
            .bind(address)
            .bind(i64::from(port))
            .fetch_optional(&mut *tx)
            .await?;
    match known {
        Some(element) => Ok(element),
        None => new_element(tx, site, (address, port, ""), now).await,
    }
}

/// Makes an element where none is, at an address, a port and in a context, and queues it.
pub async fn new_element(
    tx: &mut Tx,
    site: &str,
    (address, port, context): (&str, u16, &str),
    now: Instant,
) -> Result<String, StoreError> {
    let element = ElementId::generate().to_string();
    sqlx::query(
        "INSERT INTO element (element_id, site, address, port, context, name, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&element)
    .bind(site)
    .bind(address)
    .bind(i64::from(port))
    .bind(context)
    .bind(place(address, context))
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    queue(tx, Stage::Evaluate, &element, now).await?;
    stood::element(tx, &element, now).await?;
    Ok(element)
}

/// Supersedes the current declaration if it differs; tells whether it did.
async fn declare_one(
    tx: &mut Tx,
    element: &str,
    declaration: &Declaration,
    now: Instant,
) -> Result<bool, StoreError> {
    let generations = row::join(&declaration.generations);
    let tags = row::join(&declaration.tags);
    let role = declaration.role.map(model::Role::as_str);
    let same: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM declaration WHERE element_id = $1 AND superseded_at IS NULL AND name = $2 \
         AND COALESCE(role, '') = $3 AND generations = $4 AND tags = $5 AND COALESCE(acquired, '') = $6",
    )
    .bind(element)
    .bind(&declaration.name)
    .bind(role.unwrap_or(""))
    .bind(&generations)
    .bind(&tags)
    .bind(declaration.acquired.as_deref().unwrap_or(""))
    .fetch_optional(&mut *tx)
    .await?;
    if same.is_some() {
        return Ok(false);
    }
    supersede(tx, element, now).await?;
    sqlx::query(
        "INSERT INTO declaration (element_id, recorded_at, valid_from, name, role, generations, tags, acquired) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(element)
    .bind(now.0)
    .bind(now.0)
    .bind(&declaration.name)
    .bind(role)
    .bind(&generations)
    .bind(&tags)
    .bind(&declaration.acquired)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE element SET name = $1 WHERE element_id = $2")
        .bind(&declaration.name)
        .bind(element)
        .execute(&mut *tx)
        .await?;
    stood::element(tx, element, now).await?;
    Ok(true)
}

async fn supersede(tx: &mut Tx, element: &str, now: Instant) -> Result<(), StoreError> {
    sqlx::query("UPDATE declaration SET superseded_at = $1 WHERE element_id = $2 AND superseded_at IS NULL")
        .bind(now.0)
        .bind(element)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// What is no longer declared keeps its element and its history, and loses its current declaration.
async fn withdraw(tx: &mut Tx, declared: &HashSet<String>, now: Instant) -> Result<(), StoreError> {
    let current: Vec<String> =
        sqlx::query_scalar("SELECT element_id FROM declaration WHERE superseded_at IS NULL")
            .fetch_all(&mut *tx)
            .await?;
    for element in current.iter().filter(|e| !declared.contains(*e)) {
        supersede(tx, element, now).await?;
        stood::element(tx, element, now).await?;
        queue(tx, Stage::Evaluate, element, now).await?;
    }
    Ok(())
}

/// Makes these the current facts on file: what is no longer there is superseded, what is new is added.
pub async fn on_file(tx: &mut Tx, file: &OnFile, now: Instant) -> Result<(), StoreError> {
    let mut wanted = BTreeSet::new();
    for approval in &file.approvals {
        wanted.insert(("approval".to_owned(), row::json(approval, "approval")?));
    }
    for share in &file.shares {
        wanted.insert(("share".to_owned(), row::json(share, "share")?));
    }
    for price in &file.prices {
        wanted.insert(("price".to_owned(), row::json(price, "price")?));
    }
    let current: Vec<(String, String)> =
        sqlx::query_as("SELECT kind, body FROM on_file WHERE superseded_at IS NULL")
            .fetch_all(&mut *tx)
            .await?;
    let current: BTreeSet<(String, String)> = current.into_iter().collect();
    for (kind, body) in current.difference(&wanted) {
        sqlx::query(
            "UPDATE on_file SET superseded_at = $3 WHERE kind = $1 AND body = $2 AND superseded_at IS NULL",
        )
        .bind(kind)
        .bind(body)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    }
    for (kind, body) in wanted.difference(&current) {
        sqlx::query("INSERT INTO on_file (kind, body, recorded_at, valid_from) VALUES ($1, $2, $3, $3)")
            .bind(kind)
            .bind(body)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
impl super::SqliteStore {
    /// When each fact on file was recorded and superseded.
    pub(crate) async fn on_file_history(&self) -> Result<Vec<(i64, Option<i64>)>, StoreError> {
        let query = "SELECT recorded_at, superseded_at FROM on_file ORDER BY recorded_at";
        Ok(sqlx::query_as(query).fetch_all(&self.readers).await?)
    }
}
