use super::bench::{Bench, assert_contiguous, cid, text_of};
use crate::{
    EngineConfig,
    fake::FakeStore,
    port::{Delta, Finish, ProviderErrorKind},
    run::prompt::Parsed,
};
use greenroom_protocol::{
    error::Reason,
    event::{Event, Outcome, UsageSource},
    method::{FilePage, FileSlice, OnBusy},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_prompt_becomes_text_files_and_a_commit() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let run = client.start(2, "a page").await.unwrap();

    let mut call = bench.calls.next().await.unwrap();
    assert_eq!(call.request.run, run);
    let tag = Parsed::read(&call.request.messages).unwrap().tag;
    call.text("Here it is.\n").await;
    call.text(&format!("@@{tag} write index.html\n<p>hi</p>\n@@{tag} end\n")).await;
    call.finish().await;

    let (entries, outcome, error) = bench.reader().await.until_finished().await;
    assert_eq!((outcome, error), (Outcome::Completed, None));
    assert_contiguous(1, &entries);
    assert_eq!(text_of(&entries), "Here it is.\n");
    let committed = entries.iter().find_map(|entry| match &entry.event {
        Event::FilesCommitted { commit, added: 1, .. } => Some(commit.clone()),
        _ => None,
    });
    let usage = entries.iter().find_map(|entry| match &entry.event {
        Event::Usage { usage, .. } => Some(usage.source),
        _ => None,
    });
    assert_eq!(usage, Some(UsageSource::Estimate));

    let page = client.call("files.list", cid(0), json!({})).await.unwrap();
    let page: FilePage = serde_json::from_value(page).unwrap();
    assert_eq!(page.commit, committed);
    assert_eq!(page.files.len(), 1);
    let slice = client.call("files.get", cid(0), json!({"path": "index.html"})).await.unwrap();
    let slice: FileSlice = serde_json::from_value(slice).unwrap();
    assert_eq!(slice.text, "<p>hi</p>\n");
    let missing = client.call("files.get", cid(0), json!({"path": "../x"})).await.unwrap_err();
    assert_eq!(missing.reason, Reason::FileNotFound);
}

#[tokio::test(start_paused = true)]
async fn a_follow_up_sees_the_files_and_the_turn_before() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "a page").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    let tag = Parsed::read(&call.request.messages).unwrap().tag;
    call.text(&format!("Done.\n@@{tag} write a.txt\none\n@@{tag} end\n")).await;
    call.finish().await;
    client.until_finished().await;

    client.start(3, "more").await.unwrap();
    let call = bench.calls.next().await.unwrap();
    let parsed = Parsed::read(&call.request.messages).unwrap();
    assert_eq!(parsed.files.get("a.txt").map(String::as_str), Some("one\n"));
    assert_eq!(parsed.request, "more");
    assert!(call.request.messages.iter().any(|message| message.content.contains("Done.")));
}

#[tokio::test(start_paused = true)]
async fn deltas_share_an_entry_within_the_window_and_the_first_goes_at_once() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    client.entries_until(|event| matches!(event, Event::StepStarted { .. })).await;

    let begun = Instant::now();
    call.text("a").await;
    let is_delta = |event: &Event| matches!(event, Event::TextDelta { .. });
    let first = client.entries_until(is_delta).await;
    assert_eq!(text_of(&first), "a");
    assert!(begun.elapsed() < Duration::from_millis(10), "{:?}", begun.elapsed());
    call.text("b").await;
    call.text("c").await;
    let second = client.entries_until(is_delta).await;
    assert_eq!(text_of(&second), "bc");
    assert!(begun.elapsed() >= Duration::from_millis(40));
    assert!(begun.elapsed() < Duration::from_millis(60), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_truncated_file_is_never_committed() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "a page").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    let tag = Parsed::read(&call.request.messages).unwrap().tag;
    call.text(&format!("@@{tag} write a.txt\nhalf")).await;
    call.fail(ProviderErrorKind::Broken).await;

    let (entries, outcome, error) = client.until_finished().await;
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(error.unwrap().reason, Reason::ProviderBroken);
    let is = |wanted: fn(&Event) -> bool| entries.iter().any(|entry| wanted(&entry.event));
    assert!(is(|event| matches!(event, Event::FileEnd { complete: false, .. })));
    assert!(!is(|event| matches!(event, Event::FilesCommitted { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_closes_the_providers_call_and_the_run_ends_cancelled() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let run = client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("never ending").await;

    let begun = Instant::now();
    let cancelled = client.call("run.cancel", cid(3), json!({"run": run})).await.unwrap();
    assert_eq!(cancelled["active"], json!(true));
    call.dropped().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    let mut second = bench.reader().await;
    let (_, outcome, _) = second.until_finished().await;
    assert_eq!(outcome, Outcome::Cancelled);
    let again = second.call("run.cancel", cid(4), json!({"run": run})).await.unwrap();
    assert_eq!(again["active"], json!(false), "idempotent after the end");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_may_come_before_its_run() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.call("run.cancel", cid(3), json!({"start_cid": cid(2)})).await.unwrap();
    client.start(2, "talk").await.unwrap();
    let (_, outcome, _) = bench.reader().await.until_finished().await;
    assert_eq!(outcome, Outcome::Cancelled);
    assert!(bench.calls.try_next().is_none(), "the provider was never called");
}

#[tokio::test(start_paused = true)]
async fn a_busy_session_rejects_queues_or_interrupts() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "first").await.unwrap();
    let first = bench.calls.next().await.unwrap();
    assert_eq!(client.start(3, "second").await.unwrap_err().reason, Reason::RunBusy);
    client.start_with(4, "third", OnBusy::Queue).await.unwrap();
    client.start_with(5, "fourth", OnBusy::Interrupt).await.unwrap();
    first.dropped().await;

    let call = bench.calls.next().await.unwrap();
    assert_eq!(Parsed::read(&call.request.messages).unwrap().request, "fourth");
    call.finish().await;
    let mut reader = bench.reader().await;
    let outcomes = [
        reader.until_finished().await.1,
        reader.until_finished().await.1,
        reader.until_finished().await.1,
    ];
    assert_eq!(outcomes, [Outcome::Interrupted, Outcome::Interrupted, Outcome::Completed]);
}

#[tokio::test(start_paused = true)]
async fn a_queued_run_starts_when_the_first_ends() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "first").await.unwrap();
    client.start_with(3, "second", OnBusy::Queue).await.unwrap();
    bench.calls.next().await.unwrap().finish().await;
    let call = bench.calls.next().await.unwrap();
    assert_eq!(Parsed::read(&call.request.messages).unwrap().request, "second");
}

#[tokio::test(start_paused = true)]
async fn the_length_limit_of_a_model_ends_the_run_as_truncated() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("so far").await;
    call.send(Ok(Delta::Finish(Finish::Length))).await;
    drop(call);
    let (_, outcome, error) = client.until_finished().await;
    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::Truncated));
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_pushes_back_on_the_provider() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    bench.store.hold_appends();
    let piece = "x".repeat(4096);
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_secs(5), call.text(&piece)).await.is_ok() {
        sent += piece.len();
        assert!(sent < 1024 * 1024, "the provider is read without an end");
    }
    assert!(sent >= 64 * 1024, "64 KiB are buffered at least");
    bench.store.release_appends();
    call.finish().await;
    let (entries, ..) = client.until_finished().await;
    assert!(text_of(&entries).len() >= sent);
}

#[tokio::test(start_paused = true)]
async fn runs_of_one_user_have_a_cap() {
    let config = EngineConfig { runs_per_user: 0, ..EngineConfig::default() };
    let bench = Bench::on(Arc::new(FakeStore::new()), config).await;
    let mut client = bench.attached().await;
    assert_eq!(client.start(2, "talk").await.unwrap_err().reason, Reason::TooManyRuns);
}
