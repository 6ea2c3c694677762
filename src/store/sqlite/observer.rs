//! Documents of a store that another process may hold: for commands beside a running server.

use super::{
    connection, directory::DATABASE_FILE, documents, error::OpenError, optional, readers::Readers,
};
use bytes::Bytes;
use greenroom_actors::port::{BoxFuture, Document, Documents, Put, StoreError};
use std::{path::Path, sync::Arc, time::Duration};

/// Longest wait for one document.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A store's documents, to read.
#[derive(Debug)]
pub struct Observer(Arc<Readers>);

impl Observer {
    /// Opens a data directory's documents without taking the directory. Blocks.
    ///
    /// # Errors
    /// [`OpenError`] where there is no store.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(DATABASE_FILE);
        let failed = |source| OpenError::Database { path: path.clone(), source };
        // Fails where the file does not exist; the readers would, too, but only when asked.
        drop(connection::observer(&path).map_err(failed)?);
        Ok(Self(Arc::new(Readers::open(path.clone(), 1, TIMEOUT).map_err(failed)?)))
    }
}

fn read_only<'a>() -> BoxFuture<'a, Result<Put, StoreError>> {
    let message = "this store is only read here".to_owned();
    Box::pin(std::future::ready(Err(StoreError::Unavailable(message))))
}

impl Documents for Observer {
    fn document(
        &self,
        kind: &'static str,
        key: &str,
    ) -> BoxFuture<'_, Result<Option<Document>, StoreError>> {
        let key = key.to_owned();
        self.0.read(move |connection| {
            let select = "SELECT version, bytes FROM documents WHERE kind = ?1 AND key = ?2";
            optional(connection, select, [kind, &key], |row| {
                let bytes = Bytes::from(row.get::<_, Vec<u8>>(1)?);
                Ok(Document { version: row.get(0)?, bytes })
            })
        })
    }

    fn documents_of(
        &self,
        kind: &'static str,
        after: &str,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(String, Document)>, StoreError>> {
        let after = after.to_owned();
        self.0.read(move |connection| documents::page(connection, kind, &after, limit))
    }

    fn put_document(
        &self,
        _: &'static str,
        _: &str,
        _: u64,
        _: Bytes,
    ) -> BoxFuture<'_, Result<Put, StoreError>> {
        read_only()
    }

    fn remove_document(
        &self,
        _: &'static str,
        _: &str,
        _: u64,
    ) -> BoxFuture<'_, Result<Put, StoreError>> {
        read_only()
    }
}
