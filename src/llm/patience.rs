//! How long an answer may let its reader wait. Pure: time is passed in.
//!
//! Only time spent waiting counts. A reader that is away, because it is slow or held up by its own
//! reader, does not make the provider late.

use std::time::Duration;
use tokio::time::Instant;

/// The two limits of a wait.
#[derive(Debug)]
pub(super) struct Patience {
    /// Longest wait for content, summed over the reads in between that bring none.
    content: Duration,
    /// Longest wait for any byte.
    idle: Duration,
    /// Waited for content in earlier waits.
    waited: Duration,
    /// When the wait under way began.
    began: Option<Instant>,
}

/// Which limit a wait exceeded, and how long that limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exceeded {
    Content(Duration),
    Idle(Duration),
}

impl Patience {
    /// The first wait for content; `waited` is what it took so far.
    pub(super) fn new(content: Duration, waited: Duration, idle: Duration) -> Self {
        Self { content, idle, waited, began: None }
    }

    /// Begins a wait, or goes on with the one under way: when it exceeds a limit.
    pub(super) fn wait(&mut self, now: impl FnOnce() -> Instant) -> Instant {
        let began = *self.began.get_or_insert_with(now);
        began + self.idle.min(self.content.saturating_sub(self.waited))
    }

    /// Bytes came: ends the wait under way, and tells how long it was.
    pub(super) fn heard(&mut self, now: impl FnOnce() -> Instant) -> Duration {
        let Some(began) = self.began.take() else { return Duration::ZERO };
        let waited = now().saturating_duration_since(began);
        self.waited += waited;
        waited
    }

    /// Starts anew with another limit for content.
    pub(super) fn renew(&mut self, content: Duration) {
        self.content = content;
        self.waited = Duration::ZERO;
    }

    /// The limit that the wait under way meets first.
    pub(super) fn exceeded(&self) -> Exceeded {
        if self.content.saturating_sub(self.waited) <= self.idle {
            Exceeded::Content(self.content)
        } else {
            Exceeded::Idle(self.idle)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn comments_end_the_idle_wait_but_not_the_wait_for_content() {
        let start = Instant::now();
        let mut patience = Patience::new(10 * SECOND, Duration::ZERO, 4 * SECOND);

        assert_eq!(patience.wait(|| start), start + 4 * SECOND);
        assert_eq!(patience.exceeded(), Exceeded::Idle(4 * SECOND));
        assert_eq!(patience.heard(|| start + 3 * SECOND), 3 * SECOND);
        assert_eq!(patience.heard(|| start + 3 * SECOND), Duration::ZERO, "nothing was waited for");
        assert_eq!(patience.wait(|| start + 3 * SECOND), start + 7 * SECOND);
        patience.heard(|| start + 7 * SECOND);

        assert_eq!(patience.wait(|| start + 7 * SECOND), start + 10 * SECOND);
        assert_eq!(patience.exceeded(), Exceeded::Content(10 * SECOND));
    }

    #[test]
    fn content_starts_the_wait_anew() {
        let start = Instant::now();
        let mut patience = Patience::new(10 * SECOND, Duration::ZERO, 60 * SECOND);

        patience.wait(|| start);
        patience.heard(|| start + 9 * SECOND);
        patience.renew(5 * SECOND);

        assert_eq!(patience.wait(|| start + 9 * SECOND), start + 14 * SECOND);
    }

    #[test]
    fn the_readers_own_absence_does_not_count() {
        let start = Instant::now();
        let mut patience = Patience::new(10 * SECOND, Duration::ZERO, 60 * SECOND);

        patience.wait(|| start);
        patience.heard(|| start + SECOND);

        assert_eq!(patience.wait(|| start + 100 * SECOND), start + 109 * SECOND);
    }
}
