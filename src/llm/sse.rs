//! Server-sent events: bytes to events, by the WHATWG standard ("parsing an event stream").
//!
//! Pure and incremental. The result does not depend on how the bytes are cut into reads, and an
//! event that lies within one read is handed out where it lies.

use std::mem;

/// Longest line, and longest data of one event, in bytes.
///
/// A chunk of a model's answer is some hundred bytes; the limit keeps a server that never ends a
/// line from filling the memory.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// A line or an event above [`LINE_BYTES_MAX`]. Nothing after it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of the stream is longer than {LINE_BYTES_MAX} bytes")]
pub struct TooLong;

/// What a stream says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A line for nobody: it shows that the other side lives.
    Comment,
    /// A message.
    Message {
        /// Its `event` field; empty where it has none.
        name: &'a [u8],
        /// Its `data` lines, joined by `\n`. The standard wants UTF-8, nobody has checked it.
        data: &'a [u8],
    },
}

/// A stream under way. What is left at its end without an empty line is no event.
#[derive(Debug, Default)]
pub struct Parser {
    /// Bytes of a leading byte order mark seen so far; none: past the start.
    start: Start,
    /// The last byte was a CR, so that a LF now belongs to it.
    after_cr: bool,
    /// A line whose end has not come.
    line: Vec<u8>,
    /// `event` of the message under way.
    name: Vec<u8>,
    /// `data` of the message under way, as far as it had to be copied.
    data: Vec<u8>,
    has_data: bool,
    failed: bool,
}

/// How much of a byte order mark was seen.
#[derive(Debug)]
enum Start {
    Bom(usize),
    Past,
}

impl Default for Start {
    fn default() -> Self {
        Self::Bom(0)
    }
}

/// One line, understood.
enum Line<'a> {
    Empty,
    Comment,
    Data(&'a [u8]),
    Name(&'a [u8]),
    Other,
}

impl Parser {
    /// Takes what one read brought and hands out the events that are complete.
    ///
    /// # Errors
    /// [`TooLong`], then and on every later call; events before it were handed out.
    pub fn feed(&mut self, bytes: &[u8], mut on: impl FnMut(Event<'_>)) -> Result<(), TooLong> {
        let result = if self.failed { Err(TooLong) } else { self.lines(bytes, &mut on) };
        self.failed = result.is_err();
        result
    }

    fn lines(&mut self, bytes: &[u8], on: &mut impl FnMut(Event<'_>)) -> Result<(), TooLong> {
        let mut rest = self.past_start(bytes);
        // The data of the message under way, while it is one line within this read.
        let mut held = None;
        loop {
            if self.after_cr && !rest.is_empty() {
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
                self.after_cr = false;
            }
            let Some((line, end, tail)) = split_line(rest) else { break };
            rest = tail;
            self.after_cr = end == b'\r';
            if self.line.len() + line.len() > LINE_BYTES_MAX {
                return Err(TooLong);
            }
            if self.line.is_empty() {
                self.line(line, &mut held, on)?;
            } else {
                // Begun in an earlier read, so that nothing of this read is held yet.
                let mut joined = mem::take(&mut self.line);
                joined.extend_from_slice(line);
                let mut held = None;
                self.line(&joined, &mut held, on)?;
                self.keep(held)?;
                joined.clear();
                self.line = joined;
            }
        }
        if self.line.len() + rest.len() > LINE_BYTES_MAX {
            return Err(TooLong);
        }
        self.line.extend_from_slice(rest);
        self.keep(held)
    }

    fn line<'a>(
        &mut self,
        line: &'a [u8],
        held: &mut Option<&'a [u8]>,
        on: &mut impl FnMut(Event<'_>),
    ) -> Result<(), TooLong> {
        match Line::parse(line) {
            Line::Data(value) if held.is_none() && !self.has_data => *held = Some(value),
            Line::Data(value) => {
                self.keep(held.take())?;
                self.keep(Some(value))?;
            }
            Line::Empty => self.dispatch(held.take(), on),
            Line::Comment => on(Event::Comment),
            Line::Name(value) => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            Line::Other => {}
        }
        Ok(())
    }

    /// Copies a data line that outlives its read or is not the only one of its message.
    fn keep(&mut self, held: Option<&[u8]>) -> Result<(), TooLong> {
        let Some(value) = held else { return Ok(()) };
        if self.data.len() + value.len() >= LINE_BYTES_MAX {
            return Err(TooLong);
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        self.has_data = true;
        Ok(())
    }

    fn dispatch(&mut self, held: Option<&[u8]>, on: &mut impl FnMut(Event<'_>)) {
        if let Some(data) = held {
            on(Event::Message { name: &self.name, data });
        } else if self.has_data {
            on(Event::Message { name: &self.name, data: &self.data });
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
    }

    /// What follows a byte order mark, which may arrive in pieces.
    fn past_start<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Start::Bom(seen) = self.start else { return bytes };
        let missing = BOM.get(seen..).unwrap_or_default();
        let same = bytes.iter().zip(missing).take_while(|(byte, mark)| byte == mark).count();
        let rest = bytes.get(same..).unwrap_or_default();
        if same == missing.len() {
            self.start = Start::Past;
        } else if rest.is_empty() {
            self.start = Start::Bom(seen + same);
        } else {
            // It was no mark: its bytes begin the first line.
            self.start = Start::Past;
            self.line.extend_from_slice(BOM.get(..seen).unwrap_or_default());
            return bytes;
        }
        rest
    }
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Self {
        let (field, value) = match line.iter().position(|&byte| byte == b':') {
            Some(0) => return Self::Comment,
            Some(colon) => line.split_at(colon),
            None if line.is_empty() => return Self::Empty,
            None => (line, b"".as_slice()),
        };
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => Self::Data(value),
            b"event" => Self::Name(value),
            _ => Self::Other,
        }
    }
}

/// The first line, the byte that ends it, and what follows; none: no line ends here.
fn split_line(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let (line, rest) = bytes.split_at(line_end(bytes)?);
    rest.split_first().map(|(end, tail)| (line, *end, tail))
}

/// Where the first CR or LF is. Looks at blocks at once, which the compiler makes vector code.
fn line_end(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 32;
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let clean =
        blocks.iter().take_while(|block| !block.iter().fold(false, |any, b| any | ends(b))).count();
    let start = clean * BLOCK;
    bytes.get(start..)?.iter().position(ends).map(|at| start + at)
}

#[cfg(test)]
mod tests;
