//! The public face of the key pool.

use super::{
    actor::{Answer, Asked, Message},
    state::{Need, WaiterId},
    view::ProviderView,
};
use crate::keypool::Ticket;
use greenroom_protocol::error::ErrorBody;
use ractor::ActorRef;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};

/// Longest wait for this actor, which does nothing slow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Finds a key with room.
#[derive(Clone, Debug)]
pub(crate) struct KeyPoolHandle {
    actor: ActorRef<Message>,
    next: Arc<AtomicU64>,
}

/// A call that waits for a key with room. Dropped: it leaves the queue.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// How long it will probably take.
    pub(crate) eta: Duration,
    waiter: WaiterId,
    answer: oneshot::Receiver<Answer>,
    actor: ActorRef<Message>,
}

/// What came of asking for a key.
#[derive(Debug)]
pub(crate) enum Found {
    /// The call may be made.
    Ticket(Ticket),
    /// It waits.
    Waiting(Waiting),
}

impl KeyPoolHandle {
    pub(crate) fn new(actor: ActorRef<Message>) -> Self {
        Self { actor, next: Arc::default() }
    }

    /// A place for one call, or in the queue for one.
    ///
    /// # Errors
    /// What the run ends with.
    pub(crate) async fn ask(&self, need: Need) -> Result<Found, ErrorBody> {
        let waiter = self.next.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let ask = Message::Ask { waiter, need, reply };
        self.actor.cast(ask).map_err(|_| ErrorBody::internal())?;
        let asked = timeout(ANSWER_TIMEOUT, answer).await;
        match asked.ok().and_then(Result::ok).ok_or_else(ErrorBody::internal)? {
            Asked::Now(answer) => answer.map(Found::Ticket),
            Asked::Later { eta, answer } => {
                let actor = self.actor.clone();
                Ok(Found::Waiting(Waiting { eta, waiter, answer, actor }))
            }
        }
    }

    /// The pool as it is; none: the engine is going down.
    pub(crate) async fn view(&self) -> Option<Vec<ProviderView>> {
        let (reply, answer) = oneshot::channel();
        self.actor.cast(Message::View { reply }).ok()?;
        timeout(ANSWER_TIMEOUT, answer).await.ok()?.ok()
    }
}

impl Waiting {
    /// Waits for the place; until the call's deadline at most. Cancel-safe.
    ///
    /// # Errors
    /// What the run ends with.
    pub(crate) async fn ticket(&mut self) -> Result<Ticket, ErrorBody> {
        (&mut self.answer).await.unwrap_or_else(|_| Err(ErrorBody::internal()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.actor.cast(Message::Leave(self.waiter)); // nothing to leave without an actor
    }
}
