//! How long to wait before the next connection.

/// Exponential backoff with full jitter between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Shortest wait, in milliseconds.
    pub min_ms: u64,
    /// Longest wait, in milliseconds.
    pub max_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { min_ms: 500, max_ms: 30_000 }
    }
}

impl Backoff {
    /// The wait before attempt number `attempt` (0, 1, …): anywhere between `min_ms` and twice
    /// `min_ms`, doubled by every further attempt up to `max_ms`. `random` is any 64 bits.
    #[must_use]
    pub fn wait_ms(self, attempt: u32, random: u64) -> u64 {
        let doubled = self.min_ms.saturating_mul(2_u64.saturating_pow(attempt.saturating_add(1)));
        let spread = doubled.min(self.max_ms).saturating_sub(self.min_ms);
        self.min_ms.saturating_add(random % spread.saturating_add(1))
    }
}

/// Next number of a fixed sequence (splitmix64), so that jitter follows from the seed alone.
pub(super) const fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_stays_within_its_bounds(attempt: u32, random: u64) {
            let wait_ms = Backoff::default().wait_ms(attempt, random);
            prop_assert!((500..=30_000).contains(&wait_ms), "{wait_ms}");
        }
    }

    #[test]
    fn later_attempts_spread_wider() {
        let widest = |attempt| (0..5000).map(|r| Backoff::default().wait_ms(attempt, r)).max();
        assert_eq!(widest(0), Some(1000));
        assert_eq!(widest(1), Some(2000));
    }

    #[test]
    fn equal_seeds_give_equal_waits_and_others_do_not() {
        let (mut a, mut b, mut c) = (7, 7, 8);
        assert_eq!(next_random(&mut a), next_random(&mut b));
        assert_ne!(next_random(&mut a), next_random(&mut c));
    }
}
