use super::bench::{Bench, CH, USER, assert_contiguous, text_of};
use greenroom_protocol::{
    error::Reason,
    event::{Event, Outcome},
    frame::{Ack, After, ClientFrame, Mode, ServerFrame},
    id::{Cursor, Epoch, Seq},
    method::OnBusy,
};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn every_cursor_continues_with_the_entry_after_it() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    for piece in ["one ", "two ", "three"] {
        call.text(piece).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    call.finish().await;
    let (all, ..) = client.until_finished().await;
    let head = all.last().unwrap().seq;

    // Asleep by now: what follows comes from segments.
    tokio::time::sleep(Duration::from_secs(60)).await;
    for seq in 0..=head.0 {
        let mut reader = bench.client(USER).await;
        let cursor = Cursor { epoch: Epoch(1), seq: Seq(seq) };
        let attached = reader.attach(After::Cursor(cursor)).await;
        assert_eq!((attached.after, attached.head, attached.mode), (Seq(seq), head, Mode::Resumed));
        let mut entries = Vec::new();
        loop {
            match reader.recv().await {
                ServerFrame::Ev(ev) => entries.push(ev),
                ServerFrame::CaughtUp(caught_up) => break assert_eq!(caught_up.seq, head),
                frame => panic!("{frame:?}"),
            }
        }
        assert_contiguous(seq + 1, &entries);
        assert_eq!(entries.last().map_or(Seq(seq), |entry| entry.seq), head);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_does_not_fit_is_answered_by_reset() {
    let bench = Bench::new().await;
    bench.attached().await;
    for (epoch, seq, reason) in [(1, 99, Reason::SeqAhead), (2, 1, Reason::EpochChanged)] {
        let mut reader = bench.client(USER).await;
        let cursor = Cursor { epoch: Epoch(epoch), seq: Seq(seq) };
        reader.send_attach(After::Cursor(cursor), None).await;
        match reader.recv().await {
            ServerFrame::Reset(reset) => {
                assert_eq!((reset.reason, reset.epoch, reset.after), (reason, Epoch(1), Seq(1)));
            }
            frame => panic!("{frame:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_survives_a_crash_and_only_the_open_part_is_written_again() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let run = client.start(2, "two files").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    let tag = crate::run::prompt::Parsed::read(&call.request.messages).unwrap().tag;
    call.text(&format!("@@{tag} write a.txt\none\n@@{tag} end\n@@{tag} write b.txt\nha")).await;
    let before = client
        .entries_until(|event| matches!(event, Event::FileDelta { text, .. } if text == "ha"))
        .await;

    let mut bench = bench.restart().await;
    let mut call = bench.calls.next().await.unwrap();
    let parsed = crate::run::prompt::Parsed::read(&call.request.messages).unwrap();
    assert_eq!(call.request.run, run);
    assert!(parsed.is_continuation());
    let tag = parsed.tag;
    call.text(&format!("@@{tag} write b.txt\nhalf no more\n@@{tag} end\n")).await;
    call.finish().await;

    let mut client = bench.client(USER).await;
    let cursor = Cursor { epoch: Epoch(1), seq: before.last().unwrap().seq };
    let attached = client.attach(After::Cursor(cursor)).await;
    assert_eq!(attached.mode, Mode::Resumed);
    let (after, outcome, _) = client.until_finished().await;
    assert_eq!(outcome, Outcome::Completed);
    assert_contiguous(cursor.seq.0 + 1, &after);
    let opened = before.iter().rev().find(|e| matches!(e.event, Event::FileStart { .. })).unwrap();
    let recovering = after.iter().find_map(|entry| match entry.event {
        Event::RunRecovering { attempt, superseded_from, .. } => Some((attempt, superseded_from)),
        _ => None,
    });
    assert_eq!(recovering, Some((2, Some(opened.seq))));
    assert!(after.iter().any(|e| matches!(e.event, Event::FilesCommitted { added: 2, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_queued_run_that_recovers_takes_nothing_of_the_run_before_it() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "first").await.unwrap();
    let mut first = bench.calls.next().await.unwrap();
    client.start_with(3, "second", OnBusy::Queue).await.unwrap();
    let tag = crate::run::prompt::Parsed::read(&first.request.messages).unwrap().tag;
    first.text(&format!("@@{tag} write a.txt\none\n@@{tag} end\n")).await;
    first.finish().await;
    let mut second = bench.calls.next().await.unwrap();
    second.text("half").await;
    bench.reader().await.until_delta("half").await;

    let mut bench = bench.restart().await;
    let call = bench.calls.next().await.unwrap();
    let parsed = crate::run::prompt::Parsed::read(&call.request.messages).unwrap();
    assert_eq!((parsed.request.as_str(), parsed.done.len()), ("second", 0));
    call.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_lost_too_often_ends_visibly() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    for _ in 0..3 {
        bench.calls.next().await.unwrap().begin();
        bench = bench.restart().await;
    }
    let mut client = bench.client(USER).await;
    client.attach(After::Start).await;
    let (_, outcome, error) = client.until_finished().await;
    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::OwnerLost));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_delivered_before_it_is_durable() {
    let bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.entry().await;
    let mut reader = bench.client(USER).await;
    reader.attach(After::Live).await;
    bench.store.hold_appends();
    client.send_call("run.start", super::bench::cid(2), &serde_json::json!({"input": "x"})).await;
    bench.store.held_appends(1).await;
    assert!(tokio::time::timeout(Duration::from_secs(3), reader.entry()).await.is_err());
    bench.store.release_appends();
    assert!(matches!(reader.entry().await.event, Event::InputUser { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_is_told_to_attachments_and_nothing_is_lost() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("before").await;
    client.entries_until(|event| matches!(event, Event::TextDelta { .. })).await;
    bench.store.set_down(true);
    call.text(" and after").await;
    let error = loop {
        if let ServerFrame::Error { error, .. } = client.recv().await {
            break error;
        }
    };
    assert_eq!(error.reason, Reason::StoreUnavailable);
    bench.store.set_down(false);
    call.finish().await;
    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!((text_of(&entries).as_str(), outcome), (" and after", Outcome::Completed));
}

#[tokio::test(start_paused = true)]
async fn an_attachment_without_credit_goes_on_with_an_ack() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    bench.calls.next().await.unwrap().finish().await;
    client.until_finished().await;

    let mut reader = bench.client(USER).await;
    reader.send_attach(After::Start, Some(1)).await;
    let ServerFrame::Attached(_) = reader.recv().await else { panic!("not attached") };
    assert_eq!(reader.entry().await.seq, Seq(1));
    assert!(tokio::time::timeout(Duration::from_secs(3), reader.entry()).await.is_err());
    reader.inner.send(ClientFrame::Ack { acks: vec![Ack(CH, Seq(1), 1 << 20)] }).await;
    assert_eq!(reader.entry().await.seq, Seq(2));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_pings_stays_as_long_as_it_likes() {
    let bench = Bench::new().await;
    let mut client = bench.client(USER).await;
    let waited = tokio::time::timeout(Duration::from_secs(600), client.inner.recv()).await;
    assert!(waited.is_err(), "{waited:?}");
}
