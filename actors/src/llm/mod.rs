//! Providers: who may call which, and how many calls are under way.

mod actor;
mod handle;
mod provider;

pub(crate) use actor::{LlmActor, LlmArguments};
pub(crate) use handle::LlmHandle;
pub(crate) use provider::Ticket;
