//! One generation: from a prompt to an answer's events, and from those to a commit.
//!
//! All but the actor and what drives it is pure. [`hub`] finds out what a request asks for,
//! [`prompt`] builds what the provider is asked, [`artifact`] reads what it answers, [`edit`] finds
//! what an edit means, [`output`] turns all of it into events and changes, [`replay`] finds the
//! changes again after a crash, [`tree`] applies them to a project and makes git objects of it.

mod actor;
mod answer;
pub mod artifact;
mod bill;
mod caller;
mod changes;
mod drive;
pub mod edit;
mod generate;
mod handle;
pub mod hub;
mod mouth;
mod outbox;
pub mod output;
mod plan;
pub(crate) mod project;
pub mod prompt;
mod prose;
pub mod replay;
mod tag;
pub mod tree;
mod usage;

pub(crate) use actor::{RunActor, RunArguments};
pub(crate) use bill::lost;
pub use changes::{Change, Changes};
pub(crate) use handle::{Orders, RunHandle};
pub use output::OutputLimits;
pub use tag::Tag;
pub(crate) use usage::estimate_input;
