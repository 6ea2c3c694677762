//! A provider in the pool: its accounts, their keys, and what each model has left.

use super::{
    class::{Class, Wanted},
    draw::Draw,
    group::Group,
    key::Key,
    state::{Grant, KeyRef, Member, Need, ProviderIndex, Settings},
};
use crate::port::{KeyInfo, Terms};
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;

/// Most models whose limits are kept apart for one provider; the ones at rest leave first.
const CLASSES_MAX: usize = 256;

/// One provider.
#[derive(Clone, Debug)]
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) model: Arc<str>,
    pub(super) terms: Terms,
    pub(super) keys: Vec<Key>,
    pub(super) accounts: Vec<Account>,
    /// Keys of each account.
    members: Vec<u32>,
    pub(super) classes: BTreeMap<Arc<str>, Class>,
    pub(super) in_flight: u32,
}

/// An account. Its name is configured, or learnt from what the provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: Option<String>,
    /// Its name at the provider.
    pub(super) told: Option<String>,
}

impl Provider {
    pub(super) fn new(member: Member) -> Self {
        let mut accounts = Vec::<Account>::new();
        let mut keys = Vec::new();
        for KeyInfo { fingerprint, account } in member.keys {
            let known = accounts.iter().position(|one| account.is_some() && one.name == account);
            let place = known.unwrap_or_else(|| {
                accounts.push(Account { name: account, told: None });
                accounts.len() - 1
            });
            keys.push(Key::new(fingerprint, place));
        }
        let mut provider = Self {
            name: member.name,
            model: member.model.into(),
            terms: member.terms,
            keys,
            accounts,
            members: Vec::new(),
            classes: BTreeMap::new(),
            in_flight: 0,
        };
        provider.count_members();
        provider
    }

    pub(super) fn choose(
        &mut self,
        place: ProviderIndex,
        need: &Need,
        avoid: &[KeyRef],
        settings: &Settings,
        (now, draw): (Instant, &mut Draw),
    ) -> Option<Grant> {
        if self.in_flight >= settings.calls_max {
            return None;
        }
        let avoid = self.accounts_of(place, avoid);
        let tokens = self.tokens(need);
        let model = self.model_of(need);
        self.class_of(&model, now);
        let Self { keys, members, classes, .. } = self;
        let class = classes.get_mut(&model)?;
        let wanted = Wanted { members, tokens, avoid: &avoid, now };
        let at = class.choose(keys, &wanted, settings.selection, draw)?;
        let key = keys.get_mut(at)?;
        let account = key.account;
        let of_group = class.groups.get_mut(account)?.grant(tokens, now);
        let of_key = key.grant();
        self.in_flight += 1;
        let key = KeyRef { provider: place, key: at };
        Some(Grant { key, model, account, tokens, of_key, of_group })
    }

    pub(super) fn ready(
        &mut self,
        place: ProviderIndex,
        need: &Need,
        avoid: &[KeyRef],
        now: Instant,
    ) -> Option<Instant> {
        let avoid = self.accounts_of(place, avoid);
        let tokens = self.tokens(need);
        let model = self.model_of(need);
        self.class_of(&model, now);
        self.classes.get(&model)?.ready(&self.keys, (tokens, &avoid), now)
    }

    /// What a call counts as: providers count the longest answer that it may have.
    fn tokens(&self, need: &Need) -> f64 {
        (need.tokens as f64 + f64::from(self.terms.answer_tokens)).max(1.0)
    }

    /// The model that a call is made with.
    fn model_of(&self, need: &Need) -> Arc<str> {
        need.model.as_ref().unwrap_or(&self.model).clone()
    }

    /// The class of a model, which exists then.
    fn class_of(&mut self, model: &Arc<str>, now: Instant) {
        if !self.classes.contains_key(model) {
            if self.classes.len() >= CLASSES_MAX {
                self.classes.retain(|_, class| !class.is_idle(now));
            }
            let class = Class::new(&self.terms, self.accounts.len(), self.keys.len(), now);
            self.classes.insert(model.clone(), class);
        }
    }

    /// The quota group of a key and a model, which exists then.
    pub(super) fn group_of(
        &mut self,
        key: usize,
        model: &Arc<str>,
        now: Instant,
    ) -> Option<&mut Group> {
        let account = self.keys.get(key)?.account;
        self.class_of(model, now);
        self.classes.get_mut(model)?.groups.get_mut(account)
    }

    /// The accounts of keys.
    fn accounts_of(&self, place: ProviderIndex, keys: &[KeyRef]) -> Vec<usize> {
        let ours = keys.iter().filter(|key| key.provider == place);
        ours.filter_map(|key| self.keys.get(key.key)).map(|key| key.account).collect()
    }

    /// The account that a grant's key has by now.
    pub(super) fn account_of(&self, grant: &Grant) -> usize {
        self.keys.get(grant.key.key).map_or(grant.account, |key| key.account)
    }

    /// A key's account has this name at the provider; answers another key that shares it, if that
    /// is news.
    pub(super) fn learn(&mut self, key: usize, told: &str, now: Instant) -> Option<usize> {
        let account = self.keys.get(key)?.account;
        let same = |one: &Account| one.told.as_deref() == Some(told);
        let known = self.accounts.iter().position(same);
        match known.filter(|known| *known != account) {
            None => {
                self.accounts.get_mut(account)?.told = Some(told.to_owned());
                None
            }
            Some(known) => {
                let other = self.keys.iter().position(|key| key.account == known);
                for key in &mut self.keys {
                    if key.account == account {
                        key.account = known;
                    }
                }
                for class in self.classes.values_mut() {
                    let Some(absorbed) = class.groups.get(account).cloned() else { continue };
                    if let Some(group) = class.groups.get_mut(known) {
                        group.absorb(&absorbed, now);
                    }
                }
                self.count_members();
                other
            }
        }
    }

    fn count_members(&mut self) {
        self.members = vec![0; self.accounts.len()];
        for key in &self.keys {
            if let Some(count) = self.members.get_mut(key.account) {
                *count += 1;
            }
        }
    }
}
