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
pub(super) struct Place<'a> {
    connections: &'a Connections,
    hang_up: watch::Receiver<()>,
}

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

    /// Ends those without a call, as servers do after a while; those with one at its end.
    pub fn hang_up(&self) {
        self.hang_up.send_replace(());
    }

    pub(super) fn place(&self) -> Place<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Place { connections: self, hang_up: self.hang_up.subscribe() }
    }
}

impl<'a> Place<'a> {
    pub(super) fn busy(&self) -> Busy<'a> {
        self.connections.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.connections)
    }

    /// Waits for something; none: the connection is to end instead.
    pub(super) async fn unless_hung_up<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = wait => Some(done),
            _ = self.hang_up.changed() => None,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
