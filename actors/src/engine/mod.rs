//! The engine: starts in order, drains in reverse.

mod actor;
mod handle;
mod incarnation;

pub use handle::{Engine, EngineError, NodeInfo};

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test skips what it does not look for")]
mod tests;
