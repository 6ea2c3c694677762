//! One user's credits: a ledger, what it comes to, and its only proposer on this node.

mod actor;
mod books;
mod command;
mod decide;
mod habit;
mod handle;
mod month;
mod state;
mod tend;

pub(crate) use actor::{AccountActor, AccountArguments, transactions};
pub use command::CreditTerms;
pub(crate) use command::{Answer, Command, HoldRequest, Refusal, Settlement};
pub(crate) use handle::AccountHandle;
