//! The little WebSocket that a load client needs: no library's cost is in the readings.

/// A client's text frame. Its mask is zero, which the protocol allows and which costs nothing.
#[must_use]
pub fn text(payload: &[u8]) -> Vec<u8> {
    frame(0x81, payload)
}

/// A client's answer to a ping.
#[must_use]
pub fn pong(payload: &[u8]) -> Vec<u8> {
    frame(0x8a, payload)
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ 0..126), _) => frame.push(0x80 | len),
        (_, Ok(len)) => {
            frame.push(0x80 | 126);
            frame.extend(len.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// What a server's frame holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Part of a message.
    Data(&'a [u8]),
    /// A ping that wants its payload back.
    Ping(&'a [u8]),
    /// The server closes, with this payload: a code of two bytes and a reason.
    Close(&'a [u8]),
}

/// Splits what a server sends into frames; looks at no byte of a message.
#[derive(Debug, Default)]
pub struct Frames {
    /// A head, as far as it has come.
    head: Vec<u8>,
    opcode: u8,
    /// Bytes of the payload that are still to come.
    left: u64,
    /// Payload of a control frame, as far as it has come.
    control: Vec<u8>,
}

impl Frames {
    /// Takes the next bytes.
    pub fn feed(&mut self, mut data: &[u8], mut found: impl FnMut(Piece<'_>)) {
        while !data.is_empty() {
            if self.left == 0 {
                let Some((byte, rest)) = data.split_first() else { return };
                self.head.push(*byte);
                data = rest;
                if !self.read_head() {
                    continue;
                }
                if self.left == 0 {
                    self.end(&mut found);
                }
                continue;
            }
            let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(data.len());
            let (payload, rest) = data.split_at(here);
            self.left -= here as u64;
            data = rest;
            if self.opcode >= 8 {
                self.control.extend_from_slice(payload);
            } else {
                found(Piece::Data(payload));
            }
            if self.left == 0 {
                self.end(&mut found);
            }
        }
    }

    /// Reads the head once it is whole; false: it is not.
    fn read_head(&mut self) -> bool {
        let [first, second, length @ ..] = self.head.as_slice() else { return false };
        let big_endian = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| (n << 8) | u64::from(*byte));
        self.left = match (second & 0x7f, length.len()) {
            (126, 2) | (127, 8) => big_endian(length),
            (126 | 127, _) => return false,
            (short, _) => u64::from(short),
        };
        self.opcode = first & 0x0f;
        self.head.clear();
        true
    }

    fn end(&mut self, found: &mut impl FnMut(Piece<'_>)) {
        match self.opcode {
            8 => found(Piece::Close(&self.control)),
            9 => found(Piece::Ping(&self.control)),
            _ => {}
        }
        self.control.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream of frames holds: data joined, controls by themselves.
    fn read(stream: &[u8], cut: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (mut frames, mut data, mut controls) = (Frames::default(), Vec::new(), Vec::new());
        for part in [&stream[..cut], &stream[cut..]] {
            frames.feed(part, |piece| match piece {
                Piece::Data(bytes) => data.extend_from_slice(bytes),
                Piece::Ping(bytes) | Piece::Close(bytes) => controls.push(bytes.to_vec()),
            });
        }
        (data, controls)
    }

    #[test]
    fn frames_of_every_length_are_split_wherever_the_stream_is_cut() {
        let mut stream = vec![0x81, 2, b'h', b'i', 0x89, 1, b'p', 0x81, 126, 1, 0];
        stream.extend([b'x'; 256]);
        stream.extend([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, b'y', 0x8a, 0, 0x88, 2, 0x0f, 0xa1]);
        let expected = [b"hi".to_vec(), vec![b'x'; 256], b"y".to_vec()].concat();
        for cut in 0..stream.len() {
            let (data, controls) = read(&stream, cut);
            assert_eq!(data, expected, "cut at {cut}");
            assert_eq!(controls, [b"p".to_vec(), vec![0x0f, 0xa1]], "cut at {cut}");
        }
    }

    #[test]
    fn a_clients_frame_carries_its_length_and_a_mask() {
        assert_eq!(text(b"hi"), [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(text(&[b'x'; 300])[..4], [0x81, 0xfe, 1, 44]);
        assert_eq!(text(&vec![b'x'; 70_000])[1], 0xff);
    }
}
