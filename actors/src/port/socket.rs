//! One client's socket.

use greenroom_protocol::error::CloseCode;

/// What came from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A text message.
    Text(String),
    /// A binary message, which version 1 does not know.
    Binary,
    /// A ping or pong: a sign of life.
    Alive,
}

/// What a step of the socket brought.
#[derive(Debug)]
pub enum Step {
    /// A message.
    Received(Received),
    /// All that was fed has been handed to the network.
    Flushed,
}

/// Why a socket cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The peer closed it, or the network did.
    #[error("the socket is closed")]
    Closed,
    /// A message or frame above the limit.
    #[error("a message is too big")]
    TooBig,
    /// Bytes that are no WebSocket, or text that is no UTF-8.
    #[error("the peer broke the protocol: {0}")]
    Protocol(String),
    /// The network failed.
    #[error("the network failed: {0}")]
    Io(String),
}

/// A socket after its upgrade. Pings of the peer are answered inside.
pub trait Socket: Send {
    /// Reads and writes until something is done: a message where `read`, or all of what was fed
    /// is out. Pending for ever where `read` is false and nothing is fed. Cancel-safe.
    fn step(&mut self, read: bool) -> impl Future<Output = Result<Step, SocketError>> + Send;

    /// Queues a text frame; nothing leaves before [`Socket::step`] runs. The caller feeds a
    /// bounded batch and waits for [`Step::Flushed`] before the next.
    ///
    /// # Errors
    /// [`SocketError`]; the socket is of no further use.
    fn feed(&mut self, text: String) -> Result<(), SocketError>;

    /// Queues a ping, which [`Step::Flushed`] does not announce.
    ///
    /// # Errors
    /// [`SocketError`]; the socket is of no further use.
    fn ping(&mut self) -> Result<(), SocketError>;

    /// Sends what was fed and a close frame, waits briefly for the peer's, and ends.
    fn close(self, code: CloseCode, reason: &str) -> impl Future<Output = ()> + Send;
}
