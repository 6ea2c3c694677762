//! What is left of one limit of a quota group: our own count between two words of the provider.

use crate::port::Allowance;
use std::time::Duration;
use tokio::time::Instant;

/// A bucket that fills steadily, as the limits of providers do.
///
/// It may go below zero: a call larger than the bucket is made from a full one, on credit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    capacity: f64,
    left: f64,
    per_sec: f64,
    at: Instant,
}

impl Bucket {
    /// A full one of a configured limit.
    pub(super) fn per_minute(limit: u32, now: Instant) -> Self {
        let capacity = f64::from(limit);
        Self { capacity, left: capacity, per_sec: capacity / 60.0, at: now }
    }

    /// One as the provider describes it, of which `pending` may not have been counted there yet.
    pub(super) fn told(allowance: Allowance, pending: f64, now: Instant) -> Self {
        let capacity = allowance.limit as f64;
        let left = (allowance.left as f64).min(capacity);
        let reset_secs = Duration::from_millis(allowance.reset_ms).as_secs_f64().max(1e-3);
        Self { capacity, left: left - pending, per_sec: (capacity - left) / reset_secs, at: now }
    }

    /// The tighter one of a configured bucket and what the provider tells: its word corrects our
    /// count, and never raises it above the configuration.
    pub(super) fn tighten(&mut self, told: &Self, now: Instant) {
        self.left = self.left(now).min(told.left);
        self.at = now;
    }

    /// How much is left.
    pub(super) fn left(&self, now: Instant) -> f64 {
        if self.at >= now {
            return self.left;
        }
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.per_sec.mul_add(since, self.left).min(self.capacity)
    }

    /// How many calls of this size fit.
    pub(super) fn fits(&self, size: f64, now: Instant) -> f64 {
        let left = self.left(now);
        // One that never fits goes from a full bucket.
        if size > self.capacity && left >= self.capacity { 1.0 } else { left / size }
    }

    pub(super) fn take(&mut self, size: f64, now: Instant) {
        self.left = self.left(now) - size;
        self.at = now;
    }

    /// When a call of this size fits, if nothing else is taken; none: never.
    pub(super) fn ready(&self, size: f64, now: Instant) -> Option<Instant> {
        let missing = size.min(self.capacity) - self.left(now);
        if missing <= 0.0 {
            return Some(now);
        }
        let wait = Duration::try_from_secs_f64(missing / self.per_sec).ok()?;
        now.checked_add(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_bucket_fills_to_its_limit_and_says_when_a_call_fits() {
        let now = Instant::now();
        let mut bucket = Bucket::per_minute(60, now);
        bucket.take(58.0, now);

        assert_eq!(bucket.ready(2.0, now), Some(now));
        assert_eq!(bucket.ready(5.0, now), Some(now + 3 * SECOND));
        assert_eq!(bucket.left(now + 3 * SECOND), 5.0);
        assert_eq!(bucket.left(now + 600 * SECOND), 60.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_larger_than_the_bucket_goes_from_a_full_one_on_credit() {
        let now = Instant::now();
        let mut bucket = Bucket::per_minute(60, now);

        assert_eq!(bucket.fits(90.0, now), 1.0);
        bucket.take(90.0, now);
        assert!(bucket.fits(90.0, now) < 1.0);
        assert_eq!(bucket.ready(90.0, now), Some(now + 90 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn the_providers_word_counts_less_what_it_may_not_know_and_raises_nothing() {
        let now = Instant::now();
        let allowance = Allowance { limit: 100, left: 40, reset_ms: 60_000 };
        let told = Bucket::told(allowance, 3.0, now);
        assert_eq!(told.left(now), 37.0);
        assert_eq!(told.left(now + 10 * SECOND), 47.0);

        let mut configured = Bucket::per_minute(20, now);
        configured.tighten(&told, now);
        assert_eq!(configured.left(now), 20.0, "not raised");
        let used_up = Bucket::told(Allowance { left: 2, ..allowance }, 0.0, now);
        configured.tighten(&used_up, now);
        assert_eq!(configured.left(now), 2.0);
    }
}
