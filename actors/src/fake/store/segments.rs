//! Segments and snapshots.

use super::FakeStore;
use crate::port::{BoxFuture, Segment, Segments, Snapshot, StoreError};
use greenroom_protocol::id::{Seq, SessionId};

impl Segments for FakeStore {
    fn put_segment(
        &self,
        session: SessionId,
        segment: Option<Segment>,
        snapshot: Option<Snapshot>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut contents = self.contents()?;
            if let Some(segment) = segment {
                let of_session = contents.segments.entry(session).or_default();
                of_session.entry((segment.first, segment.last)).or_insert(segment);
            }
            if let Some(snapshot) = snapshot {
                let newest = contents.snapshots.entry(session).or_insert_with(|| snapshot.clone());
                if newest.seq < snapshot.seq {
                    *newest = snapshot;
                }
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
        Box::pin(async move {
            let delay = self.lock().read_delay;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let contents = self.contents()?;
            let mut found = Vec::new();
            let mut bytes = 0;
            let of_session = contents.segments.get(&session);
            for segment in of_session.into_iter().flat_map(|segments| segments.values()) {
                if segment.last < from {
                    continue;
                }
                bytes += segment.bytes.len();
                if !found.is_empty() && bytes > bytes_max {
                    break;
                }
                found.push(segment.clone());
            }
            Ok(found)
        })
    }

    fn segment_head(&self, session: SessionId) -> BoxFuture<'_, Result<Seq, StoreError>> {
        Box::pin(async move {
            let contents = self.contents()?;
            let segments = contents.segments.get(&session).into_iter();
            let last = segments.flat_map(|segments| segments.values()).map(|segment| segment.last);
            Ok(last.max().unwrap_or(Seq::START))
        })
    }

    fn snapshot(&self, session: SessionId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        Box::pin(async move { Ok(self.contents()?.snapshots.get(&session).cloned()) })
    }
}
