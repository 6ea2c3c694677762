//! Bytes of a snapshot: a version and the core as JSON.

use super::core::Core;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Version of the layout.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Wire<C> {
    version: u32,
    core: C,
}

/// Bytes that are no snapshot of this version.
#[derive(Debug, thiserror::Error)]
#[error("not a snapshot of version {VERSION}")]
pub(crate) struct SnapshotError(#[source] Option<serde_json::Error>);

/// Encodes a core.
pub(crate) fn encode(core: &Core) -> Bytes {
    serde_json::to_vec(&Wire { version: VERSION, core }).unwrap_or_default().into()
}

/// Decodes a core.
///
/// # Errors
/// [`SnapshotError`].
pub(crate) fn decode(bytes: &[u8]) -> Result<Core, SnapshotError> {
    let wire: Wire<Core> =
        serde_json::from_slice(bytes).map_err(|error| SnapshotError(Some(error)))?;
    if wire.version != VERSION {
        return Err(SnapshotError(None));
    }
    Ok(wire.core)
}
