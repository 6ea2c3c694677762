use super::bench::{Bench, Client, cid, text_of};
use crate::{
    fake::FakeProvider,
    port::{ProviderError, ProviderErrorKind as Kind},
};
use greenroom_protocol::{
    error::Reason,
    event::{Event, Notice, Outcome},
    frame::Ev,
};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

fn limited(retry_after_ms: u64) -> ProviderError {
    ProviderError { retry_after_ms: Some(retry_after_ms), ..FakeProvider::error(Kind::RateLimited) }
}

/// Entries up to the notice of a wait.
async fn until_it_waits(client: &mut Client) -> Vec<Ev> {
    let is_wait =
        |event: &Event| matches!(event, Event::Notice { notice: Notice::ProviderWait, .. });
    client.entries_until(is_wait).await
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_for_the_end_of_a_limit_and_says_so() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    bench.calls.next().await.unwrap().refuse_with(limited(20_000));
    let begun = Instant::now();
    let said = until_it_waits(&mut client).await;
    let Event::Notice { message, run: Some(_), .. } = &said.last().unwrap().event else {
        panic!("{said:?}")
    };
    assert!(message.starts_with("waiting for fake, about 2"), "{message}");

    let mut call = bench.calls.next().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(20));
    call.text("hello").await;
    call.finish().await;
    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!((outcome, text_of(&entries).as_str()), (Outcome::Completed, "hello"));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_wait_so_long_fails_with_the_time_at_once() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    bench.calls.next().await.unwrap().refuse_with(limited(600_000));
    let begun = Instant::now();
    let (_, outcome, error) = client.until_finished().await;
    let error = error.unwrap();
    assert_eq!((outcome, error.reason), (Outcome::Failed, Reason::ProviderRateLimited));
    assert!(error.retry_after_ms >= Some(600_000));
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_that_is_cancelled_ends_at_once_and_makes_no_call() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let run = client.start(2, "talk").await.unwrap();
    bench.calls.next().await.unwrap().refuse_with(limited(30_000));
    until_it_waits(&mut client).await;
    let begun = Instant::now();
    client.call("run.cancel", cid(3), json!({"run": run})).await.unwrap();
    let (_, outcome, _) = bench.reader().await.until_finished().await;
    assert_eq!(outcome, Outcome::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(bench.calls.try_next().is_none(), "its place in the queue is gone");
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_the_first_text_is_tried_once_more_and_one_after_it_is_not() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.begin();
    call.fail(Kind::Broken).await;
    let mut call = bench.calls.next().await.unwrap();
    call.text("once").await;
    call.fail(Kind::Broken).await;
    let (entries, outcome, error) = client.until_finished().await;
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(error.unwrap().reason, Reason::ProviderBroken);
    assert_eq!(text_of(&entries), "once");
    assert!(bench.calls.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_request_at_fault_is_not_made_again() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    bench.calls.next().await.unwrap().refuse(Kind::Rejected);
    let (_, outcome, error) = client.until_finished().await;
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(error.unwrap().reason, Reason::ProviderRejected);
    assert!(bench.calls.try_next().is_none());
}
