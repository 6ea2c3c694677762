//! Git objects as stores keep them: compressed where that helps.

use bytes::Bytes;
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use greenroom_actors::port::{Object, ObjectKind, Oid, StoreError};
use std::io::{self, Read, Write};
use tokio::task;

/// Longest contents that are stored as they are, in bytes; compressing less gains little.
const PLAIN_BYTES_MAX: usize = 512;

/// An object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) oid: Oid,
    pub(super) kind: ObjectKind,
    /// Length of the contents, in bytes.
    pub(super) length: usize,
    /// Whether `bytes` are a zlib stream; else they are the contents.
    pub(super) packed: bool,
    pub(super) bytes: Bytes,
}

impl Packed {
    /// Packs one object.
    fn pack(object: Object) -> io::Result<Self> {
        let Object { oid, kind, bytes } = object;
        let length = bytes.len();
        if length > PLAIN_BYTES_MAX {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&bytes)?;
            let packed = encoder.finish()?;
            if packed.len() < length {
                return Ok(Self { oid, kind, length, packed: true, bytes: packed.into() });
            }
        }
        Ok(Self { oid, kind, length, packed: false, bytes })
    }

    /// Packs objects on a thread of its own.
    pub(super) async fn pack_all(objects: Vec<Object>) -> Result<Vec<Self>, StoreError> {
        let pack = || objects.into_iter().map(Self::pack).collect::<io::Result<Vec<_>>>();
        let packed = task::spawn_blocking(pack).await.map_err(io::Error::from);
        packed
            .flatten()
            .map_err(|error| StoreError::Unavailable(format!("cannot compress: {error}")))
    }

    /// The object again.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the bytes are damaged.
    pub(super) fn unpack(self) -> Result<Object, StoreError> {
        let Self { oid, kind, length, packed, bytes } = self;
        let damaged = || StoreError::Corrupt(format!("object {oid} is damaged"));
        let bytes = if packed { inflate(&bytes, length).map_err(|_| damaged())? } else { bytes };
        if bytes.len() != length {
            return Err(damaged());
        }
        Ok(Object { oid, kind, bytes })
    }
}

/// Never yields more than one byte above `length`.
fn inflate(bytes: &[u8], length: usize) -> io::Result<Bytes> {
    let mut contents = Vec::with_capacity(length.saturating_add(1));
    let limit = u64::try_from(length).unwrap_or(u64::MAX).saturating_add(1);
    ZlibDecoder::new(bytes).take(limit).read_to_end(&mut contents)?;
    Ok(contents.into())
}

/// Name of a kind, as it is stored.
pub(super) fn kind_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Blob => "blob",
        ObjectKind::Tree => "tree",
        ObjectKind::Commit => "commit",
    }
}

/// The kind of that name.
///
/// # Errors
/// [`StoreError::Corrupt`] where there is none.
pub(super) fn kind(oid: Oid, name: &str) -> Result<ObjectKind, StoreError> {
    let kinds = [ObjectKind::Blob, ObjectKind::Tree, ObjectKind::Commit];
    let found = kinds.into_iter().find(|&kind| kind_name(kind) == name);
    found.ok_or_else(|| StoreError::Corrupt(format!("object {oid} is a {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(bytes: &[u8]) -> Object {
        Object { oid: Oid([7; 20]), kind: ObjectKind::Blob, bytes: Bytes::copy_from_slice(bytes) }
    }

    #[test]
    fn long_contents_are_packed_and_short_or_random_ones_are_not() {
        let long = Packed::pack(object(&[b'a'; 10_000])).unwrap();
        assert!(long.packed && long.bytes.len() < 100);
        assert_eq!(long.unpack().unwrap(), object(&[b'a'; 10_000]));

        assert!(!Packed::pack(object(&[b'a'; PLAIN_BYTES_MAX])).unwrap().packed);
        let mut state = 1_u64;
        let random: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(2_000)
        .collect();
        assert!(!Packed::pack(object(&random)).unwrap().packed);
    }

    #[test]
    fn damaged_bytes_are_reported_and_not_returned() {
        let mut stored = Packed::pack(object(&[b'a'; 10_000])).unwrap();
        stored.length = 9_999;
        assert!(matches!(stored.clone().unpack(), Err(StoreError::Corrupt(_))));
        stored.length = 10_000;
        stored.bytes = Bytes::from_static(b"no zlib");
        assert!(matches!(stored.unpack(), Err(StoreError::Corrupt(_))));
    }
}
