//! What all actors of a node share.

use crate::{
    account::CreditTerms,
    cluster::ClusterTerms,
    credits::{CreditsHandle, Prices},
    health::Health,
    journal::JournalHandle,
    keypool::Selection,
    llm::LlmHandle,
    meter::Meter,
    permits::Permits,
    port::{Authenticator, Clock, Cooldowns, Limiter, Store},
    run::OutputLimits,
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// By which terms and at which prices runs are paid.
#[derive(Clone, Debug)]
pub struct CreditConfig {
    /// How credits are given and reserved.
    pub terms: CreditTerms,
    /// What models cost.
    pub prices: Prices,
}

/// Whether and how runs are planned before they begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubTerms {
    /// Whether a run that does not say is planned.
    pub plan: bool,
    /// A plan whose run reserves at most this goes on without being asked for approval, in
    /// micro-credits; 0: none does.
    pub auto_approve: u64,
    /// The model of the hub's calls; none: the run's own.
    pub model: Option<String>,
}

/// Settings of the engine. Durations are lengths of tokio's clock.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Coalescing window of a run's deltas; the first goes at once. 0: none.
    pub window: Duration,
    /// Widest window under load.
    pub window_max: Duration,
    /// Least time between two journal records where nothing is urgent.
    pub linger: Duration,
    /// An idle session's actor sleeps after this long.
    pub hibernate_after: Duration,
    /// How often a session looks after its tail.
    pub session_tick: Duration,
    /// Runs under way a user.
    pub runs_per_user: u32,
    /// Sockets a user.
    pub connections_per_user: u32,
    /// Attachments a socket.
    pub attachments_per_connection: u32,
    /// Calls to one provider at a time, over all users.
    pub provider_calls: u32,
    /// How long a run may wait for a key with room.
    pub provider_wait: Duration,
    /// Runs that may wait for one, over all users.
    pub provider_waiting: usize,
    /// Names of providers that answer where the default one cannot, in this order.
    pub provider_fallbacks: Vec<String>,
    /// How keys are chosen.
    pub key_selection: Selection,
    /// First rest of a key whose account has nothing to spend.
    pub key_exhausted: Duration,
    /// Longest run.
    pub run_timeout: Duration,
    /// What one run may write.
    pub output: OutputLimits,
    /// How long a drain waits for runs.
    pub drain_timeout: Duration,
    /// How runs are paid; none: they are free.
    pub credits: Option<CreditConfig>,
    /// How runs are planned.
    pub hub: HubTerms,
    /// How the node takes part in a cluster, where its store is shared.
    pub cluster: ClusterTerms,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_millis(40),
            window_max: Duration::from_millis(250),
            linger: Duration::from_millis(5),
            hibernate_after: Duration::from_secs(30),
            session_tick: Duration::from_secs(5),
            runs_per_user: 8,
            connections_per_user: 32,
            attachments_per_connection: 128,
            provider_calls: 1024,
            provider_wait: Duration::from_secs(60),
            provider_waiting: 1024,
            provider_fallbacks: Vec::new(),
            key_selection: Selection::Headroom,
            key_exhausted: Duration::from_secs(600),
            run_timeout: Duration::from_secs(30 * 60),
            output: OutputLimits::default(),
            drain_timeout: Duration::from_secs(10),
            credits: None,
            hub: HubTerms::default(),
            cluster: ClusterTerms::default(),
        }
    }
}

/// What the engine needs from outside.
#[derive(Clone)]
pub struct Ports {
    /// Everything durable.
    pub store: Arc<dyn Store>,
    /// Time of day.
    pub clock: Arc<dyn Clock>,
    /// Who a token stands for.
    pub authenticator: Arc<dyn Authenticator>,
    /// Rates.
    pub limiter: Arc<dyn Limiter>,
    /// Cooldowns that nodes share.
    pub cooldowns: Arc<dyn Cooldowns>,
    /// Providers in order of preference; the first is the default.
    pub providers: Vec<Arc<dyn crate::port::Provider>>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ports")
    }
}

/// One node's shared parts.
pub(crate) struct Node {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) limiter: Arc<dyn Limiter>,
    /// The journal of this incarnation; a fenced node goes on as another value of all this.
    pub(crate) journal: JournalHandle,
    pub(crate) llm: LlmHandle,
    /// The model of a run that names none.
    pub(crate) default_model: Option<String>,
    /// Accounts; none: runs are free.
    pub(crate) credits: Option<CreditsHandle>,
    pub(crate) config: EngineConfig,
    pub(crate) meter: Arc<Meter>,
    pub(crate) health: Arc<Health>,
    pub(crate) permits: Permits,
    /// Begin of the grid on which windows end together.
    pub(crate) started: Instant,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Node")
    }
}
