//! A running port and a client that sends what it is told.

use crate::{
    auth::fixture::{Fixture, fixture},
    gateway::{GatewayConfig, Serve, Server, Upgraded, WsSocket, listen},
    rest::{Api, Limits, LimitsConfig, auth_routes},
};
use greenroom_actors::port::{Received, Socket as _, SocketError, Step};
use greenroom_protocol::error::CloseCode;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// Longest wait for anything that should happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// A page that is allowed.
pub(super) const PAGE: &str = "https://app.example.org";

/// A running public port whose sockets echo.
pub(super) struct Port {
    pub(super) address: SocketAddr,
    pub(super) fixture: Fixture,
    /// What the sockets came with.
    pub(super) upgraded: mpsc::Receiver<Upgraded>,
    pub(super) shutdown: CancellationToken,
    pub(super) stopped: JoinHandle<()>,
    _stops: DropGuard,
}

/// Settings without limits on rates, and with one page.
pub(super) fn config() -> GatewayConfig {
    let limits = LimitsConfig {
        requests_per_minute: 0,
        auth_per_minute: 0,
        account_per_minute: 0,
        upgrades_per_minute: 0,
        ..LimitsConfig::default()
    };
    GatewayConfig { allowed_origins: vec![PAGE.into()], limits, ..GatewayConfig::default() }
}

pub(super) async fn port() -> Port {
    port_with(config()).await
}

pub(super) async fn port_with(config: GatewayConfig) -> Port {
    port_prepared(config, |_| {}).await
}

pub(super) async fn port_prepared(config: GatewayConfig, prepare: impl FnOnce(&Server)) -> Port {
    let fixture = fixture().await;
    let limits = Arc::new(Limits::new(&config.limits, None));
    let body_wait = Duration::from_millis(config.body_ms_max);
    let api = Api::new(auth_routes(&fixture.auth, &limits, body_wait));
    let (sender, upgraded) = mpsc::channel(1000);
    let serve: Serve = Arc::new(move |socket, upgraded| {
        let _ = sender.try_send(upgraded);
        Box::pin(echo(socket))
    });
    let server = Server::public(&config, api, Arc::clone(&fixture.auth), limits, serve).unwrap();
    prepare(&server);
    let (address, shutdown, stopped) = start(server);
    let _stops = shutdown.clone().drop_guard();
    Port { address, fixture, upgraded, shutdown, stopped, _stops }
}

/// Runs a server at a free port.
pub(super) fn start(server: Server) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let stopped = TaskTracker::new().spawn(server.run(listener, shutdown.clone()));
    (address, shutdown, stopped)
}

/// Sends every text back, as the engine would use the socket.
async fn echo(mut socket: WsSocket) {
    loop {
        match socket.step(true).await {
            Ok(Step::Received(Received::Text(text))) => {
                if text == "close" || socket.feed(text).is_err() {
                    return socket.close(CloseCode::GoingAway, "going_away").await;
                }
            }
            Ok(_) => {}
            Err(SocketError::TooBig) => {
                return socket.close(CloseCode::MessageTooBig, "message_too_big").await;
            }
            Err(_) => return,
        }
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// The last of each name, in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable code of a problem.
    pub(super) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        self.json()["code"].as_str().unwrap().to_owned()
    }

    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1);
        let status = status.unwrap_or_else(|| panic!("{text:?}")).parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{text:?}")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { status, headers, body: body.to_owned() }
    }
}

pub(super) async fn connect(address: SocketAddr) -> TcpStream {
    timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap()
}

/// All that comes until the server closes.
pub(super) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    // A reset is an end too.
    let _ = read.expect("the server closes in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends bytes, and takes what comes until the server closes.
pub(super) async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address).await;
    // The server may close before it has read all.
    let _ = stream.write_all(bytes).await;
    read_to_end(&mut stream).await
}

/// One request on a connection of its own.
pub(super) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    Reply::parse(&exchange(address, text.as_bytes()).await)
}

/// One request with a JSON body.
pub(super) async fn post(address: SocketAddr, path: &str, body: &str) -> Reply {
    request(address, "POST", path, &[("Content-Type", "application/json")], body).await
}

/// Tries to open a WebSocket; the stream stands after the answer's head if it was opened.
pub(super) async fn upgrade(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> (Reply, TcpStream) {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let text = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    let mut stream = connect(address).await;
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.unwrap();
        head.push(char::from(byte.unwrap_or_else(|error| panic!("{error} after {head:?}"))));
    }
    let mut reply = Reply::parse(&head);
    if reply.status != 101 {
        reply.body = read_to_end(&mut stream).await;
    }
    (reply, stream)
}

/// The header that offers our subprotocol.
pub(super) const OFFER: (&str, &str) = ("Sec-WebSocket-Protocol", "greenroom.v1.json");

/// Registers somebody and answers with the access token.
pub(super) async fn access_token(port: &Port) -> String {
    let grant = port.fixture.auth.register("ada@example.org", "correct horse".into()).await;
    grant.unwrap().access.token
}
