//! Reads a prompt of the engine: the tag, the files there are, the request, what is done already.

use std::collections::{BTreeMap, BTreeSet};

/// Files by path.
pub type Tree = BTreeMap<String, String>;

const FILES: &str = "Current files:";
const REQUEST: &str = "Request:";
const CUT_OFF: &str =
    "Your answer was cut off. These files of it are complete; do not write them again:";
const STEERED: &str = "The end of the request was said while you answered. These files of your \
                       answer are complete; change those that it concerns, and do not write the \
                       others again:";
const PLAN: &str = "This plan for it was agreed on. Build what it says:";
const GO_ON: &str = "Write the rest of the answer now.";

/// What a prompt says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The marker's tag: six characters of base32.
    pub tag: String,
    /// The project's files.
    pub files: Tree,
    /// The user's words.
    pub request: String,
    /// The plan that was agreed on, and what the user said to it.
    pub plan: Option<String>,
    /// What an answer that was cut off has done; none: this call begins an answer.
    pub cut_off: Option<Done>,
    /// Whether it was stopped for what was said meanwhile, which the user's words end with.
    pub steered: bool,
}

/// What an answer that was cut off has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Complete files.
    pub written: Tree,
    /// Deleted paths.
    pub deleted: BTreeSet<String>,
    /// Moved paths: old, new.
    pub moved: BTreeSet<(String, String)>,
}

/// Why a prompt could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// No system message with a tag.
    #[error("no marker of the form @@abc234 in the system message")]
    NoTag,
    /// No line that introduces the request.
    #[error("no line \"Request:\" in the last user message")]
    NoRequest,
    /// A block without its end, or a line that does not belong.
    #[error("line {line} of the last user message: {what}")]
    Malformed {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// Reads a prompt from its system message and its last user message.
///
/// # Errors
/// [`PromptError`], where the text does not follow the contract.
pub fn read(system: &str, user: &str) -> Result<Prompt, PromptError> {
    let tag = find_tag(system).ok_or(PromptError::NoTag)?;
    let mut lines = Lines { tag: &tag, lines: user.split_inclusive('\n').collect(), at: 0 };
    let files = lines.files()?;
    let (words, cut_off, steered) = lines.request()?;
    let (request, plan) = match words.split_once(&format!("\n\n{PLAN}\n")) {
        Some((request, plan)) => (request.trim_end_matches('\n').to_owned(), Some(plan.to_owned())),
        None => (words, None),
    };
    Ok(Prompt { tag: tag.clone(), files, request, plan, cut_off, steered })
}

/// The first `@@` + six characters of base32 + space.
fn find_tag(system: &str) -> Option<String> {
    system.match_indices("@@").find_map(|(at, _)| {
        let tag = system.get(at + 2..at + 8)?;
        let base32 = |byte: u8| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
        let follows = system.as_bytes().get(at + 8) == Some(&b' ');
        (follows && tag.bytes().all(base32)).then(|| tag.to_owned())
    })
}

/// A message by lines, each with its end.
struct Lines<'a> {
    tag: &'a str,
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.at).map(|line| line.strip_suffix('\n').unwrap_or(line))
    }

    const fn error(&self, what: &'static str) -> PromptError {
        PromptError::Malformed { line: self.at + 1, what }
    }

    /// What follows `@@tag verb ` on this line.
    fn marker(&self, verb: &str) -> Option<&'a str> {
        self.peek()?
            .strip_prefix("@@")?
            .strip_prefix(self.tag)?
            .strip_prefix(' ')?
            .strip_prefix(verb)
    }

    /// The content of a block whose first line has been taken, and its end.
    fn block(&mut self) -> Result<String, PromptError> {
        let mut content = String::new();
        while self.at < self.lines.len() {
            if self.marker("end") == Some("") {
                self.at += 1;
                return Ok(content);
            }
            content.push_str(self.lines.get(self.at).copied().unwrap_or_default());
            self.at += 1;
        }
        Err(self.error("a block has no end"))
    }

    fn one_path(&self, text: &str) -> Result<String, PromptError> {
        match paths(text).as_deref() {
            Some([path]) => Ok(path.clone()),
            _ => Err(self.error("expected one path")),
        }
    }

    /// The files there are, up to the request.
    fn files(&mut self) -> Result<Tree, PromptError> {
        let mut files = Tree::new();
        if self.peek() == Some(FILES) {
            self.at += 1;
        }
        loop {
            if let Some(path) = self.marker("file ") {
                let path = self.one_path(path)?;
                self.at += 1;
                files.insert(path, self.block()?);
            } else if self.peek() == Some(REQUEST) {
                self.at += 1;
                return Ok(files);
            } else if self.peek() == Some("") {
                self.at += 1; // an empty line between the parts harms nobody
            } else {
                return Err(if self.peek().is_none() {
                    PromptError::NoRequest
                } else {
                    self.error("expected a file or \"Request:\"")
                });
            }
        }
    }

    /// The request, and what is done where the answer was cut off or, as told last, stopped.
    fn request(&mut self) -> Result<(String, Option<Done>, bool), PromptError> {
        let rest = self.lines.get(self.at..).unwrap_or_default();
        // The last such line: the user's words may hold one too.
        let heading = |line: &&str| matches!(line.trim_end_matches('\n'), CUT_OFF | STEERED);
        let cut_off = rest.iter().rposition(heading);
        let words = rest.get(..cut_off.unwrap_or(rest.len())).unwrap_or_default().concat();
        let request = words.trim_end_matches('\n').to_owned();
        let Some(offset) = cut_off else { return Ok((request, None, false)) };
        let steered = rest.get(offset).is_some_and(|line| line.starts_with(STEERED));
        self.at += offset + 1;
        Ok((request, Some(self.done()?), steered))
    }

    fn done(&mut self) -> Result<Done, PromptError> {
        let mut done = Done::default();
        loop {
            if let Some(path) = self.marker("done ") {
                let path = self.one_path(path)?;
                self.at += 1;
                done.written.insert(path, self.block()?);
            } else if let Some(path) = self.marker("deleted ") {
                done.deleted.insert(self.one_path(path)?);
                self.at += 1;
            } else if let Some(text) = self.marker("moved ") {
                match paths(text).as_deref() {
                    Some([from, to]) => done.moved.insert((from.clone(), to.clone())),
                    _ => return Err(self.error("expected two paths")),
                };
                self.at += 1;
            } else if self.peek() == Some(GO_ON) {
                return Ok(done);
            } else if self.peek() == Some("") {
                self.at += 1;
            } else {
                return Err(self.error("expected what is done, or the line that asks to go on"));
            }
        }
    }
}

/// Paths of a marker, apart by spaces; one with a space is in double quotes.
fn paths(text: &str) -> Option<Vec<String>> {
    let (mut found, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        let (path, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        found.push(path.to_owned());
        rest = after.trim_start();
    }
    Some(found)
}

/// A path as a marker writes it.
#[must_use]
pub fn quoted(path: &str) -> String {
    if path.contains(' ') { format!("\"{path}\"") } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &str = "Write a@@b files like this:\n@@abc234 write PATH\n@@abc234 end\n";

    #[test]
    fn a_first_call_has_files_and_a_request() {
        let user = "Current files:\n@@abc234 file a.txt\nRequest:\n@@zzz222 end\n@@abc234 end\n\
                    @@abc234 file \"b c.txt\"\n@@abc234 end\nRequest:\nmake it\n blue ";
        let prompt = read(SYSTEM, user).unwrap();
        let files = [("a.txt", "Request:\n@@zzz222 end\n"), ("b c.txt", "")];
        assert_eq!(prompt.files, files.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert_eq!(prompt.request, "make it\n blue ");
        assert_eq!(prompt.tag, "abc234");
        assert_eq!(prompt.cut_off, None);
    }

    #[test]
    fn a_plan_is_told_from_the_words() {
        let user = format!("Request:\nmake it\n\n{PLAN}\nOverview: x\n\nThe user adds");
        let prompt = read(SYSTEM, &user).unwrap();
        assert_eq!(prompt.request, "make it");
        assert_eq!(prompt.plan.as_deref(), Some("Overview: x\n\nThe user adds"));
    }

    #[test]
    fn a_call_that_goes_on_says_what_is_done() {
        let user = format!(
            "Request:\nhi\n{CUT_OFF}\n@@abc234 done a\nx\n@@abc234 end\n@@abc234 deleted \"b b\"\n\
             @@abc234 moved c \"d d\"\n{GO_ON}\n"
        );
        let prompt = read(SYSTEM, &user).unwrap();
        let done = prompt.cut_off.unwrap();
        assert_eq!((prompt.request.as_str(), prompt.steered), ("hi", false));
        assert_eq!(done.written, Tree::from([("a".into(), "x\n".into())]));
        assert_eq!(done.deleted, BTreeSet::from(["b b".into()]));
        assert_eq!(done.moved, BTreeSet::from([("c".into(), "d d".into())]));
    }

    #[test]
    fn a_call_with_what_was_said_meanwhile_is_told_from_one_after_a_cut() {
        let user = format!(
            "Request:\nhi\n\nin green\n{STEERED}\n@@abc234 done a\nx\n@@abc234 end\n{GO_ON}"
        );
        let prompt = read(SYSTEM, &user).unwrap();
        assert_eq!((prompt.request.as_str(), prompt.steered), ("hi\n\nin green", true));
        assert_eq!(prompt.cut_off.unwrap().written.len(), 1);
    }

    #[test]
    fn a_prompt_that_breaks_the_contract_is_named() {
        assert_eq!(read("no tag @@ABC234 x", "Request:\nx"), Err(PromptError::NoTag));
        assert_eq!(read(SYSTEM, "Current files:\n"), Err(PromptError::NoRequest));
        let open = read(SYSTEM, "Current files:\n@@abc234 file a\nx\nRequest:\n");
        assert_eq!(open, Err(PromptError::Malformed { line: 5, what: "a block has no end" }));
        assert!(read(SYSTEM, "hello\nRequest:\nx").is_err());
        assert!(read(SYSTEM, &format!("Request:\nx\n{CUT_OFF}\nwhat\n{GO_ON}")).is_err());
    }
}
