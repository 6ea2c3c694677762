use super::super::bench::{
    Bench, CH, Client, USER, assert_contiguous, attach, entries_of, text_of,
};
use crate::{EngineConfig, fake::FakeStore};
use greenroom_protocol::{
    error::{CloseCode, Reason},
    frame::{After, ClientFrame, ServerFrame},
    id::Channel,
    limit::{PAUSED_MAX, WRITE_TIMEOUT},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// A reader that has used up all its credit, of a session that has more to say.
async fn paused(bench: &mut Bench) -> Client {
    let mut client = bench.attached().await;
    bench.turn(&mut client, 2, &["one", "two"]).await;
    let mut reader = bench.client(USER).await;
    reader.send_attach(After::Start, Some(1)).await;
    let frames = reader.frames().await;
    assert!(matches!(frames[0], ServerFrame::Attached(_)), "{frames:?}");
    assert_eq!(entries_of(&frames).len(), 1, "one frame overdraws");
    reader
}

#[tokio::test(start_paused = true)]
async fn flow_control_frames_need_no_credit() {
    let mut bench = Bench::new().await;
    let mut reader = paused(&mut bench).await;
    reader.call("session.get", super::super::bench::cid(0), json!({})).await.unwrap();
    reader.inner.send(ClientFrame::Ping { ts: 3 }).await;
    assert!(matches!(reader.recv().await, ServerFrame::Pong { ts: 3 }));
    reader.inner.send(attach(Channel(2), After::Live, Some(0))).await;
    assert!(matches!(reader.recv().await, ServerFrame::Attached(_)));
    assert!(matches!(reader.recv().await, ServerFrame::CaughtUp(_)));

    let mut client = bench.client(USER).await;
    bench.store.set_down(true);
    client.send_call("run.start", super::super::bench::cid(9), &json!({"input": "x"})).await;
    let mut alerted = Vec::new();
    while alerted.len() < 2 {
        match reader.recv().await {
            ServerFrame::Error { ch: Some(ch), error } => {
                assert_eq!(error.reason, Reason::StoreUnavailable);
                alerted.push(ch.0);
            }
            frame => panic!("{frame:?}"),
        }
    }
    alerted.sort_unstable();
    assert_eq!(alerted, [1, 2]);
    bench.store.set_down(false);
    assert!(entries_of(&reader.frames().await).is_empty(), "no credit, no entries");
    reader.inner.send(ClientFrame::Detach { ch: CH }).await;
    assert!(matches!(reader.recv().await, ServerFrame::Detached(_)));
}

#[tokio::test(start_paused = true)]
async fn flow_slow_reader_is_detached_with_retry() {
    let mut bench = Bench::new().await;
    let begun = Instant::now();
    let mut reader = paused(&mut bench).await;
    let paused_at = begun.elapsed();
    match reader.recv().await {
        ServerFrame::Detached(detached) => {
            assert_eq!((detached.ch, detached.reason), (CH, Reason::SlowConsumer));
            assert!(detached.retry_after_ms.is_some());
        }
        frame => panic!("{frame:?}"),
    }
    let waited = begun.elapsed() - paused_at;
    assert!(waited.abs_diff(PAUSED_MAX) < Duration::from_secs(2), "{waited:?}");
    reader.attach(After::Start).await; // the socket stays
}

#[tokio::test(start_paused = true)]
async fn flow_slow_reader_leaves_others_alone() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.until_caught_up().await;
    // One without credit on the same socket, one whose socket nobody reads.
    client.inner.send(attach(Channel(2), After::Start, Some(1))).await;
    let stalled = bench.reader().await;
    bench.client(USER).await.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    let mut said = String::new();
    let begun = Instant::now();
    let mut frames = Vec::new();
    for n in 0..200 {
        let piece = format!("{n} ");
        call.text(&piece).await;
        said.push_str(&piece);
        sleep(Duration::from_millis(50)).await;
        while let Ok(frame) = timeout(Duration::from_millis(1), client.recv()).await {
            frames.push(frame);
        }
    }
    call.finish().await;
    frames.extend(client.frames().await);
    let (slow, others): (Vec<_>, Vec<_>) =
        entries_of(&frames).into_iter().partition(|entry| entry.ch == Channel(2));
    assert_eq!(slow.len(), 1);
    assert_eq!(text_of(&others), said);
    assert_contiguous(others[0].seq.0, &others);
    assert!(others.len() > 200, "as they came, not merged");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    drop(stalled);
}

#[tokio::test(start_paused = true)]
async fn flow_stalled_write_closes() {
    let config = EngineConfig { window: Duration::ZERO, ..EngineConfig::default() };
    let mut bench = Bench::on(Arc::new(FakeStore::new()), config).await;
    let mut client = bench.attached().await;
    let mut stalled = bench.reader().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    for n in 0..200 {
        call.text(&format!("{n} ")).await;
        sleep(Duration::from_millis(10)).await;
    }
    drop(client);
    stalled.inner.alive().await; // it lives, but nobody reads
    sleep(WRITE_TIMEOUT - Duration::from_secs(3)).await;
    assert_eq!(bench.engine.meter().connections.get(), 1);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.engine.meter().connections.get(), 0);
    let end = loop {
        if let Err(end) = stalled.inner.recv().await {
            break end;
        }
    };
    assert_eq!(end, Some(CloseCode::SlowConsumer));
}
