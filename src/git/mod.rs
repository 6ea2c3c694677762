//! Git repositories on disk. What objects are is decided in `greenroom_actors::run::tree`; here
//! they are only written down.

mod bare;

pub use bare::{BareRepository, GitError};
