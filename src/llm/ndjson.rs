//! Lines of JSON: bytes to messages. Pure and incremental, as [`super::sse`].

use super::sse::{LINE_BYTES_MAX, TooLong};

/// A stream under way. A line that its end cuts off is no message.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// A line whose end has not come.
    line: Vec<u8>,
    failed: bool,
}

impl Parser {
    /// Takes what one read brought and hands out the lines that are complete and not empty.
    ///
    /// # Errors
    /// [`TooLong`], then and on every later call; lines before it were handed out.
    pub(super) fn feed(&mut self, bytes: &[u8], mut on: impl FnMut(&[u8])) -> Result<(), TooLong> {
        if self.failed {
            return Err(TooLong);
        }
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if self.line.len() + piece.len() > LINE_BYTES_MAX {
                self.failed = true;
                self.line = Vec::new();
                return Err(TooLong);
            }
            if pieces.peek().is_none() {
                self.line.extend_from_slice(piece);
            } else if self.line.is_empty() {
                hand_out(piece, &mut on);
            } else {
                self.line.extend_from_slice(piece);
                hand_out(&self.line, &mut on);
                self.line.clear();
            }
        }
        Ok(())
    }
}

fn hand_out(line: &[u8], on: &mut impl FnMut(&[u8])) {
    let line = line.trim_ascii();
    if !line.is_empty() {
        on(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let (mut parser, mut lines) = (Parser::default(), Vec::new());
        for part in parts {
            let on = |line: &[u8]| lines.push(String::from_utf8(line.to_vec()).unwrap());
            parser.feed(part, on).unwrap();
        }
        lines
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = "{\"a\":\"ä\"}\r\n\n  \n{\"b\":1}\n{\"cut".as_bytes();
        let expected = ["{\"a\":\"ä\"}", "{\"b\":1}"];

        assert_eq!(read([text]), expected);
        assert_eq!(read(text.chunks(1)), expected);
        for at in 0..text.len() {
            let (first, second) = text.split_at(at);
            assert_eq!(read([first, second]), expected, "cut at {at}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
        let mut parser = Parser::default();
        let block = vec![b'x'; 64 * 1024];
        let refused = (1..1000).find(|_| parser.feed(&block, |_| {}).is_err());

        assert_eq!(refused, Some(LINE_BYTES_MAX / block.len() + 1));
        assert_eq!(parser.feed(b"{}\n", |_| {}), Err(TooLong));
        assert!(parser.line.is_empty());
    }
}
