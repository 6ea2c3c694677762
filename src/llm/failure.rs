//! What a provider's failure means: its own words before the status of its answer.
//!
//! A status alone misleads: a proxy answers 401 with a page of its own, 429 is also said of an
//! empty account, and a stream fails after its 200.

use super::{retry, secret::Redactor};
use greenroom_actors::port::{ProviderError, ProviderErrorKind as Kind};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

/// Codes and types that say precisely what is wrong, in lower case.
const WORDS: [(Kind, &[&str]); 6] = [
    (
        Kind::QuotaExhausted,
        &[
            "insufficient_quota",
            "quota_exceeded",
            "billing_hard_limit_reached",
            "billing_not_active",
            "credit_balance_exhausted",
            "insufficient_balance",
            "insufficient_credits",
            "payment_required",
        ],
    ),
    (
        Kind::RateLimited,
        &[
            "rate_limit_exceeded",
            "rate_limit_error",
            "rate_limited",
            "too_many_requests",
            "too_many_requests_error",
            "request_quota_exceeded",
            "token_quota_exceeded",
            "queue_exceeded",
            "resource_exhausted",
            "slow_down",
        ],
    ),
    (
        Kind::Failed,
        &[
            "server_error",
            "internal_error",
            "internal_server_error",
            "overloaded",
            "overloaded_error",
            "engine_overloaded",
            "service_unavailable",
            "capacity_exceeded",
            "bad_gateway",
            "timeout",
        ],
    ),
    (
        Kind::Unauthorized,
        &[
            "invalid_api_key",
            "wrong_api_key",
            "api_key_invalid",
            "authentication_error",
            "invalid_authentication",
            "unauthorized",
            "permission_denied",
            "permission_error",
            "permission_denied_error",
            "account_deactivated",
        ],
    ),
    (Kind::ModelUnavailable, &["model_not_found", "model_decommissioned", "model_not_available"]),
    (
        Kind::Rejected,
        &[
            "context_length_exceeded",
            "tool_use_failed",
            "unknown_parameter",
            "unsupported_parameter",
            "unsupported_value",
            "unsupported_country_region_territory",
            "content_policy_violation",
            "content_filter",
            "request_too_large",
            "string_above_max_length",
        ],
    ),
];

/// Words of messages, in lower case, where codes and types say nothing precise.
const PHRASES: [(Kind, &[&str]); 2] = [
    (
        Kind::QuotaExhausted,
        &[
            "exceeded your current quota",
            "credit balance is too low",
            "insufficient balance",
            "insufficient credits",
            "requires more credits",
            "spend limit",
        ],
    ),
    (Kind::Unauthorized, &["api key not valid", "incorrect api key", "invalid api key"]),
];

/// What a provider reports of its failure, as it reports it: may hold a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reported {
    /// For a person; empty where it says nothing.
    pub(super) message: String,
    /// Its name for the cause, in lower case.
    pub(super) code: Option<String>,
    /// Its name for the class of the cause, in lower case.
    pub(super) kind: Option<String>,
    /// The HTTP status that the failure would have had.
    pub(super) status: Option<u16>,
    /// How long it asks to wait, in milliseconds: Google's `RetryInfo`.
    pub(super) retry_after_ms: Option<u64>,
}

impl Reported {
    /// Reads an error object, a text, or an object or list that wraps one; none: it holds no error.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        Self::from_value(&serde_json::from_slice(json).ok()?)
    }

    /// The same from what was read already.
    pub(super) fn from_value(value: &Value) -> Option<Self> {
        let fields = match value {
            Value::String(message) => {
                return Some(Self { message: message.clone(), ..Self::default() });
            }
            Value::Array(errors) => return errors.first().and_then(Self::from_value),
            Value::Object(fields) => fields,
            Value::Null | Value::Bool(_) | Value::Number(_) => return None,
        };
        if let Some(inner) = fields.get("error").and_then(Self::from_value) {
            return Some(inner);
        }
        let text = |name| fields.get(name).and_then(Value::as_str).map(str::to_ascii_lowercase);
        let number = |name| fields.get(name).and_then(Value::as_u64).map(u16::try_from);
        let message = fields.get("message").or_else(|| fields.get("detail"));
        let reported = Self {
            message: message
                .map(|text| text.as_str().map_or_else(|| text.to_string(), str::to_owned))
                .unwrap_or_default(),
            code: text("code"),
            kind: text("type").or_else(|| text("status")),
            status: number("status_code").or_else(|| number("code")).and_then(Result::ok),
            retry_after_ms: fields.get("details").and_then(retry::hint_in_details),
        };
        (reported != Self::default()).then_some(reported)
    }

    /// The class of the failure; `status` is that of the answer, none within a stream.
    pub(super) fn class(&self, status: Option<u16>) -> Kind {
        let status = status.or(self.status);
        // Groq says `rate_limit_exceeded` of a request that fits no window: no wait helps.
        if status == Some(413) {
            return Kind::Rejected;
        }
        let by_word = |word: &Option<String>| {
            let word = word.as_deref()?;
            let exhausted = word.contains("spend_limit").then_some(Kind::QuotaExhausted);
            exhausted.or_else(|| find(&WORDS, |known| known == word))
        };
        let message = self.message.to_ascii_lowercase();
        by_word(&self.code)
            .or_else(|| by_word(&self.kind))
            .or_else(|| find(&PHRASES, |known| message.contains(known)))
            .or_else(|| status.map(by_status))
            .unwrap_or(match self.kind.as_deref() {
                Some("invalid_request_error") => Kind::Rejected,
                _ => Kind::Failed,
            })
    }

    /// The failure of a stream under way, after its 200.
    pub(super) fn into_fault(self) -> Fault {
        let kind = self.class(None);
        let message = if self.message.is_empty() {
            "failed in the middle of the answer and gave no reason".to_owned()
        } else {
            format!("failed in the middle of the answer: {}", self.message)
        };
        let hint = self.retry_after_ms.or_else(|| retry::hint_in_text(&self.message));
        Fault { kind, message, retry_after_ms: hint.filter(|_| may_wait(kind)) }
    }
}

/// A failure before it carries the provider's name and is free of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Class.
    pub(super) kind: Kind,
    /// For a person; may hold a key.
    pub(super) message: String,
    /// How long the provider asks to wait, in milliseconds.
    pub(super) retry_after_ms: Option<u64>,
}

impl Fault {
    /// A failure without a time to wait.
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after_ms: None }
    }

    /// An answer that is no stream: its status, headers and the beginning of its body. `now_secs`,
    /// since 1970, stands in for a date that it lacks.
    pub(super) fn of_answer(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        now_secs: u64,
    ) -> Self {
        let number = status.as_u16();
        let hint = retry::hint(headers, now_secs);
        if is_html(headers, body) {
            // A page is no word of the API: a proxy's 401 or 403 says nothing about the key.
            let kind = by_status(number);
            let kind = if kind == Kind::Unauthorized { Kind::Failed } else { kind };
            let message = format!(
                "answered {number} with a web page, as a proxy or a wrong base_url does; \
                 check base_url if it stays"
            );
            return Self::with_hint(kind, message, hint);
        }
        let reported = Reported::parse(body);
        if status.is_success() && reported.is_none() {
            let message = format!("answered {number} with something that is no event stream");
            return Self::new(Kind::Broken, message);
        }
        if status.is_redirection() {
            let message = format!("answered {number}, a redirect; set base_url to its target");
            return Self::new(Kind::Rejected, message);
        }
        let reported = reported.unwrap_or_else(|| Reported {
            message: String::from_utf8_lossy(body).into_owned(),
            ..Reported::default()
        });
        let kind = reported.class((!status.is_success()).then_some(number));
        let reason = match reported.message.trim() {
            "" => "no reason given",
            message => message,
        };
        let advice =
            if kind == Kind::Unauthorized { "; check the keys of this provider" } else { "" };
        let message = format!("answered {number}: {reason}{advice}");
        // The wait that the headers name, else the one of the body.
        let in_body = || reported.retry_after_ms.or_else(|| retry::hint_in_text(&reported.message));
        Self::with_hint(kind, message, hint.or_else(in_body))
    }

    fn with_hint(kind: Kind, message: String, hint: Option<u64>) -> Self {
        Self { kind, message, retry_after_ms: hint.filter(|_| may_wait(kind)) }
    }

    /// The error that callers see.
    pub(super) fn into_error(self, provider: &str, redactor: &Redactor) -> ProviderError {
        ProviderError {
            provider: provider.to_owned(),
            kind: self.kind,
            message: redactor.clean(&self.message),
            retry_after_ms: self.retry_after_ms,
        }
    }
}

/// The class that a status has where nothing else is known.
fn by_status(status: u16) -> Kind {
    match status {
        401 | 403 => Kind::Unauthorized,
        402 => Kind::QuotaExhausted,
        429 => Kind::RateLimited,
        408 | 425 => Kind::Failed,
        300..=499 => Kind::Rejected,
        _ => Kind::Failed,
    }
}

/// Whether a wait may cure it; the time to wait of other failures would mislead.
fn may_wait(kind: Kind) -> bool {
    matches!(kind, Kind::RateLimited | Kind::QuotaExhausted | Kind::Failed)
}

fn find(table: &[(Kind, &[&str])], is: impl Fn(&str) -> bool) -> Option<Kind> {
    table.iter().find(|(_, words)| words.iter().any(|word| is(word))).map(|(kind, _)| *kind)
}

fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let is_text_html = |value: &http::HeaderValue| value.as_bytes().starts_with(b"text/html");
    headers.get(CONTENT_TYPE).is_some_and(is_text_html) || body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests;
