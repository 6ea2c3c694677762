//! Durable first: what a disk that holds or refuses writes does to clients.

use crate::{
    faultfs::{ENOSPC, FaultFs, Faults},
    server::{Server, Site, Socket, assert_contiguous, entries, is_end, outcome, session},
};
use greenroom_protocol::{
    error::Reason,
    event::{Event, Outcome, Stream},
    frame::{ClientFrame, ServerFrame},
    id::Seq,
};

/// Rounds on a socket while nothing may come: each is answered by the server's own task.
const ROUNDS: u64 = 20;

/// A server on a disk that can fail; none where that cannot be had here.
async fn bed(site: Site) -> Option<(Site, FaultFs, Server)> {
    let disk = FaultFs::new("engine.db")?;
    let site = disk.env().into_iter().fold(site, |site, (key, value)| site.with(key, value));
    let server = site.start().await;
    Some((site, disk, server))
}

#[tokio::test]
async fn no_frame_leaves_before_its_sync() {
    let Some((_site, disk, server)) = bed(Site::new()).await else { return };
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let session = session();
    socket.create(session, 1).await;
    let created = socket.take_until(|frame| matches!(frame, ServerFrame::CaughtUp(_))).await;
    let head = assert_contiguous(&entries(&created, 1), Seq::START);

    let before = disk.count("sync-held");
    disk.set(Faults { hold_syncs: true, ..Faults::default() });
    let (cid, id) = socket.begin_run(session, "a todo app").await;
    disk.wait_for("sync-held", before);
    for ts in 0..ROUNDS {
        socket.send(&ClientFrame::Ping { ts }).await;
        let frame = socket.next().await;
        let ServerFrame::Pong { ts: answered } = frame else {
            panic!("left before its sync: {frame:?}");
        };
        assert_eq!(answered, ts);
    }

    disk.set(Faults::default());
    socket.answer(id).await.unwrap();
    let run = entries(&socket.take_until_event(is_end).await, 1);
    assert_contiguous(&run, head);
    assert!(matches!(&run[0].event, Event::InputUser { cid: echoed, .. } if *echoed == cid));
    assert_eq!(outcome(&run), Some(Outcome::Completed));
}

#[tokio::test]
async fn a_full_disk_pauses_a_run_refuses_new_ones_and_loses_nothing() {
    let Some((_site, disk, server)) = bed(Site::new().paced(1500)).await else { return };
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let (running, other) = (session(), session());
    socket.create(other, 2).await;
    socket.create(running, 1).await;
    socket.start_run(running, "a kanban board").await;
    let is_content =
        |event: &Event| event.as_delta().is_some_and(|(_, stream, _)| stream == Stream::File);
    let mut frames = socket.take_until_event(is_content).await;

    disk.set(Faults { write_errno: ENOSPC, ..Faults::default() });
    let is_refusal = |frame: &ServerFrame| matches!(frame, ServerFrame::Error { ch: Some(ch), error } if ch.0 == 1 && error.reason == Reason::StoreUnavailable);
    frames.extend(socket.take_until(is_refusal).await);
    let (_, id) = socket.begin_run(other, "a todo app").await;
    let refused = socket.answer(id).await.unwrap_err();
    assert_eq!(refused.reason, Reason::StoreUnavailable, "{refused:?}");
    assert!(refused.retryable);
    assert_eq!(server.internal("/readyz").await.0, 503);
    for ts in 0..ROUNDS {
        socket.send(&ClientFrame::Ping { ts }).await;
        let said = socket.take_until(|frame| matches!(frame, ServerFrame::Pong { .. })).await;
        assert_eq!(entries(&said, 1), [], "delivered and not stored");
    }

    disk.set(Faults::default());
    let is_mine = |frame: &ServerFrame| matches!(frame, ServerFrame::Ev(ev) if ev.ch.0 == 1 && is_end(&ev.event));
    frames.extend(socket.take_until(is_mine).await);
    let all = entries(&frames, 1);
    assert_contiguous(&all, Seq::START);
    assert_eq!(outcome(&all), Some(Outcome::Completed));
    assert!(!socket.files(running, None).await.is_empty());
    socket.start_run(other, "a todo app").await;
    socket.take_until_event(is_end).await;
    assert_eq!(server.internal("/readyz").await.0, 200);
}
