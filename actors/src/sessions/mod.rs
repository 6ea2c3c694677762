//! All sessions of this node: which are live, which are only watched.

mod actor;
mod handle;
mod live;
mod state;

pub(crate) use actor::SessionsActor;
pub(crate) use handle::{Lease, SessionsHandle, elsewhere};
pub use live::{LiveSession, LiveSessions};
