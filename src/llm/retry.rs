//! How long a provider asks to wait, in the forms that providers use. Pure: a date is read against
//! the `Date` of the same answer, so that no clock of ours can be wrong about it; where it has none,
//! against the time that is passed in.
//!
//! Headers, in this order: `retry-after-ms`, `x-ms-retry-after-ms`, `Retry-After` (seconds or a
//! date), `x-ratelimit-reset-…` of each dimension with nothing left (seconds, seconds or
//! milliseconds since 1970, or a Go duration such as `6m0s`). Then the body: Google's `RetryInfo`,
//! then "try again in 5.289s" and the like in its text.

use http::{HeaderMap, header};
use serde_json::Value;
use std::time::Duration;

/// What "now" becomes, in milliseconds: an immediate repeat meets the same limit.
const HINT_MS_MIN: u64 = 250;
/// Longest wait believed, in milliseconds: one day.
const HINT_MS_MAX: u64 = 24 * 3600 * 1000;
/// A number of seconds above this is a time since 1970.
const EPOCH_SECS_MIN: f64 = 1e9;
/// A number above this is a time since 1970 in milliseconds.
const EPOCH_MS_MIN: f64 = 1e11;
/// Dimensions that providers count, as their headers end; the wait is the longest of those that
/// are used up. Some have one alone, without a name.
const DIMENSIONS: [&str; 7] = [
    "",
    "-requests",
    "-tokens",
    "-requests-minute",
    "-tokens-minute",
    "-requests-day",
    "-tokens-day",
];
/// What stands before a wait in a message.
const PHRASES: [&str; 3] = ["try again in ", "retry in ", "retry after "];

/// The wait in milliseconds that the headers name; none: they say nothing that makes sense.
pub(super) fn hint(headers: &HeaderMap, our_secs: u64) -> Option<u64> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let now_secs = value(header::DATE.as_str()).and_then(http_date).unwrap_or(our_secs);
    let millis = |name| value(name)?.parse::<f64>().ok().and_then(|ms| duration(ms / 1000.0));
    let retry_after = || {
        let wait = value(header::RETRY_AFTER.as_str())?;
        seconds(wait, now_secs).or_else(|| Some(until(http_date(wait)?, now_secs)))
    };
    let used_up = |dimension: &&str| {
        let left = value(&format!("x-ratelimit-remaining{dimension}"));
        left.and_then(|left| left.parse::<f64>().ok()).is_some_and(|left| left <= 0.0)
    };
    let of = |dimension| reset(headers, dimension, our_secs);
    let waits = || DIMENSIONS.into_iter().filter(used_up).filter_map(of).max();
    millis("retry-after-ms")
        .or_else(|| millis("x-ms-retry-after-ms"))
        .or_else(retry_after)
        .or_else(waits)
        .map(whole_ms)
}

/// When all of a limit is there again, as its header says.
pub(super) fn reset(headers: &HeaderMap, dimension: &str, our_secs: u64) -> Option<Duration> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let now_secs = value(header::DATE.as_str()).and_then(http_date).unwrap_or(our_secs);
    let reset = value(&format!("x-ratelimit-reset{dimension}"))?;
    seconds(reset, now_secs).or_else(|| go_duration(reset))
}

/// The wait in milliseconds of a `RetryInfo` among the details of Google's errors.
pub(super) fn hint_in_details(details: &Value) -> Option<u64> {
    let delay = |detail: &Value| go_duration(detail.get("retryDelay")?.as_str()?);
    details.as_array()?.iter().find_map(delay).map(whole_ms)
}

/// The wait in milliseconds that a message names.
pub(super) fn hint_in_text(text: &str) -> Option<u64> {
    let tail = PHRASES.iter().find_map(|phrase| text.split_once(phrase))?.1;
    let mut words = tail.split_whitespace();
    let wait = words.next()?.trim_end_matches(['.', ',', ')', ';']);
    let mut in_words = || {
        let number: f64 = wait.parse().ok()?;
        let unit = words.next()?;
        let units = [("second", 1.0), ("minute", 60.0), ("hour", 3600.0)];
        let secs = units.iter().find(|(name, _)| unit.starts_with(name))?.1;
        duration(number * secs)
    };
    go_duration(wait).or_else(&mut in_words).map(whole_ms)
}

fn whole_ms(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(HINT_MS_MAX).clamp(HINT_MS_MIN, HINT_MS_MAX)
}

/// Seconds from now, or since 1970. Azure says -1 where it does not know.
fn seconds(text: &str, now_secs: u64) -> Option<Duration> {
    let number = text.parse::<f64>().ok()?;
    let secs = if number < EPOCH_MS_MIN { number } else { number / 1000.0 };
    if secs < EPOCH_SECS_MIN {
        return duration(secs);
    }
    Some(until(duration(secs)?.as_secs(), now_secs))
}

const fn until(then_secs: u64, now_secs: u64) -> Duration {
    Duration::from_secs(then_secs.saturating_sub(now_secs))
}

fn duration(secs: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(secs).ok()
}

/// `1h2m3.5s`, `250ms`: a number and a unit, at least once.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut secs = 0.0;
    while !rest.is_empty() {
        let (number, tail) =
            rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic() || c == 'µ')?);
        let unit_len = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let unit_secs = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        secs += number.parse::<f64>().ok()? * unit_secs;
        rest = tail;
    }
    if text.is_empty() { None } else { duration(secs) }
}

/// Seconds since 1970 of an HTTP date in the one form that senders may use (RFC 9110 5.6.7).
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut fields = text.split_once(", ")?.1.split(' ');
    let mut field = || fields.next();
    let day: u64 = field()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let name = field()?;
    let month = (0..).zip(MONTHS).find(|(_, month)| *month == name)?.0;
    let year: u64 = field()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut clock = field()?.split(':').map(|part| part.parse::<u64>().ok().filter(|n| *n <= 60));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days since 1970 of a date; `month` counts from 0, `year` from 1970.
fn days(year: u64, month: u64, day: u64) -> u64 {
    // Counted from March on, a leap day is the last day of its year.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days_before_month = (153 * month + 2) / 5;
    year * 365 + leap_days + days_before_month + day - 1 - DAYS_BEFORE_1970
}

/// Days from March of year 0 to January 1970.
const DAYS_BEFORE_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    /// Noon of the day that the examples play on.
    const DATE: &str = "Sat, 21 Nov 2026 12:00:00 GMT";
    const DATE_SECS: u64 = 1_795_262_400;

    #[test]
    fn every_form_of_a_wait_is_understood() {
        let epoch = (DATE_SECS + 30).to_string();
        let epoch_ms = format!("{epoch}500");
        type Headers<'a> = &'a [(&'static str, &'a str)];
        let cases: [(Headers<'_>, Option<u64>); 18] = [
            (&[("retry-after-ms", "1500")], Some(1500)),
            (&[("x-ms-retry-after-ms", "700")], Some(700)),
            (&[("retry-after", "20")], Some(20_000)),
            (&[("retry-after", "1.5")], Some(1500)),
            (&[("retry-after", "Sat, 21 Nov 2026 12:01:30 GMT"), ("date", DATE)], Some(90_000)),
            (&[("retry-after", "Sat, 21 Nov 2026 11:00:00 GMT"), ("date", DATE)], Some(250)),
            (&[("retry-after", "Sat, 21 Nov 2026 12:01:30 GMT")], Some(30_000)),
            (&[("retry-after", &epoch), ("date", DATE)], Some(30_000)),
            (&[("retry-after", "0")], Some(250)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "99999999")], Some(HINT_MS_MAX)),
            (&[("retry-after-ms", "300"), ("retry-after", "20")], Some(300)),
            (
                &[
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "6m0s"),
                    ("x-ratelimit-remaining-tokens", "12"),
                    ("x-ratelimit-reset-tokens", "1h"),
                ],
                Some(360_000),
            ),
            (
                &[
                    ("x-ratelimit-remaining-tokens-minute", "0"),
                    ("x-ratelimit-reset-tokens-minute", "7.66"),
                ],
                Some(7660),
            ),
            (&[("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-reset-tokens", "9s")], None),
            (
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &epoch_ms), ("date", DATE)],
                Some(30_000),
            ),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "12")], Some(12_000)),
        ];

        for (headers, expected) in cases {
            let headers = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            assert_eq!(hint(&headers, DATE_SECS + 60), expected, "of {headers:?}");
        }
    }

    #[test]
    fn a_wait_is_found_in_the_text() {
        let cases = [
            ("Rate limit reached. Please try again in 5.289s. Visit …", Some(5289)),
            ("Please try again in 6m30s.", Some(390_000)),
            ("Please try again in 20 seconds.", Some(20_000)),
            ("Please try again in 120ms", Some(250)),
            ("Please try again in 1m2.5s.", Some(62_500)),
            ("Please try again in 20 minutes.", Some(1_200_000)),
            ("Please retry in 34.074824224s.", Some(34_074)),
            ("Please retry after 26 seconds.", Some(26_000)),
            ("Please retry after a while.", None),
            ("Please try again in 20 days.", None),
            ("Please try again later", None),
            ("try again in ", None),
        ];

        for (text, expected) in cases {
            assert_eq!(hint_in_text(text), expected, "of {text:?}");
        }
    }

    #[test]
    fn dates_become_seconds() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(http_date("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        assert_eq!(http_date(DATE), Some(DATE_SECS));
        for wrong in
            ["", "Sun, 06 Nov", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT"]
        {
            assert_eq!(http_date(wrong), None, "of {wrong:?}");
        }
    }

    #[test]
    fn durations_of_go_are_understood() {
        assert_eq!(go_duration("1h2m3.5s"), Some(Duration::from_millis(3_723_500)));
        assert_eq!(go_duration("250ms"), Some(Duration::from_millis(250)));
        for wrong in ["", "5", "s", "5x", "1h2", "-"] {
            assert_eq!(go_duration(wrong), None, "of {wrong:?}");
        }
    }
}
