//! The connection to Redis: scripts go out, lists come back. The only file that knows the driver.

use super::{Meter, RedisError, breaker::Breaker, script::Script};
use crate::config::RedisConfig;
use fred::{
    clients::Client,
    error::Error,
    interfaces::{ClientLike as _, EventInterface as _, LuaInterface as _, PubsubInterface as _},
    types::{
        Builder, ClientState, FromValue, Message, Value,
        config::{
            Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, UnresponsiveConfig,
        },
    },
    util::sha1_hash,
};
use std::{collections::BTreeMap, fmt, time::Duration};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

/// Longest wait for a connection, and for each step of its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// A connection on which a question is without an answer for so long is given up.
const SILENCE_MAX: Duration = Duration::from_millis(1500);
/// Most questions that wait to be sent; further ones fail.
const WAITING_MAX: usize = 10_000;
/// Messages of a subscription that wait to be read. Lost ones are healed by the beat.
const MESSAGES_MAX: usize = 256;
/// Pauses between two tries to connect, in milliseconds.
const RECONNECT_MS: (u32, u32) = (50, 1000);

/// A connection that comes back by itself. All questions of a node share it: the driver sends
/// what is asked at one time together.
pub(super) struct Connection {
    client: Client,
    /// By which Redis knows a script that it has read once.
    hashes: BTreeMap<Script, String>,
    breaker: Breaker,
    prefix: String,
    meter: Meter,
    _task: AbortOnDropHandle<Result<(), Error>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// What a script answers.
pub(super) trait Answer: FromValue + Send {}
impl<T: FromValue + Send> Answer for T {}

impl Connection {
    /// Begins to connect, and does not wait for it.
    pub(super) fn open(config: &RedisConfig, meter: Meter) -> Result<Self, RedisError> {
        let client = builder(config)?.build().map_err(|error| of_driver(&error))?;
        let task = AbortOnDropHandle::new(client.connect());
        let hashes = Script::ALL.map(|script| (script, sha1_hash(script.lua())));
        Ok(Self {
            client,
            hashes: hashes.into(),
            breaker: Breaker::default(),
            prefix: config.prefix.clone(),
            meter,
            _task: task,
        })
    }

    /// Whether Redis answered of late.
    pub(super) fn is_up(&self) -> bool {
        self.breaker.is_closed() && self.client.state() == ClientState::Connected
    }

    /// The name of a key or a channel. All share one hash tag, as one script may use several.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{{{}}}:{name}", self.prefix)
    }

    /// Runs a script, unless Redis is known not to answer.
    pub(super) async fn ask<T: Answer>(
        &self,
        script: Script,
        keys: Vec<String>,
        args: Vec<String>,
    ) -> Result<T, RedisError> {
        if !self.is_up() {
            self.meter.skipped(script);
            return Err(RedisError::Down);
        }
        self.probe(script, keys, args).await
    }

    /// Runs a script in any case, to find out whether Redis answers.
    pub(super) async fn probe<T: Answer>(
        &self,
        script: Script,
        keys: Vec<String>,
        args: Vec<String>,
    ) -> Result<T, RedisError> {
        let begun = Instant::now();
        let answer = self.run::<T>(script, keys, args).await;
        self.meter.asked(script, answer.is_ok(), begun.elapsed());
        match &answer {
            Ok(_) => {
                if self.breaker.answered() {
                    self.meter.up(true);
                    tracing::info!("Redis answers");
                }
            }
            Err(error) => {
                if self.breaker.failed() {
                    self.meter.up(false);
                    tracing::warn!(%error, "Redis does not answer; this node goes on without it");
                }
            }
        }
        answer
    }

    async fn run<T: Answer>(
        &self,
        script: Script,
        keys: Vec<String>,
        args: Vec<String>,
    ) -> Result<T, RedisError> {
        let hash = self.hashes.get(&script).cloned().unwrap_or_default();
        // A Redis that was started again knows no script: then it is loaded.
        let value: Value = match self.client.evalsha(hash, keys.clone(), args.clone()).await {
            Err(error) if error.details().starts_with("NOSCRIPT") => {
                let failed = |error: Error| of_driver(&error);
                self.client.eval(script.lua(), keys, args).await.map_err(failed)?
            }
            answer => answer.map_err(|error| of_driver(&error))?,
        };
        value.convert().map_err(|error| of_driver(&error))
    }
}

/// Messages of one channel.
pub(super) struct Bell {
    client: Client,
    channel: String,
    messages: Receiver<Message>,
    _task: AbortOnDropHandle<Result<(), Error>>,
}

impl Bell {
    /// Begins to connect, and does not wait for it.
    pub(super) fn open(config: &RedisConfig, channel: String) -> Result<Self, RedisError> {
        let client = builder(config)?.build().map_err(|error| of_driver(&error))?;
        let messages = client.message_rx();
        let task = AbortOnDropHandle::new(client.connect());
        Ok(Self { client, channel, messages, _task: task })
    }

    /// Subscribes. A repeat changes nothing, and makes a subscription good that was lost with its
    /// connection.
    pub(super) async fn subscribe(&self) {
        let _ = self.client.subscribe(self.channel.as_str()).await; // the next beat tries again
    }

    /// Waits for the next message that another than `node` sent. Cancel-safe.
    pub(super) async fn ring(&mut self, node: &str) {
        loop {
            match self.messages.recv().await {
                Ok(message) if message.value.as_str().as_deref() == Some(node) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// The driver with all of its limits set: by default it waits for ever.
fn builder(config: &RedisConfig) -> Result<Builder, RedisError> {
    let mut driver = Config::from_url(&config.url).map_err(|error| {
        RedisError::Unusable(error.kind().to_str().to_owned()) // its text might repeat the address
    })?;
    driver.fail_fast = false;
    let mut builder = Builder::from_config(driver);
    builder
        .with_connection_config(|connection| {
            *connection = ConnectionConfig {
                connection_timeout: CONNECT_TIMEOUT,
                internal_command_timeout: CONNECT_TIMEOUT,
                max_command_attempts: 1,
                max_command_buffer_len: WAITING_MAX,
                reconnect_on_auth_error: true,
                unresponsive: UnresponsiveConfig {
                    max_timeout: Some(SILENCE_MAX),
                    interval: SILENCE_MAX / 3,
                },
                ..ConnectionConfig::default()
            };
        })
        .with_performance_config(|performance| {
            *performance = PerformanceConfig {
                default_command_timeout: Duration::from_millis(config.answer_ms_max),
                broadcast_channel_capacity: MESSAGES_MAX,
                ..PerformanceConfig::default()
            };
        })
        .set_policy(ReconnectPolicy::new_exponential(0, RECONNECT_MS.0, RECONNECT_MS.1, 2));
    Ok(builder)
}

fn of_driver(error: &Error) -> RedisError {
    RedisError::Failed(error.details().to_owned())
}
