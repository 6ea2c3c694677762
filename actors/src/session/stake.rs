//! What keeps a hibernated session claimed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Shared by a session's row and its actor.
///
/// Where nodes share the store, a session that somebody is attached to stays this node's while it
/// sleeps: else another one could wake it, and nobody here would hear of it.
#[derive(Debug, Default)]
pub(crate) struct Stake {
    leases: AtomicUsize,
    kept: AtomicBool,
}

impl Stake {
    /// Somebody is interested.
    pub(crate) fn lease(&self) {
        self.leases.fetch_add(1, Ordering::AcqRel);
    }

    /// Somebody is interested no more.
    pub(crate) fn release(&self) {
        let less = |leases: usize| Some(leases.saturating_sub(1));
        let _ = self.leases.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    /// Whether anybody is.
    pub(crate) fn is_leased(&self) -> bool {
        self.leases.load(Ordering::Acquire) > 0
    }

    /// The session sleeps and stays claimed, or does not.
    pub(crate) fn keep(&self, kept: bool) {
        self.kept.store(kept, Ordering::Release);
    }

    /// Whether it sleeps and is claimed, and nobody is interested any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.kept.load(Ordering::Acquire) && !self.is_leased()
    }
}
