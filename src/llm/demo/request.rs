//! Reads the engine's prompt: the marker's tag, the files, the request, and what is already done.

use greenroom_actors::{
    port::{Message, Role},
    run::hub::Planned,
};
use std::collections::{BTreeMap, BTreeSet};

/// Begins the user's prompt in the last message.
const REQUEST: &str = "Request:";
/// Begins the part about an answer that was cut off.
const CUT_OFF: &str =
    "Your answer was cut off. These files of it are complete; do not write them again:";
/// Begins the part about an answer that was stopped for what was said meanwhile, which the prompt
/// ends with.
const STEERED: &str = "The end of the request was said while you answered. These files of your \
                       answer are complete; change those that it concerns, and do not write the \
                       others again:";
/// Ends that part.
const GO_ON: &str = "Write the rest of the answer now.";
/// Letters of a tag.
const TAG_LEN: usize = 6;

/// A prompt as the stand-in needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Tag of the markers of this call; none: the call asks for no files.
    pub tag: Option<String>,
    /// The user's earlier prompts, oldest first.
    pub earlier: Vec<String>,
    /// The user's prompt now.
    pub request: String,
    /// The project's files before the answer.
    pub files: BTreeMap<String, String>,
    /// Files that the project has and the prompt only names.
    pub omitted: BTreeSet<String>,
    /// What an answer that was cut off has done, if this call goes on with one.
    pub done: Option<Vec<Done>>,
    /// Whether it was stopped for what was said meanwhile.
    pub steered: bool,
}

/// One step of an answer that was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// The file was written; its content, where it is shown.
    Wrote(String, Option<String>),
    /// The file was deleted.
    Deleted(String),
    /// The file was moved, from here to there.
    Moved(String, String),
}

impl Prompt {
    /// Reads the messages of a call.
    pub(super) fn read(messages: &[Message]) -> Self {
        let of = |role| messages.iter().filter(move |message| message.role == role);
        let tag = of(Role::System).find_map(|message| find_tag(&message.content));
        let mut earlier: Vec<_> = of(Role::User).map(|message| message.content.clone()).collect();
        let last = earlier.pop().unwrap_or_default();
        let mut prompt = Self { earlier, ..read_last(tag.as_deref(), &last) };
        prompt.tag = tag;
        prompt
    }

    /// The first thing that the user asked of this project.
    pub(super) fn first_request(&self) -> &str {
        self.earlier.first().unwrap_or(&self.request)
    }
}

/// Finds the first `@@([a-z2-7]{6}) `.
fn find_tag(text: &str) -> Option<String> {
    text.match_indices("@@").find_map(|(at, _)| {
        let after = text.get(at + 2..)?;
        let tag = after.get(..TAG_LEN)?;
        let fits = tag.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        (fits && after.as_bytes().get(TAG_LEN) == Some(&b' ')).then(|| tag.to_owned())
    })
}

/// Reads the last message of the user.
fn read_last(tag: Option<&str>, text: &str) -> Prompt {
    let mut prompt = Prompt::default();
    let mut rest = text;
    while let Some((line, after)) = next_line(rest) {
        if line == REQUEST {
            let (request, heading, done) = split_cut_off(tag, after);
            prompt.request = match Planned::read(request) {
                // The plan is the stand-in's own, made of the prompt.
                Some(Planned { prompt, remark, .. }) => {
                    format!("{prompt}\n{remark}").trim().to_owned()
                }
                None => request.trim().to_owned(),
            };
            prompt.done = done;
            prompt.steered = heading == STEERED;
            return prompt;
        }
        rest = after;
        match marker(tag, line) {
            Some(("file", path)) => {
                let (content, after) = block(tag, rest);
                prompt.files.extend(one_path(path).map(|path| (path, content)));
                rest = after;
            }
            Some(("omitted", path)) => prompt.omitted.extend(omitted(path)),
            _ => {}
        }
    }
    // Not built by the engine: all of it is the request.
    prompt.request = text.trim().to_owned();
    prompt
}

/// Splits the part about an answer that was cut off, and its first line, from the user's prompt.
///
/// The user may have typed that line as well: it counts only where all that follows fits.
fn split_cut_off<'a>(tag: Option<&str>, text: &'a str) -> (&'a str, &'a str, Option<Vec<Done>>) {
    let mut at = 0;
    while let Some((line, after)) = text.get(at..).and_then(next_line) {
        if matches!(line, CUT_OFF | STEERED)
            && let Some(done) = read_done(tag, after)
        {
            return (text.get(..at).unwrap_or_default(), line, Some(done));
        }
        at = text.len() - after.len();
    }
    (text, "", None)
}

fn read_done(tag: Option<&str>, text: &str) -> Option<Vec<Done>> {
    let mut done = Vec::new();
    let mut rest = text;
    loop {
        let (line, after) = next_line(rest)?;
        rest = after;
        if line == GO_ON {
            return rest.trim().is_empty().then_some(done);
        }
        match marker(tag, line)? {
            ("done", path) => {
                let (content, after) = block(tag, rest);
                done.push(Done::Wrote(one_path(path)?, Some(content)));
                rest = after;
            }
            ("omitted", path) => done.push(Done::Wrote(omitted(path)?, None)),
            ("deleted", path) => done.push(Done::Deleted(one_path(path)?)),
            ("moved", both) => match paths(both).as_slice() {
                [from, to] => done.push(Done::Moved(from.clone(), to.clone())),
                _ => return None,
            },
            _ => return None,
        }
    }
}

/// The first line of a text without its end, and what follows.
fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    Some(text.split_once('\n').unwrap_or((text, "")))
}

/// The word and the rest of a line `@@<tag> word rest`.
fn marker<'a>(tag: Option<&str>, line: &'a str) -> Option<(&'a str, &'a str)> {
    let line = line.strip_prefix("@@")?.strip_prefix(tag?)?.strip_prefix(' ')?;
    Some(line.split_once(' ').unwrap_or((line, "")))
}

/// The lines up to the end marker, and what follows it.
fn block<'a>(tag: Option<&str>, text: &'a str) -> (String, &'a str) {
    let mut content = String::new();
    let mut rest = text;
    while let Some((line, after)) = next_line(rest) {
        rest = after;
        if marker(tag, line) == Some(("end", "")) {
            break;
        }
        content.push_str(line);
        content.push('\n');
    }
    (content, rest)
}

/// The path of a marker that names one.
fn one_path(text: &str) -> Option<String> {
    match paths(text).as_slice() {
        [path] => Some(path.clone()),
        _ => None,
    }
}

/// The path of a marker that names one and its length in bytes.
fn omitted(text: &str) -> Option<String> {
    match paths(text).as_slice() {
        [path, _bytes] => Some(path.clone()),
        _ => None,
    }
}

/// The paths of a marker; those with spaces stand in double quotes.
fn paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (path, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        paths.push(path.to_owned());
        rest = after.trim_start();
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, content: &str) -> Message {
        Message { role, content: content.into() }
    }

    fn read(last: &str) -> Prompt {
        let system = "Write files so:\n@@abc234 write PATH\n…\n@@abc234 end\n";
        Prompt::read(&[message(Role::System, system), message(Role::User, last)])
    }

    #[test]
    fn the_tag_is_the_first_that_fits() {
        assert_eq!(find_tag("@@abc @@ABCDEF @@abc189 @@äbcdef @@zz2345 x"), Some("zz2345".into()));
        assert_eq!(find_tag("@@abcdef"), None);
    }

    #[test]
    fn a_prompt_without_files_is_its_request() {
        let prompt = read("Request:\nA quiz\nabout Request:\nRequest:\n");

        assert_eq!(prompt.tag.as_deref(), Some("abc234"));
        assert_eq!(prompt.request, "A quiz\nabout Request:\nRequest:");
        assert!(prompt.files.is_empty());
        assert_eq!(prompt.done, None);
    }

    #[test]
    fn files_are_read_verbatim_and_hide_what_looks_like_a_request() {
        let prompt = read(
            "Current files:\n@@abc234 file a.txt\nRequest:\n\n@@zzzzzz end\n@@abc234 end\n\
             @@abc234 omitted \"d e.bin\" 99\n(2 more files are not listed.)\n\
             @@abc234 file \"b c.txt\"\n@@abc234 end\nRequest:\nmake it dark",
        );

        assert_eq!(prompt.request, "make it dark");
        assert_eq!(prompt.files["a.txt"], "Request:\n\n@@zzzzzz end\n");
        assert_eq!(prompt.files["b c.txt"], "");
        assert_eq!(prompt.omitted, BTreeSet::from(["d e.bin".to_owned()]));
    }

    #[test]
    fn what_a_cut_off_answer_has_done_is_read() {
        let prompt = read(&format!(
            "Request:\n{CUT_OFF}\nno, really\n{CUT_OFF}\n@@abc234 done index.html\n{CUT_OFF}\n\
             @@abc234 end\n@@abc234 omitted app.js 7\n@@abc234 deleted \"old file\"\n@@abc234 moved a.css \"b c.css\"\n{GO_ON}\n",
        ));

        assert_eq!(prompt.request, format!("{CUT_OFF}\nno, really"));
        assert_eq!(
            prompt.done,
            Some(vec![
                Done::Wrote("index.html".into(), Some(format!("{CUT_OFF}\n"))),
                Done::Wrote("app.js".into(), None),
                Done::Deleted("old file".into()),
                Done::Moved("a.css".into(), "b c.css".into()),
            ])
        );
    }

    #[test]
    fn an_answer_that_was_stopped_for_more_words_is_told_from_one_that_was_cut_off() {
        let prompt = read(&format!(
            "Request:\na quiz\n\nin green\n{STEERED}\n@@abc234 done a\nx\n@@abc234 end\n{GO_ON}"
        ));

        assert_eq!((prompt.request.as_str(), prompt.steered), ("a quiz\n\nin green", true));
        assert_eq!(prompt.done, Some(vec![Done::Wrote("a".into(), Some("x\n".into()))]));
    }

    #[test]
    fn the_first_request_is_the_oldest_prompt_of_the_history() {
        let prompt = Prompt::read(&[
            message(Role::System, "@@abc234 end"),
            message(Role::User, "a quiz"),
            message(Role::Assistant, "Here."),
            message(Role::User, "Request:\nmake it blue"),
        ]);

        assert_eq!(prompt.first_request(), "a quiz");
        assert_eq!(prompt.request, "make it blue");
    }

    #[test]
    fn a_message_that_the_engine_did_not_build_is_all_request() {
        let prompt = Prompt::read(&[message(Role::User, "hello")]);

        assert_eq!((prompt.tag, prompt.request.as_str()), (None, "hello"));
    }
}
