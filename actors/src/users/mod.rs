//! All connected users of this node.

mod actor;
mod handle;

pub(crate) use actor::{UsersActor, UsersArguments};
pub(crate) use handle::{Membership, UsersHandle};
