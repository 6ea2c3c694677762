//! The ladder: where a block's lines stand in a file.

use super::{
    Block,
    key::{comparable, indented, key, plain_text},
};
use std::{borrow::Cow, ops::Range};

/// Most lines that are compared to tell places apart whose lines differ in their indentation alone.
/// Beyond it they count as several: repetition can't make a block cost more.
const COMPARED_LINES_MAX: usize = 1 << 18;

/// A rung of the ladder. Each ignores what the ones before it ignore, and one thing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Byte for byte.
    Exact,
    /// White space at the ends of lines.
    TrailingSpace,
    /// One indentation more, or less, of all lines.
    Indentation,
    /// CRLF; typographic quotes, dashes and spaces.
    Normalised,
    /// Several places; the block names the line of one of them.
    Anchor,
}

impl Step {
    /// Its name, as in the metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::TrailingSpace => "trailing_space",
            Self::Indentation => "indentation",
            Self::Normalised => "normalised",
            Self::Anchor => "anchor",
        }
    }

    /// The rungs that compare.
    const COMPARING: [Self; 4] =
        [Self::Exact, Self::TrailingSpace, Self::Indentation, Self::Normalised];
}

/// How all lines of a place are indented besides those of the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    /// They have this before them.
    More(String),
    /// The block's lines have this before them.
    Less(String),
}

/// Where a block's lines stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The lines, from 0.
    pub(super) lines: Range<usize>,
    /// The rung on which they were found.
    pub(super) step: Step,
    /// How they are compared: `step`, or the rung at which an anchor decided.
    pub(super) compared: Step,
    pub(super) shift: Shift,
}

/// Why there is no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nowhere {
    /// No rung finds the lines.
    NotFound,
    /// The first rung that finds them does so at all these lines, from 0.
    Several(Vec<usize>),
}

/// A file's lines while blocks are applied.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    lines: Vec<Line<'a>>,
    /// Keys by rung, made when a rung is first needed.
    keys: [Option<Vec<u64>>; Step::COMPARING.len()],
}

/// A line with its end.
#[derive(Clone, Debug)]
struct Line<'a> {
    text: Cow<'a, str>,
    /// Its number, from 1, in the file as it was; none: it is new.
    number: Option<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let line =
            |(text, number): (&'a str, usize)| Line { text: text.into(), number: Some(number) };
        let lines = text.split_inclusive('\n').zip(1..).map(line).collect();
        Self { lines, keys: [const { None }; Step::COMPARING.len()] }
    }

    pub(super) const fn len(&self) -> usize {
        self.lines.len()
    }

    /// A line with its end; empty past the last one.
    pub(super) fn get(&self, at: usize) -> &str {
        self.lines.get(at).map_or("", |line| &line.text)
    }

    /// The lines of a range.
    pub(super) fn range(&self, range: Range<usize>) -> impl Iterator<Item = &str> {
        self.lines.get(range).unwrap_or_default().iter().map(|line| line.text.as_ref())
    }

    /// The number of a line in the file as it was: of itself, or of the last old one before it.
    pub(super) fn number(&self, at: usize) -> usize {
        let before = self.lines.get(..=at).unwrap_or(&self.lines);
        before.iter().rev().find_map(|line| line.number).unwrap_or(1)
    }

    /// Puts lines in the place of others.
    pub(super) fn splice(&mut self, range: Range<usize>, new: Vec<String>) {
        for (keys, step) in self.keys.iter_mut().zip(Step::COMPARING) {
            if let Some(keys) = keys {
                keys.splice(range.clone(), new.iter().map(|line| key(line, step)));
            }
        }
        let new = new.into_iter().map(|text| Line { text: text.into(), number: None });
        self.lines.splice(range, new);
    }

    /// All lines as one text.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(|line| line.text.as_ref()).collect()
    }

    /// Finds the one place of a block that has lines to search for.
    ///
    /// The first rung that finds any decides, but the place must be the only one on the last rung
    /// too: lines with another indentation than the file's may be exactly those of another place.
    pub(super) fn find(&mut self, block: &Block) -> Result<Place, Nowhere> {
        let search: Vec<&str> = block.search.split_inclusive('\n').collect();
        let last = Step::COMPARING.len() - 1;
        let all = self.places(last, Step::Normalised, &search);
        for (rung, step) in Step::COMPARING.into_iter().enumerate() {
            let places = self.places(rung, step, &search);
            let taken = match (places.as_slice(), all.as_slice()) {
                ([], _) => continue,
                ([at], [_]) => Some((*at, step, step)),
                (some, all) => {
                    let number = |at: &usize| self.lines.get(*at).and_then(|line| line.number);
                    let named = |at: &&usize| block.line.is_some() && number(at) == block.line;
                    let at = all.iter().find(named);
                    at.map(|at| {
                        let compared = if some.contains(at) { step } else { Step::Normalised };
                        (*at, Step::Anchor, compared)
                    })
                }
            };
            let (at, step, compared) = taken.ok_or(Nowhere::Several(all))?;
            let shift = self.shift(at, compared, &search).ok_or(Nowhere::NotFound)?;
            return Ok(Place { lines: at..at + search.len(), step, compared, shift });
        }
        Err(Nowhere::NotFound)
    }

    /// Where the lines stand on one rung. Where they do at very many places, not all are checked:
    /// they are several in any case.
    fn places(&mut self, rung: usize, step: Step, search: &[&str]) -> Vec<usize> {
        let lines = &self.lines;
        let Some(slot) = self.keys.get_mut(rung) else { return Vec::new() };
        let keys =
            slot.get_or_insert_with(|| lines.iter().map(|line| key(&line.text, step)).collect());
        let wanted: Vec<u64> = search.iter().map(|line| key(line, step)).collect();
        let max = (COMPARED_LINES_MAX / wanted.len().max(1)).max(2);
        let mut places = occurrences(keys, &wanted, max);
        if places.len() < max {
            places.retain(|at| self.shift(*at, step, search).is_some());
        }
        places
    }

    /// How the lines at a place are indented; none where they are not the lines searched for.
    fn shift(&self, at: usize, step: Step, search: &[&str]) -> Option<Shift> {
        let found = self.lines.get(at..at + search.len())?;
        let mut shift = None;
        for (line, wanted) in found.iter().zip(search) {
            if comparable(&line.text, step) != comparable(wanted, step) {
                return None;
            }
            if step >= Step::Indentation && !wanted.trim().is_empty() {
                let this = between(indented(&line.text).0, indented(wanted).0)?;
                let first = shift.get_or_insert_with(|| this.clone());
                (*first == this).then_some(())?;
            }
        }
        Some(shift.unwrap_or_else(|| Shift::More(String::new())))
    }
}

/// What one indentation has before another one.
fn between(found: &str, wanted: &str) -> Option<Shift> {
    let (found, wanted) = (plain_text(found), plain_text(wanted));
    let more = found.strip_suffix(wanted.as_ref()).map(|more| Shift::More(more.to_owned()));
    more.or_else(|| wanted.strip_suffix(found.as_ref()).map(|less| Shift::Less(less.to_owned())))
}

/// Where one sequence stands in another, overlaps included, at most `max` places. Linear: Knuth,
/// Morris and Pratt.
fn occurrences(all: &[u64], wanted: &[u64], max: usize) -> Vec<usize> {
    let mut found = Vec::new();
    if wanted.is_empty() {
        return found;
    }
    // For each beginning: the length of the longest shorter one that it ends with.
    let mut borders = vec![0; wanted.len()];
    let mut matched = 0;
    for (at, key) in wanted.iter().enumerate().skip(1) {
        matched = extend(wanted, &borders, matched, *key);
        if let Some(border) = borders.get_mut(at) {
            *border = matched;
        }
    }
    matched = 0;
    for (at, key) in all.iter().enumerate() {
        matched = extend(wanted, &borders, matched, *key);
        if matched == wanted.len() {
            found.push(at + 1 - matched);
            if found.len() == max {
                break;
            }
        }
    }
    found
}

/// How much of the wanted sequence is matched after one more key.
fn extend(wanted: &[u64], borders: &[usize], mut matched: usize, key: u64) -> usize {
    loop {
        if wanted.get(matched) == Some(&key) {
            return matched + 1;
        }
        let Some(shorter) = matched.checked_sub(1) else { return 0 };
        matched = borders.get(shorter).copied().unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sequence_is_found_wherever_it_stands(
            all in prop::collection::vec(0..3_u64, 0..40),
            wanted in prop::collection::vec(0..3_u64, 1..6),
        ) {
            let naive: Vec<usize> = (0..all.len())
                .filter(|at| all[*at..].starts_with(&wanted))
                .collect();
            prop_assert_eq!(occurrences(&all, &wanted, usize::MAX), naive);
        }
    }
}
