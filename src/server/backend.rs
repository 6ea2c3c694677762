//! The store that the configuration names.

use super::parts::unavailable;
use crate::{
    config::{Config, StoreKind},
    failure::Failure,
    store::{
        cql::CqlStore,
        sqlite::{Options, SqliteStore},
    },
};
use greenroom_actors::port::{Documents, Store, StoreError};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// A store that is open.
#[derive(Clone, Debug)]
pub(super) enum Backend {
    /// The embedded one.
    Sqlite(Arc<SqliteStore>),
    /// That of a cluster.
    Cql(Arc<CqlStore>),
}

impl Backend {
    /// Opens the store; the data directory exists after that.
    pub(super) async fn open(config: &Config, now_ms: u64) -> Result<Self, Failure> {
        let data_dir = config.server.data_dir.clone();
        match config.store.kind {
            StoreKind::Sqlite => {
                let open = move || SqliteStore::open(&data_dir, Options::default(), now_ms);
                let opened = spawn_blocking(open).await;
                let opened = opened.map_err(|error| Failure::Failed(error.to_string()))?;
                Ok(Self::Sqlite(Arc::new(opened.map_err(|error| unavailable(&error))?)))
            }
            StoreKind::Cql => {
                let opened = CqlStore::open(&config.store.cql()).await;
                Ok(Self::Cql(Arc::new(opened.map_err(|error| unavailable(&error))?)))
            }
        }
    }

    /// All its ports.
    pub(super) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => store.clone(),
            Self::Cql(store) => store.clone(),
        }
    }

    /// Its documents.
    pub(super) fn documents(&self) -> Arc<dyn Documents> {
        match self {
            Self::Sqlite(store) => store.clone(),
            Self::Cql(store) => store.clone(),
        }
    }

    /// Writes what is queued here; a cluster has what it has acknowledged.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Cql(_) => Ok(()),
        }
    }
}
