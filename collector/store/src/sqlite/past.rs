//! Elements as they were: declarations, sightings, tenures and identifications of a moment.
//!
//! Invariants: one snapshot a page; what was recorded later than asked for is not
//! looked at; of each element only what is needed is kept while its sightings pass by.

use super::{SqliteReader, SqliteStore, conclude, row};
use crate::StoreError;
use crate::past::{FindingSpan, Moment, Past, PastSubject};
use crate::record::{IdentifiedSighting, MovedIn, Subject};
use futures_util::TryStreamExt as _;
use model::{
    Completeness, ComponentIdentity, Digest, ElementId, Ending, FindingId, Identification, Instant, Place,
};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet, HashMap};

type Tx = SqliteConnection;

/// Elements a page at most.
const PAGE: u32 = 500;

/// What is read of a part.
const PART: &str = "SELECT digest, component_index, parent, class, name, description, model, serial, revision, \
     maker_id, maker_name, maker_confidence, brand_id, brand_name, brand_confidence FROM component ";

macro_rules! past {
    ($store:ty) => {
        #[async_trait::async_trait]
        impl Past for $store {
            async fn subjects(
                &self,
                moment: Moment,
                after: Option<ElementId>,
                limit: u32,
            ) -> Result<Vec<PastSubject>, StoreError> {
                subjects(&self.readers, moment, after, limit).await
            }

            async fn finding_spans(
                &self,
                after: Option<FindingId>,
                limit: u32,
            ) -> Result<Vec<FindingSpan>, StoreError> {
                finding_spans(&self.readers, after, limit).await
            }
        }
    };
}

past!(SqliteStore);
past!(SqliteReader);

/// One element while its page is read.
struct Draft {
    place: Place,
    name: String,
    address: String,
    port: u16,
    context: String,
    stands: Option<Standing>,
    /// Units that stood there, by their place in its history.
    slots: BTreeMap<i64, String>,
    shown: Shown,
}

/// The unit in place, as tenures pass by.
struct Standing {
    slot: i64,
    until: Option<Instant>,
    moved_in: MovedIn,
}

/// What an element showed, as its sightings pass by.
#[derive(Default)]
struct Shown {
    latest: Option<(Order, Completeness)>,
    walked: Option<Instant>,
    /// A sighting goes on after the moment, so that its last walk before it is told by reports alone.
    goes_on: bool,
    complete: Option<(Order, String)>,
    partial: Option<(Order, String)>,
    initial: Option<String>,
    later: Option<(Instant, String)>,
}

/// The last time it is known to have been so by the moment, and since when.
type Order = (Instant, Instant);

async fn subjects(
    pool: &SqlitePool,
    moment: Moment,
    after: Option<ElementId>,
    limit: u32,
) -> Result<Vec<PastSubject>, StoreError> {
    let mut tx = pool.begin().await?;
    let known = moment.recorded.unwrap_or(Instant(i64::MAX));
    let after = after.map(|key| key.to_string()).unwrap_or_default();
    let mut drafts = elements(&mut tx, known, &after, limit.min(PAGE)).await?;
    let Some(last) = drafts.keys().next_back().cloned() else {
        return Ok(Vec::new());
    };
    let page = (after.as_str(), last.as_str());
    tenures(&mut tx, moment.valid, known, page, &mut drafts).await?;
    sightings(&mut tx, moment.valid, known, page, &mut drafts).await?;
    for (key, draft) in &mut drafts {
        if draft.shown.goes_on || (moment.recorded.is_some() && draft.shown.walked.is_some()) {
            draft.shown.walked = walked(&mut tx, key, moment.valid, known).await?;
        }
    }
    let wanted = drafts.values().flat_map(|draft| draft.shown.digests(true));
    let first: BTreeSet<&String> = drafts.values().filter_map(|d| d.shown.initial.as_ref()).collect();
    let wanted: BTreeSet<&String> = wanted.collect();
    let concluded = identifications(&mut tx, known, &wanted, &first).await?;
    tx.rollback().await?;
    drafts
        .into_values()
        .map(|draft| draft.finish(&concluded))
        .collect()
}

async fn elements(
    tx: &mut Tx,
    known: Instant,
    after: &str,
    limit: u32,
) -> Result<BTreeMap<String, Draft>, StoreError> {
    let rows = sqlx::query(
        "SELECT e.element_id, e.site, e.address, e.port, e.context, l.jurisdictions, d.name AS declared_name, d.role, d.generations, \
         d.tags, d.acquired FROM element e \
         LEFT JOIN site_law l ON l.site = e.site AND l.recorded_at <= $2 \
         AND (l.superseded_at IS NULL OR l.superseded_at > $2) \
         LEFT JOIN declaration d ON d.element_id = e.element_id AND d.recorded_at <= $2 \
         AND (d.superseded_at IS NULL OR d.superseded_at > $2) \
         WHERE e.element_id > $1 AND e.recorded_at <= $2 ORDER BY e.element_id LIMIT $3",
    )
    .bind(after)
    .bind(known.0)
    .bind(i64::from(limit))
    .fetch_all(tx)
    .await?;
    let read = |r: &SqliteRow| -> Result<(String, Draft), StoreError> {
        let words = |column: &str| -> Result<BTreeSet<String>, StoreError> {
            Ok(row::set(
                &r.try_get::<Option<String>, _>(column)?.unwrap_or_default(),
            ))
        };
        let key: String = r.try_get("element_id")?;
        let place = Place {
            element: row::word::<ElementId>(&key, "element")?,
            site: row::site(r.try_get("site")?)?,
            jurisdictions: words("jurisdictions")?,
            role: row::role(r.try_get("role")?)?,
            generations: words("generations")?,
            tags: words("tags")?,
            acquired: r.try_get("acquired")?,
        };
        let draft = Draft {
            place,
            name: r
                .try_get::<Option<String>, _>("declared_name")?
                .unwrap_or_default(),
            address: r.try_get("address")?,
            port: u16::try_from(r.try_get::<i64, _>("port")?).map_err(|_| StoreError::Damaged("port"))?,
            context: r.try_get("context")?,
            stands: None,
            slots: BTreeMap::new(),
            shown: Shown::default(),
        };
        Ok((key, draft))
    };
    rows.iter().map(read).collect()
}

async fn tenures(
    tx: &mut Tx,
    valid: Instant,
    known: Instant,
    (after, last): (&str, &str),
    drafts: &mut BTreeMap<String, Draft>,
) -> Result<(), StoreError> {
    // Tenures are conclusions from all evidence and made anew: one counts if its first evidence was there by then.
    let mut rows = sqlx::query(
        "SELECT t.element_id, t.slot, t.unit_id, t.valid_from, t.valid_until, t.replaces FROM tenure t \
         WHERE t.element_id > $1 AND t.element_id <= $2 AND t.valid_from <= $3 AND EXISTS (SELECT 1 FROM sighting s \
         WHERE s.element_id = t.element_id AND s.digest = t.first_digest AND s.valid_from = t.valid_from \
         AND s.recorded_at <= $4) \
         ORDER BY t.element_id, t.valid_from, t.slot",
    )
    .bind(after)
    .bind(last)
    .bind(valid.0)
    .bind(known.0)
    .fetch(tx);
    while let Some(r) = rows.try_next().await? {
        let Some(draft) = drafts.get_mut(r.try_get::<&str, _>("element_id")?) else {
            continue;
        };
        let unit: String = r.try_get("unit_id")?;
        let replaces: Option<i64> = r.try_get("replaces")?;
        // Of a stack the first chassis tells, as in the present; until it ends, or another takes its place.
        let slot: i64 = r.try_get("slot")?;
        // What came back after a while is not new.
        let is_known = draft.slots.values().any(|other| *other == unit);
        let replaced = replaces.and_then(|slot| draft.slots.get(&slot));
        let swapped = replaced.is_some_and(|other| *other != unit) && !is_known;
        draft.slots.insert(slot, unit);
        let before = draft.stands.as_ref();
        let takes_its_place = before.is_some_and(|before| replaces == Some(before.slot));
        if before.is_some_and(|before| before.until.is_none_or(|until| until > valid)) && !takes_its_place {
            continue;
        }
        draft.stands = Some(Standing {
            slot,
            until: row::instant(r.try_get("valid_until")?),
            moved_in: MovedIn {
                from: Instant(r.try_get("valid_from")?),
                swapped,
            },
        });
    }
    Ok(())
}

async fn sightings(
    tx: &mut Tx,
    valid: Instant,
    known: Instant,
    (after, last): (&str, &str),
    drafts: &mut BTreeMap<String, Draft>,
) -> Result<(), StoreError> {
    let mut rows = sqlx::query(
        "SELECT element_id, valid_from, valid_until, walked_until, digest, completeness FROM sighting \
         WHERE element_id > $1 AND element_id <= $2 AND recorded_at <= $3 ORDER BY element_id, valid_from",
    )
    .bind(after)
    .bind(last)
    .bind(known.0)
    .fetch(tx);
    while let Some(r) = rows.try_next().await? {
        if let Some(draft) = drafts.get_mut(r.try_get::<&str, _>("element_id")?) {
            let tenure = draft.stands.as_ref().map(|stands| stands.moved_in.from);
            draft.shown.pass(&r, valid, tenure)?;
        }
    }
    Ok(())
}

/// When it was walked last by the moment, as far as that was recorded.
async fn walked(
    tx: &mut Tx,
    element: &str,
    valid: Instant,
    known: Instant,
) -> Result<Option<Instant>, StoreError> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT finished_at FROM report WHERE element_id = $1 AND finished_at <= $2 AND recorded_at <= $3 \
         AND verdict = 'stored' AND completeness <> 'unreachable' AND refreshed = 0 \
         ORDER BY finished_at DESC LIMIT 1",
    )
    .bind(element)
    .bind(valid.0)
    .bind(known.0)
    .fetch_optional(tx)
    .await?;
    Ok(found.map(Instant))
}

impl Shown {
    fn pass(&mut self, r: &SqliteRow, valid: Instant, tenure: Option<Instant>) -> Result<(), StoreError> {
        let from = Instant(r.try_get("valid_from")?);
        let until = Instant(r.try_get("valid_until")?);
        let completeness = row::completeness(r.try_get("completeness")?)?;
        let digest: String = r.try_get("digest")?;
        if from > valid {
            if completeness == Completeness::Complete && self.later.is_none() {
                self.later = Some((from, digest));
            }
            return Ok(());
        }
        let order: Order = (until.min(valid), from);
        if self.latest.is_none_or(|(latest, _)| latest <= order) {
            self.latest = Some((order, completeness));
        }
        if completeness == Completeness::Unreachable {
            return Ok(());
        }
        let walk = r
            .try_get::<Option<i64>, _>("walked_until")?
            .map_or(until, Instant);
        self.walked = self.walked.max(Some(walk.min(valid)));
        self.goes_on |= walk > valid;
        if completeness == Completeness::Partial {
            if self.partial.as_ref().is_none_or(|(partial, _)| *partial <= order) {
                self.partial = Some((order, digest));
            }
            return Ok(());
        }
        if self.initial.is_none() && tenure.is_some_and(|tenure| from >= tenure) {
            self.initial = Some(digest.clone());
        }
        match &mut self.complete {
            // The same again after a silence: it began when it was shown first.
            Some((complete, same)) if *same == digest => complete.0 = complete.0.max(order.0),
            Some((complete, _)) if *complete > order => {}
            complete => *complete = Some((order, digest)),
        }
        Ok(())
    }

    /// What the conclusions about it rest on.
    fn digests(&self, later: bool) -> impl Iterator<Item = &String> {
        let partial = self.partial().map(|(_, digest)| digest);
        let complete = self.complete.as_ref().map(|(_, digest)| digest);
        let later = self.later.as_ref().filter(|_| later && complete.is_none());
        let all = [
            complete,
            partial,
            self.initial.as_ref(),
            later.map(|(_, digest)| digest),
        ];
        all.into_iter().flatten()
    }

    /// The partial evidence that came after the complete one.
    fn partial(&self) -> Option<&(Order, String)> {
        let complete = self.complete.as_ref().map(|(order, _)| *order);
        self.partial
            .as_ref()
            .filter(|(partial, _)| complete.is_none_or(|complete| *partial > complete))
    }
}

impl Draft {
    fn finish(self, concluded: &HashMap<String, Identification>) -> Result<PastSubject, StoreError> {
        let sighting = |from: Instant, digest: &String| -> Result<_, StoreError> {
            let Some(identification) = concluded.get(digest).cloned() else {
                return Ok(None);
            };
            let digest: Digest = row::digest(digest)?;
            Ok(Some(IdentifiedSighting {
                digest,
                from,
                identification,
            }))
        };
        let shown = &self.shown;
        let of = |found: Option<&(Order, String)>| match found {
            Some(((_, from), digest)) => sighting(*from, digest),
            None => Ok(None),
        };
        let by_then = shown.complete.is_some() || shown.partial.is_some();
        let later = shown.later.as_ref().filter(|_| !by_then);
        let complete = match later {
            Some((from, digest)) => sighting(*from, digest)?,
            None => of(shown.complete.as_ref())?,
        };
        let present = shown.complete.as_ref().map(|(_, digest)| digest);
        let initial = shown.initial.as_ref().filter(|first| Some(*first) != present);
        Ok(PastSubject {
            subject: Subject {
                name: self.name,
                address: self.address,
                port: self.port,
                context: self.context,
                latest: shown.latest.map(|(_, completeness)| completeness),
                last_walk: shown.walked,
                complete,
                partial: of(shown.partial())?,
                initial: initial.and_then(|digest| concluded.get(digest).cloned()),
                tenure: self.stands.map(|stands| stands.moved_in),
                findings: Vec::new(),
                judged: None,
                place: self.place,
            },
            by_then,
        })
    }
}

/// What the knowledge in use by then concluded from each evidence, or the one before it where it had not yet.
async fn identifications(
    tx: &mut Tx,
    known: Instant,
    digests: &BTreeSet<&String>,
    whole: &BTreeSet<&String>,
) -> Result<HashMap<String, Identification>, StoreError> {
    if digests.is_empty() {
        return Ok(HashMap::new());
    }
    let adopted: Vec<(String, i64)> = sqlx::query_as(
        "SELECT version, MAX(recorded_at) FROM stage_adoption WHERE stage = 'identify' AND recorded_at <= $1 \
         GROUP BY version",
    )
    .bind(known.0)
    .fetch_all(&mut *tx)
    .await?;
    let adopted: HashMap<String, i64> = adopted.into_iter().collect();
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT digest, knowledge, maker_id, maker_name, maker_confidence, brand_id, brand_name, brand_confidence, \
         unit, doubts, recorded_at FROM identification WHERE recorded_at <= ",
    );
    query.push_bind(known.0).push(" AND digest IN (");
    let mut separated = query.separated(", ");
    for digest in digests {
        separated.push_bind((*digest).clone());
    }
    query.push(")");
    let mut best: HashMap<String, (i64, Identification)> = HashMap::new();
    let mut rows = query.build().persistent(false).fetch(&mut *tx);
    while let Some(r) = rows.try_next().await? {
        let (digest, knowledge): (String, String) = (r.try_get("digest")?, r.try_get("knowledge")?);
        let since = adopted.get(&knowledge).copied().unwrap_or(i64::MIN);
        if best.get(&digest).is_some_and(|(other, _)| *other >= since) {
            continue;
        }
        let identification = Identification {
            knowledge,
            maker: conclude::attribution(&r, "maker_id", "maker_name", "maker_confidence")?,
            brand: conclude::attribution(&r, "brand_id", "brand_name", "brand_confidence")?,
            claims: Vec::new(),
            doubts: row::from_json(r.try_get("doubts")?, "doubts")?,
            unit: row::from_json(r.try_get("unit")?, "unit")?,
            components: Vec::new(),
        };
        best.insert(digest, (since, identification));
    }
    drop(rows);
    let mut by_knowledge: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (digest, (_, identification)) in &best {
        by_knowledge
            .entry(identification.knowledge.clone())
            .or_default()
            .push(digest.clone());
    }
    for (knowledge, digests) in by_knowledge {
        let (all, named): (Vec<_>, Vec<_>) = digests.into_iter().partition(|digest| whole.contains(digest));
        for (digests, named) in [(all, false), (named, true)] {
            parts(tx, &knowledge, &digests, named, &mut best).await?;
        }
    }
    Ok(best.into_iter().map(|(digest, (_, one))| (digest, one)).collect())
}

/// The parts of each unit; only those that name somebody where nothing else is asked of them.
async fn parts(
    tx: &mut Tx,
    knowledge: &str,
    digests: &[String],
    named: bool,
    into: &mut HashMap<String, (i64, Identification)>,
) -> Result<(), StoreError> {
    if digests.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::<Sqlite>::new(PART);
    query.push("WHERE knowledge = ").push_bind(knowledge.to_owned());
    if named {
        query.push(" AND (maker_id IS NOT NULL OR brand_id IS NOT NULL)");
    }
    query.push(" AND digest IN (");
    let mut separated = query.separated(", ");
    for digest in digests {
        separated.push_bind(digest.clone());
    }
    query.push(") ORDER BY digest, position");
    let mut rows = query.build().persistent(false).fetch(tx);
    while let Some(r) = rows.try_next().await? {
        let part: ComponentIdentity = conclude::component(&r)?;
        if let Some((_, one)) = into.get_mut(r.try_get::<&str, _>("digest")?) {
            one.components.push(part);
        }
    }
    Ok(())
}

async fn finding_spans(
    pool: &SqlitePool,
    after: Option<FindingId>,
    limit: u32,
) -> Result<Vec<FindingSpan>, StoreError> {
    let rows = sqlx::query(
        "SELECT f.finding_id, f.rule, f.deadline, f.opened_at, f.closed_at, f.ending FROM finding f WHERE f.deadline IS NOT NULL AND f.finding_id > $1 ORDER BY f.finding_id LIMIT $2",
    )
    .bind(after.map(|key| key.to_string()).unwrap_or_default())
    .bind(i64::from(limit.min(10 * PAGE)))
    .fetch_all(pool)
    .await?;
    let read = |r: &SqliteRow| -> Result<FindingSpan, StoreError> {
        let closed = row::instant(r.try_get("closed_at")?);
        let ending: Option<String> = r.try_get("ending")?;
        let ending = ending
            .map(|word| row::word::<Ending>(&word, "ending"))
            .transpose()?;
        Ok(FindingSpan {
            finding: row::word::<FindingId>(r.try_get("finding_id")?, "finding")?,
            rule: r.try_get("rule")?,
            deadline: r.try_get("deadline")?,
            opened: Instant(r.try_get("opened_at")?),
            closed: closed.map(|at| (at, ending)),
        })
    };
    rows.iter().map(read).collect()
}
