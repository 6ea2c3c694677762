//! A file's blocks, applied in their order.

use super::{
    BLOCKS_MAX, Block, BlockError, Miss, Step,
    ladder::{Lines, Nowhere},
    nearest::nearest,
    rewrite::rewrite,
};

/// Most misses of an edit that are told with their nearest lines.
const NEAREST_MAX: usize = 8;

/// A file after an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Its contents.
    pub text: String,
    /// What became of each block, in order.
    pub blocks: Vec<Placed>,
}

/// A block that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The rung of the ladder.
    pub step: Step,
    /// The first line of its place, from 1, in the file as it was.
    pub line: usize,
}

/// Applies blocks to a file, each to what the ones before it left; none where there is no file.
///
/// A block that searches for nothing writes a file that is missing or empty. Every block is tried,
/// also after one that has no place.
///
/// # Errors
/// All blocks without a place, by their numbers from 1. Nothing is applied then.
pub fn edit(text: Option<&str>, blocks: &[Block]) -> Result<Edited, Vec<(usize, Miss)>> {
    if blocks.is_empty() {
        return Err(vec![(0, Miss::Broken(BlockError::NoBlock))]);
    }
    if blocks.len() > BLOCKS_MAX {
        return Err(vec![(0, Miss::Broken(BlockError::TooMany))]);
    }
    let mut lines = Lines::new(text.unwrap_or_default());
    let mut exists = text.is_some();
    let (mut placed, mut misses) = (Vec::new(), Vec::new());
    for (block, number) in blocks.iter().zip(1..) {
        match apply(&mut lines, exists, block) {
            Ok(place) => {
                exists = true;
                placed.push(place);
            }
            Err(mut miss) => {
                if let Miss::NotFound { nearest: found } = &mut miss
                    && misses.len() < NEAREST_MAX
                {
                    *found = nearest(&lines, &block.search);
                }
                misses.push((number, miss));
            }
        }
    }
    if misses.is_empty() { Ok(Edited { text: lines.text(), blocks: placed }) } else { Err(misses) }
}

fn apply(lines: &mut Lines<'_>, exists: bool, block: &Block) -> Result<Placed, Miss> {
    if !block.is_closed {
        return Err(Miss::Broken(BlockError::SecondDivider));
    }
    if block.search.is_empty() {
        if lines.len() > 0 {
            return Err(Miss::NoSearch);
        }
        lines.splice(0..0, block.replace.split_inclusive('\n').map(str::to_owned).collect());
        return Ok(Placed { step: Step::Exact, line: 1 });
    }
    if !exists {
        return Err(Miss::NoFile);
    }
    let place = lines.find(block).map_err(|nowhere| match nowhere {
        Nowhere::NotFound => Miss::NotFound { nearest: None },
        Nowhere::Several(places) => {
            Miss::Ambiguous { lines: places.into_iter().map(|at| lines.number(at)).collect() }
        }
    })?;
    let placed = Placed { step: place.step, line: lines.number(place.lines.start) };
    // Only where the block's indentation can't be undone: then it means another place.
    let new = rewrite(lines, &place, block).ok_or(Miss::NotFound { nearest: None })?;
    lines.splice(place.lines, new);
    Ok(placed)
}
