//! Lets a text out at a model's pace.

use futures_util::{Stream, stream};
use greenroom_actors::port::{Delta, Finish, ProviderError};
use greenroom_protocol::event::Usage;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Letters in a token, about as many as a model's tokens have.
const TOKEN_CHARS: usize = 4;

/// How fast a text goes out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Before the first token.
    pub first: Duration,
    /// Tokens a second; 0: as fast as they are read.
    pub tokens_per_second: u32,
}

/// A text on its way out.
struct Outgoing {
    text: String,
    /// Bytes that are out.
    sent: usize,
    /// Tokens that are out.
    tokens: u32,
    start: Instant,
    pace: Pace,
    /// What comes after the text.
    end: std::array::IntoIter<Delta, 2>,
}

/// The text in tokens, then its usage and its end.
///
/// A token is due at its time since the start, however late the one before was read: a slow
/// reader finds the tokens waiting, as in the buffer of a socket.
pub(super) fn stream(
    text: String,
    usage: Usage,
    pace: Pace,
    start: Instant,
) -> impl Stream<Item = Result<Delta, ProviderError>> {
    let end = [Delta::Usage(usage), Delta::Finish(Finish::Stop)].into_iter();
    let outgoing = Outgoing { text, sent: 0, tokens: 0, start, pace, end };
    stream::unfold(outgoing, |mut outgoing| async move {
        let delta = outgoing.next().await?;
        Some((Ok(delta), outgoing))
    })
}

impl Outgoing {
    async fn next(&mut self) -> Option<Delta> {
        let rest = self.text.get(self.sent..).unwrap_or_default();
        if rest.is_empty() {
            return self.end.next();
        }
        let len = rest.char_indices().nth(TOKEN_CHARS).map_or(rest.len(), |(at, _)| at);
        let token = rest.get(..len).unwrap_or(rest).to_owned();
        let due = self.start + self.pace.due(self.tokens);
        // No wait where none is asked for: a timer rounds up to a millisecond.
        if due > Instant::now() {
            sleep_until(due).await;
        }
        self.sent += token.len();
        self.tokens += 1;
        Some(Delta::Text(token))
    }
}

impl Pace {
    /// When a token is due, since the start.
    fn due(self, token: u32) -> Duration {
        let nanos = u64::from(token) * 1_000_000_000;
        let per_token = nanos.checked_div(u64::from(self.tokens_per_second));
        self.first + Duration::from_nanos(per_token.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use greenroom_protocol::event::UsageSource;

    fn usage() -> Usage {
        Usage {
            input_tokens: 1,
            output_tokens: 2,
            cached_tokens: 0,
            reasoning_tokens: 0,
            source: UsageSource::Estimate,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_come_at_their_time_and_end_with_usage_and_stop() {
        let start = Instant::now();
        let pace = Pace { first: Duration::from_millis(300), tokens_per_second: 80 };
        let mut tokens = Box::pin(stream("äbcdefghi".into(), usage(), pace, start));

        let mut seen = Vec::new();
        while let Some(delta) = tokens.next().await {
            seen.push((start.elapsed().as_millis(), delta.unwrap()));
        }

        let text = |text: &str| Delta::Text(text.into());
        // Tokio's timer rounds up to whole milliseconds.
        assert_eq!(
            seen,
            [
                (300, text("äbcd")),
                (313, text("efgh")),
                (325, text("i")),
                (325, Delta::Usage(usage())),
                (325, Delta::Finish(Finish::Stop)),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        let start = Instant::now();
        let pace = Pace { first: Duration::ZERO, tokens_per_second: 0 };

        let count = stream("x".repeat(4000), usage(), pace, start).count().await;

        assert_eq!(count, 1002);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
