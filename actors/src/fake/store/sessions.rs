//! Session rows.

use super::FakeStore;
use crate::port::{
    BoxFuture, Claim, Created, Incarnation, Page, Projection, SessionRow, Sessions, StoreError,
};
use greenroom_protocol::id::{SessionId, UserId};
use std::cmp::Reverse;

impl Sessions for FakeStore {
    fn create_session(&self, row: SessionRow) -> BoxFuture<'_, Result<Created, StoreError>> {
        Box::pin(async move {
            let mut contents = self.contents()?;
            if let Some(existing) = contents.sessions.get(&row.session) {
                return Ok(Created::Exists(Box::new(existing.clone())));
            }
            contents.sessions.insert(row.session, row);
            Ok(Created::Created)
        })
    }

    fn session(&self, session: SessionId) -> BoxFuture<'_, Result<Option<SessionRow>, StoreError>> {
        Box::pin(async move { Ok(self.contents()?.sessions.get(&session).cloned()) })
    }

    fn sessions_of(
        &self,
        user: UserId,
        after: Option<(u64, SessionId)>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            let contents = self.contents()?;
            let place = |row: &SessionRow| (row.created_at_ms, row.session);
            let mut rows: Vec<_> =
                contents.sessions.values().filter(|row| row.user == user).collect();
            rows.retain(|row| after.is_none_or(|after| place(row) < after));
            rows.sort_by_key(|row| Reverse(place(row)));
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let more = rows.len() > limit;
            Ok(Page { rows: rows.into_iter().take(limit).cloned().collect(), more })
        })
    }

    fn claim(
        &self,
        session: SessionId,
        from: Option<Incarnation>,
        to: Incarnation,
    ) -> BoxFuture<'_, Result<Claim, StoreError>> {
        Box::pin(async move {
            let mut contents = self.contents()?;
            let Some(row) = contents.sessions.get_mut(&session) else {
                return Ok(Claim::NotFound);
            };
            // Already the claimant's: the answer to an earlier claim was lost.
            if row.owner != from && row.owner != Some(to) {
                return Ok(Claim::Taken(row.owner));
            }
            row.owner = Some(to);
            Ok(Claim::Claimed)
        })
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut contents = self.contents()?;
            if let Some(row) = contents.sessions.get_mut(&session)
                && row.owner == Some(owner)
            {
                row.owner = None;
            }
            Ok(())
        })
    }

    fn project(
        &self,
        session: SessionId,
        projection: Projection,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut contents = self.contents()?;
            if let Some(row) = contents.sessions.get_mut(&session)
                && row.projection.seq <= projection.seq
            {
                row.projection = projection;
            }
            Ok(())
        })
    }

    fn owned_by(
        &self,
        owner: Incarnation,
        after: Option<SessionId>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>> {
        Box::pin(async move {
            let contents = self.contents()?;
            let owned = contents.sessions.values().filter(|row| row.owner == Some(owner));
            let ids = owned.map(|row| row.session).filter(|&id| after.is_none_or(|last| id > last));
            Ok(ids.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
        })
    }
}
