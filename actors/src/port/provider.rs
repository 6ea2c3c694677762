//! A source of answers: a model behind an API, or a stand-in.

use super::BoxFuture;
use futures_util::Stream;
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::Usage,
    id::RunId,
};
use std::{borrow::Cow, pin::Pin};

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: String,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run that it is for; a stand-in may log it.
    pub run: RunId,
    /// The model; none: the provider's default.
    pub model: Option<String>,
    /// The prompt.
    pub messages: Vec<Message>,
}

/// One piece of an answer, as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Text of the answer.
    Text(String),
    /// Reasoning before the answer.
    Reasoning(String),
    /// What the call used so far; the last one wins.
    Usage(Usage),
    /// The model stopped. More usage may follow.
    Finish(Finish),
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    /// It had said all.
    Stop,
    /// Its length limit.
    Length,
    /// A content filter.
    ContentFilter,
}

/// An answer on its way. Dropping it closes the provider's call at once.
///
/// It ends after the provider's own end mark, or with an error; an end without
/// [`Delta::Finish`] is [`ProviderErrorKind::Broken`].
pub type DeltaStream = Pin<Box<dyn Stream<Item = Result<Delta, ProviderError>> + Send>>;

/// Class of a provider's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderErrorKind {
    /// No connection, or none in time.
    Unreachable,
    /// 401, 403: the key is wrong or lacks a right.
    Unauthorized,
    /// 402 or a quota message: nothing left to spend there.
    QuotaExhausted,
    /// 429.
    RateLimited,
    /// Another 4xx: the request is at fault.
    Rejected,
    /// 5xx or an error inside a stream.
    Failed,
    /// Nothing came for too long.
    Stalled,
    /// The stream broke off or made no sense.
    Broken,
}

/// A provider's failure. The message never holds a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {message}")]
pub struct ProviderError {
    /// The provider's name.
    pub provider: String,
    /// Class.
    pub kind: ProviderErrorKind,
    /// For a person; holds no secret.
    pub message: String,
    /// How long the provider asks to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl ProviderError {
    /// The error as it reaches the user.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        let (code, reason) = match self.kind {
            ProviderErrorKind::Unreachable => (Code::Unavailable, Reason::ProviderUnreachable),
            ProviderErrorKind::Unauthorized => {
                (Code::FailedPrecondition, Reason::ProviderUnauthorized)
            }
            ProviderErrorKind::QuotaExhausted | ProviderErrorKind::RateLimited => {
                (Code::ResourceExhausted, Reason::ProviderRateLimited)
            }
            ProviderErrorKind::Rejected => (Code::FailedPrecondition, Reason::ProviderRejected),
            ProviderErrorKind::Failed => (Code::Unavailable, Reason::ProviderFailed),
            ProviderErrorKind::Stalled => (Code::DeadlineExceeded, Reason::ProviderStalled),
            ProviderErrorKind::Broken => (Code::Unavailable, Reason::ProviderBroken),
        };
        let mut body = ErrorBody::new(code, reason, Cow::Owned(self.to_string()));
        if let Some(retry_after_ms) = self.retry_after_ms {
            body = body.retry_after_ms(retry_after_ms);
        }
        body
    }
}

/// A provider.
pub trait Provider: Send + Sync {
    /// Its name, as in the configuration.
    fn name(&self) -> &str;

    /// The model that a request without one gets.
    fn default_model(&self) -> &str;

    /// Whether it is a stand-in and no model: clients show it.
    fn is_stand_in(&self) -> bool {
        false
    }

    /// Begins a call: resolves once the provider's answer has begun.
    ///
    /// Bounded inside: connecting, the first content and every pause have their time limits.
    fn stream(&self, request: Request) -> BoxFuture<'_, Result<DeltaStream, ProviderError>>;
}
