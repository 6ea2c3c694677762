use super::super::bench::{
    Bench, CH, OTHER, SESSION, USER, assert_contiguous, at, attach, entries_of,
};
use greenroom_protocol::{
    error::Reason,
    event::Event,
    frame::{After, ClientFrame, Mode, ServerFrame},
    id::{Channel, Cursor, Epoch, Seq},
};
use std::time::Duration;
use tokio::time::sleep;

/// Whether a frame answers an attach.
const fn is_answer(frame: &ServerFrame) -> bool {
    matches!(
        frame,
        ServerFrame::Attached(_) | ServerFrame::Reset(_) | ServerFrame::Error { ch: Some(_), .. }
    )
}

#[tokio::test(start_paused = true)]
async fn resume_answered_once() {
    let bench = Bench::new().await;
    drop(bench.attached().await);
    let other_epoch = After::Cursor(Cursor { epoch: Epoch(9), seq: Seq(1) });
    for _ in ["awake", "asleep"] {
        for (after, user) in [
            (After::Start, USER),
            (After::Live, USER), // nothing to send
            (at(1), USER),
            (at(99), USER),
            (other_epoch, USER),
            (After::Start, OTHER),
        ] {
            let mut client = bench.client(user).await;
            client.send_attach(after, None).await;
            let frames = client.frames().await;
            assert!(is_answer(&frames[0]), "{after:?}: {frames:?}");
            assert_eq!(frames.iter().filter(|frame| is_answer(frame)).count(), 1, "{frames:?}");
            if user == USER {
                client.send_attach(after, None).await;
                let frames = client.frames().await;
                assert!(
                    matches!(&frames[..], [ServerFrame::Error { ch: Some(CH), error }]
                        if error.reason == Reason::ChannelInUse),
                    "{frames:?}"
                );
            }
        }
        bench.asleep().await;
    }
}

#[tokio::test(start_paused = true)]
async fn resume_places() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("one").await;
    let seen = client.until_delta("one").await;
    let opened = seen.iter().find(|entry| matches!(entry.event, Event::TextStart { .. }));
    let opened = opened.unwrap().seq.0;
    assert_begins(&bench, After::Open, (opened - 1, Mode::Snapshot)).await;
    call.finish().await;
    let head = client.until_finished().await.0.last().unwrap().seq.0;

    for _ in ["awake", "asleep"] {
        for (after, expected) in [
            (After::Start, (0, Mode::Resumed)),
            (After::Live, (head, Mode::Live)),
            (After::Open, (head, Mode::Snapshot)),
            (After::Tail(0), (head, Mode::Resumed)),
            (After::Tail(2), (head - 2, Mode::Resumed)),
            (After::Tail(u32::MAX), (0, Mode::Resumed)),
            (at(0), (0, Mode::Resumed)),
            (at(3), (3, Mode::Resumed)),
            (at(head), (head, Mode::Resumed)),
        ] {
            assert_begins(&bench, after, expected).await;
        }
        bench.asleep().await;
    }
}

/// That an attachment begins after this entry, and says so.
async fn assert_begins(bench: &Bench, place: After, (after, mode): (u64, Mode)) {
    let mut client = bench.client(USER).await;
    let attached = client.attach(place).await;
    assert_eq!((attached.after, attached.mode), (Seq(after), mode), "{place:?}");
    let entries = entries_of(&client.until_caught_up().await);
    assert_contiguous(after + 1, &entries);
    assert_eq!(after + entries.len() as u64, attached.head.0, "{place:?}");
}

/// A reader whose replay is slow, of a session that goes on meanwhile: the head when it attached,
/// and all frames after that.
async fn replay_while_it_goes_on(bench: &mut Bench) -> (Seq, Vec<ServerFrame>) {
    let mut client = bench.attached().await;
    bench.turn(&mut client, 2, &["one ", "two ", "three"]).await;
    drop(client);
    bench.asleep().await;

    bench.store.slow_reads(Duration::from_millis(500));
    let mut reader = bench.client(USER).await;
    let attached = reader.attach(After::Start).await;
    sleep(Duration::from_millis(1)).await; // segments are being read
    bench.store.slow_reads(Duration::ZERO);
    let mut client = bench.client(USER).await;
    client.attach(After::Live).await;
    bench.turn(&mut client, 3, &["four ", "five"]).await;
    (attached.head, reader.frames().await)
}

#[tokio::test(start_paused = true)]
async fn resume_live_after_replay() {
    let mut bench = Bench::new().await;
    let (head, frames) = replay_while_it_goes_on(&mut bench).await;
    let entries = entries_of(&frames);
    assert_contiguous(1, &entries);
    assert!(entries.last().unwrap().seq > head, "it went on");
    assert!(matches!(entries.last().unwrap().event, Event::RunFinished { .. }));
}

#[tokio::test(start_paused = true)]
async fn resume_caught_up_once() {
    let mut bench = Bench::new().await;
    let (head, frames) = replay_while_it_goes_on(&mut bench).await;
    let place = frames.iter().position(|frame| matches!(frame, ServerFrame::CaughtUp(_))).unwrap();
    assert_eq!(entries_of(&frames[..place]).last().unwrap().seq, head, "after what was the head");
    assert!(place + 1 < frames.len(), "and before what came since");
    let is_caught_up = |frame: &&ServerFrame| matches!(frame, ServerFrame::CaughtUp(_));
    assert_eq!(frames.iter().filter(is_caught_up).count(), 1);

    let mut reader = bench.client(USER).await;
    let head = reader.attach(After::Live).await.head;
    match &reader.frames().await[..] {
        [ServerFrame::CaughtUp(caught_up)] => assert_eq!(caught_up.seq, head),
        frames => panic!("nothing was missing: {frames:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_in_pieces_is_caught_up_at_the_old_head_though_deltas_merge() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    for n in 0..100 {
        call.text(&format!("{n} ")).await;
        sleep(Duration::from_millis(50)).await;
    }
    client.until_delta("99 ").await;
    bench.store.slow_reads(Duration::from_secs(1));
    let mut reader = bench.client(USER).await;
    let head = reader.attach(After::Start).await.head;
    for n in 0..100 {
        call.text(&format!("{n} ")).await;
        sleep(Duration::from_millis(50)).await;
    }
    let frames = reader.until_caught_up().await;
    let entries = entries_of(&frames);
    assert_contiguous(1, &entries);
    assert!(entries.iter().any(|entry| entry.from.is_some()), "merged");
    assert_eq!(entries.last().unwrap().seq, head);
}

/// Texts of `ev` frames after their `ch`, up to `caught_up`.
async fn rests(bench: &Bench, ch: Channel, after: After) -> Vec<String> {
    let mut client = bench.client(USER).await;
    client.inner.send(attach(ch, after, None)).await;
    let head = format!(r#"{{"type":"ev","ch":{ch},"#);
    let mut rests = Vec::new();
    loop {
        let text = client.inner.recv_text().await.unwrap();
        if let Some(rest) = text.strip_prefix(&head) {
            rests.push(rest.to_owned());
        } else if text.contains("caught_up") {
            return rests;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn resume_same_bytes_for_all() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let mut live = bench.client(USER).await;
    live.attach(After::Live).await;
    bench.turn(&mut client, 2, &["\"quoted\"\n", "ünïcode \u{1f600}", "\u{0}\u{7f}"]).await;
    let mut seen = Vec::new();
    loop {
        let text = live.inner.recv_text().await.unwrap();
        let rest = text.strip_prefix(r#"{"type":"ev","ch":1,"#).map(str::to_owned);
        seen.extend(rest);
        if text.contains("run.finished") {
            break;
        }
    }
    let ring = rests(&bench, Channel(7), at(1)).await;
    assert_eq!(ring, seen, "from the ring");
    bench.asleep().await;
    assert_eq!(rests(&bench, Channel(4_000_000_000), at(1)).await, seen, "from segments");
    assert_eq!(rests(&bench, CH, at(3)).await, seen[2..], "from elsewhere");
    let bench = bench.restart().await;
    assert_eq!(rests(&bench, Channel(0), at(1)).await, seen, "on another node");
}

#[tokio::test(start_paused = true)]
async fn resume_detach_is_confirmed() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let mut reader = bench.reader().await;
    client.start(2, "talk").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    call.text("one ").await;
    let seen = reader.until_delta("one ").await;
    reader.inner.send(ClientFrame::Detach { ch: CH }).await;
    loop {
        match reader.recv().await {
            ServerFrame::Detached(detached) => {
                assert_eq!((detached.ch, detached.reason), (CH, Reason::Requested));
                assert_eq!(detached.retry_after_ms, None, "for good");
                break;
            }
            ServerFrame::Ev(_) | ServerFrame::CaughtUp(_) => {}
            frame => panic!("{frame:?}"),
        }
    }
    call.text("two").await;
    assert!(reader.frames().await.is_empty(), "detached");
    reader.inner.send(ClientFrame::Detach { ch: CH }).await;
    match reader.recv().await {
        ServerFrame::Error { ch: Some(CH), error } => {
            assert_eq!(error.reason, Reason::ChannelNotAttached);
        }
        frame => panic!("{frame:?}"),
    }
    let last = seen.last().unwrap().seq.0;
    assert_eq!(reader.attach(at(last)).await.session, SESSION, "the number is free");
    assert_contiguous(last + 1, &reader.until_delta("two").await);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_for_an_attachment_does_not_reach_the_next_one_of_its_number() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let entries = bench.turn(&mut client, 2, &["one ", "two "]).await;
    let head = entries.last().unwrap().seq.0;
    drop(client);
    bench.asleep().await;

    bench.store.slow_reads(Duration::from_secs(1));
    let mut reader = bench.client(USER).await;
    reader.attach(After::Start).await;
    sleep(Duration::from_millis(100)).await; // segments are being read
    let burst = [ClientFrame::Detach { ch: CH }, attach(CH, at(head - 1), None)];
    reader.inner.send_batch(&burst).await;
    assert!(matches!(reader.recv().await, ServerFrame::Detached(_)));
    assert!(matches!(reader.recv().await, ServerFrame::Attached(_)));
    let entries = entries_of(&reader.until_caught_up().await);
    assert_eq!(entries.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(), [head]);
}
