//! What nodes tell each other of limits: each acts on what another one found out, as if it had been
//! refused itself.

use super::state::{Effect, KeyRef, Pool};
use crate::port::Cooling;
use std::sync::Arc;
use tokio::time::Instant;

/// A limit that is used up, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The key that was refused.
    pub key: KeyRef,
    /// The model; none: the key can be used for none.
    pub model: Option<Arc<str>>,
    /// When it may be over.
    pub until: Instant,
}

impl Pool {
    /// Another node was refused. Never tells anybody: the one that was refused did.
    pub(super) fn rested(&mut self, Rest { key, model, until }: Rest, now: Instant) {
        let Some(provider) = self.providers.get_mut(key.provider) else { return };
        match model {
            Some(model) => {
                if let Some(group) = provider.group_of(key.key, &model, now) {
                    group.rest(until, now);
                }
            }
            None => {
                if let Some(key) = provider.keys.get_mut(key.key) {
                    key.rest(until, now);
                }
            }
        }
    }

    /// What others are to be told of a limit.
    pub(super) fn cooling(&self, Rest { key, model, until }: &Rest, now: Instant) -> Cooling {
        let provider = self.providers.get(key.provider);
        Cooling {
            provider: provider.map(|provider| provider.name.clone()).unwrap_or_default(),
            key: self.fingerprint(*key).map(str::to_owned),
            model: model.as_deref().map(str::to_owned),
            rest: until.saturating_duration_since(now),
        }
    }

    /// What another node told; none: this node has no such key.
    pub(super) fn heard(&self, cooling: Cooling, now: Instant) -> Option<Rest> {
        let Cooling { provider, key, model, rest } = cooling;
        let place = self.providers.iter().position(|one| one.name == provider)?;
        let keys = &self.providers.get(place)?.keys;
        let key = keys.iter().position(|one| one.fingerprint == key)?;
        let key = KeyRef { provider: place, key };
        Some(Rest { key, model: model.map(Arc::from), until: now.checked_add(rest)? })
    }
}

/// Tells of a limit, where a refusal changed something.
pub(super) fn share(
    effects: &mut Vec<Effect>,
    key: KeyRef,
    model: Option<&Arc<str>>,
    until: Instant,
) {
    effects.push(Effect::Share(Rest { key, model: model.cloned(), until }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keypool::{
            Draw, Selection,
            state::{Failure, Input, Member, Need, Settings},
        },
        port::{KeyInfo, ProviderErrorKind as Kind, Terms},
    };
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    /// A node's pool of one provider with two keys.
    fn node() -> Pool {
        let settings = Settings {
            selection: Selection::RoundRobin,
            waiting_max: 10,
            exhausted: 600 * SECOND,
            calls_max: 10,
        };
        let key = |name: &str| KeyInfo { fingerprint: Some(name.to_owned()), account: None };
        let member = Member {
            name: "groq".to_owned(),
            model: "m".to_owned(),
            keys: vec![key("a"), key("b")],
            terms: Terms::NONE,
        };
        Pool::new(settings, vec![member])
    }

    fn apply(node: &mut Pool, input: Input, now: Instant) -> Vec<Effect> {
        node.apply(input, (now, &mut Draw::new(1)))
    }

    /// Keys with room for a call of the model.
    fn with_room(node: &Pool, model: &str, now: Instant) -> Vec<usize> {
        let mut node = node.clone();
        let need = Need {
            providers: vec![0],
            model: Some(model.into()),
            tokens: 1,
            avoid: Vec::new(),
            may_repeat: true,
            retries: None,
            deadline: now + SECOND,
        };
        let mut keys: Vec<_> = std::iter::from_fn(|| node.choose(&need, (now, &mut Draw::new(1))))
            .take(8)
            .map(|grant| grant.key.key)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// A call of the first node with its first key fails; what the first tells of it.
    fn refused(node: &mut Pool, kind: Kind, hint: Option<Duration>, now: Instant) -> Vec<Cooling> {
        let need = Need {
            providers: vec![0],
            model: Some("m".into()),
            tokens: 1,
            avoid: Vec::new(),
            may_repeat: true,
            retries: None,
            deadline: now + SECOND,
        };
        let grant = node.choose(&need, (now, &mut Draw::new(1))).unwrap();
        let failure = Failure { kind, hint, answered: false };
        let effects = apply(node, Input::Failed(grant, failure), now);
        let told = effects.iter().filter_map(|effect| match effect {
            Effect::Share(rest) => Some(node.cooling(rest, now)),
            Effect::Grant(..)
            | Effect::Wait(..)
            | Effect::Refuse(..)
            | Effect::Probe(..)
            | Effect::Remember(_)
            | Effect::Merged(..)
            | Effect::Late(_) => None,
        });
        told.collect()
    }

    fn hear(node: &mut Pool, cooling: Cooling, now: Instant) {
        let rest = node.heard(cooling, now).unwrap();
        assert_eq!(apply(node, Input::Rested(rest), now), [], "it goes no further");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_one_node_meets_rests_the_same_key_and_model_on_another() {
        let (mut one, mut two, now) = (node(), node(), Instant::now());
        let told = refused(&mut one, Kind::RateLimited, Some(20 * SECOND), now);
        let [cooling] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((cooling.key.as_deref(), cooling.model.as_deref()), (Some("a"), Some("m")));
        assert!(cooling.rest >= 20 * SECOND && cooling.rest <= 24 * SECOND, "{cooling:?}");

        hear(&mut two, cooling.clone(), now);
        assert_eq!(with_room(&two, "m", now), [1]);
        assert_eq!(with_room(&two, "other", now), [0, 1], "limits are those of a model");
        assert_eq!(with_room(&two, "m", now + cooling.rest), [0, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_ends_the_later_one_counts_whoever_tells_it() {
        let (mut one, now) = (node(), Instant::now());
        let cooling = |secs: u32| Cooling {
            provider: "groq".to_owned(),
            key: Some("a".to_owned()),
            model: Some("m".to_owned()),
            rest: SECOND * secs,
        };
        hear(&mut one, cooling(30), now);
        hear(&mut one, cooling(10), now);
        assert_eq!(with_room(&one, "m", now + 29 * SECOND), [1]);
        hear(&mut one, cooling(60), now);
        assert_eq!(with_room(&one, "m", now + 59 * SECOND), [1]);
        assert_eq!(with_room(&one, "m", now + 60 * SECOND), [0, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_without_anything_to_spend_rests_on_all_nodes_for_all_models() {
        let (mut one, mut two, now) = (node(), node(), Instant::now());
        let told = refused(&mut one, Kind::QuotaExhausted, None, now);
        let [cooling] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((cooling.model.as_deref(), cooling.rest), (None, 600 * SECOND));
        hear(&mut two, cooling.clone(), now);
        assert_eq!(with_room(&two, "other", now), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_that_may_be_this_node_s_alone_are_told_to_nobody() {
        let now = Instant::now();
        for kind in [Kind::Unreachable, Kind::Failed, Kind::Unauthorized, Kind::ModelUnavailable] {
            assert_eq!(refused(&mut node(), kind, None, now), [], "{kind:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_of_a_key_that_is_not_here_is_nothing() {
        let cooling = |provider: &str, key: &str| Cooling {
            provider: provider.to_owned(),
            key: Some(key.to_owned()),
            model: None,
            rest: SECOND,
        };
        assert_eq!(node().heard(cooling("groq", "c"), Instant::now()), None);
        assert_eq!(node().heard(cooling("openai", "a"), Instant::now()), None);
        let for_ever = Cooling { rest: Duration::MAX, ..cooling("groq", "a") };
        assert_eq!(node().heard(for_ever, Instant::now()), None);
    }
}
