//! The scripted client against a server that is scripted too.

use super::{driver::names, *};
use crate::checker::Rule;
use futures_util::{SinkExt, StreamExt};
use greenroom_protocol::{
    SUBPROTOCOL,
    id::CommandId,
    method::{Method, SessionCreate},
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        http::HeaderValue,
    },
};
use uuid::Uuid;

const SESSION: SessionId = SessionId::new(Uuid::from_u128(5));

/// One socket as its server sees it.
struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    #[expect(clippy::result_large_err, reason = "the signature that tungstenite asks for")]
    async fn accept(listener: &TcpListener) -> Self {
        let (socket, _) = listener.accept().await.unwrap();
        let choose = |_: &Request, mut response: Response| {
            let protocol = HeaderValue::from_static(SUBPROTOCOL);
            response.headers_mut().insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        let mut peer = Self(accept_hdr_async(socket, choose).await.unwrap());
        let hello = peer.next("hello").await;
        let welcome = json!({
            "type": "welcome", "v": 1, "conn": "con_00000000000000000000000000000001",
            "heartbeat": {"interval_ms": 25000, "timeout_ms": 10000}, "limits": {}, "features": [],
            "auth_expires_in_ms": 900_000, "time": 0,
        });
        peer.send(welcome).await;
        for attach in hello["attach"].as_array().into_iter().flatten() {
            peer.attached(attach).await;
        }
        peer
    }

    /// The next frame of a type; others are passed over.
    async fn next(&mut self, kind: &str) -> Value {
        loop {
            if let Message::Text(text) = self.0.next().await.unwrap().unwrap() {
                let frame: Value = serde_json::from_str(&text).unwrap();
                if frame["type"] == kind {
                    return frame;
                }
            }
        }
    }

    async fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Answers an attach: begins where it was asked to.
    async fn attached(&mut self, attach: &Value) {
        let after = attach["after"]["seq"].as_u64().unwrap_or(0);
        self.send(json!({
            "type": "attached", "ch": attach["ch"], "session": attach["session"], "epoch": 1,
            "head": after, "after": after, "mode": "resumed", "status": "idle",
        }))
        .await;
        self.send(json!({"type": "caught_up", "ch": attach["ch"], "seq": after})).await;
    }

    async fn entry(&mut self, seq: u64) {
        let event = json!({"type": "notice", "notice": "session_created", "message": "t"});
        self.send(json!({"type": "ev", "ch": 1, "seq": seq, "ts": 1, "event": event})).await;
    }
}

struct Fixture {
    listener: TcpListener,
    world: Arc<World>,
    client: Client,
}

async fn fixture(follow: bool) -> Fixture {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::new();
    let pace = Pace::default();
    let setup = Setup {
        name: "a".into(),
        addr: listener.local_addr().unwrap(),
        token: "token".into(),
        seed: 1,
        call_timeout: Duration::from_secs(10),
        follow: follow
            .then_some(Follow { session: SESSION, after: After::Start, pace })
            .into_iter()
            .collect(),
    };
    let client = Client::spawn(&TaskTracker::new(), Arc::clone(&world), setup);
    Fixture { listener, world, client }
}

/// Waits until the client has applied an entry.
async fn applied(client: &Client, seq: u64) {
    while client.positions().await.first().is_none_or(|(_, last)| last.0 < seq) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_resumes_after_its_last_entry_and_keeps_one_transcript() {
    let Fixture { listener, world, client } = fixture(true).await;
    let mut peer = Peer::accept(&listener).await;
    peer.entry(1).await;
    peer.entry(2).await;
    applied(&client, 2).await;
    client.drop_socket().await;
    let mut peer = Peer::accept(&listener).await;
    peer.entry(3).await;
    applied(&client, 3).await;
    let (session, transcript) = client.stop().await.remove(0);
    assert_eq!((session, transcript.items.len(), transcript.last()), (SESSION, 3, Seq(3)));
    assert_eq!(world.violations(), []);
    assert_eq!(world.shown(SESSION), Seq(3));
}

#[tokio::test]
async fn a_call_without_an_answer_is_asked_again_under_the_same_command_id() {
    let Fixture { listener, client, .. } = fixture(false).await;
    let cid = CommandId::new(Uuid::from_u128(9));
    let create = Method::SessionCreate(SESSION, cid, SessionCreate::default()).to_call();
    let serve = async {
        let mut peer = Peer::accept(&listener).await;
        let first = peer.next("call").await;
        drop(peer);
        let mut peer = Peer::accept(&listener).await;
        let second = peer.next("call").await;
        peer.send(json!({"type": "ok", "id": second["id"], "result": {}, "duplicate": true})).await;
        (first, second)
    };
    let (answer, (first, second)) = tokio::join!(client.call(create), serve);
    assert_eq!(answer, Answer::Ok { result: json!({}), duplicate: true });
    assert_eq!(first["cid"], second["cid"]);
    assert_eq!(first["cid"], cid.to_string());
}

#[tokio::test]
async fn the_first_wrong_frame_ends_the_test() {
    for (wrong, rule) in [(3, Rule::NoHole), (1, Rule::NoRepeat)] {
        let Fixture { listener, world, client: _open } = fixture(true).await;
        let mut peer = Peer::accept(&listener).await;
        peer.entry(1).await;
        peer.entry(wrong).await;
        world.stop().cancelled().await;
        assert_eq!(world.violations()[0].rule, rule);
    }
    let Fixture { listener, world, client: _open } = fixture(true).await;
    let mut peer = Peer::accept(&listener).await;
    let reset = json!({
        "type": "reset", "ch": 1, "session": SESSION, "epoch": 1, "head": 0, "after": 0,
        "reason": "seq_ahead", "status": "idle",
    });
    peer.send(reset).await;
    world.stop().cancelled().await;
    assert_eq!(world.violations()[0].rule, Rule::NoReset);
}

#[test]
fn a_frame_is_known_by_its_type_and_its_events_type() {
    let found: Vec<_> =
        names(r#"{"type":"ev","ch":1,"seq":1,"ts":2,"event":{"type":"file.end","part":1}}"#)
            .collect();
    assert_eq!(found, ["ev", "file.end"]);
    assert_eq!(names(r#"{"type":"pong","ts":1}"#).collect::<Vec<_>>(), ["pong"]);
}
