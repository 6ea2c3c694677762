use super::harness::*;
use crate::{
    gateway::{GatewayConfig, Server},
    rest::{Api, Dependency, Providers, Readiness, internal_routes},
};
use greenroom_actors::{keypool::ProviderView, port::BoxFuture};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

#[derive(Default)]
struct Store(AtomicBool);

impl Readiness for Store {
    fn dependencies(&self) -> BoxFuture<'_, Vec<Dependency>> {
        let ready = self.0.load(Ordering::Relaxed);
        let reason = (!ready).then(|| "no quorum".into());
        Box::pin(async move { vec![Dependency { name: "store", ready, reason }] })
    }
}

struct Stuck;

impl Readiness for Stuck {
    fn dependencies(&self) -> BoxFuture<'_, Vec<Dependency>> {
        Box::pin(std::future::pending())
    }
}

struct NoProviders;

impl Providers for NoProviders {
    fn providers(&self) -> BoxFuture<'_, Vec<ProviderView>> {
        Box::pin(async { Vec::new() })
    }
}

fn internal(readiness: Arc<dyn Readiness>, registry: Registry) -> SocketAddr {
    let api = Api::new(internal_routes(readiness, Arc::new(registry), Arc::new(NoProviders)));
    let (address, shutdown, _) = start(Server::internal(&GatewayConfig::default(), api).unwrap());
    std::mem::forget(shutdown); // serves until the test ends
    address
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let store = Arc::new(Store::default());
    let address = internal(Arc::clone(&store) as _, Registry::default());

    let reply = request(address, "GET", "/readyz", &[], "").await;
    assert_eq!(reply.status, 503);
    let expected = serde_json::json!({
        "ready": false,
        "dependencies": [{ "name": "store", "ready": false, "reason": "no quorum" }],
    });
    assert_eq!(reply.json(), expected);
    assert_eq!(request(address, "GET", "/livez", &[], "").await.status, 200, "alive all the same");

    store.0.store(true, Ordering::Relaxed);
    let reply = request(address, "GET", "/readyz", &[], "").await;
    assert_eq!((reply.status, reply.json()["ready"].as_bool()), (200, Some(true)));
}

#[tokio::test]
async fn a_readiness_that_does_not_answer_is_no_readiness() {
    let address = internal(Arc::new(Stuck), Registry::default());
    let reply = request(address, "GET", "/readyz", &[], "").await;
    assert_eq!(reply.status, 503, "{reply:?}");
}

#[tokio::test]
async fn metrics_are_text_and_the_internal_port_has_nothing_else() {
    let mut registry = Registry::default();
    let counter = Counter::<u64>::default();
    registry.register("cats", "Cats", counter.clone());
    counter.inc_by(7);
    let address = internal(Arc::new(Store::default()), registry);

    let reply = request(address, "GET", "/metrics", &[], "").await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers["content-type"].starts_with("application/openmetrics-text"));
    assert!(reply.body.contains("cats_total 7\n"), "{}", reply.body);
    assert!(reply.body.ends_with("# EOF\n"));
    for path in ["/ws", "/ws/generate", "/api/v1/auth/login", "/"] {
        assert_eq!(request(address, "GET", path, &[], "").await.status, 404, "{path}");
    }
    let reply = request(address, "POST", "/metrics", &[], "").await;
    assert_eq!((reply.status, &*reply.headers["allow"]), (405, "GET"));
}
