//! One provider: reads answers to their end that nobody wants any more, where they are billed all
//! the same. So what they used becomes known, and their place is taken until they are over.
//!
//! A call that goes on is its run's, so that a run which ends closes it in the same moment.

use super::call::Parts;
use crate::{keypool::Meter, port::Delta};
use futures_util::StreamExt as _;
use greenroom_protocol::event::Usage;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{fmt, time::Duration};
use tokio::{task::JoinSet, time::timeout};

/// Answers read to their end at a time; a further one is closed.
const DRAINS_MAX: usize = 64;
/// Longest time for one; then it is closed.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// One variant a method of [`ProviderHandle`].
pub(crate) enum Message {
    Drain(Box<Parts>),
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drain")
    }
}

/// What the actor holds.
pub(crate) struct State {
    name: String,
    meter: Meter,
    /// Closed with the actor.
    draining: JoinSet<()>,
}

/// One provider.
#[derive(Debug)]
pub(crate) struct ProviderActor;

impl Actor for ProviderActor {
    type Msg = Message;
    type State = State;
    type Arguments = (String, Meter);

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        (name, meter): (String, Meter),
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { name, meter, draining: JoinSet::new() })
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        Message::Drain(parts): Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        while state.draining.try_join_next().is_some() {}
        if state.draining.len() < DRAINS_MAX {
            let (name, meter) = (state.name.clone(), state.meter.clone());
            state.draining.spawn(async move {
                if let Some(usage) = drain(*parts).await {
                    meter.drained(&name, usage.output_tokens);
                }
            });
        }
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

/// Reads an answer to its end; what it used, as its provider says.
async fn drain(Parts { mut stream, ticket }: Parts) -> Option<Usage> {
    let mut used = None;
    let read = async {
        while let Some(Ok(delta)) = stream.next().await {
            if let Delta::Usage(usage) = delta {
                used = Some(usage);
            }
        }
    };
    let _ = timeout(DRAIN_TIMEOUT, read).await;
    drop(ticket);
    used
}

/// A provider's public face.
#[derive(Clone, Debug)]
pub(crate) struct ProviderHandle(ActorRef<Message>);

impl ProviderHandle {
    pub(super) const fn new(actor: ActorRef<Message>) -> Self {
        Self(actor)
    }

    /// Has an answer read to its end.
    pub(super) fn drain(&self, parts: Box<Parts>) {
        let _ = self.0.cast(Message::Drain(parts)); // else it is closed here
    }
}
