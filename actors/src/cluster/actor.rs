//! The actor that beats, looks after the others, and takes over.

use super::state::{Observer, Step};
use crate::{
    journal::{FencedError, RecoveryError, recover},
    node::Node,
    plant::{self, Plant},
    port::{Incarnation, NodeRow, StoreError},
    sessions::SessionsHandle,
};
use futures_util::{StreamExt as _, stream};
use greenroom_protocol::id::SessionId;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

/// Longest wait for a beat and the list; a few of them make a node look silent.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest recovery of one incarnation; then it is begun anew, which repeats no harm.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(120);

/// Sessions that are woken at a time after a recovery.
const WAKES_AT_ONCE: usize = 16;

/// What the actor tells itself.
pub(crate) enum Message {
    Beat,
    Looked { asked: Instant, list: Result<Vec<NodeRow>, StoreError> },
    Recovered { dead: Incarnation, claimed: Vec<SessionId>, result: Result<(), RecoveryError> },
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Beat => "Beat",
            Self::Looked { .. } => "Looked",
            Self::Recovered { .. } => "Recovered",
        })
    }
}

/// What the actor needs.
pub(crate) struct ClusterArguments {
    pub(crate) node: Arc<Node>,
    pub(crate) sessions: SessionsHandle,
    /// The life of this node that was fenced before this one. What it claimed in its last moments,
    /// nobody else may have seen.
    pub(crate) earlier: Option<Incarnation>,
}

/// What the actor holds.
pub(crate) struct State {
    arguments: ClusterArguments,
    observer: Observer,
    beats: u64,
    /// A beat and a look are under way; one at a time.
    looking: bool,
    /// The last look failed, which was said.
    is_blind: bool,
    /// Recoveries under way; they end with this actor, so that a fenced node claims nothing.
    recoveries: BTreeMap<Incarnation, AbortOnDropHandle<()>>,
}

/// This node among the others.
#[derive(Debug)]
pub(crate) struct ClusterActor;

impl Actor for ClusterActor {
    type Msg = Message;
    type State = State;
    type Arguments = ClusterArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: ClusterArguments,
    ) -> Result<State, ActorProcessingErr> {
        let (me, terms) =
            (arguments.node.journal.incarnation(), arguments.node.config.cluster.clone());
        myself.cast(Message::Beat)?;
        myself.send_interval(terms.beat, || Message::Beat);
        let observer = Observer::new(me, terms);
        let (earlier, recoveries) = (arguments.earlier, BTreeMap::new());
        let (beats, looking, is_blind) = (0, false, false);
        let mut state = State { arguments, observer, beats, looking, is_blind, recoveries };
        if let Some(earlier) = earlier {
            state.recover(&myself, earlier);
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Beat => state.beat(&myself),
            Message::Looked { asked, list } => state.looked(&myself, asked, list)?,
            Message::Recovered { dead, claimed, result } => state.recovered(dead, claimed, &result),
        }
        Ok(())
    }

    /// It has no children; overrides ractor's default all the same.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        _: SupervisionEvent,
        _: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl State {
    /// Beats, then asks who else does: in a task of its own, since the store may be slow.
    fn beat(&mut self, myself: &ActorRef<Message>) {
        if std::mem::replace(&mut self.looking, true) {
            return;
        }
        self.beats += 1;
        let (store, beat) = (self.arguments.node.store.clone(), self.beats);
        let (me, myself) = (self.arguments.node.journal.incarnation(), myself.clone());
        crate::spawn(async move {
            let mut asked = Instant::now();
            let look = async {
                store.beat(me, beat).await?;
                asked = Instant::now();
                store.nodes().await
            };
            let late = || StoreError::Unavailable(format!("no answer in {LOOK_TIMEOUT:?}"));
            let list = timeout(LOOK_TIMEOUT, look).await.unwrap_or_else(|_| Err(late()));
            let _ = myself.cast(Message::Looked { asked, list });
        });
    }

    fn looked(
        &mut self,
        myself: &ActorRef<Message>,
        asked: Instant,
        list: Result<Vec<NodeRow>, StoreError>,
    ) -> Result<(), FencedError> {
        self.looking = false;
        let list = match list {
            Ok(list) => list,
            Err(error) => {
                if !std::mem::replace(&mut self.is_blind, true) {
                    tracing::warn!(%error, "the other nodes are not seen");
                }
                return Ok(());
            }
        };
        self.is_blind = false;
        for step in self.observer.observe(&list, asked, Instant::now()) {
            match step {
                Step::End if plant::is(Plant::FenceIgnored) => {}
                Step::End => return Err(FencedError),
                Step::Recover(dead) => self.recover(myself, dead),
            }
        }
        Ok(())
    }

    fn recover(&mut self, myself: &ActorRef<Message>, dead: Incarnation) {
        tracing::warn!(incarnation = %dead, "a node is silent or has ended; it is recovered");
        let (store, me) =
            (self.arguments.node.store.clone(), self.arguments.node.journal.incarnation());
        let myself = myself.clone();
        let recovery = crate::spawn_owned(async move {
            let mut claimed = Vec::new();
            let recovery = recover(&*store, dead, me, &mut claimed);
            let late = |_| Err(StoreError::Unavailable("it takes too long".to_owned()).into());
            let result = timeout(RECOVERY_TIMEOUT, recovery).await.unwrap_or_else(late);
            let _ = myself.cast(Message::Recovered { dead, claimed, result });
        });
        self.recoveries.insert(dead, recovery);
    }

    fn recovered(
        &mut self,
        dead: Incarnation,
        claimed: Vec<SessionId>,
        result: &Result<(), RecoveryError>,
    ) {
        self.recoveries.remove(&dead);
        self.observer.recovered(dead, result.is_ok(), Instant::now());
        wake(self.arguments.sessions.clone(), claimed);
        if let Err(error) = result {
            tracing::error!(%error, incarnation = %dead, "a node was not recovered");
        }
    }
}

/// Wakes sessions that have a run to go on with, a few at a time.
pub(crate) fn wake(sessions: SessionsHandle, claimed: Vec<SessionId>) {
    crate::spawn(async move {
        let wakes = stream::iter(claimed).for_each_concurrent(WAKES_AT_ONCE, |session| {
            let sessions = sessions.clone();
            async move {
                if let Err(error) = sessions.home(session).await {
                    tracing::warn!(%session, error = %error.message, "a session was not woken");
                }
            }
        });
        wakes.await;
    });
}
