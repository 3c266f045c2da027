//! Which statement each index is for: an index that no query takes only slows down what is written.
//!
//! Invariant: every index stands in the table here with a statement of this crate that takes it, cut down to what
//! decides that.

use super::*;
use sqlx::Row as _;
use std::collections::BTreeSet;

/// An index and what takes it.
const USES: &[(&str, &str)] = &[
    (
        "engine_by_id",
        "SELECT DISTINCT g.site, g.engine_id FROM engine g WHERE (g.site, g.engine_id) > ('a', 'b') ORDER BY g.site, g.engine_id LIMIT 1",
    ),
    (
        "engine_by_place",
        "SELECT DISTINCT g.site, g.engine_id FROM engine g WHERE g.site IN ('a') AND g.port = 161 AND g.place >= x'00' AND g.place <= x'01'",
    ),
    (
        "engine_by_revision",
        "SELECT revision FROM engine WHERE agent_id = 'a' ORDER BY revision DESC LIMIT 1 OFFSET 9",
    ),
    (
        "finding_by_urgency",
        "SELECT finding_id FROM finding f ORDER BY f.severity_rank, f.finding_id LIMIT 1",
    ),
    (
        "finding_by_due",
        "SELECT finding_id FROM finding f ORDER BY f.due_by, f.finding_id LIMIT 1",
    ),
    (
        "finding_by_opened",
        "SELECT finding_id FROM finding f ORDER BY f.opened_at DESC, f.finding_id DESC LIMIT 1",
    ),
    (
        "finding_by_site",
        "SELECT finding_id FROM finding WHERE site IN ('a', 'b')",
    ),
    (
        "finding_by_rule",
        "SELECT finding_id FROM finding WHERE rule IN ('a', 'b')",
    ),
    (
        "finding_by_law",
        "SELECT finding_id FROM finding WHERE jurisdiction IN ('a', 'b')",
    ),
    (
        "finding_by_supplier",
        "SELECT finding_id FROM finding WHERE supplier IN ('a', 'b')",
    ),
    (
        "finding_by_class",
        "SELECT finding_id FROM finding WHERE class IN ('a', 'b')",
    ),
    (
        "finding_by_state",
        "SELECT finding_id FROM finding WHERE state IN ('a', 'b')",
    ),
    (
        "finding_by_owner",
        "SELECT finding_id FROM finding WHERE owner IN ('a', 'b')",
    ),
    (
        "finding_by_class",
        "SELECT COUNT(*) FROM finding t WHERE 1 = 1 AND t.class IN ('violation', 'overdue') AND t.state IN ('open', 'acknowledged', 'assigned')",
    ),
    (
        "finding_by_owner",
        "SELECT COUNT(*) FROM finding t WHERE 1 = 1 AND t.owner = 'a' AND t.state IN ('open', 'acknowledged', 'assigned')",
    ),
    (
        "finding_asked",
        "SELECT COUNT(*) FROM finding t WHERE 1 = 1 AND t.asked IS NOT NULL AND t.state <> 'closed'",
    ),
    (
        "finding_event_by_time",
        "SELECT v.recorded_at / 1 AS day, SUM(v.kind <> 'closed'), SUM(f.severity IN ('critical', 'major')) FROM finding_event v JOIN finding f ON f.finding_id = v.finding_id WHERE v.kind IN ('opened', 'closed') AND v.recorded_at >= 1 GROUP BY day ORDER BY day",
    ),
    (
        "finding_stood_by_urgency",
        "SELECT t.stood_id FROM finding_stood t WHERE TRUE ORDER BY t.severity_rank, t.stood_id LIMIT 1 OFFSET 9",
    ),
    (
        "finding_stood_by_due",
        "SELECT t.stood_id FROM finding_stood t WHERE TRUE ORDER BY t.due_by, t.stood_id LIMIT 1 OFFSET 9",
    ),
    (
        "finding_stood_by_opened",
        "SELECT t.stood_id FROM finding_stood t WHERE TRUE ORDER BY t.opened_at, t.stood_id LIMIT 1 OFFSET 9",
    ),
    (
        "change_by_time",
        "SELECT c.*, e.name, e.site FROM change c JOIN element e ON e.element_id = c.element_id WHERE c.recorded_at >= 1 ORDER BY c.recorded_at DESC, c.change_id DESC LIMIT 1",
    ),
    (
        "change_by_kind",
        "SELECT COUNT(*) FROM change t WHERE 1 = 1 AND t.kind = 'swap' AND t.recorded_at >= 1",
    ),
    (
        "change_by_element",
        "SELECT 1 FROM change WHERE element_id = 'a' AND kind = 'b' AND text = 'c' LIMIT 1",
    ),
    (
        "element_by_name",
        "SELECT element_id FROM element e ORDER BY e.name, e.element_id LIMIT 1",
    ),
    (
        "element_by_site",
        "SELECT element_id FROM element e ORDER BY e.site, e.name, e.element_id LIMIT 1",
    ),
    (
        "element_stood_by_name",
        "SELECT s.stood_id FROM element_stood s WHERE TRUE ORDER BY s.name, s.stood_id LIMIT 1 OFFSET 9",
    ),
    (
        "element_stood_by_site",
        "SELECT stood_id FROM element_stood WHERE site IN ('a', 'b')",
    ),
    (
        "element_by_complete",
        "SELECT e.element_id FROM element e WHERE e.complete_digest = 'a' OR e.partial_digest = 'a'",
    ),
    (
        "element_by_partial",
        "SELECT e.element_id FROM element e WHERE e.complete_digest = 'a' OR e.partial_digest = 'a'",
    ),
    (
        "declaration_by_role",
        "SELECT element_id FROM declaration WHERE superseded_at IS NULL AND role IN ('a', 'b')",
    ),
    (
        "judgement_by_standing",
        "SELECT element_id FROM judgement WHERE standing IN ('a', 'b')",
    ),
    (
        "judgement_by_digest",
        "SELECT j.element_id FROM identification i JOIN judgement j ON j.digest = i.digest AND j.knowledge = i.knowledge WHERE i.maker_id IN ('a')",
    ),
    (
        "identification_by_maker",
        "SELECT j.element_id FROM identification i JOIN judgement j ON j.digest = i.digest AND j.knowledge = i.knowledge WHERE i.maker_id IN ('a')",
    ),
    (
        "identification_by_brand",
        "SELECT j.element_id FROM identification i JOIN judgement j ON j.digest = i.digest AND j.knowledge = i.knowledge WHERE i.brand_id IN ('a')",
    ),
    (
        "identification_by_serial",
        "SELECT j.element_id FROM identification i JOIN judgement j ON j.digest = i.digest AND j.knowledge = i.knowledge WHERE i.serial IN ('a')",
    ),
    (
        "component_by_maker",
        "SELECT e.element_id, e.site FROM component c JOIN element e ON e.complete_digest = c.digest OR e.partial_digest = c.digest WHERE c.maker_id = 'a' LIMIT 5",
    ),
    (
        "saved_view_shared",
        "SELECT EXISTS (SELECT 1 FROM saved_view WHERE shared = 1 AND name = 'a' AND owner <> 'b')",
    ),
    (
        "session_by_account",
        "DELETE FROM session WHERE account_id = 'a' AND session_id IS NOT 'b'",
    ),
    ("session_by_token", "DELETE FROM session WHERE token_id = 'a'"),
    (
        "waiver_by_finding",
        "UPDATE waiver SET state = 'a' WHERE finding_id = 'b' AND state = 'c'",
    ),
    (
        "waiver_by_state",
        "SELECT w.* FROM waiver w JOIN finding f ON f.finding_id = w.finding_id JOIN element e ON e.element_id = f.element_id WHERE 1 = 1 AND w.state IN ('in_force') AND w.last_day <= 'a' ORDER BY w.last_day, w.waiver_id LIMIT 9",
    ),
    (
        "audit_by_place",
        "SELECT place, sum FROM audit WHERE place IS NOT NULL ORDER BY place DESC LIMIT 1",
    ),
    (
        "audit_unsealed",
        "SELECT * FROM audit WHERE place IS NULL ORDER BY audit_id",
    ),
    (
        "audit_by_time",
        "SELECT a.* FROM audit a WHERE 1 = 1 ORDER BY a.recorded_at DESC, a.audit_id DESC LIMIT 9",
    ),
    (
        "audit_by_time",
        "SELECT a.* FROM audit a WHERE 1 = 1 AND (a.recorded_at, a.audit_id) < (9, 'x') ORDER BY a.recorded_at DESC, a.audit_id DESC LIMIT 9",
    ),
    (
        "audit_by_person",
        "SELECT a.* FROM audit a WHERE 1 = 1 AND a.person IN ('a') ORDER BY a.recorded_at DESC, a.audit_id DESC LIMIT 9",
    ),
    (
        "audit_by_action",
        "SELECT a.* FROM audit a WHERE 1 = 1 AND a.action IN ('a') ORDER BY a.recorded_at DESC, a.audit_id DESC LIMIT 9",
    ),
    (
        "audit_by_action",
        "SELECT COUNT(*) FROM (SELECT 1 FROM audit a WHERE 1 = 1 AND a.action >= 'a' AND a.action < 'b' LIMIT 9)",
    ),
    (
        "neighbour_by_address",
        "SELECT n.name FROM element m JOIN neighbour n ON n.address = m.address JOIN element e ON e.complete_digest = n.digest OR e.partial_digest = n.digest WHERE m.element_id = 'a' AND e.element_id <> 'a' AND n.protocol IN ('lldp', 'cdp')",
    ),
    (
        "neighbour_by_mac",
        "SELECT n.name FROM element m JOIN neighbour n ON n.mac IN (SELECT o.mac FROM own_address o WHERE o.digest IN (m.complete_digest, m.partial_digest)) JOIN element e ON e.complete_digest = n.digest OR e.partial_digest = n.digest WHERE m.element_id = 'a' AND n.protocol IN ('lldp', 'cdp')",
    ),
    (
        "own_address_by_mac",
        "SELECT o.digest FROM own_address o WHERE o.mac = 'a'",
    ),
    (
        "report_by_element",
        "SELECT finished_at FROM report WHERE element_id = 'a' AND finished_at <= 1 AND recorded_at <= 2 ORDER BY finished_at DESC LIMIT 1",
    ),
    (
        "sighting_by_digest",
        "SELECT DISTINCT e.site FROM sighting s JOIN element e ON e.element_id = s.element_id WHERE s.digest = 'a'",
    ),
    (
        "tenure_by_unit",
        "SELECT t.hardware FROM tenure t WHERE t.unit_id = 'a' ORDER BY t.valid_from DESC LIMIT 1",
    ),
    (
        "undone_by_age",
        "SELECT key, revision, since FROM undone WHERE stage = 'a' ORDER BY since LIMIT 1",
    ),
    (
        "unit_decision_by_element",
        "SELECT * FROM unit_decision WHERE element_id = 'a' OR other_element = 'a'",
    ),
    (
        "unit_decision_by_other",
        "SELECT * FROM unit_decision WHERE element_id = 'a' OR other_element = 'a'",
    ),
    (
        "unit_key_by_element",
        "SELECT DISTINCT key FROM unit_key WHERE element_id = 'a'",
    ),
];

async fn schema() -> (SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("collector.db"))
        .await
        .unwrap();
    (store, folder)
}

#[tokio::test]
async fn every_index_is_taken_by_a_query() {
    let (store, _folder) = schema().await;
    for (index, statement) in USES {
        let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps = sqlx::query(sql).fetch_all(&store.readers).await.unwrap();
        let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
        let taken = |step: &String| step.split([' ', '(']).any(|word| word == *index);
        assert!(
            steps.iter().any(taken),
            "{index} is not taken by {statement}: {steps:#?}"
        );
    }
    let there = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL";
    let there: Vec<String> = sqlx::query_scalar(there).fetch_all(&store.readers).await.unwrap();
    let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    let named: BTreeSet<&str> = USES.iter().map(|(index, _)| *index).collect();
    assert_eq!(there, named, "an index without a use, or a use without an index");
}

#[tokio::test]
async fn no_two_indexes_of_a_table_begin_with_the_same_column() {
    let (store, _folder) = schema().await;
    let firsts: Vec<String> = sqlx::query_scalar(
        "SELECT i.tbl_name || '.' || c.name FROM sqlite_master i JOIN pragma_index_info(i.name) c \
         WHERE i.type = 'index' AND i.sql IS NOT NULL AND i.sql NOT LIKE '% WHERE %' AND c.seqno = 0 ORDER BY 1",
    )
    .fetch_all(&store.readers)
    .await
    .unwrap();
    assert!(firsts.len() > 30, "{firsts:?}");
    let twice: Vec<_> = firsts.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
