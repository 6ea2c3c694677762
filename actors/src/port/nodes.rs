//! The nodes that share the store: who lives, where, and what of the dead is not recovered yet.

use super::{BoxFuture, Incarnation, StoreError};

/// One incarnation as other nodes see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Which.
    pub incarnation: Incarnation,
    /// Where other nodes reach it, `host:port`; none: it has not joined yet.
    pub address: Option<String>,
    /// How often it has beaten. Only whether it changes says something: no clock of one machine
    /// is compared with that of another.
    pub beat: u64,
    /// Whether [`Journal::seal`](super::Journal::seal) has ended it: it never writes again, and
    /// its journal can be recovered.
    pub sealed: bool,
}

/// All nodes of a store.
///
/// An incarnation is in the list from [`Journal::open`](super::Journal::open) on, which comes
/// before its first claim, and until [`Journal::recovered`](super::Journal::recovered). So an
/// owner of a session that is not in a list read after the session's row is done with: all that
/// it wrote is in segments.
pub trait Nodes: Send + Sync {
    /// Whether several processes may use the store at once. Where they may not, opening seals all
    /// earlier incarnations, and nobody needs to beat.
    fn is_shared(&self) -> bool;

    /// Says where an incarnation is reached. Idempotent; without effect where it is sealed.
    fn join(
        &self,
        incarnation: Incarnation,
        address: String,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Shows that an incarnation lives: `beat` grows with every call. A plain write without a
    /// condition, cheap on every store; without effect on one that was recovered.
    fn beat(&self, incarnation: Incarnation, beat: u64) -> BoxFuture<'_, Result<(), StoreError>>;

    /// All incarnations that are not recovered, oldest first. Sees every write that was answered.
    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeRow>, StoreError>>;
}
