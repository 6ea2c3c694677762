//! What operators see of a node's sessions.

use crate::session::feed::Feed;
use greenroom_protocol::{
    frame::Status,
    id::{Epoch, RunId, Seq, SessionId, UserId},
};
use serde::{Deserialize, Serialize};

/// A session that is awake on this node, or watched. Nothing of what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSession {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// Incarnation of its log.
    pub epoch: Epoch,
    /// Last entry of its log.
    pub head: Seq,
    /// What it does.
    pub status: Status,
    /// The run that it is at.
    pub run: Option<RunId>,
    /// Attachments on this node.
    pub watchers: usize,
    /// Whether it has an actor; one that sleeps is only watched.
    pub awake: bool,
}

impl LiveSession {
    pub(super) fn of(feed: &Feed, awake: bool) -> Self {
        let view = feed.view();
        Self {
            session: feed.session,
            user: feed.user,
            epoch: feed.epoch,
            head: view.head,
            status: view.status,
            run: view.run.map(|run| run.run),
            watchers: feed.watchers(),
            awake,
        }
    }
}

/// The sessions of a node, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSessions {
    /// How many there are.
    pub total: usize,
    /// As many of them as were asked for.
    pub sessions: Vec<LiveSession>,
}
