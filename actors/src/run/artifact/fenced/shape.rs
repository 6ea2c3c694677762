//! What a line of prose may still become.

/// What begins a code fence.
const FENCES: [&str; 6] = ["```", "<source>", "<code>", "<pre>", "<codeblock>", "<sourcecode>"];

/// What begins the first marker of a block, at least.
const MARKER: &str = "<<<<<";

/// A line as far as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// White space.
    #[default]
    Blank,
    /// What may become a fence or a marker.
    Begun,
    /// A fence or a marker: held back to the line's end.
    Sign,
    /// One word, which may be a path.
    Word,
    /// A word and white space after it.
    Gap,
    /// Anything else: passed on as it comes.
    Prose,
}

impl Shape {
    /// Whether the line, now whole, may be a path.
    pub(super) const fn is_word(self) -> bool {
        matches!(self, Self::Word | Self::Gap)
    }

    /// Takes what came of the line after its first `before` bytes. `with_paths`: a word may be one.
    pub(super) fn grow(&mut self, line: &str, before: usize, with_paths: bool) {
        for (at, c) in line.get(before..).unwrap_or_default().char_indices() {
            let line = line.get(..before + at + c.len_utf8()).unwrap_or_default().trim_start();
            *self = match self {
                Self::Blank if c.is_whitespace() => Self::Blank,
                Self::Blank | Self::Begun if begins(line, FENCES.into_iter().chain([MARKER])) => {
                    Self::Sign
                }
                Self::Blank | Self::Begun if may_begin(line) => Self::Begun,
                Self::Blank | Self::Begun if with_paths && !c.is_whitespace() => Self::Word,
                Self::Begun if with_paths => Self::Gap,
                Self::Word | Self::Gap if c.is_whitespace() => Self::Gap,
                Self::Word => Self::Word,
                Self::Blank | Self::Begun | Self::Gap => Self::Prose,
                Self::Sign | Self::Prose => return,
            };
        }
    }
}

fn begins<'a>(line: &str, mut signs: impl Iterator<Item = &'a str>) -> bool {
    signs.any(|sign| line.starts_with(sign))
}

fn may_begin(line: &str) -> bool {
    FENCES.into_iter().chain([MARKER]).any(|sign| sign.starts_with(line))
}

/// Whether a line begins a fence, or ends one.
pub(super) fn is_fence(line: &str) -> bool {
    begins(line.trim_start(), FENCES.into_iter())
}

/// Whether a line is a fence's end and nothing else.
pub(super) fn is_bare_fence(line: &str) -> bool {
    let line = line.trim();
    let backticks = line.len() >= 3 && line.bytes().all(|byte| byte == b'`');
    let tag = line.strip_prefix("</").map(|name| format!("<{name}"));
    backticks || tag.is_some_and(|tag| FENCES.contains(&tag.as_str()))
}

/// The path above a block; its lines come from the lowest one upwards.
pub(super) fn path_above<'a>(lines: impl Iterator<Item = &'a String>) -> Option<String> {
    let mut found: Vec<&str> = Vec::new();
    for line in lines {
        found.extend(undecorated(line));
        if !begins(line, FENCES.into_iter()) {
            break;
        }
    }
    let with_dot = found.iter().find(|path| path.contains('.'));
    with_dot.or_else(|| found.first()).map(|path| (*path).to_owned())
}

/// What a line names, where it names something.
fn undecorated(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(info) = FENCES.iter().find_map(|fence| line.strip_prefix(fence)) {
        return (info.contains('.') || info.contains('/')).then_some(info);
    }
    let name = line.trim_end_matches(':').trim_start_matches('#').trim();
    let name = name.trim_matches('`').trim_matches('*');
    let is_marker = line.starts_with(">>>>>");
    (!name.is_empty() && !is_marker && line != "...").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(line: &str, with_paths: bool) -> Shape {
        let mut shape = Shape::default();
        shape.grow(line, 0, with_paths);
        let mut slowly = Shape::default();
        for (at, c) in line.char_indices() {
            slowly.grow(&line[..at + c.len_utf8()], at, with_paths);
        }
        assert_eq!(shape, slowly, "{line:?}");
        shape
    }

    #[test]
    fn a_line_is_held_back_while_it_may_belong_to_a_block() {
        for line in ["```js x", " <source> y", "<<<<<<< SEARCH", "```a b"] {
            assert_eq!(shape(line, false), Shape::Sign, "{line:?}");
        }
        for line in ["`", " <", "<<<", "<so"] {
            assert_eq!(shape(line, false), Shape::Begun, "{line:?}");
        }
        for line in ["He", "- a", "`a", "#", "<b", "@", "<<<a"] {
            assert_eq!(shape(line, false), Shape::Prose, "{line:?}");
        }
        for line in ["a/b.c", "**a.c**:", "`a.c`  ", "###", "``"] {
            assert!(!matches!(shape(line, true), Shape::Prose | Shape::Sign), "{line:?}");
        }
        assert_eq!(shape("`a` is", true), Shape::Prose);
    }

    #[test]
    fn a_path_is_found_without_its_decoration() {
        let above = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            path_above(lines.iter().rev())
        };
        for line in ["a.py", "**a.py**", "### `a.py`", "a.py:", "`a.py`:", "  a.py ", "```a.py"] {
            assert_eq!(above(&["text", line]), Some("a.py".into()), "{line:?}");
        }
        assert_eq!(above(&["a.py", "```python"]), Some("a.py".into()));
        assert_eq!(above(&["```", "a.py", "```"]), Some("a.py".into()));
        assert_eq!(above(&["Makefile", "```"]), Some("Makefile".into()));
        assert_eq!(above(&["a.py", "", "```python"]), None);
        assert_eq!(above(&["a.py", "```", "..."]), None);
        assert_eq!(above(&[]), None);
    }
}
