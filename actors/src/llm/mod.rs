//! Providers: calls to them, further tries, and answers that are read to their end though nobody
//! wants them any more.

mod actor;
mod attempts;
mod call;
mod handle;
mod provider;

pub(crate) use actor::{LlmActor, LlmArguments};
pub(crate) use attempts::Attempts;
pub(crate) use call::Call;
pub(crate) use handle::{LlmHandle, Parties};
