//! Problem documents: how REST says what went wrong (RFC 9457).

use super::{Allowance, RequestId, Response};
use crate::auth::{AuthFailure, FieldError};
use greenroom_actors::port::AuthError;
use greenroom_protocol::error::{Code, ErrorBody, Reason};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use std::{borrow::Cow, time::Duration};

/// What went wrong. `code` is stable: a program may act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Status of the answer.
    pub status: StatusCode,
    /// Stable name, in snake case.
    pub code: Cow<'static, str>,
    /// What was wrong and what to do, for a person. Holds no secret.
    pub detail: Cow<'static, str>,
    /// The fields that were wrong.
    pub errors: Vec<FieldError>,
    /// How long to wait before the next try.
    pub retry_after: Option<Duration>,
    /// Where to read the log from, as the place that was asked for does not exist.
    pub cursor: Option<Box<str>>,
    /// What is left of the limit that was counted.
    pub allowance: Option<Box<Allowance>>,
    /// Whether the connection is of no further use.
    pub close: bool,
}

/// A problem document (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Document<'a> {
    /// Names the kind of problem; not an address.
    r#type: String,
    /// The status in words.
    title: &'a str,
    /// The status of the answer.
    status: u16,
    /// What was wrong and what to do, for a person.
    detail: &'a str,
    /// Stable name: a program may act on it.
    code: &'a str,
    /// Names the request in the server's log.
    request_id: &'a str,
    /// The fields that were wrong.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// How long to wait before the next try, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// Where to read the log from instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
}

impl Problem {
    /// A problem.
    #[must_use]
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (code, detail) = (code.into(), detail.into());
        Self {
            status,
            code,
            detail,
            errors: Vec::new(),
            retry_after: None,
            cursor: None,
            allowance: None,
            close: false,
        }
    }

    /// A request that cannot succeed as it is.
    #[must_use]
    pub fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// No such address.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
    }

    /// Too many requests.
    #[must_use]
    pub fn rate_limited(retry_after: Duration) -> Self {
        let detail = "too many requests; wait as long as Retry-After says";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).after(retry_after)
    }

    /// A defect of the server, with nothing of its inside.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "the server failed; its log says why, under the request_id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The same problem with a time to wait.
    #[must_use]
    pub const fn after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// The same problem; the connection ends with it.
    #[must_use]
    pub const fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// Writes the problem into an answer.
    pub(super) fn render(&self, id: &RequestId, response: &mut Response) {
        let document = Document {
            r#type: format!("urn:greenroom:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            request_id: id.as_str(),
            errors: &self.errors,
            retry_after_ms: self
                .retry_after
                .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            cursor: self.cursor.as_deref(),
        };
        *response.status_mut() = self.status;
        *response.body_mut() = serde_json::to_vec(&document).unwrap_or_default().into();
        let headers = response.headers_mut();
        let media_type = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media_type);
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            // Rounded up: whoever waits that long is not too early.
            let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, secs.max(1).into());
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let mut response = Self::default();
        *response.status_mut() = problem.status;
        response.extensions_mut().insert(problem);
        response
    }
}

impl From<AuthFailure> for Problem {
    fn from(failure: AuthFailure) -> Self {
        let detail = failure.to_string();
        match failure {
            AuthFailure::Invalid(errors) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Self { errors, ..Self::new(status, "validation_failed", detail) }
            }
            AuthFailure::EmailTaken => Self::new(StatusCode::CONFLICT, "email_taken", detail),
            AuthFailure::BadCredentials => {
                Self::new(StatusCode::UNAUTHORIZED, "bad_credentials", detail)
            }
            AuthFailure::BadRefreshToken => {
                Self::new(StatusCode::UNAUTHORIZED, "bad_refresh_token", detail)
            }
            AuthFailure::NoAccount => Self::new(StatusCode::UNAUTHORIZED, "bad_token", detail),
            AuthFailure::Conflict => Self::new(StatusCode::CONFLICT, "conflict", detail),
            AuthFailure::Busy { retry_after } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).after(retry_after)
            }
            AuthFailure::Store(error) => {
                tracing::error!(%error, "the store failed");
                ErrorBody::store_unavailable().into()
            }
            AuthFailure::Internal => Self::internal(),
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let code = match error {
            AuthError::Invalid => "bad_token",
            AuthError::Expired => "token_expired",
        };
        Self::new(StatusCode::UNAUTHORIZED, code, error.to_string())
    }
}

/// The engine's errors keep their reason as the code.
impl From<ErrorBody> for Problem {
    fn from(error: ErrorBody) -> Self {
        let status = match error.code {
            // As the draft of the header Idempotency-Key has it.
            Code::InvalidArgument if error.reason == Reason::IdempotencyConflict => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Code::FailedPrecondition
                if matches!(error.reason, Reason::InsufficientCredits | Reason::BudgetExceeded) =>
            {
                StatusCode::PAYMENT_REQUIRED
            }
            Code::InvalidArgument => StatusCode::BAD_REQUEST,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::FailedPrecondition | Code::Aborted | Code::Cancelled => StatusCode::CONFLICT,
            Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Code::Internal | Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let reason = serde_json::to_value(error.reason).ok();
        let code = reason.as_ref().and_then(|name| name.as_str()).unwrap_or("unknown").to_owned();
        let retry_after = error.retry_after_ms.map(Duration::from_millis);
        Self { retry_after, ..Self::new(status, code, error.message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn rendered(problem: Problem) -> (Response, serde_json::Value) {
        let mut response = Response::default();
        problem.render(&RequestId::new("req_1").unwrap(), &mut response);
        let body = std::mem::take(response.body_mut()).collect().await.unwrap().to_bytes();
        (response, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_problem_document_says_what_rfc_9457_asks_and_our_code() {
        let problem = Problem::rate_limited(Duration::from_millis(1500));
        let (response, document) = rendered(problem).await;

        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(
            document,
            serde_json::json!({
                "type": "urn:greenroom:problem:rate_limited", "title": "Too Many Requests",
                "status": 429, "code": "rate_limited", "request_id": "req_1",
                "detail": "too many requests; wait as long as Retry-After says",
                "retry_after_ms": 1500,
            })
        );
    }

    #[tokio::test]
    async fn a_store_s_failure_shows_nothing_of_the_store() {
        let failure = greenroom_actors::port::StoreError::Corrupt("CANARY".into());
        let (response, document) = rendered(AuthFailure::Store(failure).into()).await;
        assert_eq!(response.status(), 503);
        assert_eq!(document["code"], "store_unavailable");
        assert!(!document.to_string().contains("CANARY"));
    }

    #[test]
    fn an_error_of_the_engine_keeps_its_reason() {
        let problem = Problem::from(ErrorBody::session_not_found());
        assert_eq!((problem.status.as_u16(), &*problem.code), (404, "session_not_found"));
    }
}
