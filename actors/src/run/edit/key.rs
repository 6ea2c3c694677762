//! What of a line counts on a rung of the ladder.

use super::Step;
use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash, Hasher},
};

/// A line with its end, as a rung compares it. Lines that are equal in this way may differ in
/// their indentation where the rung ignores it: that is checked for a place as a whole.
pub(super) fn comparable(line: &str, step: Step) -> Cow<'_, str> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    match step {
        Step::Exact => line.into(),
        Step::TrailingSpace | Step::Indentation => {
            let (body, end) = match line.strip_suffix('\r') {
                Some(body) => (body, "\r"),
                None => (line, ""),
            };
            let kept = body.trim_end();
            let kept = if step == Step::Indentation { kept.trim_start() } else { kept };
            if kept.len() == body.len() { line.into() } else { format!("{kept}{end}").into() }
        }
        Step::Normalised | Step::Anchor => plain_text(line.trim()),
    }
}

/// The key by which equal lines are found; equality is checked besides.
pub(super) fn key(line: &str, step: Step) -> u64 {
    let mut hasher = DefaultHasher::new();
    comparable(line, step).hash(&mut hasher);
    hasher.finish()
}

/// A text with plain quotes, dashes and spaces, character for character.
pub(super) fn plain_text(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { text.into() } else { text.chars().map(plain).collect::<String>().into() }
}

/// Kinds of characters that models write in another form than a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Single,
    Double,
    Dash,
    Space,
}

impl Kind {
    /// Those that go together: who writes one quote otherwise writes both so.
    pub(super) const ALIKE: [&'static [Self]; 3] =
        [&[Self::Single, Self::Double], &[Self::Dash], &[Self::Space]];
}

/// The kind of a typographic character.
pub(super) const fn kind(c: char) -> Option<Kind> {
    match c {
        '\u{2018}'..='\u{201b}' | '\u{2032}' | '\u{02bc}' => Some(Kind::Single),
        '\u{201c}'..='\u{201f}' | '\u{2033}' => Some(Kind::Double),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some(Kind::Dash),
        '\u{00a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            Some(Kind::Space)
        }
        _ => None,
    }
}

/// The character of ASCII that stands for a typographic one; any other as it is.
pub(super) const fn plain(c: char) -> char {
    match kind(c) {
        None => c,
        Some(Kind::Single) => '\'',
        Some(Kind::Double) => '"',
        Some(Kind::Dash) => '-',
        Some(Kind::Space) => ' ',
    }
}

/// A line's white space at its beginning, and what follows without its end.
pub(super) fn indented(line: &str) -> (&str, &str) {
    let line = line.trim_end();
    line.split_at(line.len() - line.trim_start().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rung_ignores_more() {
        let equal = |a: &str, b: &str| {
            let steps = [Step::Exact, Step::TrailingSpace, Step::Indentation, Step::Normalised];
            let count = |step: &&Step| comparable(a, **step) == comparable(b, **step);
            steps.iter().filter(count).count()
        };
        assert_eq!(equal("a\n", "a"), 4, "only the last line of a file lacks its end");
        assert_eq!(equal("a \n", "a\n"), 3);
        assert_eq!(equal(" a\r\n", " a \t\r\n"), 3);
        assert_eq!(equal("  a\n", "\ta\n"), 2);
        assert_eq!(equal("a\r\n", "a\n"), 1);
        assert_eq!(equal("“a”\u{a0}–\n", "\"a\" -\n"), 1);
        assert_eq!(equal("a\n", "b\n"), 0);
    }
}
