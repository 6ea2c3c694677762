//! Ids of git objects.

use crate::port::{Object, ObjectKind, Oid};
use bytes::Bytes;
use sha1::{Digest, Sha1};

/// A git object of these contents, with the id that git gives it.
#[must_use]
pub fn object(kind: ObjectKind, bytes: Bytes) -> Object {
    Object { oid: object_id(kind, &bytes), kind, bytes }
}

/// The id that git gives to an object: SHA-1 over kind, length and contents.
#[must_use]
pub fn object_id(kind: ObjectKind, bytes: &[u8]) -> Oid {
    let mut hash = Sha1::new();
    hash.update(format!("{} {}\0", kind_name(kind), bytes.len()));
    hash.update(bytes);
    Oid(hash.finalize().into())
}

/// Git's word for a kind of object.
#[must_use]
pub const fn kind_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Blob => "blob",
        ObjectKind::Tree => "tree",
        ObjectKind::Commit => "commit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_git() {
        for (kind, bytes, id) in [
            (ObjectKind::Blob, "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
            (ObjectKind::Blob, "hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
            (ObjectKind::Tree, "", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
        ] {
            let object = object(kind, Bytes::from_static(bytes.as_bytes()));
            assert_eq!(object.oid.to_string(), id);
        }
    }
}
