//! What every answer has: limits, compression, permissions for pages, problems.

use crate::server::{Site, until};
use flate2::read::GzDecoder;
use serde_json::json;
use std::io::Read as _;

const PAGE: &str = "https://app.example.org";

#[tokio::test]
async fn answers_say_what_is_left_of_the_limit_until_it_is_used_up() {
    let site = Site::new()
        .with("GREENROOM__GATEWAY__LIMITS__REQUESTS_PER_MINUTE", "6")
        .with("GREENROOM__GATEWAY__LIMITS__REQUESTS_BURST", "3");
    let server = site.start().await;
    let ask = || server.rest("GET", "/me").send();
    let first = ask().await;
    assert_eq!(first.header("ratelimit-policy"), "\"requests\";q=3;w=30");
    assert_eq!(first.header("ratelimit"), "\"requests\";r=2;t=10");
    assert_eq!(first.header("x-ratelimit-limit"), "3");
    assert_eq!(first.header("x-ratelimit-remaining"), "2");
    ask().await;
    ask().await;
    let refused = ask().await;
    assert_eq!(refused.problem(), (429, "rate_limited".to_owned()));
    assert!(refused.header("ratelimit").starts_with("\"requests\";r=0;"), "{refused:?}");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
}

#[tokio::test]
async fn text_is_compressed_for_who_takes_it() {
    let site = Site::new();
    let server = site.start().await;
    let plain = server.rest("GET", "/openapi.json").send().await;
    assert!(!plain.headers.contains_key("content-encoding"));
    let small = server.rest("GET", "/openapi.json").header("accept-encoding", "gzip").send().await;
    assert_eq!(small.header("content-encoding"), "gzip");
    assert!(small.body.len() < plain.body.len() / 3);
    let mut text = Vec::new();
    GzDecoder::new(&*small.body).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    let etag = plain.header("etag");
    assert_eq!(small.header("etag"), format!("W/{etag}"), "the bytes are others");
    let ask = server.rest("GET", "/openapi.json").header("accept-encoding", "gzip");
    let held = ask.header("if-none-match", small.header("etag")).send().await;
    assert_eq!(held.status, 304);
}

#[tokio::test]
async fn a_page_may_do_what_its_origin_is_allowed_and_no_other_may() {
    let site = Site::new().with("GREENROOM__GATEWAY__ALLOWED_ORIGINS", PAGE);
    let server = site.start().await;
    let user = server.register("ada").await;
    let preflight = |origin: &'static str| {
        let ask = server.rest("OPTIONS", "/me").header("origin", origin);
        ask.header("access-control-request-method", "PATCH").send()
    };
    let allowed = preflight(PAGE).await;
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("access-control-allow-origin"), PAGE);
    assert_eq!(allowed.header("access-control-allow-methods"), "GET, PATCH");
    for name in ["idempotency-key", "last-event-id", "if-match", "authorization"] {
        assert!(allowed.header("access-control-allow-headers").contains(name), "{name}");
    }
    let get =
        |origin: &'static str| server.rest("GET", "/me").by(&user).header("origin", origin).send();
    let got = get(PAGE).await;
    for name in ["etag", "ratelimit", "retry-after", "x-request-id"] {
        assert!(got.header("access-control-expose-headers").contains(name), "{name}");
    }
    for origin in ["https://evil.example", "null", "https://app.example.org.evil.example"] {
        assert_eq!(preflight(origin).await.problem().0, 403, "{origin}");
        assert!(!get(origin).await.headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn requests_that_are_not_as_described_are_refused_by_name() {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    let session = server.create(&user).await;
    let runs = format!("/sessions/{session}/runs");
    let ask = |method: &'static str, path: String| server.rest(method, &path).by(&user);
    for (ask, status, code) in [
        (ask("GET", "/sessions?limit=0".into()), 400, "malformed_query"),
        (ask("GET", "/sessions?limit=2&limit=3".into()), 400, "malformed_query"),
        (ask("GET", "/sessions?user=x".into()), 400, "malformed_query"),
        (ask("GET", "/sessions?cursor=x".into()), 400, "malformed"),
        (ask("GET", format!("/sessions/{session}?x=1")), 400, "malformed_query"),
        (ask("GET", format!("/sessions/{session}/events?after=2")), 400, "malformed_query"),
        (ask("GET", format!("/sessions/{session}/events?wait_ms=25001")), 400, "malformed_query"),
        (
            ask("GET", format!("/sessions/{session}/events")).header("accept", "text/html"),
            406,
            "not_acceptable",
        ),
        (ask("POST", runs.clone()), 415, "unsupported_media_type"),
        (ask("POST", runs.clone()).json(&json!({ "input": " " })), 400, "bad_prompt"),
        (
            ask("POST", runs.clone()).json(&json!({ "input": "x", "cost": 0 })),
            400,
            "malformed_json",
        ),
        (
            ask("POST", runs.clone()).json(&json!({ "input": "x".repeat(65 * 1024) })),
            413,
            "payload_too_large",
        ),
        (
            ask("POST", runs)
                .header("idempotency-key", "a")
                .header("idempotency-key", "b")
                .json(&json!({ "input": "x" })),
            400,
            "malformed_request",
        ),
        (
            ask("POST", "/sessions".into()).json(&json!({ "title": "x".repeat(201) })),
            400,
            "malformed",
        ),
        (ask("GET", "/sessions/ses_x".into()), 404, "session_not_found"),
        (ask("GET", "/nothing".into()), 404, "not_found"),
        (ask("PUT", "/me".into()), 405, "method_not_allowed"),
    ] {
        let reply = ask.send().await;
        assert_eq!(reply.problem(), (status, code.to_owned()), "{reply:?}");
        assert_eq!(reply.json()["request_id"], reply.header("x-request-id"));
    }
}

#[tokio::test]
async fn a_request_s_id_is_in_the_answer_and_in_the_log() {
    let site = Site::new().with("GREENROOM__LOG__LEVEL", "debug");
    let server = site.start().await;
    let reply = server.rest("GET", "/me").header("x-request-id", "trace-7").send().await;
    assert_eq!(reply.header("x-request-id"), "trace-7");
    assert_eq!(reply.json()["request_id"], "trace-7");
    until("line of the log", async || server.log().contains("trace-7").then_some(())).await;
}
