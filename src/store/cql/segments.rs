//! Segments and snapshots.

use super::{CqlStore, number, unsigned};
use greenroom_actors::port::{BoxFuture, Segment, Segments, Snapshot, StoreError};
use greenroom_protocol::id::{Seq, SessionId};
use std::ops::ControlFlow;

/// Entries whose segments share a partition.
const SHELF_ENTRIES: u64 = 65_536;

/// Most entries of a segment: one that holds an entry begins no further before it. Sessions write
/// at most 256.
const SEGMENT_ENTRIES_MAX: u64 = 4096;

impl CqlStore {
    async fn write_segment(&self, session: SessionId, segment: Segment) -> Result<(), StoreError> {
        let Segment { first, last, bytes } = segment;
        if last.0.saturating_sub(first.0) >= SEGMENT_ENTRIES_MAX {
            let what = format!("a segment from {first} to {last} has too many entries");
            return Err(StoreError::Corrupt(what));
        }
        let (session, shelf) = (session.uuid(), number(first.0 / SHELF_ENTRIES));
        let (first, last) = (number(first.0), number(last.0));
        let segment = (session, shelf, first, last, bytes);
        self.write(&self.statements.segment_put, segment).await?;
        // After it: whoever reads this head finds its entry.
        self.write(&self.statements.segment_head_put, (session, last, last)).await
    }

    async fn read_segments(
        &self,
        session: SessionId,
        from: Seq,
        bytes_max: usize,
    ) -> Result<Vec<Segment>, StoreError> {
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        let begin = from.0.saturating_sub(SEGMENT_ENTRIES_MAX);
        for shelf in begin / SHELF_ENTRIES.. {
            let (mut is_empty, mut is_full) = (true, false);
            let values = (session.uuid(), number(shelf), number(begin));
            let take = |(first, last, entries): (i64, i64, Vec<u8>)| {
                is_empty = false;
                let (first, last) = (Seq(unsigned(first)), Seq(unsigned(last)));
                if last < from {
                    return ControlFlow::Continue(());
                }
                bytes = bytes.saturating_add(entries.len());
                is_full = !found.is_empty() && bytes > bytes_max;
                if is_full {
                    return ControlFlow::Break(());
                }
                found.push(Segment { first, last, bytes: entries.into() });
                ControlFlow::Continue(())
            };
            self.each(&self.statements.segments, values, take).await?;
            // Entries have no gap: beyond an empty shelf there is nothing.
            if is_full || (is_empty && shelf >= from.0 / SHELF_ENTRIES) {
                break;
            }
        }
        Ok(found)
    }
}

impl Segments for CqlStore {
    fn put_segment(
        &self,
        session: SessionId,
        segment: Option<Segment>,
        snapshot: Option<Snapshot>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.bounded(async move {
            if let Some(segment) = segment {
                self.write_segment(session, segment).await?;
            }
            // After the entries that it includes: whoever reads it finds them.
            if let Some(Snapshot { seq, bytes }) = snapshot {
                let seq = number(seq.0);
                let values = (session.uuid(), seq, bytes, seq);
                self.write(&self.statements.snapshot_put, values).await?;
            }
            Ok(())
        })
    }

    fn segments(
        &self,
        session: SessionId,
        from: Seq,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<Segment>, StoreError>> {
        self.bounded(self.read_segments(session, from, bytes_max))
    }

    fn segment_head(&self, session: SessionId) -> BoxFuture<'_, Result<Seq, StoreError>> {
        self.bounded(async move {
            let head: Option<(i64,)> =
                self.one(&self.statements.segment_head, (session.uuid(),)).await?;
            Ok(head.map_or(Seq::START, |(last,)| Seq(unsigned(last))))
        })
    }

    fn snapshot(&self, session: SessionId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        self.bounded(async move {
            let found: Option<(i64, Vec<u8>)> =
                self.one(&self.statements.snapshot, (session.uuid(),)).await?;
            Ok(found.map(|(seq, state)| Snapshot { seq: Seq(unsigned(seq)), bytes: state.into() }))
        })
    }
}
