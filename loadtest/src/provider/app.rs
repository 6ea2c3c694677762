//! An answer with files: a pure function of the seed, the request and the files there are.
//!
//! So that an answer which was cut off and went on ends in the same files as one that was not.

use super::prompt::{Prompt, Tree, quoted};
use crate::mix::Mix;
use std::{collections::BTreeSet, fmt::Write};

const FOLDERS: [&str; 5] = ["src", "src/parts", "src/pages", "public", "docs and notes"];
const NAMES: [&str; 10] = [
    "App",
    "main",
    "Header",
    "Footer",
    "Table",
    "store",
    "api",
    "theme",
    "größe",
    "list of things",
];
const ENDINGS: [&str; 5] = ["tsx", "ts", "css", "json", "md"];
const WORDS: [&str; 12] = [
    "const",
    "value",
    "return",
    "<div>",
    "ready",
    "“quoted”",
    "\\n",
    "\"a\"",
    "日本語",
    "{x}",
    "@@",
    "0.5",
];

/// A seed that begins so makes long answers: six and more files of some kilobytes each.
pub const LONG: &str = "long";

/// More files than this, and an answer takes some away.
const FILES_MAX: usize = 12;

/// One step of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Words for the user; whole lines.
    Say(String),
    /// A file, new or in place of the old one.
    Write {
        /// Where.
        path: String,
        /// All of it: whole lines, or nothing.
        content: String,
    },
    /// A file goes.
    Delete(String),
    /// A file moves: old path, new path.
    Move(String, String),
}

/// The whole answer to a request, given the files there are.
///
/// No path is touched twice, so that the order of steps does not matter to the result.
#[must_use]
pub fn plan(seed: &str, request: &str, files: &Tree) -> Vec<Step> {
    let mut mix = Mix::of(&[seed, request]);
    let mut touched = BTreeSet::new();
    let mut steps = vec![Step::Say(say(&mut mix, "I read your request."))];
    if mix.chance(12) {
        // Words alone: an answer need not hold a file.
        steps.extend((0..mix.between(3, 20)).map(|_| Step::Say(say(&mut mix, "In short:"))));
        return steps;
    }
    let free = |mix: &mut Mix, touched: &mut BTreeSet<String>| {
        (0..32)
            .map(|_| any_path(mix))
            .find(|path| !files.contains_key(path) && touched.insert(path.clone()))
    };
    let mut old: Vec<&String> = files.keys().collect();
    let mut take = |mix: &mut Mix, touched: &mut BTreeSet<String>| {
        let at = usize::try_from(mix.below(old.len() as u64)).unwrap_or(0);
        (!old.is_empty())
            .then(|| old.remove(at))
            .filter(|path| touched.insert((*path).clone()))
            .cloned()
    };
    let write = |path: String| {
        let content = content(seed, request, &path);
        Step::Write { path, content }
    };
    let (least, most) = if seed.starts_with(LONG) { (6, 9) } else { (1, 3) };
    for _ in 0..mix.between(least, most) {
        let old_one = if mix.chance(40) { take(&mut mix, &mut touched) } else { None };
        if let Some(path) = old_one.or_else(|| free(&mut mix, &mut touched)) {
            steps.push(Step::Say(say(&mut mix, &format!("Now {path}:"))));
            steps.push(write(path));
        }
    }
    let crowded = files.len() > FILES_MAX;
    for _ in 0..if crowded { 3 } else { 1 } {
        if (crowded || mix.chance(30))
            && let Some(path) = take(&mut mix, &mut touched)
        {
            steps.push(Step::Delete(path));
        }
    }
    if mix.chance(30)
        && let Some(from) = take(&mut mix, &mut touched)
        && let Some(to) = free(&mut mix, &mut touched)
    {
        steps.push(Step::Move(from, to));
        steps.push(Step::Say(say(&mut mix, "Moved.")));
    }
    if mix.chance(50)
        && let Some(path) = free(&mut mix, &mut touched)
    {
        steps.push(write(path));
    }
    steps.push(Step::Say(say(&mut mix, "That is all.")));
    steps
}

/// The files after an answer.
#[must_use]
pub fn apply(steps: &[Step], files: &Tree) -> Tree {
    let mut after = files.clone();
    for step in steps {
        match step {
            Step::Say(_) => {}
            Step::Write { path, content } => {
                after.insert(path.clone(), content.clone());
            }
            Step::Delete(path) => {
                after.remove(path);
            }
            Step::Move(from, to) => {
                if let Some(content) = after.remove(from) {
                    after.insert(to.clone(), content);
                }
            }
        }
    }
    after
}

/// What is left of an answer that was cut off: the steps that are not done. One that was stopped
/// for more words is another answer now, whose steps may be done by chance alone.
///
/// # Errors
/// What the prompt calls done and the answer never said.
pub fn rest(mut steps: Vec<Step>, prompt: &Prompt) -> Result<Vec<Step>, String> {
    let Some(done) = &prompt.cut_off else { return Ok(steps) };
    let mut done = done.clone();
    if prompt.steered {
        steps.retain(|step| match step {
            Step::Say(_) => true,
            Step::Write { path, content } => done.written.get(path) != Some(content),
            Step::Delete(path) => !done.deleted.contains(path),
            Step::Move(from, to) => !done.moved.contains(&(from.clone(), to.clone())),
        });
        return Ok(steps);
    }
    let mut left = vec![Step::Say("I go on.\n".to_owned())];
    for step in steps {
        let is_done = match &step {
            Step::Say(_) => false,
            Step::Write { path, content } => match done.written.remove(path) {
                Some(written) if written == *content => true,
                Some(_) => return Err(format!("{path} is called done with other contents")),
                None => false,
            },
            Step::Delete(path) => done.deleted.remove(path),
            Step::Move(from, to) => done.moved.remove(&(from.clone(), to.clone())),
        };
        if !is_done {
            left.push(step);
        }
    }
    if let Some(path) = done.written.keys().chain(&done.deleted).next() {
        return Err(format!("{path} is called done and is not of this answer"));
    }
    if let Some((from, to)) = done.moved.first() {
        return Err(format!("{from} is called moved to {to}, which is not of this answer"));
    }
    Ok(left)
}

/// The text that a model would write for these steps.
#[must_use]
pub fn text(steps: &[Step], tag: &str) -> String {
    let mut text = String::new();
    for step in steps {
        // Writing to a String cannot fail.
        let _ = match step {
            Step::Say(words) => write!(text, "{words}"),
            Step::Write { path, content } => {
                write!(text, "@@{tag} write {}\n{content}@@{tag} end\n", quoted(path))
            }
            Step::Delete(path) => writeln!(text, "@@{tag} delete {}", quoted(path)),
            Step::Move(from, to) => writeln!(text, "@@{tag} move {} {}", quoted(from), quoted(to)),
        };
    }
    text
}

/// The words of an answer, or of its beginning, without instructions and files.
#[must_use]
pub fn prose(answer: &str, tag: &str) -> String {
    let prefix = format!("@@{tag} ");
    let (mut prose, mut in_file) = (String::new(), false);
    for line in answer.split_inclusive('\n') {
        match line.strip_prefix(&prefix) {
            Some(marker) => in_file = marker.starts_with("write "),
            None if in_file => {}
            // A beginning may end in what could have become an instruction: words as well.
            None => prose.push_str(line),
        }
    }
    prose
}

fn any_path(mix: &mut Mix) -> String {
    let [folder, name, ending] =
        [&FOLDERS[..], &NAMES, &ENDINGS].map(|words| mix.pick(words).copied().unwrap_or_default());
    format!("{folder}/{name}{}.{ending}", mix.below(30))
}

fn say(mix: &mut Mix, first: &str) -> String {
    let mut line = first.to_owned();
    for _ in 0..mix.between(2, 12) {
        line.push(' ');
        line.push_str(mix.pick(&WORDS).copied().unwrap_or_default());
    }
    line.push_str(if mix.chance(30) { "\n\n" } else { "\n" });
    line
}

/// The contents of a path: the same for the same seed, request and path.
fn content(seed: &str, request: &str, path: &str) -> String {
    let mut mix = Mix::of(&[seed, request, path]);
    if mix.chance(5) {
        return String::new();
    }
    let mut content = String::new();
    let (least, most) = if seed.starts_with(LONG) { (60, 160) } else { (3, 40) };
    for number in 0..mix.between(least, most) {
        match mix.below(12) {
            0 => content.push_str("@@aaaaaa end"), // another answer's marker is text here
            1 => content.push_str("@@"),
            2 => {}
            _ => {
                let _ = write!(content, "{number}:");
                for _ in 0..mix.between(1, 9) {
                    content.push_str(mix.pick(&[" ", "\t", "  "]).copied().unwrap_or(" "));
                    content.push_str(mix.pick(&WORDS).copied().unwrap_or_default());
                }
            }
        }
        content.push('\n');
    }
    content
}

/// Cuts a text into tokens of 1 to about 11 bytes, the same way each time.
#[must_use]
pub fn tokens(text: &str) -> Vec<usize> {
    let mut mix = Mix::of(&["tokens"]);
    let (mut ends, mut at) = (Vec::new(), 0);
    while at < text.len() {
        at += usize::try_from(mix.between(1, 11)).unwrap_or(1);
        while at < text.len() && !text.is_char_boundary(at) {
            at += 1;
        }
        at = at.min(text.len());
        ends.push(at);
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::{super::prompt::Done, *};

    /// The files after `turns` requests, each over the files of the one before.
    fn project(turns: usize) -> Tree {
        (0..turns).fold(Tree::new(), |files, turn| {
            apply(&plan("s", &format!("turn {turn}"), &files), &files)
        })
    }

    #[test]
    fn an_answer_is_the_same_each_time_and_another_for_another_request() {
        let files = project(4);
        assert!(!files.is_empty());
        assert_eq!(plan("s", "go", &files), plan("s", "go", &files));
        assert_ne!(plan("s", "go", &files), plan("s", "stop", &files));
        assert_ne!(plan("s", "go", &files), plan("t", "go", &files));
    }

    #[test]
    fn projects_see_every_kind_of_step_and_stay_small() {
        let (mut files, mut kinds) = (Tree::new(), [0; 4]);
        for turn in 0..200 {
            let steps = plan("s", &turn.to_string(), &files);
            for step in &steps {
                match step {
                    Step::Say(_) => kinds[0] += 1,
                    Step::Write { .. } => kinds[1] += 1,
                    Step::Delete(_) => kinds[2] += 1,
                    Step::Move(..) => kinds[3] += 1,
                }
            }
            files = apply(&steps, &files);
            assert!(files.len() < 20, "{} files", files.len());
        }
        assert!(kinds.iter().all(|count| *count > 20), "{kinds:?}");
    }

    #[test]
    fn a_long_answer_is_long() {
        let long: usize = (0..20)
            .map(|n| text(&plan("long1", &n.to_string(), &Tree::new()), "abc234").len())
            .sum();
        assert!(long / 20 > 20_000, "{} bytes on average", long / 20);
    }

    #[test]
    fn an_answer_cut_anywhere_and_continued_gives_the_same_files() {
        let files = project(9);
        for request in ["one", "two", "three", "four", "five"] {
            let steps = plan("s", request, &files);
            let whole = apply(&steps, &files);
            for cut in 0..=steps.len() {
                let mut done = Done::default();
                for step in &steps[..cut] {
                    match step.clone() {
                        Step::Say(_) => {}
                        Step::Write { path, content } => drop(done.written.insert(path, content)),
                        Step::Delete(path) => drop(done.deleted.insert(path)),
                        Step::Move(from, to) => drop(done.moved.insert((from, to))),
                    }
                }
                let prompt = Prompt { cut_off: Some(done), ..Prompt::default() };
                let left = rest(steps.clone(), &prompt).unwrap();
                assert_eq!(apply(&left, &apply(&steps[..cut], &files)), whole);
            }
        }
    }

    #[test]
    fn a_prompt_that_contradicts_the_answer_is_named() {
        let steps = vec![Step::Write { path: "a".into(), content: "x\n".into() }];
        let with = |done| rest(steps.clone(), &Prompt { cut_off: Some(done), ..Prompt::default() });
        let other = Done { written: Tree::from([("a".into(), "y\n".into())]), ..Done::default() };
        assert!(with(other).unwrap_err().contains("other contents"));
        let unknown = Done { deleted: BTreeSet::from(["b".into()]), ..Done::default() };
        assert!(with(unknown).unwrap_err().contains("not of this answer"));
    }

    #[test]
    fn prose_is_what_stands_outside_of_files() {
        let steps = plan("s", "go", &project(9));
        let said =
            |step: &Step| if let Step::Say(words) = step { words.clone() } else { String::new() };
        let words: String = steps.iter().map(said).collect();
        let text = text(&steps, "abc234");
        assert_eq!(prose(&text, "abc234"), words);
        for end in tokens(&text) {
            let said = prose(&text[..end], "abc234");
            let whole = said
                .strip_suffix(said.lines().last().filter(|_| !said.ends_with('\n')).unwrap_or(""));
            assert!(words.starts_with(&said) || words.starts_with(whole.unwrap()), "cut at {end}");
        }
    }

    #[test]
    fn tokens_cover_the_text_and_cut_no_character() {
        let text = "größe 日本語 plain words and more of them";
        let ends = tokens(text);
        assert!(ends.iter().all(|end| text.is_char_boundary(*end)));
        assert_eq!(ends.last(), Some(&text.len()));
    }
}
