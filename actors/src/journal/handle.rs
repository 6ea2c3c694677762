//! The journal's public face.

use super::{
    lane::{LaneActor, LaneArguments, LaneConfig, Message},
    record::Group,
};
use crate::{
    health::Health,
    meter::Meter,
    port::{Incarnation, Store},
};
use bytes::Bytes;
use greenroom_protocol::id::{Seq, SessionId};
use ractor::{Actor, ActorCell, ActorRef};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::timeout};

/// Longest wait for a lane's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What became of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Its entries up to this one are durable.
    Durable(Seq),
    /// The store refuses; the lane tries on, and `Durable` will follow.
    Refused,
}

/// Who wants to know what became of a group.
pub(crate) trait OnFlushed: Send + Sync {
    /// Called by the lane; must not wait.
    fn flushed(&self, flushed: Flushed);
}

/// A session's durable entries that are in no segment yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Number of the first.
    pub(crate) first: Seq,
    /// The entries.
    pub(crate) entries: Vec<Bytes>,
}

/// The journal is gone or does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal does not answer")]
pub(crate) struct JournalGone;

/// The lanes of this node's journal.
#[derive(Clone)]
pub(crate) struct JournalHandle {
    incarnation: Incarnation,
    lanes: Arc<[ActorRef<Message>]>,
}

impl fmt::Debug for JournalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalHandle").field("incarnation", &self.incarnation).finish()
    }
}

impl JournalHandle {
    /// Starts the lanes of an incarnation, linked to `supervisor`: a lane that ends ends the node.
    pub(crate) async fn spawn(
        store: Arc<dyn Store>,
        incarnation: Incarnation,
        config: LaneConfig,
        (health, meter): (Arc<Health>, Arc<Meter>),
        supervisor: ActorCell,
    ) -> Result<Self, ractor::SpawnErr> {
        let mut lanes = Vec::new();
        for lane in 0..store.lanes().max(1) {
            let arguments = LaneArguments {
                store: store.clone(),
                incarnation,
                lane,
                config,
                health: health.clone(),
                meter: meter.clone(),
            };
            let (actor, _) =
                Actor::spawn_linked(None, LaneActor, arguments, supervisor.clone()).await?;
            lanes.push(actor);
        }
        Ok(Self { incarnation, lanes: lanes.into() })
    }

    /// Whose journal this is.
    #[must_use]
    pub(crate) const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    fn lane(&self, session: SessionId) -> Option<&ActorRef<Message>> {
        let hash = session.uuid().as_u128();
        let lanes = self.lanes.len() as u128;
        self.lanes.get(usize::try_from(hash % lanes.max(1)).unwrap_or(0))
    }

    /// Sends a group to its lane. `owner` hears of it; a session has at most one group under way.
    pub(crate) fn append(&self, group: Group, owner: Arc<dyn OnFlushed>, urgent: bool) {
        if let Some(lane) = self.lane(group.session) {
            // A lane that is gone takes the node with it; nobody waits for this group then.
            let _ = lane.cast(Message::Append { group, owner, urgent });
        }
    }

    /// Says that a session's entries up to `last` are in segments.
    pub(crate) fn segmented(&self, session: SessionId, last: Seq) {
        if let Some(lane) = self.lane(session) {
            let _ = lane.cast(Message::Segmented { session, last });
        }
    }

    /// Waits until nothing of the session is under way, then answers its unsegmented entries.
    pub(crate) async fn tail(&self, session: SessionId) -> Result<Tail, JournalGone> {
        let (reply, answer) = oneshot::channel();
        let lane = self.lane(session).ok_or(JournalGone)?;
        lane.cast(Message::Tail { session, reply }).map_err(|_| JournalGone)?;
        timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| JournalGone)?.map_err(|_| JournalGone)
    }
}
