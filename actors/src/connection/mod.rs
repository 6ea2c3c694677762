//! One socket: handshake, attachments with their cursors, calls, signs of life.
//!
//! A connection is a plain task that its user owns. It waits for the session (calls) and for the
//! store (reads below the ring); nothing waits for it. Entries do not pass through a mailbox: the
//! task reads the shared ring by cursor when its bell rings.

mod attach;
mod attachment;
mod bell;
mod calls;
mod files;
mod handshake;
mod inbound;
mod outbound;
mod serve;
mod timers;

#[cfg(feature = "fuzzing")]
pub(crate) use attach::{Begin, begin};
pub(crate) use bell::Bell;
pub(crate) use serve::{Edge, serve};
