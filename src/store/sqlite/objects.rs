//! Git objects.

use super::{
    super::packed::{Packed, kind, kind_name},
    SqliteStore, execute, optional,
    writer::Writes,
};
use bytes::Bytes;
use greenroom_actors::port::{BoxFuture, Object, Objects, Oid, StoreError};
use greenroom_protocol::id::SessionId;
use rusqlite::params;

impl Objects for SqliteStore {
    fn put_objects(
        &self,
        project: SessionId,
        objects: Vec<Object>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let packed = Packed::pack_all(objects).await?;
            let bytes = packed.iter().map(|object| object.bytes.len()).sum();
            let writes = if packed.len() > 1 { Writes::Several } else { Writes::One };
            let project = project.uuid().into_bytes();
            let insert = "INSERT INTO objects (project, oid, kind, length, packed, bytes)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            let put = self.writer.write(bytes, writes, move |work| {
                for Packed { oid, kind, length, packed, bytes } in &packed {
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
            let kind = kind(oid, &name)?;
            Packed { oid, kind, length, packed, bytes }.unpack().map(Some)
        })
    }
}
