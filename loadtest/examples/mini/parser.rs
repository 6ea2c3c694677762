//! From an answer's text to events, at most a line behind.

use greenroom_protocol::{event::Event, id::PartId};
use sha2::{Digest, Sha256};

/// Reads one answer.
pub(crate) struct Parser {
    prefix: String,
    next_part: PartId,
    /// The start of a line that may still become an instruction.
    line: String,
    /// What comes now is within a line that is none.
    within: bool,
    open: Option<Open>,
}

enum Open {
    Text(PartId),
    File(PartId, String),
}

impl Parser {
    pub(crate) fn new(tag: &str, next_part: PartId) -> Self {
        Self {
            prefix: format!("@@{tag} "),
            next_part,
            line: String::new(),
            within: false,
            open: None,
        }
    }

    /// Takes more text.
    pub(crate) fn push(&mut self, text: &str, out: &mut Vec<Event>) {
        for part in text.split_inclusive('\n') {
            self.line.push_str(part);
            let ended = part.ends_with('\n');
            if self.within || !self.may_be_marker() {
                let line = std::mem::take(&mut self.line);
                self.plain(&line, out);
                self.within = !ended;
            } else if ended {
                let line = std::mem::take(&mut self.line);
                self.take(&line, out);
            }
        }
    }

    fn may_be_marker(&self) -> bool {
        self.line.starts_with(&self.prefix) || self.prefix.starts_with(&self.line)
    }

    /// Ends the answer; `trusted`: a file that is open counts as complete.
    pub(crate) fn finish(&mut self, stopped: bool, trusted: bool, out: &mut Vec<Event>) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty()
            && (stopped || !self.prefix.starts_with(&line) && !line.starts_with(&self.prefix))
        {
            self.take(&line, out);
        }
        self.close(trusted, out);
    }

    fn take(&mut self, line: &str, out: &mut Vec<Event>) {
        let Some(marker) = line.strip_prefix(&self.prefix) else {
            self.plain(line, out);
            return;
        };
        let marker = marker.trim_end();
        if marker == "end" {
            self.close(true, out);
            return;
        }
        self.close(false, out);
        match (marker.split_once(' '), words(marker).as_slice()) {
            (Some(("write", _)), [_, path]) => {
                let part = self.begin();
                out.push(Event::FileStart { part, path: path.clone() });
                self.open = Some(Open::File(part, String::new()));
            }
            (Some(("delete", _)), [_, path]) => out.push(Event::FileDeleted { path: path.clone() }),
            (Some(("move", _)), [_, from, to]) => {
                out.push(Event::FileMoved { from: from.clone(), to: to.clone() });
            }
            _ => {}
        }
    }

    fn plain(&mut self, line: &str, out: &mut Vec<Event>) {
        let text = line.to_owned();
        match &mut self.open {
            Some(Open::File(part, content)) => {
                content.push_str(line);
                out.push(Event::FileDelta { part: *part, text });
            }
            Some(Open::Text(part)) => out.push(Event::TextDelta { part: *part, text }),
            None if line.trim().is_empty() => {}
            None => {
                let part = self.begin();
                self.open = Some(Open::Text(part));
                out.push(Event::TextStart { part });
                out.push(Event::TextDelta { part, text });
            }
        }
    }

    fn begin(&mut self) -> PartId {
        let part = self.next_part;
        self.next_part = part.next();
        part
    }

    fn close(&mut self, complete: bool, out: &mut Vec<Event>) {
        match self.open.take() {
            Some(Open::Text(part)) => out.push(Event::TextEnd { part }),
            Some(Open::File(part, content)) => {
                let sha256 =
                    Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
                out.push(Event::FileEnd { part, complete, bytes: content.len() as u64, sha256 });
            }
            None => {}
        }
    }
}

/// Words of a marker; one in double quotes may hold spaces.
fn words(marker: &str) -> Vec<String> {
    let (mut words, mut rest) = (Vec::new(), marker);
    while !rest.is_empty() {
        let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let (word, after) = quoted.or_else(|| rest.split_once(' ')).unwrap_or((rest, ""));
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}
