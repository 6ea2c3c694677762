use super::*;
use proptest::prelude::*;
use std::convert::Infallible;

const TAG: &str = "k3x7qa";

/// A piece without its lifetime; neighbouring text is joined.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Prose(String),
    Write(String),
    Content(String),
    End,
    Unended,
    Delete(String),
    Move(String, String),
    Rejected(Rejection),
}

fn found(piece: Piece<'_>) -> Found {
    match piece {
        Piece::Prose(text) => Found::Prose(text.into()),
        Piece::Write(path) => Found::Write(path.into()),
        Piece::Content(text) => Found::Content(text.into()),
        Piece::End => Found::End,
        Piece::Unended => Found::Unended,
        Piece::Delete(path) => Found::Delete(path.into()),
        Piece::Move(from, to) => Found::Move(from.into(), to.into()),
        Piece::Rejected(why) => Found::Rejected(why),
    }
}

fn parser() -> Parser {
    Parser::new(&Tag::parse(TAG).unwrap())
}

fn parse<'a>(chunks: impl IntoIterator<Item = &'a str>, ending: Ending) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let mut sink = |piece: Piece<'_>| {
        match (all.last_mut(), found(piece)) {
            (Some(Found::Prose(text)), Found::Prose(more))
            | (Some(Found::Content(text)), Found::Content(more)) => text.push_str(&more),
            (_, other) => all.push(other),
        }
        Ok::<(), Infallible>(())
    };
    let mut parser = parser();
    for chunk in chunks {
        let Ok(()) = parser.push(chunk, &mut sink);
    }
    let Ok(()) = parser.finish(ending, &mut sink);
    all
}

/// Parses a text in which `@@` stands for the whole prefix.
fn read(text: &str) -> Vec<Found> {
    parse([text.replace("@@", &format!("@@{TAG} ")).as_str()], Ending::Stopped)
}

fn prose(text: &str) -> Found {
    Found::Prose(text.into())
}

fn write(path: &str) -> Found {
    Found::Write(path.into())
}

fn content(text: &str) -> Found {
    Found::Content(text.into())
}

#[test]
fn an_answer_is_prose_files_deletions_and_moves() {
    let text = "Here.\n@@write a.html\n<p>\n\n  x\n@@end\n@@delete b\n@@move \"c d\" e\nDone";
    let expected = [
        prose("Here.\n"),
        write("a.html"),
        content("<p>\n\n  x\n"),
        Found::End,
        Found::Delete("b".into()),
        Found::Move("c d".into(), "e".into()),
        prose("Done"),
    ];
    assert_eq!(read(text), expected);
}

#[test]
fn contents_stay_as_they_are_whatever_they_look_like() {
    let body = "```\r\n@@zzzzzz end\n @@k3x7qa end\n@@k3x7qaend\n@@k3x7qa\n@@\n@@k3x7q\n\0é\r\n";
    let text = format!("@@{TAG} write a\r\n{body}@@{TAG} end\r\n");
    assert_eq!(parse([&*text], Ending::Stopped), [write("a"), content(body), Found::End]);
}

#[test]
fn a_file_may_be_empty() {
    assert_eq!(read("@@write a\n@@end"), [write("a"), Found::End]);
}

#[test]
fn another_instruction_leaves_an_open_file_unended() {
    assert_eq!(
        read("@@write a\n1\n@@write b\n2\n@@end\n@@write c\n@@delete d\nx\n@@end\n"),
        [
            write("a"),
            content("1\n"),
            Found::Unended,
            write("b"),
            content("2\n"),
            Found::End,
            write("c"),
            Found::Unended,
            Found::Delete("d".into()),
            prose("x\n"),
        ]
    );
}

#[test]
fn a_last_line_without_newline_counts_only_if_the_answer_was_complete() {
    let text = format!("@@{TAG} write a\n1\n@@{TAG} end");
    let cut = [write("a"), content("1\n"), Found::Unended];
    assert_eq!(parse([&*text], Ending::CutOff), cut);
    let text = format!("@@{TAG} delete src/app");
    assert_eq!(parse([&*text], Ending::CutOff), []);
    assert_eq!(parse([&*text], Ending::Stopped), [Found::Delete("src/app".into())]);
    assert_eq!(parse(["@@k3x"], Ending::CutOff), [], "it may have been one");
    assert_eq!(parse(["@@k3x"], Ending::Stopped), [prose("@@k3x")]);
}

#[test]
fn a_refused_block_is_dropped_up_to_the_next_instruction() {
    let all = read("a\n@@write ../b\nx\n@@end\nc\n@@edit d\n<<<\n@@write e\nf\n@@end\n@@run g\nh");
    assert_eq!(all.len(), 9, "{all:?}");
    assert_eq!(all[1], Found::Rejected(Rejection::bad_path("../b", PathError::NotNormal)));
    assert_eq!(all[2], prose("c\n"));
    assert!(matches!(all[3], Found::Rejected(Rejection::Unsupported { .. })));
    assert_eq!(all[4..7], [write("e"), content("f\n"), Found::End]);
    assert!(matches!(all[7], Found::Rejected(Rejection::Unsupported { .. })));
    assert_eq!(all[8], prose("h"));
}

#[test]
fn an_endless_instruction_is_dropped_and_the_stream_goes_on() {
    let path = "é".repeat(MARKER_BYTES_MAX);
    let all = read(&format!("@@write {path}\nx\n@@end\n@@delete {path}\ny"));
    assert!(matches!(&all[0], Found::Rejected(Rejection::TooLong { line }) if line.len() < 200));
    assert!(matches!(&all[1], Found::Rejected(Rejection::TooLong { .. })));
    assert_eq!(all[2..], [prose("y")]);
}

#[test]
fn text_streams_out_as_soon_as_it_can_be_no_instruction() {
    let mut parser = parser();
    let mut step = |text: &str| {
        let mut got = String::new();
        let mut sink = |piece: Piece<'_>| {
            if let Found::Prose(text) | Found::Content(text) = found(piece) {
                got.push_str(&text);
            }
            Ok::<(), Infallible>(())
        };
        let Ok(()) = parser.push(text, &mut sink);
        got
    };
    assert_eq!(step("He"), "He");
    assert_eq!(step("llo\n@"), "llo\n");
    assert_eq!(step("@k3x"), "");
    assert_eq!(step("8"), "@@k3x8");
    assert_eq!(step("!\n@@k3x7qa write a\n<"), "!\n<");
    assert_eq!(step("\n"), "\n");
    assert_eq!(step("@@k3x7qa"), "");
    assert_eq!(step("!"), "@@k3x7qa!");
}

/// Lines of which an answer could be made, among them near misses.
fn line() -> impl Strategy<Value = String> {
    let marker = prop_oneof![
        Just("write a".to_owned()),
        Just("write \"b c\"".to_owned()),
        Just("write ../x".to_owned()),
        Just("write".to_owned()),
        Just("end".to_owned()),
        Just("end".to_owned()),
        Just("edit a".to_owned()),
        Just("delete d/é".to_owned()),
        Just("move a b".to_owned()),
        Just("run x".to_owned()),
        (0..3000_usize).prop_map(|n| format!("delete {}", "é".repeat(n))),
    ];
    prop_oneof![
        marker.prop_map(|rest| format!("@@{TAG} {rest}")),
        (0..9_usize).prop_map(|n| format!("@@{TAG} x")[..n].to_owned()),
        "[@a-c é日\r]{0,12}",
        Just(String::new()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    (
        prop::collection::vec((line(), prop_oneof![3 => Just("\n"), 1 => Just("\r\n")]), 0..24),
        any::<bool>(),
    )
        .prop_map(|(lines, newline)| {
            let mut text: String = lines.into_iter().map(|(line, end)| line + end).collect();
            if !newline {
                text.truncate(text.trim_end_matches(['\r', '\n']).len());
            }
            text
        })
}

/// Splits before each character whose number is in `cuts`.
fn split<'a>(text: &'a str, cuts: &[usize]) -> Vec<&'a str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    for cut in cuts.iter().copied().filter(|cut| *cut > 0) {
        let at = rest.char_indices().nth(cut).map_or(rest.len(), |(at, _)| at);
        let (chunk, tail) = rest.split_at(at);
        chunks.push(chunk);
        rest = tail;
    }
    chunks.push(rest);
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_chunking_gives_the_same_pieces(
        text in text(),
        cuts in prop::collection::vec(0..40_usize, 0..60),
        stopped in any::<bool>(),
    ) {
        let ending = if stopped { Ending::Stopped } else { Ending::CutOff };
        let whole = parse([text.as_str()], ending);
        prop_assert_eq!(&parse(split(&text, &cuts), ending), &whole);
        let every_char = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]);
        prop_assert_eq!(&parse(every_char, ending), &whole);
    }

    #[test]
    fn text_without_instructions_passes_unchanged(text in "[@k3x7qa \n\r]{0,200}") {
        prop_assume!(!text.contains(&format!("@@{TAG} ")));
        let pieces = parse([text.as_str()], Ending::Stopped);
        if text.is_empty() {
            prop_assert_eq!(pieces, []);
        } else {
            prop_assert_eq!(pieces, [Found::Prose(text)]);
        }
    }

    /// What was written comes back byte for byte.
    #[test]
    fn files_come_back_as_they_were_written(
        files in prop::collection::vec(("[a-z]{1,8}", "([@a-z é\r]{0,9}\n){0,9}"), 0..6),
        cuts in prop::collection::vec(0..40_usize, 0..30),
    ) {
        let prefix = format!("@@{TAG} ");
        prop_assume!(files.iter().all(|(_, body)| !body.contains(&prefix)));
        let text: String = files
            .iter()
            .map(|(path, body)| format!("{prefix}write {path}\n{body}{prefix}end\n"))
            .collect();
        let expected: Vec<Found> = files
            .iter()
            .flat_map(|(path, body)| {
                let body = (!body.is_empty()).then(|| content(body));
                [Some(write(path)), body, Some(Found::End)].into_iter().flatten()
            })
            .collect();
        prop_assert_eq!(parse(split(&text, &cuts), Ending::CutOff), expected);
    }
}
