//! The beat: once a second, and whenever somebody rings, a node says that it is there, hears what
//! is new, and tells what it has to tell. What a lost message left out comes with the next beat.

use super::{
    Inner, RedisError,
    connection::Bell,
    heard::{Heard, pairs},
    news::{read_cools, read_signed_out},
    script::Script,
};
use crate::config::RedisConfig;
use greenroom_actors::port::SignIn;
use greenroom_protocol::id::UserId;
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Time between two beats; also how often a Redis that is away is tried.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Least time between two beats: many rings at a time are one.
const BEAT_PAUSE: Duration = Duration::from_millis(20);
/// A node that did not beat for so long is gone.
const NODE_LIFE: Duration = Duration::from_secs(10);
/// So much of the past is heard again, should Redis' clock go back.
const OVERLAP_MS: u64 = 10_000;
/// Most news of a kind that are heard at once.
const LIST_MAX: usize = 1000;
/// The channel that all nodes hear.
const CHANNEL: &str = "bell";

/// Whom to tell of a sign-in that ended on another node.
pub(super) type OnSignOut = Box<dyn Fn(UserId, SignIn) + Send + Sync>;

/// A node's ear and mouth.
pub(super) struct Beat {
    inner: Arc<Inner>,
    bell: Bell,
    on_sign_out: OnSignOut,
    signed_out: Heard,
    cools: Heard,
    /// Since when sign-outs are to be heard next, in milliseconds of Redis' clock.
    since_ms: u64,
}

/// Known before, how many nodes there are, the time, who signed out, what cools.
type Answer = (bool, u32, u64, Vec<String>, Vec<String>);

impl fmt::Debug for Beat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beat").field("since_ms", &self.since_ms).finish_non_exhaustive()
    }
}

impl Beat {
    pub(super) fn new(
        config: &RedisConfig,
        inner: Arc<Inner>,
        on_sign_out: OnSignOut,
    ) -> Result<Self, RedisError> {
        let bell = Bell::open(config, inner.connection.key(CHANNEL))?;
        let (signed_out, cools) = (Heard::default(), Heard::default());
        Ok(Self { inner, bell, on_sign_out, signed_out, cools, since_ms: 0 })
    }

    /// Beats until it is dropped.
    pub(super) async fn run(mut self) {
        let mut every = interval(BEAT_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let inner = self.inner.clone();
            tokio::select! {
                _ = every.tick() => self.bell.subscribe().await,
                () = self.bell.ring(&inner.node) => {}
                () = inner.wake.notified() => {}
            }
            let _ = self.once().await; // the next beat tries again
            sleep(BEAT_PAUSE).await;
        }
    }

    /// One beat.
    ///
    /// # Errors
    /// [`RedisError`]; what was to be told stays.
    pub(super) async fn once(&mut self) -> Result<(), RedisError> {
        while self.hear().await? {}
        self.tell().await
    }

    /// Hears a list; whether there is more.
    async fn hear(&mut self) -> Result<bool, RedisError> {
        let Inner { connection, node, outbox, nodes, meter, .. } = &*self.inner;
        let keys = ["nodes", "signed_out", "cools"].map(|name| connection.key(name)).to_vec();
        let args = [
            node.clone(),
            NODE_LIFE.as_millis().to_string(),
            self.since_ms.to_string(),
            OVERLAP_MS.to_string(),
            LIST_MAX.to_string(),
        ];
        let answer: Answer = connection.probe(Script::Beat, keys, args.to_vec()).await?;
        let (known, count, now_ms, signed_out, cools) = answer;
        nodes.store(count, Ordering::Relaxed);
        meter.nodes(count);
        if !known {
            // It was started again or flushed, or this node was away for long.
            super::lock(outbox).forgotten();
        }
        let signed_out = pairs(&signed_out);
        let has_more = signed_out.len() >= LIST_MAX;
        self.since_ms = match signed_out.last().filter(|_| has_more) {
            // A page of one and the same millisecond must not be read for ever.
            Some((_, at_ms)) => (*at_ms).max(self.since_ms.saturating_add(1)),
            None => now_ms.saturating_sub(OVERLAP_MS),
        };
        for (text, _) in self.signed_out.news(signed_out) {
            if let Some((user, sign_in)) = read_signed_out(&text) {
                (self.on_sign_out)(user, sign_in);
            }
        }
        for (text, until_ms) in self.cools.news(pairs(&cools)) {
            let rest = Duration::from_millis(until_ms.saturating_sub(now_ms));
            if let Some(cooling) = read_cools(&text, rest)
                && self.inner.cooling.try_send(cooling).is_err()
            {
                self.cools.forget(&text); // full: the next beat brings it again
            }
        }
        Ok(has_more)
    }

    async fn tell(&self) -> Result<(), RedisError> {
        let Inner { connection, node, outbox, token_life, .. } = &*self.inner;
        loop {
            let now = Instant::now();
            let untold = super::lock(outbox).untold(now);
            if untold.is_empty() {
                return Ok(());
            }
            let keys = ["signed_out", "cools"].map(|name| connection.key(name)).to_vec();
            let life_ms = token_life.as_millis().max(1).to_string();
            let mut args = vec![connection.key(CHANNEL), node.clone(), life_ms];
            args.extend(untold.iter().flat_map(|(news, holds)| {
                let holds_ms = holds.as_millis().max(1).to_string();
                [news.kind().to_owned(), news.text().to_owned(), holds_ms]
            }));
            connection.probe::<i64>(Script::Tell, keys, args).await?;
            super::lock(outbox).told(&untold, now);
        }
    }
}
