//! The day a list is asked for: what stood at its end, as recorded by then.
//!
//! Invariants: a day to come has no list, nor has a day of which nobody kept how things stood; today is the list of now.

use super::Problem;
use super::query::{self, Query};
use crate::population::end_of;
use crate::reconcile;
use model::Instant;
use policy::Policies;
use store::Store;
use time::Date;

/// A day that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Then {
    /// The day.
    pub day: Date,
    /// Its last microsecond (UTC).
    pub at: Instant,
    /// Version of the policies judged by at that moment; empty where nothing had been judged.
    pub policies: String,
    /// Version of the knowledge in use at that moment; empty where there was none.
    pub knowledge: String,
}

impl Then {
    /// The day a list is asked for, if it is not today's; and the same query with no day to be read but that.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for what is no day, a day to come, and one before how things stood was kept;
    /// [`Problem::Store`] when the store does not answer.
    pub async fn asked(
        store: &dyn Store,
        query: Query,
        now: Instant,
    ) -> Result<(Query, Option<Self>), Problem> {
        let today = now.date().unwrap_or(Date::MIN);
        let Some(day) = query.day("asof")? else {
            return Ok((query, None));
        };
        if day > today {
            let allowed =
                format!("a day until {today}: a list says what stood; Exposure judges a day to come");
            return Err(query::bad("asof", &day.to_string(), allowed));
        }
        if day == today {
            return Ok((query.but("asof"), None));
        }
        let at = end_of(day);
        let stood = store.stood(at).await?;
        if stood.since > at {
            let since = stood.since.date().map(|day| day.to_string()).unwrap_or_default();
            let allowed =
                format!("a day from {since} on: of those before this collector did not keep how lists stood");
            return Err(query::bad("asof", &day.to_string(), allowed));
        }
        let then = Self {
            day,
            at,
            policies: stood
                .judged_by
                .as_deref()
                .map(reconcile::policies_of)
                .unwrap_or_default()
                .to_owned(),
            knowledge: stood.knowledge.unwrap_or_default(),
        };
        Ok((query, Some(then)))
    }

    /// Until when the packs of that day saw sources: known of those in use alone.
    #[must_use]
    pub fn horizon(&self, policies: &Policies) -> String {
        match self.policies == policies.version() {
            true => policies.horizon(),
            false => "unknown".to_owned(),
        }
    }
}
