use super::*;
use std::{fs, path::PathBuf};

/// A file of the transcript with its blocks; none, said aloud, where the data are not there.
fn data(name: &str) -> Option<String> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data"));
    let root = std::env::var_os("GREENROOM_TEST_DATA").map_or_else(default, PathBuf::from);
    let path = root.join("edit-transcript").join(name);
    let text = fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: no transcript at {}; set GREENROOM_TEST_DATA", path.display());
    }
    text
}

/// The listing with each section's error in the same words.
fn without_wording(listing: &str) -> String {
    let mut kept = String::new();
    for section in listing.split("\n\n\n@@@ ") {
        let (header, content) = section.split_once('\n').unwrap_or((section, ""));
        let is_error =
            content.lines().any(|line| line.starts_with("error: ") || line.starts_with("^^^ "));
        let content = if is_error { "error" } else { content };
        kept += &format!("@@@ {header}\n{}\n", content.trim_end_matches('\n'));
    }
    kept
}

/// Chunks of these lengths in characters, again and again.
fn chunked<'a>(text: &'a str, lens: &[usize]) -> Vec<&'a str> {
    let mut rest = text;
    let mut chunks = Vec::new();
    for len in lens.iter().cycle() {
        let at = rest.char_indices().nth(*len).map_or(rest.len(), |(at, _)| at);
        let (chunk, tail) = rest.split_at(at);
        chunks.push(chunk);
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    chunks
}

#[test]
fn the_blocks_of_a_long_real_chat_are_those_that_a_correct_reader_finds() {
    let (Some(transcript), Some(expected)) = (data("transcript.md"), data("expected-blocks.txt"))
    else {
        return;
    };
    let listing = aider(&transcript);
    let blocks = listing.lines().filter(|line| line.starts_with("@@@ SEARCH: ")).count();
    assert!(blocks > 250, "{blocks}");
    let (found, wanted) = (without_wording(&listing), without_wording(&expected));
    for (found, wanted) in found.lines().zip(wanted.lines()) {
        assert_eq!(found, wanted);
    }
    assert_eq!(found, wanted);
}

#[test]
fn any_chunking_of_a_long_real_chat_gives_the_same_blocks() {
    let Some(transcript) = data("transcript.md") else { return };
    for lens in [&[1][..], &[7, 1, 40], &[1000, 3]] {
        for section in sections(&transcript) {
            let whole = section.text(|text| [text]);
            assert_eq!(section.text(|text| chunked(text, lens)), whole, "{}", section.header);
        }
    }
}

#[test]
fn a_transcript_is_cut_before_four_signs_and_white_space() {
    let cut = |text| sections(text).map(|s| (s.header, s.content)).collect::<Vec<_>>();
    assert_eq!(cut("a\nb\n#### c \nd\n####e\n"), [("a", "b\n"), ("#### c", "d\n####e\n")]);
    assert_eq!(cut("##### a\nb"), [("#", ""), ("#### a", "b")]);
    assert_eq!(cut("a.js\nb"), [("", "a.js\nb")]);
    assert_eq!(cut("#### a\ntest_editblock.py\n#### b\n"), [("", ""), ("#### b", "")]);
}

#[test]
fn the_listing_has_the_layout_that_is_documented() {
    let block = "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n";
    let text = format!("#### one\n\na.js\n```\n{block}```\n```sh\nls\n```\n#### two\n{block}");
    let listing = aider(&text);
    let signs = SIGNS;
    let expected = format!(
        "\n\n@@@ #### one {signs}\n@@@ SEARCH: a.js {signs}\na\n{signs}\nb\n@@@ REPLACE {signs}\n\
         @@@ SHELL {signs}\nls\n@@@ ENDSHELL {signs}\n\n\n@@@ #### two {signs}\n\
         error: an edit was left out: no path of a file stands above it\n"
    );
    assert_eq!(listing, expected);
}

#[test]
fn an_answer_of_this_server_lists_its_files_too() {
    let answer = "Hi\n@@k3x7qa write a\nx\n@@k3x7qa end\n@@k3x7qa edit b\n<<<<<<< SEARCH\na\n\
        =======\nb\n>>>>>>> REPLACE\n@@k3x7qa end\n@@k3x7qa delete c\n@@k3x7qa edit d\n";
    let signs = SIGNS;
    let expected = format!(
        "@@@ WRITE: a {signs}\nx\n@@@ SEARCH: b {signs}\na\n{signs}\nb\n@@@ REPLACE {signs}\n\
         @@@ DELETE: c {signs}\nerror: the answer did not finish it\n"
    );
    assert_eq!(artifact(answer).unwrap(), expected);
    assert!(artifact("no tag").is_err());
}
