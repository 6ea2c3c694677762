//! Ledgers of credits: one conditional batch an append, in the user's own partition.

use super::{
    ATTEMPTS_MAX, CqlStore, number,
    query::{Outcome, pause},
    unsigned,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use greenroom_actors::port::{
    BoxFuture, Ledger, LedgerChange, LedgerHead, LedgerRow, Posted, StoreError,
};
use greenroom_protocol::id::UserId;
use scylla::{
    serialize::row::SerializeRow,
    statement::batch::{Batch, BatchStatement, BatchType},
};
use uuid::Uuid;

/// Partitions of the index of what is due.
const SHELVES: i16 = 16;

/// How long after it was due an entry that names no ledger may still belong to an append under way,
/// in milliseconds. It goes after that.
const UNDER_WAY_MS: i64 = 60_000;

/// Ledgers that are looked at at once.
const READS: usize = 16;

/// Where a user's ledger is listed. Written to tables: it never changes.
fn shelf(user: Uuid) -> i16 {
    let last = user.as_bytes().last().copied().unwrap_or(0);
    i16::from(last) % SHELVES
}

/// One value of a batch, whose statements have different ones.
type Values = Box<dyn SerializeRow + Send + Sync>;

impl CqlStore {
    /// The batch that moves a ledger from one version to the next: its head under the condition,
    /// its rows, and their names, which must be new.
    fn batch(
        &self,
        user: Uuid,
        if_version: u64,
        writer: Uuid,
        change: &LedgerChange,
    ) -> (Batch, Vec<Values>) {
        let LedgerChange { rows, head, due_at_ms } = change;
        let statements = &self.statements;
        // Before the first append there is no version to compare with.
        let version = (if_version > 0).then(|| number(if_version));
        let (next, due) = (number(if_version.saturating_add(1)), due_at_ms.map(number));
        let mut texts: Vec<BatchStatement> = vec![statements.ledger_move.clone().into()];
        let mut values: Vec<Values> =
            vec![Box::new((next, writer, head.clone(), due, user, version))];
        for LedgerRow { seq, id, bytes } in rows {
            texts.push(statements.ledger_row_put.clone().into());
            values.push(Box::new((user, number(*seq), id.clone(), bytes.clone())));
            texts.push(statements.ledger_name_put.clone().into());
            values.push(Box::new((user, id.clone(), number(*seq))));
        }
        let mut batch = Batch::new_with_statements(BatchType::Unlogged, texts);
        batch.set_execution_profile_handle(Some(self.profiles.paxos().clone()));
        batch.set_is_idempotent(false);
        (batch, values)
    }

    async fn append_change(
        &self,
        user: Uuid,
        if_version: u64,
        change: &LedgerChange,
    ) -> Result<Posted, StoreError> {
        let _turn = self.turns.take(user).await;
        let before: Option<(Option<i64>, Option<i64>)> =
            self.one(&self.statements.ledger_due, (user,)).await?;
        let (version, due_before) = before.unwrap_or_default();
        if let Some(version) = version.map(unsigned).filter(|version| *version > if_version) {
            return Ok(Posted::Conflict(version));
        }
        let due = change.due_at_ms.map(number);
        let at_us = self.now_us();
        if let Some(due) = due.filter(|_| due != due_before) {
            // Before the ledger: none is due that is not listed.
            self.write(&self.statements.due_put, (shelf(user), due, user)).await?;
        }
        let posted = self.post(user, if_version, change).await?;
        if let Some(before) = due_before
            && posted == Posted::Written
            && due != due_before
        {
            let values = (at_us, shelf(user), before, user);
            // What is left of it is found to be old when its time comes.
            let _ = self.write(&self.statements.due_remove, values).await;
        }
        Ok(posted)
    }

    async fn post(
        &self,
        user: Uuid,
        if_version: u64,
        change: &LedgerChange,
    ) -> Result<Posted, StoreError> {
        let writer = Uuid::now_v7();
        let next = if_version.saturating_add(1);
        for attempt in 0..ATTEMPTS_MAX {
            let (batch, values) = self.batch(user, if_version, writer, change);
            let outcome = self.conditional_batch(&batch, values).await?;
            if outcome == Outcome::Applied {
                return Ok(Posted::Written);
            }
            let settled: Option<(Option<i64>, Option<Uuid>)> =
                self.one(&self.statements.ledger_version, (user,)).await?;
            let (version, by) = settled.unwrap_or_default();
            let version = version.map_or(0, unsigned);
            if version == next && by == Some(writer) {
                return Ok(Posted::Written);
            }
            if let Outcome::Unknown(why) = outcome
                && (version == if_version || version > next)
            {
                // It may still come, or may have been followed by others.
                return Err(StoreError::Unavailable(why));
            }
            if version != if_version {
                return Ok(Posted::Conflict(version));
            }
            if self.is_any_named(user, change).await? {
                return Ok(Posted::Duplicate);
            }
            pause(attempt).await;
        }
        Err(StoreError::Unavailable("the ledger is contended".to_owned()))
    }

    async fn is_any_named(&self, user: Uuid, change: &LedgerChange) -> Result<bool, StoreError> {
        for row in &change.rows {
            if self.number_of(user, &row.id).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn number_of(&self, user: Uuid, id: &str) -> Result<Option<i64>, StoreError> {
        let found: Option<(i64,)> = self.one(&self.statements.ledger_name, (user, id)).await?;
        Ok(found.map(|(at,)| at))
    }

    async fn row_named(&self, user: Uuid, id: &str) -> Result<Option<LedgerRow>, StoreError> {
        let Some(at) = self.number_of(user, id).await? else { return Ok(None) };
        let found: Option<(String, Vec<u8>)> =
            self.one(&self.statements.ledger_row, (user, at)).await?;
        Ok(found.map(|(id, bytes)| LedgerRow { seq: unsigned(at), id, bytes: bytes.into() }))
    }

    /// Those of a shelf that were due at a time, by when they were, at most `limit`. What is found
    /// to be listed in vain goes from the list.
    async fn due_of_shelf(
        &self,
        shelf: i16,
        at_ms: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Uuid)>, StoreError> {
        let mut found = Vec::new();
        loop {
            let wanted = i32::try_from(limit).unwrap_or(i32::MAX);
            let at_us = self.now_us();
            let listed: Vec<(i64, Uuid)> =
                self.all(&self.statements.due, (shelf, at_ms, wanted)).await?;
            let is_all = listed.len() < limit;
            let looks = listed.into_iter().map(|(due_at_ms, user)| async move {
                let now: Option<(Option<i64>, Option<i64>)> =
                    self.one(&self.statements.ledger_due, (user,)).await?;
                let is_due = now.and_then(|(_, due)| due) == Some(due_at_ms);
                Ok::<_, StoreError>((is_due, due_at_ms, user))
            });
            let looked: Vec<_> = stream::iter(looks).buffered(READS).try_collect().await?;
            let mut removed = 0;
            found.clear();
            for (is_due, due_at_ms, user) in looked {
                if is_due {
                    found.push((due_at_ms, user));
                } else if due_at_ms.saturating_add(UNDER_WAY_MS) <= at_ms {
                    let values = (at_us, shelf, due_at_ms, user);
                    self.write(&self.statements.due_remove, values).await?;
                    removed += 1;
                }
            }
            if is_all || removed == 0 {
                return Ok(found);
            }
        }
    }

    async fn due(&self, at_ms: u64, limit: usize) -> Result<Vec<UserId>, StoreError> {
        let shelves = (0..SHELVES).map(|shelf| self.due_of_shelf(shelf, number(at_ms), limit));
        let shelves: Vec<Vec<(i64, Uuid)>> =
            stream::iter(shelves).buffer_unordered(READS).try_collect().await?;
        let mut due: Vec<(i64, Uuid)> = shelves.into_iter().flatten().collect();
        due.sort_unstable();
        due.truncate(limit);
        Ok(due.into_iter().map(|(_, user)| UserId::new(user)).collect())
    }
}

impl Ledger for CqlStore {
    fn ledger_head(&self, user: UserId) -> BoxFuture<'_, Result<Option<LedgerHead>, StoreError>> {
        self.bounded(async move {
            let found: Option<(Option<i64>, Option<Vec<u8>>)> =
                self.one(&self.statements.ledger, (user.uuid(),)).await?;
            Ok(found.and_then(|(version, head)| {
                Some(LedgerHead { version: unsigned(version?), bytes: head?.into() })
            }))
        })
    }

    fn append_ledger(
        &self,
        user: UserId,
        if_version: u64,
        change: LedgerChange,
    ) -> BoxFuture<'_, Result<Posted, StoreError>> {
        self.bounded(async move { self.append_change(user.uuid(), if_version, &change).await })
    }

    fn ledger_row(
        &self,
        user: UserId,
        id: &str,
    ) -> BoxFuture<'_, Result<Option<LedgerRow>, StoreError>> {
        let id = id.to_owned();
        self.bounded(async move { self.row_named(user.uuid(), &id).await })
    }

    fn ledger_rows(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<LedgerRow>, StoreError>> {
        self.bounded(async move {
            let limit = i32::try_from(limit).unwrap_or(i32::MAX);
            let values = (user.uuid(), before.map_or(i64::MAX, number), limit);
            let rows: Vec<(i64, String, Vec<u8>)> =
                self.all(&self.statements.ledger_rows, values).await?;
            let row = |(seq, id, bytes): (i64, String, Vec<u8>)| LedgerRow {
                seq: unsigned(seq),
                id,
                bytes: bytes.into(),
            };
            Ok(rows.into_iter().map(row).collect())
        })
    }

    fn ledgers_due(
        &self,
        at_ms: u64,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<UserId>, StoreError>> {
        self.bounded(self.due(at_ms, usize::try_from(limit).unwrap_or(usize::MAX)))
    }
}
