//! A limiter that refuses when the test wants it.

use crate::port::{Limited, Limiter};
use std::sync::atomic::{AtomicU64, Ordering};

/// Lets everything pass until it is told to refuse.
#[derive(Debug, Default)]
pub struct FakeLimiter {
    /// 0: everything passes.
    retry_after_ms: AtomicU64,
}

impl FakeLimiter {
    /// Refuses everything from now on, with this many milliseconds to wait; 0 refuses nothing.
    pub fn refuse(&self, retry_after_ms: u64) {
        self.retry_after_ms.store(retry_after_ms, Ordering::Relaxed);
    }
}

impl Limiter for FakeLimiter {
    fn check(&self, _: Limited) -> Result<(), u64> {
        match self.retry_after_ms.load(Ordering::Relaxed) {
            0 => Ok(()),
            retry_after_ms => Err(retry_after_ms),
        }
    }
}
