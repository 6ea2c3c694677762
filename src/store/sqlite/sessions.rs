//! Session rows.

use super::{super::status::status_name, SqliteStore, execute, optional, writer::Writes};
use greenroom_actors::port::{
    BoxFuture, Claim, Created, Incarnation, Oid, Origin, Page, Projection, SessionRow, Sessions,
    StoreError,
};
use greenroom_protocol::{
    frame::Status,
    id::{CommandId, Epoch, Seq, SessionId, UserId},
};
use rusqlite::{Connection, Row, params, types::Type};
use uuid::Uuid;

/// Columns in the order of [`session_row`].
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT session, user, cid, title, created_at_ms, epoch, owner, seq, status, head,
            parent, parent_seq, project, base, turns FROM sessions ",
            $rest
        )
    };
}

fn session_row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let id = |column| row.get::<_, [u8; 16]>(column).map(Uuid::from_bytes);
    let projection =
        Projection { seq: Seq(row.get(7)?), status: status(row, 8)?, commit: row.get(9)? };
    Ok(SessionRow {
        session: SessionId::new(id(0)?),
        user: UserId::new(id(1)?),
        cid: CommandId::new(id(2)?),
        title: row.get(3)?,
        created_at_ms: row.get(4)?,
        epoch: Epoch(row.get(5)?),
        owner: row.get::<_, Option<u64>>(6)?.map(Incarnation),
        origin: origin(row)?,
        projection,
    })
}

fn origin(row: &Row<'_>) -> rusqlite::Result<Option<Origin>> {
    let session = |id| SessionId::new(Uuid::from_bytes(id));
    let Some(parent) = row.get::<_, Option<[u8; 16]>>(10)?.map(session) else { return Ok(None) };
    Ok(Some(Origin {
        parent,
        at: Seq(row.get(11)?),
        project: session(row.get(12)?),
        commit: row.get(13)?,
        turns: Oid(row.get(14)?),
    }))
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<Status> {
    let name: String = row.get(column)?;
    super::super::status::status(&name).ok_or_else(|| {
        let what = format!("{name} is no status of a session");
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
    })
}

fn find(connection: &Connection, session: SessionId) -> rusqlite::Result<Option<SessionRow>> {
    let select = select!("WHERE session = ?1");
    optional(connection, select, [session.uuid().into_bytes()], session_row)
}

fn create(connection: &Connection, row: &SessionRow) -> rusqlite::Result<Created> {
    let insert = "INSERT INTO sessions
        (session, user, cid, title, created_at_ms, epoch, owner, seq, status, head,
        parent, parent_seq, project, base, turns)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
        ON CONFLICT DO NOTHING";
    let origin = row.origin.as_ref();
    let inserted = execute(
        connection,
        insert,
        params![
            row.session.uuid().into_bytes(),
            row.user.uuid().into_bytes(),
            row.cid.uuid().into_bytes(),
            row.title,
            row.created_at_ms,
            row.epoch.0,
            row.owner.map(|owner| owner.0),
            row.projection.seq.0,
            status_name(row.projection.status),
            row.projection.commit,
            origin.map(|origin| origin.parent.uuid().into_bytes()),
            origin.map(|origin| origin.at.0),
            origin.map(|origin| origin.project.uuid().into_bytes()),
            origin.map(|origin| origin.commit.as_deref()),
            origin.map(|origin| origin.turns.0),
        ],
    )?;
    if inserted == 1 {
        return Ok(Created::Created);
    }
    let existing = find(connection, row.session)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(Created::Exists(Box::new(existing)))
}

fn page(
    connection: &Connection,
    user: UserId,
    after: Option<(u64, SessionId)>,
    limit: u32,
) -> rusqlite::Result<Page> {
    let select = select!(
        "WHERE user = ?1 AND (created_at_ms, session) < (?2, ?3)
        ORDER BY created_at_ms DESC, session DESC LIMIT ?4"
    );
    let newest = (i64::MAX.cast_unsigned(), SessionId::new(Uuid::max()));
    let (before_ms, before) = after.unwrap_or(newest);
    let mut select = connection.prepare_cached(select)?;
    let user = user.uuid().into_bytes();
    let before = before.uuid().into_bytes();
    // One more than asked for tells whether there are more.
    let parameters = params![user, before_ms, before, u64::from(limit) + 1];
    let rows = select.query_map(parameters, session_row)?;
    let mut rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Page { rows, more })
}

fn claim(
    connection: &Connection,
    session: SessionId,
    from: Option<Incarnation>,
    to: Incarnation,
) -> rusqlite::Result<Claim> {
    // Already the claimant's: the answer to an earlier claim was lost.
    let update = "UPDATE sessions SET owner = ?3
        WHERE session = ?1 AND (owner IS ?2 OR owner = ?3)";
    let session = session.uuid().into_bytes();
    let from = from.map(|from| from.0);
    if execute(connection, update, params![session, from, to.0])? == 1 {
        return Ok(Claim::Claimed);
    }
    let select = "SELECT owner FROM sessions WHERE session = ?1";
    let owner = optional(connection, select, [session], |row| row.get::<_, Option<u64>>(0))?;
    Ok(owner.map_or(Claim::NotFound, |owner| Claim::Taken(owner.map(Incarnation))))
}

fn owned_by(
    connection: &Connection,
    owner: Incarnation,
    after: Option<SessionId>,
    limit: u32,
) -> rusqlite::Result<Vec<SessionId>> {
    let select = "SELECT session FROM sessions WHERE owner = ?1 AND session > ?2
        ORDER BY session LIMIT ?3";
    let mut select = connection.prepare_cached(select)?;
    // Every id comes after the empty blob.
    let after = after.map_or_else(Vec::new, |after| after.uuid().as_bytes().to_vec());
    let rows = select.query_map(params![owner.0, after, limit], |row| {
        row.get(0).map(|id| SessionId::new(Uuid::from_bytes(id)))
    })?;
    rows.collect()
}

impl Sessions for SqliteStore {
    fn create_session(&self, row: SessionRow) -> BoxFuture<'_, Result<Created, StoreError>> {
        self.writer.write(row.title.len(), Writes::One, move |work| create(work.connection, &row))
    }

    fn session(&self, session: SessionId) -> BoxFuture<'_, Result<Option<SessionRow>, StoreError>> {
        self.readers.read(move |connection| find(connection, session))
    }

    fn sessions_of(
        &self,
        user: UserId,
        after: Option<(u64, SessionId)>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.readers.read(move |connection| page(connection, user, after, limit))
    }

    fn claim(
        &self,
        session: SessionId,
        from: Option<Incarnation>,
        to: Incarnation,
    ) -> BoxFuture<'_, Result<Claim, StoreError>> {
        self.writer.write(0, Writes::One, move |work| claim(work.connection, session, from, to))
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.writer.write(0, Writes::One, move |work| {
            let update = "UPDATE sessions SET owner = NULL WHERE session = ?1 AND owner = ?2";
            execute(work.connection, update, params![session.uuid().into_bytes(), owner.0])?;
            Ok(())
        })
    }

    fn project(
        &self,
        session: SessionId,
        projection: Projection,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.writer.write_behind(0, Writes::One, move |work| {
            let update = "UPDATE sessions SET seq = ?2, status = ?3, head = ?4
                WHERE session = ?1 AND seq <= ?2";
            let Projection { seq, status, commit } = &projection;
            let session = session.uuid().into_bytes();
            let row = params![session, seq.0, status_name(*status), commit];
            execute(work.connection, update, row)?;
            Ok(())
        })
    }

    fn owned_by(
        &self,
        owner: Incarnation,
        after: Option<SessionId>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>> {
        self.readers.read(move |connection| owned_by(connection, owner, after, limit))
    }
}
