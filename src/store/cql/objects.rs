//! Git objects, in chunks.
//!
//! No write spans partitions here. What is named is written before what names it: an object whose
//! first chunk is there is whole, and so is a commit that is there. What a failed call leaves is
//! named by nobody.

use super::{
    super::packed::{Packed, kind, kind_name},
    CqlStore,
    error::corrupt,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use greenroom_actors::port::{BoxFuture, Object, ObjectKind, Objects, Oid, StoreError};
use greenroom_protocol::id::SessionId;

/// Most bytes of a chunk: larger cells are slow to write, to read and to compact.
const CHUNK_BYTES: usize = 256 * 1024;

/// Objects, or chunks of one, that are under way at once.
const AT_ONCE: usize = 16;

/// The number of a chunk as CQL has it.
fn chunk_number(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl CqlStore {
    async fn put_object(&self, project: SessionId, object: Packed) -> Result<(), StoreError> {
        let Packed { oid, kind, length, packed, bytes } = object;
        let (project, oid) = (project.uuid(), &oid.0[..]);
        let chunks = bytes.len().div_ceil(CHUNK_BYTES).max(1);
        let chunk = |number: usize| {
            let begin = number * CHUNK_BYTES;
            bytes.slice(begin..bytes.len().min(begin + CHUNK_BYTES))
        };
        let puts = (1..chunks).map(|number| {
            let row = (project, oid, chunk_number(number), chunk(number));
            self.write(&self.statements.chunk_put, row)
        });
        stream::iter(puts).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let head = (project, oid, kind_name(kind), length, packed, chunk_number(chunks), chunk(0));
        self.write(&self.statements.object_put, head).await
    }

    async fn put_kinds(
        &self,
        project: SessionId,
        mut objects: Vec<Packed>,
    ) -> Result<(), StoreError> {
        for kind in [ObjectKind::Blob, ObjectKind::Tree, ObjectKind::Commit] {
            let of_kind: Vec<Packed> =
                objects.extract_if(.., |object| object.kind == kind).collect();
            let puts = of_kind.into_iter().map(|object| self.put_object(project, object));
            stream::iter(puts).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
        Ok(())
    }

    async fn read_object(
        &self,
        project: SessionId,
        oid: Oid,
    ) -> Result<Option<Object>, StoreError> {
        let key = (project.uuid(), &oid.0[..]);
        let head: Option<(String, i64, bool, i32, Vec<u8>)> =
            self.one(&self.statements.object, key).await?;
        let Some((name, length, packed, chunks, mut bytes)) = head else { return Ok(None) };
        let damaged = || corrupt(format!("object {oid} is damaged"));
        let rest = (1..chunks).map(|chunk| async move {
            let key = (project.uuid(), &oid.0[..], chunk);
            self.one::<(Vec<u8>,)>(&self.statements.chunk, key).await
        });
        let mut rest = stream::iter(rest).buffered(AT_ONCE);
        while let Some(chunk) = rest.next().await {
            let (contents,) = chunk?.ok_or_else(damaged)?;
            bytes.extend_from_slice(&contents);
        }
        let length = usize::try_from(length).map_err(|_| damaged())?;
        let kind = kind(oid, &name)?;
        Packed { oid, kind, length, packed, bytes: Bytes::from(bytes) }.unpack().map(Some)
    }
}

impl Objects for CqlStore {
    fn put_objects(
        &self,
        project: SessionId,
        objects: Vec<Object>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.bounded(async move {
            let objects = Packed::pack_all(objects).await?;
            self.put_kinds(project, objects).await
        })
    }

    fn object(
        &self,
        project: SessionId,
        oid: Oid,
    ) -> BoxFuture<'_, Result<Option<Object>, StoreError>> {
        self.bounded(self.read_object(project, oid))
    }
}
