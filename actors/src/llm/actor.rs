//! The supervisor of all providers.

use super::{
    call::Parts,
    provider::{ProviderActor, ProviderHandle},
};
use crate::{keypool::Meter, port::Provider};
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{fmt, sync::Arc};

/// One variant a method of [`super::LlmHandle`].
pub(crate) enum Message {
    Drain(Box<Parts>),
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drain")
    }
}

/// What the actor needs: providers in order of preference.
pub(crate) struct LlmArguments {
    pub(crate) providers: Vec<Arc<dyn Provider>>,
    pub(crate) meter: Meter,
}

/// What the actor holds, in order of preference.
pub(crate) struct State {
    arguments: LlmArguments,
    actors: Vec<(ActorId, ProviderHandle)>,
}

/// All providers.
#[derive(Debug)]
pub(crate) struct LlmActor;

impl Actor for LlmActor {
    type Msg = Message;
    type State = State;
    type Arguments = LlmArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: LlmArguments,
    ) -> Result<State, ActorProcessingErr> {
        let mut state = State { arguments, actors: Vec::new() };
        for at in 0..state.arguments.providers.len() {
            state.start(at, myself.get_cell()).await?;
        }
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let Message::Drain(parts) = message;
        if let Some((_, provider)) = state.actors.get(parts.ticket.provider_index()) {
            provider.drain(parts);
        }
        Ok(())
    }

    /// A provider's actor that failed is started again.
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(cell, ..)
            | SupervisionEvent::ActorFailed(cell, _) => {
                let ended = state.actors.iter().position(|(id, _)| *id == cell.get_id());
                if let Some(at) = ended {
                    state.start(at, myself.get_cell()).await?;
                }
                Ok(())
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => Ok(()),
        }
    }
}

impl State {
    async fn start(&mut self, at: usize, supervisor: ActorCell) -> Result<(), ActorProcessingErr> {
        let Some(provider) = self.arguments.providers.get(at) else { return Ok(()) };
        let arguments = (provider.name().to_owned(), self.arguments.meter.clone());
        let (actor, _) = Actor::spawn_linked(None, ProviderActor, arguments, supervisor).await?;
        let row = (actor.get_id(), ProviderHandle::new(actor));
        match self.actors.get_mut(at) {
            Some(old) => *old = row,
            None => self.actors.push(row),
        }
        Ok(())
    }
}
