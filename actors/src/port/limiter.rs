//! Rates of what clients do.

use super::BoxFuture;
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

/// Counts and refuses. Memory is bounded inside.
pub trait Limiter: Send + Sync {
    /// Counts one within this node. Takes microseconds and never waits.
    ///
    /// # Errors
    /// Milliseconds after which one more would pass.
    fn check(&self, what: Limited) -> Result<(), u64>;

    /// Counts one of each over all nodes: of all of them, or of none. What passed [`check`] on this
    /// node comes here next. Where nobody else counts, or nobody answers at once, all passes.
    ///
    /// [`check`]: Self::check
    ///
    /// # Errors
    /// As [`check`](Self::check).
    fn check_all_nodes<'a>(&'a self, _what: &'a [Limited]) -> BoxFuture<'a, Result<(), u64>> {
        Box::pin(std::future::ready(Ok(())))
    }

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
