//! What is said to a run while the model writes.

use super::bench::{Bench, Client, cid, text_of};
use crate::{fake::Call, run::prompt::Parsed};
use greenroom_protocol::{
    error::Reason,
    event::{Event, Outcome},
    id::RunId,
    method::{FileSlice, RunAccepted},
};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

async fn steer(client: &mut Client, n: u128, input: &str) -> RunId {
    let result = client.call("run.steer", cid(n), json!({ "input": input })).await.unwrap();
    let accepted: RunAccepted = serde_json::from_value(result).unwrap();
    assert!(accepted.queued);
    accepted.run
}

fn prompt(call: &Call) -> Parsed {
    Parsed::read(&call.request.messages).unwrap()
}

/// A file of the session as it is now.
async fn file(client: &mut Client, path: &str) -> String {
    let slice = client.call("files.get", cid(0), json!({ "path": path })).await.unwrap();
    serde_json::from_value::<FileSlice>(slice).unwrap().text
}

#[tokio::test(start_paused = true)]
async fn words_between_files_stop_at_once_and_the_next_call_knows_all() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "a page").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    let tag = prompt(&call).tag;
    call.text(&format!("@@{tag} write a.txt\none\n@@{tag} end\nNow ")).await;
    client.until_delta("Now ").await;

    let steered = steer(&mut client, 3, "in green").await;
    call.dropped().await;
    let mut call = bench.calls.next().await.unwrap();
    let asked = prompt(&call);
    assert_eq!(asked.request, "a page\n\nin green");
    assert_eq!(asked.done.get("a.txt").map(String::as_str), Some("one\n"));
    let tag = asked.tag;
    call.text(&format!("@@{tag} write b.txt\ngreen\n@@{tag} end\n")).await;
    call.finish().await;

    let (entries, outcome, _) = client.until_finished().await;
    let ended = |event: &Event| match event {
        Event::RunFinished { run, outcome, .. } => Some((*run, *outcome)),
        _ => None,
    };
    assert_eq!(entries.iter().find_map(|e| ended(&e.event)), Some((steered, Outcome::Steered)));
    assert_eq!(outcome, Outcome::Steered, "the first end that is seen");
    assert_eq!(client.until_finished().await.1, Outcome::Completed);
    assert_eq!(file(&mut client, "a.txt").await, "one\n");
    assert_eq!(file(&mut client, "b.txt").await, "green\n");
    client.start(4, "more").await.unwrap();
    let call = bench.calls.next().await.unwrap();
    assert_eq!(prompt(&call).history, ["a page\n\nin green"]);
}

/// A run of which the first line of a file has come.
async fn in_mid_file() -> (Bench, Client, Call) {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "a page").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text(&format!("@@{} write a.txt\none\n", prompt(&call).tag)).await;
    client.entries_until(|event| matches!(event, Event::FileDelta { .. })).await;
    (bench, client, call)
}

#[tokio::test(start_paused = true)]
async fn a_file_under_way_is_ended_first() {
    let (mut bench, mut client, mut call) = in_mid_file().await;
    steer(&mut client, 3, "in green").await;
    let tag = prompt(&call).tag;
    call.text(&format!("two\n@@{tag} end\nand more")).await;
    call.dropped().await;

    let call = bench.calls.next().await.unwrap();
    assert_eq!(prompt(&call).done.get("a.txt").map(String::as_str), Some("one\ntwo\n"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_does_not_end_is_waited_for_no_longer_than_it_may_take() {
    let (mut bench, mut client, call) = in_mid_file().await;
    let asked = Instant::now();
    steer(&mut client, 3, "in green").await;
    call.dropped().await;
    let waited = asked.elapsed();
    assert!((14..=16).contains(&waited.as_secs()), "{waited:?}");
    let call = bench.calls.next().await.unwrap();
    assert!(prompt(&call).done.is_empty(), "half a file is none");
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_late_is_a_run_of_its_own() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("all").await;
    client.until_delta("all").await;
    bench.store.hold_appends();
    call.finish().await;
    bench.store.held_appends(1).await;
    let error = client.call("run.steer", cid(3), json!({ "input": "also" })).await.unwrap_err();
    assert_eq!(error.reason, Reason::RunNotFound, "it has said its last word");
    let start = json!({ "input": "also", "on_busy": "steer" });
    client.send_call("run.start", cid(4), &start).await;
    sleep(Duration::from_secs(1)).await;
    bench.store.release_appends();
    let mut call = bench.calls.next().await.unwrap();
    assert_eq!(prompt(&call).request, "also");
    call.text("too").await;
    call.finish().await;
    let mut reader = bench.reader().await;
    let (first, outcome, _) = reader.until_finished().await;
    assert_eq!((text_of(&first).as_str(), outcome), ("all", Outcome::Completed));
    let (second, outcome, _) = reader.until_finished().await;
    assert_eq!((text_of(&second).as_str(), outcome), ("too", Outcome::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_crash_keeps_what_was_said_whether_it_was_taken_up_or_not() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("one").await;
    client.until_delta("one").await;
    steer(&mut client, 3, "taken up").await;
    let _taken = bench.calls.next().await.unwrap();
    let mut bench = bench.restart().await;
    let call = bench.calls.next().await.unwrap();
    assert_eq!(prompt(&call).request, "talk\n\ntaken up");
    drop(call);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_to_a_run_that_is_not_under_way() {
    let bench = Bench::new().await;
    let mut client = bench.attached().await;
    let error = client.call("run.steer", cid(3), json!({ "input": "also" })).await.unwrap_err();
    assert_eq!(error.reason, Reason::RunNotFound);
}
