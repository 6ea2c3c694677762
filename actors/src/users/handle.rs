//! The public face of all users.

use super::actor::Message;
use crate::{connection::Bell, user::UserHandle};
use greenroom_protocol::{
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
        user: UserId,
        connection: ConnectionId,
        bell: &Arc<Bell>,
    ) -> Result<Membership, CloseCode> {
        for _ in 0..TRIES {
            let (reply, answer) = oneshot::channel();
            self.0.cast(Message::Find { user, reply }).map_err(|_| CloseCode::GoingAway)?;
            let found = timeout(ANSWER_TIMEOUT, answer).await.ok().and_then(Result::ok).flatten();
            let user = found.ok_or(CloseCode::Internal)?;
            match user.join(connection, bell.clone(), ANSWER_TIMEOUT).await {
                Some(true) => return Ok(Membership { connection, user }),
                Some(false) => return Err(CloseCode::ConnectionLimit),
                None => {} // it was just ending: ask for a new one
            }
        }
        Err(CloseCode::Internal)
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
