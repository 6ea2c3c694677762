//! A consistent copy of the store.

use super::BackedUp;
use crate::{
    config::{Config, StoreKind},
    failure::Failure,
    store::sqlite,
};
use std::path::Path;
use tokio::task::spawn_blocking;

/// Writes a consistent copy of the store to a new file; the server may run meanwhile.
///
/// # Errors
/// [`Failure::Unavailable`] where there is no store, [`Failure::Failed`] where writing fails.
pub async fn backup(config: Config, to: &Path) -> Result<BackedUp, Failure> {
    if config.store.kind == StoreKind::Cql {
        let what = "the store is a cluster; take its own snapshots, as with `nodetool snapshot`";
        return Err(Failure::Usage(what.to_owned()));
    }
    let (from, file) = (config.server.data_dir, to.to_owned());
    if !from.is_dir() {
        let message = format!("{} is no data folder; see server.data_dir", from.display());
        return Err(Failure::Unavailable(message));
    }
    let copied = spawn_blocking(move || {
        sqlite::backup(&from, &file)?;
        let bytes = std::fs::metadata(&file).map(|found| found.len()).unwrap_or_default();
        Ok::<_, sqlite::BackupError>(BackedUp { file, bytes })
    });
    let copied = copied.await.map_err(|error| Failure::Failed(error.to_string()))?;
    copied.map_err(|error| Failure::Failed(super::parts::chain(&error)))
}
