//! How much one source may ask.

use super::{Allowance, Problem, Source};
use crate::redis::{Bucket, Buckets, Taken};
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
    /// What all nodes count together; none: this one is alone.
    shared: Option<Buckets>,
}

impl Limits {
    /// Limits with nothing counted yet; they hold over all nodes that share `shared`.
    #[must_use]
    pub fn new(config: &LimitsConfig, shared: Option<Buckets>) -> Self {
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
            shared,
        }
    }

    /// Counts a request; what is left after it, where there is a limit.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn request(&self, source: Source) -> Result<Option<Allowance>, Problem> {
        let allowance = self.requests.check(source, self.weight())?;
        let left = self.take([self.requests.bucket(&source.name())]).await?;
        let least = |allowance: Allowance| match left.as_slice() {
            [left] if *left < allowance.left => self.requests.allowance(*left),
            _ => allowance,
        };
        Ok(allowance.map(least))
    }

    /// Counts a request that registers or refreshes.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn auth(&self, source: Source) -> Result<(), Problem> {
        self.auth_here(source)?;
        self.take([self.auth.bucket(&source.name())]).await.map(drop)
    }

    /// Counts a request that signs in, within this node: [`Limits::sign_in`] does the rest, once
    /// it is known to what.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn auth_here(&self, source: Source) -> Result<(), Problem> {
        self.auth.check(source, self.weight()).map(drop)
    }

    /// Counts a WebSocket that is to be opened.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn upgrade(&self, source: Source) -> Result<(), Problem> {
        self.upgrades.check(source, self.weight())?;
        self.take([self.upgrades.bucket(&source.name())]).await.map(drop)
    }

    /// Counts a try to sign in to an account, unless the source did so before.
    ///
    /// # Errors
    /// `rate_limited`, whether the account exists or not.
    pub async fn sign_in(&self, email: &str, source: Source) -> Result<(), Problem> {
        let account = account(email);
        let is_familiar = {
            let familiar = self.familiar.lock().unwrap_or_else(PoisonError::into_inner);
            familiar.contains(&(account, source))
        };
        let auth = self.auth.bucket(&source.name());
        if is_familiar {
            return self.take([auth]).await.map(drop);
        }
        self.accounts.check(account, self.weight())?;
        self.take([auth, self.accounts.bucket(&hex(&account))]).await.map(drop)
    }

    /// Remembers that a source signed in to an account, and that the try was none of a stranger.
    pub async fn signed_in(&self, email: &str, source: Source) {
        let account = account(email);
        let is_new = {
            let mut familiar = self.familiar.lock().unwrap_or_else(PoisonError::into_inner);
            if familiar.len() >= self.familiar_max {
                familiar.clear(); // forgetting costs a few tries
            }
            familiar.insert((account, source))
        };
        let bucket = self.accounts.bucket(&hex(&account)).filter(|_| is_new);
        if let (Some(shared), Some(bucket)) = (&self.shared, bucket) {
            let _ = shared.give_back(&bucket).await; // it comes back with time
        }
    }

    /// What a request counts within this node.
    fn weight(&self) -> u32 {
        self.shared.as_ref().map_or(1, Buckets::weight)
    }

    /// Takes from what all nodes count together; what is left in each. Where nobody answers at
    /// once, all passes: this node has counted it.
    async fn take<const N: usize>(
        &self,
        buckets: [Option<Bucket>; N],
    ) -> Result<Vec<u32>, Problem> {
        let Some(shared) = &self.shared else { return Ok(Vec::new()) };
        let buckets: Vec<_> = buckets.into_iter().flatten().collect();
        if buckets.is_empty() {
            return Ok(Vec::new());
        }
        match shared.take(&buckets).await {
            Ok(Taken::All(left)) => Ok(left),
            Ok(Taken::None { retry_after, .. }) => Err(Problem::rate_limited(retry_after)),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Forgets the sources that have been quiet. To be called every minute or so.
    pub fn sweep(&self) {
        self.requests.sweep();
        self.auth.sweep();
        self.accounts.sweep();
        self.upgrades.sweep();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
    per_minute: NonZeroU32,
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
        let (is_limited, per_minute) = (per_minute > 0, positive(per_minute));
        let quota = Quota::per_minute(per_minute).allow_burst(positive(burst));
        let rate = is_limited.then(|| Rate::<K>::new(quota, DashMapStateStore::default(), clock));
        let overflows = AtomicUsize::new(0);
        Self { name, per_minute, quota, rate, keys_max, overflows, clock }
    }

    /// Counts one, or where it stands for as much on other nodes, `weight`; at most a whole burst.
    fn check(&self, key: K, weight: u32) -> Result<Option<Allowance>, Problem> {
        let Some(rate) = &self.rate else { return Ok(None) };
        let key = (!self.is_full(rate)).then_some(key);
        let weight = weight.clamp(1, self.quota.burst_size().get());
        let weight = NonZeroU32::new(weight).unwrap_or(NonZeroU32::MIN);
        // A whole burst always fits into a bucket at some time.
        let Ok(checked) = rate.check_key_n(&key, weight) else { return Ok(None) };
        match checked {
            Ok(state) => Ok(Some(self.allowance(state.remaining_burst_capacity()))),
            Err(until) => {
                let problem = Problem::rate_limited(until.wait_time_from(self.clock.now()));
                Err(Problem { allowance: Some(Box::new(self.allowance(0))), ..problem })
            }
        }
    }

    /// What all nodes count of a key; none: there is no limit.
    fn bucket(&self, key: &str) -> Option<Bucket> {
        let per_minute = self.per_minute.get();
        let burst = self.quota.burst_size().get();
        let bucket = Bucket { name: format!("{}:{key}", self.name), per_minute, burst };
        self.rate.is_some().then_some(bucket)
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
        let limits = Limits::new(&LimitsConfig::default(), None);
        for _ in 0..20 {
            limits.auth(source(1)).await.unwrap();
        }
        let problem = limits.auth(source(1)).await.unwrap_err();
        assert_eq!(problem.retry_after, Some(Duration::from_secs(3)));
        assert_eq!(limits.auth(source(2)).await, Ok(()), "others are not concerned");

        advance(Duration::from_secs(3)).await;
        assert_eq!(limits.auth(source(1)).await, Ok(()));
        assert!(limits.auth(source(1)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_is_guarded_against_many_sources_and_open_to_who_knows_it() {
        let limits = Limits::new(&LimitsConfig::default(), None);
        limits.sign_in("ada@example.org", source(0)).await.unwrap();
        limits.signed_in("Ada@example.org", source(0)).await;
        for n in 1..10 {
            limits.sign_in("ada@example.org", source(n)).await.unwrap();
        }

        assert!(limits.sign_in("ADA@example.org", source(11)).await.is_err());
        assert_eq!(limits.sign_in("ada@example.org", source(0)).await, Ok(()));
        assert_eq!(limits.sign_in("eve@example.org", source(11)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_those_without_room_share_one_count() {
        let config = LimitsConfig { keys_max: 100, ..LimitsConfig::default() };
        let limits = Limits::new(&config, None);
        let refused = (0..1000).filter(|n| limits.auth_here(source(*n)).is_err()).count();

        assert_eq!(refused, 1000 - 100 - 20);
        assert!(limits.auth.rate.as_ref().unwrap().len() <= 101);

        advance(Duration::from_secs(3600)).await;
        limits.sweep();
        assert_eq!(limits.auth.rate.as_ref().unwrap().len(), 0);
        assert_eq!(limits.auth(source(5000)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_zero_is_no_limit() {
        let limits =
            Limits::new(&LimitsConfig { requests_per_minute: 0, ..Default::default() }, None);
        for _ in 0..10_000 {
            limits.request(source(1)).await.unwrap();
        }
    }
}
