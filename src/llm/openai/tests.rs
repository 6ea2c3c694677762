//! Over real sockets, against a server that speaks HTTP by hand. Client and server run in one
//! task, joined, so that nothing outlives a test.

use super::*;
use futures_util::{FutureExt, StreamExt};
use greenroom_actors::port::{Delta, Finish, Message, Role};
use greenroom_protocol::{
    event::{Usage, UsageSource},
    id::RunId,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    join,
    net::{TcpListener, TcpStream},
    time::timeout,
};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
const CHUNKED: &str = "transfer-encoding: chunked\r\n\r\n";
const CONTENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const KEY: &str = "key-of-the-test";

#[tokio::test]
async fn a_call_sends_what_it_should_and_reads_the_answer() {
    let (provider, listener) = start(|_| {}).await;
    let server = async {
        let mut socket = accept(&listener).await;
        let request = read_request(&mut socket).await;
        write(&mut socket, &format!("{HEAD}\r\n{CONTENT}{STOP}{USAGE}{DONE}")).await;
        request
    };

    let ((head, body), deltas) = join!(server, all(&provider));

    assert_eq!(head.lines().next(), Some("POST /v1/chat/completions HTTP/1.1"));
    for line in [
        format!("authorization: Bearer {KEY}"),
        format!("x-greenroom-run: {}", request().run),
        "accept-encoding: identity".to_owned(),
        "accept: text/event-stream".to_owned(),
        "content-type: application/json".to_owned(),
        "x-team: blue".to_owned(),
    ] {
        assert!(head.lines().any(|l| l == line), "{line} is missing in {head}");
    }
    let expected = serde_json::json!({
        "model": "test-model",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "say \"hi\""}],
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_tokens": 100,
    });
    assert_eq!(body, expected);
    let source = UsageSource::Provider;
    let usage = Usage { input_tokens: 3, output_tokens: 1, source, ..Usage::default() };
    let text = Delta::Text("hi".into());
    assert_eq!(deltas.unwrap(), [text, Delta::Usage(usage), Delta::Finish(Finish::Stop)]);
}

#[tokio::test]
async fn the_call_begins_with_the_headers_and_deltas_come_as_they_are_written() {
    let (provider, listener) = start(|_| {}).await;
    let mut socket_of_answer = None;
    let server = async {
        let mut socket = accept(&listener).await;
        read_request(&mut socket).await;
        write(&mut socket, &format!("{HEAD}{CHUNKED}")).await;
        socket_of_answer = Some(socket);
    };
    let (stream, ()) = join!(provider.stream(request()), server);
    let (mut stream, mut socket) = (stream.unwrap(), socket_of_answer.unwrap());

    assert!(stream.next().now_or_never().is_none(), "no content yet");
    write_chunk(&mut socket, &CONTENT.repeat(3)).await;
    assert_eq!(stream.next().await, Some(Ok(Delta::Text("hi".into()))));
    for _ in 0..2 {
        let delta = stream.next().now_or_never();
        assert_eq!(delta, Some(Some(Ok(Delta::Text("hi".into())))), "of the same read");
    }
    // In the middle of a character.
    let (first, second) =
        "data: {\"choices\":[{\"delta\":{\"content\":\"ä\"}}]}\n\n".as_bytes().split_at(39);
    write_chunk_bytes(&mut socket, first).await;
    assert!(stream.next().now_or_never().is_none());
    write_chunk_bytes(&mut socket, second).await;
    assert_eq!(stream.next().await, Some(Ok(Delta::Text("ä".into()))));
}

#[tokio::test]
async fn an_answer_that_is_read_to_its_end_leaves_its_connection_to_the_next() {
    let (provider, listener) = start(|_| {}).await;
    let server = async {
        let mut socket = accept(&listener).await;
        for _ in 0..3 {
            read_request(&mut socket).await;
            write(&mut socket, &format!("{HEAD}{CHUNKED}")).await;
            write_chunk(&mut socket, &format!("{CONTENT}{STOP}{DONE}")).await;
            write(&mut socket, "0\r\n\r\n").await;
        }
    };
    let client = async {
        for _ in 0..3 {
            assert_eq!(all(&provider).await.unwrap().len(), 2);
        }
    };

    join!(server, client);
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection_at_once() {
    let (provider, listener) = start(|_| {}).await;
    let server = async {
        let mut socket = accept(&listener).await;
        read_request(&mut socket).await;
        write(&mut socket, &format!("{HEAD}{CHUNKED}")).await;
        write_chunk(&mut socket, CONTENT).await;
        assert_closed(&mut socket).await;
    };
    let client = async {
        let mut stream = provider.stream(request()).await.unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        drop(stream);
    };

    join!(server, client);
}

#[tokio::test]
async fn giving_up_the_call_before_its_answer_closes_the_connection_at_once() {
    let (provider, listener) = start(|_| {}).await;
    let server = async {
        let mut socket = accept(&listener).await;
        read_request(&mut socket).await;
        socket
    };
    // Whichever is first ends both: the server never answers.
    let call = provider.stream(request());
    let mut socket = tokio::select! {
        socket = server => socket,
        _ = call => panic!("nobody answered"),
    };

    assert_closed(&mut socket).await;
}

#[tokio::test]
async fn an_answer_that_pauses_too_long_is_stalled_and_its_connection_closed() {
    let (provider, listener) =
        start(|config| config.timeouts.stall = Duration::from_millis(50)).await;
    let server = async {
        let mut socket = accept(&listener).await;
        read_request(&mut socket).await;
        write(&mut socket, &format!("{HEAD}{CHUNKED}")).await;
        write_chunk(&mut socket, CONTENT).await;
        assert_closed(&mut socket).await;
    };

    let ((), error) = join!(server, last_error(&provider));

    assert_eq!(error.kind, Kind::Stalled);
    assert_eq!(error.message, "stopped in mid-answer for 50ms");
}

#[tokio::test]
async fn a_server_that_never_answers_is_stalled() {
    let short = Duration::from_millis(300);
    let (provider, listener) = start(|config| config.timeouts.first_content = short).await;
    let server = async {
        let mut socket = accept(&listener).await;
        read_request(&mut socket).await;
        assert_closed(&mut socket).await;
    };

    let ((), error) = join!(server, last_error(&provider));

    assert_eq!(error.kind, Kind::Stalled);
    assert_eq!(error.message, "took the request and sent no answer within 300ms");
}

#[tokio::test]
async fn the_wait_for_the_headers_counts_against_the_first_content() {
    let limit = Duration::from_secs(2);
    let (provider, listener) = start(|config| config.timeouts.first_content = limit).await;
    let server = async {
        let mut socket = accept(&listener).await;
        read_request(&mut socket).await;
        tokio::time::sleep(limit * 3 / 4).await;
        write(&mut socket, &format!("{HEAD}{CHUNKED}")).await;
        socket
    };
    let began = Instant::now();

    let (_socket, error) = join!(server, last_error(&provider));

    assert_eq!(error.kind, Kind::Stalled, "{error}");
    assert!(began.elapsed() < limit * 7 / 4, "the headers do not start it anew");
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_broken_after_its_deltas() {
    let cut_in_event = CONTENT.get(..20).unwrap();
    for body in [
        format!("{HEAD}\r\n{CONTENT}"),
        format!("{HEAD}\r\n{CONTENT}{cut_in_event}"),
        format!("{HEAD}content-length: 1000\r\n\r\n{CONTENT}"),
        format!("{HEAD}{CHUNKED}{:x}\r\n{CONTENT}\r\n", CONTENT.len()),
        format!("{HEAD}{CHUNKED}{:x}\r\n{CONTENT}\r\nnonsense\r\n", CONTENT.len()),
    ] {
        let (provider, listener) = start(|_| {}).await;
        let (results, _) = join!(results(&provider), answer(&listener, &body));

        assert_eq!(results.len(), 2, "{body}");
        assert_eq!(results[0], Ok(Delta::Text("hi".into())));
        assert_eq!(results[1].as_ref().unwrap_err().kind, Kind::Broken, "{body}");
    }
}

#[tokio::test]
async fn a_cut_after_the_model_stopped_is_no_failure() {
    for body in [
        format!("{HEAD}\r\n{CONTENT}{STOP}"),
        format!("{HEAD}content-length: 1000\r\n\r\n{CONTENT}{STOP}"),
        format!("{HEAD}content-length: 1000\r\n\r\n{CONTENT}{STOP}{DONE}"),
    ] {
        let (provider, listener) = start(|_| {}).await;
        let (deltas, _) = join!(all(&provider), answer(&listener, &body));

        assert_eq!(
            deltas.unwrap(),
            [Delta::Text("hi".into()), Delta::Finish(Finish::Stop)],
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_twice_without_an_answer_is_broken() {
    let (provider, listener) = start(|_| {}).await;

    let hang_up = async {
        answer(&listener, "").await;
        answer(&listener, "").await;
    };
    let (error, ()) = join!(last_error(&provider), hang_up);

    assert_eq!(error.kind, Kind::Broken);
    assert!(
        error.message.starts_with("127.0.0.1 broke the connection before it answered"),
        "{error}"
    );
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_unreachable() {
    let (provider, listener) = start(|_| {}).await;
    drop(listener);

    let error = last_error(&provider).await;

    assert_eq!(error.kind, Kind::Unreachable);
    assert!(error.message.starts_with("cannot connect to 127.0.0.1: "), "{error}");
}

#[tokio::test]
async fn every_form_of_retry_after_reaches_the_caller() {
    let cases = [
        ("retry-after: 20", Some(20_000)),
        ("retry-after-ms: 1500", Some(1500)),
        ("x-ms-retry-after-ms: 900", Some(900)),
        (
            "date: Sat, 21 Nov 2026 12:00:00 GMT\r\nretry-after: Sat, 21 Nov 2026 12:00:40 GMT",
            Some(40_000),
        ),
        ("x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 6m0s", Some(360_000)),
        ("x-ratelimit-remaining-tokens: 7\r\nx-ratelimit-reset-tokens: 6m0s", Some(2500)),
        ("retry-after: 0", Some(250)),
        ("x-other: 1", Some(2500)),
    ];
    let body = r#"{"error":{"message":"Rate limit reached. Please try again in 2.5s.","code":"rate_limit_exceeded"}}"#;

    for (headers, expected) in cases {
        let (provider, listener) = start(|_| {}).await;
        let response =
            response("429 Too Many Requests", &format!("application/json\r\n{headers}"), body);
        let (error, _) = join!(last_error(&provider), answer(&listener, &response));

        assert_eq!(
            (error.kind, error.retry_after_ms),
            (Kind::RateLimited, expected),
            "of {headers}"
        );
    }
}

#[tokio::test]
async fn answers_that_are_no_streams_are_classed_by_what_they_are() {
    let key_refused = r#"{"error":{"message":"Incorrect API key provided: key-of-the-test.","code":"invalid_api_key"}}"#;
    let overloaded = r#"{"error":{"message":"overloaded","type":"overloaded_error"}}"#;
    let whole = r#"{"object":"chat.completion","choices":[{"message":{"content":"hi"}}]}"#;
    let page = "<!doctype html><h1>Sorry</h1>";
    let (json, html) = ("application/json; charset=utf-8", "text/html");
    let cases = [
        ("401 Unauthorized", json, key_refused, Kind::Unauthorized),
        ("401 Unauthorized", html, page, Kind::Failed),
        ("403 Forbidden", html, page, Kind::Failed),
        ("502 Bad Gateway", html, page, Kind::Failed),
        ("503 Service Unavailable", "text/plain", "no healthy upstream", Kind::Failed),
        ("200 OK", json, overloaded, Kind::Failed),
        ("200 OK", json, key_refused, Kind::Unauthorized),
        ("200 OK", json, whole, Kind::Broken),
        ("200 OK", html, page, Kind::Failed),
        (
            "307 Temporary Redirect",
            "text/plain\r\nlocation: http://127.0.0.1:1/",
            "",
            Kind::Rejected,
        ),
        ("200 OK", "text/event-stream\r\ncontent-encoding: gzip", "\x1f", Kind::Broken),
        ("500 Oops", "application/json\r\ncontent-encoding: gzip", "\x1f", Kind::Failed),
    ];

    for (status, content_type, body, expected) in cases {
        let (provider, listener) = start(|_| {}).await;
        let response = response(status, content_type, body);
        let (error, _) = join!(last_error(&provider), answer(&listener, &response));

        assert_eq!(error.kind, expected, "of {status} {content_type} {body}: {error}");
        assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    }
}

#[tokio::test]
async fn a_stream_with_another_content_type_is_read() {
    for content_type in
        ["text/plain", "application/octet-stream", "TEXT/EVENT-STREAM; charset=utf-8"]
    {
        let (provider, listener) = start(|_| {}).await;
        let response = response("200 OK", content_type, &format!("{CONTENT}{STOP}{DONE}"));
        let (deltas, _) = join!(all(&provider), answer(&listener, &response));

        assert_eq!(deltas.unwrap().len(), 2, "of {content_type}");
    }
}

#[tokio::test]
async fn a_line_of_ten_megabytes_is_cut_off() {
    let (provider, listener) = start(|_| {}).await;
    let server = async {
        let mut socket = accept(&listener).await;
        read_request(&mut socket).await;
        write(&mut socket, &format!("{HEAD}\r\n{CONTENT}data: ")).await;
        let block = [b'x'; 64 * 1024];
        let mut written = 0;
        while written < 10 * 1024 * 1024 && socket.write_all(&block).await.is_ok() {
            written += block.len();
        }
        written
    };

    let (results, written) = join!(results(&provider), server);

    assert_eq!(results[0], Ok(Delta::Text("hi".into())));
    assert_eq!(results[1].as_ref().unwrap_err().kind, Kind::Broken);
    assert!(written < 10 * 1024 * 1024, "the connection was closed before its end: {written}");
}

#[tokio::test]
async fn an_error_page_without_an_end_is_cut_off() {
    let (provider, listener) = start(|_| {}).await;
    let server = async {
        let mut socket = accept(&listener).await;
        read_request(&mut socket).await;
        write(&mut socket, "HTTP/1.1 500 Oops\r\ncontent-type: text/plain\r\n\r\n").await;
        let block = [b'x'; 16 * 1024];
        while socket.write_all(&block).await.is_ok() {}
    };

    let (error, ()) = join!(last_error(&provider), server);

    assert_eq!(error.kind, Kind::Failed);
    assert!(error.message.len() < 1000);
}

#[tokio::test]
async fn an_option_that_is_refused_is_dropped_once_and_for_all() {
    let refusals = [
        (
            "400 Bad Request",
            r#"{"error":{"message":"Unknown parameter: 'stream_options'.","type":"invalid_request_error","param":"stream_options","code":"unknown_parameter"}}"#,
        ),
        (
            "422 Unprocessable Entity",
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","stream_options","include_usage"]}]},"type":"invalid_request_error"}"#,
        ),
    ];
    for (status, refusal) in refusals {
        let (provider, listener) = start(|_| {}).await;
        let server = async {
            let mut asked = Vec::new();
            for _ in 0..3 {
                let mut socket = accept(&listener).await;
                let (_, body) = read_request(&mut socket).await;
                let asks = body.get("stream_options").is_some();
                asked.push(asks);
                let accepted = format!("{HEAD}connection: close\r\n\r\n{CONTENT}{STOP}{DONE}");
                let refused = response(status, "application/json", refusal);
                write(&mut socket, if asks { &refused } else { &accepted }).await;
            }
            asked
        };
        let client = async {
            assert_eq!(all(&provider).await.unwrap().len(), 2);
            assert_eq!(all(&provider).await.unwrap().len(), 2);
        };

        let (asked, ()) = join!(server, client);

        assert_eq!(asked, [true, false, false], "of {status}");
    }
}

#[tokio::test]
async fn the_limit_of_tokens_goes_by_the_name_that_the_server_knows() {
    let refusal = r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","code":"unsupported_parameter"}}"#;
    let (provider, listener) = start(|_| {}).await;
    let server = async {
        let (_, first) =
            answer(&listener, &response("400 Bad Request", "application/json", refusal)).await;
        let (_, second) = answer(&listener, &format!("{HEAD}\r\n{CONTENT}{STOP}{DONE}")).await;
        (first, second)
    };

    let (deltas, (first, second)) = join!(all(&provider), server);

    assert_eq!(deltas.unwrap().len(), 2);
    assert_eq!((&first["max_tokens"], first.get("max_completion_tokens")), (&100.into(), None));
    assert_eq!((&second["max_completion_tokens"], second.get("max_tokens")), (&100.into(), None));
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_asked_three_times_at_most() {
    let refusal = r#"{"error":{"message":"stream_options, max_tokens and max_completion_tokens are not supported"}}"#;
    let (provider, listener) = start(|_| {}).await;
    let mut calls = 0;
    let server = async {
        loop {
            answer(&listener, &response("400 Bad Request", "application/json", refusal)).await;
            calls += 1;
        }
    };

    let error = tokio::select! {
        error = last_error(&provider) => error,
        () = server => unreachable!(),
    };

    assert_eq!((error.kind, calls), (Kind::Rejected, 3));
    assert!(provider.options().include_usage, "nothing is learned of a refusal that did not help");
}

#[tokio::test]
async fn an_error_in_the_stream_keeps_its_class() {
    let error = "event: error\ndata: {\"error\":{\"message\":\"over capacity\",\"type\":\"overloaded_error\"}}\n\n";
    let (provider, listener) = start(|_| {}).await;

    let body = format!("{HEAD}\r\n{CONTENT}{error}");
    let (results, _) = join!(results(&provider), answer(&listener, &body));

    let error = results[1].as_ref().unwrap_err();
    assert_eq!(error.kind, Kind::Failed);
    assert_eq!(error.to_string(), "test: failed in the middle of the answer: over capacity");
}

#[tokio::test]
async fn ollamas_own_api_is_asked_and_read_in_its_own_framing() {
    let (provider, listener) = start(|config| {
        config.api = Api::Ollama;
        config.base_url = config.base_url.replace("/v1/", "/api");
    })
    .await;
    let lines = concat!(
        r#"{"message":{"role":"assistant","content":"hi"},"done":false}"#,
        "\n",
        r#"{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#,
        "\n",
    );
    let response = response("200 OK", "application/x-ndjson", lines);

    let (deltas, (head, body)) = join!(all(&provider), answer(&listener, &response));

    assert_eq!(deltas.unwrap(), [Delta::Text("hi".into()), Delta::Finish(Finish::Stop)]);
    assert!(head.starts_with("POST /api/chat HTTP/1.1"), "{head}");
    assert!(head.contains("accept: application/x-ndjson"), "{head}");
    assert_eq!(body["options"]["num_predict"], 100);
}

#[tokio::test]
async fn tool_calls_and_unknown_reasons_are_counted() {
    let meter = Meter::default();
    let tools = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a"},{"index":1,"id":"b"}]},"finish_reason":"because"}]}"#;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = OpenAiConfig {
        base_url: format!("http://{}/v1", listener.local_addr().unwrap()),
        ..start_config()
    };
    let provider = OpenAi::new(config, meter.clone()).unwrap();

    let body = format!("{HEAD}\r\ndata: {tools}\n\n{DONE}");
    let (deltas, _) = join!(all(&provider), answer(&listener, &body));

    assert_eq!(deltas.unwrap(), [Delta::Finish(Finish::Stop)]);
    assert_eq!(meter.counts("test"), (2, 1));
}

#[tokio::test]
async fn an_answer_that_drips_is_given_up() {
    let (provider, listener) = start(|config| {
        config.timeouts.chars_per_sec_min = 1000;
        config.timeouts.rate_window = Duration::from_millis(100);
        config.timeouts.stall = Duration::from_millis(50);
    })
    .await;
    let server = async {
        let mut socket = accept(&listener).await;
        read_request(&mut socket).await;
        write(&mut socket, &format!("{HEAD}\r\n")).await;
        while socket.write_all(CONTENT.as_bytes()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };

    let (results, ()) = join!(results(&provider), server);

    let error = results.last().unwrap().as_ref().unwrap_err();
    assert_eq!(error.kind, Kind::Stalled);
    assert!(error.message.contains("less than the least rate"), "{error}");
}

#[tokio::test]
async fn a_head_without_an_end_is_cut_off() {
    let (provider, listener) = start(|_| {}).await;
    let server = async {
        // It is no answer, so that the call is tried once more before it fails.
        loop {
            let mut socket = accept(&listener).await;
            read_request(&mut socket).await;
            write(&mut socket, HEAD).await;
            while socket.write_all(b"x-more: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n").await.is_ok() {}
        }
    };

    let error = tokio::select! {
        error = last_error(&provider) => error,
        () = server => unreachable!(),
    };

    assert_eq!(error.kind, Kind::Broken, "{error}");
}

#[tokio::test]
async fn a_client_does_not_print_its_key() {
    let (provider, _listener) = start(|_| {}).await;

    assert!(!format!("{provider:?}").contains(KEY));
}

/// A client and the socket that it will call.
async fn start(change: impl FnOnce(&mut OpenAiConfig)) -> (OpenAi, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = start_config();
    config.base_url = format!("http://{}/v1/", listener.local_addr().unwrap());
    change(&mut config);
    (OpenAi::new(config, Meter::default()).unwrap(), listener)
}

fn start_config() -> OpenAiConfig {
    OpenAiConfig {
        name: "test".into(),
        api: Api::OpenAi,
        base_url: String::new(),
        keys: vec![ApiKey { secret: KEY.into(), account: None }],
        model: "test-model".into(),
        headers: BTreeMap::from([("x-team".into(), "blue".into())]),
        proxy: None,
        timeouts: Timeouts::default(),
        include_usage: true,
        max_tokens: Some(100),
        max_tokens_name: MaxTokensName::MaxTokens,
        terms: Terms::NONE,
    }
}

fn request() -> Request {
    let message = |role, content: &str| Message { role, content: content.into() };
    Request {
        run: RunId::new(uuid::Uuid::from_u128(7)),
        model: None,
        messages: vec![message(Role::System, "be brief"), message(Role::User, "say \"hi\"")],
    }
}

/// All that a call gives; an error before the stream is its only item.
async fn results(provider: &OpenAi) -> Vec<Result<Delta, ProviderError>> {
    let call = async {
        match provider.stream(request()).await {
            Ok(stream) => stream.collect().await,
            Err(error) => vec![Err(error)],
        }
    };
    timeout(Duration::from_secs(20), call).await.expect("a call ends by itself")
}

async fn all(provider: &OpenAi) -> Result<Vec<Delta>, ProviderError> {
    results(provider).await.into_iter().collect()
}

async fn last_error(provider: &OpenAi) -> ProviderError {
    results(provider).await.pop().unwrap().unwrap_err()
}

fn response(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

/// Answers one call with these bytes and hangs up; gives the request.
async fn answer(listener: &TcpListener, bytes: &str) -> (String, serde_json::Value) {
    let mut socket = accept(listener).await;
    let request = read_request(&mut socket).await;
    write(&mut socket, bytes).await;
    // The client may have read enough and be gone.
    let _ = socket.shutdown().await;
    request
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let socket = listener.accept().await.unwrap().0;
    socket.set_nodelay(true).unwrap();
    socket
}

async fn write(socket: &mut TcpStream, text: &str) {
    socket.write_all(text.as_bytes()).await.unwrap();
}

async fn write_chunk(socket: &mut TcpStream, text: &str) {
    write_chunk_bytes(socket, text.as_bytes()).await;
}

async fn write_chunk_bytes(socket: &mut TcpStream, bytes: &[u8]) {
    let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    socket.write_all(&chunk).await.unwrap();
}

/// The head of a request, and its body.
async fn read_request(socket: &mut TcpStream) -> (String, serde_json::Value) {
    let mut bytes = Vec::new();
    loop {
        let mut block = [0; 4096];
        let len = socket.read(&mut block).await.unwrap();
        assert!(len > 0, "the request is complete");
        bytes.extend_from_slice(&block[..len]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Ok(body) = serde_json::from_str(body) {
            return (head.to_owned(), body);
        }
    }
}

/// The other side closes within a second.
async fn assert_closed(socket: &mut TcpStream) {
    let closed = async {
        let mut block = [0; 64];
        while socket.read(&mut block).await.is_ok_and(|len| len > 0) {}
    };
    timeout(Duration::from_secs(1), closed).await.expect("the client closes the connection");
}
