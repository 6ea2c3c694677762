//! What an answer tells of the limits of its key's account. Pure.

use super::retry;
use greenroom_actors::port::{Allowance, Limits};
use http::HeaderMap;
use std::time::Duration;

/// How the headers of a limit end, for calls and for tokens.
const REQUESTS: [&str; 3] = ["-requests", "-requests-minute", "-requests-day"];
const TOKENS: [&str; 3] = ["-tokens", "-tokens-minute", "-tokens-day"];
/// When a limit is taken to be whole again whose header does not say.
const RESET: Duration = Duration::from_secs(60);
/// Where OpenAI names the account.
const ACCOUNT_HEADER: &str = "openai-organization";
/// What stands before an account's name in a message, and how the name begins.
const ACCOUNT_PHRASE: &str = " organization ";
const ACCOUNT_PREFIX: &str = "org";
/// Longest name of an account, in bytes.
const ACCOUNT_BYTES_MAX: usize = 64;

/// The limits that headers name: of several the one with the least left. `our_secs`, in seconds since
/// 1970, stands for the `Date` of an answer without one.
pub(super) fn read(headers: &HeaderMap, our_secs: u64) -> Limits {
    let tightest = |dimensions: [&str; 3]| {
        let all =
            dimensions.into_iter().filter_map(|dimension| allowance(headers, dimension, our_secs));
        all.min_by_key(|allowance| allowance.left)
    };
    let account = headers.get(ACCOUNT_HEADER).and_then(|name| name.to_str().ok());
    Limits {
        requests: tightest(REQUESTS),
        tokens: tightest(TOKENS),
        account: account.filter(|name| is_name(name)).map(str::to_owned),
    }
}

/// The account that a refusal names: "… in organization `org_x` on tokens per minute …".
pub(super) fn account_in_text(text: &str) -> Option<String> {
    let (_, tail) = text.split_once(ACCOUNT_PHRASE)?;
    let name = tail.split_whitespace().next()?;
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    (name.starts_with(ACCOUNT_PREFIX) && is_name(name)).then(|| name.to_owned())
}

fn is_name(name: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= ACCOUNT_BYTES_MAX && name.chars().all(is_known)
}

fn allowance(headers: &HeaderMap, dimension: &str, our_secs: u64) -> Option<Allowance> {
    let number = |what: &str| {
        let value = headers.get(format!("x-ratelimit-{what}{dimension}"))?.to_str().ok()?;
        // Azure says -1 where it does not know.
        value.trim().parse::<u64>().ok()
    };
    let (limit, left) = (number("limit")?, number("remaining")?);
    let reset = retry::reset(headers, dimension, our_secs).unwrap_or(RESET);
    let reset_ms = u64::try_from(reset.as_millis()).unwrap_or(u64::MAX);
    (limit > 0).then_some(Allowance { limit, left, reset_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_now(headers: &HeaderMap) -> Limits {
        read(headers, 0)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn limits_are_read_as_each_provider_names_them() {
        let groq = read_now(&headers(&[
            ("x-ratelimit-limit-requests", "14400"),
            ("x-ratelimit-limit-tokens", "18000"),
            ("x-ratelimit-remaining-requests", "14370"),
            ("x-ratelimit-remaining-tokens", "17997"),
            ("x-ratelimit-reset-requests", "2m59.56s"),
            ("x-ratelimit-reset-tokens", "7.66s"),
        ]));
        let requests = Allowance { limit: 14_400, left: 14_370, reset_ms: 179_560 };
        assert_eq!(groq.requests, Some(requests));
        assert_eq!(groq.tokens.map(|tokens| tokens.reset_ms), Some(7660));

        let cerebras = read_now(&headers(&[
            ("x-ratelimit-limit-requests-day", "1000"),
            ("x-ratelimit-remaining-requests-day", "999"),
            ("x-ratelimit-limit-requests-minute", "30"),
            ("x-ratelimit-remaining-requests-minute", "29"),
            ("x-ratelimit-reset-requests-minute", "33.5"),
        ]));
        let requests = Allowance { limit: 30, left: 29, reset_ms: 33_500 };
        assert_eq!(cerebras.requests, Some(requests), "the tighter one");

        let azure = [("x-ratelimit-limit-tokens", "-1"), ("x-ratelimit-remaining-tokens", "-1")];
        assert_eq!(read_now(&headers(&azure)), Limits::default());
        let openai = read_now(&headers(&[("openai-organization", "user-abc")]));
        assert_eq!(openai.account.as_deref(), Some("user-abc"));
    }

    #[test]
    fn an_account_is_found_in_a_refusal() {
        let cases = [
            (
                "Rate limit reached for model `m` in organization `org_01j` on tokens",
                Some("org_01j"),
            ),
            ("Rate limit reached for gpt-4o in organization org-abc on requests", Some("org-abc")),
            ("Please ask your organization administrator", None),
            ("Your organization must be verified", None),
            ("limit reached", None),
        ];
        for (text, expected) in cases {
            assert_eq!(account_in_text(text).as_deref(), expected, "of {text:?}");
        }
    }
}
