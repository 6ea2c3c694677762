//! Credits of all users of this node: accounts by user, prices, and the keeper's round.

mod actor;
mod handle;
mod price;

pub(crate) use actor::{CreditsActor, CreditsArguments};
pub(crate) use handle::CreditsHandle;
pub use price::{PriceError, Prices};
