use super::super::bench::{Bench, USER};
use crate::fake::FakeAuth;
use greenroom_protocol::{
    error::CloseCode,
    frame::{ClientFrame, Hello, ServerFrame},
    limit::{HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT},
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// That so much time went by, within a tick or two of the clock.
fn assert_took(begun: Instant, expected: Duration) {
    let off = begun.elapsed().abs_diff(expected);
    assert!(off < Duration::from_millis(10), "{:?}, not {expected:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn heartbeat_pings_after_silence() {
    let bench = Bench::new().await;
    let mut client = bench.client(USER).await;
    for _ in 0..3 {
        let begun = Instant::now();
        assert!(client.inner.pinged().await);
        assert_took(begun, HEARTBEAT_INTERVAL);
        sleep(HEARTBEAT_TIMEOUT / 2).await;
        client.inner.send(ClientFrame::Pong).await; // no WebSocket pong, but bytes all the same
        sleep(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeat_dead_peer_closes() {
    let bench = Bench::new().await;
    let (begun, mut client) = (Instant::now(), bench.client(USER).await);
    assert!(client.inner.pinged().await);
    assert_eq!(client.inner.recv().await.unwrap_err(), Some(CloseCode::HeartbeatTimeout));
    assert_took(begun, HEARTBEAT_INTERVAL + HEARTBEAT_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_for_json_pings_gets_them() {
    let bench = Bench::new().await;
    let mut client = bench.socket();
    let token = Some(FakeAuth::token(USER));
    let features = vec!["ping".to_owned()];
    client.send(ClientFrame::Hello(Hello { v: (1, 1), token, features, ..Hello::default() })).await;
    assert!(matches!(client.recv().await, Ok(ServerFrame::Welcome(_))));
    for _ in 0..2 {
        assert!(matches!(client.recv().await, Ok(ServerFrame::Ping { .. })));
        client.send(ClientFrame::Pong).await;
    }
    assert!(matches!(client.recv().await, Ok(ServerFrame::Ping { .. })));
    assert_eq!(client.recv().await.unwrap_err(), Some(CloseCode::HeartbeatTimeout));
}
