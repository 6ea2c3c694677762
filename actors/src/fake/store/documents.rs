//! Documents.

use super::FakeStore;
use crate::port::{BoxFuture, Document, Documents, Put, StoreError};
use bytes::Bytes;
use std::ops::Bound;

impl Documents for FakeStore {
    fn document(
        &self,
        kind: &'static str,
        key: &str,
    ) -> BoxFuture<'_, Result<Option<Document>, StoreError>> {
        let key = key.to_owned();
        Box::pin(async move { Ok(self.contents()?.documents.get(&(kind, key)).cloned()) })
    }

    fn documents_of(
        &self,
        kind: &'static str,
        after: &str,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(String, Document)>, StoreError>> {
        let after = after.to_owned();
        Box::pin(async move {
            let contents = self.contents()?;
            let later =
                contents.documents.range((Bound::Excluded((kind, after)), Bound::Unbounded));
            let of_kind = later.take_while(|((of, _), _)| *of == kind);
            let page = of_kind.take(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(page.map(|((_, key), document)| (key.clone(), document.clone())).collect())
        })
    }

    fn put_document(
        &self,
        kind: &'static str,
        key: &str,
        if_version: u64,
        bytes: Bytes,
    ) -> BoxFuture<'_, Result<Put, StoreError>> {
        let key = (kind, key.to_owned());
        Box::pin(async move {
            let mut contents = self.contents()?;
            let version = contents.documents.get(&key).map_or(0, |document| document.version);
            if version != if_version {
                return Ok(Put::Conflict(version));
            }
            let version = version + 1;
            contents.documents.insert(key, Document { version, bytes });
            Ok(Put::Written(version))
        })
    }

    fn remove_document(
        &self,
        kind: &'static str,
        key: &str,
        if_version: u64,
    ) -> BoxFuture<'_, Result<Put, StoreError>> {
        let key = (kind, key.to_owned());
        Box::pin(async move {
            let mut contents = self.contents()?;
            let version = contents.documents.get(&key).map_or(0, |document| document.version);
            if version != if_version {
                return Ok(Put::Conflict(version));
            }
            contents.documents.remove(&key);
            Ok(Put::Written(0))
        })
    }
}
