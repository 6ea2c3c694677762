//! A WebSocket to a server, opened within a time limit.

use greenroom_protocol::{SUBPROTOCOL, error::CloseCode};
use std::time::Duration;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error,
        client::IntoClientRequest as _,
        http::{HeaderValue, StatusCode, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::WebSocketConfig,
    },
};

/// Longest time from the name to the open socket.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest message that is taken from a server, in bytes: pages of files are the longest.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why no socket was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// Close code that it amounts to, for the link.
    pub(super) code: Option<u16>,
    /// For a person.
    pub(super) what: String,
}

pub(super) async fn open(url: String) -> Result<Socket, Refused> {
    let refused = |what: String| Refused { code: None, what };
    let mut request =
        url.as_str().into_client_request().map_err(|error| refused(error.to_string()))?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    match timeout(CONNECT_TIMEOUT, connect_async_with_config(request, Some(config), true)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(response))) => Err(Refused {
            code: code_of(response.status()),
            what: format!("it answers {}, not a WebSocket", response.status()),
        }),
        Ok(Err(error)) => Err(refused(error.to_string())),
        Err(_) => Err(refused(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
    }
}

/// A refused token is for good; anything else may pass.
fn code_of(status: StatusCode) -> Option<u16> {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        .then(|| CloseCode::Unauthenticated.number())
}
