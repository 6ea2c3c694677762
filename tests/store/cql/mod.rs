//! The store of a cluster, on the servers that `GREENROOM_TEST_CQL` names (`host:port`, with commas).
//! `tests/run.sh` starts one; without it these tests say that they are skipped.

mod chain;
mod races;
mod schema;

use super::harness::Harness;
use greenroom::store::cql::{CqlStore, Options, Schema};
use greenroom_actors::port::{Journal as _, Nodes as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
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

/// A keyspace in which no other test's data concerns the port.
///
/// Its tables take seconds to make, so that there are few: tests of ports that share no table share
/// one, a test of the nodes clears them first and has them for itself, and races use none that
/// another test could see.
pub(crate) struct CqlHarness {
    options: Options,
    /// The number of a keyspace whose nodes are this test's own.
    nodes: Option<u32>,
    is_clear: AtomicBool,
}

/// Keyspaces whose nodes somebody has for himself.
static TAKEN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// How many tests of a port have begun.
static BEGUN: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());

impl Harness for CqlHarness {
    type Store = CqlStore;

    fn new() -> Self {
        Self::of("races").unwrap()
    }

    fn of(port: &'static str) -> Option<Self> {
        let (keyspace, nodes) = match port {
            "races" => ("races".to_owned(), None),
            "journal" | "nodes" => {
                let mut taken = TAKEN.lock().unwrap();
                let number = (1..).find(|number| taken.insert(*number));
                (format!("shared_{}", number.unwrap()), number)
            }
            other => {
                let mut begun = BEGUN.lock().unwrap();
                let number = begun.entry(other).or_default();
                *number += 1;
                (format!("shared_{number}"), None)
            }
        };
        let is_clear = AtomicBool::new(nodes.is_none());
        options(&keyspace).map(|options| Self { options, nodes, is_clear })
    }

    async fn open(&self) -> Arc<CqlStore> {
        let store = open(&self.options).await;
        if !self.is_clear.swap(true, Ordering::Relaxed) {
            for node in store.nodes().await.unwrap() {
                store.seal(node.incarnation).await.unwrap();
                store.recovered(node.incarnation).await.unwrap();
            }
        }
        Arc::new(store)
    }

    async fn close(&self, _: Arc<CqlStore>) {}
}

impl Drop for CqlHarness {
    fn drop(&mut self) {
        if let Some(number) = self.nodes {
            TAKEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        }
    }
}
