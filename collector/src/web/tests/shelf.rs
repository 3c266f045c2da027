//! What pages count is read once, however many ask.

use super::*;
use crate::api::Problem;
use crate::web::shelf::Shelf;
use futures_util::future::{join, join_all};
use futures_util::{FutureExt as _, poll};
use std::pin::pin;
use std::sync::atomic::AtomicU32;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Something that is read through a gate.
#[derive(Default)]
struct Read {
    shelf: Shelf<u8, u32>,
    times: AtomicU32,
    gate: Gate,
}

struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Read {
    async fn ask(&self, web: &Web) -> Result<Arc<crate::web::shelf::Kept<u32>>, Problem> {
        let read = async {
            let number = self.times.fetch_add(1, Ordering::Relaxed) + 1;
            self.gate.0.acquire().await.unwrap().forget();
            Ok(number)
        };
        self.shelf.get(web, 0, Duration::ZERO, read).await
    }
}

#[tokio::test]
async fn one_reads_and_the_others_wait_for_it() {
    let (_, web) = House::web(true);
    let read = Read::default();
    let all = join_all((0..8).map(|_| read.ask(&web)));
    let (all, ()) = join(all, async { read.gate.0.add_permits(9) }).await;
    let told: Vec<_> = all.into_iter().map(|kept| kept.unwrap().told).collect();
    assert_eq!(told, [1; 8]);
    assert_eq!(read.times.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn while_it_is_read_anew_the_last_reading_is_told_with_its_age() {
    let (store, web) = House::web(true);
    let read = Read::default();
    read.gate.0.add_permits(1);
    let first = read.ask(&web).await.unwrap();
    assert_eq!(
        read.ask(&web).await.unwrap().told,
        1,
        "nothing was committed since"
    );
    store.revision.send_modify(|revision| *revision += 1);
    let mut anew = pin!(read.ask(&web));
    assert!(poll!(anew.as_mut()).is_pending());
    let meanwhile = read.ask(&web).now_or_never().expect("waits for nobody").unwrap();
    assert_eq!(
        (meanwhile.told, meanwhile.revision, meanwhile.at),
        (1, first.revision, NOW)
    );
    read.gate.0.add_permits(1);
    let anew = anew.await.unwrap();
    assert_eq!((anew.told, anew.revision), (2, first.revision + 1));
    assert_eq!(read.times.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn who_goes_away_or_fails_holds_nobody_up() {
    let (_, web) = House::web(true);
    let read = Read::default();
    {
        let mut gone = pin!(read.ask(&web));
        assert!(poll!(gone.as_mut()).is_pending());
    }
    let fails = async { Err(Problem::Busy) };
    assert!(read.shelf.get(&web, 0, Duration::ZERO, fails).await.is_err());
    read.gate.0.add_permits(1);
    assert_eq!(
        read.ask(&web).await.unwrap().told,
        2,
        "nothing was kept of either"
    );
}

#[tokio::test]
async fn many_screens_cost_the_store_one_reading() {
    let house = House::new();
    for (path, times) in [("/", &house.store.at_hand), ("/map", &house.store.standings)] {
        let answers = join_all((0..6).map(|_| house.get(path))).await;
        assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
        assert_eq!(times.load(Ordering::Relaxed), 1, "{path}");
        assert!(answers[0].body.contains("Counted <time"), "{path} says when");
    }
}
