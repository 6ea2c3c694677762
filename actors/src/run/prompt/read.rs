//! Reading the messages back: for stand-in providers.

use super::{
    CURRENT_FILES, CUT_OFF, REQUEST, Remedy, STEERED, WRITE_THE_REST,
    mend::{DONE, FAILED},
};
use crate::{
    port::{Message, Role},
    run::{Tag, artifact::words},
};
use std::collections::BTreeMap;

/// A prompt, as a stand-in for a model understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The tag to answer with.
    pub tag: Tag,
    /// Earlier prompts, oldest first.
    pub history: Vec<String>,
    /// The project's files that are shown. Contents that ended without a newline have got one.
    pub files: BTreeMap<String, String>,
    /// Lengths in bytes of files that are not shown.
    pub omitted: BTreeMap<String, u64>,
    /// The user's prompt.
    pub request: String,
    /// Files of a cut-off answer that are complete.
    pub done: BTreeMap<String, String>,
    /// Lengths in bytes of such files that are not shown.
    pub done_omitted: BTreeMap<String, u64>,
    /// Paths that the cut-off answer deleted.
    pub deleted: Vec<String>,
    /// Paths that it moved, from and to.
    pub moved: Vec<(String, String)>,
    /// Edits that could not be applied, by path, and why.
    pub failed: BTreeMap<String, String>,
    /// How they are to be mended.
    pub remedy: Option<Remedy>,
}

/// Why messages are no prompt of this engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No system message, or no tag in it.
    #[error("no system message with an answer's tag")]
    NoTag,
    /// The last message is not the user's, or has no line `Request:`.
    #[error("no last message of the user with a line \"Request:\"")]
    NoRequest,
    /// A line of an instruction that prompts do not have, or a block without its end.
    #[error("malformed block of a file")]
    Block,
}

impl Parsed {
    /// Reads messages that [`super::PromptInput::build`] made.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(messages: &[Message]) -> Result<Self, ReadError> {
        let system = messages.iter().find(|message| message.role == Role::System);
        let tag = system.and_then(|message| Tag::find(&message.content)).ok_or(ReadError::NoTag)?;
        let (last, earlier) = messages.split_last().ok_or(ReadError::NoRequest)?;
        if last.role != Role::User {
            return Err(ReadError::NoRequest);
        }
        let prefix = tag.prefix();

        let mut files = Blocks::new(&prefix);
        let mut rest = last.content.as_str();
        if let Some((CURRENT_FILES, after)) = rest.split_once('\n') {
            rest = after;
        }
        loop {
            let (line, after) = rest.split_once('\n').ok_or(ReadError::NoRequest)?;
            if line == REQUEST {
                rest = after;
                break;
            }
            rest = files.line(line, after)?;
        }

        let mut done = Blocks::new(&prefix);
        let (request, mut rest) = split_request(rest, &prefix)?;
        let remedy = |rest: &str| Remedy::ALL.into_iter().find(|remedy| remedy.asks() == rest);
        while !matches!(rest, "" | WRITE_THE_REST) && remedy(rest).is_none() {
            let (line, after) = rest.split_once('\n').ok_or(ReadError::Block)?;
            rest = done.line(line, after)?;
        }
        let history = earlier.iter().filter(|message| message.role == Role::User);
        Ok(Self {
            history: history.map(|message| message.content.clone()).collect(),
            files: files.shown,
            omitted: files.omitted,
            request: request.to_owned(),
            done: done.shown,
            done_omitted: done.omitted,
            deleted: done.deleted,
            moved: done.moved,
            failed: done.failed,
            remedy: remedy(rest),
            tag,
        })
    }

    /// Whether it asks for the rest of an answer.
    #[must_use]
    pub fn is_continuation(&self) -> bool {
        !(self.done.is_empty()
            && self.done_omitted.is_empty()
            && self.deleted.is_empty()
            && self.moved.is_empty())
    }
}

/// Splits what follows `Request:` into the prompt and the blocks of a cut-off answer.
///
/// The tag does not occur in the prompt, so that its first line with the tag is the engine's, and
/// the line before that is the heading.
fn split_request<'a>(text: &'a str, prefix: &str) -> Result<(&'a str, &'a str), ReadError> {
    let Some(at) = text.find(&format!("\n{prefix}")) else { return Ok((text, "")) };
    let (before, blocks) = text.split_at(at + 1);
    let heading = |heading: &&str| before.ends_with(&format!("\n{heading}\n"));
    let heading =
        [CUT_OFF, STEERED, DONE, FAILED].into_iter().find(heading).ok_or(ReadError::Block)?;
    let request = before.get(..before.len() - heading.len() - 2).unwrap_or_default();
    Ok((request, blocks))
}

/// Blocks as they are read.
struct Blocks<'a> {
    prefix: &'a str,
    shown: BTreeMap<String, String>,
    omitted: BTreeMap<String, u64>,
    deleted: Vec<String>,
    moved: Vec<(String, String)>,
    failed: BTreeMap<String, String>,
}

impl<'a> Blocks<'a> {
    const fn new(prefix: &'a str) -> Self {
        Self {
            prefix,
            shown: BTreeMap::new(),
            omitted: BTreeMap::new(),
            deleted: Vec::new(),
            moved: Vec::new(),
            failed: BTreeMap::new(),
        }
    }

    /// Reads one line, with its block if it begins one, and returns what follows.
    fn line<'t>(&mut self, line: &str, after: &'t str) -> Result<&'t str, ReadError> {
        let Some(line) = line.strip_prefix(self.prefix) else { return Ok(after) };
        match words(line).ok_or(ReadError::Block)?.as_slice() {
            [verb @ ("file" | "done" | "failed"), path] => {
                let end = format!("{}end\n", self.prefix);
                let (content, rest) = if let Some(rest) = after.strip_prefix(&end) {
                    ("", rest)
                } else {
                    let at = after.find(&format!("\n{end}")).ok_or(ReadError::Block)?;
                    let (content, rest) = after.split_at(at + 1);
                    (content, rest.strip_prefix(&end).ok_or(ReadError::Block)?)
                };
                let blocks = if *verb == "failed" { &mut self.failed } else { &mut self.shown };
                blocks.insert((*path).to_owned(), content.to_owned());
                return Ok(rest);
            }
            ["omitted", path, bytes] => {
                let bytes = bytes.parse().map_err(|_| ReadError::Block)?;
                self.omitted.insert((*path).to_owned(), bytes);
            }
            ["deleted", path] => self.deleted.push((*path).to_owned()),
            ["moved", from, to] => self.moved.push(((*from).to_owned(), (*to).to_owned())),
            _ => return Err(ReadError::Block),
        }
        Ok(after)
    }
}
