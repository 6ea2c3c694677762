//! What the sessions' supervisor decides: who is leased, who restarts, who is given up for now.

use super::live::{LiveSession, LiveSessions};
use crate::session::{Stake, feed::Feed};
use greenroom_protocol::id::SessionId;
use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::time::Instant;

/// Restarts of one session within [`RESTART_WINDOW`]; one more, and it rests.
const RESTARTS_MAX: usize = 3;
const RESTART_WINDOW: Duration = Duration::from_secs(5);

/// How long a session that keeps failing is left alone.
const REST: Duration = Duration::from_secs(30);

/// One session's row. `A` is its live actor.
#[derive(Debug)]
struct Slot<A> {
    feed: Arc<OnceLock<Arc<Feed>>>,
    stake: Arc<Stake>,
    actor: Option<A>,
    failures: VecDeque<Instant>,
}

/// Sessions that are live, leased, or resting after failures.
#[derive(Debug)]
pub(super) struct Table<A> {
    slots: HashMap<SessionId, Slot<A>>,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterFailure {
    /// Start it again from its log.
    Restart,
    /// Leave it alone for a while.
    Rest,
}

/// What wakes a session.
#[derive(Debug)]
pub(super) enum Wake<A> {
    /// It is live.
    Live(A),
    /// It sleeps: start it with this feed.
    Start(Arc<OnceLock<Arc<Feed>>>, Arc<Stake>),
    /// It failed too often and rests.
    Resting,
}

impl<A: Clone> Table<A> {
    pub(super) fn new() -> Self {
        Self { slots: HashMap::new() }
    }

    fn slot(&mut self, session: SessionId) -> &mut Slot<A> {
        self.slots.entry(session).or_insert_with(|| Slot {
            feed: Arc::default(),
            stake: Arc::default(),
            actor: None,
            failures: VecDeque::new(),
        })
    }

    /// Leases a session's feed: its row stays until the lease ends.
    pub(super) fn lease(&mut self, session: SessionId) -> Arc<OnceLock<Arc<Feed>>> {
        let slot = self.slot(session);
        slot.stake.lease();
        slot.feed.clone()
    }

    /// Ends a lease. Answers whether nobody wants the session any more whose claim was kept.
    pub(super) fn release(&mut self, session: SessionId) -> bool {
        if let Some(slot) = self.slots.get_mut(&session) {
            slot.stake.release();
        }
        self.is_left(session)
    }

    /// What to do to have the session live.
    pub(super) fn wake(&mut self, session: SessionId, now: Instant) -> Wake<A> {
        let slot = self.slot(session);
        if let Some(actor) = &slot.actor {
            return Wake::Live(actor.clone());
        }
        let rests = slot.failures.len() > RESTARTS_MAX
            && slot.failures.back().is_some_and(|last| now.duration_since(*last) < REST);
        if rests {
            return Wake::Resting;
        }
        Wake::Start(slot.feed.clone(), slot.stake.clone())
    }

    /// The session's actor lives.
    pub(super) fn started(&mut self, session: SessionId, actor: A) {
        self.slot(session).actor = Some(actor);
    }

    /// The session's actor ended by itself. Answers as [`Table::release`] does.
    pub(super) fn ended(&mut self, session: SessionId) -> bool {
        if let Some(slot) = self.slots.get_mut(&session) {
            slot.actor = None;
        }
        self.is_left(session)
    }

    /// The session's actor failed.
    pub(super) fn failed(&mut self, session: SessionId, now: Instant) -> AfterFailure {
        let slot = self.slot(session);
        slot.actor = None;
        while slot.failures.front().is_some_and(|at| now.duration_since(*at) > RESTART_WINDOW) {
            slot.failures.pop_front();
        }
        slot.failures.push_back(now);
        if slot.failures.len() > RESTARTS_MAX { AfterFailure::Rest } else { AfterFailure::Restart }
    }

    /// The feed of a session that has a row.
    pub(super) fn feed(&self, session: SessionId) -> Option<Arc<Feed>> {
        self.slots.get(&session)?.feed.get().cloned()
    }

    /// Forgets sessions that rested long enough and that nobody wants.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.slots.retain(|_, slot| {
            slot.actor.is_some()
                || slot.stake.is_leased()
                || slot.failures.back().is_some_and(|last| now.duration_since(*last) < REST)
        });
    }

    /// The newest sessions, at most `limit`, and how many there are.
    pub(super) fn overview(&self, limit: usize) -> LiveSessions {
        let known = self.slots.values().filter_map(|slot| Some((slot.feed.get()?, &slot.actor)));
        let mut sessions: Vec<_> =
            known.map(|(feed, actor)| LiveSession::of(feed, actor.is_some())).collect();
        let total = sessions.len();
        // Ids begin with the time when they were made.
        sessions.sort_unstable_by_key(|live| Reverse(live.session));
        sessions.truncate(limit);
        LiveSessions { total, sessions }
    }

    /// A session's live actor.
    pub(super) fn actor(&self, session: SessionId) -> Option<&A> {
        self.slots.get(&session)?.actor.as_ref()
    }

    /// All live actors.
    pub(super) fn live(&self) -> Vec<A> {
        self.slots.values().filter_map(|slot| slot.actor.clone()).collect()
    }

    /// Whether a session sleeps whose claim was kept for nobody now; forgets one that nothing is
    /// known of otherwise.
    fn is_left(&mut self, session: SessionId) -> bool {
        let Some(slot) = self.slots.get(&session) else { return false };
        if slot.actor.is_some() || slot.stake.is_leased() {
            return false;
        }
        let is_left = slot.stake.is_idle();
        if !is_left && slot.failures.is_empty() {
            self.slots.remove(&session);
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const SESSION: SessionId = SessionId::new(Uuid::from_u128(1));

    #[test]
    fn a_row_lives_as_long_as_a_lease_or_an_actor() {
        let mut table = Table::new();
        let feed = table.lease(SESSION);
        table.started(SESSION, "actor");
        table.ended(SESSION);
        assert!(Arc::ptr_eq(&feed, &table.lease(SESSION)), "the same row");
        table.release(SESSION);
        table.release(SESSION);
        assert!(table.slots.is_empty());
    }

    #[test]
    fn a_claim_that_was_kept_for_nobody_is_left() {
        let mut table = Table::new();
        let Wake::Start(_, stake) = table.wake(SESSION, Instant::now()) else { panic!() };
        table.lease(SESSION);
        table.started(SESSION, "actor");
        assert!(!table.release(SESSION), "its actor lives");
        table.lease(SESSION);
        stake.keep(true);
        assert!(!table.ended(SESSION), "somebody is attached");
        assert!(table.release(SESSION));
        table.started(SESSION, "what releases it");
        stake.keep(false);
        assert!(!table.ended(SESSION) && table.slots.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_keeps_failing_rests_and_may_then_try_again() {
        let mut table = Table::<&str>::new();
        let begun = Instant::now();
        for _ in 0..RESTARTS_MAX {
            assert_eq!(table.failed(SESSION, begun), AfterFailure::Restart);
        }
        assert_eq!(table.failed(SESSION, begun), AfterFailure::Rest);
        assert!(matches!(table.wake(SESSION, begun), Wake::Resting));
        assert!(matches!(table.wake(SESSION, begun + REST), Wake::Start(..)));
        table.sweep(begun + REST);
        assert!(table.slots.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_far_apart_are_always_restarted() {
        let mut table = Table::<&str>::new();
        let mut now = Instant::now();
        for _ in 0..10 {
            assert_eq!(table.failed(SESSION, now), AfterFailure::Restart);
            now += RESTART_WINDOW;
        }
    }
}
