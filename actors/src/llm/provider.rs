//! One provider: hands out places for calls. The call itself is the run's, so that a run that
//! ends closes its call in the same moment.

use super::handle::busy;
use crate::port::Provider;
use greenroom_protocol::error::ErrorBody;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

/// A place for one call; given back when dropped.
pub(crate) struct Ticket {
    /// Whom to call.
    pub(crate) provider: Arc<dyn Provider>,
    _place: OwnedSemaphorePermit,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.provider.name()).finish()
    }
}

/// One variant a method of [`ProviderHandle`].
pub(crate) enum Message {
    Places { reply: oneshot::Sender<(Arc<dyn Provider>, Arc<Semaphore>)> },
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Places")
    }
}

/// What the actor holds.
pub(crate) struct State {
    provider: Arc<dyn Provider>,
    places: Arc<Semaphore>,
}

/// One provider.
#[derive(Debug)]
pub(crate) struct ProviderActor;

impl Actor for ProviderActor {
    type Msg = Message;
    type State = State;
    type Arguments = (Arc<dyn Provider>, u32);

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        (provider, calls_max): (Arc<dyn Provider>, u32),
    ) -> Result<State, ActorProcessingErr> {
        let calls_max = usize::try_from(calls_max)?.min(Semaphore::MAX_PERMITS);
        Ok(State { provider, places: Arc::new(Semaphore::new(calls_max)) })
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let Message::Places { reply } = message;
        let _ = reply.send((state.provider.clone(), state.places.clone()));
        Ok(())
    }

    /// A provider has no children; overrides ractor's default all the same.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        _: SupervisionEvent,
        _: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// A provider's public face.
#[derive(Clone, Debug)]
pub(crate) struct ProviderHandle(ActorRef<Message>);

impl ProviderHandle {
    pub(super) const fn new(actor: ActorRef<Message>) -> Self {
        Self(actor)
    }

    /// A place for one call; waits at most `wait` for one to be free, first come first served.
    ///
    /// # Errors
    /// What the run ends with.
    pub(super) async fn ticket(&self, wait: Duration) -> Result<Ticket, ErrorBody> {
        let (reply, answer) = oneshot::channel();
        self.0.cast(Message::Places { reply }).map_err(|_| ErrorBody::internal())?;
        let (provider, places) = answer.await.map_err(|_| ErrorBody::internal())?;
        match timeout(wait, places.acquire_owned()).await {
            Ok(Ok(place)) => Ok(Ticket { provider, _place: place }),
            Ok(Err(_)) => Err(ErrorBody::internal()),
            Err(_) => Err(busy(provider.name(), wait)),
        }
    }
}
