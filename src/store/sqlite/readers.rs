//! The readers: a few connections that only read, on tokio's threads for blocking work.

use super::{connection, error::store_error};
use greenroom_actors::port::{BoxFuture, StoreError};
use rusqlite::Connection;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Semaphore, task};

/// A fixed number of connections; a further read waits for one, up to a time limit.
#[derive(Debug)]
pub(super) struct Readers {
    database: PathBuf,
    timeout: Duration,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// A connection that has read once: SQLite opens the log beside the database at the first read.
fn ready(database: &Path) -> rusqlite::Result<Connection> {
    let connection = connection::reader(database)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

impl Readers {
    /// Opens the connections.
    pub(super) fn open(
        database: PathBuf,
        count: usize,
        timeout: Duration,
    ) -> rusqlite::Result<Self> {
        let count = count.max(1);
        let idle: rusqlite::Result<_> = (0..count).map(|_| ready(&database)).collect();
        let permits = Arc::new(Semaphore::new(count));
        Ok(Self { database, timeout, permits, idle: Mutex::new(idle?) })
    }

    /// Runs a query.
    pub(super) fn read<T, F>(self: &Arc<Self>, query: F) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        Box::pin(async move {
            tokio::time::timeout(self.timeout, self.run(query)).await.unwrap_or_else(|_| {
                Err(StoreError::Unavailable(format!("no answer of the disk in {:?}", self.timeout)))
            })
        })
    }

    async fn run<T, F>(self: &Arc<Self>, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let closed = || StoreError::Unavailable("it is closed".into());
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await.map_err(|_| closed())?;
        let readers = Arc::clone(self);
        let answer = task::spawn_blocking(move || {
            // Held until the query has ended, also where nobody waits for it any more.
            let _permit = permit;
            readers.query(query)
        });
        let answer = answer.await.map_err(|_| StoreError::Unavailable("a read crashed".into()))?;
        answer.map_err(|error| store_error(&error))
    }

    fn query<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connection::reader(&self.database)?,
        };
        let answer = query(&connection)?;
        // One that failed is closed instead: the next read opens another.
        self.idle().push(connection);
        Ok(answer)
    }

    /// Closes the connections; reads under way still end.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
