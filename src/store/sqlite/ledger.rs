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

/// Rows of a user that are not in the index yet, at most. More: fewer writes to the index, which
/// has a page for each user, and a longer head.
const RECENT_MAX: usize = 64;

fn append(
    connection: &Connection,
    user: [u8; 16],
    if_version: u64,
    change: &LedgerChange,
) -> rusqlite::Result<Posted> {
    let LedgerChange { rows, head, due_at_ms } = change;
    let select = "SELECT version, due_at_ms, recent FROM ledgers WHERE user = ?1";
    let found: Option<(u64, Option<u64>, Vec<u8>)> =
        optional(connection, select, [user], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (version, due, mut recent) = found.unwrap_or_default();
    if version != if_version {
        return Ok(Posted::Conflict(version));
    }
    // Names are looked up first, so that an append is refused before it has written anything.
    let named = "SELECT 1 FROM ledger_rows WHERE id = ?1 AND user = ?2";
    for row in rows {
        if optional(connection, named, params![row.id, user], |_| Ok(()))?.is_some() {
            return Ok(Posted::Duplicate);
        }
    }
    let insert = "INSERT INTO ledger_rows (user, seq, id, bytes) VALUES (?1, ?2, ?3, ?4)";
    for row in rows {
        execute(connection, insert, params![user, row.seq, row.id, &row.bytes[..]])?;
        recent.extend(connection.last_insert_rowid().to_be_bytes());
    }
    if recent.len() > RECENT_MAX * size_of::<i64>() {
        index(connection, user, &recent)?;
        recent.clear();
    }
    let (next, head) = (version.saturating_add(1), &head[..]);
    if version == 0 {
        let insert = "INSERT INTO ledgers (user, version, recent, head) VALUES (?1, ?2, ?3, ?4)";
        execute(connection, insert, params![user, next, recent, head])?;
    } else {
        let update = "UPDATE ledgers SET version = ?2, recent = ?3, head = ?4 WHERE user = ?1";
        execute(connection, update, params![user, next, recent, head])?;
    }
    // What is not named is not indexed anew.
    if due != *due_at_ms {
        let update = "UPDATE ledgers SET due_at_ms = ?2 WHERE user = ?1";
        execute(connection, update, params![user, due_at_ms])?;
    }
    Ok(Posted::Written)
}

/// Makes rows be found by their user.
fn index(connection: &Connection, user: [u8; 16], recent: &[u8]) -> rusqlite::Result<()> {
    let insert = "INSERT INTO ledger_index (user, seq, n) SELECT ?1, seq, n FROM ledger_rows
        WHERE n = ?2";
    for n in numbers(recent) {
        execute(connection, insert, params![user, n])?;
    }
    Ok(())
}

/// The rows that `ledgers.recent` names, oldest first.
fn numbers(recent: &[u8]) -> impl DoubleEndedIterator<Item = i64> {
    recent.as_chunks().0.iter().map(|number| i64::from_be_bytes(*number))
}

fn ledger_row(row: &Row<'_>) -> rusqlite::Result<LedgerRow> {
    let bytes = Bytes::from(row.get::<_, Vec<u8>>(2)?);
    Ok(LedgerRow { seq: row.get(0)?, id: row.get(1)?, bytes })
}

/// Rows below `before`, newest first: those that are not in the index yet, then those that are.
fn rows_before(
    connection: &Connection,
    user: [u8; 16],
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<LedgerRow>> {
    // Both are read as of one moment: an append may move rows from one to the other.
    let moment = connection.unchecked_transaction()?;
    let select = "SELECT recent FROM ledgers WHERE user = ?1";
    let recent: Vec<u8> = optional(&moment, select, [user], |row| row.get(0))?.unwrap_or_default();
    let (mut rows, select) = (
        Vec::new(),
        "SELECT seq, id, bytes FROM ledger_rows
        WHERE n = ?1 AND seq < ?2",
    );
    for n in numbers(&recent).rev() {
        if rows.len() < limit {
            rows.extend(optional(&moment, select, [n, before], ledger_row)?);
        }
    }
    let select = "SELECT seq, id, bytes FROM ledger_rows JOIN
        (SELECT n AS place FROM ledger_index WHERE user = ?1 AND seq < ?2
            ORDER BY seq DESC LIMIT ?3) ON n = place ORDER BY seq DESC";
    let rest = limit - rows.len();
    let mut select = moment.prepare_cached(select)?;
    for row in select.query_map(params![user, before, rest], ledger_row)? {
        rows.push(row?);
    }
    Ok(rows)
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
            let select = "SELECT seq, id, bytes FROM ledger_rows WHERE id = ?1 AND user = ?2";
            optional(connection, select, params![id, user.uuid().into_bytes()], ledger_row)
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
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            rows_before(connection, user.uuid().into_bytes(), before, limit)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema::MIGRATIONS;

    const USER: [u8; 16] = [7; 16];

    fn seqs(rows: &[LedgerRow]) -> Vec<u64> {
        rows.iter().map(|row| row.seq).collect()
    }

    #[test]
    fn a_ledger_of_an_earlier_version_is_kept_and_goes_on() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&MIGRATIONS[..3].concat()).unwrap();
        let insert = "INSERT INTO ledgers VALUES (?1, 2, 50, x'01')";
        connection.execute(insert, [USER]).unwrap();
        for (seq, id) in [(1, "b"), (2, "a")] {
            let insert = "INSERT INTO ledger_rows VALUES (?1, ?2, ?3, x'02')";
            connection.execute(insert, params![USER, seq, id]).unwrap();
        }
        connection.execute_batch(MIGRATIONS[3]).unwrap();

        let post = |id: &str, seq| {
            let row = LedgerRow { seq, id: id.to_owned(), bytes: Bytes::new() };
            let change = LedgerChange { rows: vec![row], head: Bytes::new(), due_at_ms: Some(50) };
            append(&connection, USER, 2, &change).unwrap()
        };
        assert_eq!(post("a", 3), Posted::Duplicate);
        assert_eq!(post("c", 3), Posted::Written);
        assert_eq!(seqs(&rows_before(&connection, USER, 9, 9).unwrap()), [3, 2, 1]);
        assert_eq!(seqs(&rows_before(&connection, USER, 3, 1).unwrap()), [2]);
        assert_eq!(seqs(&rows_before(&connection, USER, 9, 2).unwrap()), [3, 2]);
    }
}
