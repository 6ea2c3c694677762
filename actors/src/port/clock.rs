//! Wall-clock time, passed in so that tests choose it. Durations use tokio's clock instead.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tells the time of day.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970, in UTC.
    fn now_ms(&self) -> u64;
}

/// A clock for tests: stands still until it is set.
#[derive(Debug, Default)]
pub struct FixedClock(AtomicU64);

impl FixedClock {
    /// A clock that shows `now_ms`.
    #[must_use]
    pub const fn new(now_ms: u64) -> Self {
        Self(AtomicU64::new(now_ms))
    }

    /// Sets the clock.
    pub fn set(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::Relaxed);
    }
}

impl Clock for FixedClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
