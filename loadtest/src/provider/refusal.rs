//! What comes instead of an answer, as bytes.

use super::{fault::Refusal, http::response, wait::Wait};

const JSON: &str = "application/json";

/// The whole answer; none: there is nothing to send.
pub(super) fn bytes(refusal: Refusal) -> Option<Vec<u8>> {
    let json = |status, body| Some(response(status, "", JSON, body));
    match refusal {
        Refusal::RateLimited(wait) => {
            Some(response("429 Too Many Requests", &wait.headers(), JSON, wait.body()))
        }
        Refusal::Unauthorized => json(
            "401 Unauthorized",
            r#"{"error":{"message":"Incorrect API key provided: stand-in-key.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        ),
        Refusal::UnauthorizedPage => Some(response(
            "401 Unauthorized",
            "",
            "text/html",
            "<html><head><title>Sign in</title></head><body>the proxy of a company</body></html>",
        )),
        Refusal::PaymentRequired => json(
            "402 Payment Required",
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
        ),
        Refusal::Failed => Some(response(
            "500 Internal Server Error",
            &Wait::Seconds.headers(),
            JSON,
            r#"{"error":{"message":"the stand-in was told to refuse this call","type":"server_error"}}"#,
        )),
        Refusal::BadGateway => Some(response(
            "502 Bad Gateway",
            "",
            "text/html",
            "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
        )),
        Refusal::ErrorBody => json(
            "200 OK",
            r#"{"error":{"message":"the engine is overloaded","type":"overloaded_error"}}"#,
        ),
        Refusal::HangUp | Refusal::Silent => None,
    }
}
