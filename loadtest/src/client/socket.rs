//! One WebSocket to the server.

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use greenroom_protocol::SUBPROTOCOL;
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, time};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        error::Error,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::WebSocketConfig,
    },
};

/// Longest wait for a socket, and for a message to go out.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Read buffer: thousands of clients live in one process.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// One WebSocket.
#[derive(Debug)]
pub(super) struct Socket(WebSocketStream<TcpStream>);

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    Text(String),
    Other,
    Closed { code: Option<u16>, reason: String },
}

impl Socket {
    /// Opens one.
    pub(super) async fn open(addr: SocketAddr) -> Result<Self> {
        let connect = async {
            let tcp = TcpStream::connect(addr).await?;
            tcp.set_nodelay(true)?;
            let mut request = format!("ws://{addr}/ws").into_client_request()?;
            let protocol = HeaderValue::from_static(SUBPROTOCOL);
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
            let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
            let (socket, response) = client_async_with_config(request, tcp, Some(config)).await?;
            if response.headers().get(SEC_WEBSOCKET_PROTOCOL).is_none_or(|got| got != SUBPROTOCOL) {
                bail!("the server did not choose the subprotocol {SUBPROTOCOL}");
            }
            Ok(Self(socket))
        };
        time::timeout(TIMEOUT, connect).await.context("no socket in time")?
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Incoming {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Incoming::Text(text.as_str().to_owned()),
            Some(Ok(Message::Close(frame))) => Incoming::Closed {
                code: frame.as_ref().map(|frame| frame.code.into()),
                reason: frame.map(|frame| frame.reason.as_str().to_owned()).unwrap_or_default(),
            },
            Some(Ok(
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => Incoming::Other,
            Some(Err(error)) => closed(&error),
            None => Incoming::Closed { code: None, reason: String::new() },
        }
    }

    /// Sends a message; false: the socket is of no further use.
    pub(super) async fn send(&mut self, text: String) -> bool {
        matches!(time::timeout(TIMEOUT, self.0.send(Message::text(text))).await, Ok(Ok(())))
    }
}

fn closed(error: &Error) -> Incoming {
    Incoming::Closed { code: None, reason: error.to_string() }
}
