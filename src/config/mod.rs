//! The configuration: one typed struct, checked before anything starts.
//!
//! Flags win over environment variables, those over the file, that over the defaults
//! ([`spec::DEFAULT_TOML`]). What is unknown or wrong is refused with its key, its source and what
//! to do about it, all at once.

mod auth;
mod cluster;
mod credits;
mod error;
mod gateway;
mod hub;
mod keypool;
mod limits;
mod load;
mod log;
mod providers;
mod redis;
pub mod report;
mod runs;
mod server;
mod session;
mod source;
pub mod spec;
mod store;
mod telemetry;

pub use cluster::ClusterConfig;
pub use credits::CreditsConfig;
pub use error::{ConfigError, Problem};
pub use hub::HubConfig;
pub use keypool::{KeyPoolConfig, Selection};
pub use limits::LimitsConfig;
#[cfg(feature = "fuzzing")]
pub use load::load_text;
pub use load::{Loaded, Mode, Resolved, Sources, load};
pub use log::{LogConfig, LogFormat};
pub use providers::ProviderConfig;
pub(crate) use providers::{NO_PROVIDER, NO_PROVIDER_FIX};
pub use redis::RedisConfig;
pub use runs::RunsConfig;
pub use server::ServerConfig;
pub use session::SessionConfig;
pub use source::Flag;
pub use store::{StoreConfig, StoreKind};
pub use telemetry::TelemetryConfig;

#[cfg(test)]
mod tests;

use crate::{auth::AuthConfig, gateway::GatewayConfig};
use error::Problems;
use greenroom_actors::{EngineConfig, run::OutputLimits};
use serde::Deserialize;
use std::time::Duration;

/// Everything that can be configured.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the two ports and the data are.
    pub server: ServerConfig,
    /// Where everything durable is.
    pub store: StoreConfig,
    /// Section `[cluster]`.
    pub cluster: ClusterConfig,
    /// Connections, requests and sockets.
    pub gateway: GatewayConfig,
    /// Accounts and tokens.
    pub auth: AuthConfig,
    /// What one user and one socket may do.
    pub limits: LimitsConfig,
    /// How sessions flush and rest.
    pub session: SessionConfig,
    /// What runs may take.
    pub runs: RunsConfig,
    /// What runs cost, and what users get.
    pub credits: CreditsConfig,
    /// Whether and how runs are planned.
    pub hub: HubConfig,
    /// How keys are chosen.
    pub keypool: KeyPoolConfig,
    /// Providers of answers in the order of preference; empty in [`Mode::Examine`] alone.
    #[serde(skip)]
    pub providers: Vec<ProviderConfig>,
    /// What nodes share.
    pub redis: RedisConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// Where traces go.
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// The settings of the engine.
    #[must_use]
    pub fn engine(&self) -> EngineConfig {
        let Self { session, runs, limits, keypool, .. } = self;
        EngineConfig {
            window: Duration::from_millis(session.window_ms),
            window_max: Duration::from_millis(session.window_max_ms),
            linger: Duration::from_millis(session.linger_ms),
            hibernate_after: Duration::from_secs(session.hibernate_after_secs),
            runs_per_user: runs.per_user_max,
            connections_per_user: limits.sockets_per_user_max,
            attachments_per_connection: limits.attachments_per_socket_max,
            provider_calls: runs.provider_calls_max,
            provider_wait: Duration::from_secs(runs.provider_wait_secs),
            provider_waiting: runs.provider_waiting_max,
            provider_fallbacks: runs.fallbacks.clone(),
            key_selection: keypool.selection.into(),
            key_exhausted: Duration::from_secs(keypool.exhausted_secs),
            run_timeout: Duration::from_secs(runs.timeout_secs),
            output: OutputLimits {
                files_max: runs.files_max,
                file_bytes_max: runs.file_bytes_max,
                run_bytes_max: runs.output_bytes_max,
            },
            drain_timeout: Duration::from_secs(runs.drain_secs),
            credits: self.credits.engine(),
            hub: self.hub.engine(),
            cluster: self.cluster.engine(),
            ..EngineConfig::default()
        }
    }

    fn check(&self, problems: &mut Problems) {
        self.server.check(problems);
        self.store.check(problems);
        self.cluster.check(problems);
        let is_anywhere = matches!(self.server.internal_host.as_str(), "0.0.0.0" | "::" | "[::]");
        if self.store.kind == StoreKind::Cql && is_anywhere && self.cluster.address.is_empty() {
            let fix = "set it to where the other servers reach server.internal_port, host:port";
            problems.add("cluster.address", "server.internal_host is no address of this one", fix);
        }
        if self.store.kind == StoreKind::Cql && self.auth.jwt_secret.is_none() {
            let fix = "give all servers of the cluster the same: `openssl rand -hex 32`";
            problems.add("auth.jwt_secret", "each server would make its own", fix);
        }
        gateway::check(&self.gateway, problems);
        auth::check(&self.auth, problems);
        self.limits.check(problems);
        self.session.check(problems);
        self.runs.check(problems);
        self.keypool.check(problems);
        self.credits.check(problems);
        self.hub.check(problems);
        self.redis.check(problems);
        self.log.check(problems);
        self.telemetry.check(problems);
        for provider in &self.providers {
            provider.check(problems);
        }
        let names: Vec<_> = self.providers.iter().map(ProviderConfig::name).collect();
        let first = Some(&self.runs.provider).filter(|name| !name.is_empty() && !names.is_empty());
        let first = first.into_iter().map(|name| ("runs.provider", name));
        let others = self.runs.fallbacks.iter().map(|name| ("runs.fallbacks", name));
        for (key, wanted) in first.chain(others).filter(|(_, name)| !names.contains(&name.as_str()))
        {
            let fix = format!("name one of these: {}", names.join(", "));
            problems.add(key, format!("no provider is called {wanted:?}"), fix);
        }
    }
}
