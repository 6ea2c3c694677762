//! Session rows.
//!
//! Rows are written by LWT alone. What lists show is apart from them, and so are the indexes, which
//! are written first: an index may name a session that is another's, and lacks none.

use super::{
    super::status::{status, status_name},
    ATTEMPTS_MAX, CqlStore,
    error::corrupt,
    number,
    query::{Outcome, pause},
    unsigned,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use greenroom_actors::port::{
    BoxFuture, Claim, Created, Incarnation, Oid, Origin, Page, Projection, SessionRow, Sessions,
    StoreError,
};
use greenroom_protocol::id::{CommandId, Epoch, Seq, SessionId, UserId};
use scylla::{DeserializeRow, SerializeRow, statement::prepared::PreparedStatement};
use uuid::Uuid;

/// Owner of a session that nobody owns: incarnations begin with 1. A null would let a condition
/// hold where there is no session.
const NOBODY: i64 = 0;

/// Sessions of a page that are read at once.
const READS: usize = 16;

/// A session's row as the table has it.
#[derive(Debug, DeserializeRow)]
struct Row {
    user: Uuid,
    cid: Uuid,
    title: String,
    created_at_ms: i64,
    epoch: i64,
    owner: i64,
    parent: Option<Uuid>,
    parent_seq: Option<i64>,
    project: Option<Uuid>,
    base: Option<String>,
    turns: Option<Vec<u8>>,
}

/// The same, to be written.
#[derive(Debug, SerializeRow)]
struct NewRow<'a> {
    session: Uuid,
    user: Uuid,
    cid: Uuid,
    title: &'a str,
    created_at_ms: i64,
    epoch: i64,
    owner: i64,
    parent: Option<Uuid>,
    parent_seq: Option<i64>,
    project: Option<Uuid>,
    base: Option<&'a str>,
    turns: Option<&'a [u8]>,
}

impl<'a> NewRow<'a> {
    fn of(row: &'a SessionRow) -> Self {
        let origin = row.origin.as_ref();
        Self {
            session: row.session.uuid(),
            user: row.user.uuid(),
            cid: row.cid.uuid(),
            title: &row.title,
            created_at_ms: number(row.created_at_ms),
            epoch: number(row.epoch.0),
            owner: row.owner.map_or(NOBODY, |owner| number(owner.0)),
            parent: origin.map(|origin| origin.parent.uuid()),
            parent_seq: origin.map(|origin| number(origin.at.0)),
            project: origin.map(|origin| origin.project.uuid()),
            base: origin.and_then(|origin| origin.commit.as_deref()),
            turns: origin.map(|origin| &origin.turns.0[..]),
        }
    }
}

fn owner(owner: i64) -> Option<Incarnation> {
    (owner != NOBODY).then(|| Incarnation(unsigned(owner)))
}

impl Row {
    fn origin(&self) -> Result<Option<Origin>, StoreError> {
        let Some(parent) = self.parent else { return Ok(None) };
        let origin = || {
            Some(Origin {
                parent: SessionId::new(parent),
                at: Seq(unsigned(self.parent_seq?)),
                project: SessionId::new(self.project?),
                commit: self.base.clone(),
                turns: Oid(self.turns.as_deref()?.try_into().ok()?),
            })
        };
        let damaged = || corrupt(format!("a fork of {parent} lacks what it began from"));
        origin().map(Some).ok_or_else(damaged)
    }

    fn with(self, session: SessionId, projection: Projection) -> Result<SessionRow, StoreError> {
        Ok(SessionRow {
            session,
            user: UserId::new(self.user),
            cid: CommandId::new(self.cid),
            origin: self.origin()?,
            title: self.title,
            created_at_ms: unsigned(self.created_at_ms),
            epoch: Epoch(unsigned(self.epoch)),
            owner: owner(self.owner),
            projection,
        })
    }
}

impl CqlStore {
    async fn projection(&self, session: SessionId) -> Result<Projection, StoreError> {
        let found: Option<(i64, String, String)> =
            self.one(&self.statements.projection, (session.uuid(),)).await?;
        let Some((seq, name, head)) = found else {
            return Err(corrupt(format!("session {session} has no projection")));
        };
        let status =
            status(&name).ok_or_else(|| corrupt(format!("{name} is no status of a session")))?;
        let commit = (!head.is_empty()).then_some(head);
        Ok(Projection { seq: Seq(unsigned(seq)), status, commit })
    }

    async fn put_projection(
        &self,
        session: SessionId,
        projection: &Projection,
    ) -> Result<(), StoreError> {
        let Projection { seq, status, commit } = projection;
        let seq = number(seq.0);
        let head = commit.as_deref().unwrap_or_default();
        let values = (session.uuid(), seq, status_name(*status), head, seq);
        self.write(&self.statements.projection_put, values).await
    }

    async fn read_session(
        &self,
        select: &PreparedStatement,
        session: SessionId,
    ) -> Result<Option<SessionRow>, StoreError> {
        let row: Option<Row> = self.one(select, (session.uuid(),)).await?;
        match row {
            Some(row) => row.with(session, self.projection(session).await?).map(Some),
            None => Ok(None),
        }
    }

    async fn create(&self, row: SessionRow) -> Result<Created, StoreError> {
        let _turn = self.turns.take(row.session).await;
        let new = NewRow::of(&row);
        let by_user = (new.user, new.created_at_ms, new.session);
        let by_owner = (new.owner, new.session);
        self.write(&self.statements.by_user_put, by_user).await?;
        if row.owner.is_some() {
            self.write(&self.statements.by_owner_put, by_owner).await?;
        }
        // At the log's beginning: whatever the owner of one that exists has written is newer.
        self.put_projection(row.session, &row.projection).await?;
        let mut reason = None;
        for attempt in 0..ATTEMPTS_MAX {
            match self.conditionally(&self.statements.session_create, &new).await? {
                Outcome::Applied => return Ok(Created::Created),
                Outcome::Unknown(why) => reason = Some(why),
                Outcome::Refused => {}
            }
            let found = self.read_session(&self.statements.session_settled, row.session).await?;
            let Some(found) = found else {
                pause(attempt).await;
                continue;
            };
            // Done by an attempt whose answer was lost: nobody else has this command and owner.
            if reason.is_some() && (found.cid, found.owner) == (row.cid, row.owner) {
                return Ok(Created::Created);
            }
            if (found.user, found.created_at_ms) != (row.user, row.created_at_ms) {
                self.write(&self.statements.by_user_remove, by_user).await?;
            }
            return Ok(Created::Exists(Box::new(found)));
        }
        Err(StoreError::Unavailable(reason.unwrap_or_else(|| "it is contended".to_owned())))
    }

    /// Keys of a user's list after one of them; at most `limit`.
    async fn listed(
        &self,
        user: UserId,
        after: Option<(i64, Uuid)>,
        limit: usize,
    ) -> Result<Vec<(i64, Uuid)>, StoreError> {
        let (user, limit) = (user.uuid(), i32::try_from(limit).unwrap_or(i32::MAX));
        match after {
            None => self.all(&self.statements.by_user, (user, limit)).await,
            Some((created_at_ms, session)) => {
                let values = (user, created_at_ms, session, limit);
                self.all(&self.statements.by_user_after, values).await
            }
        }
    }

    async fn page_of(
        &self,
        user: UserId,
        after: Option<(u64, SessionId)>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut rows = Vec::new();
        let mut after = after.map(|(at_ms, session)| (number(at_ms), session.uuid()));
        // One more than asked for tells whether there are more.
        while rows.len() <= limit {
            let keys = self.listed(user, after, limit + 1 - rows.len()).await?;
            after = keys.last().copied();
            if after.is_none() {
                break;
            }
            let reads = keys.into_iter().map(|(created_at_ms, session)| async move {
                let row =
                    self.read_session(&self.statements.session, SessionId::new(session)).await?;
                let is_listed = |row: &SessionRow| {
                    (row.user, number(row.created_at_ms)) == (user, created_at_ms)
                };
                Ok::<_, StoreError>(row.filter(is_listed))
            });
            let page: Vec<Option<_>> = stream::iter(reads).buffered(READS).try_collect().await?;
            rows.extend(page.into_iter().flatten());
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Page { rows, more })
    }

    async fn move_to(
        &self,
        session: SessionId,
        from: Option<Incarnation>,
        to: Incarnation,
    ) -> Result<Claim, StoreError> {
        let turn = self.turns.take(session).await;
        if turn.waited {
            let claim = self.claim_of(session, to).await?;
            if claim != Claim::Taken(from) {
                return Ok(claim);
            }
        }
        let (id, from) = (session.uuid(), from.map_or(NOBODY, |from| number(from.0)));
        let to_owner = number(to.0);
        self.write(&self.statements.by_owner_put, (to_owner, id)).await?;
        let claim = &self.statements.session_move;
        if self.repeatedly(claim, (to_owner, id, from)).await? {
            return Ok(Claim::Claimed);
        }
        self.claim_of(session, to).await
    }

    /// What a claim that was not carried out is answered.
    async fn claim_of(&self, session: SessionId, to: Incarnation) -> Result<Claim, StoreError> {
        let found: Option<(i64,)> =
            self.one(&self.statements.session_owner, (session.uuid(),)).await?;
        Ok(match found.map(|(found,)| owner(found)) {
            None => Claim::NotFound,
            // The answer to an earlier claim was lost.
            Some(Some(owner)) if owner == to => Claim::Claimed,
            Some(owner) => Claim::Taken(owner),
        })
    }

    async fn release_from(&self, session: SessionId, owner: Incarnation) -> Result<(), StoreError> {
        let _turn = self.turns.take(session).await;
        let (id, owner) = (session.uuid(), number(owner.0));
        let release = (NOBODY, id, owner);
        self.repeatedly(&self.statements.session_move, release).await?;
        // Nobody but the owner's own process puts it there, and that is here, in its turn.
        self.write(&self.statements.by_owner_remove, (owner, id)).await
    }

    async fn owned(
        &self,
        owner: Incarnation,
        mut after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<SessionId>, StoreError> {
        let owner = number(owner.0);
        let mut found = Vec::new();
        while found.len() < limit {
            let wanted = i32::try_from(limit - found.len()).unwrap_or(i32::MAX);
            let page: Vec<(Uuid,)> = match after {
                None => self.all(&self.statements.by_owner, (owner, wanted)).await?,
                Some(after) => {
                    self.all(&self.statements.by_owner_after, (owner, after, wanted)).await?
                }
            };
            after = page.last().map(|(session,)| *session);
            if after.is_none() {
                break;
            }
            let reads = page.into_iter().map(|(session,)| async move {
                let row: Option<(i64,)> =
                    self.one(&self.statements.session_owner, (session,)).await?;
                let is_owned = row.is_some_and(|(found,)| found == owner);
                Ok::<_, StoreError>(is_owned.then(|| SessionId::new(session)))
            });
            let page: Vec<Option<_>> = stream::iter(reads).buffered(READS).try_collect().await?;
            found.extend(page.into_iter().flatten());
        }
        Ok(found)
    }
}

impl Sessions for CqlStore {
    fn create_session(&self, row: SessionRow) -> BoxFuture<'_, Result<Created, StoreError>> {
        self.bounded(self.create(row))
    }

    fn session(&self, session: SessionId) -> BoxFuture<'_, Result<Option<SessionRow>, StoreError>> {
        self.bounded(self.read_session(&self.statements.session, session))
    }

    fn sessions_of(
        &self,
        user: UserId,
        after: Option<(u64, SessionId)>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.bounded(self.page_of(user, after, usize::try_from(limit).unwrap_or(usize::MAX)))
    }

    fn claim(
        &self,
        session: SessionId,
        from: Option<Incarnation>,
        to: Incarnation,
    ) -> BoxFuture<'_, Result<Claim, StoreError>> {
        self.bounded(self.move_to(session, from, to))
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.bounded(self.release_from(session, owner))
    }

    fn project(
        &self,
        session: SessionId,
        projection: Projection,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.bounded(async move { self.put_projection(session, &projection).await })
    }

    fn owned_by(
        &self,
        owner: Incarnation,
        after: Option<SessionId>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.bounded(self.owned(owner, after.map(|after| after.uuid()), limit))
    }
}
