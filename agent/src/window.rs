//! Times of the week at which an element is left alone.
//!
//! Pure: time comes in. Invariants: a window is open at its end; where windows
//! follow each other, the wait ends after the last of them.

use proto::v1;
use std::sync::Arc;
use std::time::Duration;

const MINUTES_A_DAY: u32 = 1440;
const DAY: i64 = 86_400;
/// 1970 began on a Thursday.
const FIRST_WEEKDAY: i64 = 3;
/// Windows of a plan on each day of more than a week.
const HOPS: usize = proto::plan::MAX_WINDOWS * 9;
/// Whoever waits longer waits for ever: everything here repeats each week.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Times at which one target or range is left alone; mostly none.
pub type Windows = Arc<[Window]>;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Bit 0 is Monday: the days on which it begins.
    days: u8,
    /// Seconds after local midnight.
    from: i64,
    /// Seconds.
    length: i64,
    /// Seconds that local time is ahead of UTC.
    offset: i64,
}

impl Window {
    /// From the wire; [`None`] when it is no window.
    #[must_use]
    pub fn read(window: &v1::Window) -> Option<Self> {
        let days = u8::try_from(window.days)
            .ok()
            .filter(|days| (1..128).contains(days))?;
        let minute = |minute: u32| (minute < MINUTES_A_DAY).then_some(i64::from(minute) * 60);
        let (from, to) = (minute(window.from_minute)?, minute(window.to_minute)?);
        let offset = i64::from(window.offset_minutes) * 60;
        Some(Self {
            days,
            from,
            length: if to > from { to - from } else { to - from + DAY },
            offset: (offset.abs() < DAY).then_some(offset)?,
        })
    }

    /// If it covers a time, when it ends; both in seconds since 1970.
    fn ends(&self, seconds: i64) -> Option<i64> {
        let local = seconds + self.offset;
        let today = local.div_euclid(DAY);
        [today - 1, today].into_iter().find_map(|day| {
            let weekday = (day + FIRST_WEEKDAY).rem_euclid(7);
            let begins = day * DAY + self.from;
            let covers = self.days >> weekday & 1 == 1 && (begins..begins + self.length).contains(&local);
            covers.then_some(begins + self.length - self.offset)
        })
    }
}

/// How long to leave alone what these windows are for; [`None`] if it may be asked now.
#[must_use]
pub fn wait(windows: &[Window], since_1970: Duration) -> Option<Duration> {
    let now = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX - 2 * DAY);
    let mut free = now;
    for _ in 0..HOPS {
        match windows.iter().filter_map(|window| window.ends(free)).max() {
            Some(end) => free = end,
            None => break,
        }
    }
    let seconds = u64::try_from(free - now).ok().filter(|wait| *wait > 0)?;
    Some(Duration::from_secs(seconds) - Duration::from_nanos(u64::from(since_1970.subsec_nanos())))
}

/// Whether they leave no time at all.
#[must_use]
pub fn never_ends(windows: &[Window]) -> bool {
    wait(windows, WEEK).is_some_and(|wait| wait >= WEEK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 4 January 2027, 00:00 UTC.
    const MONDAY: u64 = 1_799_020_800;

    fn window(days: u32, from: (u32, u32), to: (u32, u32), offset_minutes: i32) -> Window {
        let window = v1::Window {
            days,
            from_minute: from.0 * 60 + from.1,
            to_minute: to.0 * 60 + to.1,
            offset_minutes,
        };
        Window::read(&window).unwrap()
    }

    /// Minutes to wait, on a day of that week and a time.
    fn minutes(windows: &[Window], (day, hour, minute): (u64, u64, u64)) -> Option<u64> {
        let now = MONDAY + day * 86_400 + hour * 3600 + minute * 60;
        wait(windows, Duration::from_secs(now)).map(|wait| wait.as_secs() / 60)
    }

    #[test]
    fn a_window_is_closed_from_its_first_minute_and_open_at_its_end() {
        let monday_night = window(1, (22, 0), (4, 0), 0);
        let workdays = window(0b1_1111, (8, 0), (18, 0), 0);
        let all_sunday = window(1 << 6, (0, 0), (0, 0), 0);
        let ahead = window(1, (1, 0), (3, 0), 120);
        let behind = window(1, (23, 0), (23, 30), -300);
        for (windows, at, expected) in [
            (&[monday_night][..], (0, 21, 59), None),
            (&[monday_night], (0, 22, 0), Some(360)),
            (&[monday_night], (1, 3, 59), Some(1)),
            (&[monday_night], (1, 4, 0), None),
            (&[monday_night], (1, 22, 0), None),
            (&[monday_night], (0, 3, 0), None),
            (&[workdays], (4, 8, 0), Some(600)),
            (&[workdays], (5, 8, 0), None),
            (&[all_sunday], (6, 0, 0), Some(1440)),
            (&[all_sunday], (6, 23, 59), Some(1)),
            (&[all_sunday], (7, 0, 0), None),
            // 01:00 at two hours ahead is 23:00 of the Sunday before in UTC.
            (&[ahead], (6, 23, 0), Some(120)),
            (&[ahead], (0, 1, 0), None),
            (&[behind], (1, 4, 0), Some(30)),
            (&[behind], (0, 23, 0), None),
            // One after the other, and at the same time.
            (
                &[monday_night, window(2, (4, 0), (5, 0), 0)],
                (0, 22, 0),
                Some(420),
            ),
            (&[workdays, window(1, (9, 0), (10, 0), 0)], (0, 9, 30), Some(510)),
            (&[], (0, 0, 0), None),
        ] {
            assert_eq!(minutes(windows, at), expected, "{at:?}");
        }
        let half = Duration::from_millis(MONDAY * 1000 + 22 * 3_600_000 + 500);
        assert_eq!(
            wait(&[monday_night], half).unwrap().as_millis(),
            6 * 3_600_000 - 500
        );
    }

    #[test]
    fn windows_without_an_end_are_seen() {
        let (half, other) = (window(127, (0, 0), (12, 0), 0), window(127, (12, 0), (0, 0), 0));
        assert!(never_ends(&[half, other]));
        assert!(never_ends(&[window(127, (6, 0), (6, 0), 0)]));
        assert!(!never_ends(&[half]) && !never_ends(&[]));
        assert!(!never_ends(&[half, window(63, (12, 0), (0, 0), 0)]));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        let good = v1::Window {
            days: 127,
            from_minute: 1439,
            to_minute: 0,
            offset_minutes: -1439,
        };
        assert!(Window::read(&good).is_some());
        for bad in [
            v1::Window { days: 0, ..good },
            v1::Window { days: 128, ..good },
            v1::Window {
                from_minute: 1440,
                ..good
            },
            v1::Window {
                to_minute: u32::MAX,
                ..good
            },
            v1::Window {
                offset_minutes: 1440,
                ..good
            },
            v1::Window {
                offset_minutes: i32::MIN,
                ..good
            },
        ] {
            assert_eq!(Window::read(&bad), None, "{bad:?}");
        }
    }
}
