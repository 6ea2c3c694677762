//! Git objects by project.

use super::{BoxFuture, StoreError};
use bytes::Bytes;
use greenroom_protocol::id::SessionId;
use std::{fmt, str::FromStr};

/// A git object id: SHA-1 of the object with its header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub [u8; 20]);

/// A text is no object id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an object id has 40 hex digits")]
pub struct OidError;

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, OidError> {
        if text.len() != 40 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(OidError);
        }
        let mut oid = [0; 20];
        for (byte, pair) in oid.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| OidError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| OidError)?;
        }
        Ok(Self(oid))
    }
}

/// Kind of a git object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A file's contents.
    Blob,
    /// A folder.
    Tree,
    /// A commit.
    Commit,
}

/// A git object without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its id.
    pub oid: Oid,
    /// Its kind.
    pub kind: ObjectKind,
    /// Its contents, uncompressed.
    pub bytes: Bytes,
}

/// Git objects. A project is a root session; its forks share its objects.
pub trait Objects: Send + Sync {
    /// Stores objects durably, all or none. Idempotent: the same id has the same bytes.
    fn put_objects(
        &self,
        project: SessionId,
        objects: Vec<Object>,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// One object of the project.
    fn object(
        &self,
        project: SessionId,
        oid: Oid,
    ) -> BoxFuture<'_, Result<Option<Object>, StoreError>>;
}
