//! Messages that are wrong: each gets its code, and nothing else happens.

use crate::server::{Server, Site, Socket, User, session, soon};
use greenroom_protocol::{
    error::{Code, Reason},
    frame::{After, ClientFrame, ServerFrame},
    limit::MESSAGE_BYTES_MAX,
    method::{Method, SessionPage},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

async fn bed() -> (Site, Server, User) {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    (site, server, user)
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let (_site, server, user) = bed().await;
    let mut socket = Socket::open(&server, "/ws").await;
    let hello = serde_json::json!({
        "type": "hello", "v": [1, 1], "token": user.access, "later": { "a": [1] },
        "client": { "name": "x", "mood": "fine" }, "features": ["telepathy"],
    });
    socket.send_text(&hello.to_string()).await;
    let welcome = socket.next().await;
    assert!(matches!(welcome, ServerFrame::Welcome(_)), "{welcome:?}");
    let (id, session) = (1, session());
    let create = serde_json::json!({
        "type": "call", "id": id, "cid": format!("cmd_{}", session.uuid().as_simple()),
        "method": "session.create", "session": session, "later": true,
        "params": { "title": "x", "later": null },
    });
    socket.send_text(&create.to_string()).await;
    assert_eq!(socket.answer(id).await.unwrap()["title"], "x");
}

#[tokio::test]
async fn unknown_types_and_methods_get_their_codes_and_the_socket_lives() {
    let (_site, server, user) = bed().await;
    let mut socket = Socket::connect(&server, &user).await;
    socket.send_text(r#"{"type":"teleport","ch":1}"#).await;
    let frame = socket.next().await;
    let ServerFrame::Error { error, .. } = frame else { panic!("no error but {frame:?}") };
    assert_eq!(error.reason, Reason::UnknownType);
    let session = session();
    let calls = [
        (r#""method":"run.fly""#.to_owned(), Code::Unimplemented, Reason::UnknownMethod),
        (r#""method":"presence.get""#.to_owned(), Code::Unimplemented, Reason::UnknownMethod),
        (
            format!(r#""method":"session.create","session":"{session}""#),
            Code::InvalidArgument,
            Reason::CommandIdRequired,
        ),
        (r#""method":"session.get""#.to_owned(), Code::InvalidArgument, Reason::Malformed),
        (
            format!(r#""method":"run.start","session":"{session}","params":{{"input":7}}"#),
            Code::InvalidArgument,
            Reason::Malformed,
        ),
        (
            format!(r#""method":"run.start","session":"{session}","params":{{"input":" "}}"#),
            Code::InvalidArgument,
            Reason::BadPrompt,
        ),
    ];
    for (id, (call, code, reason)) in (1..).zip(calls) {
        socket.send_text(&format!(r#"{{"type":"call","id":{id},{call}}}"#)).await;
        let error = socket.answer(id).await.unwrap_err();
        assert_eq!((error.code, error.reason), (code, reason), "{call}");
    }
    let page: SessionPage = socket.ask(&Method::SessionList(Default::default())).await;
    assert_eq!(page.items, [], "nothing else happened");
}

#[tokio::test]
async fn messages_that_are_no_frames_close_the_socket_with_their_codes() {
    let (_site, server, user) = bed().await;
    let deep = format!(
        r#"{{"type":"call","id":1,"method":"session.list","params":{}{}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let ping = ClientFrame::Ping { ts: 7 }.encode();
    let padded = |len: usize| format!("{ping}{}", " ".repeat(len - ping.len()));
    let invalid =
        Frame::message(&b"{\"type\":\"ping\",\"ts\":\xff}"[..], OpCode::Data(Data::Text), true);
    let many = format!("[{}]", vec![ping.as_str(); 65].join(","));
    let cases = [
        (Message::text(deep), 4500, "deep"),
        (Message::text(padded(MESSAGE_BYTES_MAX + 1)), 4506, "large"),
        (Message::text("x".repeat(1 << 20)), 4506, "far too large"),
        (Message::Frame(invalid), 4500, "invalid UTF-8"),
        (Message::binary(ping.clone().into_bytes()), 4500, "binary"),
        (Message::text("{"), 4500, "no JSON"),
        (Message::text(many), 4500, "many frames"),
        (Message::text(r#"{"type":"attach","ch":"x"}"#), 4500, "a wrong field"),
    ];
    for (message, code, what) in cases {
        let mut socket = Socket::connect(&server, &user).await;
        socket.try_send(message).await;
        assert_eq!(socket.close_code().await, code, "{what}");
    }
    let mut socket = Socket::connect(&server, &user).await;
    socket.send_text(&padded(MESSAGE_BYTES_MAX)).await;
    let answer = socket.next().await;
    assert!(
        matches!(answer, ServerFrame::Pong { ts: 7 }),
        "the limit itself is allowed: {answer:?}"
    );
}

#[tokio::test]
async fn a_socket_begins_with_a_hello_in_time_and_in_a_known_version() {
    let (_site, server, user) = bed().await;
    let mut silent = Socket::open(&server, "/ws").await;
    let mut hasty = Socket::open(&server, "/ws").await;
    hasty.send(&ClientFrame::Ping { ts: 1 }).await;
    assert_eq!(hasty.close_code().await, 4500);
    let mut modern = Socket::open(&server, "/ws").await;
    let hello = serde_json::json!({ "type": "hello", "v": [2, 9], "token": user.access });
    modern.send_text(&hello.to_string()).await;
    assert_eq!(modern.close_code().await, 4505);
    let mut twice = Socket::connect(&server, &user).await;
    twice.send_text(r#"{"type":"hello","v":[1,1]}"#).await;
    assert_eq!(twice.close_code().await, 4500);
    assert_eq!(soon("end", silent.close_code()).await, 4504);
}

#[tokio::test]
async fn a_channel_has_one_attachment() {
    let (_site, server, user) = bed().await;
    let mut socket = Socket::connect(&server, &user).await;
    let session = session();
    socket.create(session, 1).await;
    let again = socket.try_attach(session, 1, After::Start).await;
    assert!(
        matches!(&again, ServerFrame::Error { error, .. } if error.reason == Reason::ChannelInUse),
        "{again:?}"
    );
}
