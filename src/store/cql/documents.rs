//! Documents.

use super::{
    ATTEMPTS_MAX, CqlStore, number,
    query::{Outcome, pause},
    unsigned,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use greenroom_actors::port::{BoxFuture, Document, Documents, Put, StoreError};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Partitions of a kind's keys: the load is spread, and all are read to list them in order.
const SHELVES: i16 = 16;

/// Documents that are read at once.
const READS: usize = 16;

/// Where a key is listed. Written to tables: it never changes.
fn shelf(key: &str) -> i16 {
    let first = Sha256::digest(key.as_bytes()).first().copied().unwrap_or(0);
    i16::from(first) % SHELVES
}

impl CqlStore {
    /// The version of a document and who wrote it, settled by Paxos; 0: there is none.
    async fn settled(&self, kind: &str, key: &str) -> Result<(u64, Option<Uuid>), StoreError> {
        let found: Option<(Option<i64>, Option<Uuid>)> =
            self.one(&self.statements.document_version, (kind, key)).await?;
        Ok(found.map_or((0, None), |(version, writer)| (version.map_or(0, unsigned), writer)))
    }

    async fn write_document(
        &self,
        (kind, key): (&str, &str),
        if_version: u64,
        bytes: &Bytes,
    ) -> Result<Put, StoreError> {
        let turn = self.turns.take((kind, key)).await;
        if turn.waited
            && let Some(found) = self.read_document(kind, key).await?
            && found.version > if_version
        {
            return Ok(Put::Conflict(found.version));
        }
        let (writer, next) = (Uuid::now_v7(), if_version.saturating_add(1));
        if if_version == 0 {
            // Before it: no document is missing in the list.
            self.write(&self.statements.key_put, (kind, shelf(key), key)).await?;
        }
        let mut reason = None;
        for attempt in 0..ATTEMPTS_MAX {
            let outcome = if if_version == 0 {
                let row = (kind, key, writer, bytes);
                self.conditionally(&self.statements.document_create, row).await?
            } else {
                let row = (number(next), writer, bytes, kind, key, number(if_version));
                self.conditionally(&self.statements.document_replace, row).await?
            };
            match outcome {
                Outcome::Applied => return Ok(Put::Written(next)),
                Outcome::Unknown(why) => reason = Some(why),
                Outcome::Refused => {}
            }
            match self.settled(kind, key).await? {
                (version, by) if version == next && by == Some(writer) => {
                    return Ok(Put::Written(next));
                }
                (version, _) if version == if_version => pause(attempt).await,
                // An attempt of unknown end may have been done and overwritten since.
                (version, _) if reason.is_none() || version == next => {
                    return Ok(Put::Conflict(version));
                }
                (..) => break,
            }
        }
        Err(StoreError::Unavailable(reason.unwrap_or_else(|| "it is contended".to_owned())))
    }

    async fn delete_document(
        &self,
        (kind, key): (&str, &str),
        if_version: u64,
    ) -> Result<Put, StoreError> {
        let _turn = self.turns.take((kind, key)).await;
        // From before the removal: a document that is made anew after it stays in the list.
        let at_us = self.now_us();
        if if_version > 0 {
            match self.remove_row((kind, key), if_version).await? {
                Put::Written(_) => {}
                conflict @ Put::Conflict(_) => return Ok(conflict),
            }
        } else if let (version @ 1.., _) = self.settled(kind, key).await? {
            return Ok(Put::Conflict(version));
        }
        self.write(&self.statements.key_remove, (at_us, kind, shelf(key), key)).await?;
        Ok(Put::Written(0))
    }

    async fn remove_row(
        &self,
        (kind, key): (&str, &str),
        if_version: u64,
    ) -> Result<Put, StoreError> {
        let values = (kind, key, number(if_version));
        let mut reason = None;
        for attempt in 0..ATTEMPTS_MAX {
            match self.conditionally(&self.statements.document_remove, values).await? {
                Outcome::Applied => return Ok(Put::Written(0)),
                Outcome::Unknown(why) => reason = Some(why),
                Outcome::Refused => {}
            }
            match self.settled(kind, key).await? {
                // By an attempt whose answer was lost.
                (0, _) if reason.is_some() => return Ok(Put::Written(0)),
                (version, _) if version == if_version => pause(attempt).await,
                (version, _) => return Ok(Put::Conflict(version)),
            }
        }
        Err(StoreError::Unavailable(reason.unwrap_or_else(|| "it is contended".to_owned())))
    }

    /// Keys of a kind after one, in their order; at most `limit`.
    async fn keys(&self, kind: &str, after: &str, limit: i32) -> Result<Vec<String>, StoreError> {
        let reads = (0..SHELVES)
            .map(|shelf| self.all::<(String,)>(&self.statements.keys, (kind, shelf, after, limit)));
        let shelves: Vec<Vec<(String,)>> =
            stream::iter(reads).buffer_unordered(READS).try_collect().await?;
        let mut keys: Vec<String> = shelves.into_iter().flatten().map(|(key,)| key).collect();
        keys.sort_unstable();
        keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(keys)
    }

    async fn page(
        &self,
        kind: &'static str,
        mut after: String,
        limit: usize,
    ) -> Result<Vec<(String, Document)>, StoreError> {
        let mut found = Vec::new();
        while found.len() < limit {
            let wanted = i32::try_from(limit - found.len()).unwrap_or(i32::MAX);
            let keys = self.keys(kind, &after, wanted).await?;
            let Some(last) = keys.last() else { break };
            after.clone_from(last);
            let reads = keys.into_iter().map(|key| async move {
                let document = self.read_document(kind, &key).await?;
                Ok::<_, StoreError>(document.map(|document| (key, document)))
            });
            let page: Vec<Option<_>> = stream::iter(reads).buffered(READS).try_collect().await?;
            // A key may outlive its document.
            found.extend(page.into_iter().flatten());
        }
        Ok(found)
    }

    async fn read_document(&self, kind: &str, key: &str) -> Result<Option<Document>, StoreError> {
        let found: Option<(i64, Vec<u8>)> =
            self.one(&self.statements.document, (kind, key)).await?;
        Ok(found
            .map(|(version, bytes)| Document { version: unsigned(version), bytes: bytes.into() }))
    }
}

impl Documents for CqlStore {
    fn document(
        &self,
        kind: &'static str,
        key: &str,
    ) -> BoxFuture<'_, Result<Option<Document>, StoreError>> {
        let key = key.to_owned();
        self.bounded(async move { self.read_document(kind, &key).await })
    }

    fn documents_of(
        &self,
        kind: &'static str,
        after: &str,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(String, Document)>, StoreError>> {
        let (after, limit) = (after.to_owned(), usize::try_from(limit).unwrap_or(usize::MAX));
        self.bounded(self.page(kind, after, limit))
    }

    fn put_document(
        &self,
        kind: &'static str,
        key: &str,
        if_version: u64,
        bytes: Bytes,
    ) -> BoxFuture<'_, Result<Put, StoreError>> {
        let key = key.to_owned();
        self.bounded(async move { self.write_document((kind, &key), if_version, &bytes).await })
    }

    fn remove_document(
        &self,
        kind: &'static str,
        key: &str,
        if_version: u64,
    ) -> BoxFuture<'_, Result<Put, StoreError>> {
        let key = key.to_owned();
        self.bounded(async move { self.delete_document((kind, &key), if_version).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_key_is_listed_never_changes() {
        assert_eq!(["", "a", "ключ"].map(shelf), [3, 10, 13]);
    }
}
