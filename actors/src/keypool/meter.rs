//! What the key pool counts. Labels are providers and states, which are few; never a key.

use super::{
    group, key,
    state::{Failure, Input, Pool},
};
use crate::port::ProviderErrorKind as Kind;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    provider: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    provider: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Provider {
    provider: String,
}

/// All metrics of the key pool; clones share them.
#[derive(Clone, Debug)]
pub struct Meter {
    calls: Family<Outcome, Counter>,
    late: Family<Provider, Counter>,
    drained: Family<Provider, Counter>,
    keys: Family<State, Gauge>,
    groups: Family<State, Gauge>,
    waiting: Gauge,
    pub(super) wait_seconds: Histogram,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            late: Family::default(),
            drained: Family::default(),
            keys: Family::default(),
            groups: Family::default(),
            waiting: Gauge::default(),
            wait_seconds: Histogram::new(exponential_buckets(0.01, 2.0, 14)),
        }
    }
}

impl Meter {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "provider_calls",
            "Calls to providers by what they came to",
            self.calls.clone(),
        );
        registry.register(
            "provider_late_failures",
            "Failures that were ignored since their key or group had recovered meanwhile",
            self.late.clone(),
        );
        registry.register(
            "provider_drained_tokens",
            "Tokens of answers read to their end after a cancel, since they are billed",
            self.drained.clone(),
        );
        registry.register("provider_keys", "Keys by state", self.keys.clone());
        registry.register("provider_groups", "Quota groups by state", self.groups.clone());
        registry.register(
            "provider_waiting",
            "Calls that wait for a key with room",
            self.waiting.clone(),
        );
        registry.register(
            "provider_wait_seconds",
            "How long calls waited that had to",
            self.wait_seconds.clone(),
        );
    }

    /// Has values of this provider: counters begin at zero, and not with their first call.
    pub fn touch(&self, provider: &str) {
        self.count(provider, "answered", 0);
        self.late(provider, 0);
        self.drained(provider, 0);
        for family in [&self.keys, &self.groups] {
            let state = State { provider: provider.to_owned(), state: "active" };
            let _ = family.get_or_create(&state);
        }
    }

    /// Counts what the pool is told.
    pub(super) fn heard(&self, pool: &Pool, input: &Input) {
        let (grant, outcome) = match input {
            Input::Answered(grant, _) => (grant, "answered"),
            Input::Failed(grant, Failure { kind, .. }) => (grant, outcome(*kind)),
            Input::Abandoned(grant) => (grant, "abandoned"),
            Input::Ask(..)
            | Input::Leave(_)
            | Input::Told(..)
            | Input::Ended(_)
            | Input::Checked(..)
            | Input::Rested(_)
            | Input::Tick => return,
        };
        if let Some(provider) = pool.providers.get(grant.key.provider) {
            self.count(&provider.name, outcome, 1);
        }
    }

    /// Counts failures that came too late.
    pub(super) fn late(&self, provider: &str, count: u64) {
        let labels = Provider { provider: provider.to_owned() };
        self.late.get_or_create(&labels).inc_by(count);
    }

    /// Counts the tokens of an answer that was read to its end for nobody.
    pub(crate) fn drained(&self, provider: &str, tokens: u64) {
        let labels = Provider { provider: provider.to_owned() };
        self.drained.get_or_create(&labels).inc_by(tokens);
    }

    /// Shows the pool as it is.
    pub(super) fn show(&self, pool: &Pool) {
        self.waiting.set(i64::try_from(pool.waiting()).unwrap_or(i64::MAX));
        for provider in &pool.providers {
            let set = |family: &Family<State, Gauge>, state, count: usize| {
                let labels = State { provider: provider.name.clone(), state };
                family.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
            };
            for state in KEY_STATES {
                let is = |one: &&key::Key| key_state(one.phase()) == state;
                set(&self.keys, state, provider.keys.iter().filter(is).count());
            }
            let groups = || provider.classes.values().flat_map(|class| &class.groups);
            for state in GROUP_STATES {
                let is = |one: &&group::Group| group_state(one.phase()) == state;
                set(&self.groups, state, groups().filter(is).count());
            }
        }
    }

    fn count(&self, provider: &str, outcome: &'static str, count: u64) {
        let labels = Outcome { provider: provider.to_owned(), outcome };
        self.calls.get_or_create(&labels).inc_by(count);
    }
}

const KEY_STATES: [&str; 5] = ["active", "suspect", "invalid", "exhausted", "trial"];
const GROUP_STATES: [&str; 3] = ["open", "cooling", "half_open"];

/// A key's state by its name.
pub(super) const fn key_state(phase: key::Phase) -> &'static str {
    match phase {
        key::Phase::Active => "active",
        key::Phase::Suspect { .. } => "suspect",
        key::Phase::Invalid { .. } => "invalid",
        key::Phase::Exhausted { .. } => "exhausted",
        key::Phase::Trial { .. } => "trial",
    }
}

/// A group's state by its name.
pub(super) const fn group_state(phase: group::Phase) -> &'static str {
    match phase {
        group::Phase::Open => "open",
        group::Phase::Cooling { .. } => "cooling",
        group::Phase::HalfOpen { .. } => "half_open",
    }
}

const fn outcome(kind: Kind) -> &'static str {
    match kind {
        Kind::Unreachable => "unreachable",
        Kind::Unauthorized => "unauthorized",
        Kind::QuotaExhausted => "quota_exhausted",
        Kind::RateLimited => "rate_limited",
        Kind::ModelUnavailable => "model_unavailable",
        Kind::Rejected => "rejected",
        Kind::Failed => "failed",
        Kind::Stalled => "stalled",
        Kind::Broken => "broken",
    }
}
