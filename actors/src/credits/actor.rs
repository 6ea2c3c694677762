//! The supervisor of all accounts.

use crate::{
    account::{AccountActor, AccountArguments, AccountHandle, CreditTerms},
    children::Children,
    meter::Meter,
    port::{Clock, Store},
    users::UsersHandle,
};
use greenroom_protocol::id::UserId;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{fmt, sync::Arc};
use tokio::sync::oneshot;

/// Accounts that one round of the keeper looks after at most; the rest is due in the next one.
const ROUND_MAX: u32 = 256;

/// One variant a method of [`super::CreditsHandle`].
pub(crate) enum Message {
    Find {
        user: UserId,
        reply: oneshot::Sender<Option<AccountHandle>>,
    },
    /// Accounts that are due are looked after.
    Round,
    Due {
        users: Vec<UserId>,
    },
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Find { .. } => "Find",
            Self::Round => "Round",
            Self::Due { .. } => "Due",
        })
    }
}

/// What the supervisor needs.
pub(crate) struct CreditsArguments {
    pub(crate) terms: CreditTerms,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) users: UsersHandle,
    pub(crate) meter: Arc<Meter>,
}

impl fmt::Debug for CreditsArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreditsArguments").field("terms", &self.terms).finish_non_exhaustive()
    }
}

/// What the actor holds. Bound: one row a user with a run, or who asked in the last minute.
#[derive(Debug)]
pub(crate) struct State {
    arguments: CreditsArguments,
    accounts: Children<UserId, AccountHandle>,
}

/// All accounts of this node.
#[derive(Debug)]
pub(crate) struct CreditsActor;

impl Actor for CreditsActor {
    type Msg = Message;
    type State = State;
    type Arguments = CreditsArguments;

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        arguments: CreditsArguments,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { arguments, accounts: Children::new() })
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
            Message::Round => state.begin_round(&myself),
            Message::Due { users } => {
                for user in users {
                    if let Some(account) = state.find(&myself, user).await {
                        account.tend();
                    }
                }
            }
        }
        Ok(())
    }

    /// An account that nobody needs ends; one that failed comes back with the next who asks.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.accounts.heard(&event, &state.arguments.meter);
        Ok(())
    }
}

impl State {
    async fn find(&mut self, myself: &ActorRef<Message>, user: UserId) -> Option<AccountHandle> {
        if let Some(handle) = self.accounts.get(user).filter(|handle| handle.is_alive()) {
            return Some(handle.clone());
        }
        let CreditsArguments { terms, store, clock, users, .. } = &self.arguments;
        let arguments = AccountArguments {
            user,
            terms: terms.clone(),
            store: store.clone(),
            clock: clock.clone(),
            users: users.clone(),
        };
        match Actor::spawn_linked(None, AccountActor, arguments, myself.get_cell()).await {
            Ok((actor, _)) => {
                let (id, handle) = (actor.get_id(), AccountHandle::new(actor));
                self.accounts.started(user, id, handle.clone());
                Some(handle)
            }
            Err(error) => {
                tracing::error!(%error, %user, "an account was not spawned");
                None
            }
        }
    }

    /// Reads in a task of its own who is due.
    fn begin_round(&self, myself: &ActorRef<Message>) {
        let (store, now_ms) = (self.arguments.store.clone(), self.arguments.clock.now_ms());
        let myself = myself.clone();
        crate::spawn(async move {
            match store.ledgers_due(now_ms, ROUND_MAX).await {
                Ok(users) if users.is_empty() => {}
                Ok(users) => drop(myself.cast(Message::Due { users })),
                Err(error) => tracing::warn!(%error, "ledgers that are due were not read"),
            }
        });
    }
}
