//! What is durable: the store's ports, implemented by backends.

pub mod sqlite;
