//! Lanes of several parts.

use super::{open, options};
use bytes::Bytes;
use greenroom::store::cql::Options;
use greenroom_actors::port::{Appended, Incarnation, Journal, Position, Record};

/// Parts of at most two records.
fn small() -> Option<Options> {
    Some(Options { part_bytes_max: 20, ..options("races")? })
}

fn record(offset: u64) -> Record {
    Record { offset, bytes: format!("record {offset:03}").into() }
}

async fn append(store: &impl Journal, incarnation: Incarnation, offset: u64) -> Appended {
    let at = Position { incarnation, lane: 0, offset };
    store.append(at, record(offset).bytes).await.unwrap()
}

#[tokio::test]
async fn records_of_many_parts_are_one_lane() {
    let Some(options) = small() else { return };
    let store = open(&options).await;
    let incarnation = Journal::open(&store).await.unwrap();
    for offset in 0..25 {
        assert_eq!(append(&store, incarnation, offset).await, Appended::Durable);
    }
    // A second process knows the chain by reading alone.
    let other = open(&options).await;

    for store in [&store, &other] {
        for from in 0..25 {
            let read = store.read(incarnation, 0, from, 7).await.unwrap();
            assert_eq!(read, (from..25.min(from + 7)).map(record).collect::<Vec<_>>());
        }
        for offset in [0, 1, 12, 24] {
            assert_eq!(append(store, incarnation, offset).await, Appended::Durable, "{offset}");
            let at = Position { incarnation, lane: 0, offset };
            let other = store.append(at, Bytes::from_static(b"other")).await;
            assert_eq!(other, Ok(Appended::Fenced), "{offset}");
        }
    }
    assert_eq!(append(&other, incarnation, 25).await, Appended::Durable);
    assert_eq!(append(&store, incarnation, 26).await, Appended::Durable, "a look shows 25");
    assert_eq!(append(&store, incarnation, 28).await, Appended::Fenced);
}

#[tokio::test]
async fn dropped_parts_are_gone_for_all_and_the_rest_stays() {
    let Some(options) = small() else { return };
    let store = open(&options).await;
    let incarnation = Journal::open(&store).await.unwrap();
    for offset in 0..10 {
        append(&store, incarnation, offset).await;
    }

    store.drop_before(incarnation, 0, 7).await.unwrap();
    store.drop_before(incarnation, 0, 3).await.unwrap();

    let other = open(&options).await;
    for store in [&store, &other] {
        let read = store.read(incarnation, 0, 0, 100).await.unwrap();
        assert_eq!(read, (7..10).map(record).collect::<Vec<_>>());
        assert_eq!(append(store, incarnation, 6).await, Appended::Fenced);
        assert_eq!(append(store, incarnation, 9).await, Appended::Durable);
    }
    assert_eq!(append(&other, incarnation, 10).await, Appended::Durable);
    other.drop_before(incarnation, 0, u64::MAX).await.unwrap();
    assert_eq!(store.read(incarnation, 0, 0, 100).await, Ok(vec![]));
    assert_eq!(append(&other, incarnation, 11).await, Appended::Durable);
}

#[tokio::test]
async fn a_lane_of_many_parts_is_sealed_at_its_end_and_goes_whole() {
    let Some(options) = small() else { return };
    let (owner, thief) = (open(&options).await, open(&options).await);
    let incarnation = Journal::open(&owner).await.unwrap();
    // Full to the brim: the owner's next append closes the part and begins another one.
    for offset in 0..4 {
        append(&owner, incarnation, offset).await;
    }

    thief.seal(incarnation).await.unwrap();

    assert_eq!(append(&owner, incarnation, 4).await, Appended::Fenced);
    let read = thief.read(incarnation, 0, 0, 100).await.unwrap();
    assert_eq!(read, (0..4).map(record).collect::<Vec<_>>());
    assert!(thief.unrecovered().await.unwrap().contains(&incarnation));
    thief.recovered(incarnation).await.unwrap();
    assert_eq!(owner.read(incarnation, 0, 0, 100).await, Ok(vec![]));
    assert_eq!(append(&owner, incarnation, 4).await, Appended::Fenced);
}
