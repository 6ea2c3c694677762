//! Git objects.

use super::FakeStore;
use crate::port::{BoxFuture, Object, Objects, Oid, StoreError};
use greenroom_protocol::id::SessionId;

impl Objects for FakeStore {
    fn put_objects(
        &self,
        project: SessionId,
        objects: Vec<Object>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut contents = self.contents()?;
            for object in objects {
                contents.objects.entry((project, object.oid)).or_insert(object);
            }
            Ok(())
        })
    }

    fn object(
        &self,
        project: SessionId,
        oid: Oid,
    ) -> BoxFuture<'_, Result<Option<Object>, StoreError>> {
        Box::pin(async move { Ok(self.contents()?.objects.get(&(project, oid)).cloned()) })
    }
}
