use super::*;
use proptest::prelude::*;

/// An event that owns its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owned {
    Comment,
    Message(String, String),
}

#[test]
fn the_examples_of_the_standard_are_read_as_it_says() {
    let cases = [
        ("data: YHOO\ndata: +2\ndata: 10\n\n", vec![message("", "YHOO\n+2\n10")]),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
            vec![Owned::Comment, message("", "first event"), message("", "second event")],
        ),
        ("data\n\ndata\ndata\n\ndata:", vec![message("", ""), message("", "\n")]),
        ("data:test\n\ndata: test\n\n", vec![message("", "test"), message("", "test")]),
        ("event: add\ndata: 73857293\n\n", vec![message("add", "73857293")]),
        ("event: lost\n\ndata: x\n\n", vec![message("", "x")]),
        ("event: a\nevent: b\ndata: x\nretry: 5\nDATA: y\n\n", vec![message("b", "x")]),
        (
            "data: x\r\n\r\ndata: y\r\rdata: z\n\r\n",
            vec![message("", "x"), message("", "y"), message("", "z")],
        ),
        ("\u{FEFF}data: x\n\n", vec![message("", "x")]),
        ("\u{FEFF}\u{FEFF}data: x\n\n", vec![]),
        ("data: a:b\ndata::\n\n", vec![message("", "a:b\n:")]),
        ("", vec![]),
    ];

    for (text, expected) in cases {
        assert_eq!(read(&[text.as_bytes()]).unwrap(), expected, "of {text:?}");
    }
}

#[test]
fn an_event_is_handed_out_with_its_last_byte() {
    let mut parser = Parser::default();

    assert_eq!(feed(&mut parser, b"data: x\r").unwrap(), []);
    assert_eq!(feed(&mut parser, b"\n").unwrap(), []);
    assert_eq!(feed(&mut parser, b"\r").unwrap(), [message("", "x")], "the LF is not waited for");
    assert_eq!(feed(&mut parser, b"\ndata: y\n\n").unwrap(), [message("", "y")]);
}

#[test]
fn a_torn_byte_order_mark_is_skipped_and_half_a_one_is_kept() {
    assert_eq!(read(&[b"\xEF", b"\xBB", b"\xBFdata: x\n\n"]).unwrap(), [message("", "x")], "torn");
    let mut parser = Parser::default();
    let mut names = Vec::new();
    for part in [b"\xEF".as_slice(), b"\xBB:", b" x\n\n"] {
        parser.feed(part, |event| names.push(format!("{event:?}"))).unwrap();
    }
    assert!(names.is_empty(), "the half mark belongs to the name of an unknown field: {names:?}");
}

#[test]
fn an_event_within_one_read_is_not_copied() {
    let mut parser = Parser::default();
    let read = b"event: a\ndata: hello\n\n".to_vec();
    let range = read.as_ptr_range();

    let mut is_inside = false;
    parser
        .feed(&read, |event| {
            if let Event::Message { data, .. } = event {
                is_inside = range.contains(&data.as_ptr());
            }
        })
        .unwrap();

    assert!(is_inside);
}

#[test]
fn a_line_above_the_limit_is_refused_however_it_arrives() {
    let fits = [b"data:".as_slice(), &vec![b'x'; LINE_BYTES_MAX - 5], b"\n\n"].concat();
    let long = [b"data: ok\n\ndata:".as_slice(), &vec![b'x'; LINE_BYTES_MAX - 4], b"\n\n"].concat();

    assert_eq!(read(&[&fits]).unwrap().len(), 1, "the limit itself is allowed");
    assert_eq!(read(&fits.chunks(60_000).collect::<Vec<_>>()).unwrap().len(), 1);
    for parts in [vec![long.as_slice()], long.chunks(60_000).collect()] {
        let mut parser = Parser::default();
        let mut events = 0;
        let mut result = Ok(());
        for part in parts {
            result = parser.feed(part, |_| events += 1);
        }
        assert_eq!((events, result), (1, Err(TooLong)), "what came before is handed out");
        assert_eq!(parser.feed(b"data: x\n\n", |_| events += 1), Err(TooLong), "and it stays so");
    }
}

#[test]
fn many_lines_of_one_event_are_limited_together() {
    let line = [b"data: ".as_slice(), &[b'x'; 1000], b"\n"].concat();
    let mut parser = Parser::default();

    let results: Vec<_> = (0..1100).map(|_| parser.feed(&line, |_| {})).collect();

    assert_eq!(results.iter().position(Result::is_err), Some(LINE_BYTES_MAX / 1001));
    assert!(parser.data.capacity() <= 2 * LINE_BYTES_MAX, "memory is bounded");
}

/// Bytes that look like a stream: pieces of lines, ends of lines, marks, anything.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "data: ", "data:", "data", ": ping", ":", "event: error", "event:", "id: 1", "x", " ", "ä€",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        6 => prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => Just(BOM.to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..5),
        1 => prop::collection::vec(prop::sample::select(vec![b'a', b'\n', b'\r']), 0..80),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_in_any_pieces_are_read_as_the_standard_says(
        bytes in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let single: Vec<&[u8]> = bytes.chunks(1).collect();

        let expected = by_the_book(&bytes);

        prop_assert_eq!(&read(&[&bytes]).unwrap(), &expected);
        prop_assert_eq!(&read(&parts).unwrap(), &expected);
        prop_assert_eq!(&read(&single).unwrap(), &expected);
    }

    #[test]
    fn line_ends_are_found_where_they_are(bytes in prop::collection::vec(prop::sample::select(vec![
        b'a', b'b', b'c', b'd', b'e', b'f', b'g', b'h', b'i', b'j', b'k', b'l', b'\n', b'\r',
    ]), 0..200)) {
        prop_assert_eq!(line_end(&bytes), bytes.iter().position(|b| *b == b'\n' || *b == b'\r'));
    }
}

/// The standard's algorithm, word by word and over the whole text at once.
fn by_the_book(bytes: &[u8]) -> Vec<Owned> {
    let bytes = bytes.strip_prefix(&BOM).unwrap_or(bytes);
    let mut events = Vec::new();
    let (mut name, mut data) = (Vec::new(), None::<Vec<u8>>);
    let mut line = Vec::new();
    let mut bytes = bytes.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\r' && byte != b'\n' {
            line.push(byte);
            continue;
        }
        if byte == b'\r' && bytes.peek() == Some(&b'\n') {
            bytes.next();
        }
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if line.is_empty() {
            let name = mem::take(&mut name);
            events.extend(data.take().map(|data| owned(&name, &data[..data.len() - 1])));
        } else if colon == 0 {
            events.push(Owned::Comment);
        } else if &line[..colon] == b"data" {
            let data = data.get_or_insert_default();
            data.extend_from_slice(value);
            data.push(b'\n');
        } else if &line[..colon] == b"event" {
            name = value.to_vec();
        }
        line.clear();
    }
    events
}

fn read(parts: &[&[u8]]) -> Result<Vec<Owned>, TooLong> {
    let mut parser = Parser::default();
    let mut events = Vec::new();
    for part in parts {
        events.extend(feed(&mut parser, part)?);
    }
    Ok(events)
}

fn feed(parser: &mut Parser, part: &[u8]) -> Result<Vec<Owned>, TooLong> {
    let mut events = Vec::new();
    parser.feed(part, |event| {
        events.push(match event {
            Event::Comment => Owned::Comment,
            Event::Message { name, data } => owned(name, data),
        });
    })?;
    Ok(events)
}

fn owned(name: &[u8], data: &[u8]) -> Owned {
    // Latin-1, so that bytes that are no UTF-8 stay different.
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect();
    Owned::Message(text(name), text(data))
}

fn message(name: &str, data: &str) -> Owned {
    owned(name.as_bytes(), data.as_bytes())
}
