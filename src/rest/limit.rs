//! How much one source may ask.

use super::{Allowance, Problem, Source};
use governor::{
    Quota, RateLimiter, clock::Clock, middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashSet,
    fmt,
    hash::Hash,
    num::NonZeroU32,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Requests that find a table full, between two sweeps of it.
const SWEEP_EVERY: usize = 4096;

/// Limits on requests. A rate of 0 means: no limit. A source is an IPv4 address or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Requests a minute of one source, on average; default 600.
    pub requests_per_minute: u32,
    /// Requests of one source at once; default 200.
    pub requests_burst: u32,
    /// Requests a minute of one source for registering, signing in and refreshing; default 20.
    pub auth_per_minute: u32,
    /// The same at once; default 20.
    pub auth_burst: u32,
    /// Tries a minute to sign in to one account, from all sources that never did; default 2.
    pub account_per_minute: u32,
    /// The same at once; default 10.
    pub account_burst: u32,
    /// WebSockets that one source may open a minute; default 600.
    pub upgrades_per_minute: u32,
    /// The same at once; default 300.
    pub upgrades_burst: u32,
    /// Most sources and accounts that are counted apart; default 65,536. Further ones share one
    /// count.
    pub keys_max: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            requests_per_minute: 600,
            requests_burst: 200,
            auth_per_minute: 20,
            auth_burst: 20,
            account_per_minute: 2,
            account_burst: 10,
            upgrades_per_minute: 600,
            upgrades_burst: 300,
            keys_max: 65_536,
        }
    }
}

/// An account, by the SHA-256 of its address.
type Account = [u8; 16];

/// The limits of one node.
#[derive(Debug)]
pub struct Limits {
    requests: Limiter<Source>,
    auth: Limiter<Source>,
    accounts: Limiter<Account>,
    upgrades: Limiter<Source>,
    /// Who has signed in to what: not held up by strangers who guess at the account.
    familiar: Mutex<HashSet<(Account, Source)>>,
    familiar_max: usize,
}

impl Limits {
    /// Limits with nothing counted yet.
    #[must_use]
    pub fn new(config: &LimitsConfig) -> Self {
        let keys = config.keys_max;
        Self {
            requests: Limiter::new(
                "requests",
                (config.requests_per_minute, config.requests_burst),
                keys,
            ),
            auth: Limiter::new("auth", (config.auth_per_minute, config.auth_burst), keys),
            accounts: Limiter::new(
                "account",
                (config.account_per_minute, config.account_burst),
                keys,
            ),
            upgrades: Limiter::new(
                "upgrades",
                (config.upgrades_per_minute, config.upgrades_burst),
                keys,
            ),
            familiar: Mutex::default(),
            familiar_max: keys,
        }
    }

    /// Counts a request; what is left after it, where there is a limit.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn request(&self, source: Source) -> Result<Option<Allowance>, Problem> {
        self.requests.check(source)
    }

    /// Counts a request that registers, signs in or refreshes.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn auth(&self, source: Source) -> Result<(), Problem> {
        self.auth.check(source).map(drop)
    }

    /// Counts a WebSocket that is to be opened.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn upgrade(&self, source: Source) -> Result<(), Problem> {
        self.upgrades.check(source).map(drop)
    }

    /// Counts a try to sign in to an account, unless the source did so before.
    ///
    /// # Errors
    /// `rate_limited`, whether the account exists or not.
    pub fn sign_in(&self, email: &str, source: Source) -> Result<(), Problem> {
        let account = account(email);
        let familiar = self.familiar.lock().unwrap_or_else(PoisonError::into_inner);
        if familiar.contains(&(account, source)) {
            return Ok(());
        }
        drop(familiar);
        self.accounts.check(account).map(drop)
    }

    /// Remembers that a source signed in to an account.
    pub fn signed_in(&self, email: &str, source: Source) {
        let mut familiar = self.familiar.lock().unwrap_or_else(PoisonError::into_inner);
        if familiar.len() >= self.familiar_max {
            familiar.clear(); // forgetting costs a few tries
        }
        familiar.insert((account(email), source));
    }

    /// Forgets the sources that have been quiet. To be called every minute or so.
    pub fn sweep(&self) {
        self.requests.sweep();
        self.auth.sweep();
        self.accounts.sweep();
        self.upgrades.sweep();
    }
}

fn account(email: &str) -> Account {
    let digest: [u8; 32] = Sha256::digest(email.trim().to_ascii_lowercase()).into();
    let mut account = Account::default();
    account.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    account
}

/// Requests by key, each on average so often and so many at once.
struct Limiter<K: Hash + Eq + Clone> {
    name: &'static str,
    quota: Quota,
    /// None: no limit. The key none counts all that find no room.
    rate: Option<Rate<K>>,
    keys_max: usize,
    overflows: AtomicUsize,
    clock: SinceStart,
}

type Rate<K> =
    RateLimiter<Option<K>, DashMapStateStore<Option<K>>, SinceStart, StateInformationMiddleware>;

/// Tokio's clock for the library.
#[derive(Clone, Copy)]
struct SinceStart(Instant);

impl Clock for SinceStart {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for Limiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.rate.as_ref().map(RateLimiter::len);
        f.debug_struct("Limiter").field("keys", &keys).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(name: &'static str, (per_minute, burst): (u32, u32), keys_max: usize) -> Self {
        let clock = SinceStart(Instant::now());
        let positive = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(positive(per_minute)).allow_burst(positive(burst));
        let rate =
            (per_minute > 0).then(|| Rate::<K>::new(quota, DashMapStateStore::default(), clock));
        Self { name, quota, rate, keys_max, overflows: AtomicUsize::new(0), clock }
    }

    fn check(&self, key: K) -> Result<Option<Allowance>, Problem> {
        let Some(rate) = &self.rate else { return Ok(None) };
        let key = (!self.is_full(rate)).then_some(key);
        match rate.check_key(&key) {
            Ok(state) => Ok(Some(self.allowance(state.remaining_burst_capacity()))),
            Err(until) => {
                let problem = Problem::rate_limited(until.wait_time_from(self.clock.now()));
                Err(Problem { allowance: Some(Box::new(self.allowance(0))), ..problem })
            }
        }
    }

    fn allowance(&self, left: u32) -> Allowance {
        let (name, most) = (self.name, self.quota.burst_size().get());
        let each = self.quota.replenish_interval();
        let full_in = each.saturating_mul(most.saturating_sub(left));
        Allowance { name, most, window: each.saturating_mul(most), left, full_in }
    }

    fn is_full(&self, rate: &Rate<K>) -> bool {
        if rate.len() < self.keys_max {
            return false;
        }
        // A sweep walks the whole table: not at every request of a flood.
        if self.overflows.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY) {
            rate.retain_recent();
        }
        rate.len() >= self.keys_max
    }

    fn sweep(&self) {
        if let Some(rate) = &self.rate {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn source(n: u32) -> Source {
        Source::V4(n.to_be_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_asks_too_much_is_told_how_long_to_wait() {
        let limits = Limits::new(&LimitsConfig::default());
        for _ in 0..20 {
            limits.auth(source(1)).unwrap();
        }
        let problem = limits.auth(source(1)).unwrap_err();
        assert_eq!(problem.retry_after, Some(Duration::from_secs(3)));
        assert_eq!(limits.auth(source(2)), Ok(()), "others are not concerned");

        advance(Duration::from_secs(3)).await;
        assert_eq!(limits.auth(source(1)), Ok(()));
        assert!(limits.auth(source(1)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_is_guarded_against_many_sources_and_open_to_who_knows_it() {
        let limits = Limits::new(&LimitsConfig::default());
        limits.sign_in("ada@example.org", source(0)).unwrap();
        limits.signed_in("Ada@example.org", source(0));
        for n in 1..10 {
            limits.sign_in("ada@example.org", source(n)).unwrap();
        }

        assert!(limits.sign_in("ADA@example.org", source(11)).is_err());
        assert_eq!(limits.sign_in("ada@example.org", source(0)), Ok(()));
        assert_eq!(limits.sign_in("eve@example.org", source(11)), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_those_without_room_share_one_count() {
        let config = LimitsConfig { keys_max: 100, ..LimitsConfig::default() };
        let limits = Limits::new(&config);
        let refused = (0..1000).filter(|n| limits.auth(source(*n)).is_err()).count();

        assert_eq!(refused, 1000 - 100 - 20);
        assert!(limits.auth.rate.as_ref().unwrap().len() <= 101);

        advance(Duration::from_secs(3600)).await;
        limits.sweep();
        assert_eq!(limits.auth.rate.as_ref().unwrap().len(), 0);
        assert_eq!(limits.auth(source(5000)), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_zero_is_no_limit() {
        let limits = Limits::new(&LimitsConfig { requests_per_minute: 0, ..Default::default() });
        assert!((0..10_000).all(|_| limits.request(source(1)).is_ok()));
    }
}
