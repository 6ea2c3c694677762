//! What the key pool decides. Pure: time and chance are passed in.
//!
//! All groups, keys and waiting calls are one state, so that a choice sees all of them as they are:
//! no two calls take the last place of a group, and those who waited for a cooldown do not come
//! back at once.

use super::{
    class::{Class, Selection},
    draw::Draw,
    group::{Group, Judged, Phase, is_transient},
    key::{EXHAUSTED_MAX, Generation, Key, Memory},
    provider::Provider,
    sharing::{Rest, share},
};
use crate::port::{KeyCheck, KeyInfo, Limits, ProviderErrorKind as Kind, Terms};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How soon a call that waits for no known time is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Settings of the pool.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How keys are chosen.
    pub selection: Selection,
    /// Most calls that wait; further ones are refused.
    pub waiting_max: usize,
    /// First rest of a key whose account has nothing to spend; each further one is twice as long.
    pub exhausted: Duration,
    /// Calls to one provider at a time.
    pub calls_max: u32,
}

/// A provider as the pool needs to know it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// The model of calls that ask for none.
    pub model: String,
    /// Its keys.
    pub keys: Vec<KeyInfo>,
    /// What its accounts may do.
    pub terms: Terms,
}

/// Place of a provider, in the order of preference.
pub type ProviderIndex = usize;

/// A key by its provider and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRef {
    /// The provider.
    pub provider: ProviderIndex,
    /// Its place among the provider's keys.
    pub key: usize,
}

/// What a call needs.
#[derive(Clone, Debug)]
pub struct Need {
    /// Providers that may answer, in order of preference.
    pub providers: Vec<ProviderIndex>,
    /// The model; none: the provider's own.
    pub model: Option<Arc<str>>,
    /// Tokens of the prompt.
    pub tokens: u64,
    /// Keys that failed this call before: their accounts come last.
    pub avoid: Vec<KeyRef>,
    /// Whether they come at all.
    pub may_repeat: bool,
    /// The call is a further try after a failure of this grant that may well be over.
    pub retries: Option<Grant>,
    /// When waiting is over.
    pub deadline: Instant,
}

/// The right to make one call with a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The key.
    pub key: KeyRef,
    /// The model.
    pub model: Arc<str>,
    pub(super) account: usize,
    pub(super) tokens: f64,
    pub(super) of_key: Generation,
    pub(super) of_group: Generation,
}

/// Why a call is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The provider that comes first for this call.
    pub provider: ProviderIndex,
    /// What it is like.
    pub why: Why,
    /// When it may be possible; none: not by itself.
    pub ready: Option<Instant>,
}

/// Why no key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Limits are used up for longer than the call may wait.
    Limited,
    /// All keys are refused by the provider, or may not use the model.
    Invalid,
    /// No account has anything to spend.
    Exhausted,
    /// Too many calls wait already.
    Crowded,
    /// Too many tries failed of late: a further one would not help.
    Retried,
}

/// A call that waits.
pub type WaiterId = u64;

/// What the pool is told.
#[derive(Debug)]
pub enum Input {
    /// A call is to be made.
    Ask(WaiterId, Need),
    /// A call that waited is given up.
    Leave(WaiterId),
    /// A call was granted, and the provider told this of its limits.
    Told(Grant, Limits),
    /// Its first content came after so long.
    Answered(Grant, Duration),
    /// It failed.
    Failed(Grant, Failure),
    /// It ended before the provider said anything.
    Abandoned(Grant),
    /// It is over, after one of those before.
    Ended(Grant),
    /// A probe of a key is over.
    Checked(KeyRef, Generation, KeyCheck),
    /// Another node was refused.
    Rested(Rest),
    /// Time went by.
    Tick,
}

/// How a call failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// Class.
    pub kind: Kind,
    /// How long the provider asks to wait.
    pub hint: Option<Duration>,
    /// Whether its answer had begun.
    pub answered: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// The call may be made.
    Grant(WaiterId, Grant),
    /// The call waits, probably for so long.
    Wait(WaiterId, Duration),
    /// The call is not made.
    Refuse(WaiterId, Refusal),
    /// Look whether a key is accepted.
    Probe(KeyRef, Generation),
    /// What is remembered of a key has changed.
    Remember(KeyRef),
    /// Two keys turned out to share an account.
    Merged(KeyRef, KeyRef),
    /// Tell the other nodes.
    Share(Rest),
    /// A result came too late to say anything.
    Late(ProviderIndex),
}

/// All keys of a node.
#[derive(Clone, Debug)]
pub struct Pool {
    settings: Settings,
    pub(super) providers: Vec<Provider>,
    waiting: BTreeMap<(Instant, WaiterId), Waiter>,
}

#[derive(Clone, Debug)]
struct Waiter {
    need: Need,
    /// When it is to be looked at again.
    look: Instant,
}

/// Why a call cannot be made now, and when it may be.
#[derive(Clone, Copy)]
struct Blocked {
    ready: Option<Instant>,
    refusal: Refusal,
}

impl Pool {
    /// A pool in which every key is good and nothing is used up.
    #[must_use]
    pub fn new(settings: Settings, members: Vec<Member>) -> Self {
        let providers = members.into_iter().map(Provider::new).collect();
        Self { settings, providers, waiting: BTreeMap::new() }
    }

    /// Takes an input and says what is to be done about it.
    pub fn apply(&mut self, input: Input, (now, draw): (Instant, &mut Draw)) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Ask(waiter, need) => return self.ask(waiter, need, (now, draw)),
            Input::Leave(waiter) => self.waiting.retain(|(_, id), _| *id != waiter),
            Input::Told(grant, limits) => self.told(&grant, &limits, now, &mut effects),
            Input::Answered(grant, ttft) => self.answered(&grant, ttft, now, &mut effects),
            Input::Failed(grant, failure) => {
                self.failed(&grant, failure, (now, draw), &mut effects);
            }
            Input::Abandoned(grant) => self.abandoned(&grant),
            Input::Ended(grant) => self.ended(&grant),
            Input::Checked(key, generation, check) => {
                self.checked(key, generation, check, (now, draw), &mut effects);
            }
            Input::Rested(rest) => self.rested(rest, now),
            Input::Tick => self.tick(now, &mut effects),
        }
        self.dispatch((now, draw), &mut effects);
        effects
    }

    /// When the pool wants to be told that time went by; none: never.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let looks = self.waiting.iter().map(|((deadline, _), waiter)| waiter.look.min(*deadline));
        let keys = self.providers.iter().flat_map(|provider| &provider.keys);
        looks.chain(keys.filter_map(Key::probe_at)).min()
    }

    /// How many calls wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many calls wait that would rather be answered by this provider than by another.
    #[must_use]
    pub fn waiting_for(&self, provider: ProviderIndex) -> usize {
        let wants = |waiter: &&Waiter| waiter.need.providers.first() == Some(&provider);
        self.waiting.values().filter(wants).count()
    }

    /// The key for a call, if one has room now.
    pub fn choose(&mut self, need: &Need, (now, draw): (Instant, &mut Draw)) -> Option<Grant> {
        let again: &[KeyRef] = &[];
        let rounds = if need.may_repeat { [&need.avoid[..], again] } else { [&need.avoid[..]; 2] };
        let rounds = rounds.into_iter().take(if need.avoid.is_empty() { 1 } else { 2 });
        for avoid in rounds {
            for place in &need.providers {
                let Some(provider) = self.providers.get_mut(*place) else { continue };
                let grant = provider.choose(*place, need, avoid, &self.settings, (now, &mut *draw));
                if grant.is_some() {
                    return grant;
                }
            }
        }
        None
    }

    /// What is remembered of a key; none: nothing.
    pub(super) fn memory(&self, key: KeyRef) -> Option<Memory> {
        self.key(key).and_then(Key::memory)
    }

    /// Takes what an earlier life of the node remembered.
    pub(super) fn recall(&mut self, key: KeyRef, memory: Memory) {
        if let Some(key) = self.key_mut(key) {
            key.recall(memory);
        }
    }

    /// A key's fingerprint; none: there is no key.
    pub(super) fn fingerprint(&self, key: KeyRef) -> Option<&str> {
        self.key(key)?.fingerprint.as_deref()
    }

    fn ask(&mut self, waiter: WaiterId, need: Need, when: (Instant, &mut Draw)) -> Vec<Effect> {
        let (now, draw) = when;
        if let Some(refusal) = need.retries.as_ref().and_then(|grant| self.retried(grant)) {
            return vec![Effect::Refuse(waiter, refusal)];
        }
        // Nobody overtakes those who wait already.
        if self.waiting.is_empty()
            && let Some(grant) = self.choose(&need, (now, &mut *draw))
        {
            return vec![Effect::Grant(waiter, grant)];
        }
        if self.waiting.len() >= self.settings.waiting_max {
            let refusal = Refusal { why: Why::Crowded, ..self.blocked(&need, now).refusal };
            return vec![Effect::Refuse(waiter, refusal)];
        }
        let key = (need.deadline, waiter);
        self.waiting.insert(key, Waiter { need, look: now });
        let mut effects = Vec::new();
        self.dispatch((now, draw), &mut effects);
        if let Some(still) = self.waiting.get(&key) {
            effects.push(Effect::Wait(waiter, still.look.saturating_duration_since(now)));
        }
        effects
    }

    /// Grants what can be granted, refuses what never can be, in the order of deadlines.
    fn dispatch(&mut self, (now, draw): (Instant, &mut Draw), effects: &mut Vec<Effect>) {
        let mut waiting = std::mem::take(&mut self.waiting);
        // What one call of a kind cannot have, the next one cannot have either.
        let mut without = Vec::<(Vec<ProviderIndex>, Option<Arc<str>>, Blocked)>::new();
        waiting.retain(|(deadline, id), waiter| {
            let need = &waiter.need;
            let known = without.iter().find(|(providers, model, _)| {
                *providers == need.providers && *model == need.model && need.avoid.is_empty()
            });
            let blocked = match known {
                Some((.., blocked)) => *blocked,
                None => match self.choose(need, (now, &mut *draw)) {
                    Some(grant) => {
                        effects.push(Effect::Grant(*id, grant));
                        return false;
                    }
                    None => self.blocked(need, now),
                },
            };
            if known.is_none() && need.avoid.is_empty() {
                without.push((need.providers.clone(), need.model.clone(), blocked));
            }
            match blocked.ready.filter(|ready| ready.max(&now) < deadline) {
                Some(ready) => {
                    waiter.look = ready.max(now + Duration::from_millis(1));
                    true
                }
                None => {
                    effects.push(Effect::Refuse(*id, blocked.refusal));
                    false
                }
            }
        });
        self.waiting = waiting;
    }

    /// Why a call cannot be made, and when it may be.
    fn blocked(&mut self, need: &Need, now: Instant) -> Blocked {
        let first = need.providers.first().copied().unwrap_or_default();
        let avoid = if need.may_repeat { &[][..] } else { &need.avoid[..] };
        let mut ready = None::<Instant>;
        for place in &need.providers {
            let Some(provider) = self.providers.get_mut(*place) else { continue };
            let is_full = provider.in_flight >= self.settings.calls_max;
            let when = provider.ready(*place, need, avoid, now);
            let when = if is_full { when.map(|when| when.max(now + LOOK_AGAIN)) } else { when };
            ready = [ready, when].into_iter().flatten().min();
        }
        let keys = self.providers.get(first).map_or(&[][..], |provider| &provider.keys);
        let is_exhausted = |key: &Key| matches!(key.memory(), Some(Memory::Exhausted { .. }));
        let why = match ready {
            None => Why::Invalid,
            Some(_) if !keys.is_empty() && keys.iter().all(is_exhausted) => Why::Exhausted,
            Some(_) => Why::Limited,
        };
        Blocked { ready, refusal: Refusal { provider: first, why, ready } }
    }

    fn retried(&self, grant: &Grant) -> Option<Refusal> {
        let provider = self.providers.get(grant.key.provider)?;
        let group = provider.classes.get(&grant.model)?.groups.get(grant.account)?;
        let refusal = Refusal { provider: grant.key.provider, why: Why::Retried, ready: None };
        (!group.may_retry()).then_some(refusal)
    }

    fn told(&mut self, grant: &Grant, limits: &Limits, now: Instant, effects: &mut Vec<Effect>) {
        if let Some(group) = self.group(grant) {
            group.told(limits, now);
        }
        let Some(told) = &limits.account else { return };
        let place = grant.key.provider;
        let Some(provider) = self.providers.get_mut(place) else { return };
        if let Some(other) = provider.learn(grant.key.key, told, now) {
            effects.push(Effect::Merged(grant.key, KeyRef { provider: place, key: other }));
        }
    }

    fn answered(&mut self, grant: &Grant, ttft: Duration, now: Instant, effects: &mut Vec<Effect>) {
        if let Some(group) = self.group(grant) {
            group.answered(grant.of_group, grant.tokens, (ttft, now));
        }
        if let Some(class) = self.class(grant) {
            class.trust(grant.key.key);
        }
        if self.key_mut(grant.key).is_some_and(|key| key.answered(grant.of_key)) {
            effects.push(Effect::Remember(grant.key));
        }
    }

    fn failed(
        &mut self,
        grant: &Grant,
        Failure { kind, hint, answered }: Failure,
        (now, draw): (Instant, &mut Draw),
        effects: &mut Vec<Effect>,
    ) {
        let KeyRef { provider: place, key } = grant.key;
        let exhausted = self.settings.exhausted;
        let Some(provider) = self.providers.get_mut(place) else { return };
        let account = provider.account_of(grant);
        let Some(class) = provider.classes.get_mut(&grant.model) else { return };
        let alone = !class.has_other(&provider.keys, account, now);
        let judged = class.groups.get_mut(account).map(|group| {
            let unanswered = (!answered).then_some(grant.tokens);
            let of = (grant.of_group, unanswered);
            let judged = group.failed(of, (kind, hint), alone, (now, draw));
            if let (Judged::Changed, Kind::RateLimited, Phase::Cooling { until, .. }) =
                (judged, kind, group.phase())
            {
                share(effects, grant.key, Some(&grant.model), until);
            }
            judged
        });
        let Some(used) = provider.keys.get_mut(key) else { return };
        match kind {
            Kind::Unauthorized => {
                if used.refused(grant.of_key, now) {
                    class.doubt(key, now);
                    effects.push(Effect::Probe(grant.key, used.generation()));
                }
            }
            Kind::QuotaExhausted => {
                let pause = hint.unwrap_or(exhausted).clamp(exhausted, EXHAUSTED_MAX);
                if used.exhausted(grant.of_key, now, pause) {
                    effects.push(Effect::Remember(grant.key));
                    if let Some(until) = used.ready(now) {
                        share(effects, grant.key, None, until);
                    }
                }
            }
            Kind::ModelUnavailable => {
                class.deny(key, now);
                used.ended(grant.of_key);
            }
            Kind::Unreachable
            | Kind::RateLimited
            | Kind::Rejected
            | Kind::Failed
            | Kind::Stalled
            | Kind::Broken => used.ended(grant.of_key),
        }
        if judged == Some(Judged::Late) && (is_transient(kind) || kind == Kind::RateLimited) {
            effects.push(Effect::Late(place));
        }
    }

    fn abandoned(&mut self, grant: &Grant) {
        if let Some(group) = self.group(grant) {
            group.abandoned(grant.of_group, grant.tokens);
        }
        if let Some(key) = self.key_mut(grant.key) {
            key.ended(grant.of_key);
        }
    }

    fn ended(&mut self, grant: &Grant) {
        if let Some(group) = self.group(grant) {
            group.ended();
        }
        if let Some(provider) = self.providers.get_mut(grant.key.provider) {
            provider.in_flight = provider.in_flight.saturating_sub(1);
        }
    }

    fn checked(
        &mut self,
        key: KeyRef,
        generation: Generation,
        check: KeyCheck,
        (now, draw): (Instant, &mut Draw),
        effects: &mut Vec<Effect>,
    ) {
        let jitter = draw.part_of(Duration::from_secs(360));
        let is_changed =
            self.key_mut(key).is_some_and(|key| key.checked(generation, check, now, jitter));
        if is_changed {
            effects.push(Effect::Remember(key));
        }
    }

    fn tick(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        for (place, provider) in self.providers.iter_mut().enumerate() {
            for (at, key) in provider.keys.iter_mut().enumerate() {
                if key.probe_at().is_some_and(|due| due <= now) {
                    key.probing(now);
                    let of = KeyRef { provider: place, key: at };
                    effects.extend([Effect::Probe(of, key.generation()), Effect::Remember(of)]);
                }
            }
        }
    }

    fn key(&self, KeyRef { provider, key }: KeyRef) -> Option<&Key> {
        self.providers.get(provider)?.keys.get(key)
    }

    fn key_mut(&mut self, KeyRef { provider, key }: KeyRef) -> Option<&mut Key> {
        self.providers.get_mut(provider)?.keys.get_mut(key)
    }

    fn class(&mut self, grant: &Grant) -> Option<&mut Class> {
        self.providers.get_mut(grant.key.provider)?.classes.get_mut(&grant.model)
    }

    fn group(&mut self, grant: &Grant) -> Option<&mut Group> {
        let provider = self.providers.get_mut(grant.key.provider)?;
        let account = provider.account_of(grant);
        provider.classes.get_mut(&grant.model)?.groups.get_mut(account)
    }
}

#[cfg(test)]
mod tests;
