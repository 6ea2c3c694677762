//! The embedded store: one SQLite file, for one server alone.
//!
//! ```text
//! writes -> queue -> writer thread: one transaction a group -> fsync -> answers
//! reads  -> a few connections that see the last commit
//! ```
//!
//! A write is answered once its commit is on the disk. Files of a data directory: `engine.db`,
//! `engine.db-wal` and `engine.db-shm` (SQLite's write-ahead log), `engine.lock` (held by the
//! server that runs on it), `engine.db.v<n>` (copy from before a migration).

mod backup;
mod checkpoint;
mod connection;
mod directory;
mod documents;
mod error;
mod journal;
mod ledger;
mod nodes;
mod objects;
mod observer;
mod readers;
mod schema;
mod segments;
mod sessions;
mod writer;

pub use backup::{BackupError, backup};
pub use directory::DATABASE_FILE;
pub use error::OpenError;
pub use observer::Observer;

use directory::DataDir;
use greenroom_actors::port::StoreError;
use readers::Readers;
use rusqlite::Connection;
use std::{path::Path, sync::Arc, time::Duration};
use writer::Writer;

/// How long [`SqliteStore::close`] and a drop wait for what is queued.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How the store is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections that read, each at most one query at a time.
    pub readers: usize,
    /// Longest wait for an answer; then it is [`StoreError::Unavailable`], and what became of a
    /// write is unknown.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 3, timeout: Duration::from_secs(30) }
    }
}

/// Everything durable, in one file. Implements all ports.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Arc<Readers>,
}

impl SqliteStore {
    /// Takes a data directory, creates or migrates its database, and opens it. Blocks.
    ///
    /// A database that is a copy made by [`backup()`] may lack the end of some histories: its
    /// sessions begin a new epoch, one above the old or `now_ms` in seconds, whichever is later.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is held then.
    pub fn open(directory: &Path, options: Options, now_ms: u64) -> Result<Self, OpenError> {
        let directory = DataDir::hold(directory)?;
        let path = directory.database();
        let failed = |source| OpenError::Database { path: path.clone(), source };
        let mut connection = connection::writer(&path).map_err(failed)?;
        schema::migrate(&mut connection, &path, schema::MIGRATIONS)?;
        connection::use_wal(&connection, &path)?;
        backup::settle_copy(&mut connection, now_ms).map_err(failed)?;
        let readers = Readers::open(path.clone(), options.readers, options.timeout);
        let readers = Arc::new(readers.map_err(failed)?);
        let writer = Writer::start(directory, connection, options.timeout);
        let writer =
            writer.map_err(|source| OpenError::Directory { path: path.clone(), source })?;
        Ok(Self { writer, readers })
    }

    /// Takes no further call, writes what is queued, and lets the directory go. Calls that come
    /// later answer [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if that takes more than 10 s; it still goes on.
    pub async fn close(&self) -> Result<(), StoreError> {
        let wait = self.begin_close();
        let ended = tokio::task::spawn_blocking(move || wait(CLOSE_TIMEOUT)).await;
        if ended.unwrap_or(false) {
            return Ok(());
        }
        Err(StoreError::Unavailable(format!("still writing after {CLOSE_TIMEOUT:?}")))
    }

    fn begin_close(&self) -> impl FnOnce(Duration) -> bool + Send + 'static {
        self.readers.close();
        self.writer.close();
        self.writer.wait_ended()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if !self.begin_close()(CLOSE_TIMEOUT) {
            tracing::error!("store dropped while it was still writing");
        }
    }
}

/// Answers a query for one row that may be missing.
fn optional<T>(
    connection: &Connection,
    query: &str,
    parameters: impl rusqlite::Params,
    row: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    use rusqlite::OptionalExtension;
    connection.prepare_cached(query)?.query_row(parameters, row).optional()
}

/// Runs a statement that writes, and says how many rows it changed.
fn execute(
    connection: &Connection,
    statement: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<usize> {
    connection.prepare_cached(statement)?.execute(parameters)
}
