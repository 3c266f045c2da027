//! Lists longer than what is looked at for one page.

use super::*;
use crate::clause::{ElementField, FindingField as F, FindingOrder, Test};
use crate::view::{ElementFilter, FindingFilter};
use crate::{SqliteStore, Store as _};
use model::Instant;
use std::collections::BTreeSet;

/// More than two windows.
const ROWS: u32 = 50_000;

/// A store with so many findings: every fifth at one site, one in 10,000 of a rare rule, one owned, one in 1,000 named
/// otherwise.
async fn crowded(rows: u32) -> (SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("collector.db"))
        .await
        .unwrap();
    let result = r#"{"rule":"R","jurisdiction":"DE","title":"t","citation":"c","component":null,"supplier":"huawei","class":"due","severity":"major","deadline":null,"confidence":0.9,"explanation":[]}"#;
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1) ";
    let element = format!(
        "{numbers} INSERT INTO element (element_id, site, address, port, context, name, recorded_at) \
         SELECT printf('0193%04x-%04x-7000-8000-000000000001', i / 65536, i % 65536), \
         CASE WHEN i % 5 = 0 THEN 'berlin' ELSE 'lyon' END, '10.' || i, 161, '', \
         CASE WHEN i % 1000 = 999 THEN 'odd-' ELSE 'r-' END || i, 1 FROM n"
    );
    let finding = format!(
        "{numbers} INSERT INTO finding (finding_id, element_id, rule, component, jurisdiction, supplier, class, \
         severity, severity_rank, state, result, knowledge, policies, as_of, opened_at, recorded_at, site, confidence, owner) \
         SELECT printf('0193%04x-%04x-7000-8000-000000000002', i / 65536, i % 65536), \
         printf('0193%04x-%04x-7000-8000-000000000001', i / 65536, i % 65536), \
         CASE WHEN i % 10000 = 7 THEN 'RARE' ELSE 'R' END, '', 'DE', 'huawei', 'due', 'major', i % 3, 'open', $2, \
         'k', 'p', 'd', i, 1, CASE WHEN i % 5 = 0 THEN 'berlin' ELSE 'lyon' END, i % 100 / 100.0, \
         CASE WHEN i = 40001 THEN 'Ada' END FROM n"
    );
    for sql in [element, finding] {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).bind(result);
        query.execute(&store.writer).await.unwrap();
    }
    (store, folder)
}

/// Whose name begins so: one in 1,000.
fn odd<C>(field: C) -> Clause<C> {
    Clause::any(vec![Test::new(field, Is::Begins("odd-".to_owned()))])
}

fn asking(clause: Clause<F>) -> FindingFilter {
    FindingFilter {
        clauses: vec![clause],
        ..FindingFilter::default()
    }
}

#[tokio::test]
async fn what_an_index_finds_is_few_and_exact_however_many_rows_there_are() {
    let (store, _folder) = crowded(ROWS).await;
    let rare = store
        .findings(&asking(Clause::words(F::Rule, ["RARE"])))
        .await
        .unwrap();
    assert_eq!(
        (rare.rows.len(), rare.total, rare.measure),
        (5, 5, Measure::Exact)
    );
    let owned = store
        .findings(&asking(Clause::words(F::Owner, ["Ada"])))
        .await
        .unwrap();
    assert_eq!((owned.rows.len(), owned.next), (1, None));
    let berlin = store
        .findings(&asking(Clause::words(F::Site, ["berlin"])))
        .await
        .unwrap();
    assert_eq!((berlin.total, berlin.measure), (10_000, Measure::Exact));
}

#[tokio::test]
async fn more_is_reckoned_and_says_so() {
    let (store, _folder) = crowded(ROWS).await;
    let lyon = store
        .findings(&asking(Clause::words(F::Site, ["lyon"])))
        .await
        .unwrap();
    assert_eq!(lyon.measure, Measure::About);
    let counted = asking(Clause::words(F::Site, ["lyon"]));
    assert_eq!(store.finding_keys(&counted).await.unwrap().len(), 40_000);
    let odd_ones = store.finding_keys(&asking(odd(F::Name))).await.unwrap();
    assert_eq!(odd_ones.len(), 50);
    let elements = ElementFilter {
        clauses: vec![odd(ElementField::Name)],
        ..ElementFilter::default()
    };
    assert_eq!(store.count_elements(&elements).await.unwrap(), 50);
    assert!((38_000..=42_000).contains(&lyon.total), "{}", lyon.total);
    let few = FindingFilter {
        limit: 10,
        ..asking(odd(F::Name))
    };
    let page = store.findings(&few).await.unwrap();
    assert_eq!(
        page.measure,
        Measure::Below,
        "50 of 50,000 are too few for a sample"
    );
    assert!(
        page.total > page.rows.len() as u64,
        "never fewer than were found: {}",
        page.total
    );
}

#[tokio::test]
async fn what_was_on_a_past_day_is_reckoned_by_things_and_not_by_what_they_were() {
    let (store, _folder) = crowded(ROWS).await;
    // Everything stood as it was for ten days, and otherwise since: twice as many rows, the later ones behind the others.
    for sql in [
        "DELETE FROM element_stood",
        "INSERT INTO element_stood (stood_id, element_id, stood_from, stood_until, site, name) \
         SELECT '0194' || substr(element_id, 5), element_id, 0, 864000000000, site, name FROM element",
        "INSERT INTO element_stood (stood_id, element_id, stood_from, stood_until, site, name) \
         SELECT '0195' || substr(element_id, 5), element_id, 864000000000, 9223372036854775807, site, name FROM element",
    ] {
        sqlx::query(sql).execute(&store.writer).await.unwrap();
    }
    for day in [5, 20] {
        let lyon = ElementFilter {
            clauses: vec![Clause::words(ElementField::Site, ["lyon"])],
            then: Some(Instant(day * 86_400_000_000)),
            ..ElementFilter::default()
        };
        let page = store.elements(&lyon).await.unwrap();
        assert_eq!(page.measure, Measure::About, "day {day}");
        assert!(
            (38_000..=42_000).contains(&page.total),
            "day {day}: {}",
            page.total
        );
    }
}

#[tokio::test]
async fn windows_lose_and_repeat_nothing() {
    let (store, _folder) = crowded(ROWS).await;
    for down in [false, true] {
        let mut filter = FindingFilter {
            // More than a window has, and in this order it ends with one of those looked for.
            limit: 30,
            order: FindingOrder::Opened,
            down,
            ..asking(odd(F::Name))
        };
        let mut seen = Vec::new();
        loop {
            let page = store.findings(&filter).await.unwrap();
            seen.extend(page.rows.into_iter().map(|row| row.finding));
            match page.next {
                Some(next) => filter.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen.len(), 50);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 50);
    }
}

#[test]
fn a_sample_says_about_or_fewer_than_and_never_nothing() {
    assert_eq!(reckon(1_000_000, 10_000, 1_234), (120_000, Measure::About));
    assert_eq!(reckon(1_000_000, 10_000, 10_000), (1_000_000, Measure::About));
    assert_eq!(reckon(1_000_000, 10_000, 0), (400, Measure::Below));
    let (most, measure) = reckon(1_000_000, 10_000, 50);
    assert!(measure == Measure::Below && most > 5_000, "{most}");
}
