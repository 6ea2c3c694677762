//! The whole answer to a prompt. Pure: the same prompt gives the same bytes.

use super::{
    app,
    brief::Brief,
    change::{self, Outcome},
    demand::{self, Change},
    kind::Kind,
    request::{Done, Prompt},
    tree::{Step, Tree},
    words::{has_any, words},
};
use std::fmt::Write as _;

/// How every answer begins.
pub(super) const WHO: &str = "This is Greenroom's built-in stand-in, not a model";
/// What it can change.
pub(super) const KNOWN: &str = "It knows these changes, in plain words: dark, light or system theme; a colour \
    (red, green, blue, …); larger or smaller text; another title; a search box, due dates, \
    priorities, a timer, a theme switch, a print button, shuffled questions, each to add or \
    remove; more columns or tasks; deleting and moving files. For anything else, connect a model.";

/// An answer: words, then steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Answer {
    prose: String,
    steps: Vec<Step>,
}

/// The text of the answer to a prompt, in the engine's artifact format.
pub(super) fn write(prompt: &Prompt) -> String {
    let Some(tag) = &prompt.tag else {
        return format!(
            "{WHO}: it can only write small web apps, and this call asks for no files.\n"
        );
    };
    let answer = Answer::to(prompt);
    match &prompt.done {
        None => answer.text(tag),
        Some(done) if prompt.steered => answer.taken_up(done).text(tag),
        Some(done) => answer.rest(done).text(tag),
    }
}

impl Answer {
    /// The answer as a whole, whether or not a part of it is done.
    fn to(prompt: &Prompt) -> Self {
        let page = |path: &str| path.ends_with(".html");
        let mut pages = prompt.files.iter().filter(|(path, _)| page(path));
        let kind = pages.find_map(|(_, html)| Kind::of_page(html));
        if prompt.files.is_empty() && prompt.omitted.is_empty() {
            // The first request says what the project is, unless this one names something.
            let first = prompt.first_request();
            let named = Kind::asked(&prompt.request).is_some();
            return Self::new_app(if named { &prompt.request } else { first }, prompt);
        }
        if kind.is_some() && asks_for_another(&prompt.request, kind) {
            return Self::new_app(&prompt.request, prompt);
        }
        Self::changed(prompt, kind)
    }

    fn new_app(request: &str, prompt: &Prompt) -> Self {
        let brief = Brief::read(request);
        let app = app::build(&brief, request);
        let mut tree = Tree::new(prompt.files.clone(), prompt.omitted.clone());
        for name in app.files.keys() {
            // An earlier app's files may have been moved: they would be left behind.
            let old = tree.find(name).filter(|path| path != name).map(str::to_owned);
            old.into_iter().for_each(|path| tree.delete(&path));
        }
        for (path, content) in app.files {
            tree.write(&path, content);
        }
        let mut remarks = app.remarks;
        for feature in demand::features(&words(&brief.rest)) {
            match change::make(&mut tree, Some(brief.kind), &feature) {
                Outcome::Made(remark) | Outcome::NotMade(remark) => remarks.push(remark),
            }
        }
        let nearest = if brief.kind_named {
            ""
        } else {
            " It has three (a to-do list, a quiz, a kanban board) and none is quite what you asked \
             for: this is the nearest."
        };
        let steps = tree.steps();
        let intro = format!(
            "{WHO}: it fills in a prepared app and now writes a {}, “{}”, as {}.{nearest}",
            brief.kind.noun(),
            brief.title,
            names(&steps),
        );
        let intro = with_remarks(intro, &remarks);
        let prose = format!("{intro}\n\nOpen index.html: nothing to install. {KNOWN}");
        Self { prose, steps }
    }

    fn changed(prompt: &Prompt, kind: Option<Kind>) -> Self {
        let mut tree = Tree::new(prompt.files.clone(), prompt.omitted.clone());
        let changes = demand::read(&prompt.request, &tree, kind);
        let mut remarks = Vec::new();
        for change in &changes {
            // An earlier change of this prompt may have taken the file away.
            if let Change::Delete(path) | Change::Move(path, _) = change
                && !tree.has(path)
            {
                continue;
            }
            remarks.push(match change::make(&mut tree, kind, change) {
                Outcome::Made(remark) => remark,
                Outcome::NotMade(remark) => format!("Not changed: {remark}"),
            });
        }
        let steps = tree.steps();
        let intro = match (changes.is_empty(), steps.is_empty()) {
            (true, _) => format!("{WHO}: it does not understand this request and writes no file."),
            (false, true) => format!("{WHO}: it writes no file for this request."),
            (false, false) => {
                format!("{WHO}: it makes prepared changes and now touches {}.", names(&steps))
            }
        };
        let mut prose = with_remarks(intro, &remarks);
        if steps.is_empty() {
            prose += &format!("\n\n{KNOWN}");
        }
        Self { prose, steps }
    }

    /// What is left of the answer after it was cut off.
    fn rest(self, done: &[Done]) -> Self {
        let all = self.steps.len();
        let is_done = |step: &Step| {
            done.iter().any(|done| match (step, done) {
                (Step::Write { path, .. } | Step::Edit { path, .. }, Done::Wrote(wrote, _)) => {
                    path == wrote
                }
                (Step::Delete(path), Done::Deleted(deleted)) => path == deleted,
                (Step::Move(from, to), Done::Moved(moved, there)) => from == moved && to == there,
                _ => false,
            })
        };
        let steps: Vec<_> = self.steps.into_iter().filter(|step| !is_done(step)).collect();
        let prose = if steps.is_empty() {
            format!("{WHO}: its answer was cut off after all its files were written.")
        } else {
            format!(
                "{WHO}: its answer was cut off, and it now goes on with the rest, {} of {all}: {}.",
                steps.len(),
                names(&steps),
            )
        };
        Self { prose, steps }
    }

    /// What is left of the answer to all that was said, where a part of it was done before the last
    /// of it: files that come out otherwise now are written once more.
    fn taken_up(self, done: &[Done]) -> Self {
        let is_done = |step: &Step| match step {
            Step::Write { path, content } | Step::Edit { path, content, .. } => {
                wrote(done, path).flatten() == Some(content)
            }
            Step::Delete(path) => done.contains(&Done::Deleted(path.clone())),
            Step::Move(from, to) => done.contains(&Done::Moved(from.clone(), to.clone())),
        };
        let mut steps: Vec<_> = self.steps.into_iter().filter(|step| !is_done(step)).collect();
        for step in &mut steps {
            // Its blocks are for the file as it was before.
            if let Step::Edit { path, content, .. } = step
                && wrote(done, path).is_some()
            {
                let (path, content) = (std::mem::take(path), std::mem::take(content));
                *step = Step::Write { path, content };
            }
        }
        let prose = if steps.is_empty() {
            format!("{WHO}: what was said meanwhile changes nothing of what it has written.")
        } else {
            format!(
                "{WHO}: it takes up what was said meanwhile and goes on with {}.",
                names(&steps)
            )
        };
        Self { prose, steps }
    }

    fn text(&self, tag: &str) -> String {
        let mut text = format!("{}\n", self.prose);
        for step in &self.steps {
            // Writing to a string can't fail.
            let _ = match step {
                Step::Write { path, content } => {
                    write!(text, "\n@@{tag} write {}\n{content}@@{tag} end\n", quote(path))
                }
                Step::Edit { path, blocks, .. } => {
                    write!(text, "\n@@{tag} edit {}\n{blocks}@@{tag} end\n", quote(path))
                }
                Step::Delete(path) => write!(text, "\n@@{tag} delete {}\n", quote(path)),
                Step::Move(from, to) => {
                    write!(text, "\n@@{tag} move {} {}\n", quote(from), quote(to))
                }
            };
        }
        text
    }
}

/// Whether a file was written, and its content, where that is known.
fn wrote<'a>(done: &'a [Done], path: &str) -> Option<Option<&'a String>> {
    done.iter().find_map(|done| match done {
        Done::Wrote(wrote, content) if wrote == path => Some(content.as_ref()),
        Done::Wrote(..) | Done::Deleted(_) | Done::Moved(..) => None,
    })
}

/// Whether a request is for another app than the project has: "Make a quiz about …".
pub(super) fn asks_for_another(request: &str, kind: Option<Kind>) -> bool {
    let words = words(request);
    let start = words.get(..words.len().min(4)).unwrap_or_default();
    let builds = has_any(start, &["make", "build", "create", "generate", "write"]);
    let named = Kind::asked(request);
    let other = named != kind && has_any(&words, &["a", "an"]);
    let anew = has_any(&words, &["instead", "scratch", "anew"]);
    builds && named.is_some() && (other || anew)
}

fn with_remarks(intro: String, remarks: &[String]) -> String {
    remarks.iter().fold(intro, |text, remark| text + "\n- " + remark)
}

/// The files that steps touch, for a sentence.
fn names(steps: &[Step]) -> String {
    let names: Vec<_> = steps
        .iter()
        .map(|step| match step {
            Step::Write { path, .. } | Step::Edit { path, .. } => path.clone(),
            Step::Delete(path) => format!("{path} (deleted)"),
            Step::Move(from, to) => format!("{from} (moved to {to})"),
        })
        .collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// A path as a marker names it.
fn quote(path: &str) -> String {
    if path.contains(' ') { format!("\"{path}\"") } else { path.to_owned() }
}
