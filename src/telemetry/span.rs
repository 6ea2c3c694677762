//! The spans that traces have beside a run's own, in the words of OpenTelemetry's conventions for
//! HTTP servers and for generative AI. They name no path, which a user may have chosen, and hold no
//! text of a prompt or an answer.
//!
//! Logs do not show them. Where nothing exports them, making one costs a look at a flag.

use crate::rest::RequestId;
use greenroom_protocol::event::Usage;
use http::{Method, StatusCode};
use tracing::{Span, field::Empty, info_span};

/// Target of these spans.
pub(super) const TARGET: &str = "greenroom_traces";

/// A request to the public port. `route` finds the path of its route, such as
/// `/api/v1/sessions/{session}`.
pub(crate) fn request(
    id: &RequestId,
    method: &Method,
    route: impl FnOnce() -> Option<&'static str>,
) -> Span {
    let span = info_span!(
        target: TARGET,
        "request",
        otel.name = Empty,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = Empty,
        http.route = Empty,
        http.response.status_code = Empty,
        url.scheme = "http",
        error.type = Empty,
        request_id = %id,
    );
    if !span.is_disabled() {
        let method = known(method);
        let route = route();
        span.record("http.request.method", method.unwrap_or("_OTHER"));
        span.record("http.route", route);
        let method = method.unwrap_or("HTTP");
        let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        span.record("otel.name", name);
    }
    span
}

/// A method, where it is one of the standard's: clients may send any word.
fn known(method: &Method) -> Option<&'static str> {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| method.as_str() == *known)
}

/// The request of a span is answered.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        failed(span, status.as_str());
    }
}

/// A call of a model; it ends when the last clone is dropped.
pub(crate) fn call(provider: &str, model: &str) -> Span {
    info_span!(
        target: TARGET,
        "call",
        otel.name = format!("chat {model}"),
        otel.kind = "client",
        otel.status_code = Empty,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = provider,
        gen_ai.request.model = model,
        gen_ai.response.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        error.type = Empty,
    )
}

/// The call that is under way is answered by this model.
pub(crate) fn answered_by(model: &str) {
    Span::current().record("gen_ai.response.model", model);
}

/// A call used so much.
pub(crate) fn used(span: &Span, usage: Usage) {
    let tokens = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    span.record("gen_ai.usage.input_tokens", tokens(usage.input_tokens));
    span.record("gen_ai.usage.output_tokens", tokens(usage.output_tokens));
}

/// A model stopped.
pub(crate) fn finished(span: &Span, reason: &'static str) {
    // A list, which no field of a span can be.
    #[cfg(feature = "otel")]
    super::traces::set_list(span, "gen_ai.response.finish_reasons", reason);
    #[cfg(not(feature = "otel"))]
    let _ = (span, reason);
}

/// What a span is about failed, for a reason of a few.
pub(crate) fn failed(span: &Span, reason: &str) {
    span.record("error.type", reason);
    span.record("otel.status_code", "ERROR");
}
