//! Months of UTC: budgets and grants begin anew with each.

use serde::{Deserialize, Serialize};
use std::fmt;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A month, counted from January of the year 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Month(u64);

impl Month {
    /// The month of a time, in milliseconds since 1970. Days to years as by Howard Hinnant's
    /// `civil_from_days`: years begin in March, so that the leap day is their last.
    pub(crate) const fn of_ms(ms: u64) -> Self {
        let days = ms / DAY_MS + 719_468;
        let era = days / 146_097;
        let day = days % 146_097;
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        // Counted from March of the year 0, which is month 2.
        Self((era * 400 + year) * 12 + month + 2)
    }

    /// When it ends, in milliseconds since 1970.
    pub(crate) const fn end_ms(self) -> u64 {
        let march = self.0 - 1; // of the month after it
        let (year, month) = (march / 12, march % 12);
        let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5;
        (days - 719_468) * DAY_MS
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_month_and_a_month_ends_where_the_next_begins() {
        for (ms, name, end_ms) in [
            (0, "1970-01", 2_678_400_000),
            (2_678_399_999, "1970-01", 2_678_400_000),
            (2_678_400_000, "1970-02", 5_097_600_000),
            (951_782_400_000, "2000-02", 951_868_800_000), // the 29th
            (1_709_164_800_000, "2024-02", 1_709_251_200_000),
            (1_767_225_599_999, "2025-12", 1_767_225_600_000),
            (1_795_268_444_006, "2026-11", 1_796_083_200_000),
        ] {
            let month = Month::of_ms(ms);
            assert_eq!((month.to_string().as_str(), month.end_ms()), (name, end_ms), "{ms}");
        }
    }

    #[test]
    fn months_follow_each_other_for_two_centuries() {
        let mut month = Month::of_ms(0);
        for number in 0..2400 {
            let next = Month::of_ms(month.end_ms());
            assert_eq!(Month::of_ms(month.end_ms() - 1), month, "{number}");
            assert_eq!(next.0, month.0 + 1, "{number}");
            month = next;
        }
    }
}
