//! The quota groups of one provider for one model, and which of its keys may use the model.

use super::{draw::Draw, group::Group, key::Key};
use crate::port::Terms;
use std::time::Duration;
use tokio::time::Instant;

/// How long a key that was refused for a model is not tried with it again.
const DENIED: Duration = Duration::from_secs(3600);
/// A key that is accepted by itself and refused so often with a model may not use the model.
const DOUBTS_MAX: u8 = 2;

/// Fewest keys of which one is drawn without measuring all, and tries of that.
const QUICK_KEYS_MIN: usize = 8;
const QUICK_TRIES: u32 = 16;

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
    /// Room of the keys up to each, as it was measured last.
    sums: Vec<f64>,
    /// The most room that a key was seen to have since then.
    most: f64,
}

/// What a call wants of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Keys of each account.
    pub(super) members: &'a [u32],
    /// What the call counts as.
    pub(super) tokens: f64,
    /// Accounts that are not to be used.
    pub(super) avoid: &'a [usize],
    pub(super) now: Instant,
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
            sums: Vec::with_capacity(keys),
            most: 0.0,
        }
    }

    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.groups.iter().all(|group| group.is_idle(now))
            && self.grades.iter().all(|grade| grade.denied_until.is_none_or(|until| until <= now))
    }

    /// The key for a call; none: none has room.
    pub(super) fn choose(
        &mut self,
        keys: &mut [Key],
        wanted: &Wanted<'_>,
        selection: Selection,
        draw: &mut Draw,
    ) -> Option<usize> {
        if selection == Selection::RoundRobin {
            let from = self.next;
            let mut all = (from..keys.len()).chain(0..from);
            let at = all.find(|at| self.room(keys, *at, wanted) > 0.0)?;
            self.next = at + 1;
            return Some(at);
        }
        let quick = (self.quick(keys, wanted, draw), self.quick(keys, wanted, draw));
        let (first, second) = match quick {
            (Some(first), Some(second)) => (first, second),
            (Some(_) | None, _) => {
                let total = self.measure(keys, wanted)?;
                let mut one = || {
                    let point = draw.fraction() * total;
                    let at = self.sums.partition_point(|sum| *sum <= point);
                    (at < keys.len()).then_some(at)
                };
                (one()?, one()?)
            }
        };
        let load = |at: usize| {
            let group = keys.get(at).and_then(|key| self.groups.get(key.account));
            group.map_or(0.0, |group| group.load(group.headroom(wanted.tokens, wanted.now)))
        };
        Some(if load(second) < load(first) { second } else { first })
    }

    /// Draws a key in proportion to its room, without looking at all: any key is drawn, and taken
    /// as often as its room is to the most. None: too few keys, or too many have too little.
    fn quick(&mut self, keys: &mut [Key], wanted: &Wanted<'_>, draw: &mut Draw) -> Option<usize> {
        if keys.len() < QUICK_KEYS_MIN || self.most <= 0.0 {
            return None;
        }
        for _ in 0..QUICK_TRIES {
            let any = draw.number() % u64::try_from(keys.len()).ok()?;
            let at = usize::try_from(any).ok()?;
            let room = self.room(keys, at, wanted);
            self.most = self.most.max(room);
            if draw.fraction() * self.most < room {
                return Some(at);
            }
        }
        None
    }

    /// Adds up the room of all keys; none: there is none.
    fn measure(&mut self, keys: &mut [Key], wanted: &Wanted<'_>) -> Option<f64> {
        let (mut total, mut most) = (0.0, 0.0_f64);
        self.sums.clear();
        for at in 0..keys.len() {
            let room = self.room(keys, at, wanted);
            (total, most) = (total + room, most.max(room));
            self.sums.push(total);
        }
        self.most = most;
        (total > 0.0).then_some(total)
    }

    /// The room of a key: that of its group, which its members share; 0: it cannot be used now.
    #[inline]
    fn room(&mut self, keys: &mut [Key], at: usize, wanted: &Wanted<'_>) -> f64 {
        let Wanted { members, tokens, avoid, now } = *wanted;
        let (Some(key), Some(grade)) = (keys.get_mut(at), self.grades.get(at)) else { return 0.0 };
        key.advance(now);
        let is_denied = grade.denied_until.is_some_and(|until| until > now);
        if is_denied || !key.is_usable() || avoid.contains(&key.account) {
            return 0.0;
        }
        let Some(group) = self.groups.get_mut(key.account) else { return 0.0 };
        group.advance(now);
        let share = members.get(key.account).map_or(1.0, |count| f64::from(*count));
        group.headroom(tokens, now) / share
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
