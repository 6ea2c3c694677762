//! The root of the supervision tree.

use super::{
    EngineError,
    incarnation::{IncarnationActor, IncarnationArguments},
};
use crate::{
    cluster,
    connection::Edge,
    health::Health,
    journal::{FencedError, recover_all},
    keypool::{KeyPoolActor, KeyPoolArguments, KeyPoolHandle, state::Settings},
    llm::{LlmActor, LlmArguments, LlmHandle, Parties},
    meter::Meter,
    node::{EngineConfig, Ports},
    port::Incarnation,
    sync::lock,
};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{oneshot, watch};

/// Rest after a try to begin a new incarnation failed.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What the root tells itself.
#[derive(Debug)]
pub(super) enum Message {
    /// The last incarnation was fenced: begin another.
    BeginAgain,
}

/// The edge, which changes with every incarnation.
pub(super) type Started = Result<watch::Receiver<Edge>, EngineError>;

/// What the engine needs.
pub(super) struct EngineArguments {
    pub(super) ports: Ports,
    pub(super) config: EngineConfig,
    /// Where the edge goes once all runs.
    pub(super) ready: Mutex<Option<oneshot::Sender<Started>>>,
}

/// What outlives an incarnation.
#[derive(Clone)]
pub(super) struct Base {
    pub(super) ports: Ports,
    pub(super) config: EngineConfig,
    pub(super) health: Arc<Health>,
    pub(super) meter: Arc<Meter>,
    pub(super) llm: LlmHandle,
}

pub(super) struct State {
    arguments: EngineArguments,
    running: Option<Running>,
}

struct Running {
    base: Base,
    edge: watch::Sender<Edge>,
}

/// The root supervisor: it starts its children and ends with them. Only an incarnation that was
/// fenced, on a store that is shared, is followed by another one.
#[derive(Debug)]
pub(super) struct EngineActor;

impl Actor for EngineActor {
    type Msg = Message;
    type State = State;
    type Arguments = EngineArguments;

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        arguments: EngineArguments,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { arguments, running: None })
    }

    /// Starts the children in order, now that this actor can supervise them.
    async fn post_start(
        &self,
        myself: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let EngineArguments { ports, config, .. } = &state.arguments;
        let started = match start(ports.clone(), config.clone(), myself.get_cell()).await {
            Ok((base, edge)) => {
                let (edge, seen) = watch::channel(edge);
                state.running = Some(Running { base, edge });
                Ok(seen)
            }
            Err(error) => {
                myself.stop(None);
                Err(error)
            }
        };
        if let Some(ready) = lock(&state.arguments.ready).take() {
            let _ = ready.send(started);
        }
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        Message::BeginAgain: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let Some(Running { base, edge }) = &state.running else { return Ok(()) };
        let earlier = edge.borrow().node.journal.incarnation();
        match begin(base, Some(earlier), myself.get_cell()).await {
            Ok(begun) => {
                let incarnation = begun.node.journal.incarnation();
                tracing::warn!(%earlier, %incarnation, "the node goes on as a new incarnation");
                base.health.set_store_writes(true);
                edge.send_replace(begun);
            }
            Err(error) => {
                tracing::error!(%error, "no new incarnation; trying on");
                myself.send_after(RETRY_AFTER, || Message::BeginAgain);
            }
        }
        Ok(())
    }

    /// A supervisor or a lane that is gone leaves nothing to go on with: the process ends, and
    /// its next start recovers from the journal.
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(_, error) => {
                if error.is::<FencedError>() && state.may_begin_again() {
                    myself.cast(Message::BeginAgain)?;
                    return Ok(());
                }
                tracing::error!(%error, "a part of the engine failed; the node stops");
                myself.stop(Some("failed".into()));
            }
            SupervisionEvent::ActorTerminated(..) => myself.stop(Some("failed".into())),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl State {
    /// A store of this process alone is fenced by another process that has it now.
    fn may_begin_again(&self) -> bool {
        let Some(Running { base, .. }) = &self.running else { return false };
        base.ports.store.is_shared() && !base.health.draining()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

impl fmt::Debug for EngineArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineArguments")
    }
}

async fn start(
    ports: Ports,
    config: EngineConfig,
    me: ActorCell,
) -> Result<(Base, Edge), EngineError> {
    let (health, meter) = (Arc::new(Health::default()), Arc::new(Meter::default()));
    let llm = providers(&ports, &config, &meter, me.clone());
    let llm = llm.await.map_err(|error| EngineError::Spawn(error.to_string()))?;
    let base = Base { ports, config, health, meter, llm };
    let edge = begin(&base, None, me).await?;
    Ok((base, edge))
}

/// Opens a journal and starts all that belongs to it.
async fn begin(
    base: &Base,
    earlier: Option<Incarnation>,
    me: ActorCell,
) -> Result<Edge, EngineError> {
    let store = &base.ports.store;
    let incarnation = store.open().await?;
    // Where others use the store too, they recover who is dead, as this node will from now on.
    let claimed = if store.is_shared() {
        store.join(incarnation, base.config.cluster.address.clone()).await?;
        Vec::new()
    } else {
        let recovered = recover_all(&**store, incarnation).await;
        recovered.map_err(|error| EngineError::Recovery(error.to_string()))?
    };
    base.meter.sessions_live.set(0); // those of an incarnation that was fenced ended without a word
    let (ready, started) = oneshot::channel();
    let ready = Mutex::new(Some(ready));
    let arguments = IncarnationArguments { base: base.clone(), incarnation, earlier, ready };
    let spawned = Actor::spawn_linked(None, IncarnationActor, arguments, me).await;
    spawned.map_err(|error| EngineError::Spawn(error.to_string()))?;
    let edge = started.await.map_err(|_| EngineError::Spawn("the incarnation".into()))??;
    // Each may have a run to go on with.
    cluster::wake(edge.sessions.clone(), claimed);
    Ok(edge)
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
