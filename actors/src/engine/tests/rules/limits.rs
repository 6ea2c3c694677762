use super::super::bench::{Bench, CH, OTHER, USER, attach, call};
use crate::{
    EngineConfig,
    fake::{FakeAuth, FakeStore},
};
use greenroom_protocol::{
    error::{CloseCode, ErrorBody, Reason},
    frame::{Ack, After, ClientFrame, Hello, ServerFrame},
    id::{Channel, Seq},
};
use serde_json::json;
use std::sync::Arc;

fn assert_limited(error: &ErrorBody) {
    assert_eq!((error.reason, error.retry_after_ms), (Reason::RateLimited, Some(250)));
}

#[tokio::test(start_paused = true)]
async fn limits_first_breach_is_told() {
    let bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.until_caught_up().await;
    bench.limiter.refuse(250);
    client.inner.send(call(7, None, "session.list", &json!({}))).await;
    match client.recv().await {
        ServerFrame::Err { id: 7, error } => assert_limited(&error),
        frame => panic!("{frame:?}"),
    }
    client.inner.send(attach(Channel(2), After::Start, None)).await;
    match client.recv().await {
        ServerFrame::Error { ch: Some(Channel(2)), error } => {
            assert_limited(&error);
        }
        frame => panic!("{frame:?}"),
    }
    for frame in [ClientFrame::Ping { ts: 1 }, ClientFrame::Detach { ch: CH }] {
        client.inner.send(frame).await;
        match client.recv().await {
            ServerFrame::Limits(limits) => assert_eq!(limits.retry_after_ms, Some(250)),
            frame => panic!("{frame:?}"),
        }
    }
    for _ in 0..100 {
        client.inner.send(ClientFrame::Pong).await;
        client.inner.send(ClientFrame::Ack { acks: vec![Ack(CH, Seq(1), 1)] }).await;
    }
    assert!(client.frames().await.is_empty(), "what is free is free");
    bench.limiter.refuse(0);
    client.inner.send(ClientFrame::Ping { ts: 2 }).await;
    assert!(matches!(client.recv().await, ServerFrame::Pong { ts: 2 }));
}

#[tokio::test(start_paused = true)]
async fn limits_repeated_breach_closes() {
    let bench = Bench::new().await;
    let mut client = bench.client(USER).await;
    bench.limiter.refuse(250);
    let mut told = 0;
    let code = loop {
        client.inner.send(ClientFrame::Ping { ts: 1 }).await;
        match client.inner.recv().await {
            Ok(ServerFrame::Limits(_)) => told += 1,
            Ok(frame) => panic!("{frame:?}"),
            Err(code) => break code,
        }
        assert!(told < 1000, "it may go on for ever");
    };
    assert!(told > 0);
    assert_eq!(code, Some(CloseCode::RateLimited));
}

#[tokio::test(start_paused = true)]
async fn a_user_has_so_many_sockets_and_gets_them_back() {
    let config = EngineConfig { connections_per_user: 2, ..EngineConfig::default() };
    let bench = Bench::on(Arc::new(FakeStore::new()), config).await;
    let first = bench.client(USER).await;
    let _second = bench.client(USER).await;
    let hello = Hello { v: (1, 1), token: Some(FakeAuth::token(USER)), ..Hello::default() };
    let mut third = bench.socket();
    third.send(ClientFrame::Hello(hello)).await;
    assert_eq!(third.recv().await.unwrap_err(), Some(CloseCode::ConnectionLimit));
    bench.client(OTHER).await;

    drop(first);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await; // its task ends
    bench.client(USER).await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_has_so_many_attachments() {
    let config = EngineConfig { attachments_per_connection: 1, ..EngineConfig::default() };
    let bench = Bench::on(Arc::new(FakeStore::new()), config).await;
    let mut client = bench.attached().await;
    client.until_caught_up().await;
    client.inner.send(attach(Channel(2), After::Start, None)).await;
    match client.recv().await {
        ServerFrame::Error { ch: Some(Channel(2)), error } => {
            assert_eq!(error.reason, Reason::TooManyAttachments);
        }
        frame => panic!("{frame:?}"),
    }
    client.inner.send(ClientFrame::Detach { ch: CH }).await;
    assert!(matches!(client.recv().await, ServerFrame::Detached(_)));
    client.inner.send(attach(Channel(2), After::Start, None)).await;
    assert!(matches!(client.recv().await, ServerFrame::Attached(_)));
}
