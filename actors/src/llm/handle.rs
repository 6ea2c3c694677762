//! The public face of all providers.

use super::{
    actor::Message,
    attempts::Attempts,
    call::{Call, Parts},
};
use crate::{
    keypool::{Found, KeyPoolHandle, ProviderView, Ticket, state::Need},
    port::{Provider, ProviderError, Request},
};
use greenroom_protocol::error::{Code, ErrorBody, Reason};
use ractor::ActorRef;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Finds a provider and a key, and makes calls.
#[derive(Clone)]
pub(crate) struct LlmHandle(Arc<Parties>);

/// What calls are made with.
pub(crate) struct Parties {
    pub(crate) actor: ActorRef<Message>,
    pub(crate) pool: KeyPoolHandle,
    /// In the order of preference; the first is the default.
    pub(crate) providers: Vec<Arc<dyn Provider>>,
    /// Names of those that answer where the default one cannot, in this order.
    pub(crate) fallbacks: Vec<String>,
    /// How long a run waits for a key with room.
    pub(crate) wait: Duration,
}

impl fmt::Debug for LlmHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LlmHandle")
    }
}

impl LlmHandle {
    pub(crate) fn new(parties: Parties) -> Self {
        Self(Arc::new(parties))
    }

    /// The calls for one answer. A model that is asked for by name goes to the default provider,
    /// and to others only where it is theirs.
    ///
    /// # Errors
    /// There is no provider.
    pub(crate) fn attempts(&self, model: Option<&str>, tokens: u64) -> Result<Attempts, ErrorBody> {
        let Parties { providers, fallbacks, wait, .. } = &*self.0;
        if providers.is_empty() {
            return Err(no_provider());
        }
        let offers = |at: &usize| {
            let provider = providers.get(*at);
            provider.is_some_and(|one| model.is_none_or(|model| one.default_model() == model))
        };
        let others = fallbacks
            .iter()
            .filter_map(|name| providers.iter().position(|provider| provider.name() == name))
            .filter(|at| *at > 0)
            .filter(offers);
        Ok(Attempts::new(Need {
            providers: std::iter::once(0).chain(others).collect(),
            model: model.map(Arc::from),
            tokens,
            avoid: Vec::new(),
            may_repeat: true,
            retries: None,
            deadline: Instant::now() + *wait,
        }))
    }

    /// A place for one call, or in the queue for one.
    ///
    /// # Errors
    /// What the run ends with.
    pub(crate) async fn ask(&self, need: Need) -> Result<Found, ErrorBody> {
        self.0.pool.ask(need).await
    }

    /// The name of a provider by its place.
    pub(crate) fn name(&self, provider: usize) -> &str {
        self.0.providers.get(provider).map_or("", |provider| provider.name())
    }

    /// Makes a call; resolves with its first content.
    ///
    /// # Errors
    /// The provider's failure, before any content.
    pub(crate) async fn call(
        &self,
        ticket: Ticket,
        request: Request,
    ) -> Result<Call, ProviderError> {
        Call::begin(self.clone(), ticket, request).await
    }

    /// All providers with their keys as they are; none: the engine is going down.
    pub(crate) async fn view(&self) -> Option<Vec<ProviderView>> {
        self.0.pool.view().await
    }

    /// Has the rest of an answer read by its provider's actor.
    pub(super) fn drain(&self, parts: Parts) {
        let _ = self.0.actor.cast(Message::Drain(Box::new(parts))); // else the call is closed
    }
}

fn no_provider() -> ErrorBody {
    let message = "no provider is configured; set one, such as OPENAI_API_KEY, or use the demo";
    ErrorBody::new(Code::FailedPrecondition, Reason::NoProvider, message)
}
