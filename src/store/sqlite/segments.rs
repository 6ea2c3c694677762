//! Segments and snapshots.

use super::{SqliteStore, execute, optional, writer::Writes};
use bytes::Bytes;
use greenroom_actors::port::{BoxFuture, Segment, Segments, Snapshot, StoreError};
use greenroom_protocol::id::{Seq, SessionId};
use rusqlite::{Connection, Row, params};

fn put_segment(
    connection: &Connection,
    session: SessionId,
    segment: &Segment,
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO segments (session, first, last, bytes) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO NOTHING";
    let session = session.uuid().into_bytes();
    execute(
        connection,
        insert,
        params![session, segment.first.0, segment.last.0, &segment.bytes[..]],
    )?;
    Ok(())
}

fn put_snapshot(
    connection: &Connection,
    session: SessionId,
    snapshot: &Snapshot,
) -> rusqlite::Result<()> {
    let upsert = "INSERT INTO snapshots (session, seq, bytes) VALUES (?1, ?2, ?3)
        ON CONFLICT (session) DO UPDATE SET seq = excluded.seq, bytes = excluded.bytes
        WHERE excluded.seq > seq";
    let session = session.uuid().into_bytes();
    execute(connection, upsert, params![session, snapshot.seq.0, &snapshot.bytes[..]])?;
    Ok(())
}

/// Walks the index of the session from its beginning, about 0.2 us a segment. An index by `last`
/// would be quicker and wrong: where segments overlap, one that begins late may end early.
fn segments(
    connection: &Connection,
    session: SessionId,
    from: Seq,
    bytes_max: usize,
) -> rusqlite::Result<Vec<Segment>> {
    let select = "SELECT first, last, bytes FROM segments
        WHERE session = ?1 AND last >= ?2 ORDER BY first, last";
    let mut select = connection.prepare_cached(select)?;
    let mut rows = select.query(params![session.uuid().into_bytes(), from.0])?;
    let mut found = Vec::new();
    let mut bytes = 0_usize;
    while let Some(row) = rows.next()? {
        let segment = segment(row)?;
        bytes = bytes.saturating_add(segment.bytes.len());
        if !found.is_empty() && bytes > bytes_max {
            break;
        }
        found.push(segment);
    }
    Ok(found)
}

fn segment(row: &Row<'_>) -> rusqlite::Result<Segment> {
    let bytes = Bytes::from(row.get::<_, Vec<u8>>(2)?);
    Ok(Segment { first: Seq(row.get(0)?), last: Seq(row.get(1)?), bytes })
}

fn snapshot(row: &Row<'_>) -> rusqlite::Result<Snapshot> {
    Ok(Snapshot { seq: Seq(row.get(0)?), bytes: Bytes::from(row.get::<_, Vec<u8>>(1)?) })
}

impl Segments for SqliteStore {
    fn put_segment(
        &self,
        session: SessionId,
        segment: Option<Segment>,
        snapshot: Option<Snapshot>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        let both = segment.is_some() && snapshot.is_some();
        let writes = if both { Writes::Several } else { Writes::One };
        let bytes = segment.as_ref().map_or(0, |segment| segment.bytes.len())
            + snapshot.as_ref().map_or(0, |snapshot| snapshot.bytes.len());
        self.writer.write_behind(bytes, writes, move |work| {
            if let Some(segment) = &segment {
                put_segment(work.connection, session, segment)?;
            }
            if let Some(snapshot) = &snapshot {
                put_snapshot(work.connection, session, snapshot)?;
            }
            Ok(())
        })
    }

    fn segments(
        &self,
        session: SessionId,
        from: Seq,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<Segment>, StoreError>> {
        self.readers.read(move |connection| segments(connection, session, from, bytes_max))
    }

    fn segment_head(&self, session: SessionId) -> BoxFuture<'_, Result<Seq, StoreError>> {
        self.readers.read(move |connection| {
            let select = "SELECT max(last) FROM segments WHERE session = ?1";
            let session = session.uuid().into_bytes();
            let mut select = connection.prepare_cached(select)?;
            let last: Option<u64> = select.query_row([session], |row| row.get(0))?;
            Ok(last.map_or(Seq::START, Seq))
        })
    }

    fn snapshot(&self, session: SessionId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        self.readers.read(move |connection| {
            let select = "SELECT seq, bytes FROM snapshots WHERE session = ?1";
            optional(connection, select, [session.uuid().into_bytes()], snapshot)
        })
    }
}
