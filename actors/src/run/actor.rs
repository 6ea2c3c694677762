//! A run's actor: one message, which is the whole run. Orders to end come beside the mailbox, and
//! a kill ends it anywhere.

use super::{drive::Drive, handle::Orders};
use crate::{
    node::Node,
    session::{RunSpec, SessionHandle, feed::Feed},
};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{fmt, sync::Arc};
use tracing::Instrument as _;

/// What a run needs.
pub(crate) struct RunArguments {
    pub(crate) node: Arc<Node>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) session: SessionHandle,
    pub(crate) spec: RunSpec,
    pub(crate) orders: Orders,
}

impl fmt::Debug for RunArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunArguments").field("run", &self.spec.run.run).finish_non_exhaustive()
    }
}

/// The only message: begin.
#[derive(Debug)]
pub(crate) struct Begin;

/// One generation.
#[derive(Debug)]
pub(crate) struct RunActor;

impl Actor for RunActor {
    type Msg = Begin;
    type State = Option<RunArguments>;
    type Arguments = RunArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Begin>,
        arguments: RunArguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.cast(Begin)?;
        Ok(Some(arguments))
    }

    async fn handle(
        &self,
        myself: ActorRef<Begin>,
        Begin: Begin,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(arguments) = state.take() {
            // A task of its own: a run wakes often, and here each time would go through the
            // mailbox's machinery. It ends with this actor.
            let span = tracing::info_span!(
                "run",
                run = %arguments.spec.run.run,
                session = %arguments.feed.session,
                user = %arguments.spec.run.by,
                outcome = tracing::field::Empty,
            );
            let run = crate::spawn_owned(Drive::new(arguments).run().instrument(span));
            if let Err(error) = run.await
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
        myself.stop(None);
        Ok(())
    }

    /// A run has no children; overrides ractor's default all the same.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Begin>,
        _: SupervisionEvent,
        _: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
