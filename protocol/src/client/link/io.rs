//! What goes into a link and what comes out of it.

use crate::{
    client::{Answer, Backoff, Begin, Ticket},
    error::ErrorBody,
    frame::{ClientFrame, ClientInfo, Detached, Ev, Limits, OpenRun, Status, Welcome},
    id::{Channel, Cursor, Seq, SessionId},
};

/// What a link needs to know of its program.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the client is, for the server's log.
    pub client: ClientInfo,
    /// Optional features to ask for.
    pub features: Vec<String>,
    /// Access token; none where the upgrade carries a ticket or the server asks for none.
    pub token: Option<String>,
    /// Waits between attempts.
    pub backoff: Backoff,
    /// Seeds the jitter: give each link another one.
    pub seed: u64,
    /// Longest wait for a socket, and then for `welcome`, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Longest wait for the answer to a call, reconnects included, in milliseconds.
    pub call_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            client: ClientInfo::default(),
            features: Vec::new(),
            token: None,
            backoff: Backoff::default(),
            seed: 0,
            connect_timeout_ms: 10_000,
            call_timeout_ms: 60_000,
        }
    }
}

/// Where a link is in its life. Times are those of the caller's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not started, or stopped.
    Idle,
    /// Waits for a socket.
    Connecting {
        /// When it gives this attempt up.
        until_ms: u64,
    },
    /// Waits for `welcome`.
    HelloSent {
        /// When it gives this attempt up.
        until_ms: u64,
    },
    /// Works.
    Ready,
    /// Works, and leaves soon, as the server asked; new calls wait for the next socket.
    Draining {
        /// When it leaves.
        until_ms: u64,
    },
    /// Needs a new token before it connects.
    AwaitingToken {
        /// When it gives up.
        until_ms: u64,
        /// When it may connect at the earliest.
        connect_at_ms: u64,
    },
    /// Waits before it connects.
    Backoff {
        /// When it connects.
        until_ms: u64,
    },
    /// Given up; nothing happens any more.
    Failed,
}

/// What happened outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// The user wants the link up.
    Start,
    /// The socket that [`Effect::Connect`] asked for is open.
    Opened,
    /// A text message arrived.
    Text(&'a str),
    /// Anything else arrived: a ping, a pong.
    Alive,
    /// The socket ended or could not be opened.
    ///
    /// A refused upgrade is `4501` for HTTP 401 and 403, and otherwise has no code.
    Closed {
        /// Code of the close frame, if there was one.
        code: Option<u16>,
        /// Its reason.
        reason: &'a str,
    },
    /// The answer to [`Effect::RefreshToken`]; also unasked.
    Token(String),
    /// The other answer to [`Effect::RefreshToken`].
    NoToken,
    /// Time has passed: due at [`super::Link::deadline_ms`], harmless at any other time.
    Tick,
    /// The user wants the link down.
    Stop,
}

/// What the driver has to do, or to tell.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Open a socket; answer with [`Input::Opened`] or [`Input::Closed`].
    Connect,
    /// Send a frame.
    Send(ClientFrame),
    /// Close the socket without waiting for its end, and report nothing more of it.
    Disconnect {
        /// Code for the close frame.
        code: u16,
    },
    /// Get a token; answer with [`Input::Token`] or [`Input::NoToken`].
    RefreshToken,
    /// The link is ready.
    Ready(Welcome),
    /// The link is down and tries again.
    Lost {
        /// After this many milliseconds.
        retry_in_ms: u64,
    },
    /// An attachment begins, maybe again; act on its `begin` before the next event.
    Attached(Begun),
    /// Apply this.
    Event(Ev),
    /// An attachment has reached what was the head when it began.
    CaughtUp(Channel),
    /// The server ended or refused an attachment; with `retry_after_ms` the link attaches again.
    Detached(Detached),
    /// Something is wrong that belongs to no call.
    Notice {
        /// The attachment it concerns.
        ch: Option<Channel>,
        /// What.
        error: ErrorBody,
    },
    /// The client sends too much; the link holds calls back for `retry_after_ms`.
    Limits(Limits),
    /// A call ended.
    Answered {
        /// The call.
        ticket: Ticket,
        /// How.
        answer: Answer,
    },
    /// The link has failed for good; nothing follows.
    GiveUp {
        /// Why.
        why: GiveUp,
        /// Calls that will have no answer.
        unanswered: Vec<Ticket>,
    },
}

/// Where an attachment begins, from `attached` or `reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The attachment.
    pub ch: Channel,
    /// The session.
    pub session: SessionId,
    /// What becomes of that which was applied before.
    pub begin: Begin,
    /// The place: the next entry is the one after its `seq`.
    pub place: Cursor,
    /// Last entry of the log now.
    pub head: Seq,
    /// What the session does now.
    pub status: Status,
    /// The run that it is at, where the server says so.
    pub run: Option<OpenRun>,
}

/// Why a link failed for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GiveUp {
    /// The server closed with a code that forbids to come back.
    #[error("the server closed the connection for good: {code} {reason}")]
    Closed {
        /// The code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// A new token was needed and none came.
    #[error("the server wants a new token and there is none")]
    NoToken,
}
