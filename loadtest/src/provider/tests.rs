//! The stand-in over a real socket.

use super::*;
use serde_json::{Value, json};
use std::time::Duration;

const SYSTEM: &str = "Files go like this:\n@@abc234 write PATH\n";

fn start() -> Provider {
    Provider::start(Options { port: 0, ..Options::default() }).unwrap()
}

async fn ask(provider: &Provider, model: &str, user: &str) -> reqwest::Response {
    let body = json!({
        "model": model, "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}],
    });
    let url = format!("{}/chat/completions", provider.base_url());
    let post = reqwest::Client::new().post(url).header("x-greenroom-run", "run_1");
    post.body(body.to_string()).send().await.unwrap()
}

/// The chunks of a body, and whether it ended with its own mark.
fn chunks(body: &str) -> (Vec<Value>, bool) {
    let data: Vec<_> = body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let done = data.last() == Some(&"[DONE]");
    (data.iter().filter_map(|json| serde_json::from_str(json).ok()).collect(), done)
}

fn text(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

/// Waits until the last call has ended; the log is written by another thread.
async fn last_call(provider: &Provider) -> Call {
    loop {
        if let Some(call) = provider.log().calls().pop().filter(|call| call.end.is_some()) {
            return call;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn stamps_are_counted_and_usage_comes_last() {
    let provider = start();
    let body = ask(&provider, "m-0-300", "hi").await.text().await.unwrap();
    let (chunks, done) = chunks(&body);
    assert!(done);
    assert_eq!(text(&chunks).matches("t=").count(), 300);
    assert_eq!(chunks.last().unwrap()["usage"]["completion_tokens"], 300);
    let call = last_call(&provider).await;
    assert_eq!((call.tokens, call.end), (300, Some(End::Done)));
    assert_eq!(call.run.as_deref(), Some("run_1"));
}

#[tokio::test]
async fn an_app_answer_is_what_the_prompt_decides() {
    let provider = start();
    let body = ask(&provider, "app-0-s", "Request:\nmake a page").await.text().await.unwrap();
    let expected = app::text(&app::plan("s", "make a page", &prompt::Tree::new()), "abc234");
    assert_eq!(text(&chunks(&body).0), expected);
    assert_eq!(last_call(&provider).await.bytes, expected.len() as u64);
}

#[tokio::test]
async fn a_cut_ends_at_its_byte_without_an_end_mark() {
    let provider = start();
    let mut response = ask(&provider, "app-0-s+cut=40*1", "Request:\nmake a page").await;
    let mut body = Vec::new();
    while let Ok(Some(part)) = response.chunk().await {
        body.extend_from_slice(&part);
    }
    let (cut, done) = chunks(std::str::from_utf8(&body).unwrap());
    let whole = app::text(&app::plan("s", "make a page", &prompt::Tree::new()), "abc234");
    assert!(!done && whole.starts_with(&text(&cut)) && text(&cut).len() <= 40);
    let call = last_call(&provider).await;
    assert_eq!(
        (call.end, call.bytes, call.fault.as_deref()),
        (Some(End::Fault), 40, Some("cut=40"))
    );
    let second =
        ask(&provider, "app-0-s+cut=40*1", "Request:\nmake a page").await.text().await.unwrap();
    assert_eq!(text(&chunks(&second).0), whole, "only the first call of the run is cut");
}

#[tokio::test]
async fn an_error_inside_a_stream_has_status_200() {
    let provider = start();
    let response = ask(&provider, "m-0-9+error=38", "hi").await;
    assert_eq!(response.status(), 200);
    let (chunks, done) = chunks(&response.text().await.unwrap());
    assert!(!done);
    assert_eq!(text(&chunks).matches("t=").count(), 2);
    assert!(chunks.last().unwrap()["error"].is_object());
}

#[tokio::test]
async fn a_client_that_leaves_is_seen_at_once() {
    let provider = start();
    let mut response = ask(&provider, "m-200-100000+stall=190", "hi").await;
    while response.chunk().await.unwrap().is_some_and(|part| !part.is_empty()) {
        if provider.log().calls().len() == 1 {
            break;
        }
    }
    drop(response);
    let call = tokio::time::timeout(Duration::from_secs(5), last_call(&provider)).await.unwrap();
    assert_eq!(call.end, Some(End::ClientClosed));
    assert!(call.bytes <= 190);
}

#[tokio::test]
async fn queued_faults_meet_the_next_calls() {
    let provider = start();
    let url = format!("http://{}/faults", provider.addr());
    let queued = reqwest::Client::new().post(url).body("429*1").send().await.unwrap();
    assert_eq!(queued.status(), 204);
    let refused = ask(&provider, "m-0-1", "hi").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(ask(&provider, "m-0-1", "hi").await.status(), 200);
}

#[tokio::test]
async fn faults_of_a_run_meet_its_calls_alone() {
    let provider = start();
    let url = format!("http://{}/faults", provider.addr());
    for (run, faults) in [("run_1", "401 502*1"), ("run_2", "500")] {
        let post = reqwest::Client::new().post(&url).header("x-greenroom-run", run);
        assert_eq!(post.body(faults).send().await.unwrap().status(), 204);
    }
    assert_eq!(ask(&provider, "m-0-1", "hi").await.status(), 401);
    assert_eq!(ask(&provider, "m-0-1", "hi").await.status(), 401, "without a number: for ever");
    let wrong = reqwest::Client::new().post(&url).body("boom").send().await.unwrap();
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().await.unwrap().contains("429=WAIT"), "the answer lists what there is");
}

#[tokio::test]
async fn ollamas_own_api_answers_in_lines() {
    let provider = start();
    let body = json!({
        "model": "app-0-s+crlf,think,tools,finish=length",
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Request:\nmake a page"}],
    });
    let url = format!("{}/chat", provider.ollama_url());
    let answer = reqwest::Client::new().post(url).body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let body = answer.text().await.unwrap();
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text: String =
        lines.iter().filter_map(|line| line["message"]["content"].as_str()).collect();
    let whole = app::text(&app::plan("s", "make a page", &prompt::Tree::new()), "abc234");
    assert_eq!(text.split_once("</think>\n").unwrap().1, whole);
    let last = lines.last().unwrap();
    assert_eq!((&last["done"], &last["done_reason"]), (&true.into(), &"length".into()));
    assert!(body.contains("\r\n") && last["eval_count"].is_u64());
}

#[tokio::test]
async fn connections_are_counted_and_those_without_a_call_end_when_asked() {
    let provider = start();
    let client = reqwest::Client::new();
    let log = format!("http://{}/log", provider.addr());
    client.get(&log).send().await.unwrap().text().await.unwrap();
    let connections = provider.connections();
    while connections.busy() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(connections.open(), 1, "the client keeps it");
    connections.hang_up();
    while connections.open() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_breaks_the_contract_is_refused_and_logged() {
    let provider = start();
    assert_eq!(ask(&provider, "gpt-4", "hi").await.status(), 404);
    assert_eq!(ask(&provider, "app-0-s", "no request").await.status(), 400);
    let log = reqwest::get(format!("http://{}/log", provider.addr())).await.unwrap();
    let lines = log.text().await.unwrap();
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.contains("refused"), "{lines}");
}
