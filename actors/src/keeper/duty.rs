//! Which node does the work that is one node's at a time.

use crate::{
    cluster::Owner,
    node::Node,
    port::{Incarnation, Put, StoreError},
};
use bytes::Bytes;

/// Where the incarnation stands that does it.
const KIND: &str = "duty";
const KEY: &str = "keeper";

/// Whether the scheduled work is this node's. It becomes so once nobody has it, or who had it is
/// dead and recovered: no clock decides. Where the store is one process's own, nothing is asked.
///
/// # Errors
/// As the store fails.
pub(crate) async fn is_mine(node: &Node) -> Result<bool, StoreError> {
    if !node.store.is_shared() {
        return Ok(true);
    }
    let me = node.journal.incarnation();
    let version = match node.store.document(KIND, KEY).await? {
        Some(found) => {
            let holder = <[u8; 8]>::try_from(&*found.bytes).map(u64::from_le_bytes);
            match holder.map(Incarnation) {
                Ok(holder) if holder == me => return Ok(true),
                Ok(holder) if Owner::find(&*node.store, holder).await?.is_some() => {
                    return Ok(false);
                }
                Ok(_) | Err(_) => found.version, // what is unreadable is nobody's
            }
        }
        None => 0,
    };
    let bytes = Bytes::copy_from_slice(&me.0.to_le_bytes());
    let put = node.store.put_document(KIND, KEY, version, bytes).await?;
    Ok(matches!(put, Put::Written(_)))
}
