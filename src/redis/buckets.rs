//! Rates that all nodes count together.

use super::{RedisError, connection::Connection, script::Script};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// A bucket, and what is to be taken from it: GCRA, as `governor` counts within a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Which one; holds no secret.
    pub name: String,
    /// Units that come back a minute; not 0.
    pub per_minute: u32,
    /// Most units in it.
    pub burst: u32,
}

/// What came of taking from buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// One unit was taken from each; so many are left, in their order.
    All(Vec<u32>),
    /// None was taken, as one bucket lacks.
    None {
        /// The first that does, by its place.
        lacks: usize,
        /// How long until it does not.
        retry_after: Duration,
    },
}

/// The buckets in Redis.
#[derive(Clone, Debug)]
pub struct Buckets {
    connection: Arc<Connection>,
    nodes: Arc<AtomicU32>,
}

impl Bucket {
    /// Microseconds in which a unit comes back.
    fn each_us(&self) -> u64 {
        60_000_000 / u64::from(self.per_minute.max(1))
    }
}

impl Buckets {
    pub(super) const fn new(connection: Arc<Connection>, nodes: Arc<AtomicU32>) -> Self {
        Self { connection, nodes }
    }

    /// How many nodes' worth one request counts within this node: 1 while Redis counts over all,
    /// else as many as there were when it was last heard of, so that together they allow no more.
    #[must_use]
    pub fn weight(&self) -> u32 {
        if self.connection.is_up() { 1 } else { self.nodes.load(Ordering::Relaxed).max(1) }
    }

    /// Takes one unit from each bucket, or from none; by the clock of Redis.
    ///
    /// # Errors
    /// [`RedisError`]: nothing is known then, and the node's own count is what holds.
    pub async fn take(&self, buckets: &[Bucket]) -> Result<Taken, RedisError> {
        let keys = buckets.iter().map(|bucket| self.key(bucket)).collect();
        let args = buckets.iter().flat_map(|bucket| {
            [bucket.each_us().to_string(), bucket.burst.max(1).to_string(), "1".to_owned()]
        });
        let answer: Vec<i64> = self.connection.ask(Script::Take, keys, args.collect()).await?;
        let unknown = || RedisError::Failed("an answer that is none".to_owned());
        match answer.as_slice() {
            [0, lacks, wait_ms] => Ok(Taken::None {
                lacks: usize::try_from(*lacks - 1).map_err(|_| unknown())?,
                retry_after: Duration::from_millis(u64::try_from(*wait_ms).unwrap_or(1)),
            }),
            [1, left @ ..] => {
                Ok(Taken::All(left.iter().map(|left| u32::try_from(*left).unwrap_or(0)).collect()))
            }
            _ => Err(unknown()),
        }
    }

    /// Gives one unit back to a bucket; never more than were taken.
    ///
    /// # Errors
    /// [`RedisError`]: it comes back with time.
    pub async fn give_back(&self, bucket: &Bucket) -> Result<(), RedisError> {
        let args = vec![bucket.each_us().to_string(), "-1".to_owned()];
        let answer = self.connection.ask::<i64>(Script::Settle, vec![self.key(bucket)], args);
        answer.await.map(drop)
    }

    fn key(&self, bucket: &Bucket) -> String {
        self.connection.key(&format!("rate:{}", bucket.name))
    }
}
