//! What stands in the field, in rows.

use super::engines::within_sites;
use super::{SqliteStore, conclude, coverage, plans, quarantine, row};
use crate::StoreError;
use crate::accounts::Sites;
use crate::coverage::CoverageView;
use crate::field::{
    Field, GapRow, InvitationRow, Known, LineRow, LinkRow, Neighbours, NodeRow, QuarantineRow, RevocationRow,
    SiteStanding,
};
use crate::plans::ToldPlan;
use model::{AgentId, ElementId, Instant, SiteName, SupplierRef};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// What is read of a link: `e` names `n`, which may be the element after it.
const LINK: &str = "SELECT l.*, k.name AS other_name, k.site AS other_site FROM (SELECT DISTINCT e.element_id, \
     e.name AS element_name, e.site, e.address AS own, e.port, n.protocol, n.address, n.mac, n.name AS told_name, \
     n.maker_id, n.maker_name, n.maker_confidence, ";

/// Whom elements name: by address at their site, by hardware address there, by hardware address elsewhere.
const NAMES: &str = "COALESCE((SELECT x.element_id FROM element x WHERE x.site = e.site AND x.address = n.address \
     ORDER BY x.port LIMIT 1), \
     (SELECT MIN(x.element_id) FROM own_address o JOIN element x ON x.complete_digest = o.digest \
     OR x.partial_digest = o.digest WHERE o.mac = n.mac AND x.site = e.site), \
     (SELECT MIN(x.element_id) FROM own_address o JOIN element x ON x.complete_digest = o.digest \
     OR x.partial_digest = o.digest WHERE o.mac = n.mac)) AS other_id \
     FROM element e JOIN neighbour n ON n.digest = e.complete_digest OR n.digest = e.partial_digest \
     WHERE n.protocol IN ('lldp', 'cdp') ";

/// The elements they are.
const OTHERS: &str = ") l LEFT JOIN element k ON k.element_id = l.other_id ";

#[async_trait::async_trait]
impl Field for SqliteStore {
    async fn gaps(&self, agent: AgentId, limit: u32) -> Result<Vec<GapRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM gap WHERE agent_id = $1 ORDER BY recorded_at DESC, from_sequence DESC LIMIT $2",
        )
        .bind(agent.to_string())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        let read = |r: &SqliteRow| -> Result<GapRow, StoreError> {
            Ok(GapRow {
                from: row::count(r.try_get("from_sequence")?),
                to: row::count(r.try_get("to_sequence")?),
                reports: row::count(r.try_get("count")?),
                reason: r.try_get("reason")?,
                declared: Instant(r.try_get("declared_at")?),
                recorded: Instant(r.try_get("recorded_at")?),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn lines(&self, agent: AgentId) -> Result<Vec<LineRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.*, COALESCE((SELECT SUM(g.to_sequence - g.from_sequence + 1) FROM gap g \
             WHERE g.agent_id = c.agent_id AND g.epoch = c.epoch), 0) AS gone FROM agent_cursor c \
             WHERE c.agent_id = $1 ORDER BY c.recorded_at DESC, c.epoch",
        )
        .bind(agent.to_string())
        .fetch_all(&self.readers)
        .await?;
        let read = |r: &SqliteRow| -> Result<LineRow, StoreError> {
            let (first, acked): (i64, i64) = (r.try_get("start_sequence")?, r.try_get("acked_sequence")?);
            let told = r.try_get::<i64, _>("report_count")? + r.try_get::<i64, _>("gone")?;
            Ok(LineRow {
                epoch: r.try_get("epoch")?,
                first: row::count(first),
                acked: row::count(acked),
                lost: row::count(acked - first + 1 - told),
                recorded: Instant(r.try_get("recorded_at")?),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn revocation(&self, agent: AgentId) -> Result<Option<RevocationRow>, StoreError> {
        let found = sqlx::query("SELECT * FROM agent_revocation WHERE agent_id = $1")
            .bind(agent.to_string())
            .fetch_optional(&self.readers)
            .await?;
        found
            .map(|r| {
                Ok(RevocationRow {
                    at: Instant(r.try_get("recorded_at")?),
                    person: r.try_get("person")?,
                    reason: r.try_get("reason")?,
                })
            })
            .transpose()
    }

    async fn quarantines(&self, agent: AgentId, limit: u32) -> Result<Vec<QuarantineRow>, StoreError> {
        quarantine::of_agent(&self.readers, agent, limit).await
    }

    async fn told_plan(&self, agent: AgentId) -> Result<Option<ToldPlan>, StoreError> {
        plans::told(&self.readers, agent).await
    }

    async fn invitations(&self, sites: &Sites, now: Instant) -> Result<Vec<InvitationRow>, StoreError> {
        let mut select = QueryBuilder::<Sqlite>::new(
            "SELECT site, recorded_at, expires_at FROM join_token WHERE used_at IS NULL AND expires_at > ",
        );
        select.push_bind(now.0);
        if let Some(sites) = sites {
            within_sites(&mut select, "site", sites);
        }
        select.push(" ORDER BY site, expires_at LIMIT 500");
        let rows = select.build().fetch_all(&self.readers).await?;
        let read = |r: &SqliteRow| -> Result<InvitationRow, StoreError> {
            Ok(InvitationRow {
                site: row::site(r.try_get("site")?)?,
                made: Instant(r.try_get("recorded_at")?),
                expires: Instant(r.try_get("expires_at")?),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn agent_coverage(&self, agent: AgentId) -> Result<CoverageView, StoreError> {
        coverage::of_agent(&self.readers, agent).await
    }

    async fn site_standings(&self) -> Result<Vec<SiteStanding>, StoreError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT e.site, COALESCE(j.standing, 'unknown'), COUNT(*) FROM element e \
             LEFT JOIN judgement j ON j.element_id = e.element_id GROUP BY 1, 2 ORDER BY 1, 2",
        )
        .fetch_all(&self.readers)
        .await?;
        let read = |(site, standing, count)| {
            Ok(SiteStanding {
                site: row::site(site)?,
                standing,
                count: row::count(count),
            })
        };
        rows.into_iter().map(read).collect()
    }

    async fn links(&self, site: &SiteName, limit: u32) -> Result<Vec<LinkRow>, StoreError> {
        let text = format!(
            "{LINK}{NAMES}AND e.site = $1 ORDER BY e.address, e.port LIMIT $2{OTHERS}ORDER BY l.own, l.port"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(site.as_str())
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(link).collect()
    }

    async fn nodes(
        &self,
        site: &SiteName,
        wanted: &[ElementId],
        most: u32,
    ) -> Result<Vec<NodeRow>, StoreError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let wanted: Vec<String> = wanted.iter().take(most).map(ToString::to_string).collect();
        let in_list = |query: &mut QueryBuilder<Sqlite>, not: &str| {
            query.push(" e.element_id ").push(not).push("IN (");
            let mut separated = query.separated(", ");
            for key in &wanted {
                separated.push_bind(key.clone());
            }
            query.push(")");
        };
        let mut query = node();
        query.push(" WHERE");
        in_list(&mut query, "");
        query.push(" ORDER BY e.site, e.address, e.port");
        let mut rows = nodes(query, &self.readers).await?;
        let room = most.saturating_sub(rows.len());
        let mut query = node();
        query.push(" WHERE e.site = ").push_bind(site.as_str().to_owned());
        query.push(" AND");
        in_list(&mut query, "NOT ");
        query
            .push(" ORDER BY e.site, e.address, e.port LIMIT ")
            .push_bind(i64::try_from(room).unwrap_or(i64::MAX));
        rows.extend(nodes(query, &self.readers).await?);
        Ok(rows)
    }

    async fn neighbours(&self, element: ElementId, limit: u32) -> Result<Neighbours, StoreError> {
        let names = format!(
            "{LINK}{NAMES}AND e.element_id = $1 ORDER BY told_name, n.address LIMIT $2{OTHERS}ORDER BY l.told_name, l.address"
        );
        // One way in for each index.
        let by = |on: &str| {
            format!(
                "m.element_id AS other_id FROM element m JOIN neighbour n ON {on} JOIN element e \
                 ON e.complete_digest = n.digest OR e.partial_digest = n.digest WHERE m.element_id = $1 \
                 AND e.element_id <> $1 AND n.protocol IN ('lldp', 'cdp')"
            )
        };
        let (address, mac) = (
            by("n.address = m.address"),
            by(
                "n.mac IN (SELECT o.mac FROM own_address o WHERE o.digest IN (m.complete_digest, m.partial_digest))",
            ),
        );
        let named_by = format!(
            "SELECT * FROM ({LINK}{address} AND e.site = m.site LIMIT $2{OTHERS}UNION {LINK}{mac} LIMIT $2{OTHERS}) b \
             ORDER BY b.element_name, b.element_id LIMIT $2"
        );
        let ask = async |text: String| -> Result<Vec<LinkRow>, StoreError> {
            let rows = sqlx::query(sqlx::AssertSqlSafe(text))
                .bind(element.to_string())
                .bind(i64::from(limit))
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(link).collect()
        };
        Ok(Neighbours {
            names: ask(names).await?,
            named_by: ask(named_by).await?,
        })
    }

    async fn days(&self, element: ElementId, limit: u32) -> Result<Vec<Instant>, StoreError> {
        let mut days: Vec<i64> = sqlx::query_scalar(
            "SELECT DISTINCT at / $2 AS day FROM (SELECT valid_from AS at FROM sighting WHERE element_id = $1 \
             UNION ALL SELECT valid_from FROM tenure WHERE element_id = $1 \
             UNION ALL SELECT recorded_at FROM change WHERE element_id = $1 \
             UNION ALL SELECT recorded_at FROM declaration WHERE element_id = $1 \
             UNION ALL SELECT l.recorded_at FROM site_law l JOIN element e ON e.site = l.site \
             WHERE e.element_id = $1) AS moment WHERE at >= 0 ORDER BY day DESC LIMIT $3",
        )
        .bind(element.to_string())
        .bind(DAY)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        days.reverse();
        Ok(days
            .into_iter()
            .map(|day| Instant(day.saturating_mul(DAY)))
            .collect())
    }
}

fn node() -> QueryBuilder<Sqlite> {
    QueryBuilder::new(
        "SELECT e.element_id, e.name, e.site, e.address, e.context, d.role, COALESCE(j.standing, 'unknown') AS standing, \
         i.maker_id, i.maker_name FROM element e \
         LEFT JOIN declaration d ON d.element_id = e.element_id AND d.superseded_at IS NULL \
         LEFT JOIN judgement j ON j.element_id = e.element_id \
         LEFT JOIN identification i ON i.digest = j.digest AND i.knowledge = j.knowledge",
    )
}

async fn nodes(mut query: QueryBuilder<Sqlite>, pool: &SqlitePool) -> Result<Vec<NodeRow>, StoreError> {
    let rows = query.build().persistent(false).fetch_all(pool).await?;
    let read = |r: &SqliteRow| -> Result<NodeRow, StoreError> {
        let maker: (Option<String>, Option<String>) = (r.try_get("maker_id")?, r.try_get("maker_name")?);
        Ok(NodeRow {
            known: Known {
                element: row::word(r.try_get("element_id")?, "element")?,
                name: r.try_get("name")?,
                site: row::site(r.try_get("site")?)?,
            },
            address: row::place_of(r)?,
            role: row::role(r.try_get("role")?)?,
            maker: maker.0.zip(maker.1).map(|(id, name)| SupplierRef { id, name }),
            standing: r.try_get("standing")?,
        })
    };
    rows.iter().map(read).collect()
}

fn link(r: &SqliteRow) -> Result<LinkRow, StoreError> {
    let other: Option<String> = r.try_get("other_id")?;
    let other = other.map(|id| -> Result<Known, StoreError> {
        Ok(Known {
            element: row::word(&id, "element")?,
            name: r.try_get("other_name")?,
            site: row::site(r.try_get("other_site")?)?,
        })
    });
    Ok(LinkRow {
        element: row::word(r.try_get("element_id")?, "element")?,
        element_name: r.try_get("element_name")?,
        site: row::site(r.try_get("site")?)?,
        protocol: r.try_get("protocol")?,
        address: r.try_get("address")?,
        mac: r.try_get("mac")?,
        told_name: r.try_get("told_name")?,
        maker: conclude::attribution(r, "maker_id", "maker_name", "maker_confidence")?,
        other: other.transpose()?,
    })
}
