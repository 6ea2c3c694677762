//! What a session tells its run, beside the run's mailbox.

use crate::session::{Steer, core::Ending};
use greenroom_protocol::id::RunId;
use ractor::ActorCell;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::Notify;

/// A run as its session sees it.
#[derive(Clone, Debug)]
pub(crate) struct RunHandle {
    run: RunId,
    orders: Orders,
    actor: ActorCell,
}

/// The orders, as the run sees them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    ending: OnceLock<Ending>,
    ends: Notify,
    /// As many as may wait in a session.
    said: Mutex<Vec<Steer>>,
    says: Notify,
}

impl Orders {
    /// Orders of a run that something was said to before it began.
    pub(crate) fn new(said: Vec<Steer>) -> Self {
        Self(Arc::new(Inner { said: Mutex::new(said), ..Inner::default() }))
    }

    /// Resolves once the run is to end. Cancel-safe.
    pub(super) async fn asked(&self) {
        let ends = self.0.ends.notified();
        if self.ending().is_none() {
            ends.await;
        }
    }

    /// How the run is to end, once it was asked.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.0.ending.get().copied()
    }

    /// Resolves once something was said to the run. Cancel-safe.
    pub(super) async fn heard(&self) {
        let says = self.0.says.notified();
        if crate::sync::lock(&self.0.said).is_empty() {
            says.await;
        }
    }

    /// What was said, in order; the run takes it up.
    pub(super) fn take_said(&self) -> Vec<Steer> {
        std::mem::take(&mut crate::sync::lock(&self.0.said))
    }
}

impl RunHandle {
    pub(crate) const fn new(run: RunId, orders: Orders, actor: ActorCell) -> Self {
        Self { run, orders, actor }
    }

    /// Which run it is.
    pub(crate) const fn run(&self) -> RunId {
        self.run
    }

    /// Asks the run to end: it closes its provider's call at once and says its last word.
    pub(crate) fn end(&self, ending: Ending) {
        let Orders(orders) = &self.orders;
        let _ = orders.ending.set(ending); // the first order counts
        orders.ends.notify_waiters();
    }

    /// Says something to the run, which takes it up where it can.
    pub(crate) fn steer(&self, steer: Steer) {
        let Orders(orders) = &self.orders;
        crate::sync::lock(&orders.said).push(steer);
        orders.says.notify_waiters();
    }

    /// Stops the run's actor wherever it is; the provider's call closes with it.
    pub(crate) fn kill(&self) {
        self.actor.kill();
    }
}
