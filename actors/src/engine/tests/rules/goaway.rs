use super::super::bench::{Bench, USER};
use crate::fake::FakeAuth;
use greenroom_protocol::{
    error::{CloseCode, Reason},
    event::Outcome,
    frame::ServerFrame,
    id::UserId,
};
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// Longest wait for what must come.
const WAIT_MAX: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn goaway_comes_before_a_drain_closes() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let mut idle = bench.client(USER).await;
    client.start(2, "talk").await.unwrap();
    let call = bench.calls.next().await.unwrap();
    let engine = bench.engine.clone();
    crate::spawn(async move { engine.drain().await });
    for client in [&mut client, &mut idle] {
        let goaway = loop {
            if let ServerFrame::GoAway(goaway) = client.recv().await {
                break goaway;
            }
        };
        assert_eq!(goaway.reason, Reason::Draining);
    }
    assert_eq!(client.start(3, "more").await.unwrap_err().reason, Reason::Draining);
    call.finish().await;
    assert_eq!(client.until_finished().await.1, Outcome::Completed, "runs may end");
    for client in [&mut client, &mut idle] {
        let end = loop {
            if let Err(end) = client.inner.recv().await {
                break end;
            }
        };
        assert_eq!(end, Some(CloseCode::GoingAway));
    }
    bench.engine.failed().await;
}

/// On several threads, so that the end of the actors comes while they have much to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_socket_is_told_why_a_drain_closes_it() {
    let bench = Bench::new().await;
    let mut clients = Vec::new();
    for n in 0..500 {
        let token = FakeAuth::token(UserId::new(Uuid::from_u128(1000 + n)));
        clients.push(bench.client_with(token).await);
    }
    bench.engine.drain().await;
    for mut client in clients {
        let end = timeout(WAIT_MAX, async {
            loop {
                if let Err(end) = client.inner.recv().await {
                    return end;
                }
            }
        });
        assert_eq!(end.await, Ok(Some(CloseCode::GoingAway)));
    }
}
