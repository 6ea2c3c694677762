//! A store in memory and an `Auth` over it, for tests.

use super::{Auth, AuthConfig, Keys, Secret};
use bytes::Bytes;
use greenroom_actors::port::{BoxFuture, Document, Documents, FixedClock, Put, StoreError};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// When the tests begin, in milliseconds since 1970.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

/// Documents in memory.
#[derive(Default)]
pub(crate) struct Memory {
    documents: Mutex<BTreeMap<(&'static str, String), Document>>,
}

impl Memory {
    /// Everything that is stored, as text.
    pub(crate) fn dump(&self) -> String {
        format!("{:?}", self.documents.lock().unwrap())
    }

    /// How many documents of a kind there are.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.documents.lock().unwrap().keys().filter(|(k, _)| *k == kind).count()
    }

    fn change(&self, kind: &'static str, key: &str, if_version: u64, bytes: Option<Bytes>) -> Put {
        let mut documents = self.documents.lock().unwrap();
        let key = (kind, key.to_owned());
        let version = documents.get(&key).map_or(0, |document| document.version);
        if version != if_version {
            return Put::Conflict(version);
        }
        match bytes {
            Some(bytes) => {
                documents.insert(key, Document { version: version + 1, bytes });
                Put::Written(version + 1)
            }
            None => {
                documents.remove(&key);
                Put::Written(0)
            }
        }
    }
}

impl Documents for Memory {
    fn document(
        &self,
        kind: &'static str,
        key: &str,
    ) -> BoxFuture<'_, Result<Option<Document>, StoreError>> {
        let key = (kind, key.to_owned());
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(self.documents.lock().unwrap().get(&key).cloned())
        })
    }

    fn documents_of(
        &self,
        kind: &'static str,
        after: &str,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(String, Document)>, StoreError>> {
        let after = after.to_owned();
        let documents = self.documents.lock().unwrap();
        let of_kind = documents.iter().filter(|((of, key), _)| *of == kind && *key > after);
        let page = of_kind.take(usize::try_from(limit).unwrap());
        let page = page.map(|((_, key), document)| (key.clone(), document.clone())).collect();
        Box::pin(std::future::ready(Ok(page)))
    }

    fn put_document(
        &self,
        kind: &'static str,
        key: &str,
        if_version: u64,
        bytes: Bytes,
    ) -> BoxFuture<'_, Result<Put, StoreError>> {
        let key = key.to_owned();
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(self.change(kind, &key, if_version, Some(bytes)))
        })
    }

    fn remove_document(
        &self,
        kind: &'static str,
        key: &str,
        if_version: u64,
    ) -> BoxFuture<'_, Result<Put, StoreError>> {
        let key = key.to_owned();
        Box::pin(async move { Ok(self.change(kind, &key, if_version, None)) })
    }
}

/// An `Auth`, its store and its clock.
pub(crate) struct Fixture {
    pub(crate) auth: Arc<Auth>,
    pub(crate) store: Arc<Memory>,
    pub(crate) clock: Arc<FixedClock>,
}

/// Settings with cheap hashes.
pub(crate) fn config() -> AuthConfig {
    AuthConfig { bcrypt_cost: 4, ..AuthConfig::default() }
}

/// An `Auth` with cheap hashes over an empty store.
pub(crate) async fn fixture() -> Fixture {
    over(config(), Arc::default()).await
}

/// An `Auth` over a store.
pub(crate) async fn over(config: AuthConfig, store: Arc<Memory>) -> Fixture {
    let clock = Arc::new(FixedClock::new(NOW_MS));
    let keys = Keys::new(&Secret::new([1; 32]), &[]).unwrap();
    let (documents, time) = (Arc::clone(&store) as _, Arc::clone(&clock) as _);
    let auth = Arc::new(Auth::new(&config, keys, documents, time).await.unwrap());
    Fixture { auth, store, clock }
}
