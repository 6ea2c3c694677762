//! A client of the Qbit dialect, message by message.

use super::{Server, soon};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// A socket at `/ws/generate`.
pub(crate) struct Qbit {
    ws: WebSocketStream<TcpStream>,
}

impl Qbit {
    /// A socket after its handshake, with this query; `connected` has not come yet.
    pub(crate) async fn open(server: &Server, query: &str) -> Self {
        let stream = TcpStream::connect(server.public).await.unwrap();
        let address = format!("ws://{}/ws/generate?{query}", server.public);
        let (ws, _) = soon("handshake", client_async(address, stream)).await.unwrap();
        Self { ws }
    }

    /// A socket after `connected`.
    pub(crate) async fn connect(server: &Server, token: &str) -> Self {
        let mut qbit = Self::open(server, &format!("token={token}")).await;
        assert_eq!(qbit.next().await["type"], "connected");
        qbit
    }

    /// Sends a message as it is.
    pub(crate) async fn send(&mut self, message: Message) {
        // The server may stop reading in the middle.
        let _ = soon("room to write", self.ws.send(message)).await;
    }

    /// Sends a message of a type.
    pub(crate) async fn ask(&mut self, kind: &str, payload: Value) {
        let message = json!({ "type": kind, "payload": payload });
        self.send(Message::text(message.to_string())).await;
    }

    /// The next message; the close code where the socket ends, 1006 where it just ends.
    pub(crate) async fn receive(&mut self) -> Result<Value, u16> {
        loop {
            match soon("message", self.ws.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(1006),
                Some(Ok(
                    Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
                )) => {}
            }
        }
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        self.receive().await.unwrap_or_else(|code| panic!("closed with {code}"))
    }

    /// All messages up to the first of one of these types, which is the last of them.
    pub(crate) async fn take_until(&mut self, kinds: &[&str]) -> Vec<Value> {
        let mut taken = Vec::new();
        loop {
            let message = self.next().await;
            let found = kinds.iter().any(|kind| message["type"] == **kind);
            taken.push(message);
            if found {
                return taken;
            }
        }
    }

    /// All messages up to the end of a request, whatever it is.
    pub(crate) async fn take_end(&mut self) -> Vec<Value> {
        let ends = ["code_generation_complete", "generation_complete", "response", "error"];
        self.take_until(&ends).await
    }

    /// The code of the error that comes next.
    pub(crate) async fn error(&mut self) -> String {
        let message = self.next().await;
        assert_eq!(message["type"], "error", "{message}");
        message["payload"]["code"].as_str().unwrap().to_owned()
    }

    /// The code that the server closes the socket with, after any messages.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            if let Err(code) = self.receive().await {
                return code;
            }
        }
    }
}

/// The figures of progress, in order.
pub(crate) fn figures(messages: &[Value]) -> Vec<u64> {
    let of = |message: &&Value| message["type"] == "code_generation_progress";
    let figure = |message: &Value| message["payload"]["progress"].as_u64().unwrap();
    messages.iter().filter(of).map(figure).collect()
}

/// The files that messages tell: what came of each path since it was last begun.
pub(crate) fn told(messages: &[Value]) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for message in messages {
        let payload = &message["payload"];
        let path = || payload["file_path"].as_str().unwrap().to_owned();
        if message["type"] == "file_tree_update" && payload["status"] == "processing" {
            files.insert(path(), Vec::new());
        } else if message["type"] == "code_token" {
            let token = payload["token"].as_str().unwrap();
            files.get_mut(&path()).expect("it was begun").extend(token.as_bytes());
        }
    }
    files
}
