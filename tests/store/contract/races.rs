//! What holds however calls interleave.

use super::{session_id, sessions::row};
use crate::store::harness::Harness;
use bytes::Bytes;
use greenroom_actors::port::{
    Appended, Claim, Incarnation, Journal, Position, Record, Segment, Segments, Sessions,
};
use greenroom_protocol::id::Seq;
use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};
use tokio::{sync::watch, task::JoinSet};

/// Longest wait for an owner to notice that it is fenced.
const FENCED_WITHIN: Duration = Duration::from_secs(10);

fn record(offset: u64) -> Bytes {
    format!("record {offset}").into()
}

/// Appends from offset 0 on until it is fenced; says how many were acknowledged.
async fn append_until_fenced(
    store: Arc<impl Journal>,
    incarnation: Incarnation,
    acknowledged: watch::Sender<u64>,
) -> u64 {
    for offset in 0.. {
        let at = Position { incarnation, lane: 0, offset };
        match store.append(at, record(offset)).await.unwrap() {
            Appended::Durable => acknowledged.send_replace(offset + 1),
            Appended::Fenced => return offset,
        };
    }
    u64::MAX
}

pub(crate) async fn once_sealed_nothing_appears_and_nothing_acknowledged_is_missing<H: Harness>(
    harness: H,
) {
    let store = harness.open().await;
    for round in 0..20 {
        let incarnation = store.open().await.unwrap();
        let (acknowledged, mut seen) = watch::channel(0);
        let mut owner = JoinSet::new();
        owner.spawn(append_until_fenced(Arc::clone(&store), incarnation, acknowledged));
        seen.wait_for(|&acknowledged| acknowledged >= round).await.unwrap();

        store.seal(incarnation).await.unwrap();
        let at_once = store.read(incarnation, 0, 0, usize::MAX).await.unwrap();
        let owner = tokio::time::timeout(FENCED_WITHIN, owner.join_next());
        let acknowledged = owner.await.expect("appends end after the seal").unwrap().unwrap();
        let later = store.read(incarnation, 0, 0, usize::MAX).await.unwrap();

        assert_eq!(later, at_once, "a record appeared after the seal");
        let records = (0..acknowledged).map(|offset| Record { offset, bytes: record(offset) });
        assert_eq!(later, records.collect::<Vec<_>>(), "an acknowledged record is missing");
    }
}

pub(crate) async fn of_two_writers_one_is_fenced<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    for offset in 0..50 {
        let mut writers = JoinSet::new();
        for writer in ["one", "two"] {
            let store = Arc::clone(&store);
            let at = Position { incarnation, lane: 0, offset };
            writers.spawn(async move { store.append(at, writer.into()).await.unwrap() });
        }
        let answers = writers.join_all().await;
        let durable = answers.iter().filter(|&&answer| answer == Appended::Durable).count();
        assert_eq!(durable, 1, "{answers:?} at {offset}");
    }
}

/// The owner of an append may die in the middle of it, or lose patience.
pub(crate) async fn an_abandoned_append_can_be_repeated<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    for offset in 0..50 {
        let at = Position { incarnation, lane: 0, offset };
        {
            let mut abandoned = pin!(store.append(at, record(offset)));
            // Polled once, so that it has begun.
            let _begun = poll_fn(|cx| Poll::Ready(abandoned.as_mut().poll(cx))).await;
        }
        assert_eq!(store.append(at, record(offset)).await, Ok(Appended::Durable));
    }

    let records = (0..50).map(|offset| Record { offset, bytes: record(offset) }).collect();
    assert_eq!(store.read(incarnation, 0, 0, usize::MAX).await, Ok(records));
}

pub(crate) async fn of_many_claimants_one_gets_the_session<H: Harness>(harness: H) {
    let store = harness.open().await;
    store.create_session(row(1)).await.unwrap();
    let mut owner = None;
    for round in 0..10 {
        let mut claimants = JoinSet::new();
        for claimant in 1..=16 {
            let store = Arc::clone(&store);
            let claimant = Incarnation(round * 100 + claimant);
            claimants.spawn(async move {
                let claim = store.claim(session_id(1), owner, claimant).await.unwrap();
                (claim == Claim::Claimed).then_some(claimant)
            });
        }
        let winners: Vec<_> = claimants.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        owner = Some(winners[0]);
        assert_eq!(store.session(session_id(1)).await.unwrap().unwrap().owner, owner);
    }
}

pub(crate) async fn segments_and_records_of_many_sessions_do_not_mix<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    let segment = |session: u128, seq: u64| Segment {
        first: Seq(seq),
        last: Seq(seq),
        bytes: format!("entry {seq} of {session}").into(),
    };
    let mut writers = JoinSet::new();
    for session in 0..20 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for seq in 1..=20 {
                let segment = segment(session, seq);
                store.put_segment(session_id(session), Some(segment), None).await.unwrap();
            }
        });
    }
    for offset in 0..100 {
        let at = Position { incarnation, lane: 0, offset };
        assert_eq!(store.append(at, record(offset)).await, Ok(Appended::Durable));
    }
    writers.join_all().await;

    for session in 0..20 {
        let found = store.segments(session_id(session), Seq(1), usize::MAX).await.unwrap();
        assert_eq!(found, (1..=20).map(|seq| segment(session, seq)).collect::<Vec<_>>());
    }
    assert_eq!(store.read(incarnation, 0, 0, usize::MAX).await.unwrap().len(), 100);
}
