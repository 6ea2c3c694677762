//! The engine's public face.

use super::actor::{EngineActor, EngineArguments, Message};
use crate::{
    connection::{Done, Edge, Follower, Tree, count, credits, dispatch, serve},
    health::Health,
    keypool::ProviderView,
    meter::Meter,
    node::{EngineConfig, Ports},
    port::{Incarnation, Limited, NodeRow, Principal, SignIn, Socket, StoreError},
    sessions::LiveSessions,
};
use greenroom_protocol::{
    credits::{CreditsInfo, Grant},
    error::{CloseCode, Code, ErrorBody, Reason},
    frame::After,
    id::{SessionId, UserId},
    method::Method,
};
use ractor::{Actor, ActorRef};
use serde::{Deserialize, Serialize};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long sockets get to go away by themselves before they are closed.
const GOAWAY_SPREAD: Duration = Duration::from_secs(2);

/// How long sessions get to store what they hold.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a drain looks whether runs have ended.
const DRAIN_POLL: Duration = Duration::from_millis(50);

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store failed.
    #[error("the store failed at start")]
    Store(#[from] StoreError),
    /// A journal of an earlier life cannot be read.
    #[error("recovery failed: {0}")]
    Recovery(String),
    /// An actor did not start.
    #[error("an actor did not start: {0}")]
    Spawn(String),
}

/// One life of a node, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Which.
    pub incarnation: u64,
    /// Where other nodes reach it, if it has said so.
    pub address: Option<String>,
    /// Whether it has ended, and waits for its recovery.
    pub sealed: bool,
    /// Whether it is this one.
    pub this: bool,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    actor: ActorRef<Message>,
    /// Another one after each time that the node was fenced.
    edge: watch::Receiver<Edge>,
    /// Cancelled once the root actor has ended.
    ended: CancellationToken,
}

impl Engine {
    /// Starts the engine: opens the journal, recovers what earlier lives left, starts all actors.
    ///
    /// # Errors
    /// [`EngineError`]; nothing runs then.
    pub async fn start(ports: Ports, config: EngineConfig) -> Result<Self, EngineError> {
        let (ready, edge) = oneshot::channel();
        let arguments = EngineArguments { ports, config, ready: Mutex::new(Some(ready)) };
        let spawned = Actor::spawn(None, EngineActor, arguments).await;
        let (actor, join) = spawned.map_err(|error| EngineError::Spawn(error.to_string()))?;
        let edge = edge.await.map_err(|_| EngineError::Spawn("the root actor".into()))??;
        let ended = CancellationToken::new();
        let cancel = ended.clone().drop_guard();
        crate::spawn(async move {
            let _ = join.await;
            drop(cancel);
        });
        Ok(Self { actor, edge, ended })
    }

    /// What sockets work with now.
    pub(super) fn edge(&self) -> Edge {
        self.edge.borrow().clone()
    }

    /// Serves a socket until it ends. `ticket` is whom the upgrade's ticket stood for.
    pub async fn serve(&self, socket: impl Socket, ticket: Option<Principal>) {
        serve(self.edge(), socket, ticket).await;
    }

    /// Performs a method for a client that has no socket: with the checks, the limits and the
    /// effect that it has over a socket.
    ///
    /// # Errors
    /// What to tell the client.
    pub async fn call(&self, principal: Principal, method: Method) -> Result<Done, ErrorBody> {
        self.count(principal)?;
        method.check()?;
        dispatch(&self.edge(), principal, method).await
    }

    /// Attaches a client that has no socket to a session.
    ///
    /// # Errors
    /// What to tell the client; among them, that the user has too many sockets and followers.
    pub async fn follow(
        &self,
        principal: Principal,
        session: SessionId,
        after: After,
    ) -> Result<Follower, ErrorBody> {
        self.count(principal)?;
        count(&self.edge(), principal.user, false).await?;
        Follower::begin(self.edge(), principal, session, after).await
    }

    /// The files at a commit of a session, or at its head; `None`: nothing was committed yet.
    ///
    /// # Errors
    /// What to tell the client.
    pub async fn files(
        &self,
        principal: Principal,
        session: SessionId,
        commit: Option<&str>,
    ) -> Result<Option<Tree>, ErrorBody> {
        self.count(principal)?;
        count(&self.edge(), principal.user, false).await?;
        Tree::open(self.edge(), principal, session, commit).await
    }

    /// Closes the sockets and ends the followers of a sign-in that has ended.
    pub fn sign_out(&self, user: UserId, sign_in: SignIn) {
        self.edge().users.sign_out(user, sign_in);
    }

    /// What a user has, for an operator.
    ///
    /// # Errors
    /// What to answer.
    pub async fn credits(&self, user: UserId) -> Result<CreditsInfo, ErrorBody> {
        credits::get(&self.edge(), user).await
    }

    /// Gives a user credits, by an operator's order: a repeat under the same name has one effect.
    /// The amount is in micro-credits.
    ///
    /// # Errors
    /// What to answer; `idempotency_conflict`, where the name was used for another grant.
    pub async fn grant_credits(
        &self,
        user: UserId,
        name: &str,
        amount: u64,
        (grant, note): (Grant, String),
    ) -> Result<CreditsInfo, ErrorBody> {
        credits::grant(&self.edge(), user, (name, amount), grant, note).await
    }

    /// The newest sessions that are awake or watched on this node, at most `limit`.
    pub async fn sessions(&self, limit: usize) -> LiveSessions {
        let none = || LiveSessions { total: 0, sessions: Vec::new() };
        self.edge().sessions.overview(limit).await.unwrap_or_else(none)
    }

    /// Attaches an operator to anybody's session.
    ///
    /// # Errors
    /// What to answer; `session_not_found`.
    pub async fn watch(&self, session: SessionId, after: After) -> Result<Follower, ErrorBody> {
        Follower::of_operator(self.edge(), session, after).await
    }

    /// The lives of nodes of this store that are not recovered.
    ///
    /// # Errors
    /// `store_unavailable`.
    pub async fn nodes(&self) -> Result<Vec<NodeInfo>, ErrorBody> {
        let node = self.edge().node;
        let found = node.store.nodes().await.map_err(|error| {
            tracing::warn!(%error, "the nodes were not read");
            ErrorBody::store_unavailable()
        })?;
        let this = node.journal.incarnation();
        let info = |NodeRow { incarnation, address, sealed, .. }| NodeInfo {
            incarnation: incarnation.0,
            address,
            sealed,
            this: incarnation == this,
        };
        Ok(found.into_iter().map(info).collect())
    }

    /// Ends a session's actor, by an operator's order: it starts again from its log, and a run
    /// under way is recovered. Whether there was one.
    pub async fn kill_session(&self, session: SessionId) -> bool {
        self.edge().sessions.kill(session).await
    }

    /// Counts a request as a message of its user, within this node.
    fn count(&self, principal: Principal) -> Result<(), ErrorBody> {
        let node = self.edge().node;
        node.limiter.check(Limited::UserMessage(principal.user)).map_err(|retry_after_ms| {
            node.meter.rate_limited.inc();
            let message = "too many requests of this user; wait a little";
            ErrorBody::new(Code::ResourceExhausted, Reason::RateLimited, message)
                .retry_after_ms(retry_after_ms)
        })
    }

    /// Whether the node can take new work.
    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        self.edge().node.health.clone()
    }

    /// What the engine counts.
    #[must_use]
    pub fn meter(&self) -> Arc<Meter> {
        self.edge().node.meter.clone()
    }

    /// Resolves when the engine has failed and cannot go on; pending for ever otherwise.
    pub async fn failed(&self) {
        self.ended.cancelled().await;
    }

    /// All providers with their quota groups and keys as they are; empty while the engine goes
    /// down.
    pub async fn providers(&self) -> Vec<ProviderView> {
        self.edge().node.llm.view().await.unwrap_or_default()
    }

    /// This life of the node's journal.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.edge().node.journal.incarnation()
    }

    /// Ends every actor where it is, as a kill of the process would.
    #[cfg(test)]
    pub(super) fn kill(&self) {
        self.actor.kill();
    }

    /// Panics a session's actor.
    #[cfg(test)]
    pub(super) async fn panic_session(&self, session: SessionId) {
        if let Ok(handle) = self.edge().sessions.wake(session).await {
            handle.panic();
        }
    }

    /// Begins to drain: no new runs; sockets are told.
    pub fn go_away(&self) {
        self.edge().node.health.set_draining();
        self.edge().users.go_away(GOAWAY_SPREAD);
    }

    /// Drains in order: runs end or are left to the next owner, sockets close, sessions store
    /// what they hold and end their claims, actors stop. Where the store is shared, the journal is
    /// sealed then, so that another node takes over at once.
    pub async fn drain(&self) {
        self.go_away();
        let node = self.edge().node;
        let until = Instant::now() + node.config.drain_timeout;
        while !node.permits.is_empty() && Instant::now() < until && !self.ended.is_cancelled() {
            sleep(DRAIN_POLL).await;
        }
        self.edge().users.close_all(CloseCode::GoingAway).await;
        self.edge().sessions.shut_down(STORE_TIMEOUT).await;
        self.actor.stop(None);
        let _ = timeout(STORE_TIMEOUT, self.ended.cancelled()).await;
        if node.store.is_shared() {
            // The others need not wait until this node looks dead: they take over what it has left.
            let sealed = timeout(STORE_TIMEOUT, node.store.seal(node.journal.incarnation())).await;
            if !matches!(sealed, Ok(Ok(()))) {
                tracing::warn!("the journal was not sealed; others will find this node silent");
            }
        }
    }
}
