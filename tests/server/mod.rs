//! The real binary on free ports with a data folder of its own, and what talks to it.

mod asking;
#[cfg(feature = "otel")]
mod collector;
mod followers;
mod model;
mod process;
mod qbit;
mod rest;
mod socket;
mod story;

pub(crate) use asking::{ASKS, GREETING, PLANS};
#[cfg(feature = "otel")]
pub(crate) use collector::{Collector, Field, Span};
pub(crate) use followers::Followers;
pub(crate) use model::{Model, Script};
pub(crate) use process::{PASSWORD, Server, Site, User, files_below, free_port, git, output};
pub(crate) use qbit::{Qbit, figures, told};
pub(crate) use rest::{Reply, cursor};
pub(crate) use socket::{Socket, refusal};
pub(crate) use story::{
    assert_contiguous, assert_told, assert_whole, command, entries, evs, is_end, outcome, session,
    story,
};

use std::time::Duration;

/// Longest wait for anything that must happen.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(30);

/// Waits for something that must happen.
///
/// # Panics
/// If it takes too long.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(WAIT_MAX, future).await;
    done.unwrap_or_else(|_| panic!("no {what} in {WAIT_MAX:?}"))
}

/// Looks every few milliseconds until something that must happen is there.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(what, found).await
}
