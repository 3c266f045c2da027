//! The network as a population: read page by page as it was on a day, judged, counted.
//!
//! Invariants: nothing is written and no more than a page of each side is held; an
//! element is judged by what was known of it on the day of knowledge, and by what the
//! operator declares of himself now. Of his tags there is no history; that of approvals,
//! shares and prices is in the store and is not read here.

use crate::evaluate::{Operator, acquired, declared, is_fresh, is_known, name, parts};
use model::on_file::OnFile;
use model::{Completeness, ElementId, FindingId, Identification, Instant, SiteName, Standing};
use policy::PartialDate;
use policy::pace::{BurnDown, End, Life, Pace};
use policy::population::{Asset, Comparison, Seen, Survey};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use store::StoreError;
use store::past::{FindingSpan, Moment, Past, PastSubject};
use time::{Date, Time};

/// Elements and findings read at once.
const PAGE: u32 = 500;

/// A day of the network, and a day of our knowledge of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The day judged for.
    pub as_of: Date,
    /// What was known on this day; `None` is all that is known now.
    pub as_known: Option<Date>,
    /// Today.
    pub today: Date,
}

impl Days {
    /// The day of knowledge.
    #[must_use]
    pub fn known(&self) -> Date {
        self.as_known.unwrap_or(self.today)
    }

    /// The moment at which the day and the day of knowledge end.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment {
            valid: end_of(self.as_of),
            recorded: self.as_known.map(end_of),
        }
    }
}

/// The last microsecond of a day.
#[must_use]
pub fn end_of(day: Date) -> Instant {
    let next = day
        .next_day()
        .unwrap_or(day)
        .with_time(Time::MIDNIGHT)
        .assume_utc();
    Instant(Instant::from_datetime(next).0 - 1)
}

/// The past as far as it played at some sites.
pub struct AtSites {
    /// The past of all.
    pub past: Arc<dyn Past>,
    /// The sites; [`None`] is all.
    pub sites: Option<BTreeSet<SiteName>>,
}

#[async_trait::async_trait]
impl Past for AtSites {
    async fn subjects(
        &self,
        moment: Moment,
        mut after: Option<ElementId>,
        limit: u32,
    ) -> Result<Vec<PastSubject>, StoreError> {
        // An empty page says that there is no more: one without a row of these sites is passed over.
        loop {
            let mut page = self.past.subjects(moment, after, limit).await?;
            let Some(last) = page.last() else {
                return Ok(page);
            };
            after = Some(last.subject.place.element);
            if let Some(sites) = &self.sites {
                page.retain(|one| sites.contains(&one.subject.place.site));
            }
            if !page.is_empty() {
                return Ok(page);
            }
        }
    }

    /// Spans name no site: only whoever sees all may ask for them.
    async fn finding_spans(
        &self,
        after: Option<FindingId>,
        limit: u32,
    ) -> Result<Vec<FindingSpan>, StoreError> {
        match self.sites {
            None => self.past.finding_spans(after, limit).await,
            Some(_) => Ok(Vec::new()),
        }
    }
}

/// Counts how exposed the network was; each element is told with how it stood.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub async fn survey<'a>(
    past: &dyn Past,
    days: Days,
    operator: Operator<'_>,
    mut survey: Survey<'a>,
    mut told: impl FnMut(&Asset, Standing),
) -> Result<Survey<'a>, StoreError> {
    let mut pages = Pages::new(past, days, operator);
    while let Some(asset) = pages.next().await? {
        let standing = survey.take(&asset);
        told(&asset, standing);
    }
    Ok(survey)
}

/// Compares what two questions answer of the network, each as of and as known on days of its own.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub async fn compare<'a>(
    past: &dyn Past,
    days: [Days; 2],
    operator: Operator<'_>,
    mut comparison: Comparison<'a>,
) -> Result<Comparison<'a>, StoreError> {
    let [first, second] = days;
    let mut before = Pages::new(past, first, operator);
    if first == second {
        while let Some(asset) = before.next().await? {
            comparison.take(Some(&asset), Some(&asset));
        }
        return Ok(comparison);
    }
    let mut after = Pages::new(past, second, operator);
    let key = |asset: &Option<Asset>| asset.as_ref().map(|asset| asset.place.element);
    let (mut was, mut is) = (before.next().await?, after.next().await?);
    // Both come in the order of their keys: whoever is behind goes on.
    loop {
        match (key(&was), key(&is)) {
            (None, None) => return Ok(comparison),
            (Some(a), Some(b)) if a == b => {
                comparison.take(was.as_ref(), is.as_ref());
                (was, is) = (before.next().await?, after.next().await?);
            }
            (Some(a), other) if other.is_none_or(|b| a < b) => {
                comparison.take(was.as_ref(), None);
                was = before.next().await?;
            }
            _ => {
                comparison.take(None, is.as_ref());
                is = after.next().await?;
            }
        }
    }
}

/// Removal against every date, from the lives of findings.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub async fn pace(past: &dyn Past, as_of: Date) -> Result<Vec<BurnDown>, StoreError> {
    let (mut pace, mut after) = (Pace::new(as_of), None);
    loop {
        let page = past.finding_spans(after, 10 * PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(pace.finish());
        };
        after = Some(last.finding);
        page.iter().filter_map(life).for_each(|life| pace.take(life));
    }
}

/// What removal must do with a finding; one whose date cannot be read has none.
pub fn life(told: &FindingSpan) -> Option<Life> {
    let ended = match &told.closed {
        None => None,
        // Only proof ends one so: silence never does.
        Some((at, Some(ending))) if ending.is_removal() => Some(End::Removed(at.date()?)),
        Some(_) => Some(End::Otherwise),
    };
    Some(Life {
        rule: told.rule.clone(),
        deadline: told.deadline.parse().ok()?,
        opened: told.opened.date()?,
        ended,
    })
}

/// The elements of one side, one after the other.
struct Pages<'p> {
    past: &'p dyn Past,
    days: Days,
    operator: Operator<'p>,
    page: VecDeque<PastSubject>,
    after: Option<ElementId>,
}

impl<'p> Pages<'p> {
    fn new(past: &'p dyn Past, days: Days, operator: Operator<'p>) -> Self {
        Self {
            past,
            days,
            operator,
            page: VecDeque::new(),
            after: None,
        }
    }

    async fn next(&mut self) -> Result<Option<Asset>, StoreError> {
        if self.page.is_empty() {
            let moment = self.days.moment();
            self.page = self.past.subjects(moment, self.after, PAGE).await?.into();
            self.after = self
                .page
                .back()
                .map(|last| last.subject.place.element)
                .or(self.after);
        }
        Ok(self
            .page
            .pop_front()
            .map(|one| asset(one, self.days, self.operator)))
    }
}

/// An element as it is judged for the day.
#[must_use]
pub fn asset(past: PastSubject, days: Days, operator: Operator<'_>) -> Asset {
    let PastSubject { mut subject, by_then } = past;
    subject.place.tags.extend(operator.tags.iter().cloned());
    let declared = subject.place.acquired.as_deref();
    let declared = declared.and_then(|text| text.parse::<PartialDate>().ok());
    let seen = if by_then {
        Seen::ByThen
    } else if subject.complete.is_some() && declared.is_some_and(|day| day.last() <= days.as_of) {
        Seen::Presumed
    } else {
        // What was seen later says nothing of that day.
        subject.complete = None;
        Seen::NotYet
    };
    let present = subject.complete.as_ref().or(subject.partial.as_ref());
    let fresh = is_fresh(subject.last_walk, days.as_of.min(days.known()));
    let identified = present.map(|present| &present.identification);
    let mut parts = parts(&subject, acquired(&subject));
    let approvals = declared::approvals(operator.on_file, &subject);
    declared::tell(&mut parts, &approvals, operator, &subject.place, identified);
    Asset {
        name: name(&subject, present),
        parts,
        maker_known: present.is_some_and(|present| is_known(&present.identification)),
        complete: seen == Seen::ByThen
            && subject.latest == Some(Completeness::Complete)
            && subject.complete.is_some()
            && fresh,
        seen,
        price: identified.and_then(|identified| price(identified, operator.on_file)),
        place: subject.place,
    }
}

/// What replacing the unit costs, where that is on file.
fn price(unit: &Identification, on_file: &OnFile) -> Option<u64> {
    let maker = unit.maker.as_ref()?;
    let model = unit.unit.model.as_deref().unwrap_or_default();
    Some(on_file.price(&maker.supplier.id, model)?.price)
}

#[cfg(test)]
mod tests;
