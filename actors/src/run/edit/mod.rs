//! Edits: search/replace blocks, and the one place in a file that each of them means.
//!
//! A [`Block`] applies where its search text stands exactly once, by the first rung of a ladder
//! ([`Step`]) on which it stands anywhere. What is only similar is reported ([`Nearest`]), never
//! replaced. Lines that a block merely quotes keep the file's own bytes.

mod apply;
mod block;
mod key;
mod ladder;
mod miss;
mod nearest;
mod rewrite;

#[cfg(test)]
mod tests;

pub use apply::{Edited, Placed, edit};
pub use block::{BLOCK_BYTES_MAX, Block, BlockError};
pub(in crate::run) use block::{BlockReader, Grammar, Seen};
pub use ladder::Step;
pub use miss::{EditFailure, Miss};
pub use nearest::Nearest;
