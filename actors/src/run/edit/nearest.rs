//! The lines of a file that are most like those of a block: for people and models to read, never
//! to be replaced.

use super::{Step, key, ladder::Lines};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

/// Lines shown before and after.
const AROUND: usize = 2;

/// Most lines, and bytes of each, that are shown.
const LINES_MAX: usize = 40;
const LINE_BYTES_MAX: usize = 400;

/// Most places that one line votes for, and most lines that vote.
const VOTES_MAX: usize = 32;
const VOTERS_MAX: usize = 400;

/// Less likeness than this, in percent, is none.
const LIKENESS_MIN: usize = 40;

/// The lines of a file that are most like a block's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// The number of the first line shown, from 1.
    pub line: usize,
    /// The lines, as they are in the file; very long ones are cut.
    pub text: String,
    /// How much of the block stands there, in percent.
    pub percent: usize,
}

/// Where they are: `12 to 20 (60 % alike)`.
impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.line + self.text.lines().count().saturating_sub(1);
        write!(f, "{} to {last} ({} % alike)", self.line, self.percent)
    }
}

/// Finds them: where most of the block's lines stand in their order, else where its longest line
/// has one like it.
pub(super) fn nearest(lines: &Lines<'_>, search: &str) -> Option<Nearest> {
    let search: Vec<&str> = search.split_inclusive('\n').collect();
    let (at, percent) = by_votes(lines, &search).or_else(|| by_longest(lines, &search))?;
    let first = at.saturating_sub(AROUND);
    let last = (at + search.len() + AROUND).min(first + LINES_MAX);
    let mut text = String::new();
    for line in lines.range(first..last.min(lines.len())) {
        let shown = line.get(..line.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or_default();
        text.push_str(shown);
        if shown.len() < line.len() {
            text.push_str("…\n");
        }
    }
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    (!text.is_empty()).then_some(Nearest { line: first + 1, text, percent })
}

/// Every line that stands in the file too votes for where the block would begin then.
fn by_votes(lines: &Lines<'_>, search: &[&str]) -> Option<(usize, usize)> {
    let voters: Vec<(usize, &str)> = search
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, line)| line.chars().any(char::is_alphanumeric))
        .take(VOTERS_MAX)
        .collect();
    let mut places: HashMap<u64, Vec<usize>> =
        voters.iter().map(|(_, line)| (key::key(line, Step::Normalised), Vec::new())).collect();
    for (at, line) in lines.range(0..lines.len()).enumerate() {
        if let Some(places) = places.get_mut(&key::key(line, Step::Normalised))
            && places.len() < VOTES_MAX
        {
            places.push(at);
        }
    }
    let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, line) in &voters {
        for at in places.get(&key::key(line, Step::Normalised)).into_iter().flatten() {
            *votes.entry(at.saturating_sub(*number)).or_default() += 1;
        }
    }
    // The first of those with the most.
    let (at, count) = votes.into_iter().rev().max_by_key(|(_, count)| *count)?;
    Some((at, count * 100 / voters.len().max(1)))
}

/// The line that shares most of its beginning and end with the block's longest.
fn by_longest(lines: &Lines<'_>, search: &[&str]) -> Option<(usize, usize)> {
    let longest = search.iter().enumerate().max_by_key(|(_, line)| line.trim().len());
    let (number, wanted) = longest.map(|(number, line)| (number, line.trim()))?;
    let alike = |line: &str| {
        let line = line.trim();
        let begin = shared(wanted.bytes(), line.bytes());
        let end = shared(wanted.bytes().rev(), line.bytes().rev());
        let most = wanted.len().max(line.len()).max(1);
        (begin + end).min(wanted.len().min(line.len())) * 100 / most
    };
    let mut best: Option<(usize, usize)> = None;
    for (at, line) in lines.range(0..lines.len()).enumerate() {
        let percent = alike(line);
        if best.is_none_or(|(_, most)| percent > most) {
            best = Some((at, percent));
        }
    }
    let (at, percent) = best?;
    (percent >= LIKENESS_MIN).then(|| (at.saturating_sub(number), percent / search.len().max(1)))
}

fn shared(one: impl Iterator<Item = u8>, other: impl Iterator<Item = u8>) -> usize {
    one.zip(other).take_while(|(a, b)| a == b).count()
}
