//! One answer on its way: what comes next, and when.

use super::{
    fault::{Break, Form, Mixture},
    wire::{self, Usage, Wire},
};
use crate::clock;
use std::{cell::Cell, io, rc::Rc, sync::Arc};
use tokio::{net::TcpStream, sync::Notify};

/// A write ends near this size when a stream has fallen behind or has no rate.
const BURST_BYTES: usize = 32 * 1024;
/// Bytes of a write of a stream that is split; more than one, so that it takes no seconds.
const SPLIT_BYTES: usize = 13;
/// Microseconds between the tokens of an answer that drips.
const DRIP_US: u64 = 300_000;
/// Microseconds between two signs of life.
const SIGN_US: u64 = 20_000;
/// Tokens between two comments.
const PING_TOKENS: u64 = 5;
/// Bytes of a line that is too long, and of one write of it: it must come faster than a client
/// loses its patience with an answer that says nothing.
const LINE_BYTES: usize = 10 * 1024 * 1024;
const LINE_WRITE_BYTES: usize = 1024 * 1024;

/// What a stream in the wheel and its connection tell each other.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// The connection is over: the wheel forgets the stream.
    pub(super) gone: Cell<bool>,
    /// The stream is over; `faulted` says how.
    pub(super) over: Notify,
    pub(super) faulted: Cell<bool>,
    pub(super) first_us: Cell<u64>,
    pub(super) tokens: Cell<u64>,
    pub(super) bytes: Cell<u64>,
}

/// What an answer consists of.
#[derive(Debug)]
pub(super) enum Source {
    /// So many tokens, each the time at which it is written.
    Stamps { left: u64 },
    /// A text and the ends of its tokens.
    Text { text: Arc<str>, ends: std::vec::IntoIter<usize>, at: usize },
    /// Recorded chunks; they bring their own end.
    Lines { lines: Rc<[String]>, next: usize },
}

/// What a step of a stream came to.
enum Step {
    Token,
    /// Nothing of the answer, and the next step after so many microseconds.
    Sign(u64),
    End,
    Fault,
    /// Nothing will come any more.
    Silence,
}

/// One answer on its way.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) socket: Rc<TcpStream>,
    pub(super) link: Rc<Link>,
    pub(super) source: Source,
    pub(super) wire: Wire,
    /// What the prompt used; none: usage is not wanted.
    pub(super) prompt_tokens: Option<u64>,
    pub(super) mixture: Mixture,
    /// Microseconds between two tokens; 0: none.
    pub(super) interval_us: u64,
    /// When the next token is due, in microseconds since 1970.
    pub(super) due_us: u64,
    /// Written by us and not yet taken by the socket.
    pub(super) unsent: Vec<u8>,
    /// What is left of a line that is too long, in bytes; none: it has not begun.
    pub(super) line: Option<usize>,
    /// Nothing more is to come than `unsent`.
    pub(super) ended: bool,
}

impl Stream {
    /// Writes what is due in one call of the socket; false when the stream is over.
    ///
    /// Nothing is made while the socket takes nothing: a slow reader holds its answer back.
    pub(super) fn advance(&mut self, out: &mut Vec<u8>) -> bool {
        if self.link.gone.get() {
            return false;
        }
        out.clear();
        out.append(&mut self.unsent);
        let now = clock::now_us();
        while !self.ended && self.due_us <= now && out.len() < BURST_BYTES {
            match self.step(now, out) {
                Step::Token => self.due_us = self.next_us(now),
                Step::Sign(wait_us) => self.due_us = now + wait_us,
                Step::End => self.ended = true,
                Step::Fault => {
                    self.link.faulted.set(true);
                    self.ended = true;
                }
                Step::Silence => {
                    self.link.faulted.set(true);
                    self.due_us = u64::MAX; // until the client has had enough
                }
            }
        }
        let sent = self.send(out);
        self.unsent.extend_from_slice(out.get(sent..).unwrap_or_default());
        if self.ended && self.unsent.is_empty() {
            self.link.over.notify_one();
            return false;
        }
        self.due_us != u64::MAX || !self.unsent.is_empty()
    }

    /// How much of `out` the socket has taken.
    fn send(&self, out: &[u8]) -> usize {
        // A line that is too long is not: 13 bytes at a time it would take seconds.
        let is_split = self.mixture.has(Form::Split) && self.line.is_none();
        let size = if is_split { SPLIT_BYTES } else { out.len().max(1) };
        let mut sent = 0;
        for part in out.chunks(size) {
            match self.socket.try_write(part) {
                Ok(n) if n == part.len() => sent += n,
                Ok(n) => return sent + n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return sent,
                Err(_) => return out.len(), // the connection's own read finds it closed
            }
        }
        sent
    }

    fn next_us(&self, now: u64) -> u64 {
        let drips = self.mixture.drips().is_some_and(|at| self.link.bytes.get() >= at);
        if drips { now + DRIP_US } else { self.due_us + self.interval_us }
    }

    /// Writes one token, or the end.
    fn step(&mut self, now: u64, out: &mut Vec<u8>) -> Step {
        let breaks = self.mixture.breaks();
        let room = breaks.map(|(at, how)| (at.saturating_sub(self.link.bytes.get()), how));
        if let Some((0, how)) = room {
            return self.break_off(how, out);
        }
        let room = room.map_or(usize::MAX, |(room, _)| usize::try_from(room).unwrap_or(usize::MAX));
        let usage = self.usage();
        match &mut self.source {
            Source::Stamps { left: 0 } => {}
            Source::Stamps { left } => {
                *left -= 1;
                self.wire.content(out, &format!("\"t={now};\""), None);
                return self.count(now, 19);
            }
            Source::Text { text, ends, at } => {
                if let Some(end) = ends.next() {
                    let token = text.get(*at..end).unwrap_or_default();
                    *at = end;
                    let fits =
                        (0..=token.len().min(room)).rev().find(|n| token.is_char_boundary(*n));
                    let part = token.get(..fits.unwrap_or(0)).unwrap_or_default();
                    let json = serde_json::to_string(part).unwrap_or_default();
                    let often = usage.filter(|_| self.mixture.has(Form::UsageOften));
                    self.wire.content(out, &json, often);
                    let tokens = self.link.tokens.get();
                    if self.mixture.has(Form::Pings) && tokens.is_multiple_of(PING_TOKENS) {
                        self.wire.comment(out);
                    }
                    // A character that is cut in two counts as sent: the fault is due.
                    let len = if part.len() < token.len() { room } else { part.len() };
                    return self.count(now, len as u64);
                }
            }
            Source::Lines { lines, next } => {
                if let Some(line) = lines.get(*next) {
                    *next += 1;
                    wire::line(out, line);
                    let len = line.len() as u64;
                    return self.count(now, len);
                }
                wire::end(out);
                return Step::End;
            }
        }
        if self.mixture.has(Form::NoEnd) {
            wire::last(out);
            return Step::Fault;
        }
        self.wire.finish(out, &self.mixture, usage);
        Step::End
    }

    /// What was used so far; none: nobody wants to know, or is to know.
    fn usage(&self) -> Option<Usage> {
        let prompt = self.prompt_tokens.filter(|_| !self.mixture.has(Form::NoUsage))?;
        Some(Usage { prompt, completion: self.link.tokens.get() })
    }

    fn break_off(&mut self, how: Break, out: &mut Vec<u8>) -> Step {
        match how {
            Break::Cut => return Step::Fault,
            Break::Stall => return Step::Silence,
            Break::Comments => self.wire.comment(out),
            Break::Empty => self.wire.content(out, "\"\"", None),
            Break::Error | Break::ErrorEvent => {
                self.wire.error(out, how == Break::ErrorEvent);
                return Step::Fault;
            }
            Break::Garbage => {
                self.wire.garbage(out);
                return Step::Fault;
            }
            Break::Line => return self.line(out),
        }
        self.link.faulted.set(true);
        Step::Sign(SIGN_US)
    }

    /// A part of a line that is too long.
    fn line(&mut self, out: &mut Vec<u8>) -> Step {
        let left = self.line.get_or_insert(LINE_BYTES);
        let begun = *left < LINE_BYTES;
        let part = (*left).min(LINE_WRITE_BYTES);
        *left -= part;
        if part == 0 {
            return Step::Fault;
        }
        wire::chunk(out, &[if begun { b"" } else { b"data: " }, &vec![b'x'; part]]);
        Step::Sign(0)
    }

    fn count(&self, now: u64, bytes: u64) -> Step {
        let link = &self.link;
        if link.tokens.get() == 0 {
            link.first_us.set(now);
        }
        link.tokens.set(link.tokens.get() + 1);
        link.bytes.set(link.bytes.get() + bytes);
        Step::Token
    }
}
