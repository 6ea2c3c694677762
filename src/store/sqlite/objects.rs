//! Git objects, compressed where that helps.

use super::{SqliteStore, execute, optional, writer::Writes};
use bytes::Bytes;
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use greenroom_actors::port::{BoxFuture, Object, ObjectKind, Objects, Oid, StoreError};
use greenroom_protocol::id::SessionId;
use rusqlite::params;
use std::io::{self, Read, Write};
use tokio::task;

/// Longest contents that are stored as they are, in bytes; compressing less gains no page.
const PLAIN_BYTES_MAX: usize = 512;

/// An object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    oid: Oid,
    kind: ObjectKind,
    /// Length of the contents, in bytes.
    length: usize,
    packed: bool,
    bytes: Bytes,
}

impl Stored {
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

    fn unpack(self) -> Result<Object, StoreError> {
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

fn kind_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Blob => "blob",
        ObjectKind::Tree => "tree",
        ObjectKind::Commit => "commit",
    }
}

fn kind(name: &str) -> Option<ObjectKind> {
    let kinds = [ObjectKind::Blob, ObjectKind::Tree, ObjectKind::Commit];
    kinds.into_iter().find(|&kind| kind_name(kind) == name)
}

impl Objects for SqliteStore {
    fn put_objects(
        &self,
        project: SessionId,
        objects: Vec<Object>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let pack = || objects.into_iter().map(Stored::pack).collect::<io::Result<Vec<_>>>();
            let packed = task::spawn_blocking(pack).await.map_err(io::Error::from);
            let packed = packed
                .flatten()
                .map_err(|error| StoreError::Unavailable(format!("cannot compress: {error}")))?;
            let bytes = packed.iter().map(|object| object.bytes.len()).sum();
            let writes = if packed.len() > 1 { Writes::Several } else { Writes::One };
            let project = project.uuid().into_bytes();
            let insert = "INSERT INTO objects (project, oid, kind, length, packed, bytes)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            let put = self.writer.write(bytes, writes, move |work| {
                for Stored { oid, kind, length, packed, bytes } in &packed {
                    let kind = kind_name(*kind);
                    let row = params![project, oid.0, kind, length, packed, &bytes[..]];
                    execute(work.connection, insert, row)?;
                }
                Ok(())
            });
            put.await
        })
    }

    fn object(
        &self,
        project: SessionId,
        oid: Oid,
    ) -> BoxFuture<'_, Result<Option<Object>, StoreError>> {
        Box::pin(async move {
            let read = self.readers.read(move |connection| {
                let select = "SELECT kind, length, packed, bytes FROM objects
                    WHERE project = ?1 AND oid = ?2";
                optional(connection, select, params![project.uuid().into_bytes(), oid.0], |row| {
                    let bytes = Bytes::from(row.get::<_, Vec<u8>>(3)?);
                    Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, bytes))
                })
            });
            let Some((name, length, packed, bytes)) = read.await? else {
                return Ok(None);
            };
            let kind = kind(&name)
                .ok_or_else(|| StoreError::Corrupt(format!("object {oid} is a {name}")))?;
            Stored { oid, kind, length, packed, bytes }.unpack().map(Some)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(bytes: &[u8]) -> Object {
        Object { oid: Oid([7; 20]), kind: ObjectKind::Blob, bytes: Bytes::copy_from_slice(bytes) }
    }

    #[test]
    fn long_contents_are_packed_and_short_or_random_ones_are_not() {
        let long = Stored::pack(object(&[b'a'; 10_000])).unwrap();
        assert!(long.packed && long.bytes.len() < 100);
        assert_eq!(long.unpack().unwrap(), object(&[b'a'; 10_000]));

        assert!(!Stored::pack(object(&[b'a'; PLAIN_BYTES_MAX])).unwrap().packed);
        let mut state = 1_u64;
        let random: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(2_000)
        .collect();
        assert!(!Stored::pack(object(&random)).unwrap().packed);
    }

    #[test]
    fn damaged_bytes_are_reported_and_not_returned() {
        let mut stored = Stored::pack(object(&[b'a'; 10_000])).unwrap();
        stored.length = 9_999;
        assert!(matches!(stored.clone().unpack(), Err(StoreError::Corrupt(_))));
        stored.length = 10_000;
        stored.bytes = Bytes::from_static(b"no zlib");
        assert!(matches!(stored.unpack(), Err(StoreError::Corrupt(_))));
    }
}
