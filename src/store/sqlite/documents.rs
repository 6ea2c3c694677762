//! Documents.

use super::{SqliteStore, execute, optional, writer::Writes};
use bytes::Bytes;
use greenroom_actors::port::{BoxFuture, Document, Documents, Put, StoreError};
use rusqlite::{Connection, params};

fn version(connection: &Connection, kind: &str, key: &str) -> rusqlite::Result<u64> {
    let select = "SELECT version FROM documents WHERE kind = ?1 AND key = ?2";
    Ok(optional(connection, select, [kind, key], |row| row.get(0))?.unwrap_or(0))
}

/// Documents of a kind after a key.
pub(super) fn page(
    connection: &Connection,
    kind: &str,
    after: &str,
    limit: u32,
) -> rusqlite::Result<Vec<(String, Document)>> {
    let select = "SELECT key, version, bytes FROM documents WHERE kind = ?1 AND key > ?2
        ORDER BY key LIMIT ?3";
    let mut select = connection.prepare_cached(select)?;
    let rows = select.query_map(params![kind, after, limit], |row| {
        let bytes = Bytes::from(row.get::<_, Vec<u8>>(2)?);
        Ok((row.get(0)?, Document { version: row.get(1)?, bytes }))
    })?;
    rows.collect()
}

fn put(
    connection: &Connection,
    (kind, key): (&str, &str),
    if_version: u64,
    bytes: &[u8],
) -> rusqlite::Result<Put> {
    let statement = if if_version == 0 {
        "INSERT INTO documents (kind, key, version, bytes) VALUES (?1, ?2, ?3 + 1, ?4)
        ON CONFLICT DO NOTHING"
    } else {
        "UPDATE documents SET version = ?3 + 1, bytes = ?4
        WHERE kind = ?1 AND key = ?2 AND version = ?3"
    };
    if execute(connection, statement, params![kind, key, if_version, bytes])? == 1 {
        return Ok(Put::Written(if_version.saturating_add(1)));
    }
    version(connection, kind, key).map(Put::Conflict)
}

fn remove(
    connection: &Connection,
    (kind, key): (&str, &str),
    if_version: u64,
) -> rusqlite::Result<Put> {
    let delete = "DELETE FROM documents WHERE kind = ?1 AND key = ?2 AND version = ?3";
    if execute(connection, delete, params![kind, key, if_version])? == 1 {
        return Ok(Put::Written(0));
    }
    let version = version(connection, kind, key)?;
    // None to remove, as the caller thought.
    Ok(if version == if_version { Put::Written(0) } else { Put::Conflict(version) })
}

impl Documents for SqliteStore {
    fn document(
        &self,
        kind: &'static str,
        key: &str,
    ) -> BoxFuture<'_, Result<Option<Document>, StoreError>> {
        let key = key.to_owned();
        self.readers.read(move |connection| {
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
        self.readers.read(move |connection| page(connection, kind, &after, limit))
    }

    fn put_document(
        &self,
        kind: &'static str,
        key: &str,
        if_version: u64,
        bytes: Bytes,
    ) -> BoxFuture<'_, Result<Put, StoreError>> {
        let key = key.to_owned();
        self.writer.write(bytes.len(), Writes::One, move |work| {
            put(work.connection, (kind, &key), if_version, &bytes)
        })
    }

    fn remove_document(
        &self,
        kind: &'static str,
        key: &str,
        if_version: u64,
    ) -> BoxFuture<'_, Result<Put, StoreError>> {
        let key = key.to_owned();
        self.writer
            .write(0, Writes::One, move |work| remove(work.connection, (kind, &key), if_version))
    }
}
