//! Git objects.

use super::session_id;
use crate::store::harness::Harness;
use bytes::Bytes;
use greenroom_actors::port::{Object, ObjectKind, Objects, Oid};

fn oid(number: u8) -> Oid {
    let mut oid = [number; 20];
    oid[19] = !number;
    Oid(oid)
}

/// Objects of every kind and of sizes on both sides of what a store may treat apart.
fn objects() -> Vec<Object> {
    let kinds = [ObjectKind::Blob, ObjectKind::Tree, ObjectKind::Commit];
    let sizes = [0, 1, 512, 513, 4096, 1 << 20];
    let all = sizes.iter().flat_map(|&size| kinds.map(|kind| (size, kind)));
    let object = |(number, (size, kind)): (u8, (usize, ObjectKind))| {
        let bytes: Vec<u8> =
            (0..=u8::MAX).cycle().step_by(1 + usize::from(number)).take(size).collect();
        Object { oid: oid(number), kind, bytes: bytes.into() }
    };
    (0..).zip(all).map(object).collect()
}

pub(crate) async fn an_object_is_read_back_as_it_was_put<H: Harness>(harness: H) {
    let store = harness.open().await;
    let objects = objects();

    store.put_objects(session_id(1), vec![]).await.unwrap();
    store.put_objects(session_id(1), objects.clone()).await.unwrap();
    // Again, in part and with something new beside.
    let new = Object { oid: oid(200), kind: ObjectKind::Blob, bytes: Bytes::from_static(b"new") };
    store.put_objects(session_id(1), vec![objects[3].clone(), new.clone()]).await.unwrap();

    for object in objects.into_iter().chain([new]) {
        let found = store.object(session_id(1), object.oid).await.unwrap();
        assert!(found == Some(object.clone()), "{} of {} bytes", object.oid, object.bytes.len());
    }
    assert_eq!(store.object(session_id(1), oid(201)).await, Ok(None));
}

pub(crate) async fn an_object_belongs_to_its_project<H: Harness>(harness: H) {
    let store = harness.open().await;
    let object = objects().remove(4);

    store.put_objects(session_id(1), vec![object.clone()]).await.unwrap();

    assert_eq!(store.object(session_id(2), object.oid).await, Ok(None));
}

pub(crate) async fn objects_survive_a_reopen<H: Harness>(harness: H) {
    let store = harness.open().await;
    store.put_objects(session_id(1), objects()).await.unwrap();
    harness.close(store).await;

    let store = harness.open().await;

    for object in objects() {
        assert!(store.object(session_id(1), object.oid).await == Ok(Some(object)));
    }
}
