//! The public face of all accounts.

use super::{Prices, actor::Message};
use crate::account::{AccountHandle, Answer, Command, Refusal};
use greenroom_protocol::{credits::Price, id::UserId};
use ractor::ActorRef;
use std::{sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::timeout};

/// Longest wait for the supervisor, which does nothing slow.
const FIND_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait for an account: longer than its own tries at the store.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Tries to reach an account whose actor was just ending.
const TRIES: u32 = 3;

/// Finds accounts and knows prices.
#[derive(Clone, Debug)]
pub(crate) struct CreditsHandle {
    actor: ActorRef<Message>,
    prices: Arc<Prices>,
    hold_ttl: Duration,
}

impl CreditsHandle {
    pub(crate) const fn new(
        actor: ActorRef<Message>,
        prices: Arc<Prices>,
        hold_ttl: Duration,
    ) -> Self {
        Self { actor, prices, hold_ttl }
    }

    /// How long a hold lasts unless it is renewed.
    pub(crate) const fn hold_ttl(&self) -> Duration {
        self.hold_ttl
    }

    /// The price of a model.
    pub(crate) fn price(&self, model: &str) -> Price {
        self.prices.of(model)
    }

    /// Asks a user's account. Where the answer is [`Refusal::Unavailable`], what became of it is
    /// unknown, and asking again has no second effect.
    pub(crate) async fn ask(&self, user: UserId, command: Command) -> Answer {
        for _ in 0..TRIES {
            let Some(account) = self.find(user).await else { break };
            if let Some(answer) = account.ask(command.clone(), ANSWER_TIMEOUT).await {
                return answer;
            }
        }
        Answer::Refused(Refusal::Unavailable)
    }

    /// Tells a user's account something, and waits for no answer.
    pub(crate) fn tell(&self, user: UserId, command: Command) {
        let credits = self.clone();
        crate::spawn(async move {
            if let Some(account) = credits.find(user).await {
                account.tell(command);
            }
        });
    }

    /// Has the accounts that are due looked after.
    pub(crate) fn round(&self) {
        let _ = self.actor.cast(Message::Round);
    }

    async fn find(&self, user: UserId) -> Option<AccountHandle> {
        let (reply, answer) = oneshot::channel();
        self.actor.cast(Message::Find { user, reply }).ok()?;
        timeout(FIND_TIMEOUT, answer).await.ok()?.ok()?
    }
}
