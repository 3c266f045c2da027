//! Alerts in rows.

use super::{SqliteStore, findings, log, row, views};
use crate::StoreError;
use crate::acts::Note;
use crate::alerts::{
    Alerts, Attachment, DueChange, MOST_ATTACHED, MOST_WAITING, NewAlert, RouteRow, WaitingAlert,
};
use crate::clause::Measure;
use crate::view::{Backlog, FindingFilter};
use model::{FindingId, Instant};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A word that is told to nobody: what people say to each other beside a finding changes nothing of it.
const UNTOLD: &str = "commented";

/// A change that an event just written makes, for whichever routes there are.
pub struct Change<'a> {
    /// Key of the event.
    pub event: &'a str,
    /// Of which finding.
    pub finding: FindingId,
    /// Its kind.
    pub kind: &'a str,
    /// For people.
    pub text: &'a str,
    /// The likeliest cause.
    pub cause: &'a str,
    /// Who acted.
    pub person: Option<&'a str>,
}

/// Makes a change due, with the finding as it stands in this transaction. Without a route nothing is.
pub async fn change(tx: &mut SqliteConnection, change: Change<'_>, now: Instant) -> Result<(), StoreError> {
    if change.kind == UNTOLD {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO alert_due (place, event_id, finding_id, kind, text, cause, person, class, severity, state, owner, \
         recorded_at) SELECT COALESCE((SELECT MAX(d.place) FROM alert_due d), 0) + 1, $1, f.finding_id, $3, $4, $5, $6, \
         f.class, f.severity, f.state, f.owner, $7 FROM finding f WHERE f.finding_id = $2 \
         AND EXISTS (SELECT 1 FROM alert_route)",
    )
    .bind(change.event)
    .bind(change.finding.to_string())
    .bind(change.kind)
    .bind(change.text)
    .bind(change.cause)
    .bind(change.person)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// What waits to be told, on its way to routes or at them.
pub async fn backlog(tx: &mut SqliteConnection) -> Result<Backlog, StoreError> {
    let (due, since): (i64, Option<i64>) = sqlx::query_as(
        "SELECT COUNT(*), (SELECT recorded_at FROM alert_due ORDER BY place LIMIT 1) FROM alert_due",
    )
    .fetch_one(&mut *tx)
    .await?;
    let (waiting, oldest): (i64, Option<i64>) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM alert), MIN((SELECT a.recorded_at FROM alert a WHERE a.route = r.route \
         ORDER BY a.place LIMIT 1)) FROM alert_route r",
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(Backlog {
        count: row::count(due + waiting),
        measure: Measure::Exact,
        oldest: row::instant([since, oldest].into_iter().flatten().min()),
    })
}

#[async_trait::async_trait]
impl Alerts for SqliteStore {
    async fn declare_routes(&self, routes: &BTreeSet<String>, now: Instant) -> Result<u64, StoreError> {
        let mut write = self.begin().await?;
        let dropped = declare(write.sql()?, routes, now).await?;
        self.commit_quietly(write).await?;
        Ok(dropped)
    }

    async fn due(&self, limit: u32) -> Result<Vec<DueChange>, StoreError> {
        let rows = sqlx::query("SELECT * FROM alert_due ORDER BY place LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(due).collect()
    }

    async fn matching(
        &self,
        among: &[FindingId],
        filter: &FindingFilter,
    ) -> Result<BTreeSet<FindingId>, StoreError> {
        findings::among(&self.readers, among, filter).await
    }

    async fn told(
        &self,
        route: &str,
        among: &[FindingId],
    ) -> Result<BTreeMap<FindingId, String>, StoreError> {
        if among.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut query =
            QueryBuilder::<Sqlite>::new("SELECT finding_id, labels FROM alert_told WHERE route = ");
        query.push_bind(route.to_owned());
        let keys: Vec<String> = among.iter().map(ToString::to_string).collect();
        findings::any_of(&mut query, "finding_id", &keys);
        let rows = query.build().persistent(false).fetch_all(&self.readers).await?;
        let told = |r: &SqliteRow| {
            let finding = row::word::<FindingId>(r.try_get("finding_id")?, "finding")?;
            Ok((finding, r.try_get("labels")?))
        };
        rows.iter().map(told).collect()
    }

    async fn queue_alerts(
        &self,
        alerts: &[NewAlert],
        through: u64,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut write = self.begin().await?;
        for alert in alerts {
            queue(write.sql()?, alert).await?;
        }
        let last: BTreeMap<&str, Instant> = alerts.iter().map(|it| (it.route.as_str(), it.since)).collect();
        let mut lost = BTreeMap::new();
        for (route, now) in last {
            let gone = cap(write.sql()?, route, MOST_WAITING, now).await?;
            if gone > 0 {
                lost.insert(route.to_owned(), gone);
            }
        }
        sqlx::query("DELETE FROM alert_due WHERE place <= $1")
            .bind(row::signed(through)?)
            .execute(write.sql()?)
            .await?;
        self.commit_quietly(write).await?;
        Ok(lost)
    }

    async fn waiting(&self, route: &str, limit: u32) -> Result<Vec<WaitingAlert>, StoreError> {
        let rows = sqlx::query(
            "SELECT place, event_id, body, recorded_at FROM alert WHERE route = $1 ORDER BY place LIMIT $2",
        )
        .bind(route)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        let waiting = |r: &SqliteRow| {
            Ok(WaitingAlert {
                place: row::count(r.try_get("place")?),
                event: row::word(r.try_get("event_id")?, "alert")?,
                body: r.try_get("body")?,
                since: Instant(r.try_get("recorded_at")?),
            })
        };
        rows.iter().map(waiting).collect()
    }

    async fn delivered(&self, route: &str, through: u64, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        let gone = sqlx::query("DELETE FROM alert WHERE route = $1 AND place <= $2")
            .bind(route)
            .bind(row::signed(through)?)
            .execute(write.sql()?)
            .await?;
        sqlx::query(
            "UPDATE alert_route SET delivered = delivered + $2, delivered_at = $3, failed_at = NULL, failure = '', \
             failures = 0 WHERE route = $1",
        )
        .bind(route)
        .bind(row::signed(gone.rows_affected())?)
        .bind(now.0)
        .execute(write.sql()?)
        .await?;
        self.commit_quietly(write).await
    }

    async fn lost(&self, route: &str, through: u64, why: &str, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        give_up(write.sql()?, route, (row::signed(through)?, why), now).await?;
        self.commit_quietly(write).await
    }

    async fn failed(&self, route: &str, why: &str, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        sqlx::query(
            "UPDATE alert_route SET failed_at = $2, failure = $3, failures = failures + 1 WHERE route = $1",
        )
        .bind(route)
        .bind(now.0)
        .bind(why)
        .execute(write.sql()?)
        .await?;
        self.commit_quietly(write).await
    }

    async fn routes(&self) -> Result<Vec<RouteRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.*, (SELECT COUNT(*) FROM alert a WHERE a.route = r.route) AS waiting, \
             (SELECT a.recorded_at FROM alert a WHERE a.route = r.route ORDER BY a.place LIMIT 1) AS oldest \
             FROM alert_route r ORDER BY r.route",
        )
        .fetch_all(&self.readers)
        .await?;
        let route = |r: &SqliteRow| {
            Ok(RouteRow {
                route: r.try_get("route")?,
                waiting: row::count(r.try_get("waiting")?),
                oldest: row::instant(r.try_get("oldest")?),
                delivered: row::count(r.try_get("delivered")?),
                last: row::instant(r.try_get("delivered_at")?),
                failures: row::count(r.try_get("failures")?),
                failed: row::instant(r.try_get("failed_at")?),
                failure: r.try_get("failure")?,
                lost: row::count(r.try_get("lost")?),
                lost_at: row::instant(r.try_get("lost_at")?),
                loss: r.try_get("loss")?,
            })
        };
        rows.iter().map(route).collect()
    }

    async fn attachments(&self) -> Result<Vec<Attachment>, StoreError> {
        let rows = sqlx::query(
            "SELECT v.*, w.attachment_id, w.route, w.person, w.recorded_at AS since FROM alert_view w \
             JOIN saved_view v ON v.view_id = w.view_id ORDER BY w.attachment_id",
        )
        .fetch_all(&self.readers)
        .await?;
        let attachment = |r: &SqliteRow| {
            Ok(Attachment {
                attachment: row::word(r.try_get("attachment_id")?, "alert")?,
                route: r.try_get("route")?,
                person: r.try_get("person")?,
                recorded: Instant(r.try_get("since")?),
                view: views::read(r)?,
            })
        };
        rows.iter().map(attachment).collect()
    }

    async fn attach(&self, view: Uuid, route: &str, person: &str, now: Instant) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let there: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM alert_view")
            .fetch_one(write.sql()?)
            .await?;
        if there >= i64::from(MOST_ATTACHED) {
            self.release(write).await?;
            return Ok(false);
        }
        let made = sqlx::query(
            "INSERT INTO alert_view (attachment_id, view_id, route, person, recorded_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (view_id, route, person) DO NOTHING",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(view.to_string())
        .bind(route)
        .bind(person)
        .bind(now.0)
        .execute(write.sql()?)
        .await?;
        if made.rows_affected() == 0 {
            self.release(write).await?;
            return Ok(true);
        }
        note(write.sql()?, person, "alert_attached", view, route, now).await?;
        self.commit(write).await?;
        Ok(true)
    }

    async fn detach(
        &self,
        attachment: Uuid,
        person: &str,
        any: bool,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let gone: Option<(String, String)> = sqlx::query_as(
            "DELETE FROM alert_view WHERE attachment_id = $1 AND (person = $2 OR $3) RETURNING view_id, route",
        )
        .bind(attachment.to_string())
        .bind(person)
        .bind(any)
        .fetch_optional(write.sql()?)
        .await?;
        let Some((view, route)) = gone else {
            self.release(write).await?;
            return Ok(false);
        };
        let view = row::word(&view, "view")?;
        note(write.sql()?, person, "alert_detached", view, &route, now).await?;
        self.commit(write).await?;
        Ok(true)
    }
}

async fn declare(
    tx: &mut SqliteConnection,
    routes: &BTreeSet<String>,
    now: Instant,
) -> Result<u64, StoreError> {
    let kept: Vec<String> = sqlx::query_scalar("SELECT route FROM alert_route")
        .fetch_all(&mut *tx)
        .await?;
    let mut dropped = 0;
    for route in kept.iter().filter(|route| !routes.contains(*route)) {
        let gone = sqlx::query("DELETE FROM alert WHERE route = $1")
            .bind(route)
            .execute(&mut *tx)
            .await?;
        dropped += gone.rows_affected();
        for statement in [
            "DELETE FROM alert_told WHERE route = $1",
            "DELETE FROM alert_view WHERE route = $1",
            "DELETE FROM alert_route WHERE route = $1",
        ] {
            sqlx::query(statement).bind(route).execute(&mut *tx).await?;
        }
    }
    for route in routes.iter().filter(|route| !kept.contains(route)) {
        sqlx::query("INSERT INTO alert_route (route, recorded_at) VALUES ($1, $2)")
            .bind(route)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
    }
    if routes.is_empty() {
        // For nobody.
        sqlx::query("DELETE FROM alert_due").execute(&mut *tx).await?;
    }
    Ok(dropped)
}

/// Gives up the oldest of a route beyond the newest `most`. Places have no holes: they go from the front alone.
async fn cap(tx: &mut SqliteConnection, route: &str, most: u64, now: Instant) -> Result<u64, StoreError> {
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(place) FROM alert WHERE route = $1")
        .bind(route)
        .fetch_one(&mut *tx)
        .await?;
    let through = last.unwrap_or(0).saturating_sub(row::signed(most)?);
    let why = format!("more than {most} waited");
    give_up(tx, route, (through, &why), now).await
}

/// Ends what waits for a route up to a place, untold, and says so beside the route.
async fn give_up(
    tx: &mut SqliteConnection,
    route: &str,
    (through, why): (i64, &str),
    now: Instant,
) -> Result<u64, StoreError> {
    let gone = sqlx::query("DELETE FROM alert WHERE route = $1 AND place <= $2")
        .bind(route)
        .bind(through)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    if gone > 0 {
        sqlx::query("UPDATE alert_route SET lost = lost + $2, lost_at = $3, loss = $4 WHERE route = $1")
            .bind(route)
            .bind(row::signed(gone)?)
            .bind(now.0)
            .bind(why)
            .execute(&mut *tx)
            .await?;
    }
    Ok(gone)
}

async fn queue(tx: &mut SqliteConnection, alert: &NewAlert) -> Result<(), StoreError> {
    // A route that is declared no more takes nothing.
    let queued = sqlx::query(
        "INSERT INTO alert (route, place, event_id, body, recorded_at) SELECT r.route, \
         COALESCE((SELECT MAX(a.place) FROM alert a WHERE a.route = r.route), 0) + 1, $2, $3, $4 \
         FROM alert_route r WHERE r.route = $1",
    )
    .bind(&alert.route)
    .bind(alert.event.to_string())
    .bind(&alert.body)
    .bind(alert.since.0)
    .execute(&mut *tx)
    .await?;
    if queued.rows_affected() == 0 {
        return Ok(());
    }
    let finding = alert.finding.to_string();
    match &alert.told {
        Some(labels) => {
            sqlx::query(
                "INSERT INTO alert_told (route, finding_id, labels) VALUES ($1, $2, $3) \
                 ON CONFLICT (route, finding_id) DO UPDATE SET labels = excluded.labels",
            )
            .bind(&alert.route)
            .bind(&finding)
            .bind(labels)
            .execute(&mut *tx)
            .await?
        }
        None => {
            sqlx::query("DELETE FROM alert_told WHERE route = $1 AND finding_id = $2")
                .bind(&alert.route)
                .bind(&finding)
                .execute(&mut *tx)
                .await?
        }
    };
    Ok(())
}

async fn note(
    tx: &mut SqliteConnection,
    person: &str,
    action: &str,
    view: Uuid,
    route: &str,
    now: Instant,
) -> Result<(), StoreError> {
    let note = Note {
        person: person.to_owned(),
        account: String::new(),
        action: action.to_owned(),
        subjects: vec![view.to_string()],
        detail: row::json(&route, "audit")?,
    };
    log::write(tx, &note, now).await
}

fn due(r: &SqliteRow) -> Result<DueChange, StoreError> {
    Ok(DueChange {
        place: row::count(r.try_get("place")?),
        event: row::word(r.try_get("event_id")?, "event")?,
        finding: row::word(r.try_get("finding_id")?, "finding")?,
        kind: r.try_get("kind")?,
        text: r.try_get("text")?,
        cause: r.try_get("cause")?,
        person: r.try_get("person")?,
        class: row::word(r.try_get("class")?, "class")?,
        severity: row::word(r.try_get("severity")?, "severity")?,
        state: row::word(r.try_get("state")?, "finding state")?,
        owner: r.try_get("owner")?,
        at: Instant(r.try_get("recorded_at")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_too_many_that_wait_the_oldest_go_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("c.db")).await.unwrap();
        let names = BTreeSet::from(["law".to_owned(), "noc".to_owned()]);
        store.declare_routes(&names, Instant(1)).await.unwrap();
        let alert = |number: usize, route: &str| NewAlert {
            route: route.to_owned(),
            event: Uuid::now_v7(),
            finding: FindingId::generate(),
            since: Instant(2),
            body: number.to_string(),
            told: None,
        };
        let alerts: Vec<NewAlert> = (0..5).map(|number| alert(number, "noc")).collect();
        assert!(store.queue_alerts(&alerts, 0).await.unwrap().is_empty());
        store.queue_alerts(&[alert(0, "law")], 0).await.unwrap();
        for (most, gone) in [(5, 0), (2, 3), (2, 0)] {
            let mut write = store.begin().await.unwrap();
            let lost = cap(write.sql().unwrap(), "noc", most, Instant(9)).await.unwrap();
            store.commit_quietly(write).await.unwrap();
            assert_eq!(lost, gone);
        }
        let left = store.waiting("noc", 9).await.unwrap();
        let left: Vec<_> = left.iter().map(|it| it.body.as_str()).collect();
        assert_eq!(left, ["3", "4"], "the newest stay");
        let stands = store.routes().await.unwrap();
        assert_eq!(
            (stands[0].lost, stands[0].waiting),
            (0, 1),
            "another route's stay"
        );
        let noc = &stands[1];
        assert_eq!(
            (noc.lost, noc.lost_at, noc.delivered, noc.loss.as_str()),
            (3, Some(Instant(9)), 0, "more than 2 waited")
        );
    }
}
