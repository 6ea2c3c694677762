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
    /// The key may not use the model, or the provider has no such model.
    ModelUnavailable,
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
            ProviderErrorKind::ModelUnavailable | ProviderErrorKind::Rejected => {
                (Code::FailedPrecondition, Reason::ProviderRejected)
            }
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

/// A key of a provider, without the key itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyInfo {
    /// Tells keys apart without telling them; none: the provider needs no key.
    pub fingerprint: Option<String>,
    /// The account whose limits it shares, as configured; none: one of its own.
    pub account: Option<String>,
}

/// What is left of one limit of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub left: u64,
    /// When all of it is there again, in milliseconds from now.
    pub reset_ms: u64,
}

/// What an answer tells of the limits of the account whose key was used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls.
    pub requests: Option<Allowance>,
    /// Tokens.
    pub tokens: Option<Allowance>,
    /// The account's name at the provider: keys that tell the same one share their limits.
    pub account: Option<String>,
}

/// What a provider's accounts may do, and how it bills; the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Calls a minute of an account for one model; none: what the provider tells.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute of an account for one model; none: what the provider tells.
    pub tokens_per_minute: Option<u32>,
    /// Tokens that a call is counted with for its answer before it is there.
    pub answer_tokens: u32,
    /// Whether an answer that nobody wants any more is billed to its end all the same: it is read
    /// to there, so that its true usage is known.
    pub drains: bool,
}

impl Terms {
    /// No limits are known, and what is left unread is not billed.
    pub const NONE: Self = Self {
        requests_per_minute: None,
        tokens_per_minute: None,
        answer_tokens: 0,
        drains: false,
    };
}

/// A provider's answer to one call.
pub struct Reply {
    /// What it tells of the key's limits, whether it answers or refuses.
    pub limits: Limits,
    /// The answer, once it has begun.
    pub answer: Result<DeltaStream, ProviderError>,
}

/// What a look at a key alone shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyCheck {
    /// It is accepted.
    Accepted,
    /// It is refused.
    Refused,
    /// Nothing: the provider could not be asked, or answered something else.
    Unknown,
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

    /// Its keys; one without a fingerprint where it needs none.
    fn keys(&self) -> Vec<KeyInfo> {
        vec![KeyInfo::default()]
    }

    /// What its accounts may do.
    fn terms(&self) -> Terms {
        Terms::NONE
    }

    /// Begins a call with the first key: resolves once the provider's answer has begun.
    ///
    /// Bounded inside: connecting, the first content and every pause have their time limits.
    fn stream(&self, request: Request) -> BoxFuture<'_, Result<DeltaStream, ProviderError>>;

    /// Begins a call with a key by its place in [`Self::keys`].
    fn call(&self, key: usize, request: Request) -> BoxFuture<'_, Reply> {
        debug_assert_eq!(key, 0, "a provider with several keys tells them apart");
        Box::pin(async { Reply { limits: Limits::default(), answer: self.stream(request).await } })
    }

    /// Looks whether a key is accepted, at no cost. Bounded inside.
    fn check_key(&self, _key: usize) -> BoxFuture<'_, KeyCheck> {
        Box::pin(async { KeyCheck::Unknown })
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let answer = self.answer.as_ref().map(|_| "a stream");
        f.debug_struct("Reply").field("limits", &self.limits).field("answer", &answer).finish()
    }
}
