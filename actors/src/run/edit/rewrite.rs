//! The lines that come in the place of a block's.
//!
//! A block quotes lines that stay: those keep the file's own bytes. Lines that are new or other get
//! the file's indentation and line ends, where the block's were found to differ, and typographic
//! characters go the way on which the search text was found.

use super::{
    Block, Step,
    key::{Kind, indented, kind, plain, plain_text},
    ladder::{Lines, Place, Shift},
};
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Largest product of two lengths that are compared: beyond it only what begins and ends alike is
/// taken for the same.
const COMPARED_MAX: usize = 1 << 22;

/// Shortest run of equal characters in two lines, one in the place of the other, that keeps the
/// file's form of them.
const RUN_MIN: usize = 4;

/// The new lines; none where the block's new text can't have the place's indentation.
pub(super) fn rewrite(lines: &Lines<'_>, place: &Place, block: &Block) -> Option<Vec<String>> {
    let found: Vec<&str> = lines.range(place.lines.clone()).collect();
    let search: Vec<&str> = block.search.split_inclusive('\n').collect();
    let replace: Vec<&str> = block.replace.split_inclusive('\n').collect();
    let adapt = Adapt::new(place, &found, &search);
    let mut new = Vec::with_capacity(replace.len());
    for op in compare(&search, &replace) {
        match op {
            DiffOp::Equal { old_index, len, .. } => {
                let same = found.get(old_index..old_index + len)?;
                new.extend(same.iter().map(|line| (*line).to_owned()));
            }
            DiffOp::Delete { .. } => {}
            DiffOp::Insert { new_index, new_len, .. } => {
                for line in replace.get(new_index..new_index + new_len)? {
                    new.push(adapt.line(line, None)?);
                }
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                // Lines that come one for one are forms of each other.
                let pairs = old_len == new_len;
                for (at, line) in replace.get(new_index..new_index + new_len)?.iter().enumerate() {
                    let old = search.get(old_index + at).zip(found.get(old_index + at));
                    let old = old.filter(|_| pairs).map(|(search, found)| (*search, *found));
                    new.push(adapt.line(line, old)?);
                }
            }
        }
    }
    let is_last = place.lines.end == lines.len();
    let is_open = is_last && found.last().is_some_and(|line| !line.ends_with('\n'));
    let is_crlf = lines.get(place.lines.end.saturating_sub(2)).ends_with("\r\n");
    end_lines(&mut new, if is_open && is_crlf { "\r\n" } else { "\n" }, is_open);
    Some(new)
}

/// How a place differs from its block.
struct Adapt<'a> {
    compared: Step,
    shift: &'a Shift,
    /// End of the place's lines, where the block's may be another one.
    end: Option<&'static str>,
    /// Kinds of characters that the block writes typographically and the place plainly.
    plain: Vec<Kind>,
}

impl<'a> Adapt<'a> {
    fn new(place: &'a Place, found: &[&str], search: &[&str]) -> Self {
        let (mut end, mut plain) = (None, Vec::new());
        if place.compared >= Step::Normalised {
            let first = found.first().copied().unwrap_or_default();
            end = Some(if first.ends_with("\r\n") { "\r\n" } else { "\n" });
            let has = |lines: &[&str], one: Kind| {
                lines.iter().any(|line| line.chars().any(|c| kind(c) == Some(one)))
            };
            let other = |kinds: &&[Kind]| {
                kinds.iter().any(|kind| has(search, *kind))
                    && !kinds.iter().any(|kind| has(found, *kind))
            };
            plain = Kind::ALIKE.into_iter().filter(other).flatten().copied().collect();
        }
        Self { compared: place.compared, shift: &place.shift, end, plain }
    }

    /// A new line as the place has it; `old` are the line of the block and the file's that it
    /// comes instead of.
    fn line(&self, line: &str, old: Option<(&str, &str)>) -> Option<String> {
        if line.trim().is_empty() {
            return Some(self.ended(line));
        }
        let line = match self.shift {
            Shift::More(more) => format!("{more}{line}"),
            Shift::Less(less) => line.strip_prefix(less.as_str())?.to_owned(),
        };
        if self.compared < Step::Normalised {
            return Some(line);
        }
        let line: String = match old {
            Some((search, found)) => self.carried(&line, search, found),
            None => line.chars().map(|c| self.plainer(c)).collect(),
        };
        Some(self.ended(&line))
    }

    fn ended(&self, line: &str) -> String {
        match self.end {
            Some(end) => format!("{}{end}", line.trim_end_matches(['\r', '\n'])),
            None => line.to_owned(),
        }
    }

    fn plainer(&self, c: char) -> char {
        if kind(c).is_some_and(|kind| self.plain.contains(&kind)) { plain(c) } else { c }
    }

    /// The new line with the file's characters where it repeats the old one.
    fn carried(&self, line: &str, search: &str, found: &str) -> String {
        let new: Vec<char> = line.chars().collect();
        let plainly = |text: &str| plain_text(text).chars().collect::<Vec<char>>();
        let (_, found) = indented(found);
        let (_, search) = indented(search);
        let (old, repeated) = (plainly(search), plainly(line));
        let own: Vec<char> = found.chars().collect();
        let mut carried = String::with_capacity(line.len());
        for op in compare(&old, &repeated) {
            let range = op.new_range();
            if let DiffOp::Equal { old_index, len, .. } = op
                && len >= RUN_MIN
                && let Some(kept) = own.get(old_index..old_index + len)
            {
                carried.extend(kept);
            } else {
                carried.extend(new.get(range).unwrap_or_default().iter().map(|c| self.plainer(*c)));
            }
        }
        carried
    }
}

/// Gives each line an end, but the last one of a file that `is_open`: that has none.
fn end_lines(new: &mut [String], end: &str, is_open: bool) {
    let last = new.len().saturating_sub(1);
    for (at, line) in new.iter_mut().enumerate() {
        if is_open && at == last {
            line.truncate(line.trim_end_matches(['\r', '\n']).len());
        } else if !line.ends_with('\n') {
            line.push_str(end);
        }
    }
}

/// How one sequence becomes another one.
fn compare<T: Eq + std::hash::Hash + Ord>(old: &[T], new: &[T]) -> Vec<DiffOp> {
    let begin = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) =
        (old.get(begin..).unwrap_or_default(), new.get(begin..).unwrap_or_default());
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_len, new_len) = (old_rest.len() - end, new_rest.len() - end);
    if old_len.saturating_mul(new_len) <= COMPARED_MAX {
        return capture_diff_slices(Algorithm::Myers, old, new);
    }
    vec![
        DiffOp::Equal { old_index: 0, new_index: 0, len: begin },
        DiffOp::Replace { old_index: begin, old_len, new_index: begin, new_len },
        DiffOp::Equal { old_index: begin + old_len, new_index: begin + new_len, len: end },
    ]
}
