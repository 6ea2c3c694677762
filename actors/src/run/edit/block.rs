//! A search/replace block, and the lines that mark one.

/// Longest block, search and replacement together, in bytes: as long as the longest file of an
/// answer.
pub const BLOCK_BYTES_MAX: usize = 1 << 20;

/// Most blocks of one edit: more than a model writes, and little enough to be tried at once.
pub const BLOCKS_MAX: usize = 1000;

/// Fewest signs of a marker.
const SIGNS_MIN: usize = 5;

/// One search/replace block as it was written. Both texts are whole lines with their ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The lines to find; none: the file is new or empty.
    pub search: String,
    /// The lines to put in their place.
    pub replace: String,
    /// The line at which they stand, from 1, where the block says so: it decides between places.
    pub line: Option<usize>,
    /// Whether its end was marked as such. Otherwise a second divider ended it, so that it may be
    /// two blocks that ran into one: it is shown, but never applied.
    pub is_closed: bool,
}

/// Why a block can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The answer or the edit ended before `=======`.
    #[error("it has no line \"=======\" between the old text and the new one")]
    NoDivider,
    /// The answer or the edit ended before `>>>>>>> REPLACE`.
    #[error("it has no line \">>>>>>> REPLACE\" at its end")]
    Unended,
    /// A second divider within it.
    #[error(
        "it has a second line \"=======\"; where the file has such a line, all three markers need \
         more signs than that line"
    )]
    SecondDivider,
    /// Longer than [`BLOCK_BYTES_MAX`].
    #[error("it is longer than {BLOCK_BYTES_MAX} bytes")]
    TooLong,
    /// The answer ended, or gave another instruction, before it had ended the edit.
    #[error("the answer did not finish the edit")]
    NoEnd,
    /// An edit of more than [`BLOCKS_MAX`] blocks.
    #[error("it has more than {BLOCKS_MAX} blocks; write the file whole")]
    TooMany,
    /// An edit without a block.
    #[error("it has no block between \"<<<<<<< SEARCH\" and \">>>>>>> REPLACE\"")]
    NoBlock,
}

/// Which markers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum Grammar {
    /// In the first column; all three of a block have the same number of signs.
    Strict,
    /// Anywhere on a line of their own, with any number of signs, as Aider's do.
    Loose,
}

/// What a line is to a [`BlockReader`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run) enum Seen {
    /// Outside of blocks.
    Outside,
    /// A block begins.
    Head,
    /// Within a block.
    Inside,
    /// The last line of a block.
    Block(Block),
}

/// Reads blocks line by line.
#[derive(Debug)]
pub(in crate::run) struct BlockReader {
    grammar: Grammar,
    open: Option<Open>,
}

/// The block under way.
#[derive(Debug)]
struct Open {
    block: Block,
    /// Signs of its first marker.
    signs: usize,
    is_divided: bool,
    is_too_long: bool,
}

impl BlockReader {
    pub(in crate::run) const fn new(grammar: Grammar) -> Self {
        Self { grammar, open: None }
    }

    /// Whether a block is under way.
    pub(in crate::run) const fn is_inside(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a line begins a block.
    pub(in crate::run) fn is_head(grammar: Grammar, line: &str) -> bool {
        head(grammar, line).is_some()
    }

    /// Takes a line with its end.
    ///
    /// # Errors
    /// [`BlockError::TooLong`] at the end of such a block.
    pub(in crate::run) fn line(&mut self, line: &str) -> Result<Seen, BlockError> {
        let Some(open) = &mut self.open else {
            let Some((signs, at)) = head(self.grammar, line) else { return Ok(Seen::Outside) };
            let block = Block { line: at, ..Block::default() };
            self.open = Some(Open { block, signs, is_divided: false, is_too_long: false });
            return Ok(Seen::Head);
        };
        let signs = (self.grammar == Grammar::Strict).then_some(open.signs);
        let is_divider = is_marker(self.grammar, line, '=', "", signs);
        if !open.is_divided && is_divider {
            open.is_divided = true;
            return Ok(Seen::Inside);
        }
        let is_end = is_marker(self.grammar, line, '>', " REPLACE", signs);
        if open.is_divided && (is_end || is_divider) {
            let Some(Open { mut block, is_too_long, .. }) = self.open.take() else {
                return Ok(Seen::Outside);
            };
            block.is_closed = is_end;
            return if is_too_long { Err(BlockError::TooLong) } else { Ok(Seen::Block(block)) };
        }
        open.push(line);
        Ok(Seen::Inside)
    }

    /// Ends the text: why the block under way is none.
    pub(in crate::run) fn finish(&mut self) -> Option<BlockError> {
        let open = self.open.take()?;
        Some(if open.is_divided { BlockError::Unended } else { BlockError::NoDivider })
    }
}

impl Open {
    fn push(&mut self, line: &str) {
        let Block { search, replace, .. } = &mut self.block;
        self.is_too_long |= search.len() + replace.len() + line.len() > BLOCK_BYTES_MAX;
        if !self.is_too_long {
            if self.is_divided { replace } else { search }.push_str(line);
        }
    }
}

/// Signs of the marker that begins a block, and the line number after it.
fn head(grammar: Grammar, line: &str) -> Option<(usize, Option<usize>)> {
    let (signs, rest) = signed(grammar, line, '<')?;
    let rest = rest.strip_prefix(" SEARCH")?;
    match grammar {
        Grammar::Loose => matches!(rest, "" | ">").then_some((signs, None)),
        Grammar::Strict if rest.is_empty() => Some((signs, None)),
        Grammar::Strict => Some((signs, Some(rest.strip_prefix(' ')?.parse().ok()?))),
    }
}

fn is_marker(grammar: Grammar, line: &str, sign: char, word: &str, signs: Option<usize>) -> bool {
    signed(grammar, line, sign)
        .is_some_and(|(found, rest)| rest == word && signs.is_none_or(|signs| signs == found))
}

/// How many signs begin a line, at least [`SIGNS_MIN`], and what follows them.
fn signed(grammar: Grammar, line: &str, sign: char) -> Option<(usize, &str)> {
    let line = line.trim_end();
    let line = if grammar == Grammar::Loose { line.trim_start() } else { line };
    let rest = line.trim_start_matches(sign);
    let signs = line.len() - rest.len();
    (signs >= SIGNS_MIN).then_some((signs, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(grammar: Grammar, text: &str) -> (Vec<Result<Block, BlockError>>, Option<BlockError>) {
        let mut reader = BlockReader::new(grammar);
        let mut all = Vec::new();
        for line in text.split_inclusive('\n') {
            match reader.line(line) {
                Ok(Seen::Block(block)) => all.push(Ok(block)),
                Ok(Seen::Outside | Seen::Head | Seen::Inside) => {}
                Err(error) => all.push(Err(error)),
            }
        }
        (all, reader.finish())
    }

    fn block(search: &str, replace: &str) -> Block {
        let (search, replace) = (search.to_owned(), replace.to_owned());
        Block { search, replace, line: None, is_closed: true }
    }

    #[test]
    fn a_block_is_the_lines_between_its_markers() {
        let text = "x\n<<<<<<< SEARCH\na\n\n  b\n=======\nc\n>>>>>>> REPLACE  \ny\n\
                    <<<<<<< SEARCH\r\n=======\r\nd\r\n>>>>>>> REPLACE\r\n";
        let expected = vec![Ok(block("a\n\n  b\n", "c\n")), Ok(block("", "d\r\n"))];
        assert_eq!(read(Grammar::Strict, text), (expected.clone(), None));
        assert_eq!(read(Grammar::Loose, text), (expected, None));
    }

    #[test]
    fn a_block_may_name_its_line() {
        let text = "<<<<<<< SEARCH 12\na\n=======\nb\n>>>>>>> REPLACE\n";
        let named = Block { line: Some(12), ..block("a\n", "b\n") };
        assert_eq!(read(Grammar::Strict, text), (vec![Ok(named)], None));
        assert_eq!(read(Grammar::Loose, text), (vec![], None));
    }

    #[test]
    fn longer_markers_quote_shorter_ones() {
        let text = "<<<<<<<<< SEARCH\nTitle\n=======\n<<<<<<< SEARCH\n>>>>>>> REPLACE\n\
                    =========\nz\n>>>>>>>>> REPLACE\n";
        let quoted = block("Title\n=======\n<<<<<<< SEARCH\n>>>>>>> REPLACE\n", "z\n");
        assert_eq!(read(Grammar::Strict, text), (vec![Ok(quoted)], None));
    }

    #[test]
    fn aiders_markers_may_be_indented_and_uneven() {
        let text = "  <<<<< SEARCH>\na\n ========\nb\n>>>>>> REPLACE\n";
        assert_eq!(read(Grammar::Loose, text), (vec![Ok(block("a\n", "b\n"))], None));
        assert_eq!(read(Grammar::Strict, text), (vec![], None));
        assert_eq!(read(Grammar::Loose, "<<<< SEARCH\na\n====\n"), (vec![], None));
    }

    #[test]
    fn a_block_that_a_second_divider_ends_says_so() {
        let text = "<<<<<<< SEARCH\na\n=======\nb\n=======\nc\n>>>>>>> REPLACE\n";
        let open = Block { is_closed: false, ..block("a\n", "b\n") };
        assert_eq!(read(Grammar::Strict, text), (vec![Ok(open.clone())], None));
        assert_eq!(read(Grammar::Loose, text), (vec![Ok(open)], None));
    }

    #[test]
    fn a_block_that_breaks_off_says_where() {
        let broken = |text| read(Grammar::Strict, text).1;
        assert_eq!(broken("<<<<<<< SEARCH\na\n"), Some(BlockError::NoDivider));
        assert_eq!(broken("<<<<<<< SEARCH\na\n>>>>>>> REPLACE\n"), Some(BlockError::NoDivider));
        assert_eq!(broken("<<<<<<< SEARCH\na\n=======\nb\n"), Some(BlockError::Unended));
        let long = format!(
            "<<<<<<< SEARCH\n{}=======\n>>>>>>> REPLACE\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n",
            "a\n".repeat(BLOCK_BYTES_MAX / 2 + 1)
        );
        let expected = vec![Err(BlockError::TooLong), Ok(block("", "x\n"))];
        assert_eq!(read(Grammar::Strict, &long), (expected, None));
    }
}
