//! Rates of what clients do on their sockets.

use crate::{
    config::LimitsConfig,
    redis::{Bucket, Buckets, Taken},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use greenroom_actors::port::{BoxFuture, Limited, Limiter};
use greenroom_protocol::id::{ConnectionId, UserId};
use std::{fmt, hash::Hash, num::NonZeroU32, time::Duration};

/// How many sockets' worth of messages a user may send over all of them.
const USER_SHARE: u32 = 4;

/// Limits of sockets and users. Quiet ones are forgotten by [`Limiter::sweep`]; the sockets that
/// can be counted at all are bounded by the gateway's caps.
pub struct Rates {
    connections: DefaultKeyedRateLimiter<ConnectionId>,
    users: DefaultKeyedRateLimiter<UserId>,
    runs: DefaultKeyedRateLimiter<UserId>,
    config: LimitsConfig,
    /// What all nodes count together; none: this one is alone.
    shared: Option<Buckets>,
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates")
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

/// Messages a minute and at once that a user may send over all sockets.
const fn of_user(config: &LimitsConfig) -> (u32, u32) {
    let per_minute = config.messages_per_minute.saturating_mul(USER_SHARE);
    (per_minute, config.messages_burst.saturating_mul(USER_SHARE))
}

fn quota((per_minute, burst): (u32, u32)) -> Quota {
    let positive = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(positive(per_minute)).allow_burst(positive(burst))
}

impl Rates {
    /// Limits as configured; those of users hold over all nodes that share `shared`.
    #[must_use]
    pub fn new(config: &LimitsConfig, shared: Option<Buckets>) -> Self {
        let messages = (config.messages_per_minute, config.messages_burst);
        let runs = (config.runs_per_minute, config.runs_burst);
        Self {
            connections: RateLimiter::keyed(quota(messages)),
            users: RateLimiter::keyed(quota(of_user(config))),
            runs: RateLimiter::keyed(quota(runs)),
            config: config.clone(),
            shared,
        }
    }

    /// What all nodes count of something; none: only this node does.
    fn bucket(&self, what: Limited) -> Option<Bucket> {
        let (name, (per_minute, burst)) = match what {
            Limited::ConnectionMessage(_) => return None,
            Limited::UserMessage(user) => (format!("messages:{user}"), of_user(&self.config)),
            Limited::RunStart(user) => {
                let LimitsConfig { runs_per_minute, runs_burst, .. } = self.config;
                (format!("runs:{user}"), (runs_per_minute, runs_burst))
            }
        };
        Some(Bucket { name, per_minute, burst })
    }
}

/// Counts one, or where it stands for as much on other nodes, `weight`; at most a whole burst.
fn check<K: Clone + Eq + Hash>(
    limiter: &DefaultKeyedRateLimiter<K>,
    (key, weight, burst): (&K, u32, u32),
) -> Result<(), u64> {
    let weight = NonZeroU32::new(weight.min(burst)).unwrap_or(NonZeroU32::MIN);
    // A whole burst always fits into a bucket at some time.
    let Ok(checked) = limiter.check_key_n(key, weight) else { return Ok(()) };
    checked.map_err(|until| whole_ms(until.wait_time_from(limiter.clock().now())))
}

/// At least one.
fn whole_ms(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn forget_quiet<K: Clone + Eq + Hash>(limiter: &DefaultKeyedRateLimiter<K>) {
    limiter.retain_recent();
    limiter.shrink_to_fit();
}

impl Limiter for Rates {
    fn check(&self, what: Limited) -> Result<(), u64> {
        let weight = self.shared.as_ref().map_or(1, Buckets::weight);
        let LimitsConfig { messages_burst, runs_burst, .. } = self.config;
        match what {
            Limited::ConnectionMessage(socket) => {
                check(&self.connections, (&socket, 1, messages_burst))
            }
            Limited::UserMessage(user) => {
                check(&self.users, (&user, weight, of_user(&self.config).1))
            }
            Limited::RunStart(user) => check(&self.runs, (&user, weight, runs_burst)),
        }
    }

    /// A Redis that does not answer lets all pass: credits are what stops a run for good.
    fn check_all_nodes<'a>(&'a self, what: &'a [Limited]) -> BoxFuture<'a, Result<(), u64>> {
        let Some(shared) = &self.shared else { return Box::pin(std::future::ready(Ok(()))) };
        let buckets: Vec<_> = what.iter().filter_map(|what| self.bucket(*what)).collect();
        Box::pin(async move {
            match shared.take(&buckets).await {
                Ok(Taken::None { retry_after, .. }) => Err(whole_ms(retry_after)),
                Ok(Taken::All(_)) | Err(_) => Ok(()),
            }
        })
    }

    fn sweep(&self) {
        forget_quiet(&self.connections);
        forget_quiet(&self.users);
        forget_quiet(&self.runs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn each_user_has_a_burst_of_its_own_and_is_then_told_how_long_to_wait() {
        let config = LimitsConfig { runs_per_minute: 6, runs_burst: 2, ..LimitsConfig::default() };
        let rates = Rates::new(&config, None);
        let start = |n| rates.check(Limited::RunStart(UserId::new(Uuid::from_u128(n))));

        assert_eq!((start(1), start(1)), (Ok(()), Ok(())));
        let wait_ms = start(1).unwrap_err();
        assert!((1..=10_000).contains(&wait_ms), "{wait_ms}");
        assert_eq!(start(2), Ok(()));
    }
}
