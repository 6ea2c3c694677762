//! Where a session lives.

use crate::{
    node::Node,
    plant::{self, Plant},
    port::{Incarnation, NodeRow, Store, StoreError},
};

/// Another node, which owns a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Which life of it.
    pub(crate) incarnation: Incarnation,
    /// Where it is reached, `host:port`; none: it has not said so.
    pub(crate) address: Option<String>,
}

impl Owner {
    /// The owner of that incarnation, if its sessions may not be claimed: it lives, or it is dead
    /// and not recovered yet. To be asked after the session's row was read.
    ///
    /// # Errors
    /// As the store fails.
    pub(crate) async fn find(
        store: &dyn Store,
        owner: Incarnation,
    ) -> Result<Option<Self>, StoreError> {
        // Where the store is one process's own, every other incarnation is recovered at start.
        if !store.is_shared() || plant::is(Plant::OwnerIgnored) {
            return Ok(None);
        }
        let listed = store.nodes().await?;
        let found = listed.into_iter().find(|node| node.incarnation == owner);
        let found = found.filter(|node| !node.sealed || !plant::is(Plant::ClaimedBeforeRecovery));
        Ok(found.map(|NodeRow { incarnation, address, .. }| Self { incarnation, address }))
    }

    /// Whether this node is still who it takes itself for: nobody has sealed it.
    ///
    /// # Errors
    /// As the store fails.
    pub(crate) async fn is_live(node: &Node) -> Result<bool, StoreError> {
        if !node.store.is_shared() {
            return Ok(true);
        }
        let (listed, me) = (node.store.nodes().await?, node.journal.incarnation());
        Ok(listed.iter().any(|node| node.incarnation == me && !node.sealed))
    }
}

/// Whose a session is, as seen from this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// This node's; or nobody's, since there is none of its id.
    Here,
    /// Another node's: its commands and attachments go there.
    At(Owner),
}
