//! kill -9 of the server in the middle of an answer.

use crate::server::{
    Site, Socket, assert_contiguous, entries, files_below, is_end, outcome, session, soon, story,
};
use greenroom_protocol::{
    event::{Event, Outcome, Stream},
    frame::After,
    id::Seq,
};
use std::fs;

const PROMPT: &str = "a quiz about the sea";

#[tokio::test]
async fn a_client_outlives_a_kill_of_the_server_and_gets_the_files_of_an_uncrashed_run() {
    let site = Site::new().paced(600);
    let server = site.start().await;
    let user = server.register("ada").await;
    let (mut generate, crashed) = site.generate(&user, PROMPT).await;
    let mut socket = Socket::connect(&server, &user).await;
    socket.attach_soon(crashed, 1).await;
    let is_content =
        |event: &Event| event.as_delta().is_some_and(|(_, stream, _)| stream == Stream::File);
    let before = entries(&socket.take_until_event(is_content).await, 1);
    server.kill().await;

    let server = site.start().await;
    let ended = soon("end of the client", generate.wait()).await.unwrap();
    let said = fs::read_to_string(site.place("generate.log")).unwrap();
    assert!(ended.success(), "{said}");
    assert!(said.contains("reconnected, nothing missed"), "{said}");

    let mut socket = Socket::connect(&server, &user).await;
    let attached = socket.attach(crashed, 1, After::Start).await;
    let all = entries(&socket.take_until_event(is_end).await, 1);
    assert_eq!(attached.after, Seq::START);
    assert_contiguous(&all, Seq::START);
    assert_begins(&story(&all), &story(&before));
    assert!(
        all.iter().any(|ev| matches!(ev.event, Event::RunRecovering { attempt: 2, .. })),
        "it was killed in the middle"
    );
    assert_eq!(outcome(&all), Some(Outcome::Completed));

    let uncrashed = session();
    socket.create(uncrashed, 2).await;
    socket.start_run(uncrashed, PROMPT).await;
    socket.take_until_event(is_end).await;
    let files = socket.files(uncrashed, None).await;
    assert_eq!(files_below(&site.place("out")), files);
    assert_eq!(socket.files(crashed, None).await, files);
}

/// Checks that what was delivered before the crash is in the log as it was.
fn assert_begins(all: &[Event], before: &[Event]) {
    let (last, whole) = before.split_last().expect("something was delivered");
    assert_eq!(&all[..whole.len()], whole);
    // The log may go on with more of the same part.
    let (part, stream, text) = last.as_delta().expect("content of a file");
    let (of, as_stream, longer) = all[whole.len()].as_delta().expect("the same delta");
    assert_eq!((of, as_stream), (part, stream));
    assert!(longer.starts_with(text), "{longer:?} after {text:?}");
}
