//! Ledgers.

use super::{
    FakeStore,
    faults::{Fault, refusal},
};
use crate::port::{BoxFuture, Ledger, LedgerChange, LedgerHead, LedgerRow, Posted, StoreError};
use greenroom_protocol::id::UserId;
use std::collections::BTreeMap;

/// One user's ledger.
#[derive(Debug)]
pub(super) struct Book {
    head: LedgerHead,
    due_at_ms: Option<u64>,
    rows: BTreeMap<u64, LedgerRow>,
}

impl FakeStore {
    fn post(
        &self,
        user: UserId,
        if_version: u64,
        change: LedgerChange,
    ) -> Result<Posted, StoreError> {
        let mut contents = self.contents()?;
        let version = contents.ledgers.get(&user).map_or(0, |book| book.head.version);
        if version != if_version {
            return Ok(Posted::Conflict(version));
        }
        let LedgerChange { rows, head, due_at_ms } = change;
        let head = LedgerHead { version: version + 1, bytes: head };
        let book = contents.ledgers.entry(user).or_insert_with(|| Book {
            head: head.clone(),
            due_at_ms,
            rows: BTreeMap::new(),
        });
        let is_there = |row: &LedgerRow| {
            book.rows.values().any(|old| old.id == row.id) || book.rows.contains_key(&row.seq)
        };
        if rows.iter().any(is_there) {
            return Ok(Posted::Duplicate);
        }
        book.rows.extend(rows.into_iter().map(|row| (row.seq, row)));
        book.head = head;
        book.due_at_ms = due_at_ms;
        Ok(Posted::Written)
    }
}

impl Ledger for FakeStore {
    fn ledger_head(&self, user: UserId) -> BoxFuture<'_, Result<Option<LedgerHead>, StoreError>> {
        Box::pin(
            async move { Ok(self.contents()?.ledgers.get(&user).map(|book| book.head.clone())) },
        )
    }

    fn append_ledger(
        &self,
        user: UserId,
        if_version: u64,
        change: LedgerChange,
    ) -> BoxFuture<'_, Result<Posted, StoreError>> {
        Box::pin(async move {
            match self.next_ledger_fault() {
                Some(Fault::Refused) => Err(refusal()),
                Some(Fault::ReplyLost) => {
                    self.post(user, if_version, change)?;
                    Err(refusal())
                }
                None => self.post(user, if_version, change),
            }
        })
    }

    fn ledger_row(
        &self,
        user: UserId,
        id: &str,
    ) -> BoxFuture<'_, Result<Option<LedgerRow>, StoreError>> {
        let id = id.to_owned();
        Box::pin(async move {
            let contents = self.contents()?;
            let book = contents.ledgers.get(&user);
            Ok(book.and_then(|book| book.rows.values().find(|row| row.id == id)).cloned())
        })
    }

    fn ledger_rows(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<LedgerRow>, StoreError>> {
        Box::pin(async move {
            let contents = self.contents()?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let rows = contents.ledgers.get(&user).map(|book| {
                book.rows.range(..before.unwrap_or(u64::MAX)).rev().map(|(_, row)| row.clone())
            });
            Ok(rows.into_iter().flatten().take(limit).collect())
        })
    }

    fn ledgers_due(
        &self,
        at_ms: u64,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<UserId>, StoreError>> {
        Box::pin(async move {
            let contents = self.contents()?;
            let due = contents.ledgers.iter().filter_map(|(user, book)| {
                book.due_at_ms.filter(|due| *due <= at_ms).map(|due| (due, *user))
            });
            let mut due: Vec<_> = due.collect();
            due.sort_unstable();
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            Ok(due.into_iter().take(limit).map(|(_, user)| user).collect())
        })
    }
}
