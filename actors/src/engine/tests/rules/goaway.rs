use super::super::bench::{Bench, USER};
use greenroom_protocol::{
    error::{CloseCode, Reason},
    event::Outcome,
    frame::ServerFrame,
};

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
