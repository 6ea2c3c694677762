//! The store as a whole, and how it fails.

use super::{Documents, Journal, Ledger, Nodes, Objects, Segments, Sessions};

/// Everything durable. One value serves all ports, so that one backend is one choice.
pub trait Store: Journal + Nodes + Segments + Objects + Sessions + Documents + Ledger {}

impl<T: Journal + Nodes + Segments + Objects + Sessions + Documents + Ledger> Store for T {}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It takes no writes or gives no answers now (disk full, no quorum, shutting down); the same
    /// request may succeed later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What it holds cannot be read; retrying will not help.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
}
