//! The quota groups of one provider for one model, and which of its keys may use the model.

use super::{draw::Draw, group::Group, key::Key};
use crate::port::Terms;
use std::time::Duration;
use tokio::time::Instant;

/// How long a key that was refused for a model is not tried with it again.
const DENIED: Duration = Duration::from_secs(3600);
/// A key that is accepted by itself and refused so often with a model may not use the model.
const DOUBTS_MAX: u8 = 2;

/// How keys are chosen among those that have room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The less busy one of two that are drawn in proportion to what they have left.
    #[default]
    Headroom,
    /// One after the other.
    RoundRobin,
}

/// What a model is to its provider's accounts and keys.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// By account.
    pub(super) groups: Vec<Group>,
    /// By key.
    grades: Vec<Grade>,
    /// Where a round robin goes on.
    next: usize,
    /// Room of each key, kept for the next choice.
    room: Vec<f64>,
}

/// Whether a key may use the model.
#[derive(Clone, Copy, Debug, Default)]
struct Grade {
    denied_until: Option<Instant>,
    doubts: u8,
}

impl Class {
    pub(super) fn new(terms: &Terms, accounts: usize, keys: usize, now: Instant) -> Self {
        Self {
            groups: vec![Group::new(terms, now); accounts],
            grades: vec![Grade::default(); keys],
            next: 0,
            room: Vec::with_capacity(keys),
        }
    }

    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.groups.iter().all(|group| group.is_idle(now))
            && self.grades.iter().all(|grade| grade.denied_until.is_none_or(|until| until <= now))
    }

    /// The key for a call of so many tokens; none: none has room. `members` are the keys of each
    /// account, `avoid` the accounts that are not to be used.
    pub(super) fn choose(
        &mut self,
        keys: &[Key],
        members: &[u32],
        (tokens, avoid): (f64, &[usize]),
        selection: Selection,
        (now, draw): (Instant, &mut Draw),
    ) -> Option<usize> {
        let Self { groups, grades, next, room } = self;
        groups.iter_mut().for_each(|group| group.advance(now));
        room.clear();
        let mut total = 0.0;
        for (key, grade) in keys.iter().zip(grades.iter()) {
            let is_out = !key.is_usable()
                || grade.denied_until.is_some_and(|until| until > now)
                || avoid.contains(&key.account);
            let group = groups.get(key.account).filter(|_| !is_out);
            let headroom = group.map_or(0.0, |group| group.headroom(tokens, now));
            // The members of a group share what it has.
            let share = members.get(key.account).map_or(1.0, |count| f64::from(*count));
            total += headroom / share;
            room.push(total);
        }
        if total <= 0.0 {
            return None;
        }
        let has_room = |at: usize| {
            let before = at.checked_sub(1).and_then(|at| room.get(at)).copied().unwrap_or(0.0);
            room.get(at).is_some_and(|until| *until > before)
        };
        if selection == Selection::RoundRobin {
            let at = (*next..keys.len()).chain(0..*next).find(|at| has_room(*at))?;
            *next = at + 1;
            return Some(at);
        }
        let mut one = || {
            let point = draw.fraction() * total;
            let at = room.partition_point(|until| *until <= point);
            (at < room.len()).then_some(at)
        };
        let (first, second) = (one()?, one()?);
        let load = |at: usize| {
            let group = keys.get(at).and_then(|key| groups.get(key.account));
            group.map_or(0.0, |group| group.load(group.headroom(tokens, now)))
        };
        Some(if load(second) < load(first) { second } else { first })
    }

    /// When a key may be chosen at the earliest; none: no key will be, by itself.
    pub(super) fn ready(
        &self,
        keys: &[Key],
        (tokens, avoid): (f64, &[usize]),
        now: Instant,
    ) -> Option<Instant> {
        let of = |(key, grade): (&Key, &Grade)| {
            if avoid.contains(&key.account) || grade.denied_until.is_some_and(|until| until > now) {
                return None;
            }
            let group = self.groups.get(key.account)?;
            Some(key.ready(now)?.max(group.ready(tokens, now)?))
        };
        keys.iter().zip(&self.grades).filter_map(of).min()
    }

    /// Whether another account than this one could answer now or after a rest.
    pub(super) fn has_other(&self, keys: &[Key], account: usize, now: Instant) -> bool {
        keys.iter().any(|key| key.account != account && key.ready(now).is_some())
    }

    /// A key was refused with this model, though it is accepted by itself.
    pub(super) fn doubt(&mut self, key: usize, now: Instant) {
        if let Some(grade) = self.grades.get_mut(key) {
            grade.doubts += 1;
            if grade.doubts >= DOUBTS_MAX {
                self.deny(key, now);
            }
        }
    }

    /// A key may not use this model.
    pub(super) fn deny(&mut self, key: usize, now: Instant) {
        if let Some(grade) = self.grades.get_mut(key) {
            *grade = Grade { denied_until: Some(now + DENIED), doubts: 0 };
        }
    }

    /// A key was answered with this model.
    pub(super) fn trust(&mut self, key: usize) {
        if let Some(grade) = self.grades.get_mut(key) {
            *grade = Grade::default();
        }
    }
}
