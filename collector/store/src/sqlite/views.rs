//! Kept views in rows.

use super::{SqliteStore, log, row};
use crate::StoreError;
use crate::acts::Note;
use crate::views::{Kept, MOST_VIEWS, NewView, ViewRow, Views};
use model::Instant;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use uuid::Uuid;

#[async_trait::async_trait]
impl Views for SqliteStore {
    async fn views(&self, person: &str) -> Result<Vec<ViewRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM saved_view WHERE owner = $1 UNION SELECT * FROM saved_view WHERE shared = 1 \
             ORDER BY name, owner LIMIT 500",
        )
        .bind(person)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }

    async fn view_by_name(&self, person: &str, name: &str) -> Result<Option<ViewRow>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM saved_view WHERE name = $2 AND (owner = $1 OR shared = 1) \
             ORDER BY owner = $1 DESC, view_id LIMIT 1",
        )
        .bind(person)
        .bind(name)
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(read).transpose()
    }

    async fn keep_view(&self, view: &NewView, now: Instant) -> Result<Kept, StoreError> {
        let mut write = self.begin().await?;
        let kept = keep(write.sql()?, view, now).await?;
        if kept == Kept::Yes {
            self.commit(write).await?;
        } else {
            self.release(write).await?;
        }
        Ok(kept)
    }

    async fn drop_view(&self, view: Uuid, person: &str, any: bool, now: Instant) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let name: Option<String> = sqlx::query_scalar(
            "DELETE FROM saved_view WHERE view_id = $1 AND (owner = $2 OR ($3 AND shared = 1)) RETURNING name",
        )
        .bind(view.to_string())
        .bind(person)
        .bind(any)
        .fetch_optional(write.sql()?)
        .await?;
        let Some(name) = name else {
            self.release(write).await?;
            return Ok(false);
        };
        sqlx::query("DELETE FROM alert_view WHERE view_id = $1")
            .bind(view.to_string())
            .execute(write.sql()?)
            .await?;
        note(
            write.sql()?,
            person,
            "view_dropped",
            &view.to_string(),
            &name,
            now,
        )
        .await?;
        self.commit(write).await?;
        Ok(true)
    }
}

async fn keep(tx: &mut SqliteConnection, view: &NewView, now: Instant) -> Result<Kept, StoreError> {
    let taken: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM saved_view WHERE shared = 1 AND name = $1 AND owner <> $2)",
    )
    .bind(&view.name)
    .bind(&view.owner)
    .fetch_one(&mut *tx)
    .await?;
    if view.shared && taken {
        return Ok(Kept::Taken);
    }
    let others: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM saved_view WHERE owner = $1 AND name <> $2")
        .bind(&view.owner)
        .bind(&view.name)
        .fetch_one(&mut *tx)
        .await?;
    if others >= i64::from(MOST_VIEWS) {
        return Ok(Kept::Full);
    }
    let key: String = sqlx::query_scalar(
        "INSERT INTO saved_view (view_id, owner, name, page, query, shared, tile, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (owner, name) DO UPDATE SET page = excluded.page, \
         query = excluded.query, shared = excluded.shared, tile = excluded.tile, recorded_at = excluded.recorded_at \
         RETURNING view_id",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(&view.owner)
    .bind(&view.name)
    .bind(&view.page)
    .bind(&view.query)
    .bind(i64::from(view.shared))
    .bind(i64::from(view.tile))
    .bind(now.0)
    .fetch_one(&mut *tx)
    .await?;
    let detail = format!("{}: {}?{}", view.name, view.page, view.query);
    note(tx, &view.owner, "view_kept", &key, &detail, now).await?;
    Ok(Kept::Yes)
}

async fn note(
    tx: &mut SqliteConnection,
    person: &str,
    action: &str,
    view: &str,
    detail: &str,
    now: Instant,
) -> Result<(), StoreError> {
    let note = Note {
        person: person.to_owned(),
        account: String::new(),
        action: action.to_owned(),
        subjects: vec![view.to_owned()],
        detail: row::json(&detail, "audit")?,
    };
    log::write(tx, &note, now).await
}

/// The view of a row.
pub fn read(r: &SqliteRow) -> Result<ViewRow, StoreError> {
    Ok(ViewRow {
        view: row::word(r.try_get("view_id")?, "view")?,
        owner: r.try_get("owner")?,
        name: r.try_get("name")?,
        page: r.try_get("page")?,
        query: r.try_get("query")?,
        shared: r.try_get::<i64, _>("shared")? != 0,
        tile: r.try_get::<i64, _>("tile")? != 0,
        recorded: Instant(r.try_get("recorded_at")?),
    })
}
