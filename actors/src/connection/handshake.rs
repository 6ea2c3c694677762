//! From the upgrade to `welcome`: who it is, and which version both speak.

use super::serve::Edge;
use crate::port::{AuthError, Principal, Received, Socket, SocketError, Step};
use greenroom_protocol::{
    VERSION,
    error::CloseCode,
    frame::{ClientFrame, Heartbeat, Hello, ServerFrame, Welcome, decode},
    id::ConnectionId,
    limit,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::timeout;

/// What a client asked for in its `hello`, and what came with it in the same message.
#[derive(Debug)]
pub(super) struct Greeted {
    pub(super) principal: Principal,
    pub(super) hello: Hello,
    pub(super) rest: Vec<ClientFrame>,
}

/// Waits for `hello` and checks it.
///
/// # Errors
/// The code to close with; `None` where the socket is closed already.
pub(super) async fn greet<S: Socket>(
    edge: &Edge,
    socket: &mut S,
    ticket: Option<Principal>,
) -> Result<Greeted, Option<CloseCode>> {
    let first = timeout(limit::HELLO_TIMEOUT, first_message(socket)).await;
    let message = first.map_err(|_| Some(CloseCode::HelloTimeout))??;
    let mut frames =
        decode(message.as_bytes()).map_err(|error| Some(error.close_code()))?.into_iter();
    let Some(ClientFrame::Hello(hello)) = frames.next() else {
        return Err(Some(CloseCode::Malformed));
    };
    let (low, high) = hello.v;
    if !(low..=high).contains(&VERSION) {
        return Err(Some(CloseCode::UnsupportedVersion));
    }
    let principal = match (&hello.token, ticket) {
        (Some(token), ticket) => {
            let found = edge.node.authenticator.verify(token, edge.node.clock.now_ms());
            let found = found.map_err(|error| Some(refusal(error)))?;
            if ticket.is_some_and(|ticket| ticket.user != found.user) {
                return Err(Some(CloseCode::PrincipalMismatch));
            }
            found
        }
        (None, Some(ticket)) => ticket,
        (None, None) => return Err(Some(CloseCode::Unauthenticated)),
    };
    Ok(Greeted { principal, hello, rest: frames.collect() })
}

async fn first_message<S: Socket>(socket: &mut S) -> Result<String, Option<CloseCode>> {
    loop {
        match socket.step(true).await {
            Ok(Step::Received(Received::Text(message))) => return Ok(message),
            Ok(Step::Received(Received::Binary)) => return Err(Some(CloseCode::Malformed)),
            Ok(Step::Received(Received::Alive) | Step::Flushed) => {}
            Err(error) => return Err(close_code(&error)),
        }
    }
}

/// The code that answers a socket's failure; `None` where nobody is there to hear it.
pub(super) const fn close_code(error: &SocketError) -> Option<CloseCode> {
    match error {
        SocketError::TooBig => Some(CloseCode::MessageTooBig),
        SocketError::Protocol(_) => Some(CloseCode::Malformed),
        SocketError::Closed | SocketError::Io(_) => None,
    }
}

/// The code that answers a token that is refused.
const fn refusal(error: AuthError) -> CloseCode {
    match error {
        AuthError::Invalid => CloseCode::Unauthenticated,
        AuthError::Expired => CloseCode::TokenExpired,
    }
}

const fn millis(duration: Duration) -> u64 {
    duration.as_secs() * 1000 + duration.subsec_millis() as u64
}

/// The answer to a `hello`.
pub(super) fn welcome(edge: &Edge, conn: ConnectionId, greeted: &Greeted) -> ServerFrame {
    let now_ms = edge.node.clock.now_ms();
    let config = &edge.node.config;
    let limits = BTreeMap::from([
        ("message_bytes".to_owned(), limit::MESSAGE_BYTES_MAX as u64),
        ("prompt_bytes".to_owned(), limit::PROMPT_BYTES_MAX as u64),
        ("batch_frames".to_owned(), limit::BATCH_FRAMES_MAX as u64),
        ("attachments".to_owned(), u64::from(config.attachments_per_connection)),
        ("connections".to_owned(), u64::from(config.connections_per_user)),
        ("runs".to_owned(), u64::from(config.runs_per_user)),
    ]);
    let features = greeted.hello.features.iter().filter(|feature| *feature == "ping");
    ServerFrame::Welcome(Welcome {
        v: VERSION,
        conn,
        heartbeat: Heartbeat {
            interval_ms: millis(limit::HEARTBEAT_INTERVAL),
            timeout_ms: millis(limit::HEARTBEAT_TIMEOUT),
        },
        limits,
        features: features.take(1).cloned().collect(),
        auth_expires_in_ms: greeted.principal.expires_at_ms.saturating_sub(now_ms),
        time: now_ms,
    })
}
