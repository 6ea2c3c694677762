use super::harness::*;
use crate::gateway::{GatewayConfig, Speech, WebSocketLimits};
use futures_util::{SinkExt as _, StreamExt as _};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

async fn client(stream: TcpStream) -> WebSocketStream<TcpStream> {
    WebSocketStream::from_raw_socket(stream, Role::Client, None).await
}

async fn open(port: &Port) -> WebSocketStream<TcpStream> {
    let (reply, stream) = upgrade(port.address, "/ws", &[OFFER]).await;
    assert_eq!(reply.status, 101, "{reply:?}");
    client(stream).await
}

async fn ticket(port: &Port) -> String {
    let bearer = format!("Bearer {}", access_token(port).await);
    let header = [("Authorization", &*bearer)];
    let reply = request(port.address, "POST", "/api/v1/ws/ticket", &header, "").await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.json()["expires_in_ms"], 30_000);
    reply.json()["ticket"].as_str().unwrap().to_owned()
}

/// The code of the close frame that comes, after any messages.
async fn close_code(client: &mut WebSocketStream<TcpStream>) -> u16 {
    loop {
        let message = timeout(Duration::from_secs(5), client.next()).await.unwrap();
        if let Message::Close(Some(frame)) = message.expect("a close frame").unwrap() {
            return frame.code.into();
        }
    }
}

#[tokio::test]
async fn a_socket_is_upgraded_and_carries_messages() {
    let mut port = port().await;
    let (reply, stream) = upgrade(port.address, "/ws", &[OFFER]).await;
    assert_eq!(reply.status, 101);
    assert_eq!(reply.headers["sec-websocket-protocol"], "greenroom.v1.json");
    assert_eq!(reply.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

    let mut client = client(stream).await;
    for text in ["hello", "", "ä\n", &"x".repeat(50_000)] {
        client.send(Message::text(text)).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text(text));
    }
    client.send(Message::text("close")).await.unwrap();
    assert_eq!(close_code(&mut client).await, 4001);

    let upgraded = port.upgraded.recv().await.unwrap();
    assert_eq!((upgraded.speech, upgraded.principal), (Speech::Greenroom, None));
    assert_eq!(upgraded.request_id.as_str(), reply.headers["x-request-id"]);
    assert!(upgraded.peer.is_loopback());
}

#[tokio::test]
async fn messages_that_come_along_with_the_request_are_not_lost() {
    let port = port().await;
    let mut stream = connect(port.address).await;
    let request = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: greenroom.v1.json\r\n\r\n";
    // One message in two frames, masked with zeros. A bare LF in it is none of the guard's business.
    let frames = b"\x01\x82\0\0\0\0a\n\x80\x82\0\0\0\0\nb";
    let bytes = [request.as_bytes(), frames].concat();
    stream.write_all(&bytes).await.unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(stream.read_u8().await.unwrap()));
    }
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut client = client(stream).await;
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("a\n\nb"));
}

#[tokio::test]
async fn a_page_opens_a_socket_only_if_it_is_listed() {
    let port = port().await;
    for bad in [
        "https://evil.test",
        "null",
        "",
        "http://app.example.org",
        "https://app.example.org.evil.test",
        "https://app.example.org:8443",
        "https://sub.app.example.org",
        "HTTPS://APP.EXAMPLE.ORG",
    ] {
        let headers = [OFFER, ("Origin", bad), ("Cookie", "session=1")];
        let (reply, _) = upgrade(port.address, "/ws", &headers).await;
        let code = serde_json::from_str::<serde_json::Value>(&reply.body).unwrap();
        assert_eq!(
            (reply.status, code["code"].as_str()),
            (403, Some("origin_not_allowed")),
            "{bad}"
        );
        let (reply, _) = upgrade(port.address, "/ws/generate?token=x", &headers).await;
        assert_eq!((reply.status, &*reply.code()), (403, "origin_not_allowed"), "{bad}");
    }
    assert_eq!(upgrade(port.address, "/ws", &[OFFER, ("Origin", PAGE)]).await.0.status, 101);
    assert_eq!(upgrade(port.address, "/ws", &[OFFER]).await.0.status, 101, "no page");
}

#[tokio::test]
async fn whoever_asks_for_something_else_is_told_what_to_use() {
    let port = port().await;
    for (path, offer, code, hint) in [
        ("/ws", ("X", "y"), "subprotocol_required", "greenroom.v1.json"),
        (
            "/ws",
            ("Sec-WebSocket-Protocol", "chat, graphql-ws"),
            "subprotocol_required",
            "greenroom.v1.json",
        ),
        ("/ws/generate?access_token=x", OFFER, "token_in_url", "/api/v1/ws/ticket"),
        ("/ws?token=x", OFFER, "token_in_url", "/api/v1/ws/ticket"),
        ("/ws?ticket=y&token=x", OFFER, "token_in_url", "/api/v1/ws/ticket"),
        (
            "/ws",
            ("Sec-WebSocket-Protocol", "greenroom.v1.json\r\nContent-Length: 3"),
            "malformed_request",
            "no body",
        ),
    ] {
        let (reply, _) = upgrade(port.address, path, &[offer]).await;
        assert_eq!((reply.status, &*reply.code()), (400, code), "{path}");
        assert!(reply.body.contains(hint), "{}", reply.body);
    }
}

#[tokio::test]
async fn the_dialect_s_address_says_who_it_is_by_a_token_or_a_ticket() {
    let mut port = port().await;
    let token = access_token(&port).await;
    let user = port.fixture.auth.verify(&token).unwrap().user;
    let bearer = format!("Bearer {token}");
    let header = [("Authorization", &*bearer)];
    let reply = request(port.address, "POST", "/api/v1/ws/ticket", &header, "").await;
    let ticket = reply.json()["ticket"].as_str().unwrap().to_owned();
    for query in [format!("token={token}"), format!("ticket={ticket}")] {
        let (reply, _) = upgrade(port.address, &format!("/ws/generate?{query}"), &[]).await;
        assert_eq!(reply.status, 101, "{reply:?}");
        assert_eq!(reply.headers.get("sec-websocket-protocol"), None);
        let upgraded = port.upgraded.recv().await.unwrap();
        assert_eq!(upgraded.speech, Speech::Qbit);
        assert_eq!(upgraded.principal.map(|principal| principal.user), Some(user));
    }
    for (query, code) in [
        (format!("ticket={ticket}"), "bad_ticket"),
        (format!("token={token}x"), "bad_token"),
        (format!("token={ticket}"), "bad_token"),
        (String::new(), "bad_token"),
    ] {
        let (reply, _) = upgrade(port.address, &format!("/ws/generate?{query}"), &[]).await;
        assert_eq!((reply.status, &*reply.code()), (401, code), "{query}");
        assert!(!reply.body.contains(&token) && !reply.body.contains(&ticket), "{}", reply.body);
    }
}

#[tokio::test]
async fn a_ticket_opens_one_socket_however_many_try_at_once() {
    let mut port = port().await;
    let path = format!("/ws?ticket={}", ticket(&port).await);

    let mut tries = JoinSet::new();
    for _ in 0..100 {
        let (address, path) = (port.address, path.clone());
        tries.spawn(async move { upgrade(address, &path, &[OFFER]).await.0.status });
    }
    let mut statuses = tries.join_all().await;
    statuses.sort_unstable();

    assert_eq!(statuses.first(), Some(&101));
    assert!(statuses.iter().skip(1).all(|status| *status == 401), "{statuses:?}");
    let user = port.upgraded.recv().await.unwrap().principal.unwrap().user;
    let login = port.fixture.auth.login("ada@example.org", "correct horse".into()).await.unwrap();
    assert_eq!(user, login.user);
}

#[tokio::test]
async fn a_refusal_does_not_use_a_ticket_up_and_time_does() {
    let port = port().await;
    let path = format!("/ws?ticket={}", ticket(&port).await);
    let evil = ("Origin", "https://evil.test");
    assert_eq!(upgrade(port.address, &path, &[OFFER, evil]).await.0.status, 403);
    assert_eq!(upgrade(port.address, &path, &[]).await.0.status, 400);
    port.fixture.clock.set(crate::auth::fixture::NOW_MS + 30_000);
    let (reply, _) = upgrade(port.address, &path, &[OFFER]).await;
    assert_eq!((reply.status, &*reply.code()), (401, "bad_ticket"));
}

#[tokio::test]
async fn a_message_that_is_far_too_big_ends_with_its_close_code() {
    let port = port().await;
    let mut client = open(&port).await;
    // The server may stop reading before all is written.
    let _ = client.send(Message::text("x".repeat(1_000_000))).await;
    assert_eq!(close_code(&mut client).await, 4506);
}

#[tokio::test]
async fn handshakes_beyond_what_is_allowed_at_once_are_put_off() {
    let mut busy = None;
    let config = GatewayConfig { handshakes_max: 1, ..config() };
    let port = port_prepared(config, |server| {
        let handshakes = Arc::clone(&server.site.public.as_ref().unwrap().handshakes);
        busy = handshakes.try_acquire_owned().ok();
    });
    let mut port = port.await;

    let (reply, _) = upgrade(port.address, "/ws", &[OFFER]).await;
    assert_eq!((reply.status, &*reply.code()), (503, "busy"));
    assert_eq!(reply.headers["retry-after"], "1");

    drop(busy);
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(open(&port).await);
        port.upgraded.recv().await.unwrap(); // the permit was for the handshake alone
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_sockets_and_cuts_them_off_in_the_end() {
    let config = GatewayConfig { drain_ms_max: 300, ..config() };
    let port = port_with(config).await;
    let mut patient = open(&port).await;
    let mut quick = open(&port).await;

    port.shutdown.cancel();
    quick.send(Message::text("close")).await.unwrap();
    assert_eq!(close_code(&mut quick).await, 4001, "it still works while draining");

    timeout(Duration::from_secs(5), port.stopped).await.expect("it stops").unwrap();
    let ended = patient.next().await;
    assert!(!matches!(ended, Some(Ok(Message::Text(_)))), "{ended:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_answer_a_close_is_left() {
    let websocket = WebSocketLimits { close_ms_max: 100, ..Default::default() };
    let config = GatewayConfig { websocket, drain_ms_max: 60_000, ..config() };
    let port = port_with(config).await;
    let mut client = open(&port).await;
    client.send(Message::text("close")).await.unwrap();
    port.shutdown.cancel();
    timeout(Duration::from_secs(5), port.stopped).await.expect("it stops").unwrap();
}
