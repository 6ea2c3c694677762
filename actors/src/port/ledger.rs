//! Ledgers of credits: one a user, append-only, with one head that is their fold.

use super::{BoxFuture, StoreError};
use bytes::Bytes;
use greenroom_protocol::id::UserId;

/// A ledger's head as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerHead {
    /// 1, 2, 3, …: raised by every append, also by one without rows.
    pub version: u64,
    /// Contents, the caller's own format.
    pub bytes: Bytes,
}

/// One row of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// Its number in the ledger.
    pub seq: u64,
    /// Its name; no two rows of a ledger have the same one.
    pub id: String,
    /// Contents, the caller's own format.
    pub bytes: Bytes,
}

/// What to append: all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerChange {
    /// New rows, perhaps none.
    pub rows: Vec<LedgerRow>,
    /// The head that replaces the old one.
    pub head: Bytes,
    /// When somebody should look after this ledger again, in milliseconds since 1970; none: never.
    pub due_at_ms: Option<u64>,
}

/// Answer to an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is durable.
    Written,
    /// The ledger's version was another (0: there was none); nothing was written.
    Conflict(u64),
    /// A row of the same name is there; nothing was written.
    Duplicate,
}

/// Ledgers by user.
///
/// [`StoreError::Unavailable`] of an append leaves open what became of it: read the head, or the
/// rows by their names, and then decide.
pub trait Ledger: Send + Sync {
    /// A ledger's head.
    fn ledger_head(&self, user: UserId) -> BoxFuture<'_, Result<Option<LedgerHead>, StoreError>>;

    /// Appends if the ledger's version is `if_version`; 0 means: if there is none.
    fn append_ledger(
        &self,
        user: UserId,
        if_version: u64,
        change: LedgerChange,
    ) -> BoxFuture<'_, Result<Posted, StoreError>>;

    /// The row of a name.
    fn ledger_row(
        &self,
        user: UserId,
        id: &str,
    ) -> BoxFuture<'_, Result<Option<LedgerRow>, StoreError>>;

    /// Rows with numbers below `before`, or the last ones, at most `limit`, newest first.
    fn ledger_rows(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<LedgerRow>, StoreError>>;

    /// Users whose ledgers were due at a time, at most `limit`, those that were due first first.
    fn ledgers_due(&self, at_ms: u64, limit: u32)
    -> BoxFuture<'_, Result<Vec<UserId>, StoreError>>;
}
