//! A run's way to its session: an outbox and the batch under way.

use super::outbox::{Outbox, Window};
use crate::session::{RunStopped, SessionHandle};
use greenroom_protocol::id::RunId;
use tokio::{sync::oneshot, time::Instant};

/// Answer to a batch: since when it is durable, or that the run has ended.
type Answer = oneshot::Receiver<Result<Instant, RunStopped>>;

/// Says a run's events to its session, one batch at a time.
#[derive(Debug)]
pub(super) struct Mouth {
    run: RunId,
    session: SessionHandle,
    pub(super) outbox: Outbox,
    under_way: Option<Answer>,
}

impl Mouth {
    pub(super) const fn new(run: RunId, session: SessionHandle, window: Window) -> Self {
        Self { run, session, outbox: Outbox::new(window), under_way: None }
    }

    /// Sends what waits, now. Only while no batch is under way.
    pub(super) fn send(&mut self, now: Instant) {
        let (events, urgent) = self.outbox.begin(now);
        self.under_way = Some(self.session.says(self.run, events, urgent));
    }

    /// Waits until the batch under way is durable, and says since when; for ever where there is
    /// none. Cancel-safe.
    ///
    /// # Errors
    /// [`RunStopped`] where the session takes no more: the run is to end without a word.
    pub(super) async fn taken(&mut self) -> Result<Instant, RunStopped> {
        let Some(answer) = &mut self.under_way else { return std::future::pending().await };
        let taken = answer.await;
        self.under_way = None;
        // A dropped reply: the session's actor is gone, and this run with it.
        let at = taken.unwrap_or(Err(RunStopped))?;
        self.outbox.taken(at);
        Ok(at)
    }

    /// Sends all that waits and waits until it is durable.
    ///
    /// # Errors
    /// [`RunStopped`].
    pub(super) async fn drain(&mut self) -> Result<(), RunStopped> {
        while !self.outbox.is_empty() {
            if self.under_way.is_none() {
                self.send(Instant::now());
            }
            self.taken().await?;
        }
        Ok(())
    }
}
