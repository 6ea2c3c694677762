//! Rates of what clients do.

use greenroom_protocol::id::{ConnectionId, UserId};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limited {
    /// A message on a socket; `ack` and `pong` are free.
    ConnectionMessage(ConnectionId),
    /// A message of a user, on whichever socket.
    UserMessage(UserId),
    /// A run.
    RunStart(UserId),
}

/// Counts and refuses. Takes microseconds and never waits; memory is bounded inside.
pub trait Limiter: Send + Sync {
    /// Counts one.
    ///
    /// # Errors
    /// Milliseconds after which one more would pass.
    fn check(&self, what: Limited) -> Result<(), u64>;

    /// Forgets who has not been counted for a while; called from time to time.
    fn sweep(&self) {}
}

/// Refuses nothing; for tests and load tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlimited;

impl Limiter for Unlimited {
    fn check(&self, _: Limited) -> Result<(), u64> {
        Ok(())
    }
}
