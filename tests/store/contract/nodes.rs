//! The nodes.

use crate::store::harness::Harness;
use bytes::Bytes;
use greenroom_actors::port::{Appended, Incarnation, Journal, NodeRow, Nodes, Position};
use std::sync::Arc;
use tokio::task::JoinSet;

fn row(incarnation: Incarnation, address: Option<&str>, beat: u64, sealed: bool) -> NodeRow {
    NodeRow { incarnation, address: address.map(str::to_owned), beat, sealed }
}

pub(crate) async fn a_node_is_listed_from_its_opening_until_it_is_recovered<H: Harness>(
    harness: H,
) {
    let store = harness.open().await;
    assert_eq!(store.nodes().await, Ok(vec![]));
    let first = store.open().await.unwrap();
    assert_eq!(store.nodes().await, Ok(vec![row(first, None, 0, false)]), "before it joins");
    for _repeat in 0..2 {
        store.join(first, "10.0.0.1:8001".into()).await.unwrap();
        let joined = row(first, Some("10.0.0.1:8001"), 0, false);
        assert_eq!(store.nodes().await, Ok(vec![joined]));
    }
    let second = store.open().await.unwrap();
    store.join(second, "10.0.0.2:8001".into()).await.unwrap();

    store.seal(first).await.unwrap();
    let sealed = row(first, Some("10.0.0.1:8001"), 0, true);
    let lives = row(second, Some("10.0.0.2:8001"), 0, false);
    assert_eq!(store.nodes().await, Ok(vec![sealed, lives.clone()]), "oldest first");
    store.recovered(second).await.unwrap();
    store.recovered(first).await.unwrap();

    assert_eq!(store.nodes().await, Ok(vec![lives]), "who lives cannot be recovered");
}

pub(crate) async fn a_beat_shows_and_disturbs_nothing<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    store.join(incarnation, "one".into()).await.unwrap();
    let at = |offset| Position { incarnation, lane: 0, offset };

    for beat in 1..=10 {
        store.beat(incarnation, beat).await.unwrap();
        assert_eq!(store.nodes().await, Ok(vec![row(incarnation, Some("one"), beat, false)]));
        let appended = store.append(at(beat - 1), Bytes::from_static(b"r")).await;
        assert_eq!(appended, Ok(Appended::Durable));
    }
}

/// As one that was stopped, declared dead, and goes on.
pub(crate) async fn a_sealed_node_stays_sealed_whatever_it_does<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    store.join(incarnation, "one".into()).await.unwrap();
    store.seal(incarnation).await.unwrap();

    store.beat(incarnation, 9).await.unwrap();
    store.join(incarnation, "elsewhere".into()).await.unwrap();

    let listed = store.nodes().await.unwrap();
    let [node] = listed.as_slice() else { panic!("{listed:?}") };
    assert!(node.sealed && node.address.as_deref() == Some("one"), "{node:?}");
    let at = Position { incarnation, lane: 0, offset: 0 };
    assert_eq!(store.append(at, Bytes::from_static(b"r")).await, Ok(Appended::Fenced));
    assert_eq!(store.unrecovered().await, Ok(vec![incarnation]));

    store.recovered(incarnation).await.unwrap();
    store.beat(incarnation, 10).await.unwrap();
    store.join(incarnation, "elsewhere".into()).await.unwrap();
    store.seal(incarnation).await.unwrap();

    assert_eq!(store.nodes().await, Ok(vec![]), "it is done with");
    assert_eq!(store.unrecovered().await, Ok(vec![]));
}

pub(crate) async fn of_many_who_seal_and_recover_all_find_the_same<H: Harness>(harness: H) {
    let store = harness.open().await;
    for _round in 0..10 {
        let dead = store.open().await.unwrap();
        let at = Position { incarnation: dead, lane: 0, offset: 0 };
        assert_eq!(store.append(at, Bytes::from_static(b"r")).await, Ok(Appended::Durable));
        let mut observers = JoinSet::new();
        for _observer in 0..8 {
            let store = Arc::clone(&store);
            observers.spawn(async move {
                store.seal(dead).await.unwrap();
                let listed = store.nodes().await.unwrap();
                let sealed = listed.iter().find(|node| node.incarnation == dead);
                assert!(sealed.is_none_or(|node| node.sealed), "{listed:?}");
                store.recovered(dead).await.unwrap();
                assert!(store.nodes().await.unwrap().iter().all(|node| node.incarnation != dead));
            });
        }
        observers.join_all().await;
        let next = Position { offset: 1, ..at };
        let late = store.append(next, Bytes::from_static(b"s")).await;
        assert_eq!(late, Ok(Appended::Fenced));
    }
}

pub(crate) async fn nodes_survive_a_reopen<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    store.join(incarnation, "one".into()).await.unwrap();
    store.beat(incarnation, 3).await.unwrap();
    harness.close(store).await;

    let store = harness.open().await;

    assert_eq!(store.nodes().await, Ok(vec![row(incarnation, Some("one"), 3, false)]));
}
