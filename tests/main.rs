//! Tests of the whole, one binary: it links once.

// The attributes tell clippy that helpers are tests too.
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod console;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod e2e;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod faultfs;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod server;
#[cfg(test)]
mod store;
