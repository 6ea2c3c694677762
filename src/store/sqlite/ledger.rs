//! Ledgers of credits.

use super::{SqliteStore, execute, optional, writer::Writes};
use bytes::Bytes;
use greenroom_actors::port::{
    BoxFuture, Ledger, LedgerChange, LedgerHead, LedgerRow, Posted, StoreError,
};
use greenroom_protocol::id::UserId;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

/// What a row takes besides its contents, about.
const ROW_BYTES: usize = 128;

fn append(
    connection: &Connection,
    user: [u8; 16],
    if_version: u64,
    change: &LedgerChange,
) -> rusqlite::Result<Posted> {
    let LedgerChange { rows, head, due_at_ms } = change;
    let select = "SELECT version, due_at_ms FROM ledgers WHERE user = ?1";
    let found: Option<(u64, Option<u64>)> =
        optional(connection, select, [user], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let version = found.map_or(0, |(version, _)| version);
    if version != if_version {
        return Ok(Posted::Conflict(version));
    }
    // Names are looked up first, so that an append is refused before it has written anything.
    let named = "SELECT 1 FROM ledger_rows WHERE user = ?1 AND id = ?2";
    for row in rows {
        if optional(connection, named, params![user, row.id], |_| Ok(()))?.is_some() {
            return Ok(Posted::Duplicate);
        }
    }
    let insert = "INSERT INTO ledger_rows (user, seq, id, bytes) VALUES (?1, ?2, ?3, ?4)";
    for row in rows {
        execute(connection, insert, params![user, row.seq, row.id, &row.bytes[..]])?;
    }
    let next = version.saturating_add(1);
    match found {
        // What is not named is not indexed anew.
        Some((_, due)) if due == *due_at_ms => {
            let update = "UPDATE ledgers SET version = ?2, head = ?3 WHERE user = ?1";
            execute(connection, update, params![user, next, &head[..]])?;
        }
        Some(_) => {
            let update =
                "UPDATE ledgers SET version = ?2, head = ?3, due_at_ms = ?4 WHERE user = ?1";
            execute(connection, update, params![user, next, &head[..], due_at_ms])?;
        }
        None => {
            let insert =
                "INSERT INTO ledgers (user, version, head, due_at_ms) VALUES (?1, ?2, ?3, ?4)";
            execute(connection, insert, params![user, next, &head[..], due_at_ms])?;
        }
    }
    Ok(Posted::Written)
}

fn ledger_row(row: &Row<'_>) -> rusqlite::Result<LedgerRow> {
    let bytes = Bytes::from(row.get::<_, Vec<u8>>(2)?);
    Ok(LedgerRow { seq: row.get(0)?, id: row.get(1)?, bytes })
}

impl Ledger for SqliteStore {
    fn ledger_head(&self, user: UserId) -> BoxFuture<'_, Result<Option<LedgerHead>, StoreError>> {
        self.readers.read(move |connection| {
            let select = "SELECT version, head FROM ledgers WHERE user = ?1";
            optional(connection, select, [user.uuid().into_bytes()], |row| {
                let bytes = Bytes::from(row.get::<_, Vec<u8>>(1)?);
                Ok(LedgerHead { version: row.get(0)?, bytes })
            })
        })
    }

    fn append_ledger(
        &self,
        user: UserId,
        if_version: u64,
        change: LedgerChange,
    ) -> BoxFuture<'_, Result<Posted, StoreError>> {
        let user = user.uuid().into_bytes();
        let rows: usize = change.rows.iter().map(|row| row.bytes.len() + ROW_BYTES).sum();
        self.writer.write(rows + change.head.len(), Writes::Several, move |work| {
            append(work.connection, user, if_version, &change)
        })
    }

    fn ledger_row(
        &self,
        user: UserId,
        id: &str,
    ) -> BoxFuture<'_, Result<Option<LedgerRow>, StoreError>> {
        let id = id.to_owned();
        self.readers.read(move |connection| {
            let select = "SELECT seq, id, bytes FROM ledger_rows WHERE user = ?1 AND id = ?2";
            optional(connection, select, params![user.uuid().into_bytes(), id], ledger_row)
        })
    }

    fn ledger_rows(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<LedgerRow>, StoreError>> {
        self.readers.read(move |connection| {
            // SQLite's numbers end where those of `i64` do.
            let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
            let select = "SELECT seq, id, bytes FROM ledger_rows
                WHERE user = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3";
            let mut select = connection.prepare_cached(select)?;
            let rows =
                select.query_map(params![user.uuid().into_bytes(), before, limit], ledger_row)?;
            rows.collect()
        })
    }

    fn ledgers_due(
        &self,
        at_ms: u64,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<UserId>, StoreError>> {
        self.readers.read(move |connection| {
            let select = "SELECT user FROM ledgers WHERE due_at_ms <= ?1
                ORDER BY due_at_ms, user LIMIT ?2";
            let mut select = connection.prepare_cached(select)?;
            let users = select.query_map(params![at_ms, limit], |row| {
                row.get(0).map(|user| UserId::new(Uuid::from_bytes(user)))
            })?;
            users.collect()
        })
    }
}
