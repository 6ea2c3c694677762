//! Parts of what a session says: texts, reasonings, tool calls, files.

use super::{Change, File, Inconsistency, Keep, Replica};
use crate::{
    client::fnv1a,
    event::Stream,
    id::{PartId, Seq},
};
use std::sync::Arc;

/// A text that grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its [`fnv1a`] digest; none while it is empty.
    pub digest: Option<u64>,
    /// The text; empty with [`Keep::Digests`].
    pub text: String,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// A text for the user.
    Text,
    /// A model's reasoning.
    Reasoning,
    /// A tool call; the part's body holds its arguments.
    Tool {
        /// The tool's name; empty where the start was missed.
        name: String,
        /// What the tool put out.
        output: Body,
    },
    /// A file.
    File {
        /// The path; empty where the start was missed.
        path: String,
    },
}

/// How a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Complete,
    /// The tool failed.
    Failed,
    /// The stream or its run broke off within it.
    BrokenOff,
}

/// A part of what a session says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// The entry it starts at.
    pub from: Seq,
    /// Its start was missed: the text begins somewhere in the middle.
    pub headless: bool,
    /// Its text. That of a complete file has moved to [`Replica::staged`].
    pub body: Body,
    /// How it ended; none while it is open.
    pub end: Option<End>,
}

impl Body {
    fn push(&mut self, text: &str, keep: Keep) {
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        self.digest = Some(fnv1a(self.digest, text.as_bytes()));
        if keep == Keep::Everything {
            self.text.push_str(text);
        }
    }
}

impl PartKind {
    pub(super) fn tool(name: &str) -> Self {
        Self::Tool { name: name.to_owned(), output: Body::default() }
    }

    pub(super) fn file(path: &str) -> Self {
        Self::File { path: path.to_owned() }
    }

    /// The kind that a delta belongs to, where the start was missed.
    fn of(stream: Stream) -> Self {
        match stream {
            Stream::Text => Self::Text,
            Stream::Reasoning => Self::Reasoning,
            Stream::ToolArgs | Stream::ToolOutput => Self::tool(""),
            Stream::File => Self::file(""),
        }
    }
}

impl Replica {
    pub(super) fn start(
        &mut self,
        id: PartId,
        from: Seq,
        kind: PartKind,
    ) -> Result<(), Inconsistency> {
        let part = Part { kind, from, headless: false, body: Body::default(), end: None };
        match self.parts.insert(id, part) {
            None => Ok(()),
            Some(_) => Err(Inconsistency::BeganTwice(id)),
        }
    }

    fn open_part(&mut self, id: PartId) -> Result<&mut Part, Inconsistency> {
        let open = self.parts.get_mut(&id).filter(|part| part.end.is_none());
        open.ok_or(Inconsistency::NotOpen(id))
    }

    /// Adds to a part; makes one up where the replica began in the middle of it.
    pub(super) fn delta(
        &mut self,
        id: PartId,
        from: Seq,
        stream: Stream,
        text: &str,
    ) -> Result<(), Inconsistency> {
        let keep = self.keep;
        if self.is_strange(id) {
            let kind = PartKind::of(stream);
            let part = Part { kind, from, headless: true, body: Body::default(), end: None };
            self.parts.insert(id, part);
        }
        let part = self.open_part(id)?;
        let body = match (stream, &mut part.kind) {
            (Stream::Text, PartKind::Text)
            | (Stream::Reasoning, PartKind::Reasoning)
            | (Stream::ToolArgs, PartKind::Tool { .. })
            | (Stream::File, PartKind::File { .. }) => &mut part.body,
            (Stream::ToolOutput, PartKind::Tool { output, .. }) => output,
            _ => return Err(Inconsistency::NotOpen(id)),
        };
        body.push(text, keep);
        Ok(())
    }

    pub(super) fn ready(&mut self, id: PartId) -> Result<(), Inconsistency> {
        if self.is_strange(id) { Ok(()) } else { self.open_part(id).map(|_| ()) }
    }

    pub(super) fn end(&mut self, id: PartId, end: End) -> Result<(), Inconsistency> {
        if self.is_strange(id) {
            return Ok(());
        }
        self.open_part(id)?.end = Some(end);
        if self.keep == Keep::Digests {
            self.parts.remove(&id);
        }
        Ok(())
    }

    /// Whether the replica began within the part and has seen nothing of it yet.
    fn is_strange(&self, id: PartId) -> bool {
        self.base > Seq::START && !self.parts.contains_key(&id)
    }

    pub(super) fn file_end(
        &mut self,
        id: PartId,
        complete: bool,
        said: u64,
        sha256: &str,
    ) -> Result<(), Inconsistency> {
        if self.is_strange(id) {
            return Ok(());
        }
        let part = self.open_part(id)?;
        let (held, headless) = (part.body.bytes, part.headless);
        if let (true, false, PartKind::File { path }) = (complete, headless, &part.kind) {
            let digest = part.body.digest;
            let text = std::mem::take(&mut part.body.text);
            let body = Body { bytes: held, digest, text };
            let change =
                Change::Write(path.clone(), Arc::new(File { body, sha256: sha256.to_owned() }));
            self.staged.push(change);
        }
        self.end(id, if complete { End::Complete } else { End::BrokenOff })?;
        if held == said || headless {
            Ok(())
        } else {
            Err(Inconsistency::Length { part: id, held, said })
        }
    }
}
