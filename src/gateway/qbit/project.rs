//! One project that a socket deals with.

use super::{refusal::Kind, render::Renderer};
use greenroom_protocol::id::{Channel, CommandId, SessionId};

/// A project, from the first message about it until nothing of it is under way.
#[derive(Debug)]
pub(super) struct Project {
    pub(super) session: SessionId,
    pub(super) ch: Channel,
    pub(super) phase: Phase,
    pub(super) renderer: Renderer,
    /// Calls without an answer, and their commands.
    pub(super) calls: Vec<(u32, CommandId)>,
}

/// How far a project is opened.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its session is being created by this call; then this is asked for.
    Creating(u32, Wish),
    /// It is being attached; then this is asked for.
    Attaching(Wish),
    /// Its entries before now come; then this is asked for.
    CatchingUp(Wish),
    /// Its entries come.
    Following,
}

/// What a client wants of a project.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) kind: Kind,
    pub(super) prompt: String,
}

impl Project {
    /// Whether it is not followed yet.
    pub(super) const fn is_opening(&self) -> bool {
        !matches!(self.phase, Phase::Following)
    }

    /// Which message is being served while it is opened.
    pub(super) const fn opens_for(&self) -> Option<Kind> {
        match &self.phase {
            Phase::Creating(_, wish) | Phase::Attaching(wish) | Phase::CatchingUp(wish) => {
                Some(wish.kind)
            }
            Phase::Following => None,
        }
    }
}
