//! Frames: one JSON object each, told apart by their `type`.

mod client;
mod decode;
mod merge;
mod server;

pub use client::{Ack, After, Attach, Call, ClientFrame, ClientInfo, Hello};
pub use decode::decode;
pub use merge::{Merged, merge};
pub use server::{
    Attached, CaughtUp, Detached, Entry, Ev, GoAway, Heartbeat, Limit, Limits, Mode, OpenRun,
    Reset, ServerFrame, Status, Welcome, entries_json, entry_rest, write_ev, write_ok,
};
