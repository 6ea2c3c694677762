//! What a user may ask of a session.

use super::core::Turn;
use crate::port::{Oid, Origin};
use greenroom_protocol::{
    id::{CommandId, Seq},
    method::{InputRespond, RunCancel, RunStart, RunSteer},
};

/// A command, before the session's own checks.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Create { cid: CommandId, title: String, origin: Option<Origin> },
    Start { cid: CommandId, start: RunStart },
    Cancel { cid: CommandId, cancel: RunCancel },
    Steer { cid: CommandId, steer: RunSteer },
    Respond { cid: CommandId, respond: InputRespond },
    Close { cid: CommandId },
    Rollback { cid: CommandId, rollback: Box<Rollback> },
    Get,
}

/// A rollback, with all that it needs read and stored.
#[derive(Clone, Debug)]
pub(crate) struct Rollback {
    /// The entry to go back to.
    pub(crate) to: Seq,
    /// The commit whose files are restored.
    pub(crate) files: Option<String>,
    /// The head of files that this was made for; the session may have another one by now.
    pub(crate) parent: Option<String>,
    /// The head of files from now on.
    pub(crate) commit: Option<String>,
    /// The turns that later prompts show.
    pub(crate) turns: Vec<Turn>,
    /// The blob that holds them.
    pub(crate) blob: Oid,
}
