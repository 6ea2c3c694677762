//! The supervisor of all sessions. Never waits: a session reads its log by itself.

use super::{
    live::LiveSessions,
    state::{AfterFailure, Table, Wake},
};
use crate::{
    node::Node,
    session::{Purpose, SessionActor, SessionArguments, SessionHandle, feed::Feed},
};
use futures_util::future::join_all;
use greenroom_protocol::{error::ErrorBody, id::SessionId};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// How often rows that nobody needs are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// One variant a method of [`super::SessionsHandle`], and what the actor tells itself.
pub(crate) enum Message {
    Lease { session: SessionId, reply: oneshot::Sender<Arc<OnceLock<Arc<Feed>>>> },
    Release { session: SessionId },
    Wake { session: SessionId, reply: oneshot::Sender<Option<SessionHandle>> },
    Overview { limit: usize, reply: oneshot::Sender<LiveSessions> },
    Kill { session: SessionId, reply: oneshot::Sender<bool> },
    ShutDown { reply: oneshot::Sender<()> },
    Sweep,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lease { .. } => "Lease",
            Self::Release { .. } => "Release",
            Self::Wake { .. } => "Wake",
            Self::Overview { .. } => "Overview",
            Self::Kill { .. } => "Kill",
            Self::ShutDown { .. } => "ShutDown",
            Self::Sweep => "Sweep",
        })
    }
}

/// What the actor holds.
pub(crate) struct State {
    node: Arc<Node>,
    table: Table<SessionHandle>,
    /// Bound: one row a live actor.
    by_actor: HashMap<ActorId, SessionId>,
    draining: bool,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("live", &self.by_actor.len()).finish_non_exhaustive()
    }
}

/// All sessions of this node.
#[derive(Debug)]
pub(crate) struct SessionsActor;

impl Actor for SessionsActor {
    type Msg = Message;
    type State = State;
    type Arguments = Arc<Node>;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        node: Arc<Node>,
    ) -> Result<State, ActorProcessingErr> {
        myself.send_interval(SWEEP_INTERVAL, || Message::Sweep);
        Ok(State { node, table: Table::new(), by_actor: HashMap::new(), draining: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Lease { session, reply } => {
                let feed = state.table.lease(session);
                if reply.send(feed).is_err() && state.table.release(session) {
                    state.let_go(&myself, session).await;
                }
            }
            Message::Release { session } => {
                if state.table.release(session) {
                    state.let_go(&myself, session).await;
                }
            }
            Message::Wake { session, reply } => {
                let handle = state.wake(&myself, session).await;
                let _ = reply.send(handle); // the caller may have given up
            }
            Message::Overview { limit, reply } => {
                let _ = reply.send(state.table.overview(limit));
            }
            Message::Kill { session, reply } => {
                let actor = state.table.actor(session);
                actor.inspect(|actor| actor.kill());
                let _ = reply.send(actor.is_some());
            }
            Message::ShutDown { reply } => state.shut_down(reply),
            Message::Sweep => state.table.sweep(Instant::now()),
        }
        Ok(())
    }

    /// Restarts a session that failed from its log; no other session notices.
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(cell, ..) => {
                if let Some(session) = state.by_actor.remove(&cell.get_id())
                    && state.table.ended(session)
                {
                    state.let_go(&myself, session).await;
                }
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                if let Some(session) = state.by_actor.remove(&cell.get_id()) {
                    state.failed(&myself, session, error.to_string()).await;
                }
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl State {
    async fn wake(
        &mut self,
        myself: &ActorRef<Message>,
        session: SessionId,
    ) -> Option<SessionHandle> {
        self.start(myself, session, Purpose::Wake).await
    }

    /// Ends the claim of a session that sleeps.
    async fn let_go(&mut self, myself: &ActorRef<Message>, session: SessionId) {
        self.start(myself, session, Purpose::Release).await;
    }

    async fn start(
        &mut self,
        myself: &ActorRef<Message>,
        session: SessionId,
        purpose: Purpose,
    ) -> Option<SessionHandle> {
        let (feed, stake) = match self.table.wake(session, Instant::now()) {
            Wake::Live(handle) => return Some(handle),
            Wake::Resting => return None,
            Wake::Start(feed, stake) => (feed, stake),
        };
        if self.draining {
            return None;
        }
        let node = self.node.clone();
        let arguments = SessionArguments { node, session, feed, stake, purpose };
        // Fast: a session's start does nothing but send itself the order to load.
        let spawned = Actor::spawn_linked(None, SessionActor, arguments, myself.get_cell()).await;
        match spawned {
            Ok((actor, _)) => {
                self.by_actor.insert(actor.get_id(), session);
                let handle = SessionHandle::new(actor);
                self.table.started(session, handle.clone());
                Some(handle)
            }
            Err(error) => {
                tracing::error!(%error, %session, "a session was not spawned");
                None
            }
        }
    }

    async fn failed(&mut self, myself: &ActorRef<Message>, session: SessionId, error: String) {
        tracing::error!(error, %session, "a session failed");
        self.node.meter.actor_restarts.inc();
        self.node.meter.sessions_live.dec(); // a failed actor has no post_stop
        match self.table.failed(session, Instant::now()) {
            AfterFailure::Restart => drop(self.wake(myself, session).await),
            AfterFailure::Rest => {
                if let Some(feed) = self.table.feed(session) {
                    feed.alert(&ErrorBody::internal());
                }
            }
        }
    }

    fn shut_down(&mut self, reply: oneshot::Sender<()>) {
        self.draining = true;
        let live = self.table.live();
        crate::spawn(async move {
            join_all(live.iter().map(SessionHandle::shut_down)).await;
            let _ = reply.send(());
        });
    }
}
