//! The switches.

use super::FakeStore;
use crate::port::{Incarnation, StoreError};
use std::time::Duration;
use tokio::sync::watch;

/// What happens to one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing is written.
    Refused,
    /// It is written, and the caller is not told so.
    ReplyLost,
}

/// Where appends wait while they are held.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: bool,
    /// Appends that wait now.
    waiting: usize,
    /// Appends that may still pass although the gate is closed.
    passes: usize,
}

/// Counts an append as waiting for as long as it does, also where its future is dropped.
struct Waiting<'a>(&'a watch::Sender<Gate>);

impl<'a> Waiting<'a> {
    fn new(gate: &'a watch::Sender<Gate>) -> Self {
        gate.send_modify(|gate| gate.waiting += 1);
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|gate| gate.waiting -= 1);
    }
}

impl FakeStore {
    /// The next `count` appends answer `Unavailable` and write nothing.
    pub fn fail_appends(&self, count: usize) {
        self.lock().faults.extend(std::iter::repeat_n(Fault::Refused, count));
    }

    /// The next `count` appends are durable and answer `Unavailable` all the same.
    pub fn lose_replies(&self, count: usize) {
        self.lock().faults.extend(std::iter::repeat_n(Fault::ReplyLost, count));
    }

    /// The next `count` appends to ledgers answer `Unavailable` and write nothing.
    pub fn fail_ledger_appends(&self, count: usize) {
        self.lock().ledger_faults.extend(std::iter::repeat_n(Fault::Refused, count));
    }

    /// The next `count` appends to ledgers are durable and answer `Unavailable` all the same.
    pub fn lose_ledger_replies(&self, count: usize) {
        self.lock().ledger_faults.extend(std::iter::repeat_n(Fault::ReplyLost, count));
    }

    /// Whether every call of every port answers `Unavailable`.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// How long a read of segments takes.
    pub fn slow_reads(&self, delay: Duration) {
        self.lock().read_delay = delay;
    }

    /// Holds every append before it is durable, until [`FakeStore::release_appends`].
    pub fn hold_appends(&self) {
        self.gate.send_modify(|gate| gate.closed = true);
    }

    /// Lets `count` held appends through, now or when they come.
    pub fn pass_appends(&self, count: usize) {
        self.gate.send_modify(|gate| gate.passes += count);
    }

    /// Ends [`FakeStore::hold_appends`].
    pub fn release_appends(&self) {
        self.gate.send_modify(|gate| {
            gate.closed = false;
            gate.passes = 0;
        });
    }

    /// Waits until exactly `count` appends are held.
    pub async fn held_appends(&self, count: usize) {
        let mut gate = self.gate.subscribe();
        // The sender lives as long as `self`.
        let _ = gate.wait_for(|gate| gate.waiting == count).await;
    }

    /// Seals an incarnation, as another node would: its next append answers `Fenced`.
    pub fn fence(&self, incarnation: Incarnation) {
        if let Some(life) = self.lock().incarnations.get_mut(&incarnation) {
            life.sealed = true;
        }
    }

    /// How many records are durable and not dropped, over all incarnations.
    #[must_use]
    pub fn record_count(&self) -> usize {
        let contents = self.lock();
        let lanes = contents.incarnations.values().flat_map(|life| life.lanes.values());
        lanes.map(|lane| lane.records.len()).sum()
    }

    /// Waits where appends are held.
    pub(super) async fn pass_gate(&self) {
        if self.gate.send_if_modified(may_pass) {
            return;
        }
        let mut gate = self.gate.subscribe();
        let _waiting = Waiting::new(&self.gate);
        while !self.gate.send_if_modified(may_pass) {
            // The sender lives as long as `self`.
            let _ = gate.changed().await;
        }
    }

    /// Takes the fault that is meant for this append.
    pub(super) fn next_fault(&self) -> Option<Fault> {
        self.lock().faults.pop_front()
    }

    /// Takes the fault that is meant for this append to a ledger.
    pub(super) fn next_ledger_fault(&self) -> Option<Fault> {
        self.lock().ledger_faults.pop_front()
    }
}

/// What an append with a fault answers.
pub(super) fn refusal() -> StoreError {
    StoreError::Unavailable("made to fail by the test".into())
}

/// Takes a pass where one is needed; says whether the append may go on.
fn may_pass(gate: &mut Gate) -> bool {
    if gate.closed && gate.passes == 0 {
        return false;
    }
    if gate.closed {
        gate.passes -= 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::FakeStore;
    use crate::port::{Appended, Journal, Position, StoreError};
    use bytes::Bytes;

    async fn opened() -> (FakeStore, Position) {
        let store = FakeStore::new();
        let incarnation = store.open().await.unwrap();
        (store, Position { incarnation, lane: 0, offset: 0 })
    }

    #[tokio::test]
    async fn a_refused_append_writes_nothing_and_a_lost_reply_hides_a_record() {
        let (store, at) = opened().await;
        let record = Bytes::from_static(b"r");

        store.fail_appends(1);
        assert!(store.append(at, record.clone()).await.is_err());
        assert_eq!(store.record_count(), 0);
        store.lose_replies(1);
        assert!(store.append(at, record.clone()).await.is_err());
        assert_eq!(store.record_count(), 1);

        assert_eq!(store.append(at, record).await, Ok(Appended::Durable), "the retry is resolved");
    }

    #[tokio::test]
    async fn a_held_append_is_durable_only_once_it_is_let_through() {
        let (store, at) = opened().await;
        store.hold_appends();
        let test = async {
            store.held_appends(1).await;
            assert_eq!(store.record_count(), 0);
            store.pass_appends(1);
        };

        let (appended, ()) = tokio::join!(store.append(at, Bytes::from_static(b"r")), test);

        assert_eq!(appended, Ok(Appended::Durable));
        store.held_appends(0).await;
    }

    #[tokio::test]
    async fn a_store_that_is_down_answers_nothing_and_a_fence_stops_the_writer() {
        let (store, at) = opened().await;

        store.set_down(true);
        assert!(matches!(store.unrecovered().await, Err(StoreError::Unavailable(_))));
        store.set_down(false);
        store.fence(at.incarnation);

        assert_eq!(store.append(at, Bytes::new()).await, Ok(Appended::Fenced));
    }
}
