//! The line of an instruction, without its `@@<tag> `.

use super::{Rejection, check_path};
use std::borrow::Cow;

/// A well-formed instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker<'a> {
    /// A file begins.
    Write(&'a str),
    /// An edit begins.
    Edit(&'a str),
    /// A block ends. What follows the word is ignored: some models repeat the path.
    End,
    /// A file goes.
    Delete(&'a str),
    /// A file moves.
    Move(&'a str, &'a str),
}

/// An instruction that is not followed.
#[derive(Debug)]
pub(super) struct Refused {
    /// Why.
    pub(super) why: Rejection,
    /// Whether a block follows, whose lines are to be dropped.
    pub(super) block: bool,
}

impl<'a> Marker<'a> {
    /// Reads what follows the prefix on the line; white space at the line's end is ignored.
    pub(super) fn parse(line: &'a str, too_long: bool) -> Result<Self, Refused> {
        let line = line.trim_ascii();
        let (verb, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let marker = match verb {
            _ if too_long => Err(Rejection::too_long(line)),
            "write" => one_path(verb, rest).map(Self::Write),
            "edit" => one_path(verb, rest).map(Self::Edit),
            "delete" => one_path(verb, rest).map(Self::Delete),
            "move" => two_paths(verb, rest).map(|(from, to)| Self::Move(from, to)),
            "end" => Ok(Self::End),
            _ => Err(Rejection::unsupported(verb, rest)),
        };
        // The last three are blocks of prompts, which a model may repeat.
        let block = matches!(verb, "write" | "edit" | "file" | "done" | "failed");
        marker.map_err(|why| Refused { why, block })
    }
}

fn one_path<'a>(verb: &str, rest: &'a str) -> Result<&'a str, Rejection> {
    let malformed = || Rejection::malformed(verb, rest);
    match words(rest).ok_or_else(malformed)?.as_slice() {
        [path] => checked(path),
        _ => Err(malformed()),
    }
}

fn two_paths<'a>(verb: &str, rest: &'a str) -> Result<(&'a str, &'a str), Rejection> {
    let malformed = || Rejection::malformed(verb, rest);
    match words(rest).ok_or_else(malformed)?.as_slice() {
        [from, to] => Ok((checked(from)?, checked(to)?)),
        _ => Err(malformed()),
    }
}

fn checked(path: &str) -> Result<&str, Rejection> {
    check_path(path).map(|()| path).map_err(|error| Rejection::bad_path(path, error))
}

/// Splits at spaces and tabs, except between double quotes; there is no escape character. None
/// where a quote is not closed or touches another word.
pub(in crate::run) fn words(text: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let mut rest = text.trim_matches([' ', '\t']);
    while !rest.is_empty() {
        let (word, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted.split_once('"')?
        } else {
            rest.split_at(rest.find([' ', '\t']).unwrap_or(rest.len()))
        };
        if !(after.is_empty() || after.starts_with([' ', '\t'])) {
            return None;
        }
        words.push(word);
        rest = after.trim_start_matches([' ', '\t']);
    }
    Some(words)
}

/// A path as it stands in an instruction: quoted where it has a space.
pub(in crate::run) fn quoted(path: &str) -> Cow<'_, str> {
    if path.contains(' ') { format!("\"{path}\"").into() } else { path.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::artifact::PathError;

    fn parse(line: &str) -> Result<Marker<'_>, Refused> {
        Marker::parse(line, false)
    }

    #[test]
    fn instructions_are_read_with_and_without_quotes() {
        assert_eq!(parse("write a/b.c").unwrap(), Marker::Write("a/b.c"));
        assert_eq!(parse("write  \"a b.c\" \t\r").unwrap(), Marker::Write("a b.c"));
        assert_eq!(parse("move \"a b\" c").unwrap(), Marker::Move("a b", "c"));
        assert_eq!(parse("move a \"b c\"").unwrap(), Marker::Move("a", "b c"));
        assert_eq!(parse("edit a").unwrap(), Marker::Edit("a"));
        assert_eq!(parse("delete\ta").unwrap(), Marker::Delete("a"));
        assert_eq!(parse("end").unwrap(), Marker::End);
        assert_eq!(parse("end src/a.ts").unwrap(), Marker::End);
    }

    #[test]
    fn what_is_no_instruction_is_refused_with_its_reason() {
        for line in ["write", "write a b", "write \"a", "write \"a\"b", "delete", "move a"] {
            let refused = parse(line).unwrap_err();
            assert!(matches!(refused.why, Rejection::Malformed { .. }), "{line}");
            assert_eq!(refused.block, line.starts_with("write"), "{line}");
        }
        for (line, block) in [("file a", true), ("run npm install", false), ("", false)] {
            let refused = parse(line).unwrap_err();
            assert!(matches!(refused.why, Rejection::Unsupported { .. }), "{line}");
            assert_eq!(refused.block, block, "{line}");
        }
        let refused = parse("move a ../b").unwrap_err();
        assert_eq!(refused.why, Rejection::bad_path("../b", PathError::NotNormal));
    }

    #[test]
    fn a_quoted_path_is_one_word() {
        for path in ["a b", "a", "a  b/c d"] {
            assert_eq!(words(&quoted(path)), Some(vec![path]));
        }
    }
}
