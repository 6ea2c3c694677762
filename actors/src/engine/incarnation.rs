//! All that belongs to one incarnation of the node's journal, and ends with it.

use super::{EngineError, actor::Base};
use crate::{
    cluster::{ClusterActor, ClusterArguments},
    connection::Edge,
    credits::{CreditsActor, CreditsArguments, CreditsHandle},
    journal::{FencedError, JournalHandle, LaneConfig},
    keeper::KeeperActor,
    node::{CreditConfig, Node},
    permits::Permits,
    port::Incarnation,
    sessions::{SessionsActor, SessionsHandle},
    sync::lock,
    users::{UsersActor, UsersArguments, UsersHandle},
};
use greenroom_protocol::error::CloseCode;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// What sockets work with, once all runs.
pub(super) type Started = Result<Edge, EngineError>;

pub(super) struct IncarnationArguments {
    pub(super) base: Base,
    pub(super) incarnation: Incarnation,
    /// The one before, where that was fenced.
    pub(super) earlier: Option<Incarnation>,
    pub(super) ready: Mutex<Option<oneshot::Sender<Started>>>,
}

pub(super) struct State {
    arguments: IncarnationArguments,
    users: Option<UsersHandle>,
}

/// Supervises what belongs to one incarnation. It has no messages: it starts its children and ends
/// with the first of them.
#[derive(Debug)]
pub(super) struct IncarnationActor;

impl Actor for IncarnationActor {
    type Msg = ();
    type State = State;
    type Arguments = IncarnationArguments;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        arguments: IncarnationArguments,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { arguments, users: None })
    }

    /// Starts the children in order, now that this actor can supervise them.
    async fn post_start(
        &self,
        myself: ActorRef<()>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let started = start(&state.arguments, myself.get_cell()).await;
        state.users = started.as_ref().ok().map(|edge| edge.users.clone());
        if let Some(ready) = lock(&state.arguments.ready).take() {
            let _ = ready.send(started.map_err(|error| EngineError::Spawn(error.to_string())));
        }
        Ok(())
    }

    /// Ends with whatever ends. The sockets of a fenced node are told that their sessions are
    /// another's: what they would see here does not go on.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(_, error) => {
                let is_fenced = error.is::<FencedError>();
                if let Some(users) = state.users.as_ref().filter(|_| is_fenced) {
                    tracing::error!(incarnation = %state.arguments.incarnation, "fenced");
                    users.close_all(CloseCode::OwnerMoved).await;
                }
                Err(error)
            }
            SupervisionEvent::ActorTerminated(..) => Err("a part of the engine ended".into()),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => Ok(()),
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("incarnation", &self.arguments.incarnation).finish()
    }
}

impl fmt::Debug for IncarnationArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IncarnationArguments")
    }
}

async fn start(arguments: &IncarnationArguments, me: ActorCell) -> Result<Edge, SpawnErr> {
    let IncarnationArguments { base, incarnation, earlier, .. } = arguments;
    let Base { ports, config, health, meter, llm } = base.clone();
    let shared = (health.clone(), meter.clone());
    let lane = LaneConfig { linger: config.linger };
    let journal =
        JournalHandle::spawn(ports.store.clone(), *incarnation, lane, shared, me.clone()).await?;
    let users =
        UsersArguments { connections_per_user: config.connections_per_user, meter: meter.clone() };
    let (users, _) = Actor::spawn_linked(None, UsersActor, users, me.clone()).await?;
    let users = UsersHandle::new(users);
    let credits = match config.credits.clone() {
        Some(CreditConfig { terms, prices }) => {
            let hold_ttl = Duration::from_millis(terms.hold_ttl_ms);
            let (store, clock) = (ports.store.clone(), ports.clock.clone());
            let (users, meter) = (users.clone(), meter.clone());
            let arguments = CreditsArguments { terms, store, clock, users, meter };
            let (actor, _) = Actor::spawn_linked(None, CreditsActor, arguments, me.clone()).await?;
            Some(CreditsHandle::new(actor, Arc::new(prices), hold_ttl))
        }
        None => None,
    };
    let default_model = ports.providers.first().map(|first| first.default_model().to_owned());
    let node = Arc::new(Node {
        store: ports.store,
        clock: ports.clock,
        authenticator: ports.authenticator,
        limiter: ports.limiter,
        journal,
        llm,
        default_model,
        credits,
        permits: Permits::new(config.runs_per_user, meter.clone()),
        config,
        meter,
        health,
        started: Instant::now(),
    });
    let (sessions, _) = Actor::spawn_linked(None, SessionsActor, node.clone(), me.clone()).await?;
    let sessions = SessionsHandle::new(sessions);
    Actor::spawn_linked(None, KeeperActor, node.clone(), me.clone()).await?;
    if node.store.is_shared() {
        let (node, sessions, earlier) = (node.clone(), sessions.clone(), *earlier);
        let arguments = ClusterArguments { node, sessions, earlier };
        Actor::spawn_linked(None, ClusterActor, arguments, me).await?;
    }
    Ok(Edge { node, sessions, users })
}
