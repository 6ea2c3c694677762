//! Bodies of requests: read within limits, trusted for nothing.

use super::Problem;
use bytes::{Buf, BufMut as _, BytesMut};
use futures_util::{Stream, StreamExt as _};
use greenroom_protocol::limit::MESSAGE_BYTES_MAX;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use std::{pin::pin, time::Duration};
use tokio::time::timeout;

/// Largest body of a request, in bytes: that of a message over the WebSocket, for the same prompts.
pub const BODY_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// Reads a JSON body of at most [`BODY_BYTES_MAX`] within `wait`.
///
/// Types should be flat and `deny_unknown_fields`: then nesting fails at its first bracket. Below
/// that, the parser itself stops at 128 levels.
///
/// # Errors
/// Problems with status 400, 408, 413 or 415. None repeats a value of the body.
pub async fn read_json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    wait: Duration,
) -> Result<T, Problem> {
    if !is_json(headers) {
        let detail = "send the body with Content-Type: application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "unsupported_media_type", detail).closing());
    }
    let bytes = timeout(wait, collect(body)).await.map_err(|_| {
        let detail = "the body took too long to arrive";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail).closing()
    })??;
    // A struct would also be read from an array, its fields by their order.
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(Problem::bad_request("malformed_json", "the body is no JSON object"));
    }
    serde_json::from_slice(&bytes).map_err(|error| malformed(&error))
}

async fn collect(
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> Result<BytesMut, Problem> {
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::bad_request("malformed_request", "the body broke off").closing()
        })?;
        if bytes.len().saturating_add(chunk.remaining()) > BODY_BYTES_MAX {
            let detail = format!("the body is larger than {BODY_BYTES_MAX} bytes");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(Problem::new(status, "payload_too_large", detail).closing());
        }
        bytes.put(chunk);
    }
    Ok(bytes)
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let essence = only.to_str().ok().and_then(|text| text.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Where the text is wrong and, where no value can be quoted, how.
fn malformed(error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    let about_names = ["unknown field", "missing field", "duplicate field"];
    let detail = if about_names.iter().any(|start| message.starts_with(start)) {
        // A name, its length bounded: the sender chose it.
        message.chars().take(200).collect()
    } else if error.is_data() {
        format!("a value has the wrong type, line {} column {}", error.line(), error.column())
    } else {
        format!("the body is no JSON, line {} column {}", error.line(), error.column())
    };
    Problem::bad_request("malformed_json", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::stream;
    use http::HeaderValue;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Login {
        email: String,
        password: String,
    }

    async fn read(media_type: &'static str, chunks: Vec<&[u8]>) -> Result<Login, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        let chunks: Vec<_> = chunks.into_iter().map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        read_json(&headers, stream::iter(chunks), Duration::from_secs(1)).await
    }

    async fn code_of(body: &[u8]) -> (u16, String) {
        let problem = read("application/json", vec![body]).await.unwrap_err();
        assert!(!problem.detail.contains("CANARY"), "{}", problem.detail);
        (problem.status.as_u16(), problem.detail.into_owned())
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_read() {
        let body: Vec<&[u8]> = vec![br#"{"email":"a","#, br#""password":"b"}"#];
        let login = read("Application/JSON; charset=utf-8", body).await.unwrap();
        assert_eq!(login, Login { email: "a".into(), password: "b".into() });
    }

    #[tokio::test]
    async fn another_media_type_is_refused() {
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
            let problem = read(other, vec![b"{}"]).await.unwrap_err();
            assert_eq!(problem.status, 415, "{other}");
        }
    }

    #[tokio::test]
    async fn a_field_that_is_not_asked_for_is_refused() {
        for field in ["role", "credits", "id", "email_verified", "user_id"] {
            let body = format!(r#"{{"email":"a","password":"CANARY","{field}":"CANARY"}}"#);
            let (status, detail) = code_of(body.as_bytes()).await;
            assert_eq!(status, 400);
            assert!(detail.contains(&format!("unknown field `{field}`")), "{detail}");
        }
    }

    #[tokio::test]
    async fn a_malformed_body_is_refused_without_repeating_it() {
        let deep = "[".repeat(16_000);
        let deep_value = format!(r#"{{"email":{}"#, "[".repeat(16_000));
        for body in [
            r#"{"email":"CANARY","email":"CANARY","password":"CANARY"}"#,
            r#"{"email":{"CANARY":1},"password":"b"}"#,
            r#"{"email":7,"password":"CANARY"}"#,
            r#"{"email":"CANARY"}"#,
            r#"{"email":"a","password":"CANARY"} CANARY"#,
            r#"{"email":"a","password":"CANARY"#,
            "CANARY",
            "",
            "null",
            r#" ["a","CANARY"]"#,
            &deep,
            &deep_value,
        ] {
            assert_eq!(code_of(body.as_bytes()).await.0, 400, "{body:.60}");
        }
        assert_eq!(code_of(b"{\"email\":\"\xff\",\"password\":\"CANARY\"}").await.0, 400);
    }

    #[tokio::test]
    async fn a_body_above_the_limit_is_refused_before_it_is_read_whole() {
        let piece = vec![b' '; 1024];
        let endless = stream::repeat_with(move || Ok(Bytes::from(piece.clone())));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let wait = Duration::from_secs(1);
        let problem = read_json::<Login>(&headers, endless, wait).await.unwrap_err();
        assert_eq!(problem.status, 413);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = stream::pending::<Result<Bytes, warp::Error>>();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let wait = Duration::from_secs(10);
        let problem = read_json::<Login>(&headers, never, wait).await.unwrap_err();
        assert_eq!(problem.status, 408);
    }
}
