//! Small documents with a version: users, tokens, settings.

use super::{BoxFuture, StoreError};
use bytes::Bytes;

/// A document as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// 1, 2, 3, …: raised by every change.
    pub version: u64,
    /// Contents, the caller's own format.
    pub bytes: Bytes,
}

/// Answer to a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was written; this is its version now.
    Written(u64),
    /// Its version was another (0: there was none); nothing was written.
    Conflict(u64),
}

/// Documents by kind and key. A unique name is a document whose key is the name.
pub trait Documents: Send + Sync {
    /// One document.
    fn document(
        &self,
        kind: &'static str,
        key: &str,
    ) -> BoxFuture<'_, Result<Option<Document>, StoreError>>;

    /// Documents of a kind in the order of their keys: those after `after`, at most `limit`.
    fn documents_of(
        &self,
        kind: &'static str,
        after: &str,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(String, Document)>, StoreError>>;

    /// Writes a document if its version is `if_version`; 0 means: if there is none.
    fn put_document(
        &self,
        kind: &'static str,
        key: &str,
        if_version: u64,
        bytes: Bytes,
    ) -> BoxFuture<'_, Result<Put, StoreError>>;

    /// Removes a document if its version is `if_version`. [`Put::Written`] answers 0.
    fn remove_document(
        &self,
        kind: &'static str,
        key: &str,
        if_version: u64,
    ) -> BoxFuture<'_, Result<Put, StoreError>>;
}
