//! One connected user: its sockets and what concerns them all.

mod actor;
mod handle;

pub(crate) use actor::{Member, UserActor, UserArguments};
pub(crate) use handle::UserHandle;
