//! Segments and snapshots.

use super::session_id;
use crate::store::harness::Harness;
use bytes::Bytes;
use greenroom_actors::port::{Segment, Segments, Snapshot};
use greenroom_protocol::id::Seq;

/// A segment of ten bytes an entry.
fn segment(first: u64, last: u64) -> Segment {
    let entries: String = (first..=last).map(|seq| format!("{seq:>10}")).collect();
    Segment { first: Seq(first), last: Seq(last), bytes: entries.into() }
}

fn snapshot(seq: u64) -> Snapshot {
    Snapshot { seq: Seq(seq), bytes: format!("state as of {seq}").into() }
}

async fn put(store: &impl Segments, session: u128, segments: &[(u64, u64)]) {
    for &(first, last) in segments {
        let segment = segment(first, last);
        store.put_segment(session_id(session), Some(segment), None).await.unwrap();
    }
}

pub(crate) async fn segments_are_read_in_order_and_by_the_byte<H: Harness>(harness: H) {
    let store = harness.open().await;
    // Out of order, with a repeat, and beside another session.
    put(&*store, 1, &[(11, 20), (1, 10), (21, 30), (11, 20)]).await;
    put(&*store, 2, &[(1, 5)]).await;
    let read = async |from, bytes_max| {
        let found = store.segments(session_id(1), Seq(from), bytes_max).await.unwrap();
        let bounds: Vec<_> =
            found.iter().map(|segment| (segment.first.0, segment.last.0)).collect();
        for found in found {
            assert_eq!(found, segment(found.first.0, found.last.0));
        }
        bounds
    };
    let bounds = |bounds: &[(u64, u64)]| bounds.to_vec();

    assert_eq!(read(0, usize::MAX).await, bounds(&[(1, 10), (11, 20), (21, 30)]));
    assert_eq!(read(10, usize::MAX).await, bounds(&[(1, 10), (11, 20), (21, 30)]));
    assert_eq!(read(11, usize::MAX).await, bounds(&[(11, 20), (21, 30)]));
    assert_eq!(read(25, usize::MAX).await, bounds(&[(21, 30)]));
    assert_eq!(read(31, usize::MAX).await, bounds(&[]));
    assert_eq!(read(1, 0).await, bounds(&[(1, 10)]), "one at least");
    assert_eq!(read(1, 200).await, bounds(&[(1, 10), (11, 20)]));
    assert_eq!(store.segments(session_id(3), Seq(1), usize::MAX).await, Ok(vec![]));
}

/// After a takeover the same entries may stand in segments with other bounds.
pub(crate) async fn overlapping_segments_leave_no_gap<H: Harness>(harness: H) {
    let store = harness.open().await;
    put(&*store, 1, &[(1, 20), (5, 8), (5, 10), (15, 30), (21, 25), (26, 40)]).await;

    for from in 1..=40 {
        let mut next = from;
        for segment in store.segments(session_id(1), Seq(from), usize::MAX).await.unwrap() {
            assert!(segment.first.0 <= next, "a gap before {} from {from}", segment.first);
            assert!(segment.last.0 >= from, "nothing from {from} on in {segment:?}");
            next = next.max(segment.last.0 + 1);
        }
        assert_eq!(next, 41, "from {from}");
    }
}

pub(crate) async fn the_head_is_the_last_entry_of_any_segment<H: Harness>(harness: H) {
    let store = harness.open().await;
    assert_eq!(store.segment_head(session_id(1)).await, Ok(Seq::START));

    put(&*store, 1, &[(1, 10)]).await;
    assert_eq!(store.segment_head(session_id(1)).await, Ok(Seq(10)));
    put(&*store, 1, &[(11, 30), (15, 20)]).await;
    assert_eq!(store.segment_head(session_id(1)).await, Ok(Seq(30)));
    store.put_segment(session_id(1), None, Some(snapshot(40))).await.unwrap();
    assert_eq!(store.segment_head(session_id(1)).await, Ok(Seq(30)), "a snapshot has no entries");
}

pub(crate) async fn an_older_snapshot_never_replaces_a_newer_one<H: Harness>(harness: H) {
    let store = harness.open().await;
    assert_eq!(store.snapshot(session_id(1)).await, Ok(None));

    for seq in [5, 5, 9, 7, 1] {
        store.put_segment(session_id(1), None, Some(snapshot(seq))).await.unwrap();
    }
    store.put_segment(session_id(2), Some(segment(1, 3)), Some(snapshot(3))).await.unwrap();
    store.put_segment(session_id(2), None, None).await.unwrap();

    assert_eq!(store.snapshot(session_id(1)).await, Ok(Some(snapshot(9))));
    assert_eq!(store.snapshot(session_id(2)).await, Ok(Some(snapshot(3))));
    assert_eq!(store.segment_head(session_id(2)).await, Ok(Seq(3)));
}

pub(crate) async fn segments_and_snapshots_survive_a_reopen<H: Harness>(harness: H) {
    let large = Segment { first: Seq(1), last: Seq(1), bytes: Bytes::from(vec![7; 1 << 20]) };
    let store = harness.open().await;
    store.put_segment(session_id(1), Some(large.clone()), Some(snapshot(1))).await.unwrap();
    harness.close(store).await;

    let store = harness.open().await;

    assert_eq!(store.segments(session_id(1), Seq(1), 0).await, Ok(vec![large]));
    assert_eq!(store.snapshot(session_id(1)).await, Ok(Some(snapshot(1))));
}
