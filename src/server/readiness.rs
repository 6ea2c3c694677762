//! What the internal port tells of this node: whether it should get new clients, and what its
//! providers are like.

use crate::rest::{Dependency, Providers, Readiness};
use greenroom_actors::{Engine, Health, keypool::ProviderView, port::BoxFuture};
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

/// Providers as the engine knows them.
#[derive(Debug)]
pub(super) struct EngineProviders(pub(super) Arc<Engine>);

impl Providers for EngineProviders {
    fn providers(&self) -> BoxFuture<'_, Vec<ProviderView>> {
        Box::pin(self.0.providers())
    }
}
