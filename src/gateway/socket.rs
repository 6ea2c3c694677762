//! A WebSocket as the engine sees it.

use super::{
    WebSocketLimits,
    progress::{Progress, too_many},
};
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
    time::{Instant, Sleep, sleep, timeout},
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

/// Messages of a peer that are still taken after our close frame, and then bytes. A peer that
/// floods is not worth reading on.
const FAREWELL_MESSAGES_MAX: usize = 16;
const FAREWELL_BYTES_MAX: usize = 256 * 1024;

/// One client's WebSocket.
///
/// An idle one keeps its read buffer and nothing else. Its write buffer grows with what is fed
/// between two flushes, up to a limit, and stays that large.
#[derive(Debug)]
pub struct WsSocket<S = TcpStream> {
    ws: WebSocketStream<Progress<S>>,
    /// Something was fed that the caller waits for.
    fed: bool,
    /// Something is to go out that the caller does not wait for: a ping or a pong.
    owed: bool,
    controls: Controls,
    /// The end of the time that the message under way may take; none: none was waited for.
    late: Option<Pin<Box<Sleep>>>,
    message_wait: Duration,
    close_wait: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> WsSocket<S> {
    /// A socket after its handshake; `read` is what came after the request's head.
    pub(super) async fn new(stream: S, read: Bytes, limits: &WebSocketLimits) -> Self {
        let config = Some(limits.tungstenite());
        // Copied: as it is, these few bytes would keep hyper's whole buffer of 8 KiB for good.
        let read = read.to_vec();
        let stream = Progress::new(stream, &read, limits.fragments_max);
        let ws = WebSocketStream::from_partially_read(stream, read, Role::Server, config).await;
        Self {
            ws,
            fed: false,
            owed: false,
            controls: Controls { max: limits.controls_per_minute_max, count: 0, since: None },
            late: None,
            message_wait: limits.message_wait(),
            close_wait: limits.close_wait(),
        }
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
        if read {
            return self.poll_receive(cx).map_ok(Step::Received);
        }
        self.late = None; // the peer is not to blame
        Poll::Pending
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, SocketError>> {
        self.poll_message(cx).map_ok(|message| match message {
            Message::Text(text) => Received::Text(text.as_str().to_owned()),
            Message::Binary(_) => Received::Binary,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                Received::Alive
            }
        })
    }

    /// The next message, ping or pong; a close is an error.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, SocketError>> {
        loop {
            let Poll::Ready(message) = Pin::new(&mut self.ws).poll_next(cx) else {
                return self.poll_late(cx).map(Err);
            };
            return Poll::Ready(match message {
                // The answer is queued; reading on sends it and then ends.
                Some(Ok(Message::Close(_) | Message::Frame(_))) => continue,
                Some(Ok(message @ (Message::Ping(_) | Message::Pong(_)))) => {
                    self.owed |= message.is_ping(); // tungstenite has queued the pong
                    self.controls.count(Instant::now()).map(|()| message)
                }
                Some(Ok(message)) => {
                    self.late = None;
                    Ok(message)
                }
                Some(Err(error)) => Err(socket_error(error)),
                None => Err(SocketError::Closed),
            });
        }
    }

    /// Fails once the message under way has taken too long. The time is that of waiting for it.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<SocketError> {
        if !self.ws.get_ref().is_under_way() {
            self.late = None;
            return Poll::Pending;
        }
        let wait = self.message_wait;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(wait)));
        ready!(late.as_mut().poll(cx));
        Poll::Ready(SocketError::Protocol("a message that did not arrive in time".into()))
    }

    fn queue(&mut self, message: Message) -> Result<(), SocketError> {
        // Never blocks: what the network does not take stays in the buffer.
        Pin::new(&mut self.ws).start_send(message).map_err(socket_error)
    }

    /// Sends every message back until the peer is gone or breaks the protocol, as conformance
    /// suites want it.
    #[cfg(feature = "conformance")]
    pub async fn echo(mut self) {
        while let Ok(message) = poll_fn(|cx| self.poll_message(cx)).await {
            let sent = match message {
                Message::Text(_) | Message::Binary(_) => self.ws.send(message).await,
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                    self.ws.flush().await
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }

    /// Sends what was fed and a close frame, and waits for the peer's and for its end.
    async fn farewell(mut self, frame: CloseFrame) {
        if self.ws.send(Message::Close(Some(frame))).await.is_ok() {
            let mut more = FAREWELL_MESSAGES_MAX;
            while more > 0 && matches!(self.ws.next().await, Some(Ok(_))) {
                more -= 1;
            }
        }
        // After an error nothing can be read as frames any more. What the peer still sends is read
        // as bytes: closing over unread bytes would reset the connection and lose our close frame.
        let mut stream = self.ws.into_inner().into_inner();
        if stream.shutdown().await.is_ok() {
            let (mut scratch, mut more) = ([0; 4096], FAREWELL_BYTES_MAX);
            while let Ok(n @ 1..) = stream.read(&mut scratch).await {
                more = more.saturating_sub(n);
                if more == 0 {
                    return;
                }
            }
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

/// How many pings and pongs came within this minute.
#[derive(Debug)]
struct Controls {
    max: u32,
    count: u32,
    since: Option<Instant>,
}

impl Controls {
    fn count(&mut self, now: Instant) -> Result<(), SocketError> {
        let minute = Duration::from_secs(60);
        if self.since.is_none_or(|since| now.duration_since(since) >= minute) {
            (self.since, self.count) = (Some(now), 0);
        }
        self.count += 1;
        if self.count > self.max {
            return Err(SocketError::Protocol(format!(
                "more than {} pings and pongs a minute",
                self.max
            )));
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
        Error::Io(error) if too_many(&error) => SocketError::Protocol(error.to_string()),
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
