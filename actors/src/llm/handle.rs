//! The public face of all providers.

use super::{
    actor::Message,
    provider::{ProviderHandle, Ticket},
};
use crate::port::{ProviderError, ProviderErrorKind};
use greenroom_protocol::error::{Code, ErrorBody, Reason};
use ractor::ActorRef;
use std::time::Duration;
use tokio::{sync::oneshot, time::timeout};

/// Longest wait for this actor, which does nothing slow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Finds a provider and a place at it.
#[derive(Clone, Debug)]
pub(crate) struct LlmHandle(ActorRef<Message>);

impl LlmHandle {
    pub(crate) const fn new(actor: ActorRef<Message>) -> Self {
        Self(actor)
    }

    /// A place for one call at the default provider; waits at most `wait` for one to be free.
    ///
    /// # Errors
    /// What the run ends with.
    pub(crate) async fn ticket(&self, wait: Duration) -> Result<Ticket, ErrorBody> {
        let (reply, answer) = oneshot::channel();
        self.0.cast(Message::Provider { reply }).map_err(|_| no_provider())?;
        let provider = timeout(ANSWER_TIMEOUT, answer).await.ok().and_then(Result::ok).flatten();
        let provider: ProviderHandle = provider.ok_or_else(no_provider)?;
        provider.ticket(wait).await
    }
}

fn no_provider() -> ErrorBody {
    let message = "no provider is configured; set one, such as OPENAI_API_KEY, or use the demo";
    ErrorBody::new(Code::FailedPrecondition, Reason::NoProvider, message)
}

/// All places of a provider were taken for too long.
pub(super) fn busy(provider: &str, wait: Duration) -> ErrorBody {
    let error = ProviderError {
        provider: provider.to_owned(),
        kind: ProviderErrorKind::RateLimited,
        message: format!("all calls that may run at a time do, for {} s", wait.as_secs()),
        retry_after_ms: Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
    };
    error.body()
}
