//! What can go wrong on the wire: decode errors, coded errors, close codes.

use crate::limit::{BATCH_FRAMES_MAX, JSON_DEPTH_MAX, MESSAGE_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Why a message could not be decoded. Every one closes the socket, since what follows cannot be
/// trusted: [`DecodeError::close_code`].
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`MESSAGE_BYTES_MAX`].
    #[error("message is {len_bytes} bytes, the limit is {MESSAGE_BYTES_MAX}")]
    TooLarge {
        /// Length received, in bytes.
        len_bytes: usize,
    },
    /// Nested deeper than [`JSON_DEPTH_MAX`].
    #[error("message is nested deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
    /// An array of more than [`BATCH_FRAMES_MAX`] frames.
    #[error("message holds more than {BATCH_FRAMES_MAX} frames")]
    TooManyFrames,
    /// Not JSON, or a known frame with a missing or wrong field.
    #[error("malformed frame")] // the source is printed by whoever walks the chain
    Malformed(#[source] serde_json::Error),
}

impl DecodeError {
    /// The close code that answers this error.
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::TooLarge { .. } => CloseCode::MessageTooBig,
            Self::TooDeep | Self::TooManyFrames | Self::Malformed(_) => CloseCode::Malformed,
        }
    }
}

/// Class of an error, by the names of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request can never succeed as it is.
    InvalidArgument,
    /// No valid credential.
    Unauthenticated,
    /// The credential does not allow it.
    PermissionDenied,
    /// No such thing, or not the caller's.
    NotFound,
    /// The state does not allow it now.
    FailedPrecondition,
    /// A conflict with another request.
    Aborted,
    /// A limit was reached.
    ResourceExhausted,
    /// The caller cancelled it.
    Cancelled,
    /// It took too long.
    DeadlineExceeded,
    /// Try again later.
    Unavailable,
    /// A defect of the server.
    Internal,
    /// Known to the protocol, not to this server.
    Unimplemented,
    /// A code that this build does not know.
    #[serde(other)]
    Unknown,
}

/// Why, precisely: stable names that a program may act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A frame or its parameters have a missing or wrong field.
    Malformed,
    /// A frame type that the server does not know.
    UnknownType,
    /// A method that the server does not know.
    UnknownMethod,
    /// A mutating call without a command id.
    CommandIdRequired,
    /// A command id was used before with other contents.
    IdempotencyConflict,
    /// No such session, or another user's.
    SessionNotFound,
    /// The session was closed.
    SessionClosed,
    /// The channel number is in use.
    ChannelInUse,
    /// The channel number is not attached.
    ChannelNotAttached,
    /// Too many attachments on one socket.
    TooManyAttachments,
    /// A run is under way and `on_busy` is `reject`.
    RunBusy,
    /// No such run.
    RunNotFound,
    /// No such request for input is open.
    RequestNotFound,
    /// The session's queue of runs is full.
    QueueFull,
    /// The user has too many runs under way.
    TooManyRuns,
    /// The user has too few credits for it.
    InsufficientCredits,
    /// The session or the user has spent what may be spent.
    BudgetExceeded,
    /// The credits that the run reserved were given back meanwhile.
    HoldExpired,
    /// The prompt is empty or too long.
    BadPrompt,
    /// A path is not allowed.
    BadPath,
    /// No such file or commit.
    FileNotFound,
    /// Too many requests; wait for `retry_after_ms`.
    RateLimited,
    /// The token is missing, malformed, expired or revoked.
    BadToken,
    /// The token belongs to another user.
    PrincipalMismatch,
    /// The store does not take writes now.
    StoreUnavailable,
    /// The server is shutting down.
    Draining,
    /// No provider is configured, or the model is unknown.
    NoProvider,
    /// The provider could not be reached.
    ProviderUnreachable,
    /// The provider refused the key.
    ProviderUnauthorized,
    /// The provider limits the rate.
    ProviderRateLimited,
    /// The provider refused the request.
    ProviderRejected,
    /// The provider failed.
    ProviderFailed,
    /// The provider sent nothing for too long.
    ProviderStalled,
    /// The provider's stream broke off or made no sense.
    ProviderBroken,
    /// The answer was cut at the provider's length limit.
    Truncated,
    /// The provider's content filter ended the answer.
    ContentFiltered,
    /// The answer exceeds a limit on files or bytes.
    OutputLimit,
    /// An edit of a file could not be applied: nothing was committed.
    EditFailed,
    /// The run lost its owner too often.
    OwnerLost,
    /// Cancelled on request.
    Cancelled,
    /// Interrupted by a later run.
    Interrupted,
    /// The session was closed during the run.
    Closed,
    /// The attachment read too slowly.
    SlowConsumer,
    /// Asked for by the client.
    Requested,
    /// The log's incarnation changed.
    EpochChanged,
    /// The cursor lies past the head of the log.
    SeqAhead,
    /// The cursor lies before what is kept.
    Expired,
    /// Something took too long.
    Timeout,
    /// A defect of the server.
    Internal,
    /// A reason that this build does not know.
    #[serde(other)]
    Unknown,
}

/// An error as it reaches a client: in answers, as events, in problem documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// Class of the error.
    pub code: Code,
    /// Stable name of the cause.
    pub reason: Reason,
    /// What was wrong and what to do, for a person.
    pub message: Cow<'static, str>,
    /// Whether the same request may succeed later.
    #[serde(default)]
    pub retryable: bool,
    /// How long to wait before the next try, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ErrorBody {
    /// An error that the same request will meet again.
    pub fn new(code: Code, reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        let retryable = matches!(code, Code::Unavailable | Code::Aborted);
        Self { code, reason, message: message.into(), retryable, retry_after_ms: None }
    }

    /// The same error with a time to wait, which makes it retryable.
    #[must_use]
    pub const fn retry_after_ms(mut self, retry_after_ms: u64) -> Self {
        self.retryable = true;
        self.retry_after_ms = Some(retry_after_ms);
        self
    }

    /// "No such session": also the answer for another user's.
    #[must_use]
    pub fn session_not_found() -> Self {
        Self::new(Code::NotFound, Reason::SessionNotFound, "no such session; check the id")
    }

    /// "The store does not take writes": nothing was done, try again.
    #[must_use]
    pub fn store_unavailable() -> Self {
        let message = "the store does not take writes now; nothing was lost, try again";
        Self::new(Code::Unavailable, Reason::StoreUnavailable, message).retry_after_ms(1000)
    }

    /// A defect of the server, with nothing of its inside.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Code::Internal, Reason::Internal, "the server failed; its log says why")
    }
}

/// Why the server closes a socket. Numbers are wire format: never reuse one.
///
/// 4000 to 4099: reconnect and resume. 4100 to 4199: get a new token, then reconnect. 4500 and
/// above: do not reconnect. So an old client handles a new code by its range alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// A defect of the server.
    Internal = 4000,
    /// The server shuts down.
    GoingAway = 4001,
    /// No sign of life after a ping.
    HeartbeatTimeout = 4002,
    /// A write took longer than [`crate::limit::WRITE_TIMEOUT`].
    SlowConsumer = 4003,
    /// More messages than the limit, repeatedly.
    RateLimited = 4004,
    /// The session moved to another node.
    OwnerMoved = 4005,
    /// The socket reached its greatest age.
    MaxAge = 4006,
    /// The token expired and no new one came.
    TokenExpired = 4100,
    /// What the token allows has changed.
    AuthChanged = 4101,
    /// A message that is no frame.
    Malformed = 4500,
    /// No valid token.
    Unauthenticated = 4501,
    /// A token of another user.
    PrincipalMismatch = 4502,
    /// The token was revoked.
    Revoked = 4503,
    /// No `hello` in time.
    HelloTimeout = 4504,
    /// No common version.
    UnsupportedVersion = 4505,
    /// A message above [`MESSAGE_BYTES_MAX`].
    MessageTooBig = 4506,
    /// Too many sockets.
    ConnectionLimit = 4507,
    /// Replaced by a newer socket.
    Superseded = 4508,
}

/// What a client does after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterClose {
    /// Reconnect with backoff and resume.
    Resume,
    /// Get a new token first.
    RefreshToken,
    /// Give up and show the reason.
    GiveUp,
}

impl CloseCode {
    /// The name that goes into the close reason.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::GoingAway => "going_away",
            Self::HeartbeatTimeout => "heartbeat_timeout",
            Self::SlowConsumer => "slow_consumer",
            Self::RateLimited => "rate_limited",
            Self::OwnerMoved => "owner_moved",
            Self::MaxAge => "max_age",
            Self::TokenExpired => "token_expired",
            Self::AuthChanged => "auth_changed",
            Self::Malformed => "malformed",
            Self::Unauthenticated => "unauthenticated",
            Self::PrincipalMismatch => "principal_mismatch",
            Self::Revoked => "revoked",
            Self::HelloTimeout => "hello_timeout",
            Self::UnsupportedVersion => "unsupported_version",
            Self::MessageTooBig => "message_too_big",
            Self::ConnectionLimit => "connection_limit",
            Self::Superseded => "superseded",
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The text of the close frame: the name, and how long to wait before coming back.
    #[must_use]
    pub fn reason(self, retry_after_ms: Option<u64>) -> String {
        match retry_after_ms {
            Some(ms) => format!("{};retry={ms}", self.name()),
            None => self.name().to_owned(),
        }
    }
}

/// The wait that the text of a close frame asks for: `name;retry=ms`.
#[must_use]
pub fn retry_after_ms(reason: &str) -> Option<u64> {
    reason.split(';').find_map(|field| field.strip_prefix("retry=")?.parse().ok())
}

impl AfterClose {
    /// The verdict for a close code of any origin; none (1005, 1006) means a broken network.
    #[must_use]
    pub const fn from_number(code: u16) -> Self {
        match code {
            1000 | 4500..=4999 => Self::GiveUp,
            4100..=4199 => Self::RefreshToken,
            _ => Self::Resume,
        }
    }
}
