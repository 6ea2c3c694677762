//! One socket: handshake, attachments with their cursors, calls, signs of life.
//!
//! A connection is a plain task that its user owns. It waits for the session (calls) and for the
//! store (reads below the ring); nothing waits for it. Entries do not pass through a mailbox: the
//! task reads the shared ring by cursor when its bell rings. A [`Follower`] is an attachment without
//! a socket, for HTTP and for dialects: it reads the same ring by the same cursors.

mod attach;
mod attachment;
mod bell;
mod branch;
mod calls;
pub(crate) mod credits;
mod diff;
mod files;
mod follower;
mod handshake;
mod inbound;
mod outbound;
mod serve;
mod timers;

pub use attach::Begun;
#[cfg(feature = "fuzzing")]
pub(crate) use attach::{Begin, begin};
pub(crate) use bell::Bell;
pub use calls::Done;
pub(crate) use calls::{count, dispatch};
pub use files::Tree;
pub use follower::{Followed, Follower};
pub(crate) use serve::{Edge, serve};
