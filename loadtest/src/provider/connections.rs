//! The connections of clients, counted: those that a client keeps, and those with a call.

use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// All connections to a stand-in.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicUsize,
    busy: AtomicUsize,
    /// Changes when connections without a call are to end.
    hang_up: watch::Sender<()>,
}

/// A connection while it is open.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Connections);

/// A call while it goes on.
#[derive(Debug)]
pub(super) struct Busy<'a>(&'a Connections);

impl Connections {
    /// How many there are.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many have a call that goes on.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Ends those without a call, as servers do after a while.
    pub fn hang_up(&self) {
        self.hang_up.send_replace(());
    }

    pub(super) fn place(&self) -> Place<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Place(self)
    }
}

impl Place<'_> {
    pub(super) fn busy(&self) -> Busy<'_> {
        self.0.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.0)
    }

    /// Waits for something; none: the connection is to end instead.
    pub(super) async fn unless_hung_up<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        let mut hang_up = self.0.hang_up.subscribe();
        tokio::select! {
            biased;
            done = wait => Some(done),
            _ = hang_up.changed() => None,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
