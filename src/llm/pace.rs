//! Whether an answer comes fast enough. Pure: time is passed in.
//!
//! A server that drips, a few letters at a time, is never silent long enough to be late. It is
//! found by how much it wrote in a window of the time that was spent waiting for it.

use std::time::Duration;

/// The least rate of an answer that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeastRate {
    /// Characters a second; 0: any rate will do.
    pub(super) chars_per_sec: u32,
    /// Over how much waiting.
    pub(super) window: Duration,
}

/// An answer's pace, in windows that follow each other.
#[derive(Debug)]
pub(super) struct Pace {
    least: LeastRate,
    /// Waited in this window.
    waited: Duration,
    /// Characters that came in it.
    chars: u64,
}

/// Too little came in a whole window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooSlow {
    pub(super) chars: u64,
    pub(super) waited: Duration,
}

impl Pace {
    /// The pace of an answer that begins.
    ///
    /// A pause as long as `stall` is allowed: in a window of twice its length, a server that is
    /// fast enough otherwise makes up for one.
    pub(super) fn new(least: LeastRate, stall: Duration) -> Self {
        let window = least.window.max(stall * 2);
        Self { least: LeastRate { window, ..least }, waited: Duration::ZERO, chars: 0 }
    }

    /// Takes what a wait brought, and judges the window where it is over.
    ///
    /// # Errors
    /// [`TooSlow`]: it brought too little.
    pub(super) fn came(&mut self, chars: usize, waited: Duration) -> Result<(), TooSlow> {
        self.waited += waited;
        self.chars = self.chars.saturating_add(u64::try_from(chars).unwrap_or(u64::MAX));
        if self.waited < self.least.window {
            return Ok(());
        }
        let over = TooSlow { chars: self.chars, waited: self.waited };
        (self.waited, self.chars) = (Duration::ZERO, 0);
        let expected = u128::from(self.least.chars_per_sec) * over.waited.as_millis() / 1000;
        if u128::from(over.chars) < expected { Err(over) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(chars_per_sec: u32) -> Pace {
        Pace::new(LeastRate { chars_per_sec, window: 10 * SECOND }, 4 * SECOND)
    }

    /// In which wait of one second, with so many characters each, an answer is too slow.
    fn fails_at(pace: &mut Pace, chars: usize) -> Option<u32> {
        (1..100).find(|_| pace.came(chars, SECOND).is_err())
    }

    #[test]
    fn a_drip_is_found_at_the_end_of_its_window_and_a_slow_answer_is_not() {
        assert_eq!(fails_at(&mut pace(5), 4), Some(10));
        assert_eq!(fails_at(&mut pace(5), 5), None);
        assert_eq!(fails_at(&mut pace(0), 0), None, "no least rate");
    }

    #[test]
    fn a_drip_after_a_fast_beginning_is_found_in_the_next_window() {
        let mut pace = pace(5);
        assert_eq!(pace.came(10_000, SECOND), Ok(()));
        assert_eq!(fails_at(&mut pace, 1), Some(19));
    }

    #[test]
    fn one_long_pause_is_no_drip() {
        let mut pace = Pace::new(LeastRate { chars_per_sec: 5, window: SECOND }, 4 * SECOND);
        for _ in 0..4 {
            assert_eq!(pace.came(10, SECOND), Ok(()));
        }
        assert_eq!(pace.came(1, 4 * SECOND), Ok(()), "the window is twice as long as the pause");
    }
}
