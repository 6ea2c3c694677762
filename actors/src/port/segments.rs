//! Entries by session, for good.

use super::{BoxFuture, StoreError};
use bytes::Bytes;
use greenroom_protocol::id::{Seq, SessionId};

/// A run of entries of one session. Immutable: where two overlap, they are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First entry.
    pub first: Seq,
    /// Last entry.
    pub last: Seq,
    /// The entries: `crate::journal::record`.
    pub bytes: Bytes,
}

/// A session's state as of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry that it includes.
    pub seq: Seq,
    /// The state: `crate::session::snapshot`.
    pub bytes: Bytes,
}

/// Segments and snapshots.
pub trait Segments: Send + Sync {
    /// Stores a segment, a snapshot, or both as one step. Idempotent; an older snapshot never
    /// replaces a newer one.
    fn put_segment(
        &self,
        session: SessionId,
        segment: Option<Segment>,
        snapshot: Option<Snapshot>,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The segments that hold entries from `from` on, in order, until `bytes_max` is reached;
    /// at least one where there is one. The first may begin before `from`.
    fn segments(
        &self,
        session: SessionId,
        from: Seq,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<Segment>, StoreError>>;

    /// The last entry in any segment; [`Seq::START`] where there is none.
    fn segment_head(&self, session: SessionId) -> BoxFuture<'_, Result<Seq, StoreError>>;

    /// The newest snapshot.
    fn snapshot(&self, session: SessionId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>>;
}
