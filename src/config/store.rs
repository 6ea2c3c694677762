//! Where everything durable is.

use super::error::Problems;
use crate::{llm::Secret, store::cql};
use serde::Deserialize;

/// Section `[store]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Which store.
    pub kind: StoreKind,
    /// Some nodes of the cluster, `host:port`.
    pub nodes: Vec<String>,
    /// The keyspace.
    pub keyspace: String,
    /// The datacenter whose nodes are asked; empty: all.
    pub datacenter: String,
    /// Copies of everything in that datacenter.
    pub replication: u32,
    /// Who asks; empty: the cluster does not want to know.
    pub user: String,
    /// That user's password.
    pub password: Option<Secret>,
}

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// The embedded one, in the data directory.
    Sqlite,
    /// A cluster of ScyllaDB or Apache Cassandra.
    Cql,
}

/// Longest name of a keyspace.
const KEYSPACE_BYTES_MAX: usize = 48;

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            kind: StoreKind::Sqlite,
            nodes: vec!["127.0.0.1:9042".to_owned()],
            keyspace: "greenroom".to_owned(),
            datacenter: String::new(),
            replication: 3,
            user: String::new(),
            password: None,
        }
    }
}

impl StoreConfig {
    /// The cluster, as its store wants to be told.
    #[must_use]
    pub fn cql(&self) -> cql::Options {
        let password = self.password.as_ref().map(|password| password.expose().to_owned());
        let credentials = (!self.user.is_empty()).then(|| cql::Credentials {
            user: self.user.clone(),
            password: password.unwrap_or_default(),
        });
        cql::Options {
            nodes: self.nodes.clone(),
            keyspace: self.keyspace.clone(),
            datacenter: self.datacenter.clone(),
            replication: self.replication,
            credentials,
            part_bytes_max: cql::Options::PART_BYTES,
        }
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("store.replication", self.replication, 1, 16);
        // It stands in statements as it is.
        let is_name = self.keyspace.starts_with(|c: char| c.is_ascii_lowercase())
            && self.keyspace.len() <= KEYSPACE_BYTES_MAX
            && self.keyspace.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
        if !is_name {
            let fix = "use a small letter, then small letters, digits and _, 48 at most";
            problems.add("store.keyspace", format!("{:?} cannot be", self.keyspace), fix);
        }
        if self.kind == StoreKind::Cql && self.nodes.is_empty() {
            problems.add("store.nodes", "it is empty", "name a node, such as \"10.0.0.1:9042\"");
        }
        if self.password.is_some() && self.user.is_empty() {
            problems.add("store.user", "it is empty, and there is a password", "name the user");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(store: &StoreConfig) -> Vec<String> {
        let mut problems = Problems::default();
        store.check(&mut problems);
        problems.0.into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn a_keyspace_is_a_plain_name() {
        let named = |keyspace: &str| {
            wrong(&StoreConfig { keyspace: keyspace.to_owned(), ..StoreConfig::default() })
        };
        assert_eq!(named("greenroom_2"), [""; 0]);
        for keyspace in ["", "Green", "2green", "green-room", "g; DROP KEYSPACE g", &"g".repeat(49)]
        {
            assert_eq!(named(keyspace), ["store.keyspace"], "{keyspace:?}");
        }
    }

    #[test]
    fn a_cluster_has_nodes_and_a_password_a_user() {
        let default = StoreConfig::default;
        let kind = StoreKind::Cql;
        assert_eq!(wrong(&StoreConfig { kind, nodes: vec![], ..default() }), ["store.nodes"]);
        let password = Some(Secret::from("hunter2"));
        let store = StoreConfig { password, ..default() };
        assert_eq!(wrong(&store), ["store.user"]);
        let options = StoreConfig { user: "ann".to_owned(), ..store }.cql();
        assert_eq!(options.credentials.as_ref().map(|found| found.user.as_str()), Some("ann"));
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
