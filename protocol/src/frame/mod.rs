//! Frames: one JSON object each, told apart by their `type`.

mod client;
mod server;

pub use client::{Ack, After, Attach, Call, ClientFrame, ClientInfo, Hello, decode};
pub use server::{
    Attached, CaughtUp, Detached, Entry, Ev, GoAway, Heartbeat, Limit, Limits, Mode, OpenRun,
    Reset, ServerFrame, Status, Welcome, entries_json, entry_rest, write_ev, write_ok,
};
