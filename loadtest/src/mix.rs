//! Repeatable choices: all that is random in this program comes from a seed, through here.

use sha2::{Digest, Sha256};

/// A stream of numbers that its seed decides (SplitMix64).
#[derive(Clone, Debug)]
pub struct Mix(u64);

impl Mix {
    /// The numbers of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The numbers that belong to some texts: the same for the same texts, in this order.
    #[must_use]
    pub fn of(texts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for text in texts {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        let digest = hash.finalize();
        Self(digest.iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte)))
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 where `n` is 0.
    pub const fn below(&mut self, n: u64) -> u64 {
        match self.draw().checked_rem(n) {
            Some(number) => number,
            None => 0,
        }
    }

    /// A number from `low` to `high`, both included.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True `percent` times in a hundred.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the items; none where there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        items.get(at)
    }

    /// A stream of its own, so that what one part draws does not move what another draws.
    pub const fn fork(&mut self) -> Self {
        Self(self.draw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_texts_give_the_same_numbers_and_others_do_not() {
        assert_eq!(Mix::of(&["a", "bc"]).draw(), Mix::of(&["a", "bc"]).draw());
        assert_ne!(Mix::of(&["a", "bc"]).draw(), Mix::of(&["ab", "c"]).draw());
    }

    #[test]
    fn choices_stay_within_their_bounds() {
        let mut mix = Mix::new(1);
        assert!((0..1000).all(|_| (3..=5).contains(&mix.between(3, 5))));
        assert_eq!(mix.below(0), 0);
        assert_eq!(mix.pick::<u8>(&[]), None);
    }
}
