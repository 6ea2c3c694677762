//! The artifact format: files and prose in one stream of text.
//!
//! ```text
//! A calculator in one page.
//! @@k3x7qa write index.html
//! <!doctype html>
//! @@k3x7qa end
//! @@k3x7qa edit app.js
//! <<<<<<< SEARCH
//! let total = 1;
//! =======
//! let total = 0;
//! >>>>>>> REPLACE
//! @@k3x7qa end
//! @@k3x7qa delete old.html
//! @@k3x7qa move a.js "b c.js"
//! ```
//! An instruction is a line that begins with `@@`, the answer's [`Tag`] and a space. The contents of
//! a file are the lines between `write` and `end`, byte for byte. An `edit` has one or more blocks
//! ([`Block`]) up to its `end`, whose markers begin in the first column and have the same number of
//! signs, at least five. All other text is prose.
//!
//! - A line with another tag, or with anything before `@@`, is ordinary text.
//! - White space at the end of an instruction, and so CRLF, is ignored.
//! - A code fence around a block is prose; a code fence within one is content.
//! - Any instruction but `end` while a file is open leaves that file unended. An `end` without a
//!   block is ignored.
//! - A block with a bad path is dropped up to the next instruction. An unknown verb drops its own
//!   line only.
//! - Lines of an `edit` outside of its blocks are ignored.
//! - Prose may hold edits in Aider's format ([`Fenced`]); they give the same pieces.

mod fenced;
mod marker;
mod path;
mod rejection;

#[cfg(test)]
mod tests;

use super::{
    Tag,
    edit::{Block, BlockError, BlockReader, Grammar, Seen},
};
pub use fenced::Fenced;
use marker::{Marker, Refused};
pub(in crate::run) use marker::{quoted, words};
pub use path::{NAME_BYTES_MAX, PathError, check_path};
pub use rejection::Rejection;
pub(in crate::run) use rejection::shown;

/// Longest line of an instruction after its prefix, in bytes: two quoted paths of the greatest
/// length and room to spare. Bounds what the parser holds back.
pub const MARKER_BYTES_MAX: usize = 2 * 1024;

/// What the parser found. Neighbouring pieces of text may be split anywhere between characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text for the user.
    Prose(&'a str),
    /// A file begins; its path passed [`check_path`].
    Write(&'a str),
    /// More of the open file's contents.
    Content(&'a str),
    /// The open file is complete.
    End,
    /// The open file ends without its `end`; it is not complete.
    Unended,
    /// An edit begins; its path passed [`check_path`]. [`Piece::End`] or [`Piece::Unended`] ends it.
    Edit(&'a str),
    /// A block of the edit.
    Block(Block),
    /// What should have been a block of the edit.
    Broken(BlockError),
    /// Commands of a fenced block for a shell, which was prose. Nobody runs them.
    Shell(&'a str),
    /// A file goes.
    Delete(&'a str),
    /// A file moves from the first path to the second.
    Move(&'a str, &'a str),
    /// An instruction is not followed.
    Rejected(Rejection),
}

/// Takes the pieces.
pub type Sink<'s, E> = dyn FnMut(Piece<'_>) -> Result<(), E> + 's;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The provider said that this was all: a last line counts without its newline.
    Stopped,
    /// It broke off, reached a limit or was cancelled: a last line may be half a line, so that an
    /// instruction in it does not count.
    CutOff,
}

/// Push parser. Looks at each byte once and holds back only what may still become an instruction
/// (at most the prefix, then at most [`MARKER_BYTES_MAX`]), what [`Fenced`] does, and a block of an
/// edit up to its end.
///
/// Any chunking of the same text gives the same pieces, but for where neighbouring text is split.
#[derive(Debug)]
pub struct Parser {
    prefix: String,
    line: Line,
    within: Within,
    fenced: Fenced,
    blocks: BlockReader,
    /// The line of a block as far as it came.
    block_line: String,
    /// The line of an instruction as far as it came.
    marker: String,
    /// Whether that line is longer than [`MARKER_BYTES_MAX`]; the rest of it is dropped.
    marker_too_long: bool,
}

/// What the current line is.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// Undecided: so many bytes of the prefix matched and are held back.
    Start(usize),
    /// Ordinary text.
    Plain,
    /// An instruction.
    Marker,
}

/// What ordinary text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// None: it is prose.
    Prose,
    /// The open file.
    File,
    /// The open edit.
    Edit,
    /// A block that is not followed.
    Dropped,
}

impl Parser {
    /// A parser of one answer.
    #[must_use]
    pub fn new(tag: &Tag) -> Self {
        Self {
            prefix: tag.prefix(),
            line: Line::Start(0),
            within: Within::Prose,
            fenced: Fenced::new(),
            blocks: BlockReader::new(Grammar::Strict),
            block_line: String::new(),
            marker: String::new(),
            marker_too_long: false,
        }
    }

    /// Takes more of the answer.
    ///
    /// # Errors
    /// The sink's own error; the parser is of no further use then.
    pub fn push<E>(&mut self, text: &str, sink: &mut Sink<'_, E>) -> Result<(), E> {
        let mut rest = text;
        while !rest.is_empty() {
            let used = match self.line {
                Line::Start(matched) => self.start(matched, rest, sink)?,
                Line::Plain => self.plain(rest, sink)?,
                Line::Marker => self.marker(rest, sink)?,
            };
            rest = rest.get(used..).unwrap_or_default();
        }
        Ok(())
    }

    /// Ends the answer; an open file is unended.
    ///
    /// # Errors
    /// The sink's own error.
    pub fn finish<E>(&mut self, ending: Ending, sink: &mut Sink<'_, E>) -> Result<(), E> {
        match self.line {
            Line::Start(matched) if ending == Ending::Stopped => self.prefixed(matched, sink)?,
            Line::Marker if ending == Ending::Stopped => self.follow(sink)?,
            // Half an instruction says nothing to anybody.
            Line::Start(_) | Line::Marker | Line::Plain => {}
        }
        self.line = Line::Start(0);
        if self.within == Within::Prose {
            return self.fenced.finish(ending, sink);
        }
        self.leave_block(sink)
    }

    /// Compares the line's beginning with the prefix. Returns how many bytes of `rest` it used.
    fn start<E>(&mut self, matched: usize, rest: &str, sink: &mut Sink<'_, E>) -> Result<usize, E> {
        let expected = self.prefix.bytes().skip(matched);
        let same = expected.zip(rest.bytes()).take_while(|(a, b)| a == b).count();
        if matched + same == self.prefix.len() {
            self.line = Line::Marker;
        } else if same == rest.len() {
            self.line = Line::Start(matched + same);
        } else {
            self.line = Line::Plain;
            self.prefixed(matched, sink)?;
            return Ok(0);
        }
        Ok(same)
    }

    /// Passes on ordinary text as far as it surely goes, over as many lines as possible.
    fn plain<E>(&mut self, rest: &str, sink: &mut Sink<'_, E>) -> Result<usize, E> {
        let bytes = rest.as_bytes();
        let mut from = 0;
        let used = loop {
            let Some(newline) = rest.get(from..).and_then(|tail| tail.find('\n')) else {
                break rest.len();
            };
            from += newline + 1;
            if bytes.get(from).is_none_or(|next| *next == b'@') {
                self.line = Line::Start(0);
                break from;
            }
        };
        self.emit(rest.get(..used).unwrap_or_default(), sink)?;
        Ok(used)
    }

    /// Collects the line of an instruction and follows it at its end.
    fn marker<E>(&mut self, rest: &str, sink: &mut Sink<'_, E>) -> Result<usize, E> {
        let (text, used, complete) = match rest.split_once('\n') {
            Some((line, _)) => (line, line.len() + 1, true),
            None => (rest, rest.len(), false),
        };
        if !self.marker_too_long {
            let room = MARKER_BYTES_MAX - self.marker.len();
            self.marker_too_long = text.len() > room;
            self.marker.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
        }
        if complete {
            self.line = Line::Start(0);
            self.follow(sink)?;
        }
        Ok(used)
    }

    /// Does what the collected line says.
    fn follow<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        let mut line = std::mem::take(&mut self.marker);
        match Marker::parse(&line, std::mem::take(&mut self.marker_too_long)) {
            Ok(Marker::End) => match self.within {
                Within::Prose | Within::Dropped => self.within = Within::Prose,
                Within::File | Within::Edit => {
                    self.end_blocks(sink)?;
                    self.within = Within::Prose;
                    sink(Piece::End)?;
                }
            },
            Ok(Marker::Write(path)) => {
                self.leave_block(sink)?;
                self.within = Within::File;
                sink(Piece::Write(path))?;
            }
            Ok(Marker::Edit(path)) => {
                self.leave_block(sink)?;
                self.within = Within::Edit;
                sink(Piece::Edit(path))?;
            }
            Ok(Marker::Delete(path)) => {
                self.leave_block(sink)?;
                sink(Piece::Delete(path))?;
            }
            Ok(Marker::Move(from, to)) => {
                self.leave_block(sink)?;
                sink(Piece::Move(from, to))?;
            }
            Err(Refused { why, block }) => {
                self.leave_block(sink)?;
                self.within = if block { Within::Dropped } else { Within::Prose };
                sink(Piece::Rejected(why))?;
            }
        }
        line.clear();
        self.marker = line; // keeps its allocation
        Ok(())
    }

    fn leave_block<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        match std::mem::replace(&mut self.within, Within::Prose) {
            Within::Prose => self.fenced.interrupt(sink),
            Within::Dropped => Ok(()),
            Within::File => sink(Piece::Unended),
            Within::Edit => {
                self.end_blocks(sink)?;
                sink(Piece::Unended)
            }
        }
    }

    /// Ends the blocks of an edit; one that is under way is none.
    fn end_blocks<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        self.block_lines("\n", sink)?;
        self.blocks.finish().map_or(Ok(()), |error| sink(Piece::Broken(error)))
    }

    /// Takes text of an edit.
    fn block_lines<E>(&mut self, text: &str, sink: &mut Sink<'_, E>) -> Result<(), E> {
        for chunk in text.split_inclusive('\n') {
            self.block_line.push_str(chunk);
            if !chunk.ends_with('\n') {
                return Ok(());
            }
            match self.blocks.line(&self.block_line) {
                Ok(Seen::Block(block)) => sink(Piece::Block(block))?,
                Ok(Seen::Outside | Seen::Head | Seen::Inside) => {}
                Err(error) => sink(Piece::Broken(error))?,
            }
            self.block_line.clear();
        }
        Ok(())
    }

    /// Passes on what was held back of the prefix.
    fn prefixed<E>(&mut self, matched: usize, sink: &mut Sink<'_, E>) -> Result<(), E> {
        let prefix = std::mem::take(&mut self.prefix);
        let passed = self.emit(prefix.get(..matched).unwrap_or_default(), sink);
        self.prefix = prefix;
        passed
    }

    fn emit<E>(&mut self, text: &str, sink: &mut Sink<'_, E>) -> Result<(), E> {
        if text.is_empty() {
            return Ok(());
        }
        match self.within {
            Within::Prose => self.fenced.push(text, sink),
            Within::File => sink(Piece::Content(text)),
            Within::Edit => self.block_lines(text, sink),
            Within::Dropped => Ok(()),
        }
    }
}
