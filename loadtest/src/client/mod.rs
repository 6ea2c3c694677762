//! A scripted client: one socket over its whole life, watched frame by frame.
//!
//! Decisions are those of [`greenroom_protocol::client::Link`]; this drives it. Every frame passes
//! an [`Observer`](crate::checker::Observer) before the link sees it, and every entry that the link applies goes to a replica.

mod driver;
pub mod read;
mod socket;

use crate::{checker::Transcript, world::World};
use driver::Driver;
use greenroom_protocol::{
    client::{Answer, Pace},
    frame::{After, Call},
    id::{Seq, SessionId},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Most commands that wait for a client; whoever sends more waits.
const COMMANDS_MAX: usize = 64;

/// How a client is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// For a person.
    pub name: String,
    /// The server's public port.
    pub addr: SocketAddr,
    /// An access token that lives as long as the test.
    pub token: String,
    /// Decides the jitter of reconnects.
    pub seed: u64,
    /// Longest wait for an answer, reconnects included.
    pub call_timeout: Duration,
    /// What it follows from the beginning.
    pub follow: Vec<Follow>,
}

/// An attachment.
#[derive(Clone, Copy, Debug)]
pub struct Follow {
    /// The session.
    pub session: SessionId,
    /// Where it begins.
    pub after: After,
    /// How it is paced.
    pub pace: Pace,
}

/// A client that runs on a task of its own; dropped, it ends.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
}

enum Command {
    Call(Box<Call>, oneshot::Sender<Answer>),
    Follow(Follow),
    Drop,
    Stall(Duration),
    Positions(oneshot::Sender<Vec<(SessionId, Seq)>>),
    Stop(oneshot::Sender<Vec<(SessionId, Transcript)>>),
}

impl Client {
    /// Starts a client on `tasks`.
    #[must_use]
    pub fn spawn(tasks: &TaskTracker, world: Arc<World>, setup: Setup) -> Self {
        let (sender, receiver) = mpsc::channel(COMMANDS_MAX);
        tasks.spawn(Box::pin(Driver::new(world, setup).run(receiver)));
        Self { commands: sender }
    }

    /// A client that has ended: nothing that it is asked has an answer.
    #[must_use]
    pub fn nobody() -> Self {
        Self { commands: mpsc::channel(1).0 }
    }

    /// Asks for something and waits for the answer, over reconnects.
    pub async fn call(&self, call: Call) -> Answer {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Call(Box::new(call), reply)).await.is_err() {
            return Answer::TimedOut;
        }
        answer.await.unwrap_or(Answer::TimedOut)
    }

    /// Follows one more session.
    pub async fn follow(&self, follow: Follow) {
        let _ = self.commands.send(Command::Follow(follow)).await; // ended: nothing to follow
    }

    /// Drops the socket as a broken network does: without a close frame.
    pub async fn drop_socket(&self) {
        let _ = self.commands.send(Command::Drop).await;
    }

    /// Reads nothing for a while.
    pub async fn stall(&self, pause: Duration) {
        let _ = self.commands.send(Command::Stall(pause)).await;
    }

    /// The last entry applied, by session.
    pub async fn positions(&self) -> Vec<(SessionId, Seq)> {
        let (reply, positions) = oneshot::channel();
        let _ = self.commands.send(Command::Positions(reply)).await;
        positions.await.unwrap_or_default()
    }

    /// Ends the client and takes what it saw.
    pub async fn stop(&self) -> Vec<(SessionId, Transcript)> {
        let (reply, transcripts) = oneshot::channel();
        let _ = self.commands.send(Command::Stop(reply)).await;
        transcripts.await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
