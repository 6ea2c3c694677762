//! Edits of models: cutting a chat in Aider's format makes no difference, and whatever a block
//! searches for, it is replaced where it stands once or nowhere.
#![no_main]

use greenroom_actors::run::{
    artifact::{Ending, Fenced, Piece},
    edit::{Block, Step, edit},
};
use libfuzzer_sys::fuzz_target;
use std::convert::Infallible;

/// The edits of a text and their blocks, and its prose as one.
fn read(text: &str, piece: usize) -> (Vec<String>, Vec<Block>, String) {
    let (mut said, mut blocks, mut prose) = (Vec::new(), Vec::new(), String::new());
    let mut sink = |piece: Piece<'_>| -> Result<(), Infallible> {
        match piece {
            Piece::Prose(text) => prose.push_str(text),
            Piece::Block(block) => {
                said.push(format!("{block:?}"));
                blocks.push(block);
            }
            other => said.push(format!("{other:?}")),
        }
        Ok(())
    };
    let mut parser = Fenced::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.ceil_char_boundary(piece.max(1)));
        let Ok(()) = parser.push(now, &mut sink);
        rest = later;
    }
    let Ok(()) = parser.finish(Ending::Stopped, &mut sink);
    (said, blocks, prose)
}

fuzz_target!(|input: (u8, &str, &str)| {
    let (piece, file, chat) = input;
    let (said, blocks, prose) = read(chat, chat.len());
    assert_eq!((said, blocks.clone(), prose), read(chat, piece.into()));
    for block in blocks {
        let Ok(edited) = edit(Some(file), std::slice::from_ref(&block)) else { continue };
        let [placed] = edited.blocks.as_slice() else { panic!("one block has one place") };
        let lines: Vec<&str> = file.split_inclusive('\n').collect();
        let search = block.search.split_inclusive('\n').count();
        let at = (placed.line - 1).min(lines.len());
        let (before, after) = (lines[..at].concat(), lines[(at + search).min(lines.len())..].concat());
        assert!(edited.text.starts_with(&before) && edited.text.ends_with(&after));
        if placed.step == Step::Exact && file.ends_with('\n') {
            assert_eq!(edited.text, before + &block.replace + &after);
        }
    }
});
