//! The blocks of an answer as text.

use super::answer;
use crate::failure::Failure;
use greenroom_actors::run::artifact::{Ending, Fenced, Parser, Piece};
use std::{convert::Infallible, fmt::Write as _};

/// What ends a heading.
const SIGNS: &str = "@@@@@@@@@@@@@@@@@@@@";

/// What begins a section of a transcript, before white space.
const SECTION: &str = "####";

/// Files whose sections quote markers: those of Aider's own parser.
const QUOTING: [&str; 2] = ["editblock_coder.py", "test_editblock.py"];

/// The blocks of a transcript in Aider's format, by section. One whose blocks can't all be read
/// has a line of error instead.
pub(super) fn aider(transcript: &str) -> String {
    sections(transcript).map(|section| section.text(|text| [text])).collect()
}

/// The blocks and files of an answer in the format of this server.
///
/// # Errors
/// [`Failure::Usage`] where it has no tag.
pub(super) fn artifact(answer: &str) -> Result<String, Failure> {
    let tag = answer::tag(answer)?;
    let mut listing = Listing::default();
    let mut parser = Parser::new(&tag);
    let mut sink = |piece: Piece<'_>| listing.piece(piece);
    let Ok(()) = parser.push(answer, &mut sink);
    let Ok(()) = parser.finish(Ending::Stopped, &mut sink);
    Ok(listing.text)
}

/// A part of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Section<'a> {
    header: &'a str,
    content: &'a str,
}

/// Cuts a transcript before each [`SECTION`] that white space follows. A text without one is a
/// section without a header; otherwise a section's first line is its header.
fn sections(transcript: &str) -> impl Iterator<Item = Section<'_>> {
    let is_cut = |at: &usize| {
        let after = transcript.get(at + SECTION.len()..).unwrap_or_default();
        after.starts_with(char::is_whitespace)
    };
    // Signs that overlap: a longer row of them is cut before its last four.
    let found = transcript.match_indices('#').map(|(at, _)| at);
    let cuts: Vec<usize> = found
        .filter(|at| transcript.get(*at..).is_some_and(|rest| rest.starts_with(SECTION)))
        .filter(is_cut)
        .collect();
    let is_plain = cuts.is_empty();
    let ends = cuts.clone().into_iter().chain([transcript.len()]);
    let parts = [0].into_iter().chain(cuts).zip(ends);
    parts
        .filter_map(|(from, to)| transcript.get(from..to))
        .filter(|text| !QUOTING.iter().any(|name| text.contains(name)))
        .map(move |text| {
            let (header, content) = text.split_once('\n').unwrap_or((text, ""));
            if is_plain {
                Section { header: "", content: text }
            } else {
                Section { header: header.trim(), content }
            }
        })
}

impl<'a> Section<'a> {
    /// The section's blocks, its content cut into `chunks`; nothing where it has none.
    fn text<I: IntoIterator<Item = &'a str>>(&self, chunks: impl FnOnce(&'a str) -> I) -> String {
        let mut listing = Listing::default();
        let mut parser = Fenced::new();
        let mut sink = |piece: Piece<'_>| listing.piece(piece);
        for chunk in chunks(self.content) {
            let Ok(()) = parser.push(chunk, &mut sink);
        }
        let Ok(()) = parser.finish(Ending::Stopped, &mut sink);
        let heading = format!("\n\n@@@ {} {SIGNS}\n", self.header);
        match listing {
            Listing { error: Some(error), .. } => format!("{heading}error: {error}\n"),
            Listing { text, .. } if text.is_empty() => text,
            Listing { text, .. } => heading + &text,
        }
    }
}

/// What an answer holds, as text.
#[derive(Debug, Default)]
struct Listing {
    text: String,
    /// The path of the edit under way.
    path: String,
    /// The first fault.
    error: Option<String>,
}

impl Listing {
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), Infallible> {
        let text = &mut self.text;
        // Writing to a string can't fail.
        let _ = match piece {
            Piece::Edit(path) => {
                path.clone_into(&mut self.path);
                Ok(())
            }
            Piece::Block(block) => write!(
                text,
                "@@@ SEARCH: {} {SIGNS}\n{}{SIGNS}\n{}@@@ REPLACE {SIGNS}\n",
                self.path, block.search, block.replace
            ),
            Piece::Shell(commands) => {
                write!(text, "@@@ SHELL {SIGNS}\n{commands}@@@ ENDSHELL {SIGNS}\n")
            }
            Piece::Broken(error) => {
                let error = format!("a block of {}: {error}", self.path);
                self.fault(error)
            }
            Piece::Rejected(why) => self.fault(why.to_string()),
            Piece::Write(path) => writeln!(text, "@@@ WRITE: {path} {SIGNS}"),
            Piece::Content(content) => write!(text, "{content}"),
            Piece::Delete(path) => writeln!(text, "@@@ DELETE: {path} {SIGNS}"),
            Piece::Move(from, to) => writeln!(text, "@@@ MOVE: {from} {to} {SIGNS}"),
            Piece::Unended => self.fault("the answer did not finish it".to_owned()),
            Piece::Prose(_) | Piece::End => Ok(()),
        };
        Ok(())
    }

    fn fault(&mut self, error: String) -> std::fmt::Result {
        writeln!(self.text, "error: {error}")?;
        self.error.get_or_insert(error);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
