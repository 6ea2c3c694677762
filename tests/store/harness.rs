//! Stores that the contract is checked against.

use greenroom::store::sqlite::{Options, SqliteStore};
use greenroom_actors::{fake::FakeStore, port::Store};
use std::sync::Arc;
use tempfile::TempDir;

/// A place that holds one store over several lives of a process.
pub(crate) trait Harness: Send + Sync + 'static {
    /// The store.
    type Store: Store + 'static;

    /// A place with nothing in it.
    fn new() -> Self;

    /// A place for one test of a port, with nothing in it that concerns this port; none where this
    /// machine has no such store.
    fn of(port: &'static str) -> Option<Self>
    where
        Self: Sized,
    {
        let _ = port;
        Some(Self::new())
    }

    /// Opens the store; one use at a time.
    async fn open(&self) -> Arc<Self::Store>;

    /// Ends a use in good order, so that the store can be opened again.
    async fn close(&self, store: Arc<Self::Store>);
}

/// The in-memory store of the actors' tests. It lives as long as its place.
pub(crate) struct FakeHarness(Arc<FakeStore>);

impl Harness for FakeHarness {
    type Store = FakeStore;

    fn new() -> Self {
        Self(Arc::default())
    }

    async fn open(&self) -> Arc<FakeStore> {
        Arc::clone(&self.0)
    }

    async fn close(&self, _: Arc<FakeStore>) {}
}

/// The same, where several nodes use it at once.
pub(crate) struct SharedFakeHarness(Arc<FakeStore>);

impl Harness for SharedFakeHarness {
    type Store = FakeStore;

    fn new() -> Self {
        Self(Arc::new(FakeStore::shared()))
    }

    async fn open(&self) -> Arc<FakeStore> {
        Arc::clone(&self.0)
    }

    async fn close(&self, _: Arc<FakeStore>) {}
}

/// The embedded store, in a directory that goes with its place.
pub(crate) struct SqliteHarness(TempDir);

impl Harness for SqliteHarness {
    type Store = SqliteStore;

    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(self.0.path(), Options::default(), 0).unwrap())
    }

    async fn close(&self, store: Arc<SqliteStore>) {
        store.close().await.unwrap();
    }
}
