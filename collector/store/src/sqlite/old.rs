//! A store of an earlier version is opened by this one: nothing in it is lost, and all of it is read.
//!
//! Invariant: the rows stand here as that version wrote them; they are never brought up to date.

use super::*;
use crate::acts::{Acts as _, AuditFilter, FindingLife, Note, WaiverFilter};
use crate::admission::Admission as _;
use crate::clause::{Clause, FindingField};
use crate::past::{Moment, Past as _};
use crate::plans::Plans as _;
use crate::units::{UnitFilter, Units as _};
use model::{Ending, FindingState, WaiverState};
use std::collections::BTreeMap;

/// The version of before there were accounts, lists by filter and waivers of their own.
const OLD: i64 = 16;
/// Its rows.
const ROWS: &str = include_str!("old/rows.sql");
const DIGEST: Digest = Digest([1; 32]);

/// Every table of a file with its columns and all that stands in them.
type Content = BTreeMap<String, (Vec<String>, Vec<String>)>;

async fn texts(pool: &SqlitePool, sql: String) -> Vec<String> {
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
    query.fetch_all(pool).await.unwrap()
}

/// What stands in these columns of a table, value by value.
async fn rows(pool: &SqlitePool, table: &str, columns: &[String]) -> Vec<String> {
    let quoted: Vec<_> = columns
        .iter()
        .map(|column| format!("quote(\"{column}\")"))
        .collect();
    let sql = format!(
        "SELECT {} FROM \"{table}\" ORDER BY 1",
        quoted.join(" || ',' || ")
    );
    texts(pool, sql).await
}

async fn content(pool: &SqlitePool) -> Content {
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_sqlx*'";
    let mut all = Content::new();
    for table in texts(pool, tables.to_owned()).await {
        let columns = texts(pool, format!("SELECT name FROM pragma_table_info('{table}')")).await;
        let rows = rows(pool, &table, &columns).await;
        all.insert(table, (columns, rows));
    }
    all
}

/// A file of the old version, with what stands in it.
async fn old() -> (tempfile::TempDir, Content) {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("collector.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let migrations = MIGRATIONS.iter().filter(|migration| migration.version <= OLD);
    let migrator = Migrator {
        migrations: migrations.cloned().collect(),
        ..Migrator::DEFAULT
    };
    migrator.run(&pool).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&pool).await.unwrap();
    sqlx::query("INSERT INTO evidence (digest, size, body, recorded_at) VALUES ($1, 3000, $2, 110)")
        .bind(DIGEST.to_string())
        .bind(zstd::bulk::compress(&[7; 3_000], 3).unwrap())
        .execute(&pool)
        .await
        .unwrap();
    let content = content(&pool).await;
    pool.close().await;
    (folder, content)
}

async fn opened() -> (SqliteStore, tempfile::TempDir, Content) {
    let (folder, content) = old().await;
    let store = SqliteStore::open(&folder.path().join("collector.db"))
        .await
        .unwrap();
    (store, folder, content)
}

fn key<T: std::str::FromStr<Err: std::fmt::Debug>>(end: &str) -> T {
    format!("01930000-0000-7000-8000-0000000000{end}")
        .parse()
        .unwrap()
}

#[tokio::test]
async fn every_value_of_an_old_store_stands_in_it_after_this_version_opened_it() {
    let (store, _folder, before) = opened().await;
    assert!(before.len() > 25 && before.values().filter(|(_, rows)| !rows.is_empty()).count() > 20);
    for (table, (columns, was)) in before {
        assert_eq!(rows(&store.readers, &table, &columns).await, was, "{table}");
    }
}

#[tokio::test]
async fn findings_of_an_old_store_are_listed_by_what_lists_are_narrowed_by_now() {
    let (store, _folder, _) = opened().await;
    let keys = async |filter: FindingFilter| {
        let page = store.findings(&filter).await.unwrap();
        assert_eq!(page.total, page.rows.len() as u64);
        let keys = page.rows.iter().map(|row| row.finding.to_string());
        keys.map(|key| key[34..].to_owned()).collect::<Vec<_>>()
    };
    let all = FindingFilter::default;
    let closed = FindingFilter {
        closed: true,
        ..all()
    };
    assert_eq!(keys(closed.clone()).await, ["f3", "f1", "f4", "f2"]);
    assert_eq!(keys(all()).await, ["f1", "f4", "f2"]);
    // By the day a deadline means; what is none comes last.
    let order = crate::clause::FindingOrder::Deadline;
    assert_eq!(
        keys(FindingFilter { order, ..closed }).await,
        ["f3", "f1", "f2", "f4"]
    );
    let sites = vec!["berlin".to_owned()];
    assert_eq!(keys(FindingFilter { sites, ..all() }).await.len(), 3);
    let clauses = vec![Clause::words(FindingField::Owner, ["Bo Berg"])];
    assert_eq!(keys(FindingFilter { clauses, ..all() }).await, ["f1"]);

    let view = store.finding(key("f1")).await.unwrap().unwrap();
    assert_eq!(
        (view.row.revision, view.row.life.owner.as_deref()),
        (2, Some("Bo Berg"))
    );
    assert_eq!(view.row.life.removal.unwrap().planned, "2026-12");
    assert_eq!(
        (view.row.supplier.as_str(), view.row.result.confidence),
        ("Huawei", 0.9)
    );
    assert_eq!(view.events[1].person.as_deref(), Some("Ann Lee"));
    let ended = store.finding(key("f3")).await.unwrap().unwrap().row.life;
    assert_eq!(
        (ended.state, ended.ending),
        (FindingState::Closed, Some(Ending::Swapped))
    );
    assert_eq!(store.finding_spans(None, 9).await.unwrap().len(), 4);
    let progress = store.progress().await.unwrap();
    assert_eq!(progress.iter().map(|rule| rule.removed).sum::<u64>(), 1);
}

#[tokio::test]
async fn waivers_and_who_did_what_come_along_from_an_old_store() {
    let (store, _folder, _) = opened().await;
    let waivers = store.waivers(&WaiverFilter::default()).await.unwrap().rows;
    let told: Vec<_> = waivers
        .iter()
        .map(|row| {
            (
                row.state,
                row.waiver.until.as_str(),
                row.asked.0,
                row.approved.map(|at| at.0),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (WaiverState::InForce, "2027-01-01", 150, Some(150)),
            (WaiverState::Asked, "2028-01-01", 160, None),
        ]
    );
    assert_eq!(waivers[0].waiver.approved_by.as_deref(), Some("Bo Berg"));
    let lives: Vec<FindingLife> = store.lives(&[key("f2")]).await.unwrap();
    assert_eq!(
        (lives[0].revision, &lives[0].life.asked),
        (3, &Some(waivers[1].waiver.clone()))
    );

    let log = async |filter: AuditFilter| store.audit_log(&filter).await.unwrap().rows;
    let about = AuditFilter {
        subjects: vec![waivers[0].finding.to_string()],
        ..AuditFilter::default()
    };
    let about = log(about).await;
    assert_eq!((about.len(), about[0].person.as_str()), (1, "Bo Berg"));
    assert!(
        about[0].intact && about[0].place.is_none(),
        "it is sealed with the next act"
    );
    let note = Note {
        person: "Ann Lee".into(),
        account: "page".into(),
        action: "audit_exported".into(),
        subjects: Vec::new(),
        detail: "{}".into(),
    };
    store.note(&note, Instant(1_000)).await.unwrap();
    let chain = store.chain(None).await.unwrap();
    assert_eq!((chain.rows, chain.unsealed, chain.broken), (3, 0, None));
}

#[tokio::test]
async fn elements_and_their_evidence_come_along_from_an_old_store() {
    let (store, _folder, _) = opened().await;
    let page = store.elements(&ElementFilter::default()).await.unwrap();
    let named: Vec<_> = page.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(named, ["192.0.2.2", "BER-CORE-1"]);
    let view = store.element(key("e1")).await.unwrap().unwrap();
    assert_eq!(
        (view.row.maker_id.as_deref(), view.row.standing.as_str()),
        (Some("huawei"), "due")
    );
    assert_eq!(
        (view.parts.len(), view.tenures.len(), view.sightings.len()),
        (1, 1, 1)
    );
    assert_eq!((view.findings.len(), view.digest), (4, Some(DIGEST)));
    let evidence = store.evidence(DIGEST).await.unwrap().unwrap();
    assert_eq!(evidence.bytes, [7; 3_000]);
    let subject = store.subject(key("e1")).await.unwrap().unwrap();
    assert_eq!((subject.context.as_str(), subject.findings.len()), ("", 4));
    assert_eq!(subject.findings[0].thing.unit.serial.as_deref(), Some("S1"));
    let then = Moment {
        valid: Instant(150),
        recorded: Some(Instant(150)),
    };
    assert_eq!(store.subjects(then, None, 9).await.unwrap().len(), 2);
    let overview = store.overview().await.unwrap();
    assert_eq!(
        (overview.elements, overview.reports, overview.gap_sequences),
        (2, 2, 1)
    );
    assert_eq!((overview.agents.len(), overview.lost), (1, 0));
    assert_eq!(store.undone(Stage::Evaluate, 9).await.unwrap().len(), 1);
    assert_eq!(store.units(&UnitFilter::default()).await.unwrap().total, 1);
    assert_eq!(store.newest_plans().await.unwrap()[0].revision, 1);
    assert_eq!(store.admitted().await.unwrap().len(), 1);
}
