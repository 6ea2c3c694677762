//! What is durable: the store's ports, implemented by backends.

pub mod cql;
mod packed;
pub mod sqlite;
mod status;
