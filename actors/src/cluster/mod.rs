//! This node among others that share its store: it shows that it lives, sees who does not, and
//! takes over what the dead have left.
//!
//! ```text
//! lives -- silent, or drained --> sealed -- its tail is in segments, its runs are claimed --> recovered
//! ```
//!
//! Sealing is what makes a verdict safe: whoever is declared dead by mistake finds its next append
//! refused, drops all, and goes on as another incarnation. Every step may be repeated, and done by
//! several nodes at once.

mod actor;
mod owner;
mod state;

pub(crate) use actor::{ClusterActor, ClusterArguments, wake};
pub(crate) use owner::{Home, Owner};
pub use state::ClusterTerms;
