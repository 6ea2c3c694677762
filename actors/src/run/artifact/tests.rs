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
    Edit(String),
    Block(Block),
    Broken(BlockError),
    Shell(String),
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
        Piece::Edit(path) => Found::Edit(path.into()),
        Piece::Block(block) => Found::Block(block),
        Piece::Broken(why) => Found::Broken(why),
        Piece::Shell(text) => Found::Shell(text.into()),
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

fn edit(path: &str) -> Found {
    Found::Edit(path.into())
}

fn block(search: &str, replace: &str) -> Found {
    let (search, replace) = (search.to_owned(), replace.to_owned());
    Found::Block(Block { search, replace, line: None, is_closed: true })
}

/// A block as a model writes it.
fn blocked(search: &str, replace: &str) -> String {
    format!("<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n")
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
    let all = read("a\n@@write ../b\nx\n@@end\nc\n@@file d\n<<<\n@@write e\nf\n@@end\n@@run g\nh");
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
fn an_edit_is_its_blocks_and_nothing_else_of_it_counts() {
    let (one, two) = (blocked("a\n", "b\n"), blocked("@@zzzzzz end\n", ""));
    let text = format!("Hi\n@@edit \"a b\"\n```js\n{one}\n{two}stray\n```\n@@end\nBye");
    let expected = [
        prose("Hi\n"),
        edit("a b"),
        block("a\n", "b\n"),
        block("@@zzzzzz end\n", ""),
        Found::End,
        prose("Bye"),
    ];
    let text = text.replace("@@edit", "@@k3x7qa edit").replace("@@end", "@@k3x7qa end");
    assert_eq!(parse([&*text], Ending::Stopped), expected);
}

#[test]
fn an_edit_that_is_not_ended_or_holds_half_a_block_says_so() {
    let half = "<<<<<<< SEARCH\na\n=======\n";
    assert_eq!(
        read(&format!("@@edit a\n{half}@@end\n@@edit b\n{half}@@edit ../c\n{half}@@end\nd")),
        [
            edit("a"),
            Found::Broken(BlockError::Unended),
            Found::End,
            edit("b"),
            Found::Broken(BlockError::Unended),
            Found::Unended,
            Found::Rejected(Rejection::bad_path("../c", PathError::NotNormal)),
            prose("d"),
        ]
    );
    let last = format!("@@edit a\n{}", blocked("a\n", "b\n").trim_end());
    assert_eq!(read(&last), [edit("a"), block("a\n", "b\n"), Found::Unended]);
}

#[test]
fn a_block_in_prose_is_an_edit_of_the_file_above_it() {
    let one = blocked("a\n", "b\n");
    let text = format!(
        "Here you are:\n\n**src/a.py**\n```python\n{one}```\n\nsrc/a.py\n```python\n{one}```\n\
         {one}\nAnd:\nb.py\n{one}Done.\n@@delete c\n"
    );
    let expected = [
        prose("Here you are:\n\n**src/a.py**\n"),
        edit("src/a.py"),
        block("a\n", "b\n"),
        block("a\n", "b\n"),
        block("a\n", "b\n"),
        Found::End,
        prose("And:\nb.py\n"),
        edit("b.py"),
        block("a\n", "b\n"),
        Found::End,
        prose("Done.\n"),
        Found::Delete("c".into()),
    ];
    assert_eq!(read(&text), expected);
}

#[test]
fn both_formats_give_the_same_pieces() {
    let one = blocked("a\n", "b\n");
    let aiders = read(&format!("a.js\n```js\n{one}```\n"));
    let own = read(&format!("a.js\n@@edit a.js\n{one}@@end\n"));
    assert_eq!(aiders, own);
}

#[test]
fn a_block_in_prose_that_breaks_off_is_broken_and_one_without_a_path_is_left_out() {
    let one = blocked("a\n", "b\n");
    assert_eq!(
        read("a.js\n<<<<<<< SEARCH\nx\n@@delete b\n"),
        [
            prose("a.js\n"),
            edit("a.js"),
            Found::Broken(BlockError::NoDivider),
            Found::End,
            Found::Delete("b".into()),
        ]
    );
    assert_eq!(
        read(&format!("\n{one}x")),
        [prose("\n"), Found::Rejected(Rejection::NoPath), prose("x"),]
    );
    let refused = Found::Rejected(Rejection::bad_path("/a", PathError::Absolute));
    assert_eq!(read(&format!("/a\n```\n{one}```\n")), [prose("/a\n```\n"), refused]);
}

#[test]
fn commands_of_a_shell_are_prose_whatever_stands_in_them() {
    let one = blocked("a\n", "b\n");
    let far = format!("```bash\nls\nls\n{one}```\n");
    let commands = Found::Shell(format!("ls\nls\n{one}"));
    let mut expected = vec![prose(&far)];
    expected.insert(1, commands);
    let read_far = read(&far);
    assert!(read_far.contains(&expected[1]), "{read_far:?}");
    assert!(!read_far.iter().any(|found| matches!(found, Found::Edit(_))), "{read_far:?}");
    let near = read(&format!("run.sh\n```bash\n{one}```\n"));
    assert_eq!(near, [prose("run.sh\n"), edit("run.sh"), block("a\n", "b\n"), Found::End]);
    assert!(read("```sh\n```\n").contains(&Found::Shell(String::new())));
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
        prop::sample::select(vec![
            "<<<<<<< SEARCH",
            "<<<<<<< SEARCH",
            "<<<<< SEARCH>",
            "=======",
            "=======",
            ">>>>>>> REPLACE",
            ">>>>>>> REPLACE",
            "```",
            "```bash",
            "```a.b",
            "a.b",
            "**a.b**:",
            "<source>",
            "`a",
            "<<<",
        ])
        .prop_map(str::to_owned),
        (590..610_usize).prop_map(|n| format!("a.b{}", "é".repeat(n / 2) + &"x".repeat(n % 3))),
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
    #![proptest_config(ProptestConfig::with_cases(400))]

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
