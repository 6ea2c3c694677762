//! Many tabs on one session.

use crate::server::{Site, Socket, assert_contiguous, entries, is_end, session, story};
use greenroom_protocol::{event::Event, frame::After, frame::ServerFrame, id::Seq};

#[tokio::test]
async fn all_tabs_see_the_same_transcript_with_the_input_and_its_command() {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut writing = Socket::connect(&server, &user).await;
    let mut watching = Socket::connect(&server, &user).await;
    let session = session();
    writing.create(session, 1).await;
    writing.attach(session, 2, After::Start).await;
    watching.attach(session, 9, After::Start).await;
    let cid = writing.start_run(session, "a todo app").await;

    let ends_on = |ch| move |frame: &ServerFrame| matches!(frame, ServerFrame::Ev(ev) if ev.ch.0 == ch && is_end(&ev.event));
    let mut frames = writing.take_until(ends_on(1)).await;
    if !frames.iter().any(ends_on(2)) {
        frames.extend(writing.take_until(ends_on(2)).await);
    }
    let others = watching.take_until(ends_on(9)).await;
    let tabs = [entries(&frames, 1), entries(&frames, 2), entries(&others, 9)];
    let head = assert_contiguous(&tabs[0], Seq::START);
    for tab in &tabs {
        assert_eq!(assert_contiguous(tab, Seq::START), head);
        assert_eq!(story(tab), story(&tabs[0]));
        let echoed = tab.iter().filter(|ev| matches!(&ev.event, Event::InputUser { cid: of, text, .. } if *of == cid && text == "a todo app"));
        assert_eq!(echoed.count(), 1);
    }
}
