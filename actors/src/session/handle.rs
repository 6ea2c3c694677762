//! A session's public face.

use super::{
    answer::{Answered, RunStopped},
    command::Command,
    state::Input,
};
use crate::{
    cluster::Home,
    journal::{Flushed, OnFlushed},
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::Event,
    id::{RunId, UserId},
};
use ractor::ActorRef;
use std::{fmt, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

/// Longest wait for an answer, which comes once its entry is durable.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Whom a session answers.
pub(crate) enum Reply {
    /// A call.
    Call(oneshot::Sender<Result<Answered, ErrorBody>>),
    /// A run's words: when they were durable.
    Says(oneshot::Sender<Result<Instant, RunStopped>>),
}

/// One variant a method of [`SessionHandle`], and what the actor tells itself.
pub(crate) enum Message {
    /// Read the session from the store; the first message of every session.
    Load,
    /// A command of a user.
    Command { by: UserId, command: Command, reply: oneshot::Sender<Result<Answered, ErrorBody>> },
    /// Whose the session is, once it is read.
    Home { reply: oneshot::Sender<Home> },
    /// Anything else that the state decides about.
    Input(Input<Reply>),
    /// A run that was asked to end had time enough.
    EndOverdue(RunId),
    /// Time passed.
    Tick,
    /// Fail, as an operator wants it: the session starts again from its log.
    Kill,
    /// Panic, as a defect would.
    #[cfg(test)]
    Panic,
    /// The node shuts down: store everything, release, stop.
    Shutdown { reply: oneshot::Sender<()> },
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Load => "Load",
            Self::Command { .. } => "Command",
            Self::Home { .. } => "Home",
            Self::Input(_) => "Input",
            Self::EndOverdue(_) => "EndOverdue",
            Self::Tick => "Tick",
            Self::Kill => "Kill",
            #[cfg(test)]
            Self::Panic => "Panic",
            Self::Shutdown { .. } => "Shutdown",
        })
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

/// Why a call has no answer of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The session's actor is gone (hibernated, restarting): ask for it again.
    Gone,
    /// The session answered with an error, or not in time.
    Error(ErrorBody),
}

/// A live session.
#[derive(Clone, Debug)]
pub(crate) struct SessionHandle(ActorRef<Message>);

impl SessionHandle {
    pub(crate) const fn new(actor: ActorRef<Message>) -> Self {
        Self(actor)
    }

    /// Sends a command and waits for its answer, which means: until its entry is durable.
    ///
    /// # Errors
    /// [`CallError`]. After a timeout the command may yet take effect: a repeat under the same id
    /// finds out.
    pub(crate) async fn call(&self, by: UserId, command: Command) -> Result<Answered, CallError> {
        let (reply, answer) = oneshot::channel();
        self.0.cast(Message::Command { by, command, reply }).map_err(|_| CallError::Gone)?;
        match timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(result)) => result.map_err(CallError::Error),
            Ok(Err(_)) => Err(CallError::Gone),
            Err(_) => {
                let message = "the session did not answer in time; repeat with the same cid";
                let error = ErrorBody::new(Code::Unavailable, Reason::Timeout, message);
                Err(CallError::Error(error.retry_after_ms(1000)))
            }
        }
    }

    /// Whose the session is. `None`: the actor is gone; ask for it again.
    pub(crate) async fn home(&self) -> Option<Home> {
        let (reply, answer) = oneshot::channel();
        self.0.cast(Message::Home { reply }).ok()?;
        timeout(ANSWER_TIMEOUT, answer).await.ok()?.ok()
    }

    /// A run's words. The answer comes once they are durable, with the time, since a run may look
    /// at it later; a run keeps one batch under way.
    pub(crate) fn says(
        &self,
        run: RunId,
        events: Vec<Event>,
        urgent: bool,
    ) -> oneshot::Receiver<Result<Instant, RunStopped>> {
        let (reply, answer) = oneshot::channel();
        let input = Input::Says { run, events, urgent, reply: Reply::Says(reply) };
        let _ = self.0.cast(Message::Input(input)); // a dropped reply tells the run
        answer
    }

    /// Ends the session's actor as a failure would.
    pub(crate) fn kill(&self) {
        let _ = self.0.cast(Message::Kill); // gone: so be it
    }

    /// Panics the session's actor.
    #[cfg(test)]
    pub(crate) fn panic(&self) {
        let _ = self.0.cast(Message::Panic);
    }

    /// Has the session store everything and stop. Resolves when it has, or is gone.
    pub(crate) async fn shut_down(&self) {
        let (reply, done) = oneshot::channel();
        if self.0.cast(Message::Shutdown { reply }).is_ok() {
            let _ = timeout(ANSWER_TIMEOUT, done).await;
        }
    }
}

impl OnFlushed for ActorRef<Message> {
    fn flushed(&self, flushed: Flushed) {
        let input = match flushed {
            Flushed::Durable(last) => Input::Durable { last },
            Flushed::Refused => Input::Refused,
        };
        let _ = self.cast(Message::Input(input)); // a session that is gone reads its log again
    }
}
