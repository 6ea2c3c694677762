//! Servers that share a store, on the servers that `GREENROOM_TEST_CQL` names (`host:port`, with
//! commas). `tests/run.sh` starts one; without it these tests say that they are skipped.

use crate::server::{Server, Site, Socket, User, is_end, output, session, until};
use greenroom_protocol::{
    event::{Event, Outcome},
    frame::{Entry, ServerFrame},
};
use uuid::Uuid;

/// Places of two servers with one keyspace; none without a cluster.
async fn sites() -> Option<[Site; 2]> {
    let Ok(nodes) = std::env::var("GREENROOM_TEST_CQL") else {
        eprintln!("skipped without GREENROOM_TEST_CQL");
        return None;
    };
    let keyspace = format!("c{}", Uuid::now_v7().simple());
    let site = || {
        Site::new()
            .paced(200)
            .with("GREENROOM__STORE__KIND", "cql")
            .with("GREENROOM__STORE__NODES", &nodes)
            .with("GREENROOM__STORE__KEYSPACE", &keyspace)
            .with("GREENROOM__STORE__REPLICATION", nodes.split(',').count().to_string())
            .with("GREENROOM__AUTH__JWT_SECRET", "0123456789abcdef".repeat(3))
            // Who waits for a takeover asks often.
            .with("GREENROOM__GATEWAY__LIMITS__REQUESTS_PER_MINUTE", "0")
            // A busy machine may be silent for a while.
            .with("GREENROOM__CLUSTER__SILENT_AFTER_MS", "5000")
    };
    let sites = [site(), site()];
    let migrated = output(&mut sites[0].configured(&["migrate", "up"])).await;
    assert!(migrated.status.success(), "{migrated:?}");
    Some(sites)
}

/// Whether an entry ends a run.
fn ends(entry: &Entry) -> bool {
    is_end(&entry.event)
}

/// What a server answers to a page of events: the status.
async fn asked(server: &Server, user: &User, path: &str) -> u16 {
    server.rest("GET", path).by(user).send().await.status
}

#[tokio::test]
async fn a_run_whose_server_is_killed_goes_on_at_another() {
    let Some([here, there]) = sites().await else { return };
    let (first, second) = (here.start().await, there.start().await);
    let user = first.register("ada").await;
    let mut socket = Socket::connect(&first, &user).await;
    let session = session();
    socket.create(session, 1).await;
    socket.start_run(session, "a todo app").await;
    let is_delta = |event: &Event| matches!(event, Event::FileDelta { .. });
    let seen = socket.take_until_event(is_delta).await;
    let path = format!("/sessions/{session}/events");
    assert_eq!(asked(&second, &user, &path).await, 503, "it is another server's");

    first.kill().await;
    until("takeover", async || (asked(&second, &user, &path).await == 200).then_some(())).await;

    let log = second.poll_until(&user, session, ends).await;
    let seqs: Vec<u64> = log.iter().map(|entry| entry.seq.0).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    for frame in &seen {
        let ServerFrame::Ev(ev) = frame else { continue };
        let kept = log.iter().find(|entry| entry.seq == ev.seq).map(|entry| &entry.event);
        assert_eq!(kept, Some(&ev.event), "what was shown stays");
    }
    assert!(log.iter().any(|entry| matches!(entry.event, Event::RunRecovering { .. })));
    let end = log.last().map(|entry| &entry.event);
    let is_whole = matches!(end, Some(Event::RunFinished { outcome: Outcome::Completed, .. }));
    assert!(is_whole, "{end:?}");
}

#[tokio::test]
async fn a_server_that_is_drained_leaves_its_sessions_to_another_at_once() {
    let Some([here, there]) = sites().await else { return };
    let (mut first, second) = (here.start().await, there.start().await);
    let user = first.register("ada").await;
    let session = first.create(&user).await;
    first.start_run(&user, session, "a todo app").await;
    let before = first.poll_until(&user, session, ends).await;
    first.signal("TERM").await;
    assert_eq!(first.exit().await, Some(0));

    let path = format!("/sessions/{session}/events");
    until("handover", async || (asked(&second, &user, &path).await == 200).then_some(())).await;
    assert_eq!(second.poll_until(&user, session, ends).await, before);
    second.start_run(&user, session, "make it green").await;
}
