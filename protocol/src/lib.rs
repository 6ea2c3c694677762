//! Greenroom's wire protocol, version 1.

pub mod client;
pub mod error;
pub mod event;
pub mod frame;
pub mod id;
pub mod limit;
pub mod method;

/// WebSocket subprotocol: JSON frames, version 1.
pub const SUBPROTOCOL: &str = "greenroom.v1.json";

/// The protocol version that this build speaks.
pub const VERSION: u32 = 1;
