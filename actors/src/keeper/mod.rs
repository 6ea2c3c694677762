//! Scheduled work of the node.

mod actor;
mod duty;

pub(crate) use actor::KeeperActor;
#[cfg(test)]
pub(crate) use duty::is_mine;
