//! A point in time, passed in and never read from a clock here.

use serde::{Deserialize, Serialize};
use std::fmt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instant(pub i64);

impl Instant {
    /// From a date and time of the `time` crate; sub-microsecond digits are dropped.
    #[must_use]
    pub fn from_datetime(at: OffsetDateTime) -> Self {
        Self(i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX))
    }

    /// As a UTC date and time; `None` outside the years the calendar can show.
    #[must_use]
    pub fn to_datetime(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).ok()
    }

    /// The UTC calendar day.
    #[must_use]
    pub fn date(self) -> Option<time::Date> {
        self.to_datetime().map(OffsetDateTime::date)
    }

    /// Seconds from `earlier` to this instant; 0 when `earlier` lies later.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0) / 1_000_000).unwrap_or(0)
    }
}

impl fmt::Display for Instant {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_datetime().and_then(|at| at.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} µs", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_as_rfc_3339() {
        assert_eq!(Instant(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Instant(i64::MAX).to_string(), format!("{} µs", i64::MAX));
    }

    #[test]
    fn seconds_since_never_goes_below_zero() {
        assert_eq!(Instant(5_000_000).seconds_since(Instant(2_000_000)), 3);
        assert_eq!(Instant(2).seconds_since(Instant(5_000_000)), 0);
    }
}
