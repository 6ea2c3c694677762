//! What is said to a run under way, on the real server.

use crate::server::{Site, Socket, command, entries, is_end, session, story};
use greenroom_protocol::{
    credits::CreditsInfo,
    event::{Event, Outcome, Stream},
    method::{Method, RunAccepted, RunSteer},
};

#[tokio::test]
async fn what_is_said_to_a_run_changes_what_it_writes_and_is_paid_once() {
    let site = Site::new().paced(1500);
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let session = session();
    socket.create(session, 1).await;
    let before: CreditsInfo = socket.ask(&Method::CreditsGet).await;
    socket.start_run(session, "a to-do list").await;
    let is_content =
        |event: &Event| event.as_delta().is_some_and(|(_, stream, _)| stream == Stream::File);
    socket.take_until_event(is_content).await;

    let steer = RunSteer { run: None, input: "in green".to_owned() };
    let said: RunAccepted = socket.ask(&Method::RunSteer(session, command(), steer)).await;
    let mut frames = socket.take_until_event(is_end).await;
    frames.extend(socket.take_until_event(is_end).await);

    let events = story(&entries(&frames, 1));
    let ends: Vec<_> = events
        .iter()
        .filter_map(|event| {
            let Event::RunFinished { run, outcome, .. } = event else { return None };
            Some((*run == said.run, *outcome))
        })
        .collect();
    assert_eq!(ends, [(true, Outcome::Steered), (false, Outcome::Completed)]);
    let files = socket.files(session, None).await;
    assert!(String::from_utf8_lossy(&files["styles.css"]).contains("--hue: 148;"));
    let paid: Vec<u64> = events
        .iter()
        .filter_map(|event| {
            let Event::CreditsSettled { paid, .. } = event else { return None };
            Some(*paid)
        })
        .collect();
    let after: CreditsInfo = socket.ask(&Method::CreditsGet).await;
    assert_eq!(paid, [before.balance.available - after.balance.available]);
    assert_eq!(after.balance.held, 0);
}
