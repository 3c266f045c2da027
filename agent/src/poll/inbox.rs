//! Datagrams that wait for one conversation: a channel of few places, made for every round
//! with every element and so as cheap as it can be.
//!
//! Invariants: it holds [`PLACES`] datagrams at most; who reads it is woken by each that
//! came and by its end.

use prost::bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Answers that may wait for one element: one is expected, a few may be late.
const PLACES: usize = 8;

/// Datagrams that wait for one conversation.
#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Bytes>,
    reader: Option<Waker>,
    closed: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one in; says whether there was room.
    pub(super) fn put(&self, datagram: Bytes) -> bool {
        let mut state = self.lock();
        let room = !state.closed && state.waiting.len() < PLACES;
        if room {
            state.waiting.push_back(datagram);
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        room
    }

    /// From now on nothing comes any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The next one, if it came already.
    pub(super) fn take(&self) -> Option<Bytes> {
        self.lock().waiting.pop_front()
    }

    /// The next one; [`None`] after the end. One reader at a time; safe to cancel.
    pub(super) async fn next(&self) -> Option<Bytes> {
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            match state.waiting.pop_front() {
                None if !state.closed => {
                    state.reader = Some(context.waker().clone());
                    Poll::Pending
                }
                datagram => Poll::Ready(datagram),
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn few_wait_in_order_and_the_end_is_told() {
        let inbox = std::sync::Arc::new(Inbox::default());
        let put = |n: u8| inbox.put(Bytes::from(vec![n]));
        assert_eq!((0..10).filter(|n| put(*n)).count(), PLACES);
        for n in 0..8 {
            assert_eq!(inbox.next().await.as_deref(), Some(&[n][..]));
        }
        assert_eq!(inbox.take(), None);
        let reader = tokio::spawn({
            let inbox = std::sync::Arc::clone(&inbox);
            async move { (inbox.next().await, inbox.next().await) }
        });
        tokio::task::yield_now().await;
        assert!(put(9));
        tokio::task::yield_now().await;
        inbox.close();
        assert_eq!(reader.await.unwrap(), (Some(Bytes::from_static(&[9])), None));
        assert!(!put(1), "nobody reads it any more");
    }
}
