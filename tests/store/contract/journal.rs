//! The journal.

use crate::store::harness::Harness;
use bytes::Bytes;
use greenroom_actors::port::{Appended, Incarnation, Journal, Nodes, Position, Record};

fn at(incarnation: Incarnation, lane: u16, offset: u64) -> Position {
    Position { incarnation, lane, offset }
}

fn record(lane: u16, offset: u64) -> Bytes {
    format!("record {offset} of lane {lane}").into()
}

/// Appends the records `from..to` of a lane.
async fn append(
    store: &impl Journal,
    incarnation: Incarnation,
    lane: u16,
    offsets: std::ops::Range<u64>,
) {
    for offset in offsets {
        let appended = store.append(at(incarnation, lane, offset), record(lane, offset)).await;
        assert_eq!(appended, Ok(Appended::Durable), "offset {offset}");
    }
}

fn records(lane: u16, offsets: std::ops::Range<u64>) -> Vec<Record> {
    offsets.map(|offset| Record { offset, bytes: record(lane, offset) }).collect()
}

pub(crate) async fn records_are_read_back_in_order_from_any_offset<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    assert_eq!(store.read(incarnation, 0, 0, 10).await, Ok(vec![]));

    append(&*store, incarnation, 0, 0..10).await;

    assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(records(0, 0..10)));
    assert_eq!(store.read(incarnation, 0, 3, 4).await, Ok(records(0, 3..7)));
    assert_eq!(store.read(incarnation, 0, 10, 4).await, Ok(vec![]));
    assert_eq!(store.read(incarnation, 0, u64::MAX, 4).await, Ok(vec![]));
    assert_eq!(store.read(incarnation, 0, 0, 0).await, Ok(vec![]));
}

pub(crate) async fn lanes_do_not_mix<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();

    for lane in 0..store.lanes() {
        append(&*store, incarnation, lane, 0..u64::from(lane) + 3).await;
    }

    for lane in 0..store.lanes() {
        let expected = records(lane, 0..u64::from(lane) + 3);
        assert_eq!(store.read(incarnation, lane, 0, 100).await, Ok(expected));
    }
}

pub(crate) async fn a_repeat_of_an_append_is_durable_and_leaves_one_record<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    append(&*store, incarnation, 0, 0..3).await;

    append(&*store, incarnation, 0, 2..3).await;
    append(&*store, incarnation, 0, 0..4).await;

    assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(records(0, 0..4)));
}

pub(crate) async fn an_append_is_fenced_where_it_does_not_fit<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    append(&*store, incarnation, 0, 0..2).await;
    let other = Bytes::from_static(b"other bytes");
    let misfits = [
        at(incarnation, 0, 1),
        at(incarnation, 0, 3),
        at(incarnation, 0, u64::MAX),
        at(Incarnation(incarnation.0 + 1), 0, 0),
    ];

    for misfit in misfits {
        let appended = store.append(misfit, other.clone()).await;
        assert_eq!(appended, Ok(Appended::Fenced), "{misfit:?}");
    }

    append(&*store, incarnation, 0, 2..3).await;
    assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(records(0, 0..3)));
}

pub(crate) async fn a_sealed_incarnation_keeps_its_records_and_takes_no_more<H: Harness>(
    harness: H,
) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    append(&*store, incarnation, 0, 0..2).await;

    store.seal(incarnation).await.unwrap();
    store.seal(incarnation).await.unwrap();
    store.seal(Incarnation(incarnation.0 + 1)).await.unwrap();

    let next = store.append(at(incarnation, 0, 2), record(0, 2)).await;
    assert_eq!(next, Ok(Appended::Fenced));
    let repeat = store.append(at(incarnation, 0, 1), record(0, 1)).await;
    assert_eq!(repeat, Ok(Appended::Durable), "it is in the log, whoever sealed that");
    assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(records(0, 0..2)));
}

/// One process has a store for itself where it is not shared: all others are known to be dead.
pub(crate) async fn opening_seals_what_was_open_before_unless_the_store_is_shared<H: Harness>(
    harness: H,
) {
    let store = harness.open().await;
    let first = store.open().await.unwrap();
    assert_eq!(store.unrecovered().await, Ok(vec![]));

    let second = store.open().await.unwrap();

    assert!(second > first);
    append(&*store, second, 0, 0..1).await;
    let late = store.append(at(first, 0, 0), record(0, 0)).await;
    let (appended, unrecovered) = if store.is_shared() {
        (Appended::Durable, vec![])
    } else {
        (Appended::Fenced, vec![first])
    };
    assert_eq!(late, Ok(appended));
    assert_eq!(store.unrecovered().await, Ok(unrecovered));
}

pub(crate) async fn only_a_sealed_incarnation_can_be_recovered<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    append(&*store, incarnation, 0, 0..2).await;

    store.recovered(incarnation).await.unwrap();
    assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(records(0, 0..2)), "still open");
    append(&*store, incarnation, 0, 2..3).await;
    store.seal(incarnation).await.unwrap();
    assert_eq!(store.unrecovered().await, Ok(vec![incarnation]));

    for _repeat in 0..2 {
        store.recovered(incarnation).await.unwrap();
        assert_eq!(store.unrecovered().await, Ok(vec![]));
        assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(vec![]));
    }
    let late = store.append(at(incarnation, 0, 3), record(0, 3)).await;
    assert_eq!(late, Ok(Appended::Fenced));
}

pub(crate) async fn dropped_records_are_gone_and_offsets_go_on<H: Harness>(harness: H) {
    let store = harness.open().await;
    let incarnation = store.open().await.unwrap();
    append(&*store, incarnation, 0, 0..5).await;

    store.drop_before(incarnation, 0, 3).await.unwrap();
    assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(records(0, 3..5)));
    store.drop_before(incarnation, 0, 1).await.unwrap();
    assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(records(0, 3..5)));
    store.drop_before(incarnation, 0, 5).await.unwrap();
    assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(vec![]));

    harness.close(store).await;
    let store = harness.open().await;
    let again = store.append(at(incarnation, 0, 0), record(0, 0)).await;
    assert_eq!(again, Ok(Appended::Fenced), "offset 0 was used");
    append(&*store, incarnation, 0, 5..7).await;
    assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(records(0, 5..7)));
}

pub(crate) async fn records_survive_a_reopen_until_they_are_recovered<H: Harness>(harness: H) {
    let mut store = harness.open().await;
    let mut lives = Vec::new();
    for life in 0..3 {
        lives.push(store.open().await.unwrap());
        append(&*store, lives[life], 0, 0..life as u64 + 1).await;
        store.seal(lives[life]).await.unwrap();
        harness.close(store).await;
        store = harness.open().await;
    }
    let current = store.open().await.unwrap();

    assert_eq!(store.unrecovered().await.unwrap(), lives, "oldest first");
    for (life, &incarnation) in lives.iter().enumerate() {
        let expected = records(0, 0..life as u64 + 1);
        assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(expected));
    }
    store.recovered(lives[1]).await.unwrap();
    assert_eq!(store.unrecovered().await, Ok(vec![lives[0], lives[2]]));
    append(&*store, current, 0, 0..1).await;
}
