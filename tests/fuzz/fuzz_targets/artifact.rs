//! Answers of models: cutting them makes no difference, files and edits begin and end in order, and
//! no path leaves its project.
#![no_main]

use greenroom_actors::run::{
    Tag,
    artifact::{Ending, Parser, Piece, check_path},
};
use libfuzzer_sys::fuzz_target;
use std::convert::Infallible;

/// What an answer says, with text that follows text joined.
fn read(answer: &str, piece: usize, ending: Ending) -> Vec<String> {
    let tag = Tag::parse("k3x7qa").expect("six letters of its alphabet");
    let (mut said, mut open, mut last) = (Vec::new(), "", "");
    let mut sink = |piece: Piece<'_>| -> Result<(), Infallible> {
        let (kind, text) = match &piece {
            Piece::Prose(text) => {
                assert_eq!(open, "", "prose within a file or an edit");
                ("prose", *text)
            }
            Piece::Content(text) => {
                assert_eq!(open, "file", "content outside of a file");
                ("content", *text)
            }
            Piece::Write(path) => {
                assert!(open.is_empty() && check_path(path).is_ok());
                open = "file";
                ("write", *path)
            }
            Piece::Edit(path) => {
                assert!(open.is_empty() && check_path(path).is_ok());
                open = "edit";
                ("edit", *path)
            }
            Piece::Block(block) => {
                assert_eq!(open, "edit", "a block outside of an edit");
                ("block", block.search.as_str())
            }
            Piece::Broken(_) => {
                assert_eq!(open, "edit", "a block outside of an edit");
                ("broken", "")
            }
            Piece::Shell(text) => ("shell", *text),
            Piece::End | Piece::Unended => {
                assert_ne!(std::mem::take(&mut open), "", "an end without a beginning");
                ("end", "")
            }
            Piece::Delete(path) => {
                assert!(check_path(path).is_ok());
                ("delete", *path)
            }
            Piece::Move(from, to) => {
                assert!(check_path(from).is_ok() && check_path(to).is_ok());
                ("move", *to)
            }
            Piece::Rejected(_) => ("rejected", ""),
        };
        let joins = last == kind && matches!(kind, "prose" | "content");
        last = kind;
        match said.last_mut() {
            Some(said) if joins => *said += text,
            _ => said.push(format!(
                "{kind} {}{text}",
                if kind == "end" { format!("{piece:?}") } else { String::new() }
            )),
        }
        Ok(())
    };
    let mut parser = Parser::new(&tag);
    let mut rest = answer;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.ceil_char_boundary(piece.max(1)));
        let Ok(()) = parser.push(now, &mut sink);
        rest = later;
    }
    let Ok(()) = parser.finish(ending, &mut sink);
    assert_eq!(open, "", "what never ends");
    said
}

fuzz_target!(|input: (u8, bool, &str)| {
    let (piece, stopped, answer) = input;
    let ending = if stopped { Ending::Stopped } else { Ending::CutOff };
    assert_eq!(read(answer, piece.into(), ending), read(answer, answer.len(), ending));
});
