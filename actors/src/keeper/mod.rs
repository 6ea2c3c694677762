//! Scheduled work of the node.

mod actor;

pub(crate) use actor::KeeperActor;
