//! A limiter that refuses when the test wants it.

use crate::port::{BoxFuture, Limited, Limiter};
use std::sync::atomic::{AtomicU64, Ordering};

/// Lets everything pass until it is told to refuse.
#[derive(Debug, Default)]
pub struct FakeLimiter {
    /// 0: everything passes.
    retry_after_ms: AtomicU64,
    /// The same of what all nodes count together.
    of_all_nodes_ms: AtomicU64,
}

impl FakeLimiter {
    /// Refuses everything from now on, with this many milliseconds to wait; 0 refuses nothing.
    pub fn refuse(&self, retry_after_ms: u64) {
        self.retry_after_ms.store(retry_after_ms, Ordering::Relaxed);
    }

    /// The same of the starts of runs, as counted over all nodes.
    pub fn refuse_runs_of_all_nodes(&self, retry_after_ms: u64) {
        self.of_all_nodes_ms.store(retry_after_ms, Ordering::Relaxed);
    }
}

impl Limiter for FakeLimiter {
    fn check(&self, _: Limited) -> Result<(), u64> {
        match self.retry_after_ms.load(Ordering::Relaxed) {
            0 => Ok(()),
            retry_after_ms => Err(retry_after_ms),
        }
    }

    fn check_all_nodes<'a>(&'a self, what: &'a [Limited]) -> BoxFuture<'a, Result<(), u64>> {
        let starts_run = what.iter().any(|what| matches!(what, Limited::RunStart(_)));
        let result = match self.of_all_nodes_ms.load(Ordering::Relaxed) {
            retry_after_ms if starts_run && retry_after_ms > 0 => Err(retry_after_ms),
            _ => Ok(()),
        };
        Box::pin(std::future::ready(result))
    }
}
