//! How a refusal says when to come back, in the forms that providers use.

use crate::clock;

/// A form of a wait, each with a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// `retry-after` in seconds.
    Seconds,
    /// `retry-after` in seconds with a fraction.
    Fraction,
    /// `retry-after` as a date.
    Date,
    /// `retry-after-ms`.
    Millis,
    /// `x-ms-retry-after-ms`.
    AzureMillis,
    /// `x-ratelimit-reset-…` as a duration.
    Reset,
    /// `x-ratelimit-reset-…` in seconds since 1970.
    Epoch,
    /// Words in the error.
    Text,
    /// Google's `RetryInfo` in the error.
    Google,
    /// It says nothing.
    Nothing,
}

impl Wait {
    /// All forms.
    pub const ALL: [Self; 10] = [
        Self::Seconds,
        Self::Fraction,
        Self::Date,
        Self::Millis,
        Self::AzureMillis,
        Self::Reset,
        Self::Epoch,
        Self::Text,
        Self::Google,
        Self::Nothing,
    ];

    /// Its name in the text of a fault.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Fraction => "fraction",
            Self::Date => "date",
            Self::Millis => "ms",
            Self::AzureMillis => "azure",
            Self::Reset => "reset",
            Self::Epoch => "epoch",
            Self::Text => "text",
            Self::Google => "google",
            Self::Nothing => "none",
        }
    }

    /// The form of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wait| wait.name() == name)
    }

    /// The wait that it names, in milliseconds.
    #[must_use]
    pub const fn ms(self) -> Option<u64> {
        match self {
            Self::Seconds => Some(1000),
            Self::Fraction => Some(1500),
            Self::Date => Some(7000),
            Self::Millis => Some(1250),
            Self::AzureMillis => Some(1750),
            Self::Reset => Some(62_500),
            Self::Epoch => Some(9000),
            Self::Text => Some(122_500),
            Self::Google => Some(34_000),
            Self::Nothing => None,
        }
    }

    /// The headers, each with its end.
    pub(super) fn headers(self) -> String {
        let now_secs = clock::now_us() / 1_000_000;
        let date = http_date(now_secs);
        match self {
            Self::Seconds => "retry-after: 1\r\n".to_owned(),
            Self::Fraction => "retry-after: 1.5\r\n".to_owned(),
            Self::Date => {
                format!("date: {date}\r\nretry-after: {}\r\n", http_date(now_secs + 7))
            }
            Self::Millis => "retry-after-ms: 1250\r\n".to_owned(),
            Self::AzureMillis => "x-ms-retry-after-ms: 1750\r\n".to_owned(),
            Self::Reset => {
                "x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 1m2.5s\r\n\
                            x-ratelimit-remaining-requests: 9\r\nx-ratelimit-reset-requests: 2h\r\n"
                    .to_owned()
            }
            Self::Epoch => format!(
                "date: {date}\r\nx-ratelimit-remaining-requests: 0\r\n\
                 x-ratelimit-reset-requests: {}\r\n",
                now_secs + 9
            ),
            Self::Text | Self::Google | Self::Nothing => String::new(),
        }
    }

    /// The error, as JSON.
    pub(super) const fn body(self) -> &'static str {
        match self {
            Self::Text => {
                r#"{"error":{"message":"Rate limit reached for model. Please try again in 2m2.5s. Visit the console for more.","type":"tokens","code":"rate_limit_exceeded"}}"#
            }
            Self::Google => {
                r#"[{"error":{"code":429,"message":"Quota exceeded for this minute.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}]"#
            }
            Self::Seconds
            | Self::Fraction
            | Self::Date
            | Self::Millis
            | Self::AzureMillis
            | Self::Reset
            | Self::Epoch
            | Self::Nothing => {
                r#"{"error":{"message":"the stand-in was told to limit this call","type":"requests","code":"rate_limit_exceeded"}}"#
            }
        }
    }
}

/// A time as headers write it (RFC 9110 5.6.7).
fn http_date(secs: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [(&str, u64); 12] = [
        ("Jan", 31),
        ("Feb", 28),
        ("Mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("Dec", 31),
    ];
    let (days, clock) = (secs / 86_400, secs % 86_400);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let weekday = DAYS.get(usize::try_from(days % 7).unwrap_or(0)).copied().unwrap_or_default();
    let (mut year, mut left) = (1970, days);
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut name = "Dec";
    for (month, length) in MONTHS {
        let length = length + u64::from(month == "Feb" && is_leap(year));
        if left < length {
            name = month;
            break;
        }
        left -= length;
    }
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{weekday}, {:02} {name} {year} {hour:02}:{minute:02}:{second:02} GMT", left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_headers_write_them() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(1_709_251_199), "Thu, 29 Feb 2024 23:59:59 GMT");
        assert_eq!(http_date(1_795_262_400), "Sat, 21 Nov 2026 12:00:00 GMT");
        assert_eq!(http_date(1_798_761_599), "Thu, 31 Dec 2026 23:59:59 GMT");
    }

    #[test]
    fn every_form_has_a_name_and_a_time_of_its_own() {
        let mut times: Vec<_> = Wait::ALL.iter().map(|wait| wait.ms()).collect();
        times.sort_unstable();
        times.dedup();
        assert_eq!(times.len(), Wait::ALL.len());
        for wait in Wait::ALL {
            assert_eq!(Wait::named(wait.name()), Some(wait));
            assert!(wait.headers().is_empty() || wait.headers().ends_with("\r\n"));
            assert!(serde_json::from_str::<serde_json::Value>(wait.body()).is_ok());
        }
    }
}
