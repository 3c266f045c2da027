//! Speeds that are known beforehand, and where none is told.

use super::*;
use proptest::prelude::*;
use time::macros::date;

const TODAY: Date = date!(2026 - 11 - 25);

fn life(opened: Date, ended: Option<End>) -> Life {
    Life {
        rule: "R".to_owned(),
        deadline: "2027-12-31".parse().unwrap(),
        opened,
        ended,
    }
}

/// So many removals in each week before today, and so many that remain.
fn lives(weeks: &[u64], remaining: u64) -> Vec<Life> {
    let count = i64::try_from(weeks.len()).unwrap();
    let opened = TODAY - Duration::weeks(count);
    let removed = weeks.iter().zip((1..=count).rev()).flat_map(|(&removed, ago)| {
        let day = TODAY - Duration::weeks(ago) + Duration::days(3);
        (0..removed).map(move |_| life(opened, Some(End::Removed(day))))
    });
    let rest = (0..remaining).map(|_| life(opened, None));
    removed.chain(rest).collect()
}

fn burn_down(lives: Vec<Life>, as_of: Date) -> Vec<BurnDown> {
    let mut pace = Pace::new(as_of);
    lives.into_iter().for_each(|life| pace.take(life));
    pace.finish()
}

fn one(lives: Vec<Life>) -> BurnDown {
    let mut told = burn_down(lives, TODAY);
    assert_eq!(told.len(), 1);
    told.remove(0)
}

#[test]
fn a_steady_speed_is_found_and_carried_on() {
    let told = one(lives(&[2; 10], 40));
    assert_eq!((told.findings, told.removed, told.remaining), (60, 20, 40));
    assert_eq!(told.weeks, [2; 10]);
    let forecast = told.forecast.unwrap();
    assert_eq!((forecast.per_week, forecast.per_week_95), (2.0, [2.0, 2.0]));
    // 40 at 2 a week are 20 weeks.
    assert_eq!(forecast.done.as_deref(), Some("2027-04-14"));
    assert_eq!(forecast.needed_per_week, Some(0.7));
    assert_eq!(told.outlook, Outlook::InTime);
}

#[test]
fn what_is_uncertain_is_told_as_an_interval() {
    for (weeks, remaining, outlook) in [
        (vec![2, 0, 3, 1, 0, 5, 2, 0, 1, 2, 3, 1], 30, Outlook::InTime),
        (vec![2, 0, 3, 1, 0, 5, 2, 0, 1, 2, 3, 1], 95, Outlook::Open),
        (vec![2, 0, 3, 1, 0, 5, 2, 0, 1, 2, 3, 1], 400, Outlook::Late),
        // One large week among idle ones is no speed to count on.
        (vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 20, Outlook::Late),
        (vec![1; 7], 20, Outlook::TooFewPoints),
        (vec![1, 1, 1, 1, 0, 0, 0, 0, 0], 20, Outlook::TooFewPoints),
        (vec![3; 9], 0, Outlook::Done),
    ] {
        let told = one(lives(&weeks, remaining));
        assert_eq!(told.outlook, outlook, "{weeks:?} {remaining}: {told:?}");
        let few = matches!(outlook, Outlook::TooFewPoints | Outlook::Done);
        assert_eq!(told.forecast.is_none(), few, "{weeks:?}");
        if let Some(forecast) = told.forecast {
            let [low, high] = forecast.per_week_95;
            assert!(
                low <= forecast.per_week && forecast.per_week <= high,
                "{forecast:?}"
            );
        }
    }
    let burst = one(lives(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 20))
        .forecast
        .unwrap();
    assert_eq!(
        (burst.per_week, burst.done, burst.done_95[1].is_none()),
        (0.0, None, true)
    );
}

#[test]
fn a_slope_has_the_interval_of_sen() {
    // Ten points, 45 pairs; C = 1.96 √(10·9·25/18) = 21.9, so places 10.5 and 33.5 of the sorted slopes.
    let points: Vec<f64> = [0, 1, 3, 4, 4, 7, 8, 8, 9, 12].map(f64::from).to_vec();
    let (slope, low, high) = theil_sen(&points).unwrap();
    for (found, expected) in [(slope, 1.25), (low, 1.0), (high, 1.4)] {
        assert!((found - expected).abs() < 1e-9, "{slope} {low} {high}");
    }
    assert_eq!(theil_sen(&[1.0]), None);
    assert_eq!(theil_sen(&[]), None);
}

#[test]
fn only_what_is_gone_counts_as_removed() {
    let mut all = lives(&[1; 9], 5);
    let opened = TODAY - Duration::weeks(9);
    all.push(life(opened, Some(End::Otherwise)));
    // To come, as far as the day asked about knows.
    all.push(life(opened, Some(End::Removed(TODAY + Duration::days(1)))));
    all.push(life(TODAY + Duration::days(1), None));
    let told = one(all);
    assert_eq!((told.findings, told.removed, told.remaining), (15, 9, 6));
    let mut missed = lives(&[1; 9], 5);
    missed
        .iter_mut()
        .for_each(|life| life.deadline = "2026-10".parse().unwrap());
    let told = one(missed);
    assert_eq!(
        (told.outlook, told.deadline.as_str()),
        (Outlook::Missed, "2026-10")
    );
    assert_eq!(told.forecast.unwrap().needed_per_week, None);
}

proptest! {
    #[test]
    fn any_history_is_borne_in_any_order(weeks in prop::collection::vec(0..20u64, 0..70), remaining in 0..1_000u64) {
        let mut all = lives(&weeks, remaining);
        let told = burn_down(all.clone(), TODAY);
        all.reverse();
        prop_assert_eq!(&burn_down(all, TODAY), &told);
        for one in told {
            prop_assert_eq!(one.removed + one.remaining, one.findings);
            if let Some(forecast) = one.forecast {
                let [low, high] = forecast.per_week_95;
                prop_assert!(0.0 <= low && low <= forecast.per_week && forecast.per_week <= high);
                let [early, late] = forecast.done_95;
                prop_assert!(late.is_none() || early.is_some_and(|early| late.is_some_and(|late| early <= late)));
            }
        }
    }
}
