use super::super::bench::{Bench, CH, USER, attach, call};
use crate::fake::FakeAuth;
use greenroom_protocol::{
    error::CloseCode,
    frame::{After, ClientFrame, Hello},
    limit::HELLO_TIMEOUT,
};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

fn hello(v: (u32, u32), token: Option<String>) -> ClientFrame {
    ClientFrame::Hello(Hello { v, token, ..Hello::default() })
}

/// How the server closes a new socket that begins with these frames in one message.
async fn closed_with(bench: &Bench, frames: &[ClientFrame]) -> CloseCode {
    let mut client = bench.socket();
    client.send_batch(frames).await;
    client.recv().await.unwrap_err().unwrap()
}

#[tokio::test(start_paused = true)]
async fn hello_comes_first() {
    let bench = Bench::new().await;
    let good = hello((1, 1), Some(FakeAuth::token(USER)));
    for other in [
        ClientFrame::Ping { ts: 1 },
        ClientFrame::Pong,
        ClientFrame::Auth { token: FakeAuth::token(USER) },
        attach(CH, After::Start, None),
        call(1, None, "session.list", &json!({})),
    ] {
        assert_eq!(closed_with(&bench, &[other, good.clone()]).await, CloseCode::Malformed);
    }
    assert_eq!(closed_with(&bench, &[good.clone(), good.clone()]).await, CloseCode::Malformed);
    let mut client = bench.client(USER).await;
    client.inner.send(good).await;
    assert_eq!(client.inner.recv().await.unwrap_err(), Some(CloseCode::Malformed));
}

#[tokio::test(start_paused = true)]
async fn hello_in_time() {
    let (bench, begun) = (Bench::new().await, Instant::now());
    let mut client = bench.socket();
    sleep(HELLO_TIMEOUT / 2).await;
    client.alive().await; // is no hello
    assert_eq!(client.recv().await.unwrap_err(), Some(CloseCode::HelloTimeout));
    assert!(begun.elapsed().abs_diff(HELLO_TIMEOUT) < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn hello_without_a_common_version_closes() {
    let bench = Bench::new().await;
    for v in [(0, 0), (2, 3), (3, 1)] {
        let code = closed_with(&bench, &[hello(v, Some(FakeAuth::token(USER)))]).await;
        assert_eq!(code, CloseCode::UnsupportedVersion);
    }
    let mut client = bench.socket();
    client.send(hello((0, 7), Some(FakeAuth::token(USER)))).await;
    client.recv().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn hello_with_a_bad_token_closes() {
    let bench = Bench::new().await;
    for (token, code) in [
        (None, CloseCode::Unauthenticated),
        (Some("no token".to_owned()), CloseCode::Unauthenticated),
        (Some(FakeAuth::token_until(USER, 1)), CloseCode::TokenExpired),
    ] {
        assert_eq!(closed_with(&bench, &[hello((1, 1), token)]).await, code);
    }
}
