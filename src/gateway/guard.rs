//! Refuses what proxies and hyper could read differently.
//!
//! hyper ends a line of a request's head also at a bare LF, and takes a request with both
//! `Content-Length` and `Transfer-Encoding`. A proxy in front that reads either differently lets a
//! request be smuggled inside another. The service sees neither, so the bytes are watched as they
//! come in: a bare LF in a head is replaced by NUL, which hyper answers with 400; the rest is
//! marked for the service.
//!
//! It also ends a connection whose client does not take the answer, which hyper would wait for.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How much of a line is kept: a `Content-Length` of any sensible spelling.
const LINE_BYTES_MAX: usize = 64;

/// What the guard tells the service.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The head has both a length and a transfer encoding.
    pub(super) conflict: AtomicBool,
    /// Where this request ends cannot be told here: no other may follow it.
    pub(super) last: AtomicBool,
}

/// A stream whose incoming bytes are watched, and whose outgoing bytes must go out.
#[derive(Debug)]
pub(super) struct Guard<S> {
    stream: S,
    scan: Scan,
    write_wait: Duration,
    /// The end of the time in which some of what is written must go out; none: it does.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Guard<S> {
    pub(super) fn new(stream: S, write_wait: Duration) -> (Self, Arc<Marks>) {
        let marks = Arc::<Marks>::default();
        let scan = Scan::new(Arc::clone(&marks));
        (Self { stream, scan, write_wait, stalled: None }, marks)
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Bounds a write that waits.
    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let wait = self.write_wait;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(wait)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if let Some(new) = buf.filled_mut().get_mut(before..) {
            self.scan.pass(new);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.in_time(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Where in the stream of requests we are. Pure.
#[derive(Debug)]
struct Scan {
    place: Place,
    /// The line so far, without its LF, in lower case; cut off after [`LINE_BYTES_MAX`].
    line: Vec<u8>,
    line_len: usize,
    /// What the head has said so far.
    length: Option<u64>,
    encoded: bool,
    opaque: bool,
    marks: Arc<Marks>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before or in a head.
    Head,
    /// In a body, with so many bytes to come.
    Body(u64),
    /// Anywhere, for the rest of the connection.
    Opaque,
}

impl Scan {
    const fn new(marks: Arc<Marks>) -> Self {
        Self {
            place: Place::Head,
            line: Vec::new(),
            line_len: 0,
            length: None,
            encoded: false,
            opaque: false,
            marks,
        }
    }

    /// Watches bytes go by.
    fn pass(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        loop {
            match self.place {
                Place::Opaque => return,
                Place::Body(left) => {
                    let skipped = usize::try_from(left).map_or(rest.len(), |n| n.min(rest.len()));
                    let left = left.saturating_sub(u64::try_from(skipped).unwrap_or(left));
                    self.place = if left == 0 { Place::Head } else { Place::Body(left) };
                    rest = rest.get_mut(skipped..).unwrap_or_default();
                }
                Place::Head => {
                    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                        self.extend(rest);
                        return;
                    };
                    let (line, after) = rest.split_at_mut(end + 1);
                    self.extend(line.get(..end).unwrap_or_default());
                    self.end_line(line.last_mut());
                    rest = after;
                }
            }
            if rest.is_empty() {
                return;
            }
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
        self.line.extend(bytes.iter().take(room).map(u8::to_ascii_lowercase));
        // The last byte tells whether a CR precedes the LF, however long the line is.
        if let Some(last) = bytes.last().filter(|_| bytes.len() > room) {
            self.line.pop();
            self.line.push(*last);
        }
        self.line_len = self.line_len.saturating_add(bytes.len());
    }

    fn end_line(&mut self, lf: Option<&mut u8>) {
        if self.line.last() != Some(&b'\r') {
            if let Some(lf) = lf {
                *lf = 0;
            }
            self.become_opaque();
            return;
        }
        let (line, whole) = (std::mem::take(&mut self.line), self.line_len <= LINE_BYTES_MAX);
        let empty = std::mem::take(&mut self.line_len) == 1;
        if empty {
            self.end_head();
        } else {
            self.note(line.strip_suffix(b"\r").unwrap_or(&line), whole);
        }
    }

    fn note(&mut self, line: &[u8], whole: bool) {
        if let Some(value) = line.strip_prefix(b"content-length:") {
            let value = std::str::from_utf8(value).map(str::trim).unwrap_or_default();
            let digits = value.bytes().all(|byte| byte.is_ascii_digit());
            let value = value.parse().ok().filter(|_| digits);
            self.opaque |= !whole || value.is_none() || self.length.is_some();
            self.length = Some(value.unwrap_or_default());
        } else if line.starts_with(b"transfer-encoding:") {
            self.encoded = true;
        } else if line.starts_with(b"upgrade:") {
            self.opaque = true;
        }
    }

    fn end_head(&mut self) {
        let length = self.length.take();
        let encoded = std::mem::take(&mut self.encoded);
        self.marks.conflict.store(encoded && length.is_some(), Ordering::Relaxed);
        if encoded || self.opaque {
            self.become_opaque();
        } else {
            self.place = length.filter(|n| *n > 0).map_or(Place::Head, Place::Body);
        }
    }

    fn become_opaque(&mut self) {
        self.marks.last.store(true, Ordering::Relaxed);
        self.place = Place::Opaque;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// What comes out, whether the request is the last, and whether it is in conflict.
    fn pass(text: &str, piece: usize) -> (String, bool, bool) {
        let marks = Arc::<Marks>::default();
        let mut scan = Scan::new(Arc::clone(&marks));
        let mut bytes = text.as_bytes().to_vec();
        for piece in bytes.chunks_mut(piece) {
            scan.pass(piece);
        }
        let read = |mark: &AtomicBool| mark.load(Ordering::Relaxed);
        (String::from_utf8(bytes).unwrap(), read(&marks.last), read(&marks.conflict))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_ends_the_connection_and_one_taken_slowly_does_not() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let (mut guard, _) = Guard::new(ours, Duration::from_secs(8));
        let slow = async {
            for _ in 0..10 {
                sleep(Duration::from_secs(7)).await;
                theirs.read_exact(&mut [0; 16]).await.unwrap();
            }
            theirs
        };
        let answer = vec![b'x'; 160];
        let (written, _theirs) = tokio::join!(guard.write_all(&answer), slow);
        written.unwrap();

        let begun = tokio::time::Instant::now();
        let error = guard.write_all(&answer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed(), Duration::from_secs(8));
    }

    #[test]
    fn an_orderly_conversation_passes_as_it_is() {
        let post = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n\n\n{}\n";
        let get = "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let text = format!("{post}{get}{post}{get}");
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(pass(&text, piece), (text.clone(), false, false), "pieces of {piece}");
        }
    }

    #[test]
    fn a_bare_lf_in_a_head_is_spoilt_wherever_it_stands() {
        let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n\n\n";
        for bad in [
            "GET / HTTP/1.1\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\n",
            "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            &format!("GET /{} HTTP/1.1\r\nX: {}\nHost: x\r\n\r\n", "a".repeat(99), "b".repeat(99)),
        ] {
            for piece in [1, 5, 1000] {
                let (out, last, _) = pass(&format!("{post}{bad}"), piece);
                let rest = out.strip_prefix(post).unwrap();
                assert_eq!(rest.matches('\0').count(), 1, "{bad:?} {piece}");
                assert!(last);
            }
        }
    }

    #[test]
    fn a_length_and_an_encoding_are_a_conflict_in_any_order() {
        let length = "Content-length: 3\r\n";
        let encoding = "TRANSFER-ENCODING: chunked\r\n";
        for headers in [format!("{length}{encoding}"), format!("{encoding}{length}")] {
            let text = format!("POST / HTTP/1.1\r\n{headers}\r\n");
            assert_eq!(pass(&text, 4), (text.clone(), true, true));
        }
        let text = format!("POST / HTTP/1.1\r\n{encoding}\r\n");
        assert_eq!(pass(&text, 4), (text.clone(), true, false));
    }

    #[test]
    fn what_cannot_be_followed_is_the_last() {
        let spaces = " ".repeat(80);
        for header in [
            "Upgrade: websocket".into(),
            "Content-Length: +5".into(),
            "Content-Length: five".into(),
            "Content-Length: 5\r\nContent-Length: 5".into(),
            format!("Content-Length:{spaces}5"),
        ] {
            let text = format!("POST / HTTP/1.1\r\n{header}\r\n\r\n");
            assert!(pass(&text, 4).1, "{header}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn pieces_make_no_difference(text in "[GPa:\r\n \\-]{0,80}", piece in 1_usize..9) {
            prop_assert_eq!(pass(&text, piece), pass(&text, 1000));
        }

        #[test]
        fn bytes_of_a_body_are_left_alone(body in "[a\r\n]{0,200}", piece in 1_usize..50) {
            let text = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            prop_assert_eq!(pass(&text, piece), (text, false, false));
        }
    }
}
