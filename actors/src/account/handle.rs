//! An account's public face.

use super::{
    actor::Message,
    command::{Answer, Command},
};
use ractor::{ActorRef, ActorStatus};
use std::time::Duration;
use tokio::{sync::oneshot, time::timeout};

/// One user's credits.
#[derive(Clone, Debug)]
pub(crate) struct AccountHandle(ActorRef<Message>);

impl AccountHandle {
    pub(crate) const fn new(actor: ActorRef<Message>) -> Self {
        Self(actor)
    }

    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.0.get_status(), ActorStatus::Starting | ActorStatus::Running)
    }

    /// Asks the account; `None` where it is ending or takes longer than `wait`: a repeat finds out
    /// what became of it.
    pub(crate) async fn ask(&self, command: Command, wait: Duration) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        self.0.cast(Message::Do { command: Box::new(command), reply: Some(reply) }).ok()?;
        timeout(wait, answer).await.ok()?.ok()
    }

    /// Tells the account something and waits for no answer.
    pub(crate) fn tell(&self, command: Command) {
        let _ = self.0.cast(Message::Do { command: Box::new(command), reply: None });
    }

    /// Has the account look what time has brought.
    pub(crate) fn tend(&self) {
        let _ = self.0.cast(Message::Tend);
    }
}
