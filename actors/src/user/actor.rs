//! A user's actor: owns the user's sockets.

use crate::{connection::Bell, port::SignIn};
use greenroom_protocol::{
    credits::Balance,
    error::{CloseCode, Reason},
    frame::GoAway,
    id::ConnectionId,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::oneshot;
use tokio_util::sync::DropGuard;

/// One variant a method of [`super::UserHandle`].
pub(crate) enum Message {
    Join { socket: Member, reply: oneshot::Sender<bool> },
    SignedIn { connection: ConnectionId, sign_in: Option<SignIn> },
    SignOut { sign_in: SignIn },
    Leave { connection: ConnectionId },
    Balance(Balance),
    GoAway { spread: Duration },
    CloseAll { code: CloseCode, told: Arc<DropGuard> },
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Join { .. } => "Join",
            Self::SignedIn { .. } => "SignedIn",
            Self::SignOut { .. } => "SignOut",
            Self::Leave { .. } => "Leave",
            Self::Balance(_) => "Balance",
            Self::GoAway { .. } => "GoAway",
            Self::CloseAll { .. } => "CloseAll",
        })
    }
}

/// A socket, or a stream of REST.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) connection: ConnectionId,
    /// What its token was made for.
    pub(crate) sign_in: Option<SignIn>,
    pub(crate) bell: Arc<Bell>,
}

/// What a user needs.
#[derive(Debug)]
pub(crate) struct UserArguments {
    pub(crate) connections_max: u32,
}

/// What the actor holds. Bound: `connections_max` sockets.
#[derive(Debug)]
pub(crate) struct State {
    arguments: UserArguments,
    sockets: Vec<Member>,
}

/// One connected user.
#[derive(Debug)]
pub(crate) struct UserActor;

impl Actor for UserActor {
    type Msg = Message;
    type State = State;
    type Arguments = UserArguments;

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        arguments: UserArguments,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { arguments, sockets: Vec::with_capacity(1) })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Join { socket, reply } => state.join(socket, reply),
            Message::SignedIn { connection, sign_in } => {
                let mut sockets = state.sockets.iter_mut();
                if let Some(socket) = sockets.find(|socket| socket.connection == connection) {
                    socket.sign_in = sign_in;
                }
            }
            Message::SignOut { sign_in } => {
                let of_it = state.sockets.iter().filter(|socket| socket.sign_in == Some(sign_in));
                of_it.for_each(|socket| socket.bell.close(CloseCode::Revoked));
            }
            Message::Leave { connection } => {
                state.sockets.retain(|socket| socket.connection != connection);
                if state.sockets.is_empty() {
                    myself.stop(None); // who joins now is told to ask for a new one
                }
            }
            Message::Balance(balance) => {
                state.sockets.iter().for_each(|socket| socket.bell.balance(balance));
            }
            Message::GoAway { spread } => state.go_away(spread),
            Message::CloseAll { code, told } => {
                state.sockets.iter().for_each(|socket| socket.bell.close(code));
                drop(told);
            }
        }
        Ok(())
    }

    /// A user has no child actors; overrides ractor's default all the same.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        _: SupervisionEvent,
        _: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl State {
    fn join(&mut self, socket: Member, reply: oneshot::Sender<bool>) {
        let has_room = (self.sockets.len() as u64) < u64::from(self.arguments.connections_max);
        let connection = socket.connection;
        if has_room {
            self.sockets.push(socket);
        }
        if reply.send(has_room).is_err() {
            self.sockets.retain(|socket| socket.connection != connection);
        }
    }

    fn go_away(&self, spread: Duration) {
        for Member { connection, bell, .. } in &self.sockets {
            // The id's random bits spread the sockets without a draw.
            let share = connection.uuid().as_u128() % 1024;
            let millis = spread.as_millis() * share / 1024;
            let reconnect_in_ms = u64::try_from(millis).unwrap_or(u64::MAX);
            bell.go_away(GoAway { reason: Reason::Draining, reconnect_in_ms });
        }
    }
}
