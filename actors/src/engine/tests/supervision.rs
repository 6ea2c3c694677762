use super::bench::{Bench, SESSION, USER};
use crate::{Followed, port::Journal as _};
use greenroom_protocol::{
    event::{Event, Outcome},
    frame::{After, ServerFrame, Status},
    id::Seq,
};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_session_that_panics_comes_back_from_its_log_with_its_run() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("before").await;
    client.entries_until(|event| matches!(event, Event::TextDelta { .. })).await;

    bench.engine.panic_session(SESSION).await;
    call.dropped().await;
    let call = bench.calls.next().await.unwrap();
    call.finish().await;
    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!(outcome, Outcome::Completed);
    assert!(entries.iter().any(|entry| matches!(entry.event, Event::RunRecovering { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_operator_sees_sessions_follows_them_and_kills_one_that_then_goes_on() {
    let mut bench = Bench::new().await;
    assert!(!bench.engine.kill_session(SESSION).await, "there is none");
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("before").await;
    client.until_delta("before").await;

    let seen = bench.engine.sessions(9).await;
    let [live] = &*seen.sessions else { panic!("{seen:?}") };
    assert_eq!((seen.total, live.session, live.user), (1, SESSION, USER));
    assert_eq!((live.status, live.watchers, live.awake), (Status::Running, 1, true));
    assert!(live.run.is_some());
    let mut watch = bench.engine.watch(SESSION, After::Start).await.unwrap();
    let Followed::Entries(entries) = watch.next(1).await else { panic!() };
    assert_eq!(entries[0].0, Seq(1));
    assert_eq!(bench.engine.sessions(0).await.total, 1);

    assert!(bench.engine.kill_session(SESSION).await);
    call.dropped().await;
    bench.calls.next().await.unwrap().finish().await;
    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!(outcome, Outcome::Completed);
    assert!(entries.iter().any(|entry| matches!(entry.event, Event::RunRecovering { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_told_that_its_node_goes_away_also_where_nothing_holds_that_up() {
    let bench = Bench::new().await;
    let mut client = bench.client(USER).await;
    bench.engine.drain().await;
    while !matches!(client.recv().await, ServerFrame::GoAway(_)) {} // fails where it is closed first
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_sleeps_and_wakes_for_its_next_run() {
    let mut bench = Bench::new().await;
    drop(bench.attached().await);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(bench.engine.meter().sessions_live.get(), 0);
    assert_eq!(bench.store.record_count(), 0, "its entries are in segments");

    let mut client = bench.reader().await;
    client.start(2, "talk").await.unwrap();
    bench.calls.next().await.unwrap().finish().await;
    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!(outcome, Outcome::Completed, "{entries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fenced_journal_ends_the_node() {
    let bench = Bench::new().await;
    let client = bench.attached().await;
    bench.store.fence(bench.engine.incarnation());
    let mut second = bench.client(USER).await;
    second.attach(After::Start).await;
    second.send_call("run.start", super::bench::cid(2), &serde_json::json!({"input": "x"})).await;
    bench.engine.failed().await;
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_node_killed_before_it_has_woken_what_it_recovered_leaves_no_run_to_nobody() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    bench.calls.next().await.unwrap().begin();
    let first = bench.engine.incarnation();
    bench.engine.kill();
    bench.engine.failed().await;
    // The second life recovers and dies before any session's actor begins.
    let second = bench.store.open().await.unwrap();
    crate::journal::recover_all(&*bench.store, second).await.unwrap();
    assert_ne!(first, second);

    let mut bench = Bench::on(bench.store, crate::EngineConfig::default()).await;
    let call = bench.calls.next().await.unwrap();
    call.finish().await;
    let (_, outcome, _) = bench.reader().await.until_finished().await;
    assert_eq!(outcome, Outcome::Completed);
}
