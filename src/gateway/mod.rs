//! The public and the internal port: accepts connections, serves REST, upgrades WebSockets.
//!
//! A connection is one task from accept to end. While it speaks HTTP, that task holds hyper's
//! state in a box of its own; once upgraded, the box is gone and only the socket is left, so that
//! an idle socket costs little.
//!
//! What comes in passes, in this order: the caps on connections ([`places`]), the guard on bytes
//! that proxies could read differently ([`guard`]), hyper with its timeouts and header limits, the
//! checks of [`site`], and then a route or the upgrade.

mod config;
mod connection;
mod guard;
mod places;
mod server;
mod site;
mod socket;
mod upgrade;

#[cfg(test)]
mod tests;

pub use config::{GatewayConfig, GatewayConfigError, WebSocketLimits};
pub use server::{Serve, Server, Upgraded, listen};
pub use socket::WsSocket;
