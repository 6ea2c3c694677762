//! What is left of a limit, as an answer's headers say it.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// What is left of a limit: so many requests at once, refilled evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The limit's name.
    pub name: &'static str,
    /// Most requests at once.
    pub most: u32,
    /// How long an empty limit takes to be full.
    pub window: Duration,
    /// Requests that would pass at once now.
    pub left: u32,
    /// How long until the limit is full again.
    pub full_in: Duration,
}

/// The headers that a page may read.
pub(super) const NAMES: &str =
    "ratelimit, ratelimit-policy, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset";

impl Allowance {
    /// Says it: as the draft of the IETF (`RateLimit`), and as programs have long read it
    /// (`X-RateLimit-*`). Times are seconds from now, rounded up.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let secs = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let Self { name, most, left, .. } = self;
        let (window, reset) = (secs(self.window), secs(self.full_in));
        let policy = format!("\"{name}\";q={most};w={window}");
        let state = format!("\"{name}\";r={left};t={reset}");
        for (name, text) in [
            (HeaderName::from_static("ratelimit-policy"), policy),
            (HeaderName::from_static("ratelimit"), state),
            (HeaderName::from_static("x-ratelimit-limit"), most.to_string()),
            (HeaderName::from_static("x-ratelimit-remaining"), left.to_string()),
            (HeaderName::from_static("x-ratelimit-reset"), reset.to_string()),
        ] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_said_as_the_draft_has_it_and_as_programs_read_it() {
        let (window, full_in) = (Duration::from_secs(20), Duration::from_millis(1100));
        let allowance = Allowance { name: "requests", most: 200, window, left: 189, full_in };
        let mut headers = HeaderMap::new();
        allowance.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"requests\";q=200;w=20");
        assert_eq!(headers["ratelimit"], "\"requests\";r=189;t=2");
        assert_eq!(headers["x-ratelimit-limit"], "200");
        assert_eq!(headers["x-ratelimit-remaining"], "189");
        assert_eq!(headers["x-ratelimit-reset"], "2");
    }
}
