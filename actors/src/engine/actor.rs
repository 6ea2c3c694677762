//! The root of the supervision tree.

use super::EngineError;
use crate::{
    connection::Edge,
    credits::{CreditsActor, CreditsArguments, CreditsHandle},
    health::Health,
    journal::{JournalHandle, LaneConfig, recover},
    keeper::KeeperActor,
    keypool::{KeyPoolActor, KeyPoolArguments, KeyPoolHandle, state::Settings},
    llm::{LlmActor, LlmArguments, LlmHandle, Parties},
    meter::Meter,
    node::{CreditConfig, EngineConfig, Node, Ports},
    permits::Permits,
    sessions::{SessionsActor, SessionsHandle},
    sync::lock,
    users::{UsersActor, UsersArguments, UsersHandle},
};
use greenroom_protocol::id::SessionId;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// What the engine needs.
pub(super) struct EngineArguments {
    pub(super) ports: Ports,
    pub(super) config: EngineConfig,
    /// Where the parts go once all runs.
    pub(super) ready: Mutex<Option<oneshot::Sender<Result<Parts, EngineError>>>>,
}

/// What the engine's face works with.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) edge: Edge,
    /// Sessions that earlier lives of this node owned.
    pub(super) owned: Vec<SessionId>,
}

/// The root supervisor. It has no messages: it starts its children and ends with them.
#[derive(Debug)]
pub(super) struct EngineActor;

impl Actor for EngineActor {
    type Msg = ();
    type State = EngineArguments;
    type Arguments = EngineArguments;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        arguments: EngineArguments,
    ) -> Result<EngineArguments, ActorProcessingErr> {
        Ok(arguments)
    }

    /// Starts the children in order, now that this actor can supervise them.
    async fn post_start(
        &self,
        myself: ActorRef<()>,
        state: &mut EngineArguments,
    ) -> Result<(), ActorProcessingErr> {
        let started = start(state.ports.clone(), state.config.clone(), myself.get_cell()).await;
        if started.is_err() {
            myself.stop(None);
        }
        if let Some(ready) = lock(&state.ready).take() {
            let _ = ready.send(started);
        }
        Ok(())
    }

    /// A supervisor or a lane that is gone leaves nothing to go on with: the process ends, and
    /// its next start recovers from the journal.
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        _: &mut EngineArguments,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(_, error) => {
                tracing::error!(%error, "a part of the engine failed; the node stops");
                myself.stop(Some("failed".into()));
            }
            SupervisionEvent::ActorTerminated(..) => myself.stop(Some("failed".into())),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl fmt::Debug for EngineArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineArguments")
    }
}

async fn start(ports: Ports, config: EngineConfig, me: ActorCell) -> Result<Parts, EngineError> {
    let spawn = |error: ractor::SpawnErr| EngineError::Spawn(error.to_string());
    let (health, meter) = (Arc::new(Health::default()), Arc::new(Meter::default()));
    let incarnation = ports.store.open().await?;
    let owned = recover(&*ports.store, incarnation).await;
    let owned = owned.map_err(|error| EngineError::Recovery(error.to_string()))?;
    let shared = (health.clone(), meter.clone());
    let lane = LaneConfig { linger: config.linger };
    let journal = JournalHandle::spawn(ports.store.clone(), incarnation, lane, shared, me.clone());
    let journal = journal.await.map_err(spawn)?;
    let llm = providers(&ports, &config, &meter, me.clone()).await.map_err(spawn)?;
    let default_model = ports.providers.first().map(|first| first.default_model().to_owned());
    let users =
        UsersArguments { connections_per_user: config.connections_per_user, meter: meter.clone() };
    let (users, _) =
        Actor::spawn_linked(None, UsersActor, users, me.clone()).await.map_err(spawn)?;
    let users = UsersHandle::new(users);
    let credits = match config.credits.clone() {
        Some(CreditConfig { terms, prices }) => {
            let hold_ttl = Duration::from_millis(terms.hold_ttl_ms);
            let (store, clock) = (ports.store.clone(), ports.clock.clone());
            let (users, meter) = (users.clone(), meter.clone());
            let arguments = CreditsArguments { terms, store, clock, users, meter };
            let spawned = Actor::spawn_linked(None, CreditsActor, arguments, me.clone()).await;
            Some(CreditsHandle::new(spawned.map_err(spawn)?.0, Arc::new(prices), hold_ttl))
        }
        None => None,
    };
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
    let sessions = Actor::spawn_linked(None, SessionsActor, node.clone(), me.clone());
    let (sessions, _) = sessions.await.map_err(spawn)?;
    Actor::spawn_linked(None, KeeperActor, node.clone(), me).await.map_err(spawn)?;
    let sessions = SessionsHandle::new(sessions);
    Ok(Parts { edge: Edge { node, sessions, users }, owned })
}

/// The key pool, and the providers that it finds keys of.
async fn providers(
    ports: &Ports,
    config: &EngineConfig,
    meter: &Meter,
    me: ActorCell,
) -> Result<LlmHandle, ractor::SpawnErr> {
    let pool = KeyPoolArguments {
        providers: ports.providers.clone(),
        settings: Settings {
            selection: config.key_selection,
            waiting_max: config.provider_waiting,
            exhausted: config.key_exhausted,
            calls_max: config.provider_calls,
        },
        store: ports.store.clone(),
        clock: ports.clock.clone(),
        cooldowns: ports.cooldowns.clone(),
        meter: meter.keypool.clone(),
    };
    let (pool, _) = Actor::spawn_linked(None, KeyPoolActor, pool, me.clone()).await?;
    let (providers, meter) = (ports.providers.clone(), meter.keypool.clone());
    let (actor, _) =
        Actor::spawn_linked(None, LlmActor, LlmArguments { providers, meter }, me).await?;
    Ok(LlmHandle::new(Parties {
        actor,
        pool: KeyPoolHandle::new(pool),
        providers: ports.providers.clone(),
        fallbacks: config.provider_fallbacks.clone(),
        wait: config.provider_wait,
    }))
}
