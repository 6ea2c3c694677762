//! What a user may ask of a session.

use greenroom_protocol::{
    id::CommandId,
    method::{RunCancel, RunStart},
};

/// A command, before the session's own checks.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Create { cid: CommandId, title: String },
    Start { cid: CommandId, start: RunStart },
    Cancel { cid: CommandId, cancel: RunCancel },
    Close { cid: CommandId },
    Get,
}
