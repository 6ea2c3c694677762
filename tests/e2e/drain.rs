//! How a server ends.

use crate::server::{
    Server, Site, Socket, User, assert_contiguous, entries, is_end, outcome, session, until,
};
use greenroom_protocol::{
    error::Reason,
    event::Outcome,
    frame::{After, ServerFrame},
    id::{Seq, SessionId},
};

struct Bed {
    site: Site,
    server: Server,
    user: User,
    socket: Socket,
    running: SessionId,
    idle: SessionId,
}

/// A server with a run that takes a minute, whose drain waits so many seconds for it.
async fn busy(drain_secs: u32) -> Bed {
    let site = Site::new().paced(60).with("GREENROOM__RUNS__DRAIN_SECS", drain_secs.to_string());
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let (running, idle) = (session(), session());
    socket.create(idle, 2).await;
    socket.create(running, 1).await;
    socket.start_run(running, "a todo app").await;
    socket.take_until_event(|event| event.as_delta().is_some()).await;
    Bed { site, server, user, socket, running, idle }
}

const fn is_goaway(frame: &ServerFrame) -> bool {
    matches!(frame, ServerFrame::GoAway(_))
}

#[tokio::test]
async fn a_first_signal_drains_and_the_run_goes_on_at_the_next_start() {
    let Bed { site, mut server, user, mut socket, running, idle } = busy(2).await;
    assert_eq!(server.internal("/readyz").await.0, 200);

    server.signal("TERM").await;
    socket.take_until(is_goaway).await;
    let (status, report) = server.internal("/readyz").await;
    assert_eq!(status, 503, "{report}");
    assert!(report.contains("shutting down"), "{report}");
    assert_eq!(server.internal("/livez").await.0, 200);
    let (_, id) = socket.begin_run(idle, "a quiz").await;
    assert_eq!(socket.answer(id).await.unwrap_err().reason, Reason::Draining);
    assert_eq!(socket.close_code().await, 4001);
    assert_eq!(server.exit().await, Some(0));

    let site = site.paced(0);
    let server = site.start().await;
    let user = server.login(&user).await;
    let mut socket = Socket::connect(&server, &user).await;
    socket.attach(running, 1, After::Start).await;
    let all = entries(&socket.take_until_event(is_end).await, 1);
    assert_contiguous(&all, Seq::START);
    assert_eq!(outcome(&all), Some(Outcome::Completed));
}

#[tokio::test]
async fn an_idle_server_drains_at_once() {
    let site = Site::new();
    let mut server = site.start().await;
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    server.signal("INT").await;
    assert_eq!(socket.close_code().await, 4001);
    assert_eq!(server.exit().await, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let Bed { site: _site, mut server, mut socket, .. } = busy(600).await;
        server.signal(name).await;
        socket.take_until(is_goaway).await;
        until("line about the drain", async || server.log().contains("draining").then_some(()))
            .await;
        server.signal(name).await;
        assert_eq!(server.exit().await, Some(code), "{name}");
    }
}
