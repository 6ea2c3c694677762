//! One session: its numbers, its ring, one run at a time and a queue.

mod actor;
mod answer;
pub(crate) mod command;
pub(crate) mod core;
pub(crate) mod feed;
mod handle;
mod load;
mod log;
pub(crate) mod past;
pub(crate) mod reader;
mod ring;
mod snapshot;
mod stake;
mod state;

pub(crate) use actor::{Purpose, SessionActor, SessionArguments};
pub(crate) use answer::{Answer, Answered, RunStopped};
pub(crate) use handle::{CallError, SessionHandle};
pub(crate) use load::stored;
pub(crate) use log::SEGMENT_ENTRIES_MAX;
pub(crate) use stake::Stake;
pub(crate) use state::{ATTEMPTS_MAX, RunSpec, Steer, owner_lost};
