//! Whether this node should get new clients.

use crate::rest::{Dependency, Readiness};
use greenroom_actors::{Health, port::BoxFuture};
use std::sync::Arc;

/// Readiness as the engine's health says.
#[derive(Debug)]
pub(super) struct EngineReadiness(pub(super) Arc<Health>);

impl Readiness for EngineReadiness {
    fn dependencies(&self) -> BoxFuture<'_, Vec<Dependency>> {
        let (writes, draining) = (self.0.store_writes(), self.0.draining());
        let store = Dependency {
            name: "store",
            ready: writes,
            reason: (!writes).then(|| "it refused the last write".to_owned()),
        };
        let node = Dependency {
            name: "node",
            ready: !draining,
            reason: draining.then(|| "it is shutting down".to_owned()),
        };
        Box::pin(std::future::ready(vec![store, node]))
    }
}
