//! One answer on its way: what comes next, and when.

use super::{
    fault::FaultKind,
    sse::{self, Chunks, Usage},
};
use crate::clock;
use std::{cell::Cell, io, rc::Rc, sync::Arc};
use tokio::{net::TcpStream, sync::Notify};

/// A write ends near this size when a stream has fallen behind or has no rate.
const BURST_BYTES: usize = 32 * 1024;

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
    End,
    Fault,
}

/// One answer on its way.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) socket: Rc<TcpStream>,
    pub(super) link: Rc<Link>,
    pub(super) source: Source,
    pub(super) chunks: Chunks,
    pub(super) usage: Option<Usage>,
    pub(super) fault: Option<FaultKind>,
    /// Microseconds between two tokens; 0: none.
    pub(super) interval_us: u64,
    /// When the next token is due, in microseconds since 1970.
    pub(super) due_us: u64,
    /// Written by us and not yet taken by the socket.
    pub(super) unsent: Vec<u8>,
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
                Step::Token => self.due_us += self.interval_us,
                Step::End => self.ended = true,
                Step::Fault => {
                    self.link.faulted.set(true);
                    if matches!(self.fault, Some(FaultKind::Stall(_))) {
                        self.due_us = u64::MAX; // silence, until the client has had enough
                    } else {
                        self.ended = true;
                    }
                }
            }
        }
        let sent = match self.socket.try_write(out) {
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => out.len(), // the connection's own read finds it closed
        };
        self.unsent.extend_from_slice(out.get(sent..).unwrap_or_default());
        if self.ended && self.unsent.is_empty() {
            self.link.over.notify_one();
            return false;
        }
        self.due_us != u64::MAX || !self.unsent.is_empty()
    }

    /// Writes one token, or the end.
    fn step(&mut self, now: u64, out: &mut Vec<u8>) -> Step {
        let room =
            self.fault.and_then(FaultKind::at_bytes).map(|at| at - self.link.bytes.get().min(at));
        if room == Some(0) {
            if matches!(self.fault, Some(FaultKind::Error(_))) {
                sse::error(out);
            }
            return Step::Fault;
        }
        let room = room.map_or(usize::MAX, |room| usize::try_from(room).unwrap_or(usize::MAX));
        match &mut self.source {
            Source::Stamps { left: 0 } => {}
            Source::Stamps { left } => {
                *left -= 1;
                self.chunks.content(out, &format!("\"t={now};\""));
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
                    self.chunks.content(out, &json);
                    // A character that is cut in two counts as sent: the fault is due.
                    let len = if part.len() < token.len() { room } else { part.len() };
                    return self.count(now, len as u64);
                }
            }
            Source::Lines { lines, next } => {
                if let Some(line) = lines.get(*next) {
                    *next += 1;
                    sse::line(out, line);
                    let len = line.len() as u64;
                    return self.count(now, len);
                }
                sse::end(out);
                return Step::End;
            }
        }
        let usage = self.usage.map(|usage| Usage { completion: self.link.tokens.get(), ..usage });
        self.chunks.finish(out, usage);
        Step::End
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
