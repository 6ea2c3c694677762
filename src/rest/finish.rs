//! What every answer carries: its id, security headers, permissions for pages, rendered problems.

use super::{Allowance, Api, Origins, Problem, Response, allowance};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use std::fmt;

/// Name of the header that carries a request's id, in and out.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that a page may send.
const ALLOWED: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-request-id";

/// Headers that a page may read, beside those of an allowance.
const EXPOSED: &str = "content-disposition, content-location, etag, idempotency-replayed, location, retry-after, x-request-id";

/// Set where the answer itself does not say otherwise.
const DEFAULTS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    // Browsers heed it on HTTPS alone, where a proxy in front of us speaks it.
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// The id of a request: the sender's, if it is short and plain, else a new one.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl RequestId {
    /// An id that a sender chose; none where it could confuse a log.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let good = (1..=64).contains(&text.len()) && text.bytes().all(plain);
        good.then(|| HeaderValue::from_str(text).ok()).flatten().map(Self)
    }

    fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        sent.and_then(Self::new).unwrap_or_else(|| {
            let text = format!("req_{:032x}", rand::random::<u128>());
            Self(HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("req")))
        })
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// What finishing an answer needs to know of its request.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The request's id.
    pub id: RequestId,
    /// The request's path, without its query, which may hold a ticket.
    pub path: String,
    /// The page that sent it, if it is allowed.
    origin: Option<HeaderValue>,
    /// The method that a page asks to use.
    preflight: bool,
}

/// Finishes answers.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Pages that may use the server.
    pub origins: Origins,
    /// The routes, for `Allow`.
    pub api: Api,
}

impl Finish {
    /// What is needed of a request, taken before it is handled.
    pub fn facts<B>(&self, request: &Request<B>) -> Facts {
        let headers = request.headers();
        Facts {
            id: RequestId::of(headers),
            path: request.uri().path().to_owned(),
            origin: self.origins.allowed(headers).cloned(),
            preflight: request.method() == Method::OPTIONS
                && headers.contains_key(header::ORIGIN)
                && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
        }
    }

    /// Answers a browser that asks what a page may do; none where the request is something else.
    #[must_use]
    pub fn preflight(&self, facts: &Facts) -> Option<Response> {
        if !facts.preflight {
            return None;
        }
        let Some(methods) = self.api.methods(&facts.path) else {
            return Some(Problem::not_found().into());
        };
        if facts.origin.is_none() {
            return Some(forbidden_origin().into());
        }
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        Some(response)
    }

    /// Completes an answer.
    pub fn finish(&self, facts: &Facts, response: &mut Response) {
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            problem.render(&facts.id, response);
            if let Some(allowance) = problem.allowance {
                response.extensions_mut().insert(*allowance);
            }
        }
        let allowance = response.extensions_mut().remove::<Allowance>();
        let not_allowed = response.status() == StatusCode::METHOD_NOT_ALLOWED;
        let allow = not_allowed.then(|| self.api.methods(&facts.path)).flatten();
        let headers = response.headers_mut();
        if let Some(allow) = allow {
            headers.insert(header::ALLOW, allow);
        }
        for (name, value) in DEFAULTS {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        headers.insert(REQUEST_ID, facts.id.0.clone());
        if let Some(allowance) = allowance {
            allowance.write(headers);
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = &facts.origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let names = HeaderValue::from_str(&format!("{EXPOSED}, {}", allowance::NAMES));
            headers.extend(names.ok().map(|names| (header::ACCESS_CONTROL_EXPOSE_HEADERS, names)));
        }
    }
}

/// A page that is not allowed.
pub(crate) fn forbidden_origin() -> Problem {
    let detail = "this page's origin is not allowed; add it to gateway.allowed_origins";
    Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_confuse_a_log_is_replaced() {
        assert_eq!(RequestId::new("abc-1.2_X").unwrap().as_str(), "abc-1.2_X");
        for bad in ["", "a b", "a\r\nb", "\u{1b}[31m", "\"}", "ä", &"x".repeat(65)] {
            assert_eq!(RequestId::new(bad), None, "{bad:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("\"evil\""));
        assert!(RequestId::of(&headers).as_str().starts_with("req_"));
    }
}
