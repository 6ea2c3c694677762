//! Times of day in UTC, for people and for REST.

use std::fmt;

/// A moment in UTC, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Utc {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
    pub(crate) milli: u64,
}

impl Utc {
    /// The moment so many milliseconds after 1970 began. From days to dates as in Howard
    /// Hinnant's `civil_from_days`.
    pub(crate) const fn of_ms(ms: u64) -> Self {
        let (secs, days) = (ms / 1000 % 86_400, ms / 86_400_000 + 719_468);
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153; // months since March
        let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
        Self {
            year: era * 400 + year_of_era + if month <= 2 { 1 } else { 0 },
            month,
            day,
            hour: secs / 3600,
            minute: secs / 60 % 60,
            second: secs % 60,
            milli: ms % 1000,
        }
    }

    /// RFC 3339 to the second.
    pub(crate) fn to_seconds(self) -> String {
        let Self { year, month, day, hour, minute, second, .. } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// RFC 3339 to the millisecond.
impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to_seconds = self.to_seconds();
        write!(f, "{}.{:03}Z", to_seconds.trim_end_matches('Z'), self.milli)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_583_020_799, "2020-02-29T23:59:59Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Utc::of_ms(secs * 1000 + 999).to_seconds(), text);
        }
        assert_eq!(Utc::of_ms(1_007).to_string(), "1970-01-01T00:00:01.007Z");
    }
}
