//! How a store on a cluster fails.

use greenroom_actors::port::StoreError;
use scylla::errors::{
    DbError, ExecutionError, NewSessionError, PrepareError, RequestAttemptError,
    SchemaAgreementError,
};

/// Why a cluster could not be used as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No node took a connection.
    #[error(
        "no node of {} can be used; check store.nodes, and that the cluster runs and knows the user",
        nodes.join(", ")
    )]
    Unreachable {
        /// The nodes that were asked.
        nodes: Vec<String>,
        /// What the driver says.
        #[source]
        source: Box<NewSessionError>,
    },
    /// No node answered in time.
    #[error("no node of {} answers; check store.nodes and the network", nodes.join(", "))]
    Silent {
        /// The nodes that were asked.
        nodes: Vec<String>,
    },
    /// There is no such keyspace, or nothing of ours in it.
    #[error("keyspace {keyspace} has no schema; run `greenroom migrate up`")]
    NoSchema {
        /// The keyspace.
        keyspace: String,
    },
    /// An earlier release migrated it.
    #[error(
        "keyspace {keyspace} has schema version {found}, this release needs {known}; run \
         `greenroom migrate up` before it starts"
    )]
    TooOld {
        /// The keyspace.
        keyspace: String,
        /// Version of its schema.
        found: u32,
        /// Version that this release needs.
        known: u32,
    },
    /// A later release migrated it.
    #[error(
        "keyspace {keyspace} has schema version {found}, this release knows {known}; run the \
         release that migrated it"
    )]
    TooNew {
        /// The keyspace.
        keyspace: String,
        /// Version of its schema.
        found: u32,
        /// Newest version that this release knows.
        known: u32,
    },
    /// A migration that was applied is not the one that this release has.
    #[error(
        "migration {version} of keyspace {keyspace} was another one than this release has; run \
         the release that migrated it"
    )]
    Differs {
        /// The keyspace.
        keyspace: String,
        /// The first version that differs.
        version: u32,
    },
    /// Another process migrates.
    #[error(
        "{holder} migrates keyspace {keyspace}; wait for it. If it died, its lock ends within \
         {within_secs} s"
    )]
    Locked {
        /// The keyspace.
        keyspace: String,
        /// Who holds the lock.
        holder: String,
        /// Longest life of a lock, in seconds.
        within_secs: i32,
    },
    /// The nodes have different schemas.
    #[error("the nodes do not agree on the schema; see that all of them are up, and try again")]
    Disagreement(#[source] Box<SchemaAgreementError>),
    /// A statement was refused, or could not be sent.
    #[error("cannot use keyspace {keyspace}")]
    Database {
        /// The keyspace.
        keyspace: String,
        /// What the driver says.
        #[source]
        source: Box<ExecutionError>,
    },
    /// A statement was not understood: the schema is not what it says.
    #[error("keyspace {keyspace} is not as its version says; run `greenroom migrate status`")]
    Statement {
        /// The keyspace.
        keyspace: String,
        /// What the driver says.
        #[source]
        source: Box<PrepareError>,
    },
    /// What was read is not what was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What callers of the ports see of an error of the driver.
pub(super) fn store_error(error: &ExecutionError) -> StoreError {
    let passing = !matches!(
        error,
        ExecutionError::BadQuery(_)
            | ExecutionError::PrepareError(_)
            | ExecutionError::LastAttemptError(RequestAttemptError::DbError(
                DbError::SyntaxError
                    | DbError::Invalid
                    | DbError::Unauthorized
                    | DbError::ConfigError
                    | DbError::AlreadyExists { .. },
                _,
            ))
    );
    if passing {
        StoreError::Unavailable(error.to_string())
    } else {
        StoreError::Corrupt(error.to_string())
    }
}

/// Whether a write that failed so cannot have had, or still get, an effect.
pub(super) fn is_without_effect(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::BadQuery(_)
            | ExecutionError::EmptyPlan
            | ExecutionError::PrepareError(_)
            | ExecutionError::ConnectionPoolError(_)
            | ExecutionError::LastAttemptError(
                RequestAttemptError::SerializationError(_)
                    | RequestAttemptError::CqlRequestSerialization(_)
                    | RequestAttemptError::UnableToAllocStreamId
                    | RequestAttemptError::DbError(
                        DbError::SyntaxError
                            | DbError::Invalid
                            | DbError::Unauthorized
                            | DbError::ConfigError
                            | DbError::IsBootstrapping
                            | DbError::Unavailable { .. },
                        _,
                    )
            )
    )
}

/// A value that no release of ours writes.
pub(super) fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt(what.into())
}
