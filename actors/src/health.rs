//! What the node can do right now: read by readiness checks and before new work is taken.

use std::sync::atomic::{AtomicBool, Ordering};

/// Shared flags; each is written by one actor.
#[derive(Debug)]
pub struct Health {
    store_writes: AtomicBool,
    draining: AtomicBool,
}

impl Default for Health {
    fn default() -> Self {
        Self { store_writes: AtomicBool::new(true), draining: AtomicBool::new(false) }
    }
}

impl Health {
    /// Whether the store took the last append.
    #[must_use]
    pub fn store_writes(&self) -> bool {
        self.store_writes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_store_writes(&self, ok: bool) {
        self.store_writes.store(ok, Ordering::Relaxed);
    }

    /// Whether the node is shutting down: no new runs, no new sockets.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}
