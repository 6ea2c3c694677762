//! The blocks of search and replacement that make one text of another.

use greenroom_actors::run::edit::{Block, edit};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::fmt::Write as _;

/// Lines that are shown on each side of a change at least.
const CONTEXT: usize = 1;

/// The blocks as an edit holds them; none where they would be longer than half of the new text, or
/// hold what looks like a marker: then the whole file is better.
pub(super) fn blocks(before: &str, after: &str) -> Option<String> {
    let blocks = changes(before, after)?;
    // A block may be no place's or two's where texts are alike: the engine decides, as it will.
    edit(Some(before), &blocks).ok().filter(|edited| edited.text == after)?;
    let mut text = String::new();
    for Block { search, replace, .. } in &blocks {
        // Writing to a string can't fail.
        let _ = write!(text, "<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n");
    }
    let has_marker = blocks.iter().any(|block| {
        let lines = block.search.lines().chain(block.replace.lines());
        lines
            .into_iter()
            .any(|line| ["<<<<<", "=====", ">>>>>"].iter().any(|m| line.starts_with(m)))
    });
    (!has_marker && text.len() * 2 <= after.len()).then_some(text)
}

/// A block for each change, with as many lines around it as make it the only one of its kind.
fn changes(before: &str, after: &str) -> Option<Vec<Block>> {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    // The text as the blocks so far leave it: it begins like the new one and ends like the old.
    let mut now = old.clone();
    let mut blocks = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        if let DiffOp::Equal { .. } = op {
            continue;
        }
        let (at, removed) = (op.new_range().start, op.old_range().len());
        let added = new.get(op.new_range())?;
        let (from, to) = (CONTEXT..=now.len())
            .map(|more| (at.saturating_sub(more), (at + removed + more).min(now.len())))
            .find(|(from, to)| now.get(*from..*to).is_some_and(|lines| stands_once(&now, lines)))?;
        let search = now.get(from..to)?.concat();
        let (above, below) = (now.get(from..at)?.concat(), now.get(at + removed..to)?.concat());
        let replace = above + &added.concat() + &below;
        blocks.push(Block { search, replace, line: None, is_closed: true });
        now.splice(at..at + removed, added.iter().copied());
    }
    Some(blocks)
}

fn stands_once(all: &[&str], lines: &[&str]) -> bool {
    !lines.is_empty() && all.windows(lines.len()).filter(|window| *window == lines).count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_a_block_that_stands_once() {
        let text: String = (0..40).map(|n| format!("line {}\n", n % 13)).collect();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let after = [&lines[..5], &["new\n"], &lines[5..30], &lines[32..]].concat().concat();

        let blocks = changes(&text, &after).unwrap();

        assert_eq!(blocks.len(), 2);
        assert_eq!(edit(Some(&text), &blocks).unwrap().text, after);
        let written = super::blocks(&text, &after);
        assert!(written.is_none_or(|text| text.starts_with("<<<<<<< SEARCH\n")));
    }

    #[test]
    fn a_text_that_is_mostly_new_is_not_edited() {
        assert_eq!(blocks("a\nb\nc\n", "x\ny\nz\n"), None);
        let long = "a line of some length\n".repeat(20) + "b\n";
        let marked = "a line of some length\n".repeat(20) + "=======\n";
        assert_eq!(blocks(&long, &marked), None);
        assert_eq!(blocks("", "a\n"), None);
    }
}
