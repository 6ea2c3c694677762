//! Joins adjacent deltas of one part into one frame, without decoding any.

use crate::{id::Seq, limit::DATA_FRAME_BYTES_MAX};
use std::{borrow::Cow, fmt::Write};

/// Room for what [`super::write_ev`] puts before a rest: `{"type":"ev","ch":4294967295,`.
const HEAD_BYTES_MAX: usize = 29;

/// One frame's rest: that of an entry, or of several as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged<'a> {
    /// For [`super::write_ev`].
    pub rest: Cow<'a, str>,
    /// How many entries it holds: 1 or more.
    pub entries: usize,
}

/// Merges the rests of consecutive entries, as [`super::entry_rest`] wrote them.
///
/// Neighbours become one where they add to the same text of the same part, their numbers follow
/// each other, and the frame stays within [`DATA_FRAME_BYTES_MAX`] *as encoded*. All else passes as
/// it is: the very bytes of the entry. A merged frame says `seq` and `ts` of its last entry and the
/// number of its first as `from`; its text is theirs, byte for byte.
#[must_use]
pub fn merge<'a>(rests: &[&'a str]) -> Vec<Merged<'a>> {
    let mut frames = Vec::new();
    let mut run: Option<Run<'a>> = None;
    for rest in rests {
        let delta = Delta::parse(rest);
        if let (Some(run), Some(delta)) = (&mut run, &delta)
            && run.takes(delta)
        {
            run.push(delta);
            continue;
        }
        frames.extend(run.take().map(Run::finish));
        match delta {
            Some(delta) => run = Some(Run::new(rest, delta)),
            None => frames.push(Merged { rest: Cow::Borrowed(rest), entries: 1 }),
        }
    }
    frames.extend(run.map(Run::finish));
    frames
}

/// A delta's rest, taken apart: `"seq":1,"ts":2,"event":` + `key` + `body` + `"}}`.
struct Delta<'a> {
    seq: u64,
    ts: &'a str,
    /// `{"type":"text.delta","part":1,"text":"`: what two deltas of one text share.
    key: &'a str,
    /// The addition, as JSON has it between the quotes. Bodies may be put end to end: no escape
    /// reaches over an end.
    body: &'a str,
}

const DELTAS: [&str; 5] =
    ["text.delta", "reasoning.delta", "file.delta", "tool.args.delta", "tool.output.delta"];

impl<'a> Delta<'a> {
    /// None for any other event, and for a delta in any form but the one that is written today.
    fn parse(rest: &'a str) -> Option<Self> {
        let (seq, rest) = rest.strip_prefix(r#""seq":"#)?.split_once(r#","ts":"#)?;
        let (ts, event) = rest.split_once(r#","event":"#)?;
        let (kind, rest) = event.strip_prefix(r#"{"type":""#)?.split_once(r#"","part":"#)?;
        let (part, body) = rest.split_once(r#","text":""#)?;
        let key = event.get(..event.len() - body.len())?;
        let body = body.strip_suffix(r#""}}"#)?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let known = DELTAS.contains(&kind) && number(part) && number(ts) && is_one_string(body);
        known.then_some(())?;
        Some(Self { seq: seq.parse().ok()?, ts, key, body })
    }
}

/// Whether the inside of a JSON string is one, and not the end of it and more fields.
fn is_one_string(body: &str) -> bool {
    let mut escaped = false;
    for byte in body.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return false,
            _ => {}
        }
    }
    !escaped
}

/// Deltas that become one frame.
struct Run<'a> {
    first_rest: &'a str,
    first: Seq,
    last: Delta<'a>,
    bodies: String,
    body_bytes: usize,
    entries: usize,
}

impl<'a> Run<'a> {
    fn new(rest: &'a str, delta: Delta<'a>) -> Self {
        let (first, body_bytes) = (Seq(delta.seq), delta.body.len());
        Self { first_rest: rest, first, last: delta, bodies: String::new(), body_bytes, entries: 1 }
    }

    fn takes(&self, next: &Delta<'a>) -> bool {
        next.key == self.last.key
            && Seq(next.seq) == Seq(self.last.seq).next()
            && HEAD_BYTES_MAX + self.rest_bytes_max(next) <= DATA_FRAME_BYTES_MAX
    }

    /// Length of the rest with `next`, or a little more: numbers are taken at their longest.
    fn rest_bytes_max(&self, next: &Delta<'a>) -> usize {
        const FIELDS: usize = r#""seq":,"from":,"ts":,"event":"}}"#.len();
        const NUMBERS: usize = 3 * 20;
        FIELDS + NUMBERS + next.key.len() + self.body_bytes + next.body.len()
    }

    fn push(&mut self, next: &Delta<'a>) {
        if self.entries == 1 {
            self.bodies.push_str(self.last.body);
        }
        self.bodies.push_str(next.body);
        self.body_bytes += next.body.len();
        self.entries += 1;
        self.last = Delta { ..*next };
    }

    fn finish(self) -> Merged<'a> {
        if self.entries == 1 {
            return Merged { rest: Cow::Borrowed(self.first_rest), entries: 1 };
        }
        let Delta { seq, ts, key, .. } = self.last;
        let mut rest = String::with_capacity(self.rest_bytes_max(&self.last));
        let head = write!(rest, r#""seq":{seq},"from":{},"ts":{ts},"event":{key}"#, self.first);
        debug_assert!(head.is_ok(), "writing to a String cannot fail");
        rest.push_str(&self.bodies);
        rest.push_str(r#""}}"#);
        Merged { rest: Cow::Owned(rest), entries: self.entries }
    }
}

#[cfg(test)]
mod tests;
