//! Edits: search/replace blocks, and the one place in a file that each of them means.
//!
//! A [`Block`] applies where its search text stands by the first rung of a ladder ([`Step`]) that
//! finds it, if that is the only place on every rung. What is only similar is reported
//! ([`Nearest`]), never replaced. Lines that a block merely quotes keep the file's own bytes.

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
pub use block::{BLOCK_BYTES_MAX, BLOCKS_MAX, Block, BlockError};
pub(in crate::run) use block::{BlockReader, Grammar, Seen};
pub use ladder::Step;
pub use miss::{EditFailure, Miss};
pub use nearest::Nearest;
