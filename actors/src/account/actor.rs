//! An account's actor: performs what its state decides.

use super::{
    command::{Answer, Command, CreditTerms},
    decide::{Account, Known},
    state::{Effect, Input, State},
};
use crate::{
    port::{Clock, Ledger, LedgerChange, LedgerRow, Posted, Store, StoreError},
    users::UsersHandle,
};
use greenroom_protocol::{credits::Transaction, id::UserId};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};
use tokio_util::task::AbortOnDropHandle;

/// An account that nobody asks for anything ends after this long.
const IDLE: Duration = Duration::from_secs(30);

/// Wait after a store that did not answer.
const STORE_WAIT: Duration = Duration::from_millis(200);

/// What an account needs.
#[derive(Clone)]
pub(crate) struct AccountArguments {
    pub(crate) user: UserId,
    pub(crate) terms: CreditTerms,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Who shows the user a new balance.
    pub(crate) users: UsersHandle,
}

impl fmt::Debug for AccountArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountArguments").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Whom to answer; none: nobody waits.
type Reply = Option<oneshot::Sender<Answer>>;

/// One variant a method of [`super::AccountHandle`], and what the store answers.
pub(crate) enum Message {
    Do { command: Box<Command>, reply: Reply },
    Tend,
    Stored(Input<Reply>),
    Idle,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Do { .. } => "Do",
            Self::Tend => "Tend",
            Self::Stored(_) => "Stored",
            Self::Idle => "Idle",
        })
    }
}

/// What the actor holds. Bound: each run and each socket of the user waits for one command at most.
pub(crate) struct Live {
    arguments: AccountArguments,
    state: State<Reply>,
    /// What the store was asked for; one thing at a time.
    under_way: Option<AbortOnDropHandle<()>>,
    /// When somebody asked for something last.
    asked: Instant,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("user", &self.arguments.user).finish_non_exhaustive()
    }
}

/// One user's credits: on this node the only one who proposes to the user's ledger.
#[derive(Debug)]
pub(crate) struct AccountActor;

impl Actor for AccountActor {
    type Msg = Message;
    type State = Live;
    type Arguments = AccountArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: AccountArguments,
    ) -> Result<Live, ActorProcessingErr> {
        myself.send_interval(IDLE, || Message::Idle);
        let state = State::new(arguments.terms.clone());
        Ok(Live { arguments, state, under_way: None, asked: Instant::now() })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Do { command, reply } => {
                live.asked = Instant::now();
                live.apply(&myself, Input::Do { command: *command, reply });
            }
            Message::Tend => live.apply(&myself, Input::Tend),
            Message::Stored(input) => live.apply(&myself, input),
            Message::Idle => {
                if live.state.is_idle() && live.asked.elapsed() >= IDLE {
                    myself.stop(None); // who asks now is told to ask for a new one
                }
            }
        }
        Ok(())
    }

    /// An account has no children; overrides ractor's default all the same.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        _: SupervisionEvent,
        _: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl Live {
    fn apply(&mut self, myself: &ActorRef<Message>, input: Input<Reply>) {
        let mut effects = Vec::new();
        self.state.apply(self.arguments.clock.now_ms(), input, &mut effects);
        for effect in effects {
            self.perform(myself, effect);
        }
    }

    fn perform(&mut self, myself: &ActorRef<Message>, effect: Effect<Reply>) {
        let (store, user) = (self.arguments.store.clone(), self.arguments.user);
        match effect {
            Effect::Load => self.ask_store(myself, async move {
                let (version, account) = load(&*store, user).await?;
                Ok(Input::Loaded { version, account })
            }),
            Effect::Find(names) => {
                self.ask_store(myself, async move { find(&*store, user, names).await });
            }
            Effect::Append { if_version, transactions, account } => {
                self.ask_store(myself, async move {
                    append(&*store, user, if_version, &transactions, &account).await
                });
            }
            Effect::Wait => self.ask_store(myself, async {
                sleep(STORE_WAIT).await;
                Ok(Input::Again)
            }),
            Effect::Reply(Some(reply), answer) => drop(reply.send(answer)),
            Effect::Reply(None, _) => {}
            Effect::Balance(balance) => self.arguments.users.balance(user, balance),
        }
    }

    /// Asks in a task of its own: commands gather here meanwhile.
    fn ask_store(
        &mut self,
        myself: &ActorRef<Message>,
        ask: impl Future<Output = Result<Input<Reply>, StoreError>> + Send + 'static,
    ) {
        let (myself, user) = (myself.clone(), self.arguments.user);
        self.under_way = Some(crate::spawn_owned(async move {
            let input = ask.await.unwrap_or_else(|error| {
                tracing::warn!(%error, %user, "a ledger does not answer");
                Input::Failed
            });
            let _ = myself.cast(Message::Stored(input)); // gone: so is who asked
        }));
    }
}

async fn load(store: &dyn Store, user: UserId) -> Result<(u64, Box<Account>), StoreError> {
    let Some(head) = store.ledger_head(user).await? else {
        return Ok((0, Box::default()));
    };
    let account: Account = serde_json::from_slice(&head.bytes)
        .map_err(|error| StoreError::Corrupt(format!("the ledger's head of {user}: {error}")))?;
    Ok((head.version, Box::new(account)))
}

async fn find(
    store: &dyn Store,
    user: UserId,
    names: Vec<String>,
) -> Result<Input<Reply>, StoreError> {
    let (version, account) = load(store, user).await?;
    let mut known = Known::new();
    for name in names {
        if let Some(row) = store.ledger_row(user, &name).await? {
            known.insert(name, read_row(user, &row)?);
        }
    }
    Ok(Input::Found { version, account, known })
}

async fn append(
    store: &dyn Store,
    user: UserId,
    if_version: u64,
    transactions: &[Transaction],
    account: &Account,
) -> Result<Input<Reply>, StoreError> {
    // Cannot fail: no map with other keys than strings, no custom serializer that errs.
    let rows = transactions.iter().map(|transaction| LedgerRow {
        seq: transaction.seq,
        id: transaction.id.clone(),
        bytes: serde_json::to_vec(transaction).unwrap_or_default().into(),
    });
    let change = LedgerChange {
        rows: rows.collect(),
        head: serde_json::to_vec(account).unwrap_or_default().into(),
        due_at_ms: account.due_at_ms,
    };
    Ok(match store.append_ledger(user, if_version, change).await? {
        Posted::Written => Input::Written,
        Posted::Conflict(version) => Input::Conflict { version: Some(version) },
        Posted::Duplicate => Input::Conflict { version: None },
    })
}

/// Reads a row of a ledger.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub(crate) fn read_row(user: UserId, row: &LedgerRow) -> Result<Transaction, StoreError> {
    serde_json::from_slice(&row.bytes).map_err(|error| {
        StoreError::Corrupt(format!("row {} of the ledger of {user}: {error}", row.seq))
    })
}

/// Transactions of a user, newest first, before a number.
///
/// # Errors
/// The store's.
pub(crate) async fn transactions(
    ledger: &dyn Store,
    user: UserId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Transaction>, StoreError> {
    let rows = Ledger::ledger_rows(ledger, user, before, limit).await?;
    rows.iter().map(|row| read_row(user, row)).collect()
}
