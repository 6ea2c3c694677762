//! The whole port over real connections, byte by byte.

mod harness;
mod http;
mod internal;
mod limits;
mod memory;
mod smuggling;
mod websocket;
