//! What a session answers.

use greenroom_protocol::method::{InputResponded, RunAccepted, RunCancelled, SessionInfo};

/// An answer, and whether it was given before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    /// The command had been accepted before.
    pub(crate) duplicate: bool,
}

impl Answered {
    /// An answer that is given for the first time.
    pub(crate) const fn first(answer: Answer) -> Self {
        Self { answer, duplicate: false }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// To `session.create`, `session.get`, `session.close`, `session.rollback`.
    Info(Box<SessionInfo>),
    /// To `run.start` and `run.steer`.
    Accepted(RunAccepted),
    /// To `run.cancel`.
    Cancelled(RunCancelled),
    /// To `input.respond`.
    Responded(InputResponded),
    /// To a run: its words are durable.
    Taken,
    /// To a rollback that was made for another head of files: make it anew.
    Moved,
}

/// A run's words were refused, since it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run has ended")]
pub(crate) struct RunStopped;
