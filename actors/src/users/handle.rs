//! The public face of all users.

use super::actor::Message;
use crate::{
    connection::Bell,
    port::{Principal, SignIn},
    user::{Member, UserHandle},
};
use greenroom_protocol::{
    credits::Balance,
    error::CloseCode,
    id::{ConnectionId, UserId},
};
use ractor::ActorRef;
use std::{sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::sync::CancellationToken;

/// Longest wait for an answer; both actors do nothing slow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Tries to join a user whose actor was just ending.
const TRIES: u32 = 3;

/// Finds users and tells them all of a drain.
#[derive(Clone, Debug)]
pub(crate) struct UsersHandle(ActorRef<Message>);

/// A socket's place with its user; ends when dropped.
#[derive(Debug)]
pub(crate) struct Membership {
    connection: ConnectionId,
    user: UserHandle,
}

impl Membership {
    /// The socket has a new token.
    pub(crate) fn signed_in(&self, sign_in: Option<SignIn>) {
        self.user.signed_in(self.connection, sign_in);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.user.leave(self.connection);
    }
}

impl UsersHandle {
    pub(crate) const fn new(actor: ActorRef<Message>) -> Self {
        Self(actor)
    }

    /// Joins a socket to its user.
    ///
    /// # Errors
    /// The code to close with.
    pub(crate) async fn join(
        &self,
        principal: Principal,
        connection: ConnectionId,
        bell: &Arc<Bell>,
    ) -> Result<Membership, CloseCode> {
        let Principal { user, sign_in, .. } = principal;
        for _ in 0..TRIES {
            let (reply, answer) = oneshot::channel();
            self.0.cast(Message::Find { user, reply }).map_err(|_| CloseCode::GoingAway)?;
            let found = timeout(ANSWER_TIMEOUT, answer).await.ok().and_then(Result::ok).flatten();
            let user = found.ok_or(CloseCode::Internal)?;
            let socket = Member { connection, sign_in, bell: bell.clone() };
            match user.join(socket, ANSWER_TIMEOUT).await {
                Some(true) => return Ok(Membership { connection, user }),
                Some(false) => return Err(CloseCode::ConnectionLimit),
                None => {} // it was just ending: ask for a new one
            }
        }
        Err(CloseCode::Internal)
    }

    /// Closes the sockets of a sign-in that has ended.
    pub(crate) fn sign_out(&self, user: UserId, sign_in: SignIn) {
        let _ = self.0.cast(Message::SignOut { user, sign_in });
    }

    /// Shows a user's sockets a new balance, where there are any.
    pub(crate) fn balance(&self, user: UserId, balance: Balance) {
        let _ = self.0.cast(Message::Balance { user, balance });
    }

    /// Tells every socket that the node goes away, spread over `spread`.
    pub(crate) fn go_away(&self, spread: Duration) {
        let _ = self.0.cast(Message::GoAway { spread });
    }

    /// Closes every socket; resolves once that is said to all of them, so that who stops the actors
    /// next, which overtakes their messages, cuts nobody off.
    pub(crate) async fn close_all(&self, code: CloseCode) {
        let said = CancellationToken::new();
        let told = Arc::new(said.clone().drop_guard());
        let _ = self.0.cast(Message::CloseAll { code, told });
        let _ = timeout(ANSWER_TIMEOUT, said.cancelled()).await; // whoever is stuck is cut off
    }
}
