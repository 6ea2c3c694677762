//! What this node has to tell all others, until it is of no use any more. Pure.
//!
//! Redis may be away, and may forget: so all is kept here while it holds, and told again.

use super::news::News;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// Most news kept; further ones take the place of those that hold the shortest.
const NEWS_MAX: usize = 10_000;

/// Most news told at once.
const BATCH_MAX: usize = 500;

/// News and what became of them.
#[derive(Debug, Default)]
pub(super) struct Outbox(BTreeMap<News, Letter>);

#[derive(Clone, Copy, Debug)]
struct Letter {
    /// How long it holds.
    until: Instant,
    told: bool,
}

impl Outbox {
    /// Adds news; of two about the same the later end counts. Whether there is something to tell.
    pub(super) fn put(&mut self, news: News, until: Instant) -> bool {
        if self.0.get(&news).is_some_and(|known| known.until >= until) {
            return false;
        }
        if self.0.len() >= NEWS_MAX && !self.0.contains_key(&news) {
            let least = self.0.iter().min_by_key(|(_, letter)| letter.until);
            let least = least.map(|(news, _)| news.clone());
            least.map(|news| self.0.remove(&news));
        }
        self.0.insert(news, Letter { until, told: false });
        true
    }

    /// What is to be told now, each with how long it holds still.
    pub(super) fn untold(&mut self, now: Instant) -> Vec<(News, Duration)> {
        self.0.retain(|_, letter| letter.until > now);
        let untold = self.0.iter().filter(|(_, letter)| !letter.told);
        untold.take(BATCH_MAX).map(|(news, letter)| (news.clone(), letter.until - now)).collect()
    }

    /// These were told as they were at `now`.
    pub(super) fn told(&mut self, told: &[(News, Duration)], now: Instant) {
        for (news, holds) in told {
            if let Some(letter) = self.0.get_mut(news) {
                letter.told |= letter.until <= now + *holds;
            }
        }
    }

    /// Redis has forgotten: all is to be told again.
    pub(super) fn forgotten(&mut self) {
        self.0.values_mut().for_each(|letter| letter.told = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(text: &str) -> News {
        News::Cools(text.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn news_are_told_until_they_were_heard_and_again_when_they_were_forgotten() {
        let (mut outbox, now, secs) = (Outbox::default(), Instant::now(), Duration::from_secs);
        assert!(outbox.put(news("a"), now + secs(5)));
        let untold = outbox.untold(now);
        assert_eq!(untold, [(news("a"), secs(5))]);
        assert_eq!(outbox.untold(now + secs(1)), [(news("a"), secs(4))], "it failed");

        outbox.told(&untold, now);
        assert_eq!(outbox.untold(now + secs(1)), []);
        outbox.forgotten();
        assert_eq!(outbox.untold(now + secs(2)), [(news("a"), secs(3))]);
        assert_eq!(outbox.untold(now + secs(5)), [], "it holds no more");
    }

    #[tokio::test(start_paused = true)]
    async fn the_later_end_counts_also_when_it_came_while_the_earlier_was_told() {
        let (mut outbox, now, secs) = (Outbox::default(), Instant::now(), Duration::from_secs);
        outbox.put(news("a"), now + secs(5));
        let under_way = outbox.untold(now);
        assert!(!outbox.put(news("a"), now + secs(4)));
        assert!(outbox.put(news("a"), now + secs(9)));
        outbox.told(&under_way, now);
        assert_eq!(outbox.untold(now), [(news("a"), secs(9))]);
    }

    #[tokio::test(start_paused = true)]
    async fn at_its_limit_the_news_that_hold_the_shortest_leave() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        for n in 0..=NEWS_MAX {
            let at = Duration::from_millis(1 + u64::try_from(n).unwrap());
            outbox.put(news(&format!("{n:06}")), now + at);
        }
        assert_eq!(outbox.0.len(), NEWS_MAX);
        assert!(!outbox.0.contains_key(&news("000000")));
    }
}
