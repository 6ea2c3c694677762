//! The store of a cluster, on the servers that `GREENROOM_TEST_CQL` names (`host:port`, with commas).
//! `tests/run.sh` starts one; without it these tests say that they are skipped.

mod chain;
mod races;
mod schema;

use super::harness::Harness;
use greenroom::store::cql::{CqlStore, Options, Schema};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, Mutex},
};
use uuid::Uuid;

/// Options for a keyspace of this run; none without servers.
fn options(keyspace: &str) -> Option<Options> {
    static RUN: LazyLock<String> = LazyLock::new(|| Uuid::now_v7().simple().to_string());
    let Ok(nodes) = std::env::var("GREENROOM_TEST_CQL") else {
        eprintln!("skipped without GREENROOM_TEST_CQL");
        return None;
    };
    let nodes: Vec<String> = nodes.split(',').map(str::to_owned).collect();
    // Every node has all, so that one of three may fail.
    let replication = u32::try_from(nodes.len()).unwrap();
    Some(Options {
        nodes,
        keyspace: format!("t{}_{keyspace}", &RUN[16..]),
        datacenter: String::new(),
        replication,
        credentials: None,
        part_bytes_max: Options::PART_BYTES,
    })
}

/// Opens a store on a keyspace, which the first one makes.
async fn open(options: &Options) -> CqlStore {
    static MADE: tokio::sync::Mutex<BTreeSet<String>> =
        tokio::sync::Mutex::const_new(BTreeSet::new());
    let mut made = MADE.lock().await;
    if !made.contains(&options.keyspace) {
        Schema::connect(options).await.unwrap().migrate().await.unwrap();
        made.insert(options.keyspace.clone());
    }
    drop(made);
    CqlStore::open(options).await.unwrap()
}

/// A keyspace in which no other test has used the port.
///
/// A keyspace takes a second or two to make, so that tests of ports that share no table share one.
pub(crate) struct CqlHarness(Options);

impl Harness for CqlHarness {
    type Store = CqlStore;

    fn new() -> Self {
        Self(options("own").unwrap())
    }

    fn of(port: &'static str) -> Option<Self> {
        static USED: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());
        // Nodes and journals share a table; races use several ports.
        let (tables, place) = match port {
            "journal" | "nodes" => ("journal", "shared"),
            "races" => ("races", "races"),
            other => (other, "shared"),
        };
        let mut used = USED.lock().unwrap();
        let number = used.entry(tables).or_default();
        *number += 1;
        options(&format!("{place}_{number}")).map(Self)
    }

    async fn open(&self) -> Arc<CqlStore> {
        Arc::new(open(&self.0).await)
    }

    async fn close(&self, _: Arc<CqlStore>) {}
}
