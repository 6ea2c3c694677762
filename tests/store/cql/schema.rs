//! Migrations.

use super::options;
use greenroom::store::cql::{CqlStore, OpenError, Schema};
use scylla::client::{session::Session, session_builder::SessionBuilder};

async fn session(nodes: &[String]) -> Session {
    SessionBuilder::new().known_nodes(nodes).build().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_takes_the_schema_of_its_release_and_no_other() {
    let Some(options) = options("schema") else { return };
    let schema = Schema::connect(&options).await.unwrap();
    let refused = CqlStore::open(&options).await.unwrap_err();
    assert!(matches!(refused, OpenError::NoSchema { .. }), "{refused:?}");
    assert!(refused.to_string().contains("greenroom migrate up"), "{refused}");
    let before = schema.status().await.unwrap();
    assert!(before.version == 0 && before.keyspace.is_some(), "{before:?}");

    let done = schema.migrate().await.unwrap();

    assert_eq!(done, before.pending);
    assert_eq!(schema.migrate().await.unwrap(), [], "a repeat has nothing to do");
    let after = schema.status().await.unwrap();
    assert!(after.pending.is_empty() && after.keyspace.is_none() && after.agreed, "{after:?}");
    CqlStore::open(&options).await.unwrap();

    let session = session(&options.nodes).await;
    let table = format!("{}.schema_migrations", options.keyspace);
    let run = async |statement: String| session.query_unpaged(statement, ()).await.unwrap();
    run(format!("UPDATE {table} SET checksum = 'other' WHERE shelf = 0 AND version = 1")).await;
    let refused = CqlStore::open(&options).await.unwrap_err();
    assert!(matches!(refused, OpenError::Differs { version: 1, .. }), "{refused:?}");
    run(format!("INSERT INTO {table} (shelf, version, checksum) VALUES (0, 99, '')")).await;
    for refused in
        [CqlStore::open(&options).await.unwrap_err(), schema.migrate().await.unwrap_err()]
    {
        assert!(matches!(refused, OpenError::TooNew { found: 99, .. }), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_migrates_at_a_time() {
    let Some(options) = options("migrators") else { return };
    let schema = Schema::connect(&options).await.unwrap();
    schema.migrate().await.unwrap();
    let session = session(&options.nodes).await;
    let lock = format!("{}.schema_lock", options.keyspace);
    let held = format!("INSERT INTO {lock} (name, holder) VALUES ('migrate', 'ann') IF NOT EXISTS");
    session.query_unpaged(held, ()).await.unwrap();

    let refused = schema.migrate().await.unwrap_err();

    assert!(matches!(&refused, OpenError::Locked { holder, .. } if holder == "ann"), "{refused:?}");
    let gone = format!("DELETE FROM {lock} WHERE name = 'migrate' IF holder = 'ann'");
    session.query_unpaged(gone, ()).await.unwrap();
    schema.migrate().await.unwrap();
}
