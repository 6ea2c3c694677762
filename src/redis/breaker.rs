//! Whether Redis is asked at all. Where it does not answer, nobody waits for it: the beat alone
//! goes on asking, once a second.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Failures in a row after which it is not asked any more. One may be a slow answer.
const FAILURES_MAX: u32 = 3;

/// A circuit breaker. It begins open: until the first beat nothing is known.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    is_closed: AtomicBool,
    failures: AtomicU32,
}

impl Breaker {
    /// Whether to ask.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// It answered; whether it was given up before.
    pub(super) fn answered(&self) -> bool {
        self.failures.store(0, Ordering::Relaxed);
        !self.is_closed.swap(true, Ordering::Relaxed)
    }

    /// It did not; whether it is given up by that.
    pub(super) fn failed(&self) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        failures >= FAILURES_MAX && self.is_closed.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_failures_in_a_row_open_it_and_one_answer_closes_it() {
        let breaker = Breaker::default();
        assert!(!breaker.is_closed());
        assert!(breaker.answered() && breaker.is_closed());
        assert!(!breaker.failed() && !breaker.failed());
        assert!(!breaker.answered(), "it was never given up");
        assert!(!breaker.failed() && !breaker.failed() && breaker.is_closed());
        assert!(breaker.failed() && !breaker.is_closed());
        assert!(!breaker.failed(), "that is no news");
        assert!(breaker.answered());
    }
}
