//! Redis: what nodes share that need not last. It is never the only copy of anything, and a node
//! goes on without it: every use says what it does then.
//!
//! | use | without Redis |
//! |---|---|
//! | rates of users, sources and sign-ins ([`Buckets`]) | each node counts by itself, its share of the nodes that were there |
//! | who has signed out | tokens live on elsewhere until they expire; told as soon as Redis is back |
//! | cooldowns of providers | each node finds out by itself |
//! | which nodes are there | as it was |
//!
//! Nothing waits for a Redis that is away: after a few failures nobody asks any more but the
//! [`beat`], once a second.

mod beat;
mod breaker;
mod buckets;
mod connection;
mod error;
mod heard;
mod meter;
mod news;
mod outbox;
mod script;

pub use buckets::{Bucket, Buckets, Taken};
pub use error::RedisError;
pub use meter::Meter;

use crate::config::RedisConfig;
use beat::{Beat, OnSignOut};
use connection::Connection;
use greenroom_actors::port::{BoxFuture, Cooldowns, Cooling, SignIn};
use greenroom_protocol::id::UserId;
use news::News;
use outbox::Outbox;
use script::Script;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU32},
    time::Duration,
};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify, mpsc},
    task::JoinSet,
    time::Instant,
};

/// Cooldowns that wait for the key pool to hear them.
const COOLING_MAX: usize = 64;

/// A node's share of a Redis.
pub struct Redis {
    config: RedisConfig,
    inner: Arc<Inner>,
    cooling: AsyncMutex<mpsc::Receiver<Cooling>>,
}

/// What the face and the beat share.
struct Inner {
    connection: Arc<Connection>,
    /// This life of this node.
    node: String,
    /// How many nodes there were when Redis was last heard of; 0: it never was.
    nodes: Arc<AtomicU32>,
    outbox: Mutex<Outbox>,
    /// Rings where there is something to tell.
    wake: Notify,
    cooling: mpsc::Sender<Cooling>,
    /// Longest life of a token that belongs to a sign-in.
    token_life: Duration,
    meter: Meter,
}

/// A node that takes part; ends when it is dropped.
#[derive(Debug)]
pub struct Membership {
    _beat: JoinSet<()>,
}

/// What a Redis is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Its version.
    pub version: String,
    /// What it does when its memory is full.
    pub eviction: String,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("node", &self.inner.node).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Redis {
    /// Begins to connect, and does not wait for it. Tokens of a sign-in live for `token_life` at
    /// most.
    ///
    /// # Errors
    /// [`RedisError::Unusable`].
    pub fn open(
        config: &RedisConfig,
        token_life: Duration,
        meter: Meter,
    ) -> Result<Self, RedisError> {
        let connection = Arc::new(Connection::open(config, meter.clone())?);
        let (sender, cooling) = mpsc::channel(COOLING_MAX);
        let inner = Inner {
            connection,
            node: format!("{:032x}", rand::random::<u128>()),
            nodes: Arc::default(),
            outbox: Mutex::default(),
            wake: Notify::new(),
            cooling: sender,
            token_life,
            meter,
        };
        let cooling = AsyncMutex::new(cooling);
        Ok(Self { config: config.clone(), inner: Arc::new(inner), cooling })
    }

    /// Takes part: `on_sign_out` is told of sign-ins that end on other nodes, and at once of those
    /// that ended within the life of a token. Waits for Redis for as long as one question may take.
    ///
    /// # Errors
    /// [`RedisError::Unusable`]. A Redis that does not answer is no error.
    pub async fn join(
        &self,
        on_sign_out: impl Fn(UserId, SignIn) + Send + Sync + 'static,
    ) -> Result<Membership, RedisError> {
        let on_sign_out: OnSignOut = Box::new(on_sign_out);
        let mut beat = Beat::new(&self.config, self.inner.clone(), on_sign_out)?;
        if let Err(error) = beat.once().await {
            let place = self.config.place();
            tracing::warn!(place, %error, "Redis does not answer; this node begins without it");
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(beat.run());
        Ok(Membership { _beat: tasks })
    }

    /// Whether it answered of late.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.inner.connection.is_up()
    }

    /// How many nodes there were when Redis was last heard of.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        self.inner.nodes.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Rates that all nodes count together.
    #[must_use]
    pub fn buckets(&self) -> Buckets {
        Buckets::new(self.inner.connection.clone(), self.inner.nodes.clone())
    }

    /// Tells all nodes that a sign-in has ended. Never waits.
    pub fn sign_out(&self, user: UserId, sign_in: SignIn) {
        self.inner.tell(News::signed_out(user, sign_in), self.inner.token_life);
    }

    /// Asks what it is like; for an operator.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn examine(&self) -> Result<Examined, RedisError> {
        let connection = &self.inner.connection;
        let answer = connection.probe::<Vec<String>>(Script::Examine, Vec::new(), Vec::new());
        match answer.await?.as_slice() {
            [version, eviction] => {
                Ok(Examined { version: version.clone(), eviction: eviction.clone() })
            }
            _ => Err(RedisError::Failed("it does not say what it is".to_owned())),
        }
    }
}

impl Inner {
    fn tell(&self, news: News, holds: Duration) {
        if lock(&self.outbox).put(news, Instant::now() + holds) {
            self.wake.notify_one();
        }
    }
}

impl Cooldowns for Redis {
    fn tell(&self, cooling: Cooling) {
        self.inner.tell(News::cools(&cooling), cooling.rest);
    }

    fn next(&self) -> BoxFuture<'_, Cooling> {
        Box::pin(async {
            match self.cooling.lock().await.recv().await {
                Some(cooling) => cooling,
                None => std::future::pending().await, // no beat is left
            }
        })
    }
}
