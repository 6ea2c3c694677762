//! A user's public face.

use super::actor::{Member, Message};
use crate::port::SignIn;
use greenroom_protocol::{credits::Balance, error::CloseCode, id::ConnectionId};
use ractor::{ActorRef, ActorStatus};
use std::{sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::sync::DropGuard;

/// One connected user.
#[derive(Clone, Debug)]
pub(crate) struct UserHandle(ActorRef<Message>);

impl UserHandle {
    pub(crate) const fn new(actor: ActorRef<Message>) -> Self {
        Self(actor)
    }

    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.0.get_status(), ActorStatus::Starting | ActorStatus::Running)
    }

    /// Adds a socket: whether there was room; `None` where the user is ending.
    pub(crate) async fn join(&self, socket: Member, wait: Duration) -> Option<bool> {
        let (reply, answer) = oneshot::channel();
        self.0.cast(Message::Join { socket, reply }).ok()?;
        timeout(wait, answer).await.ok()?.ok()
    }

    /// A socket has a new token.
    pub(crate) fn signed_in(&self, connection: ConnectionId, sign_in: Option<SignIn>) {
        let _ = self.0.cast(Message::SignedIn { connection, sign_in });
    }

    /// Closes the sockets of a sign-in that has ended.
    pub(crate) fn sign_out(&self, sign_in: SignIn) {
        let _ = self.0.cast(Message::SignOut { sign_in });
    }

    /// Removes a socket.
    pub(crate) fn leave(&self, connection: ConnectionId) {
        let _ = self.0.cast(Message::Leave { connection });
    }

    /// Shows every socket a new balance.
    pub(crate) fn balance(&self, balance: Balance) {
        let _ = self.0.cast(Message::Balance(balance));
    }

    /// Tells every socket that the node goes away.
    pub(crate) fn go_away(&self, spread: Duration) {
        let _ = self.0.cast(Message::GoAway { spread });
    }

    /// Closes every socket; `told` is dropped once that is said to them.
    pub(crate) fn close_all(&self, code: CloseCode, told: Arc<DropGuard>) {
        let _ = self.0.cast(Message::CloseAll { code, told });
    }
}
