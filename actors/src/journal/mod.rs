//! The journal of this node: lanes that group what all sessions flush into durable records.

mod handle;
mod lane;
pub(crate) mod record;
mod recovery;
mod state;

pub(crate) use handle::JournalHandle;
pub(crate) use handle::{Flushed, OnFlushed};
pub(crate) use lane::{FencedError, LaneConfig};
pub(crate) use recovery::{RecoveryError, recover, recover_all};
