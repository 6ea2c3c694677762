//! How a session ends its run.

use crate::session::core::Ending;
use greenroom_protocol::id::RunId;
use ractor::ActorCell;
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// A run as its session sees it.
#[derive(Clone, Debug)]
pub(crate) struct RunHandle {
    run: RunId,
    end: End,
    actor: ActorCell,
}

/// The order to end, as the run sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct End(Arc<Order>);

#[derive(Debug, Default)]
struct Order {
    ending: OnceLock<Ending>,
    given: Notify,
}

impl End {
    /// Resolves once the run is to end. Cancel-safe.
    pub(super) async fn asked(&self) {
        let given = self.0.given.notified();
        if self.ending().is_none() {
            given.await;
        }
    }

    /// How the run is to end, once it was asked.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.0.ending.get().copied()
    }
}

impl RunHandle {
    pub(crate) const fn new(run: RunId, end: End, actor: ActorCell) -> Self {
        Self { run, end, actor }
    }

    /// Which run it is.
    pub(crate) const fn run(&self) -> RunId {
        self.run
    }

    /// Asks the run to end: it closes its provider's call at once and says its last word.
    pub(crate) fn end(&self, ending: Ending) {
        let End(order) = &self.end;
        let _ = order.ending.set(ending); // the first order counts
        order.given.notify_waiters();
    }

    /// Stops the run's actor wherever it is; the provider's call closes with it.
    pub(crate) fn kill(&self) {
        self.actor.kill();
    }
}
