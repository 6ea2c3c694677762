//! Whether the cluster can be reached, and whether its schema is the one that is needed.

use super::Finding;
use crate::{
    config::{StoreConfig, StoreKind},
    store::cql::{OpenError, Schema, Status},
};
use std::error::Error as _;

/// Asks the cluster; nothing where the store is embedded: its folder is examined anyway.
pub(super) async fn examine(store: &StoreConfig) -> Vec<Finding> {
    if store.kind == StoreKind::Sqlite {
        return Vec::new();
    }
    match status(store).await {
        Ok(status) => judge(store, &status),
        Err(error) => vec![refused(&error)],
    }
}

async fn status(store: &StoreConfig) -> Result<Status, OpenError> {
    Schema::connect(&store.cql()).await?.status().await
}

fn refused(error: &OpenError) -> Finding {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let fix = "see store.nodes, store.user and store.password, and that the cluster is up";
    Finding::failed("store", format!("{error}{cause}"), fix)
}

fn judge(store: &StoreConfig, status: &Status) -> Vec<Finding> {
    let keyspace = &store.keyspace;
    let mut findings = vec![Finding::ok("store", format!("{} answers", store.nodes.join(", ")))];
    findings.push(if status.keyspace.is_some() {
        let found = format!("there is no keyspace {keyspace}");
        Finding::failed("schema", found, "greenroom migrate up")
    } else if status.pending.is_empty() {
        Finding::ok("schema", format!("version {} in keyspace {keyspace}", status.version))
    } else {
        let newest = status.pending.last().map_or(0, |newest| newest.version);
        let found = format!("version {} in keyspace {keyspace}, not {newest}", status.version);
        Finding::failed("schema", found, "greenroom migrate up")
    });
    if !status.agreed {
        let fix = "look at it again; if it stays so, one of the nodes does not hear the others";
        findings.push(Finding::warning("schema agreement", "the nodes differ", fix));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn a_schema_that_is_missing_is_in_the_way_and_a_disagreement_is_not() {
        let store = StoreConfig::default();
        let status = |keyspace: Option<&str>, agreed| Status {
            version: 1,
            pending: Vec::new(),
            keyspace: keyspace.map(str::to_owned),
            agreed,
        };
        let states =
            |status| judge(&store, &status).iter().map(|finding| finding.state).collect::<Vec<_>>();
        assert_eq!(states(status(None, true)), [State::Ok, State::Ok]);
        assert_eq!(states(status(Some("CREATE"), true)), [State::Ok, State::Failed]);
        assert_eq!(states(status(None, false)), [State::Ok, State::Ok, State::Warning]);
    }

    #[tokio::test]
    async fn a_cluster_that_is_not_there_fails_and_is_named() {
        let nodes = vec!["127.0.0.1:1".to_owned()];
        let store = StoreConfig { kind: StoreKind::Cql, nodes, ..StoreConfig::default() };
        let findings = examine(&store).await;
        assert_eq!(findings[0].state, State::Failed);
        assert!(findings[0].found.contains("127.0.0.1:1"), "{findings:?}");
        assert_eq!(examine(&StoreConfig::default()).await, []);
    }
}
