//! The journal: one lane.

use super::{
    SqliteStore, execute, optional,
    writer::{Work, Writes},
};
use bytes::Bytes;
use greenroom_actors::port::{
    Appended, BoxFuture, Incarnation, Journal, Position, Record, StoreError,
};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// The only lane: one file takes one writer.
const LANE: u16 = 0;

/// Bits of a row's id that hold the offset: a million million records an incarnation, and eight
/// million incarnations.
const OFFSET_BITS: u32 = 40;

/// Greatest offset that a row's id can hold.
const OFFSET_MAX: u64 = (1 << OFFSET_BITS) - 1;

/// What the writer knows of an incarnation without asking the database.
#[derive(Clone, Copy, Debug)]
struct Life {
    next: u64,
    sealed: bool,
}

/// The incarnations that were used since the last failure.
#[derive(Debug, Default)]
pub(super) struct Lives(BTreeMap<Incarnation, Life>);

impl Lives {
    /// Forgets all: what was learnt in a transaction may have been rolled back with it.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// An incarnation; none: there never was such a one.
    fn get(
        &mut self,
        connection: &Connection,
        incarnation: Incarnation,
    ) -> rusqlite::Result<Option<&mut Life>> {
        if !self.0.contains_key(&incarnation)
            && let Some(life) = load(connection, incarnation)?
        {
            self.0.insert(incarnation, life);
        }
        Ok(self.0.get_mut(&incarnation))
    }
}

fn load(connection: &Connection, incarnation: Incarnation) -> rusqlite::Result<Option<Life>> {
    let select = "SELECT sealed, dropped, (SELECT max(id) FROM records WHERE id BETWEEN ?2 AND ?3)
        FROM incarnations WHERE id = ?1";
    let (first, last) = (row_id(incarnation, 0)?, row_id(incarnation, OFFSET_MAX)?);
    optional(connection, select, params![incarnation.0, first, last], |row| {
        let dropped: u64 = row.get(1)?;
        let next = row.get::<_, Option<i64>>(2)?.map_or(0, |last| offset(last) + 1);
        Ok(Life { next: next.max(dropped), sealed: row.get(0)? })
    })
}

/// The id of a record's row.
fn row_id(incarnation: Incarnation, offset: u64) -> rusqlite::Result<i64> {
    let id = incarnation.0.checked_mul(OFFSET_MAX + 1).filter(|_| offset <= OFFSET_MAX);
    id.and_then(|first| i64::try_from(first | offset).ok()).ok_or_else(|| {
        let what = format!("incarnation {incarnation} has no room for offset {offset}");
        rusqlite::Error::ToSqlConversionFailure(what.into())
    })
}

/// The offset in a row's id.
fn offset(row_id: i64) -> u64 {
    row_id.cast_unsigned() & OFFSET_MAX
}

fn append(work: &mut Work<'_>, at: Position, record: &[u8]) -> rusqlite::Result<Appended> {
    let Some(life) = work.lives.get(work.connection, at.incarnation)? else {
        return Ok(Appended::Fenced);
    };
    if at.lane != LANE || at.offset > life.next {
        return Ok(Appended::Fenced);
    }
    let id = row_id(at.incarnation, at.offset)?;
    if at.offset < life.next {
        // A repeat, if the bytes are the same: the answer to the first was lost.
        let select = "SELECT bytes = ?2 FROM records WHERE id = ?1";
        let same = optional(work.connection, select, params![id, record], |row| row.get(0))?;
        return Ok(if same == Some(true) { Appended::Durable } else { Appended::Fenced });
    }
    if life.sealed {
        return Ok(Appended::Fenced);
    }
    execute(
        work.connection,
        "INSERT INTO records (id, bytes) VALUES (?1, ?2)",
        params![id, record],
    )?;
    life.next += 1;
    Ok(Appended::Durable)
}

fn open(work: &mut Work<'_>) -> rusqlite::Result<Incarnation> {
    execute(work.connection, "UPDATE incarnations SET sealed = 1 WHERE sealed = 0", [])?;
    work.lives.clear();
    execute(work.connection, "INSERT INTO incarnations DEFAULT VALUES", [])?;
    Ok(Incarnation(work.connection.last_insert_rowid().cast_unsigned()))
}

fn seal(work: &mut Work<'_>, incarnation: Incarnation) -> rusqlite::Result<()> {
    let update = "UPDATE incarnations SET sealed = 1 WHERE id = ?1";
    execute(work.connection, update, [incarnation.0])?;
    if let Some(life) = work.lives.get(work.connection, incarnation)? {
        life.sealed = true;
    }
    Ok(())
}

fn drop_before(work: &mut Work<'_>, incarnation: Incarnation, offset: u64) -> rusqlite::Result<()> {
    let Some(life) = work.lives.get(work.connection, incarnation)? else {
        return Ok(());
    };
    let offset = offset.min(life.next);
    // Where the next record goes is known from here once no record is left.
    let update = "UPDATE incarnations SET dropped = max(dropped, ?2) WHERE id = ?1";
    execute(work.connection, update, [incarnation.0, offset])?;
    delete(work.connection, incarnation, offset)
}

fn recovered(work: &mut Work<'_>, incarnation: Incarnation) -> rusqlite::Result<()> {
    // One that is not sealed may still grow: its records must stay.
    let update = "UPDATE incarnations SET recovered = 1, dropped = ?2 WHERE id = ?1 AND sealed = 1";
    let Some(life) = work.lives.get(work.connection, incarnation)? else {
        return Ok(());
    };
    if execute(work.connection, update, [incarnation.0, life.next])? == 0 {
        return Ok(());
    }
    delete(work.connection, incarnation, life.next)
}

/// Deletes the records before an offset.
fn delete(connection: &Connection, incarnation: Incarnation, before: u64) -> rusqlite::Result<()> {
    let Some(last) = before.checked_sub(1) else {
        return Ok(());
    };
    let ids = [row_id(incarnation, 0)?, row_id(incarnation, last)?];
    execute(connection, "DELETE FROM records WHERE id BETWEEN ?1 AND ?2", ids)?;
    Ok(())
}

fn read(
    connection: &Connection,
    incarnation: Incarnation,
    from: u64,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    if from > OFFSET_MAX {
        return Ok(Vec::new());
    }
    let (first, last) = (row_id(incarnation, from)?, row_id(incarnation, OFFSET_MAX)?);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let select = "SELECT id, bytes FROM records WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3";
    let mut select = connection.prepare_cached(select)?;
    let rows = select.query_map([first, last, limit], |row| {
        Ok(Record { offset: offset(row.get(0)?), bytes: Bytes::from(row.get::<_, Vec<u8>>(1)?) })
    })?;
    rows.collect()
}

impl Journal for SqliteStore {
    fn lanes(&self) -> u16 {
        1
    }

    fn open(&self) -> BoxFuture<'_, Result<Incarnation, StoreError>> {
        self.writer.write(0, Writes::Several, open)
    }

    fn append(&self, at: Position, record: Bytes) -> BoxFuture<'_, Result<Appended, StoreError>> {
        self.writer.write(record.len(), Writes::One, move |work| append(work, at, &record))
    }

    fn seal(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), StoreError>> {
        self.writer.write(0, Writes::One, move |work| seal(work, incarnation))
    }

    fn read(
        &self,
        incarnation: Incarnation,
        lane: u16,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Record>, StoreError>> {
        if lane != LANE {
            return Box::pin(async { Ok(Vec::new()) });
        }
        self.readers.read(move |connection| read(connection, incarnation, from, limit))
    }

    fn drop_before(
        &self,
        incarnation: Incarnation,
        lane: u16,
        offset: u64,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        if lane != LANE {
            return Box::pin(async { Ok(()) });
        }
        self.writer
            .write_behind(0, Writes::Several, move |work| drop_before(work, incarnation, offset))
    }

    fn unrecovered(&self) -> BoxFuture<'_, Result<Vec<Incarnation>, StoreError>> {
        self.readers.read(|connection| {
            let select =
                "SELECT id FROM incarnations WHERE sealed = 1 AND recovered = 0 ORDER BY id";
            let mut select = connection.prepare_cached(select)?;
            let rows = select.query_map([], |row| row.get(0).map(Incarnation))?;
            rows.collect()
        })
    }

    fn recovered(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), StoreError>> {
        self.writer.write(0, Writes::Several, move |work| recovered(work, incarnation))
    }
}
