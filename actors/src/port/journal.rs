//! The write-ahead log of a node.

use super::{BoxFuture, StoreError};
use bytes::Bytes;
use std::fmt;

/// One life of one node's journal. Larger ones are later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in a journal: offsets are 0, 1, 2, … within a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Whose journal.
    pub incarnation: Incarnation,
    /// Which lane of it.
    pub lane: u16,
    /// Number of the record within the lane.
    pub offset: u64,
}

/// A record as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number within the lane.
    pub offset: u64,
    /// Its bytes: `crate::journal::record`.
    pub bytes: Bytes,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is durable: power may fail now.
    Durable,
    /// The incarnation is sealed, or another record stands at that offset: this writer is not the
    /// owner any more and must stop. The record is not in the log.
    Fenced,
}

/// Journals of all nodes that share the store.
///
/// One append a lane is under way at a time. A lost reply is resolved inside: an append answers
/// `Durable`, `Fenced` or an error, and after [`StoreError::Unavailable`] the same append (same
/// position, same bytes) may be sent again and has one effect.
pub trait Journal: Send + Sync {
    /// How many lanes an incarnation has.
    fn lanes(&self) -> u16;

    /// Begins a new incarnation. A store that only one process can hold seals all earlier ones;
    /// one that is shared leaves them as they are ([`Nodes::is_shared`](super::Nodes::is_shared)).
    fn open(&self) -> BoxFuture<'_, Result<Incarnation, StoreError>>;

    /// Appends a record at its offset, durably.
    fn append(&self, at: Position, record: Bytes) -> BoxFuture<'_, Result<Appended, StoreError>>;

    /// Makes every later append to any lane of the incarnation answer `Fenced`. Idempotent, and
    /// safe when several do it at once. After it has returned, no further record becomes readable.
    fn seal(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Reads at most `limit` records from offset `from` on, in order.
    fn read(
        &self,
        incarnation: Incarnation,
        lane: u16,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Record>, StoreError>>;

    /// Forgets the records before `offset`; their entries are in segments.
    fn drop_before(
        &self,
        incarnation: Incarnation,
        lane: u16,
        offset: u64,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Sealed incarnations that nobody has marked recovered yet, oldest first.
    fn unrecovered(&self) -> BoxFuture<'_, Result<Vec<Incarnation>, StoreError>>;

    /// Marks a sealed incarnation recovered: its entries are all in segments; its records go.
    fn recovered(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), StoreError>>;
}
