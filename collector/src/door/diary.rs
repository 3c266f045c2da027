//! What people look at and take away, in the audit log: written behind them, never in their way.
//!
//! Invariants: a page waits for nothing here; the queue is bounded, and what finds no room is
//! counted and told, in the log and in the audit log itself; who looks at the same thing again
//! within [`AGAIN`] writes no second row.

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
    seen: Mutex<HashMap<(String, &'static str, String), Instant>>,
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
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (by.person.clone(), action, subject.clone());
            let again = |last: &Instant| now.seconds_since(*last) < AGAIN.as_secs();
            if seen.get(&key).is_some_and(again) {
                return;
            }
            if seen.len() >= REMEMBERED {
                seen.retain(|_, last| again(last));
            }
            if seen.len() >= REMEMBERED {
                seen.clear();
            }
            seen.insert(key, now);
        }
        let subjects = (!subject.is_empty()).then_some(subject);
        self.note(by, action, subjects.into_iter().collect(), now);
    }

    /// Notes a failed sign-in, as long as they are not too many to be read.
    pub fn failure(&self, by: By, action: &'static str, subjects: Vec<String>) {
        if self.failures.check().is_ok() {
            self.note(by, action, subjects, (self.clock)());
        } else {
            self.drop_one();
        }
    }

    fn note(&self, by: By, action: &str, subjects: Vec<String>, at: Instant) {
        let deed = Deed {
            at,
            by,
            action: action.to_owned(),
            subjects,
        };
        if self.into.try_send(Entry::Deed(deed)).is_err() {
            self.drop_one();
        }
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
    pub async fn keep(&self, stop: CancellationToken) {
        let mut out = self.out.lock().await;
        let (mut entries, mut deeds) = (Vec::new(), Vec::new());
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
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
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
