//! Aider's format: search/replace blocks in the prose of an answer, each below its file's path.
//!
//! ````text
//! src/app.js
//! ```js
//! <<<<<<< SEARCH
//! old lines
//! =======
//! new lines
//! >>>>>>> REPLACE
//! ```
//! ````
//! The path stands on one of the up to three lines above the first marker, with nothing but fences
//! between the two; without one there, the block is of the same file as the block before. A fenced
//! block of a shell's commands is no edit, whatever stands in it, and is not run.

mod shape;
mod shell;

use super::{Ending, Piece, Rejection, Sink, check_path};
use crate::run::edit::{Block, BlockReader, Grammar, Seen};
use shape::{Shape, is_bare_fence, is_fence, path_above};
use shell::{Is, Shell};
use std::collections::VecDeque;

/// Lines above a block in which its path is looked for.
const LINES_ABOVE: usize = 3;

/// Most of a line that is kept to look for a path, and to tell what it is, in bytes: the longest
/// path and its decoration.
const LINE_BYTES_MAX: usize = 600;

/// Push parser of prose with blocks. Looks at each byte once.
///
/// What is no block is prose; so is the path above one, but the fences around it are left out. Held
/// back is what may be a fence or a marker, a line at a time; after a block also a line of one word,
/// which may be the path of the next one: blocks of one file with nothing else between them are one
/// edit.
#[derive(Debug)]
pub struct Fenced {
    reader: BlockReader,
    /// The current line: all of it within a block, else at most [`LINE_BYTES_MAX`] of it.
    line: String,
    shape: Shape,
    /// How much of that was passed on.
    said: usize,
    /// Whether the current line is longer than what is kept of it.
    is_cut: bool,
    /// Whole lines held back, before the current one.
    held: VecDeque<String>,
    /// The beginnings of the last lines.
    above: VecDeque<String>,
    shell: Option<Shell>,
    /// The path of the edit under way.
    edit: Option<String>,
    /// The path of the block before.
    path: Option<String>,
    /// Whether the block under way is dropped.
    is_dropped: bool,
    /// Whether the last line ended a block that had a fence above it.
    may_close: bool,
}

impl Default for Fenced {
    fn default() -> Self {
        Self::new()
    }
}

impl Fenced {
    /// A parser of one text.
    #[must_use]
    pub fn new() -> Self {
        Self {
            reader: BlockReader::new(Grammar::Loose),
            line: String::new(),
            shape: Shape::default(),
            said: 0,
            is_cut: false,
            held: VecDeque::new(),
            above: VecDeque::new(),
            shell: None,
            edit: None,
            path: None,
            is_dropped: false,
            may_close: false,
        }
    }

    /// Takes more of the text.
    ///
    /// # Errors
    /// The sink's own error; the parser is of no further use then.
    pub fn push<E>(&mut self, text: &str, sink: &mut Sink<'_, E>) -> Result<(), E> {
        for chunk in text.split_inclusive('\n') {
            self.take(chunk, sink)?;
            if chunk.ends_with('\n') {
                self.end_line(sink)?;
            }
        }
        Ok(())
    }

    /// Ends the text. What was held back is prose; a block under way is broken.
    ///
    /// # Errors
    /// The sink's own error.
    pub fn finish<E>(&mut self, ending: Ending, sink: &mut Sink<'_, E>) -> Result<(), E> {
        if ending == Ending::Stopped && !self.line.is_empty() {
            self.end_line(sink)?;
        }
        self.interrupt(sink)?;
        *self = Self::new();
        Ok(())
    }

    /// Something else follows: what is under way ends here.
    pub(super) fn interrupt<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        if let Some(error) = self.reader.finish() {
            if !std::mem::take(&mut self.is_dropped) {
                sink(Piece::Broken(error))?;
            }
            self.line.clear();
        }
        if let Some(shell) = self.shell.take() {
            sink(Piece::Shell(shell.text()))?;
        }
        self.release(sink)?;
        self.say_line(sink)?;
        self.new_line();
        self.above.clear();
        self.may_close = false;
        self.end_edit(sink)
    }

    /// Takes a piece of the current line.
    fn take<E>(&mut self, chunk: &str, sink: &mut Sink<'_, E>) -> Result<(), E> {
        if self.reader.is_inside() {
            self.line.push_str(chunk);
            return Ok(());
        }
        if self.shape == Shape::Prose {
            self.say(chunk, sink)?;
            self.keep(chunk);
            self.said = self.line.len();
            return Ok(());
        }
        let before = self.line.len();
        self.line.push_str(chunk);
        self.shape.grow(&self.line, before, self.edit.is_some());
        if self.shape == Shape::Prose || self.line.len() > LINE_BYTES_MAX {
            self.shape = Shape::Prose;
            self.release(sink)?;
            self.say_line(sink)?;
            let line = std::mem::take(&mut self.line);
            self.keep(&line);
            self.said = self.line.len();
        }
        Ok(())
    }

    /// Keeps what has room of the beginning of a line that is passed on as it comes.
    fn keep(&mut self, chunk: &str) {
        if !self.is_cut {
            let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
            self.is_cut = chunk.len() > room;
            self.line.push_str(chunk.get(..chunk.floor_char_boundary(room)).unwrap_or_default());
        }
    }

    /// Tells what the current line is, now that it is whole.
    fn end_line<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        let said = std::mem::take(&mut self.said);
        let shape = std::mem::take(&mut self.shape);
        self.is_cut = false;
        let was_inside = self.reader.is_inside();
        let read = if !was_inside && self.is_shells(&line, sink)? {
            Ok(Seen::Outside)
        } else {
            self.reader.line(&line)
        };
        let may_close = std::mem::take(&mut self.may_close);
        match read {
            Ok(Seen::Head) => self.begin(sink)?,
            Ok(Seen::Inside) => {}
            Ok(Seen::Block(block)) => self.block(block, sink)?,
            Err(error) => {
                if !std::mem::take(&mut self.is_dropped) {
                    sink(Piece::Broken(error))?;
                }
            }
            Ok(Seen::Outside) if may_close && is_bare_fence(&line) => {}
            Ok(Seen::Outside) if said == 0 && is_fence(&line) => {
                self.held.push_back(line.clone());
                if self.held.len() > LINES_ABOVE {
                    let first = self.held.pop_front().unwrap_or_default();
                    self.say(&first, sink)?;
                }
            }
            Ok(Seen::Outside) if said == 0 && shape.is_word() => {
                self.release(sink)?;
                self.held.push_back(line.clone());
            }
            Ok(Seen::Outside) => {
                self.release(sink)?;
                let rest = line.get(said..).unwrap_or_default();
                self.say(rest, sink)?;
            }
        }
        if self.above.len() == LINES_ABOVE {
            self.above.pop_front();
        }
        self.above.push_back(line);
        Ok(())
    }

    /// Whether a line belongs to a shell's commands, so that no block begins there.
    fn is_shells<E>(&mut self, line: &str, sink: &mut Sink<'_, E>) -> Result<bool, E> {
        let is_head = BlockReader::is_head(Grammar::Loose, line);
        if let Some(shell) = &mut self.shell {
            match shell.line(line, is_head) {
                Is::Command => return Ok(true),
                Is::Last => {
                    if let Some(shell) = self.shell.take() {
                        sink(Piece::Shell(shell.text()))?;
                    }
                    return Ok(true);
                }
                Is::After => {
                    if let Some(shell) = self.shell.take() {
                        sink(Piece::Shell(shell.text()))?;
                    }
                }
                Is::NoShell => self.shell = None,
            }
        }
        if !is_head {
            self.shell = Shell::begin(line);
        }
        Ok(false)
    }

    /// A block begins: finds its path.
    fn begin<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        let path = path_above(self.above.iter().rev()).or_else(|| self.path.clone());
        let refused = match &path {
            None => Some(Rejection::NoPath),
            Some(path) => check_path(path).err().map(|error| Rejection::bad_path(path, error)),
        };
        self.is_dropped = refused.is_some();
        self.may_close = self.held.iter().any(|line| is_fence(line));
        if let Some(why) = refused {
            self.release(sink)?;
            self.end_edit(sink)?;
            return sink(Piece::Rejected(why));
        }
        self.held.retain(|line| !is_fence(line));
        if self.edit == path {
            self.held.clear();
        } else {
            self.end_edit(sink)?;
            self.release(sink)?;
            sink(Piece::Edit(path.as_deref().unwrap_or_default()))?;
            self.edit.clone_from(&path);
        }
        self.path = path;
        Ok(())
    }

    fn block<E>(&mut self, block: Block, sink: &mut Sink<'_, E>) -> Result<(), E> {
        self.may_close = true;
        if std::mem::take(&mut self.is_dropped) { Ok(()) } else { sink(Piece::Block(block)) }
    }

    fn end_edit<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        if self.edit.take().is_some() { sink(Piece::End) } else { Ok(()) }
    }

    /// Passes on the lines that were held back.
    fn release<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        while let Some(line) = self.held.pop_front() {
            self.say(&line, sink)?;
        }
        Ok(())
    }

    /// Passes on the current line as far as it came.
    fn say_line<E>(&mut self, sink: &mut Sink<'_, E>) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        self.say(line.get(self.said..).unwrap_or_default(), sink)?;
        self.line = line;
        self.said = self.line.len();
        Ok(())
    }

    fn new_line(&mut self) {
        self.line.clear();
        self.said = 0;
        self.is_cut = false;
        self.shape = Shape::default();
    }

    /// Passes on prose. It ends an edit, unless it is white space between two blocks.
    fn say<E>(&mut self, text: &str, sink: &mut Sink<'_, E>) -> Result<(), E> {
        if text.is_empty() || (self.edit.is_some() && text.trim().is_empty()) {
            return Ok(());
        }
        self.end_edit(sink)?;
        sink(Piece::Prose(text))
    }
}
