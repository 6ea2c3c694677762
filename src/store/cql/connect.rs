//! The session with the cluster, and with which consistency and patience it is asked.

use super::{OpenError, Options, statements::Class};
use scylla::{
    client::{
        PoolSize,
        execution_profile::{ExecutionProfile, ExecutionProfileHandle},
        session::Session,
        session_builder::SessionBuilder,
    },
    policies::{
        load_balancing::DefaultPolicy, retry::FallthroughRetryPolicy,
        timestamp_generator::MonotonicTimestampGenerator,
    },
    statement::{Consistency, SerialConsistency, prepared::PreparedStatement},
};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

/// Longest wait for an answer to a plain read or write, repeats on other nodes included.
const PLAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The same for a conditional write or a read by Paxos: several rounds between the nodes.
const PAXOS_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait for a statement that changes the schema.
const SCHEMA_TIMEOUT: Duration = Duration::from_secs(60);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the driver looks for nodes that it was not told of. Events come in between.
const REFRESH_INTERVAL: Duration = Duration::from_secs(300);

/// How often, and how long, it is asked whether all nodes have the same schema.
const AGREEMENT_INTERVAL: Duration = Duration::from_millis(100);
const AGREEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections to a node, or to a shard of one.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Rows a page, where a read may have many.
const PAGE_ROWS: i32 = 64;

/// The same of reads by Paxos, whose limits are their own: each page would be a round more.
const PAXOS_PAGE_ROWS: i32 = 5000;

/// How statements are executed, one profile a kind. None executes speculatively.
#[derive(Clone, Debug)]
pub(super) struct Profiles {
    plain: ExecutionProfileHandle,
    paxos: ExecutionProfileHandle,
}

impl Profiles {
    pub(super) fn new(datacenter: &str) -> Self {
        let balancing = DefaultPolicy::builder();
        let balancing = match datacenter {
            "" => balancing.prefer_no_datacenter(),
            name => balancing.prefer_datacenter(name.to_owned()),
        };
        let profile = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .serial_consistency(Some(SerialConsistency::LocalSerial))
            .load_balancing_policy(balancing.build())
            .speculative_execution_policy(None);
        let plain = profile.clone().request_timeout(Some(PLAIN_TIMEOUT));
        let paxos = profile
            .request_timeout(Some(PAXOS_TIMEOUT))
            .retry_policy(Arc::new(FallthroughRetryPolicy::new()));
        Self { plain: plain.build().into_handle(), paxos: paxos.build().into_handle() }
    }

    /// A statement with the settings of its class.
    pub(super) fn settle(
        &self,
        class: Class,
        mut statement: PreparedStatement,
    ) -> PreparedStatement {
        let paxos = matches!(class, Class::Serial | Class::Conditional);
        let profile = if paxos { &self.paxos } else { &self.plain };
        statement.set_execution_profile_handle(Some(profile.clone()));
        statement.set_is_idempotent(class != Class::Conditional);
        statement.set_page_size(if paxos { PAXOS_PAGE_ROWS } else { PAGE_ROWS });
        if class == Class::Serial {
            statement.set_consistency(Consistency::LocalSerial);
        }
        statement
    }

    pub(super) fn paxos(&self) -> &ExecutionProfileHandle {
        &self.paxos
    }
}

/// Connects to a cluster.
pub(super) async fn connect(
    options: &Options,
    profiles: &Profiles,
    clock: &Arc<MonotonicTimestampGenerator>,
) -> Result<Session, OpenError> {
    let mut builder = SessionBuilder::new()
        .known_nodes(&options.nodes)
        .connection_timeout(CONNECT_TIMEOUT)
        .pool_size(PoolSize::PerHost(CONNECTIONS))
        .default_execution_profile_handle(profiles.plain.clone())
        .timestamp_generator(clock.clone())
        .keyspaces_to_fetch([options.keyspace.as_str()])
        .cluster_metadata_refresh_interval(REFRESH_INTERVAL)
        .schema_agreement_interval(AGREEMENT_INTERVAL)
        .schema_agreement_timeout(AGREEMENT_TIMEOUT)
        .tcp_nodelay(true);
    if let Some(credentials) = &options.credentials {
        builder = builder.user(&credentials.user, &credentials.password);
    }
    // The driver goes on through all nodes and their addresses; this bounds the whole.
    let connected = tokio::time::timeout(CONNECT_TIMEOUT * 2, builder.build()).await;
    connected
        .map_err(|_| OpenError::Silent { nodes: options.nodes.clone() })?
        .map_err(Box::new)
        .map_err(|source| OpenError::Unreachable { nodes: options.nodes.clone(), source })
}

/// A profile for changes of the schema.
pub(super) fn schema_profile() -> ExecutionProfileHandle {
    let profile = ExecutionProfile::builder()
        .consistency(Consistency::LocalQuorum)
        .serial_consistency(Some(SerialConsistency::LocalSerial))
        .request_timeout(Some(SCHEMA_TIMEOUT))
        .retry_policy(Arc::new(FallthroughRetryPolicy::new()));
    profile.build().into_handle()
}
