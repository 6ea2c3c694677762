//! Rates of what clients do on their sockets.

use crate::config::LimitsConfig;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use greenroom_actors::port::{Limited, Limiter};
use greenroom_protocol::id::{ConnectionId, UserId};
use std::{fmt, hash::Hash, num::NonZeroU32};

/// How many sockets' worth of messages a user may send over all of them.
const USER_SHARE: u32 = 4;

/// Limits of sockets and users. Quiet ones are forgotten by [`Limiter::sweep`]; the sockets that
/// can be counted at all are bounded by the gateway's caps.
pub struct Rates {
    connections: DefaultKeyedRateLimiter<ConnectionId>,
    users: DefaultKeyedRateLimiter<UserId>,
    runs: DefaultKeyedRateLimiter<UserId>,
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates")
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

fn quota(per_minute: u32, burst: u32) -> Quota {
    let positive = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(positive(per_minute)).allow_burst(positive(burst))
}

impl Rates {
    /// Limits as configured.
    #[must_use]
    pub fn new(config: &LimitsConfig) -> Self {
        let messages = quota(config.messages_per_minute, config.messages_burst);
        let of_user = quota(
            config.messages_per_minute.saturating_mul(USER_SHARE),
            config.messages_burst.saturating_mul(USER_SHARE),
        );
        Self {
            connections: RateLimiter::keyed(messages),
            users: RateLimiter::keyed(of_user),
            runs: RateLimiter::keyed(quota(config.runs_per_minute, config.runs_burst)),
        }
    }
}

fn check<K: Clone + Eq + Hash>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), u64> {
    limiter.check_key(key).map_err(|until| {
        let wait = until.wait_time_from(limiter.clock().now());
        u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)
    })
}

fn forget_quiet<K: Clone + Eq + Hash>(limiter: &DefaultKeyedRateLimiter<K>) {
    limiter.retain_recent();
    limiter.shrink_to_fit();
}

impl Limiter for Rates {
    fn check(&self, what: Limited) -> Result<(), u64> {
        match what {
            Limited::ConnectionMessage(connection) => check(&self.connections, &connection),
            Limited::UserMessage(user) => check(&self.users, &user),
            Limited::RunStart(user) => check(&self.runs, &user),
        }
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
        let rates = Rates::new(&config);
        let start = |n| rates.check(Limited::RunStart(UserId::new(Uuid::from_u128(n))));

        assert_eq!((start(1), start(1)), (Ok(()), Ok(())));
        let wait_ms = start(1).unwrap_err();
        assert!((1..=10_000).contains(&wait_ms), "{wait_ms}");
        assert_eq!(start(2), Ok(()));
    }
}
