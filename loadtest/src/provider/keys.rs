//! What the stand-in's keys may do: whose they are, and what their organisation has left.

use crate::clock;
use serde_json::json;
use std::{collections::BTreeMap, str::FromStr};

/// All that a key can be, as text, for people.
pub const HELP: &str = "\
Keys: KEY=WHAT, several of WHAT with a comma in between. Other keys may do anything.
  org:NAME            whose key it is; errors and answers name it
  requests:N/SECS     the organisation's calls of one model: N at once, filled again in SECS
  silent              answers tell nothing of what is left
  invalid             refused with 401, also for the list of models
  exhausted           refused with 402";

/// What one key may do. [`HELP`] has the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRule {
    key: String,
    org: String,
    limit: Option<Limit>,
    is_silent: bool,
    refusal: Option<Refused>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    requests: u64,
    secs: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Invalid,
    Exhausted,
}

/// Why a text is no rule of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no key\n{HELP}")]
pub struct KeyError(String);

impl FromStr for KeyRule {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let error = || KeyError(text.to_owned());
        let (key, words) = text.split_once('=').ok_or_else(error)?;
        let mut rule = Self {
            key: key.to_owned(),
            org: format!("org_{key}"),
            limit: None,
            is_silent: false,
            refusal: None,
        };
        for word in words.split(',') {
            match word.split_once(':') {
                Some(("org", name)) => name.clone_into(&mut rule.org),
                Some(("requests", limit)) => {
                    rule.limit = Some(Limit::read(limit).ok_or_else(error)?);
                }
                None if word == "silent" => rule.is_silent = true,
                None if word == "invalid" => rule.refusal = Some(Refused::Invalid),
                None if word == "exhausted" => rule.refusal = Some(Refused::Exhausted),
                Some(_) | None => return Err(error()),
            }
        }
        Ok(rule)
    }
}

impl Limit {
    fn read(text: &str) -> Option<Self> {
        let (requests, secs) = text.split_once('/')?;
        let limit = Self { requests: requests.parse().ok()?, secs: secs.parse().ok()? };
        (limit.requests > 0 && limit.secs > 0).then_some(limit)
    }

    fn us_per_request(self) -> u64 {
        self.secs * 1_000_000 / self.requests
    }
}

/// What a key comes to in one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Headers of whatever is answered, each with its end.
    pub(super) headers: String,
    /// Status and body of a refusal; none: the call is served.
    pub(super) refusal: Option<(&'static str, String)>,
    /// How long it asks to wait, in milliseconds.
    pub(super) wait_ms: Option<u64>,
}

/// All keys, and what each organisation used of each model.
#[derive(Debug, Default)]
pub(super) struct Keys {
    rules: BTreeMap<String, KeyRule>,
    /// When all of it is there again, in microseconds since 1970.
    full_us: BTreeMap<(String, String), u64>,
}

impl Keys {
    pub(super) fn new(rules: impl IntoIterator<Item = KeyRule>) -> Self {
        let rules = rules.into_iter().map(|rule| (rule.key.clone(), rule)).collect();
        Self { rules, full_us: BTreeMap::new() }
    }

    /// Whether a key is accepted at all.
    pub(super) fn is_valid(&self, key: Option<&str>) -> bool {
        let rule = key.and_then(|key| self.rules.get(key));
        rule.is_none_or(|rule| rule.refusal != Some(Refused::Invalid))
    }

    /// What a call of a model comes to; it is counted if it is served.
    pub(super) fn call(&mut self, key: Option<&str>, model: &str) -> Verdict {
        self.call_at(key, model, clock::now_us())
    }

    fn call_at(&mut self, key: Option<&str>, model: &str, now_us: u64) -> Verdict {
        let Some(rule) = key.and_then(|key| self.rules.get(key)) else {
            return Verdict::default();
        };
        let refused = |status, message: &str, code: &str| {
            let error = json!({"error": {"message": message, "type": "invalid_request_error", "code": code}});
            Verdict { refusal: Some((status, error.to_string())), ..Verdict::default() }
        };
        match rule.refusal {
            Some(Refused::Invalid) => {
                let message = format!("Incorrect API key provided: {}.", rule.key);
                return refused("401 Unauthorized", &message, "invalid_api_key");
            }
            Some(Refused::Exhausted) => {
                return refused(
                    "402 Payment Required",
                    "Insufficient Balance",
                    "insufficient_quota",
                );
            }
            None => {}
        }
        let Some(limit) = rule.limit else {
            return Verdict::default();
        };
        let of = (rule.org.clone(), model.to_owned());
        let full_us = self.full_us.get(&of).copied().unwrap_or(0).max(now_us);
        let each_us = limit.us_per_request();
        let used = (full_us - now_us).div_ceil(each_us);
        if used >= limit.requests {
            let wait_ms = ((used + 1 - limit.requests) * each_us).div_ceil(1000);
            let (org, most, secs) = (&rule.org, limit.requests, wait_ms.div_ceil(1000));
            let message = format!(
                "Rate limit reached for model `{model}` in organization `{org}` on requests per \
                 minute (RPM): Limit {most}, Used {used}, Requested 1. Please try again in {secs}s."
            );
            let error = json!({"error": {"message": message, "type": "requests", "code": "rate_limit_exceeded"}});
            let headers = format!("retry-after-ms: {wait_ms}\r\n");
            let refusal = Some(("429 Too Many Requests", error.to_string()));
            return Verdict { headers, refusal, wait_ms: Some(wait_ms) };
        }
        let full_us = full_us + each_us;
        self.full_us.insert(of, full_us);
        let headers = if rule.is_silent {
            String::new()
        } else {
            let (left, reset_ms) = (limit.requests - used - 1, (full_us - now_us).div_ceil(1000));
            format!(
                "x-ratelimit-limit-requests: {}\r\nx-ratelimit-remaining-requests: {left}\r\n\
                 x-ratelimit-reset-requests: {reset_ms}ms\r\n",
                limit.requests
            )
        };
        Verdict { headers, ..Verdict::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn keys(rules: &[&str]) -> Keys {
        Keys::new(rules.iter().map(|rule| rule.parse().unwrap()))
    }

    #[test]
    fn keys_of_one_organisation_share_its_limit_and_it_fills_again() {
        let mut keys = keys(&["a=org:acme,requests:2/10", "b=org:acme,requests:2/10"]);
        let served = |keys: &mut Keys, key, at| keys.call_at(Some(key), "m", at).refusal.is_none();
        assert!(served(&mut keys, "a", SECOND_US) && served(&mut keys, "b", SECOND_US));
        let refused = keys.call_at(Some("a"), "m", SECOND_US);
        assert_eq!(refused.headers, "retry-after-ms: 5000\r\n");
        assert!(refused.refusal.unwrap().1.contains("organization `acme`"));
        assert!(keys.call_at(Some("a"), "other", SECOND_US).refusal.is_none(), "another model");
        assert!(!served(&mut keys, "b", 5 * SECOND_US) && served(&mut keys, "b", 6 * SECOND_US));
    }

    #[test]
    fn answers_tell_what_is_left_unless_they_are_silent() {
        let mut keys = keys(&["a=requests:10/60", "b=requests:10/60,silent"]);
        let told = keys.call_at(Some("a"), "m", SECOND_US).headers;
        assert!(told.contains("remaining-requests: 9") && told.contains("reset-requests: 6000ms"));
        assert_eq!(keys.call_at(Some("b"), "m", SECOND_US).headers, "");
        assert_eq!(keys.call_at(None, "m", SECOND_US).headers, "");
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in ["a", "a=", "a=requests:0/1", "a=requests:5", "a=good"] {
            assert!(text.parse::<KeyRule>().is_err(), "{text}");
        }
        assert!(!keys(&["a=invalid"]).is_valid(Some("a")));
    }
}
