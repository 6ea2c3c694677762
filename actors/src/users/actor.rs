//! The supervisor of all connected users.

use crate::{
    children::Children,
    meter::Meter,
    port::SignIn,
    user::{UserActor, UserArguments, UserHandle},
};
use greenroom_protocol::{credits::Balance, error::CloseCode, id::UserId};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::oneshot;
use tokio_util::sync::DropGuard;

/// One variant a method of [`super::UsersHandle`].
pub(crate) enum Message {
    Find { user: UserId, reply: oneshot::Sender<Option<UserHandle>> },
    SignOut { user: UserId, sign_in: SignIn },
    Balance { user: UserId, balance: Balance },
    GoAway { spread: Duration },
    CloseAll { code: CloseCode, told: Arc<DropGuard> },
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Find { .. } => "Find",
            Self::SignOut { .. } => "SignOut",
            Self::Balance { .. } => "Balance",
            Self::GoAway { .. } => "GoAway",
            Self::CloseAll { .. } => "CloseAll",
        })
    }
}

/// What the supervisor needs.
#[derive(Debug)]
pub(crate) struct UsersArguments {
    pub(crate) connections_per_user: u32,
    pub(crate) meter: Arc<Meter>,
}

/// What the actor holds. Bound: one row a connected user.
#[derive(Debug)]
pub(crate) struct State {
    arguments: UsersArguments,
    users: Children<UserId, UserHandle>,
}

/// All connected users of this node.
#[derive(Debug)]
pub(crate) struct UsersActor;

impl Actor for UsersActor {
    type Msg = Message;
    type State = State;
    type Arguments = UsersArguments;

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        arguments: UsersArguments,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { arguments, users: Children::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Find { user, reply } => {
                let handle = state.find(&myself, user).await;
                let _ = reply.send(handle); // the caller may have given up
            }
            Message::SignOut { user, sign_in } => {
                if let Some(user) = state.users.get(user) {
                    user.sign_out(sign_in);
                }
            }
            Message::Balance { user, balance } => {
                if let Some(user) = state.users.get(user) {
                    user.balance(balance);
                }
            }
            Message::GoAway { spread } => {
                state.users.all().for_each(|user| user.go_away(spread));
            }
            Message::CloseAll { code, told } => {
                state.users.all().for_each(|user| user.close_all(code, told.clone()));
            }
        }
        Ok(())
    }

    /// A user without sockets ends; one that failed comes back with its next socket.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.users.heard(&event, &state.arguments.meter);
        Ok(())
    }
}

impl State {
    async fn find(&mut self, myself: &ActorRef<Message>, user: UserId) -> Option<UserHandle> {
        if let Some(handle) = self.users.get(user).filter(|handle| handle.is_alive()) {
            return Some(handle.clone());
        }
        let connections_max = self.arguments.connections_per_user;
        let arguments = UserArguments { connections_max };
        let spawned = Actor::spawn_linked(None, UserActor, arguments, myself.get_cell()).await;
        match spawned {
            Ok((actor, _)) => {
                let (id, handle) = (actor.get_id(), UserHandle::new(actor));
                self.users.started(user, id, handle.clone());
                Some(handle)
            }
            Err(error) => {
                tracing::error!(%error, %user, "a user was not spawned");
                None
            }
        }
    }
}
