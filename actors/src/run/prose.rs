//! What an answer said to the user, kept for the history of later prompts.

/// Most that is kept of one answer, in bytes of UTF-8: an answer is meant to be two sentences.
pub(super) const PROSE_BYTES_MAX: usize = 16 * 1024;

/// The beginning of an answer's text parts, at most [`PROSE_BYTES_MAX`].
#[derive(Clone, Debug, Default)]
pub(super) struct Prose {
    kept: String,
    /// Something did not fit: nothing is added any more, or a gap would show.
    full: bool,
}

/// A place in a [`Prose`] to return to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    len: usize,
    full: bool,
}

impl Prose {
    /// Begins another text part: on a line of its own.
    pub(super) fn begin(&mut self) {
        if !self.kept.is_empty() && !self.kept.ends_with('\n') {
            self.push("\n");
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        if self.full {
            return;
        }
        let room = PROSE_BYTES_MAX - self.kept.len();
        self.full = text.len() > room;
        self.kept.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
    }

    pub(super) fn as_str(&self) -> &str {
        &self.kept
    }

    pub(super) const fn mark(&self) -> Mark {
        Mark { len: self.kept.len(), full: self.full }
    }

    /// Forgets what was added since the mark.
    pub(super) fn rewind(&mut self, mark: Mark) {
        self.kept.truncate(mark.len);
        self.full = mark.full;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_nothing_follows_the_gap() {
        let mut prose = Prose::default();
        prose.push(&"a".repeat(PROSE_BYTES_MAX - 1));
        let mark = prose.mark();
        prose.push("é");
        prose.push("b");
        assert_eq!(prose.as_str().len(), PROSE_BYTES_MAX - 1);
        prose.rewind(mark);
        prose.push("b");
        assert!(prose.as_str().ends_with("ab"));
    }
}
