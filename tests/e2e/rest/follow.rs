//! Following a session without a WebSocket: the same log, by the same cursors.

use crate::server::{
    Followers, Server, Site, Socket, User, assert_whole, command, cursor, entries, evs, is_end,
    session, story,
};
use greenroom_protocol::{
    event::Event,
    frame::{After, Entry},
    id::{Seq, SessionId},
    method::{Method, OnBusy, RunStart},
};
use serde_json::Value;

async fn bed(tokens_per_second: u32) -> (Site, Server, User) {
    let site = Site::new().paced(tokens_per_second);
    let server = site.start().await;
    let user = server.register("ada").await;
    (site, server, user)
}

const fn ends(entry: &Entry) -> bool {
    is_end(&entry.event)
}

fn events(session: SessionId) -> String {
    format!("/sessions/{session}/events")
}

/// What entries tell, however they were cut.
fn told(all: &[Entry]) -> Vec<Event> {
    story(&evs(all))
}

#[tokio::test]
async fn one_generation_is_the_same_by_command_line_socket_stream_and_polls() {
    let (site, server, user) = bed(1500).await;
    Followers::begin(&site, &server, &user, "a kanban board").await.end().await;
}

#[tokio::test]
async fn a_stream_that_is_cut_again_and_again_misses_and_repeats_nothing() {
    let (_site, server, user) = bed(1500).await;
    let session = server.create(&user).await;
    server.start_run(&user, session, "a todo app").await;

    // A few entries; then the connection is gone, whatever was under way.
    let (all, streams) = server.stream_until(&user, session, 3, ends).await;
    assert!(streams > 5, "{streams}");
    assert_whole(&all);
    assert_eq!(all, server.poll_until(&user, session, ends).await);
}

#[tokio::test]
async fn polls_survive_kill_9_in_the_middle_of_a_run() {
    let (site, server, user) = bed(300).await;
    let session = server.create(&user).await;
    server.start_run(&user, session, "a todo app").await;
    let before = server
        .poll_until(&user, session, |entry| matches!(entry.event, Event::FileDelta { .. }))
        .await;
    server.kill().await;

    let site = site.paced(0);
    let server = site.start().await;
    let all = server.poll_until(&user, session, ends).await;
    assert_whole(&all);
    assert_eq!(all[..before.len()], before, "a cursor names the same bytes after a crash");
    assert!(all.iter().any(|entry| matches!(entry.event, Event::RunRecovering { .. })));
}

#[tokio::test]
async fn a_session_begun_over_rest_goes_on_over_the_socket_and_the_other_way_round() {
    let (_site, server, user) = bed(0).await;
    let mut socket = Socket::connect(&server, &user).await;
    let by_rest = server.create(&user).await;
    let run = server.start_run(&user, by_rest, "a todo app").await;
    socket.attach(by_rest, 1, After::Start).await;
    let frames = socket.take_until_event(is_end).await;
    let seen = entries(&frames, 1);
    let started = seen.iter().find_map(|ev| {
        let Event::InputUser { run, text, .. } = &ev.event else { return None };
        Some((run.to_string(), text.clone(), ev.seq))
    });
    let (id, text, seq) = started.unwrap();
    assert_eq!((Value::from(id), &*text), (run["run"].clone(), "a todo app"));
    assert_eq!(Value::from(seq.0), run["seq"]);
    assert_eq!(story(&seen), told(&server.poll_until(&user, by_rest, ends).await));

    let by_socket = session();
    socket.create(by_socket, 2).await;
    let start =
        RunStart { input: "a quiz".into(), on_busy: OnBusy::Reject, model: None, plan: None };
    let cid = command();
    socket.call(&Method::RunStart(by_socket, cid, start)).await.unwrap();
    let polled = server.poll_until(&user, by_socket, ends).await;
    assert_whole(&polled);
    let named = polled
        .iter()
        .any(|entry| matches!(entry.event, Event::InputUser { cid: of, .. } if of == cid));
    assert!(named, "the command has one name everywhere");
}

#[tokio::test]
async fn a_place_that_does_not_exist_is_gone_and_says_where_to_go_on() {
    let (_site, server, user) = bed(0).await;
    let session = server.create(&user).await;
    for (after, code) in [("1.99", "seq_ahead"), ("7.1", "epoch_changed")] {
        let path = format!("{}?after={after}", events(session));
        let reply = server.rest("GET", &path).by(&user).send().await;
        assert_eq!(reply.problem(), (410, code.to_owned()));
        assert_eq!(reply.json()["cursor"], "1.1");

        let mut stream = server.rest("GET", &path).by(&user).stream().await;
        let reset = stream.next().await.unwrap();
        assert_eq!((&*reset.name, reset.id.as_deref()), ("reset", Some("1.1")));
        assert_eq!((&reset.data["reason"], &reset.data["after"]), (&code.into(), &1.into()));
    }
}

#[tokio::test]
async fn a_poll_waits_for_the_next_entry_and_no_longer_than_it_was_asked_to() {
    let (_site, server, user) = bed(0).await;
    let session = server.create(&user).await;
    let empty = server.get(&user, &format!("{}?after=1.1", events(session))).await;
    assert_eq!((&empty["entries"], &empty["cursor"]), (&Value::Array(vec![]), &"1.1".into()));
    let empty = server.get(&user, &format!("{}?after=live&wait_ms=1", events(session))).await;
    assert_eq!(empty["cursor"], "1.1");

    let path = format!("{}?after=1.1&wait_ms=20000&limit=1", events(session));
    let waiting = server.get(&user, &path);
    let starting = server.start_run(&user, session, "a todo app");
    let (page, _) = tokio::join!(waiting, starting);
    let found = page["entries"].as_array().unwrap();
    assert_eq!((found.len(), &found[0]["event"]["type"]), (1, &"input.user".into()));
    assert_eq!(cursor(page["cursor"].as_str().unwrap()).seq, Seq(2));
}

#[tokio::test]
async fn a_run_is_polled_to_its_end_within_the_limit_of_requests() {
    let site = Site::new().paced(50).with("GREENROOM__GATEWAY__LIMITS__REQUESTS_BURST", "8");
    let server = site.start().await;
    let user = server.register("ada").await;
    let session = server.create(&user).await;
    server.start_run(&user, session, "a todo app").await;
    // A window of 40 ms makes 25 entries a second; the limit is of 10 requests.
    let polled = server.poll_until(&user, session, ends).await;
    assert!(polled.len() > 50, "{}", polled.len());
}

#[tokio::test]
async fn a_stream_says_how_it_begins_and_when_it_has_caught_up() {
    let (_site, server, user) = bed(0).await;
    let session = server.create(&user).await;
    let mut stream = server.rest("GET", &events(session)).by(&user).stream().await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-store, no-transform");
    assert_eq!(stream.headers["x-accel-buffering"], "no");
    assert!(!stream.headers.contains_key("content-encoding"));
    let attached = stream.next().await.unwrap();
    assert_eq!((&*attached.name, attached.id.as_deref()), ("attached", Some("1.0")));
    assert_eq!(attached.data["session"], session.to_string());
    assert_eq!(attached.data.get("ch"), None);
    let entry = stream.next().await.unwrap().entry().unwrap();
    assert_eq!(entry.seq, Seq(1));
    assert_eq!(stream.next().await.unwrap().name, "caught_up");
}

#[tokio::test]
async fn a_drain_ends_streams_and_polls_and_the_next_server_takes_them_up() {
    let (site, mut server, user) = bed(0).await;
    let session = server.create(&user).await;
    let mut stream = server.rest("GET", &events(session)).by(&user).stream().await;
    while stream.next().await.unwrap().name != "caught_up" {}
    let path = format!("{}?after=1.1&wait_ms=20000", events(session));
    let poll = server.rest("GET", &path).by(&user).send();
    let drain = async {
        server.signal("TERM").await;
        while stream.next().await.is_some() {}
    };
    let (poll, ()) = tokio::join!(poll, drain);
    assert!(poll.status == 200 || poll.problem() == (503, "draining".to_owned()), "{poll:?}");
    assert_eq!(server.exit().await, Some(0));

    let server = site.start().await;
    let page = server.get(&user, &format!("{}?after=1.0", events(session))).await;
    assert_eq!(page["entries"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stream_ends_with_its_connection_s_age_and_is_taken_up_again() {
    let site = Site::new().with("GREENROOM__GATEWAY__HTTP_CONNECTION_MS_MAX", "300");
    let server = site.start().await;
    let user = server.register("ada").await;
    let session = server.create(&user).await;
    let mut stream = server.rest("GET", &events(session)).by(&user).stream().await;
    let mut last_id = None;
    while let Some(event) = stream.next().await {
        last_id = event.id.or(last_id);
    }
    server.start_run(&user, session, "a todo app").await;
    // Each one ends whole, however little of the log it had time for.
    let mut all = Vec::new();
    while !all.last().is_some_and(ends) {
        let again = server.rest("GET", &events(session)).by(&user);
        let mut stream = again.header("last-event-id", &last_id.clone().unwrap()).stream().await;
        while let Some(event) = stream.next().await {
            all.extend(event.entry());
            last_id = event.id.or(last_id);
        }
    }
    assert_eq!(all, server.poll_until(&user, session, ends).await[1..]);
}

#[tokio::test]
async fn a_history_is_read_backwards_page_by_page() {
    let (_site, server, user) = bed(0).await;
    let session = server.create(&user).await;
    server.start_run(&user, session, "a todo app").await;
    let all = server.poll_until(&user, session, ends).await;
    let (mut pages, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("/sessions/{session}/history?limit=20{before}");
        let page = server.get(&user, &path).await;
        pages.push(serde_json::from_value::<Vec<Entry>>(page["entries"].clone()).unwrap());
        let Some(next) = page["next_before"].as_u64() else { break };
        before = format!("&before={next}");
    }
    pages.reverse();
    assert_eq!(pages.concat(), all);
}

#[tokio::test]
async fn too_many_streams_of_a_user_are_refused() {
    let site = Site::new().with("GREENROOM__LIMITS__SOCKETS_PER_USER_MAX", "2");
    let server = site.start().await;
    let user = server.register("ada").await;
    let session = server.create(&user).await;
    let _first = server.rest("GET", &events(session)).by(&user).stream().await;
    let _second = server.rest("GET", &events(session)).by(&user).stream().await;
    let third = server.rest("GET", &events(session)).by(&user).send().await;
    assert_eq!(third.problem(), (429, "too_many_attachments".to_owned()));
}
