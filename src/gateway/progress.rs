//! How far a client's message has come.
//!
//! tungstenite bounds how large a message may be, not how long it may take nor into how many
//! frames it may be cut: a client could leave one half sent for ever, or go on with frames of
//! nothing. The bytes are watched as they come in; who reads them ends the socket after too many
//! frames ([`too_many`]), and asks whether a message is under way to bound its time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose incoming bytes are watched.
#[derive(Debug)]
pub(super) struct Progress<S> {
    stream: S,
    frames: Frames,
}

impl<S> Progress<S> {
    /// A stream of which some bytes were read already.
    pub(super) fn new(stream: S, read: &[u8], fragments_max: u32) -> Self {
        let mut frames = Frames::new(fragments_max);
        frames.pass(read);
        Self { stream, frames }
    }

    /// Whether a frame or a message has begun and not ended.
    pub(super) fn is_under_way(&self) -> bool {
        self.frames.place != Place::Between || self.frames.fragments > 0
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }
}

/// Whether reading ended since a message came in too many frames.
pub(super) fn too_many(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<TooManyFragments>())
}

#[derive(Debug, thiserror::Error)]
#[error("a message in more than {0} frames")]
struct TooManyFragments(u32);

impl<S: AsyncRead + Unpin> AsyncRead for Progress<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Said one read later, so that what came before it is still handled.
        if self.frames.too_many {
            let error = TooManyFragments(self.frames.fragments_max);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.frames.pass(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Progress<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Where in the stream of frames we are. Pure; what breaks the protocol is tungstenite's to find.
#[derive(Debug)]
struct Frames {
    place: Place,
    /// First byte of the frame under way: whether it is the last of its message, and its kind.
    first: u8,
    /// Frames of the message under way.
    fragments: u32,
    fragments_max: u32,
    too_many: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before a frame.
    Between,
    /// After its first byte.
    Head,
    /// Within the long form of its length.
    Length { left: u8, masked: bool, value: u64 },
    /// Before the rest of it, mask and payload, in bytes.
    Rest(u64),
}

impl Frames {
    const fn new(fragments_max: u32) -> Self {
        Self { place: Place::Between, first: 0, fragments: 0, fragments_max, too_many: false }
    }

    /// Watches bytes go by.
    fn pass(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            let mut next = after;
            self.place = match self.place {
                Place::Between => {
                    self.begin(byte);
                    Place::Head
                }
                Place::Head => match (byte & 0x7f, byte & 0x80 != 0) {
                    (126, masked) => Place::Length { left: 2, masked, value: 0 },
                    (127, masked) => Place::Length { left: 8, masked, value: 0 },
                    (length, masked) => rest_of(u64::from(length), masked),
                },
                Place::Length { left, masked, value } => {
                    let value = value << 8 | u64::from(byte);
                    match left {
                        ..=1 => rest_of(value, masked),
                        _ => Place::Length { left: left - 1, masked, value },
                    }
                }
                Place::Rest(left) => {
                    let here = usize::try_from(left).map_or(rest.len(), |n| n.min(rest.len()));
                    next = rest.get(here..).unwrap_or_default();
                    Place::Rest(left.saturating_sub(u64::try_from(here).unwrap_or(left)))
                }
            };
            if self.place == Place::Rest(0) {
                self.end();
            }
            rest = next;
        }
    }

    /// Control frames may come between those of a message; they are none of it.
    const fn is_data(&self) -> bool {
        self.first & 0x08 == 0
    }

    const fn begin(&mut self, byte: u8) {
        self.first = byte;
        if self.is_data() {
            self.fragments = self.fragments.saturating_add(1);
            self.too_many |= self.fragments > self.fragments_max;
        }
    }

    const fn end(&mut self) {
        self.place = Place::Between;
        if self.is_data() && self.first & 0x80 != 0 {
            self.fragments = 0;
        }
    }
}

const fn rest_of(length: u64, masked: bool) -> Place {
    Place::Rest(length.saturating_add(if masked { 4 } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A client's frame, masked with zeros.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap()),
            long => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        frame
    }

    /// Whether a message is under way after these bytes, and whether it had too many frames.
    fn after(bytes: &[u8], piece: usize) -> (bool, bool) {
        let mut progress = Progress::new((), &[], 3);
        bytes.chunks(piece).for_each(|piece| progress.frames.pass(piece));
        (progress.is_under_way(), progress.frames.too_many)
    }

    #[test]
    fn a_message_is_under_way_from_its_first_byte_to_its_last() {
        for payload in [0, 1, 125, 126, 300] {
            let whole = frame(0x81, &vec![b'x'; payload]);
            for cut in 1..whole.len() {
                assert_eq!(after(whole.get(..cut).unwrap(), 7), (true, false), "{payload} {cut}");
            }
            assert_eq!(after(&whole, 7), (false, false));
            assert_eq!(after(&[whole.clone(), whole].concat(), 7), (false, false));
        }
        let long = [&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 2][..], &[0; 6]].concat();
        assert_eq!(after(&long, 3), (false, false));
    }

    #[test]
    fn between_its_frames_a_message_is_under_way_whatever_controls_come() {
        let (start, end) = (frame(0x01, b"a"), frame(0x80, b"b"));
        let controls = [frame(0x89, b"?"), frame(0x8a, b"")].concat();
        assert_eq!(after(&[start.clone(), controls.clone()].concat(), 2), (true, false));
        assert_eq!(after(&[start, controls.clone(), end, controls].concat(), 2), (false, false));
    }

    #[test]
    fn frames_of_one_message_are_counted_and_those_of_several_are_not() {
        let (start, more, end) = (frame(0x01, b"a"), frame(0x00, b""), frame(0x80, b"b"));
        let three = [start.clone(), more.clone(), end].concat();
        assert_eq!(after(&three.repeat(5), 4), (false, false));
        assert_eq!(after(&frame(0x81, b"a").repeat(50), 4), (false, false));
        assert_eq!(after(&[start, more.repeat(3)].concat(), 4), (true, true));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn pieces_make_no_difference(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            piece in 1_usize..20,
        ) {
            prop_assert_eq!(after(&bytes, piece), after(&bytes, 1000));
        }
    }
}
