//! The store of a cluster: ScyllaDB or Apache Cassandra, shared by all nodes.
//!
//! ```text
//! append  ─> lane: one LWT a record, fenced by the part that it goes to
//! ledger  ─> one conditional batch in the user's partition
//! claim, document, incarnation ─> one LWT
//! segment, snapshot, object, projection ─> plain writes that may be repeated
//! ```
//!
//! Plain reads and writes ask a quorum of the local datacenter, conditional writes Paxos there. A
//! conditional write whose answer is lost may have been done: a read by Paxos finds out before
//! anything is said or sent again. What of the answers differs between the two servers is not read.

mod connect;
mod documents;
mod error;
mod journal;
mod ledger;
mod nodes;
mod objects;
mod query;
mod schema;
mod segments;
mod sessions;
mod statements;
mod turns;

pub use error::OpenError;
pub use schema::{Migration, Schema, Status};

use connect::Profiles;
use greenroom_actors::port::{BoxFuture, StoreError};
use journal::Lanes;
use scylla::{
    client::session::Session,
    policies::timestamp_generator::{MonotonicTimestampGenerator, TimestampGenerator as _},
};
use statements::Statements;
use std::{fmt, sync::Arc, time::Duration};
use turns::Turns;

/// Longest wait for one call of a port, with all that it asks and waits for. Beyond that what
/// became of a write is unknown.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How often one call tries a conditional write.
const ATTEMPTS_MAX: u32 = 6;

/// Which cluster, and what of it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Some of its nodes, `host:port`; the others are found by these.
    pub nodes: Vec<String>,
    /// The keyspace: a small letter, then small letters, digits and `_`.
    pub keyspace: String,
    /// The datacenter whose nodes are asked; empty: all.
    pub datacenter: String,
    /// Copies of everything, where the keyspace is made.
    pub replication: u32,
    /// Who asks, where the cluster wants to know.
    pub credentials: Option<Credentials>,
    /// Bytes of records after which a part of a journal is closed and another one begun.
    pub part_bytes_max: usize,
}

impl Options {
    /// Bytes of a part by default: a partition that is quickly read and deleted whole.
    pub const PART_BYTES: usize = 16 * 1024 * 1024;
}

/// A user of the cluster.
#[derive(Clone)]
pub struct Credentials {
    /// Name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Everything durable, in one keyspace. Implements all ports.
pub struct CqlStore {
    session: Session,
    profiles: Profiles,
    statements: Statements,
    clock: Arc<MonotonicTimestampGenerator>,
    part_bytes_max: usize,
    lanes: Lanes,
    turns: Turns,
}

impl fmt::Debug for CqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CqlStore").finish_non_exhaustive()
    }
}

impl CqlStore {
    /// Connects to a cluster whose keyspace has the schema of this release.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let profiles = Profiles::new(&options.datacenter);
        let clock = Arc::new(MonotonicTimestampGenerator::new());
        let session = connect::connect(options, &profiles, &clock).await?;
        schema::check(&session, &options.keyspace).await?;
        let prepared = Statements::prepare(&session, &profiles, &options.keyspace);
        // Each statement adds to it.
        let statements = Box::pin(prepared).await.map_err(|source| OpenError::Statement {
            keyspace: options.keyspace.clone(),
            source: Box::new(source),
        })?;
        Ok(Self {
            session,
            profiles,
            statements,
            clock,
            part_bytes_max: options.part_bytes_max,
            lanes: Lanes::default(),
            turns: Turns::default(),
        })
    }

    /// Bounds a call: a cluster that answers slowly, or not, is unavailable.
    fn bounded<'a, T: 'a>(
        &'a self,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move {
            tokio::time::timeout(CALL_TIMEOUT, call).await.unwrap_or_else(|_| {
                Err(StoreError::Unavailable(format!("no answer within {CALL_TIMEOUT:?}")))
            })
        })
    }

    /// A timestamp of now, in microseconds, later than all before.
    fn now_us(&self) -> i64 {
        self.clock.next_timestamp()
    }
}

/// A number as CQL has it; those beyond its range stand at its end.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as it was before [`number`].
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
