//! Errors of the engine in the codes of the dialect.

use super::message::{Message, Moment};
use greenroom_protocol::error::{ErrorBody, Reason};
use serde::Serialize;

/// What went wrong, by the names that clients of the dialect know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Code {
    /// The message is no message, or lacks something.
    InvalidRequest,
    /// A type that the dialect does not have.
    UnknownMessageType,
    /// No such project, or another user's.
    ProjectNotFound,
    /// The user has too few credits, or may not spend so many.
    InsufficientCredits,
    /// Nothing came of planning.
    ScpGenerationFailed,
    /// A model or its provider failed.
    AgentExecutionFailed,
    /// `generate_code` did not succeed for another reason.
    GenerationError,
    /// `modify_code` did not succeed for another reason.
    ModificationError,
    /// The server failed.
    InternalError,
}

/// Which message asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `generate_code`.
    Generate,
    /// `modify_code`.
    Modify,
}

impl Kind {
    /// The code of what no other code says.
    pub(super) const fn code(self) -> Code {
        match self {
            Self::Generate => Code::GenerationError,
            Self::Modify => Code::ModificationError,
        }
    }
}

/// The code of an engine's error; where no other says it, that of the message that asked.
pub(super) const fn code(reason: Reason, kind: Kind) -> Code {
    match reason {
        Reason::Malformed
        | Reason::UnknownMethod
        | Reason::BadPrompt
        | Reason::BadPath
        | Reason::IdempotencyConflict
        | Reason::CommandIdRequired => Code::InvalidRequest,
        Reason::UnknownType => Code::UnknownMessageType,
        Reason::SessionNotFound => Code::ProjectNotFound,
        Reason::InsufficientCredits | Reason::BudgetExceeded => Code::InsufficientCredits,
        Reason::NoProvider
        | Reason::ProviderUnreachable
        | Reason::ProviderUnauthorized
        | Reason::ProviderRateLimited
        | Reason::ProviderRejected
        | Reason::ProviderFailed
        | Reason::ProviderStalled
        | Reason::ProviderBroken
        | Reason::Truncated
        | Reason::ContentFiltered
        | Reason::OutputLimit
        | Reason::EditFailed => Code::AgentExecutionFailed,
        Reason::Internal => Code::InternalError,
        Reason::SessionClosed
        | Reason::ChannelInUse
        | Reason::ChannelNotAttached
        | Reason::TooManyAttachments
        | Reason::RunBusy
        | Reason::RunNotFound
        | Reason::RequestNotFound
        | Reason::QueueFull
        | Reason::TooManyRuns
        | Reason::FileNotFound
        | Reason::RateLimited
        | Reason::BadToken
        | Reason::PrincipalMismatch
        | Reason::StoreUnavailable
        | Reason::Draining
        | Reason::HoldExpired
        | Reason::OwnerLost
        | Reason::Cancelled
        | Reason::Interrupted
        | Reason::Closed
        | Reason::SlowConsumer
        | Reason::Requested
        | Reason::EpochChanged
        | Reason::SeqAhead
        | Reason::Expired
        | Reason::Timeout
        | Reason::Unknown => kind.code(),
    }
}

/// An engine's error under a code.
pub(super) fn refusal(error: &ErrorBody, code: Code, timestamp: Moment) -> Message {
    Message::Error {
        message: error.message.clone().into_owned(),
        code,
        retry_allowed: error.retryable,
        retry_after_ms: error.retry_after_ms,
        timestamp,
    }
}
