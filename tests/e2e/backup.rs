//! A copy of a store that is in use.

use crate::server::{Site, Socket, assert_contiguous, entries, is_end, output, session, story};
use greenroom_protocol::{
    error::Reason,
    frame::{After, ServerFrame},
    id::{Cursor, Seq},
};
use std::fs;

#[tokio::test]
async fn a_backup_of_a_running_server_opens_elsewhere_with_its_history_and_a_new_epoch() {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let session = session();
    socket.create(session, 1).await;
    socket.start_run(session, "a todo app").await;
    let before = entries(&socket.take_until_event(is_end).await, 1);
    let head = assert_contiguous(&before, Seq::START);
    let old = socket.attach(session, 2, After::Live).await;
    let files = socket.files(session, None).await;

    let copy = site.place("copy.db");
    let copy = copy.to_str().unwrap();
    let run = output(&mut site.command(&["backup", copy])).await;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let again = output(&mut site.command(&["backup", copy])).await;
    assert_eq!(again.status.code(), Some(2), "it overwrites nothing");
    socket.start_run(session, "make it dark").await;
    socket.take_until_event(is_end).await;

    let elsewhere = Site::new();
    fs::copy(copy, elsewhere.data().join("engine.db")).unwrap();
    let restored = elsewhere.start().await;
    let user = restored.login(&user).await;
    let mut socket = Socket::connect(&restored, &user).await;
    let cursor = Cursor { epoch: old.epoch, seq: head };
    let ServerFrame::Reset(reset) = socket.try_attach(session, 1, After::Cursor(cursor)).await
    else {
        panic!("a cursor of the other life fits");
    };
    assert_eq!(reset.reason, Reason::EpochChanged);
    assert!(reset.epoch > old.epoch, "{:?} after {:?}", reset.epoch, old.epoch);

    let attached = socket.attach(session, 2, After::Start).await;
    assert_eq!((attached.epoch, attached.head), (reset.epoch, head));
    let is_caught_up =
        |frame: &ServerFrame| matches!(frame, ServerFrame::CaughtUp(at) if at.ch.0 == 2);
    let after = entries(&socket.take_until(is_caught_up).await, 2);
    assert_eq!(assert_contiguous(&after, Seq::START), head);
    assert_eq!(story(&after), story(&before));
    assert_eq!(socket.files(session, None).await, files);
    // And on it goes.
    socket.start_run(session, "make it dark").await;
    let more = entries(&socket.take_until_event(is_end).await, 2);
    assert_contiguous(&more, head);
}
