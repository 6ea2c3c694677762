//! Streams of providers: cutting them makes no difference, and nothing is held without a bound.
#![no_main]

use greenroom::llm::sse::{Event, LINE_BYTES_MAX, Parser};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, PartialEq)]
enum Said {
    Comment,
    Message(Vec<u8>, Vec<u8>),
}

/// The events of a stream in pieces, and whether it was refused.
fn read(stream: &[u8], piece: usize) -> (Vec<Said>, bool) {
    let (mut parser, mut said, mut refused) = (Parser::default(), Vec::new(), false);
    for piece in stream.chunks(piece.max(1)) {
        refused |= parser
            .feed(piece, |event| {
                said.push(match event {
                    Event::Comment => Said::Comment,
                    Event::Message { name, data } => {
                        assert!(data.len() <= LINE_BYTES_MAX);
                        Said::Message(name.to_vec(), data.to_vec())
                    }
                })
            })
            .is_err();
    }
    (said, refused)
}

fuzz_target!(|input: &[u8]| {
    let Some((piece, stream)) = input.split_first() else { return };
    assert_eq!(read(stream, usize::from(*piece)), read(stream, stream.len()));
});
