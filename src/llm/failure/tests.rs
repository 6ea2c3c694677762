use super::*;
use Kind::{Broken, Failed, ModelUnavailable, QuotaExhausted, RateLimited, Rejected, Unauthorized};

/// Answers as providers give them: status, body, class.
const ANSWERS: [(u16, &str, Kind); 30] = [
    (
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-x.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        Unauthorized,
    ),
    (
        401,
        r#"{"error":{"message":"You didn't provide an API key.","type":"invalid_request_error","param":null,"code":null}}"#,
        Unauthorized,
    ),
    (
        401,
        r#"{"message":"Wrong API Key","type":"invalid_request_error","param":"api_key","code":"wrong_api_key"}"#,
        Unauthorized,
    ),
    (
        400,
        r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
        Unauthorized,
    ),
    (
        403,
        r#"{"error":{"message":"Project does not have access to model","code":"model_not_found"}}"#,
        ModelUnavailable,
    ),
    (403, "", Unauthorized),
    (401, "<!DOCTYPE html><title>Sign in</title>", Failed),
    (403, "  <html>Attention Required! | Cloudflare</html>", Failed),
    (
        429,
        r#"{"error":{"message":"You exceeded your current quota, please check your plan","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        QuotaExhausted,
    ),
    (
        429,
        r#"{"error":{"message":"Rate limit reached for gpt-4o","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        RateLimited,
    ),
    (
        429,
        r#"{"message":"Tokens per minute limit exceeded","type":"too_many_tokens_error","code":"token_quota_exceeded"}"#,
        RateLimited,
    ),
    (
        429,
        r#"{"error":{"message":"The engine is currently overloaded","type":"overloaded_error"}}"#,
        Failed,
    ),
    (429, "<html>Too many requests</html>", RateLimited),
    (429, "", RateLimited),
    (
        402,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
        QuotaExhausted,
    ),
    (
        402,
        r#"{"error":{"message":"This request requires more credits","code":402}}"#,
        QuotaExhausted,
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API"}}"#,
        QuotaExhausted,
    ),
    (
        400,
        r#"{"error":{"message":"maximum context length is 8192 tokens","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
        Rejected,
    ),
    (
        404,
        r#"{"error":{"message":"model 'x' not found, try pulling it first","type":"api_error","param":null,"code":null}}"#,
        Rejected,
    ),
    (
        413,
        r#"{"error":{"message":"Request too large for model","type":"tokens","code":"rate_limit_exceeded"}}"#,
        Rejected,
    ),
    (
        422,
        r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]},"type":"invalid_request_error","code":null}"#,
        Rejected,
    ),
    (422, r#"{"detail":[{"loc":["body","model"],"msg":"field required"}]}"#, Rejected),
    (500, r#"{"error":{"message":"The server had an error","type":"server_error"}}"#, Failed),
    (503, "upstream connect error", Failed),
    (502, "<html><center>nginx</center></html>", Failed),
    (404, "<html>404 Not Found</html>", Rejected),
    (
        200,
        r#"{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}"#,
        RateLimited,
    ),
    (200, r#"{"error":{"code":401,"message":"No auth credentials found"}}"#, Unauthorized),
    (
        200,
        r#"{"id":"1","object":"chat.completion","choices":[{"message":{"content":"hi"}}]}"#,
        Broken,
    ),
    (302, "", Rejected),
];

#[test]
fn the_body_decides_before_the_status() {
    for (status, body, expected) in ANSWERS {
        let fault = answer(status, &[], body);
        assert_eq!(fault.kind, expected, "of {status} {body}: {}", fault.message);
    }
}

#[test]
fn a_message_names_the_status_the_reason_and_what_to_do() {
    let cases = [
        (
            401,
            r#"{"error":{"message":"bad key"}}"#,
            "answered 401: bad key; check the keys of this provider",
        ),
        (500, "", "answered 500: no reason given"),
        (500, "plain words", "answered 500: plain words"),
        (301, "", "answered 301, a redirect; set base_url to its target"),
    ];

    for (status, body, expected) in cases {
        assert_eq!(answer(status, &[], body).message, expected);
    }
}

#[test]
fn only_failures_that_a_wait_may_cure_carry_one() {
    for (status, expected) in
        [(429, Some(7000)), (503, Some(7000)), (402, Some(7000)), (400, None), (401, None)]
    {
        assert_eq!(
            answer(status, &[("retry-after", "7")], "").retry_after_ms,
            expected,
            "of {status}"
        );
    }
    let body = r#"{"error":{"message":"Rate limit reached. Please try again in 2.5s.","code":"rate_limit_exceeded"}}"#;
    assert_eq!(answer(429, &[], body).retry_after_ms, Some(2500));
    let google = r#"[{"error":{"code":429,"message":"Quota exceeded. Please retry in 34.07s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}]"#;
    let fault = answer(429, &[], google);
    assert_eq!((fault.kind, fault.retry_after_ms), (RateLimited, Some(34_000)));
    assert_eq!(answer(429, &[("retry-after", "7")], google).retry_after_ms, Some(7000));
    let in_stream = Reported::parse(google.as_bytes()).unwrap().into_fault();
    assert_eq!((in_stream.kind, in_stream.retry_after_ms), (RateLimited, Some(34_000)));
}

#[test]
fn an_error_in_a_stream_is_classed_by_its_words_or_fails() {
    let cases = [
        (
            r#"{"message":"Tool call validation failed","type":"invalid_request_error","code":"tool_use_failed","status_code":400}"#,
            Rejected,
        ),
        (r#"{"code":502,"message":"Provider returned error"}"#, Failed),
        (r#"{"code":429,"message":"slow"}"#, RateLimited),
        (r#"{"message":"Overloaded","type":"overloaded_error"}"#, Failed),
        (r#"{"message":"bad request","type":"invalid_request_error"}"#, Rejected),
        (r#"{"code":500}"#, Failed),
        (r#""something broke""#, Failed),
        (r#"{"error":{"message":"nested","code":"insufficient_quota"}}"#, QuotaExhausted),
    ];

    for (json, expected) in cases {
        let fault = Reported::parse(json.as_bytes()).unwrap().into_fault();
        assert_eq!(fault.kind, expected, "of {json}");
    }
}

#[test]
fn what_holds_no_error_reports_none() {
    for json in
        ["", "null", "false", "{}", "[]", "5", r#"{"error":null}"#, r#"{"choices":[]}"#, "not json"]
    {
        assert_eq!(Reported::parse(json.as_bytes()), None, "of {json}");
    }
}

#[test]
fn a_key_in_a_providers_words_does_not_reach_the_caller() {
    let body = r#"{"error":{"message":"Incorrect API key provided: my-very-own-key","code":"invalid_api_key"}}"#;
    let redactor = Redactor::new(["my-very-own-key".into()]);

    let error = answer(401, &[], body).into_error("openai", &redactor);

    assert!(!format!("{error:?} {error}").contains("my-very"), "{error}");
    assert!(error.to_string().starts_with("openai: answered 401: Incorrect API key provided: ["));
}

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Fault {
    let headers = headers
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
        .collect();
    Fault::of_answer(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes(), 0)
}
