//! The pool as an operator sees it. Holds no key, only fingerprints.

use super::{
    group, key,
    meter::{group_state, key_state},
    provider::Provider,
    state::Pool,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// A provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderView {
    /// Its name.
    pub name: String,
    /// Its default model.
    pub model: String,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls that wait until it has room.
    #[serde(default)]
    pub waiting: u32,
    /// Its keys.
    pub keys: Vec<KeyView>,
    /// Its quota groups that were used of late.
    pub groups: Vec<GroupView>,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyView {
    /// Tells it apart; none: the provider needs no key.
    pub fingerprint: Option<String>,
    /// Its account, as in [`GroupView::account`].
    pub account: String,
    /// `active`, `suspect`, `invalid`, `exhausted` or `trial`.
    pub state: String,
    /// Until it is looked at again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_in_ms: Option<u64>,
}

/// A quota group: one account's use of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    /// The account: as configured, as the provider calls it, or a number.
    pub account: String,
    /// The model.
    pub model: String,
    /// `open`, `cooling` or `half_open`.
    pub state: String,
    /// Until the end of its cooldown, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_in_ms: Option<u64>,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls left; none: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_left: Option<f64>,
    /// Tokens left; none: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_left: Option<f64>,
}

impl Pool {
    /// All providers in the order of preference.
    #[must_use]
    pub fn view(&self, now: Instant) -> Vec<ProviderView> {
        let providers = self.providers.iter().enumerate();
        let view = |(place, provider): (usize, &Provider)| {
            let waiting = u32::try_from(self.waiting_for(place)).unwrap_or(u32::MAX);
            provider.view(waiting, now)
        };
        providers.map(view).collect()
    }
}

impl Provider {
    fn view(&self, waiting: u32, now: Instant) -> ProviderView {
        let keys = self.keys.iter().map(|key| KeyView {
            fingerprint: key.fingerprint.clone(),
            account: self.account_name(key.account),
            state: key_state(key.phase()).to_owned(),
            ready_in_ms: key_ready(key.phase()).map(|at| in_ms(at, now)),
        });
        let mut groups = Vec::new();
        for (model, class) in &self.classes {
            for (account, group) in class.groups.iter().enumerate() {
                if !self.keys.iter().any(|key| key.account == account) {
                    continue; // it became one with another
                }
                let (requests, tokens) = group.left(now);
                groups.push(GroupView {
                    account: self.account_name(account),
                    model: model.to_string(),
                    state: group_state(group.phase()).to_owned(),
                    ready_in_ms: group_ready(group.phase()).map(|at| in_ms(at, now)),
                    in_flight: group.in_flight,
                    requests_left: requests.map(f64::floor),
                    tokens_left: tokens.map(f64::floor),
                });
            }
        }
        ProviderView {
            name: self.name.clone(),
            model: self.model.to_string(),
            in_flight: self.in_flight,
            waiting,
            keys: keys.collect(),
            groups,
        }
    }

    fn account_name(&self, account: usize) -> String {
        let known = self.accounts.get(account);
        let name = known.and_then(|known| known.name.as_ref().or(known.told.as_ref()));
        name.cloned().unwrap_or_else(|| format!("{}", account + 1))
    }
}

const fn key_ready(phase: key::Phase) -> Option<Instant> {
    match phase {
        key::Phase::Active | key::Phase::Trial { .. } => None,
        key::Phase::Suspect { until } | key::Phase::Exhausted { until, .. } => Some(until),
        key::Phase::Invalid { probe_at, .. } => Some(probe_at),
    }
}

const fn group_ready(phase: group::Phase) -> Option<Instant> {
    match phase {
        group::Phase::Cooling { until, .. } => Some(until),
        group::Phase::Open | group::Phase::HalfOpen { .. } => None,
    }
}

fn in_ms(at: Instant, now: Instant) -> u64 {
    let wait: Duration = at.saturating_duration_since(now);
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
