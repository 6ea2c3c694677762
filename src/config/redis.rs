//! Where Redis is, if there is one.

use super::error::Problems;
use reqwest::Url;
use serde::Deserialize;
use std::fmt;

/// Section `[redis]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// Address, which may hold a password; empty: there is no Redis.
    pub url: String,
    /// What the names of all keys begin with.
    pub prefix: String,
    /// Longest wait for an answer, in milliseconds.
    pub answer_ms_max: u64,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self { url: String::new(), prefix: "greenroom".to_owned(), answer_ms_max: 250 }
    }
}

/// Without the address, which may hold a password.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

const SCHEMES: [&str; 2] = ["redis", "rediss"];

impl RedisConfig {
    /// Whether there is one.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        !self.url.is_empty()
    }

    /// Host and port, for people to read.
    #[must_use]
    pub fn place(&self) -> String {
        let url = Url::parse(&self.url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or("?");
        let port = url.as_ref().and_then(Url::port).unwrap_or(6379);
        format!("{host}:{port}")
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        let is_usable = |url: Url| {
            let database = url.path().trim_start_matches('/');
            SCHEMES.contains(&url.scheme())
                && url.host_str().is_some_and(|host| !host.is_empty())
                && (database.is_empty() || database.parse::<u8>().is_ok())
                && url.query().is_none()
        };
        if self.is_set() && !Url::parse(&self.url).is_ok_and(is_usable) {
            let fix = "write redis://HOST:PORT, rediss:// for TLS, with :PASSWORD@ before the \
                       host and /NUMBER of the database after the port where they are needed";
            problems.add("redis.url", "it is no address of a Redis", fix);
        }
        problems.range("redis.answer_ms_max", self.answer_ms_max, 5, 10_000);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.prefix.is_empty() || !self.prefix.chars().all(is_plain) {
            let fix = "use letters, digits, '-', '_' and '.'";
            problems.add("redis.prefix", "it is no beginning of a key", fix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(url: &str, prefix: &str) -> usize {
        let mut problems = Problems::default();
        let (url, prefix) = (url.to_owned(), prefix.to_owned());
        RedisConfig { url, prefix, ..RedisConfig::default() }.check(&mut problems);
        problems.0.len()
    }

    #[test]
    fn an_address_is_that_of_a_redis() {
        for good in ["", "redis://h", "rediss://:pw@h:6380/2", "redis://user:pw@[::1]:1"] {
            assert_eq!(problems(good, "x"), 0, "{good}");
        }
        for bad in ["h:6379", "http://h", "redis://", "redis://h/x", "redis://h?a=b"] {
            assert_eq!(problems(bad, "x"), 1, "{bad}");
        }
        assert_eq!(problems("", "a:b"), 1);
    }

    #[test]
    fn what_is_shown_of_an_address_has_no_password() {
        let config = RedisConfig { url: "redis://:hunter2@h:1".to_owned(), ..Default::default() };
        assert_eq!(config.place(), "h:1");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
