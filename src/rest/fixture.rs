//! An engine on fakes behind REST, for tests.

use super::Context;
use crate::auth::fixture::fixture;
use greenroom_actors::{
    Engine, EngineConfig, Ports,
    fake::{FakeAuth, FakeLimiter, FakeProvider, FakeStore},
    port::{Alone, FixedClock},
};
use std::{sync::Arc, time::Duration};

/// A context whose store is empty and whose provider never answers.
pub(super) async fn context() -> Context {
    let ports = Ports {
        store: Arc::new(FakeStore::new()),
        clock: Arc::new(FixedClock::new(1)),
        authenticator: Arc::new(FakeAuth),
        limiter: Arc::new(FakeLimiter::default()),
        cooldowns: Arc::new(Alone),
        providers: vec![FakeProvider::new().0],
    };
    Context {
        auth: fixture().await.auth,
        engine: Arc::new(Engine::start(ports, EngineConfig::default()).await.unwrap()),
        body_wait: Duration::from_secs(1),
        answer_wait: Duration::from_secs(1),
    }
}
