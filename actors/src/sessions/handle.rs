//! The public face of all sessions.

use super::{actor::Message, live::LiveSessions};
use crate::cluster::{Home, Owner};
use crate::session::command::Command;
use crate::session::{Answered, CallError, SessionHandle, feed::Feed};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    id::{SessionId, UserId},
};
use ractor::ActorRef;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

/// Longest wait for this actor, which does nothing slow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Tries of a command whose session was just going to sleep or restarting.
const TRIES: u32 = 6;

/// Finds and wakes sessions.
#[derive(Clone, Debug)]
pub(crate) struct SessionsHandle(ActorRef<Message>);

/// Keeps a session's row: while it is held, the feed is the one that the session will publish to.
#[derive(Debug)]
pub(crate) struct Lease {
    session: SessionId,
    feed: Arc<OnceLock<Arc<Feed>>>,
    sessions: ActorRef<Message>,
}

impl Lease {
    /// Where the feed is, or is to be put by whoever reads the session first.
    pub(crate) fn feed(&self) -> &OnceLock<Arc<Feed>> {
        &self.feed
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = self.sessions.cast(Message::Release { session: self.session });
    }
}

fn gone() -> ErrorBody {
    let message = "the session is not available now; try again in a moment";
    ErrorBody::new(Code::Unavailable, Reason::Internal, message).retry_after_ms(1000)
}

/// The answer for a session that is another node's.
pub(crate) fn elsewhere(session: SessionId, owner: &Owner) -> ErrorBody {
    tracing::debug!(%session, owner = %owner.incarnation, address = ?owner.address, "elsewhere");
    gone()
}

impl SessionsHandle {
    pub(crate) const fn new(actor: ActorRef<Message>) -> Self {
        Self(actor)
    }

    /// Leases a session's row. Says nothing of whether the session exists.
    pub(crate) async fn lease(&self, session: SessionId) -> Result<Lease, ErrorBody> {
        let (reply, answer) = oneshot::channel();
        self.0.cast(Message::Lease { session, reply }).map_err(|_| gone())?;
        let feed = timeout(ANSWER_TIMEOUT, answer).await.ok().and_then(Result::ok);
        let feed = feed.ok_or_else(gone)?;
        Ok(Lease { session, feed, sessions: self.0.clone() })
    }

    /// Wakes a session, if it exists; otherwise it will say so.
    pub(crate) async fn wake(&self, session: SessionId) -> Result<SessionHandle, ErrorBody> {
        let (reply, answer) = oneshot::channel();
        self.0.cast(Message::Wake { session, reply }).map_err(|_| gone())?;
        match timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(Some(handle))) => Ok(handle),
            Ok(Ok(None) | Err(_)) | Err(_) => Err(gone()),
        }
    }

    /// Whose a session is. Wakes it where it is this node's or nobody's, which claims it.
    ///
    /// # Errors
    /// What to answer.
    pub(crate) async fn home(&self, session: SessionId) -> Result<Home, ErrorBody> {
        for attempt in 0..TRIES {
            if let Some(home) = self.wake(session).await?.home().await {
                return Ok(home);
            }
            sleep(Duration::from_millis(10 << attempt)).await;
        }
        Err(gone())
    }

    /// Sends a command to a session, waking it.
    ///
    /// # Errors
    /// What to answer; among it, that the session is another node's.
    pub(crate) async fn call(
        &self,
        session: SessionId,
        by: UserId,
        command: Command,
    ) -> Result<Answered, ErrorBody> {
        for attempt in 0..TRIES {
            match self.wake(session).await?.call(by, command.clone()).await {
                Ok(answered) => return Ok(answered),
                Err(CallError::Error(error)) => return Err(error),
                // Commands have ids, so a repeat is safe.
                Err(CallError::Gone) => sleep(Duration::from_millis(10 << attempt)).await,
            }
            if let Home::At(owner) = self.home(session).await? {
                return Err(elsewhere(session, &owner));
            }
        }
        Err(gone())
    }

    /// The newest sessions of this node, at most `limit`; `None`: it goes down.
    pub(crate) async fn overview(&self, limit: usize) -> Option<LiveSessions> {
        let (reply, answer) = oneshot::channel();
        self.0.cast(Message::Overview { limit, reply }).ok()?;
        timeout(ANSWER_TIMEOUT, answer).await.ok()?.ok()
    }

    /// Ends a session's actor, which starts again from its log; whether there was one.
    pub(crate) async fn kill(&self, session: SessionId) -> bool {
        let (reply, answer) = oneshot::channel();
        let asked = self.0.cast(Message::Kill { session, reply }).is_ok();
        asked && timeout(ANSWER_TIMEOUT, answer).await.is_ok_and(|killed| killed == Ok(true))
    }

    /// Has every live session store everything and stop.
    pub(crate) async fn shut_down(&self, wait: Duration) {
        let (reply, done) = oneshot::channel();
        if self.0.cast(Message::ShutDown { reply }).is_ok() {
            let _ = timeout(wait, done).await;
        }
    }
}
