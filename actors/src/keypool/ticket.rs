//! The right to make one call, and the duty to say what became of it.

use super::{
    actor::Message,
    state::{Failure, Grant, Input},
};
use crate::port::{Limits, Provider, ProviderError};
use ractor::ActorRef;
use std::{fmt, sync::Arc, time::Duration};

/// A place for one call with one key. Given back when dropped, with what the call came to.
pub(crate) struct Ticket {
    /// Whom to call.
    pub(crate) provider: Arc<dyn Provider>,
    grant: Grant,
    pool: ActorRef<Message>,
    answered: bool,
    failed: bool,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.grant.key).finish()
    }
}

impl Ticket {
    pub(super) const fn new(
        provider: Arc<dyn Provider>,
        grant: Grant,
        pool: ActorRef<Message>,
    ) -> Self {
        Self { provider, grant, pool, answered: false, failed: false }
    }

    /// The place of its key among those of the provider.
    pub(crate) const fn key(&self) -> usize {
        self.grant.key.key
    }

    /// The place of its provider.
    pub(crate) const fn provider_index(&self) -> usize {
        self.grant.key.provider
    }

    /// The model to ask for.
    pub(crate) fn model(&self) -> &str {
        &self.grant.model
    }

    /// What it grants.
    pub(crate) const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The provider told this of the key's limits.
    pub(crate) fn told(&self, limits: Limits) {
        if limits != Limits::default() {
            self.say(Input::Told(self.grant.clone(), limits));
        }
    }

    /// The first content came.
    pub(crate) fn answered(&mut self, ttft: Duration) {
        self.answered = true;
        self.say(Input::Answered(self.grant.clone(), ttft));
    }

    /// The call failed, before or after its first content.
    pub(crate) fn failed(&mut self, error: &ProviderError) {
        self.failed = true;
        let hint = error.retry_after_ms.map(Duration::from_millis);
        let failure = Failure { kind: error.kind, hint, answered: self.answered };
        self.say(Input::Failed(self.grant.clone(), failure));
    }

    /// Four messages a ticket at most. A pool that is gone takes the node with it.
    fn say(&self, input: Input) {
        let _ = self.pool.cast(Message::Hear(input));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.answered && !self.failed {
            self.say(Input::Abandoned(self.grant.clone()));
        }
        self.say(Input::Ended(self.grant.clone()));
    }
}
