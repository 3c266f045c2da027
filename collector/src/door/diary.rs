//! What people look at and take away, in the audit log: written behind them, never in their way.
//!
//! Invariants: a page waits for nothing here; the queue is bounded, and what finds no room is
//! counted and told, in the log and in the audit log itself; who looks at the same thing again
//! from the same address within [`AGAIN`] writes no second row, if the first found room; what
//! waits at a stop is written before the end.

use crate::admin::chain;
use governor::clock::DefaultClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use model::Instant;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::Accounts;
use store::accounts::{By, Deed};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Rows that may wait.
const WAITING: usize = 4_096;
/// Rows of one transaction.
const TOGETHER: usize = 512;
/// After a failure of the store, the next try.
const PAUSE: Duration = Duration::from_secs(2);
/// At the end it tries so often, …
const LAST_TRIES: u32 = 5;
/// … so long after each other.
const LAST_PAUSE: Duration = Duration::from_millis(300);
/// Who looks at the same thing again within this looks on.
pub const AGAIN: Duration = Duration::from_secs(3_600);
/// Sights remembered for that.
const REMEMBERED: usize = 20_000;
/// Rows of failed sign-ins: so many at once, then one a second.
const FAILURES: u32 = 100;

/// What is written down.
enum Entry {
    /// A row of the audit log.
    Deed(Deed),
    /// That a session is used.
    Session(Uuid, Instant),
    /// That a token is used.
    Token(Uuid, Instant),
}

/// The audit log as pages write it, and what is used.
pub struct Diary {
    store: Arc<dyn Accounts>,
    clock: fn() -> Instant,
    into: mpsc::Sender<Entry>,
    out: tokio::sync::Mutex<mpsc::Receiver<Entry>>,
    dropped: AtomicU64,
    seen: Mutex<HashMap<(By, &'static str, String), Instant>>,
    failures: RateLimiter<NotKeyed, InMemoryState, DefaultClock, NoOpMiddleware>,
}

impl Diary {
    /// A diary in this store.
    #[must_use]
    pub fn new(store: Arc<dyn Accounts>, clock: fn() -> Instant) -> Self {
        let (into, out) = mpsc::channel(WAITING);
        let failures = NonZeroU32::new(FAILURES).unwrap_or(NonZeroU32::MIN);
        Self {
            store,
            clock,
            into,
            out: tokio::sync::Mutex::new(out),
            dropped: AtomicU64::new(0),
            seen: Mutex::default(),
            failures: RateLimiter::direct(Quota::per_second(NonZeroU32::MIN).allow_burst(failures)),
        }
    }

    /// Notes that somebody saw or took something.
    pub fn saw(&self, by: By, action: &'static str, subject: &str) {
        let subject: String = subject.chars().take(300).collect();
        let now = (self.clock)();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (by.clone(), action, subject.clone());
        let again = |last: &Instant| now.seconds_since(*last) < AGAIN.as_secs();
        if seen.get(&key).is_some_and(again) {
            return;
        }
        let subjects = (!subject.is_empty()).then_some(subject);
        if !self.note(by, action, subjects.into_iter().collect(), now) {
            // What found no room is not written: the next look is the first again.
            return;
        }
        if seen.len() >= REMEMBERED {
            seen.retain(|_, last| again(last));
        }
        if seen.len() >= REMEMBERED {
            let mut times: Vec<Instant> = seen.values().copied().collect();
            let (_, middle, _) = times.select_nth_unstable(REMEMBERED / 2);
            let middle = *middle;
            seen.retain(|_, last| *last > middle);
        }
        seen.insert(key, now);
    }

    /// Notes a failed sign-in, as long as they are not too many to be read.
    pub fn failure(&self, by: By, action: &'static str, subjects: Vec<String>) {
        if self.failures.check().is_ok() {
            self.note(by, action, subjects, (self.clock)());
        } else {
            self.drop_one();
        }
    }

    /// Whether there was room.
    fn note(&self, by: By, action: &str, subjects: Vec<String>, at: Instant) -> bool {
        let deed = Deed {
            at,
            by,
            action: action.to_owned(),
            subjects,
        };
        let taken = self.into.try_send(Entry::Deed(deed)).is_ok();
        if !taken {
            self.drop_one();
        }
        taken
    }

    /// Notes that a session is used; where there is no room, its next request does.
    pub fn session_used(&self, session: Uuid) {
        let _room = self.into.try_send(Entry::Session(session, (self.clock)()));
    }

    /// Notes that a token is used; where there is no room, its next request does.
    pub fn token_used(&self, token: Uuid) {
        let _room = self.into.try_send(Entry::Token(token, (self.clock)()));
    }

    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("marque_collector_audit_dropped_total").increment(1);
    }

    /// Writes what waits until `stop`, and then what is left.
    /// `stop` comes once nobody writes into it any more.
    pub async fn keep(&self, stop: CancellationToken) {
        let mut out = self.out.lock().await;
        let (mut entries, mut deeds) = (Vec::new(), Vec::new());
        let mut tries = LAST_TRIES;
        loop {
            tokio::select! {
                biased;
                _ = out.recv_many(&mut entries, TOGETHER) => {}
                () = stop.cancelled() => break,
            }
            let mut used = Vec::new();
            for entry in entries.drain(..) {
                match entry {
                    Entry::Deed(deed) => deeds.push(deed),
                    other => used.push(other),
                }
            }
            self.touch(used).await;
            while !self.write(&mut deeds).await {
                if stop.is_cancelled() {
                    tries -= 1;
                    if tries == 0 {
                        let lost = deeds.len() + out.len();
                        tracing::error!(audit.lost = lost, "audit log not written before the end");
                        return;
                    }
                    tokio::time::sleep(LAST_PAUSE).await;
                    continue;
                }
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
        // What was dropped since the last row.
        self.write(&mut deeds).await;
    }

    /// A use that cannot be written is written with a later one.
    async fn touch(&self, used: Vec<Entry>) {
        for entry in used {
            let done = match entry {
                Entry::Session(session, at) => self.store.touch_session(session, at).await,
                Entry::Token(token, at) => self.store.touch_token(token, at).await,
                Entry::Deed(_) => Ok(()),
            };
            if let Err(error) = done {
                tracing::warn!(error = chain(&error), "use of a session or token not written");
            }
        }
    }

    /// Whether they are on disk.
    async fn write(&self, deeds: &mut Vec<Deed>) -> bool {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(audit.dropped = dropped, "audit log had no room");
            deeds.push(Deed {
                at: (self.clock)(),
                by: By {
                    person: "collector".to_owned(),
                    from: "diary".to_owned(),
                },
                action: "rows_dropped".to_owned(),
                subjects: vec![dropped.to_string()],
            });
        }
        if deeds.is_empty() {
            return true;
        }
        match self.store.record(deeds).await {
            Ok(()) => {
                deeds.clear();
                true
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "audit log not written");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::SqliteStore;
    use store::acts::{Acts as _, AuditFilter};

    fn clock() -> Instant {
        Instant(1_000_000)
    }

    fn by(from: &str) -> By {
        By {
            person: "Ada".to_owned(),
            from: from.to_owned(),
        }
    }

    async fn diary(folder: &tempfile::TempDir) -> (Arc<SqliteStore>, Diary) {
        let store = Arc::new(SqliteStore::open(&folder.path().join("diary.db")).await.unwrap());
        (store.clone(), Diary::new(store, clock))
    }

    async fn written(store: &SqliteStore, subject: &str) -> usize {
        let filter = AuditFilter {
            subjects: vec![subject.to_owned()],
            ..AuditFilter::default()
        };
        store.audit_log(&filter).await.unwrap().rows.len()
    }

    #[tokio::test]
    async fn what_found_no_room_is_written_at_the_next_look_and_what_waits_at_the_end_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (store, diary) = diary(&folder).await;
        for n in 0..=WAITING {
            diary.saw(by("here"), "saw_element", &format!("/{n}"));
        }
        diary.saw(by("here"), "saw_element", "/0");
        let stop = CancellationToken::new();
        stop.cancel();
        diary.keep(stop.clone()).await;
        let (last, none) = (format!("/{}", WAITING - 1), format!("/{WAITING}"));
        for (subject, rows) in [("/0", 1), (&*last, 1), (&*none, 0), ("1", 1)] {
            assert_eq!(written(&store, subject).await, rows, "{subject}");
        }
        diary.saw(by("here"), "saw_element", &none);
        diary.saw(by("elsewhere"), "saw_element", "/0");
        diary.keep(stop).await;
        assert_eq!(
            (written(&store, &none).await, written(&store, "/0").await),
            (1, 2)
        );
    }
}
