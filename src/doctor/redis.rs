//! Whether Redis answers, and is one that the scripts can run on.

use super::Finding;
use crate::{
    config::RedisConfig,
    redis::{Examined, Meter, Redis, RedisError},
};
use std::time::Duration;

/// The first version that knows all that the scripts say.
const VERSION_MIN: (u32, u32) = (6, 2);
/// Tries to reach it: the first may find the connection not made yet.
const TRIES: u32 = 4;

/// Asks it, where one is configured.
pub(super) async fn examine(config: &RedisConfig) -> Option<Finding> {
    if !config.is_set() {
        return None;
    }
    Some(judge(&config.place(), &ask(config).await))
}

async fn ask(config: &RedisConfig) -> Result<Examined, RedisError> {
    let redis = Redis::open(config, Duration::ZERO, Meter::default())?;
    let mut answer = redis.examine().await;
    for _ in 1..TRIES {
        if answer.is_ok() {
            break;
        }
        answer = redis.examine().await;
    }
    answer
}

fn judge(place: &str, answer: &Result<Examined, RedisError>) -> Finding {
    let subject = "Redis";
    match answer {
        // The server starts all the same, and goes on without it.
        Err(error) => Finding::warning(
            subject,
            format!("{place} cannot be used: {error}"),
            "check redis.url, its password, the network; without it each node counts by itself",
        ),
        Ok(Examined { version, .. }) if !is_enough(version) => Finding::warning(
            subject,
            format!("{place} is version {version}"),
            format!("use {}.{} or later", VERSION_MIN.0, VERSION_MIN.1),
        ),
        Ok(Examined { eviction, .. }) if eviction != "noeviction" => Finding::warning(
            subject,
            format!("{place} drops keys when its memory is full ({eviction})"),
            "set its maxmemory-policy to noeviction: with a key that is dropped, a limit is",
        ),
        Ok(Examined { version, .. }) => Finding::ok(subject, format!("{version} at {place}")),
    }
}

fn is_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= VERSION_MIN
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    fn state(version: &str, eviction: &str) -> State {
        let (version, eviction) = (version.to_owned(), eviction.to_owned());
        judge("h:1", &Ok(Examined { version, eviction })).state
    }

    #[test]
    fn a_redis_that_is_old_or_forgets_is_a_warning_and_so_is_one_out_of_reach() {
        assert_eq!(state("6.2.0", "noeviction"), State::Ok);
        assert_eq!(state("10.0.1", "noeviction"), State::Ok);
        assert_eq!(state("6.0.16", "noeviction"), State::Warning);
        assert_eq!(state("", "noeviction"), State::Warning);
        assert_eq!(state("7.0.15", "allkeys-lru"), State::Warning);
        let finding = judge("h:1", &Err(RedisError::Down));
        assert_eq!(finding.state, State::Warning);
        assert!(finding.found.contains("h:1"));
    }
}
