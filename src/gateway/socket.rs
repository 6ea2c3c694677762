//! A WebSocket as the engine sees it.

use super::WebSocketLimits;
use bytes::Bytes;
use futures_util::{Sink as _, SinkExt as _, Stream as _, StreamExt as _};
use greenroom_actors::port::{Received, Socket, SocketError, Step};
use greenroom_protocol::error::CloseCode;
use std::{
    future::poll_fn,
    io::ErrorKind,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{CloseFrame, Role},
    },
};

/// Longest reason of a close frame, in bytes: a control frame takes 125, the code 2.
const REASON_BYTES_MAX: usize = 123;

/// One client's WebSocket.
///
/// An idle one keeps its read buffer and nothing else. Its write buffer grows with what is fed
/// between two flushes, up to a limit, and stays that large.
#[derive(Debug)]
pub struct WsSocket<S = TcpStream> {
    ws: WebSocketStream<S>,
    /// Something was fed that the caller waits for.
    fed: bool,
    /// Something is to go out that the caller does not wait for: a ping or a pong.
    owed: bool,
    pings: Pings,
    close_wait: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> WsSocket<S> {
    /// A socket after its handshake; `read` is what came after the request's head.
    pub(super) async fn new(stream: S, read: Bytes, limits: &WebSocketLimits) -> Self {
        let config = Some(limits.tungstenite());
        // Copied: as it is, these few bytes would keep hyper's whole buffer of 8 KiB for good.
        let read = read.to_vec();
        let ws = WebSocketStream::from_partially_read(stream, read, Role::Server, config).await;
        let pings = Pings { max: limits.pings_per_minute_max, count: 0, since: None };
        Self { ws, fed: false, owed: false, pings, close_wait: limits.close_wait() }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Result<Step, SocketError>> {
        // Writing first, since it ends: a peer that never stops sending cannot hold it up, and
        // once all is out, reading has its turn.
        if (self.fed || self.owed)
            && let Poll::Ready(flushed) = Pin::new(&mut self.ws).poll_flush(cx)
        {
            flushed.map_err(socket_error)?;
            self.owed = false;
            if std::mem::take(&mut self.fed) {
                return Poll::Ready(Ok(Step::Flushed));
            }
        }
        if read { self.poll_receive(cx).map_ok(Step::Received) } else { Poll::Pending }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, SocketError>> {
        loop {
            let message = ready!(Pin::new(&mut self.ws).poll_next(cx));
            return Poll::Ready(match message {
                Some(Ok(Message::Text(text))) => Ok(Received::Text(text.as_str().to_owned())),
                Some(Ok(Message::Binary(_))) => Ok(Received::Binary),
                Some(Ok(Message::Ping(_))) => {
                    self.owed = true; // tungstenite has queued the pong
                    self.pings.count(Instant::now()).map(|()| Received::Alive)
                }
                Some(Ok(Message::Pong(_))) => Ok(Received::Alive),
                // The answer is queued; reading on sends it and then ends.
                Some(Ok(Message::Close(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => Err(socket_error(error)),
                None => Err(SocketError::Closed),
            });
        }
    }

    fn queue(&mut self, message: Message) -> Result<(), SocketError> {
        // Never blocks: what the network does not take stays in the buffer.
        Pin::new(&mut self.ws).start_send(message).map_err(socket_error)
    }

    /// Sends what was fed and a close frame, and waits for the peer's and for its end.
    async fn farewell(mut self, frame: CloseFrame) {
        if self.ws.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = self.ws.next().await {}
        }
        // After an error nothing can be read as frames any more. What the peer still sends is read
        // as bytes: closing over unread bytes would reset the connection and lose our close frame.
        let mut stream = self.ws.into_inner();
        if stream.shutdown().await.is_ok() {
            let mut scratch = [0; 512];
            while stream.read(&mut scratch).await.is_ok_and(|n| n > 0) {}
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for WsSocket<S> {
    async fn step(&mut self, read: bool) -> Result<Step, SocketError> {
        poll_fn(|cx| self.poll_step(cx, read)).await
    }

    fn feed(&mut self, text: String) -> Result<(), SocketError> {
        self.fed = true;
        self.queue(Message::text(text))
    }

    fn ping(&mut self) -> Result<(), SocketError> {
        self.owed = true;
        self.queue(Message::Ping(Bytes::new()))
    }

    async fn close(self, code: CloseCode, reason: &str) {
        let mut end = reason.len().min(REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = reason.get(..end).unwrap_or_default().into();
        let frame = CloseFrame { code: code.number().into(), reason };
        // Boxed: a socket closes once, and its task need not be as large as this all its life.
        let _ = timeout(self.close_wait, Box::pin(self.farewell(frame))).await;
    }
}

/// How many pings came within this minute.
#[derive(Debug)]
struct Pings {
    max: u32,
    count: u32,
    since: Option<Instant>,
}

impl Pings {
    fn count(&mut self, now: Instant) -> Result<(), SocketError> {
        let minute = Duration::from_secs(60);
        if self.since.is_none_or(|since| now.duration_since(since) >= minute) {
            (self.since, self.count) = (Some(now), 0);
        }
        self.count += 1;
        if self.count > self.max {
            return Err(SocketError::Protocol(format!("more than {} pings a minute", self.max)));
        }
        Ok(())
    }
}

/// Whether the peer is gone, and nothing else failed.
const fn is_the_peer_s(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::UnexpectedEof
    )
}

fn socket_error(error: Error) -> SocketError {
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::SendAfterClosing
            | ProtocolError::ReceivedAfterClosing,
        ) => SocketError::Closed,
        Error::Io(error) if is_the_peer_s(error.kind()) => SocketError::Closed,
        Error::Io(error) => SocketError::Io(error.kind().to_string()),
        Error::Capacity(_) => SocketError::TooBig,
        Error::Protocol(error) => SocketError::Protocol(error.to_string()),
        Error::Utf8(_) => SocketError::Protocol("text that is no UTF-8".into()),
        Error::WriteBufferFull(_) => {
            SocketError::Io("more was fed than the write buffer takes".into())
        }
        // None of them comes from a socket that is open.
        Error::Tls(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => SocketError::Protocol("unexpected".into()),
    }
}

#[cfg(test)]
mod tests;
