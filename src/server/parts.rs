//! The parts of a server, built from its configuration.

use super::{Rates, SystemClock, backend::Backend};
use crate::{
    auth::{Auth, Keys},
    config::{Config, ProviderConfig},
    failure::Failure,
    llm::{self, Meter, OpenAi, Watched, demo::Demo},
    redis::{self, Membership, Redis},
};
use greenroom_actors::{
    Engine, Ports,
    port::{Alone, Clock, Provider},
};
use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};
use tokio::task::spawn_blocking;

/// What a server holds.
pub(super) struct Parts {
    pub(super) store: Backend,
    pub(super) auth: Arc<Auth>,
    pub(super) engine: Arc<Engine>,
    /// In order of preference; never empty.
    pub(super) providers: Vec<Arc<dyn Provider>>,
    /// What the providers count.
    pub(super) llm: Meter,
    /// What nodes share; none: this one is alone.
    pub(super) redis: Option<Arc<Redis>>,
    pub(super) redis_meter: redis::Meter,
    /// Ends with the server.
    _membership: Option<Membership>,
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

pub(super) fn unavailable(error: &dyn Error) -> Failure {
    Failure::Unavailable(chain(error))
}

impl Parts {
    /// Opens the store and starts the engine on it, which recovers what earlier runs left. Other
    /// nodes reach it at `internal`, unless it is configured otherwise.
    pub(super) async fn start(config: &Config, internal: SocketAddr) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Backend::open(config, clock.now_ms()).await?;
        let (data_dir, auth) = (config.server.data_dir.clone(), config.auth.clone());
        let keys = spawn_blocking(move || Keys::load_or_create(&auth, &data_dir)).await;
        let keys = keys.map_err(|error| Failure::Failed(error.to_string()))?;
        let keys = keys.map_err(|error| unavailable(&error))?;
        let documents = store.documents();
        let auth = Auth::new(&config.auth, keys, documents, clock.clone()).await;
        let auth = Arc::new(auth.map_err(|error| unavailable(&error))?);
        let redis_meter = redis::Meter::default();
        let redis = open_redis(config, &redis_meter)?;
        let llm = Meter::default();
        let providers = providers(config, &llm)?;
        let ports = Ports {
            store: store.store(),
            clock,
            authenticator: auth.clone(),
            limiter: Arc::new(Rates::new(&config.limits, redis.as_ref().map(|one| one.buckets()))),
            cooldowns: match &redis {
                Some(redis) => redis.clone(),
                None => Arc::new(Alone),
            },
            providers: providers.clone(),
        };
        let mut terms = config.engine();
        if terms.cluster.address.is_empty() {
            terms.cluster.address = internal.to_string();
        }
        let engine = Engine::start(ports, terms).await;
        let engine = Arc::new(engine.map_err(|error| unavailable(&error))?);
        let told = Arc::downgrade(&engine); // the engine holds `auth`
        let others = redis.clone();
        auth.on_sign_out(move |user, sign_in| {
            if let Some(engine) = told.upgrade() {
                engine.sign_out(user, sign_in);
            }
            if let Some(others) = &others {
                others.sign_out(user, sign_in);
            }
        });
        let _membership = match &redis {
            Some(redis) => Some(join(redis, &auth, &engine).await?),
            None => None,
        };
        Ok(Self { store, auth, engine, providers, llm, redis, redis_meter, _membership })
    }
}

/// Shares what nodes share. A sign-in that ends on another node ends here as well.
async fn join(
    redis: &Redis,
    auth: &Arc<Auth>,
    engine: &Arc<Engine>,
) -> Result<Membership, Failure> {
    let (auth, engine) = (auth.clone(), Arc::downgrade(engine));
    let on_sign_out = move |user, sign_in| {
        auth.ended_elsewhere(sign_in);
        if let Some(engine) = engine.upgrade() {
            engine.sign_out(user, sign_in);
        }
    };
    redis.join(on_sign_out).await.map_err(|error| unavailable(&error))
}

/// Redis, where one is configured. Whether it answers is found out later.
fn open_redis(config: &Config, meter: &redis::Meter) -> Result<Option<Arc<Redis>>, Failure> {
    if !config.redis.is_set() {
        return Ok(None);
    }
    let token_life = Duration::from_secs(config.auth.access_secs);
    let redis = Redis::open(&config.redis, token_life, meter.clone());
    Ok(Some(Arc::new(redis.map_err(|error| unavailable(&error))?)))
}

/// The configured providers; the one that is to answer comes first.
fn providers(config: &Config, meter: &Meter) -> Result<Vec<Arc<dyn Provider>>, Failure> {
    let mut configs: Vec<&ProviderConfig> = config.providers.iter().collect();
    configs.sort_by_key(|provider| provider.name() != config.runs.provider);
    let build = |config: &ProviderConfig| {
        provider(config, meter.clone()).map_err(|error| unavailable(&error))
    };
    configs.into_iter().map(build).collect()
}

/// A configured provider, whose calls are traced, and counted in `meter`.
pub(crate) fn provider(
    config: &ProviderConfig,
    meter: Meter,
) -> Result<Arc<dyn Provider>, llm::ConfigError> {
    let provider: Arc<dyn Provider> = match config {
        ProviderConfig::Demo(demo) => Arc::new(Demo::new(*demo)),
        ProviderConfig::Model(model) => Arc::new(OpenAi::new(model.resolve()?, meter.clone())?),
    };
    Ok(Arc::new(Watched::new(provider, meter)))
}
