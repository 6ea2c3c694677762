//! Documents.

use crate::store::harness::Harness;
use bytes::Bytes;
use greenroom_actors::port::{Document, Documents, Put};
use std::sync::Arc;
use tokio::task::JoinSet;

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) async fn a_document_is_written_only_over_the_version_that_was_read<H: Harness>(
    harness: H,
) {
    let store = harness.open().await;
    let put = |if_version, text| store.put_document("kind", "key", if_version, bytes(text));
    assert_eq!(store.document("kind", "key").await, Ok(None));

    assert_eq!(put(1, "early").await, Ok(Put::Conflict(0)));
    assert_eq!(put(0, "first").await, Ok(Put::Written(1)));
    assert_eq!(put(0, "again").await, Ok(Put::Conflict(1)));
    assert_eq!(put(1, "second").await, Ok(Put::Written(2)));
    assert_eq!(put(1, "late").await, Ok(Put::Conflict(2)));

    let document = Document { version: 2, bytes: bytes("second") };
    assert_eq!(store.document("kind", "key").await, Ok(Some(document)));
    assert_eq!(store.document("kind", "other key").await, Ok(None));
    assert_eq!(store.document("other kind", "key").await, Ok(None));
}

pub(crate) async fn a_removed_document_is_gone_and_may_be_made_anew<H: Harness>(harness: H) {
    let store = harness.open().await;
    assert_eq!(store.remove_document("kind", "key", 0).await, Ok(Put::Written(0)));
    assert_eq!(store.remove_document("kind", "key", 1).await, Ok(Put::Conflict(0)));
    store.put_document("kind", "key", 0, bytes("first")).await.unwrap();
    store.put_document("kind", "key", 1, bytes("second")).await.unwrap();

    assert_eq!(store.remove_document("kind", "key", 1).await, Ok(Put::Conflict(2)));
    assert_eq!(store.remove_document("kind", "key", 2).await, Ok(Put::Written(0)));

    assert_eq!(store.document("kind", "key").await, Ok(None));
    let anew = store.put_document("kind", "key", 0, bytes("third")).await;
    assert_eq!(anew, Ok(Put::Written(1)));
}

pub(crate) async fn documents_of_a_kind_are_read_page_by_page_in_the_order_of_their_keys<
    H: Harness,
>(
    harness: H,
) {
    let store = harness.open().await;
    for key in ["b", "a", "d", "c"] {
        store.put_document("kind", key, 0, bytes(key)).await.unwrap();
    }
    store.put_document("kind", "b", 1, bytes("again")).await.unwrap();
    store.put_document("another", "aa", 0, bytes("other")).await.unwrap();
    store.put_document("later", "x", 0, bytes("other")).await.unwrap();
    let page = async |after, limit| {
        let page = store.documents_of("kind", after, limit).await.unwrap();
        let row = |(key, document): (String, Document)| (key, document.version, document.bytes);
        page.into_iter().map(row).collect::<Vec<_>>()
    };
    let row = |key: &str, version, text| (key.to_owned(), version, bytes(text));

    assert_eq!(page("", 3).await, [row("a", 1, "a"), row("b", 2, "again"), row("c", 1, "c")]);
    assert_eq!(page("c", 3).await, [row("d", 1, "d")]);
    assert_eq!(page("d", 3).await, []);
    assert_eq!(store.documents_of("none", "", 3).await, Ok(Vec::new()));
}

pub(crate) async fn fifty_writers_of_one_document_lose_no_change<H: Harness>(harness: H) {
    let store = harness.open().await;
    let mut writers = JoinSet::new();
    for _ in 0..50 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            loop {
                let read = store.document("kind", "counter").await.unwrap();
                let version = read.as_ref().map_or(0, |document| document.version);
                let count = read.map_or(0, |document| {
                    std::str::from_utf8(&document.bytes).unwrap().parse::<u64>().unwrap()
                });
                let next = bytes(&(count + 1).to_string());
                match store.put_document("kind", "counter", version, next).await.unwrap() {
                    Put::Written(_) => return,
                    Put::Conflict(_) => {}
                }
            }
        });
    }
    writers.join_all().await;

    let document = Document { version: 50, bytes: bytes("50") };
    assert_eq!(store.document("kind", "counter").await, Ok(Some(document)));
}

pub(crate) async fn of_those_who_want_a_unique_name_one_gets_it<H: Harness>(harness: H) {
    let store = harness.open().await;
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let put = store.put_document("name", "ann@example.org", 0, bytes(&writer.to_string()));
            (put.await.unwrap() == Put::Written(1)).then_some(writer)
        });
    }
    let winners: Vec<_> = writers.join_all().await.into_iter().flatten().collect();

    assert_eq!(winners.len(), 1);
    let document = store.document("name", "ann@example.org").await.unwrap().unwrap();
    assert_eq!(document, Document { version: 1, bytes: bytes(&winners[0].to_string()) });
}

pub(crate) async fn documents_survive_a_reopen<H: Harness>(harness: H) {
    let store = harness.open().await;
    store.put_document("kind", "ключ", 0, bytes("first")).await.unwrap();
    store.put_document("kind", "ключ", 1, bytes("second")).await.unwrap();
    harness.close(store).await;

    let store = harness.open().await;

    let document = Document { version: 2, bytes: bytes("second") };
    assert_eq!(store.document("kind", "ключ").await, Ok(Some(document)));
}
