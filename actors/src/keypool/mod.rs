//! The key pool: which key of which provider makes the next call, and when.
//!
//! A key is not a quota. What providers limit is an account: a *quota group* is one account's use of
//! one model, with a cooldown and with what it has left; a *key* is a member of an account, and is
//! good or not. Both are state machines of their own, [`group`] and [`key`]; [`state`] puts them
//! together and is pure, as all else but the actor.
//!
//! Keys count as accounts of their own unless the configuration says otherwise, or the provider
//! does: two keys that tell the same organisation become one group. The other default would let
//! good keys rest with a limited one, and nothing would ever show it; this one costs a refused
//! call.

mod actor;
mod bucket;
mod class;
mod draw;
mod group;
mod handle;
mod key;
mod memory;
mod meter;
mod provider;
mod sharing;
pub mod state;
mod ticket;
mod view;

pub(crate) use actor::{KeyPoolActor, KeyPoolArguments};
pub use class::Selection;
pub use draw::Draw;
pub(crate) use handle::{Found, KeyPoolHandle};
pub use meter::Meter;
pub use sharing::Rest;
pub(crate) use ticket::Ticket;
pub use view::{GroupView, KeyView, ProviderView};
