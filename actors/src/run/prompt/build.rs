//! Building the messages.

use super::{
    CURRENT_FILES, CUT_OFF, EDITS, Mend, NO_TEXT, REQUEST, STEERED, SYSTEM, WRITE_THE_REST,
};
use crate::{
    port::{Message, Role},
    run::{
        Change, Changes, Tag,
        artifact::quoted,
        tree::{FileEntry, Files},
    },
};
use std::{borrow::Cow, collections::BTreeMap};

/// Most bytes of all messages together, by default: some 50,000 tokens, which every current model
/// takes with room for its answer.
pub const CONTEXT_BYTES_MAX: usize = 200 * 1024;

/// Earlier turns get at most this part of the whole.
const HISTORY_SHARE: usize = 4;

/// At most so many bytes say how many files are not even named.
pub(in crate::run) const UNLISTED_BYTES: usize = 60;

/// An earlier turn of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What the user asked.
    pub prompt: String,
    /// What was answered in words: [`crate::run::output::Output::prose`].
    pub answer: String,
}

/// All that a prompt is built from.
#[derive(Clone, Copy, Debug)]
pub struct PromptInput<'a> {
    /// Earlier turns, oldest first.
    pub history: &'a [Turn],
    /// The project's files.
    pub files: &'a Files,
    /// Contents of those files that were read, by path: at least those of [`readable`]. A file
    /// without its contents is listed as omitted.
    pub texts: &'a BTreeMap<String, String>,
    /// The user's prompt.
    pub request: &'a str,
    /// What an answer that was cut off, or is to be mended, had completed; none for a first call.
    pub done: Option<&'a Changes>,
    /// Whether the answer was stopped for what was said meanwhile, which the prompt holds.
    pub steered: bool,
    /// What is to be mended; none: the answer was cut off, or this is a first call.
    pub mend: Option<Mend<'a>>,
}

/// The paths of the files that a prompt may have room for, smallest first: all others need not be
/// read from the store.
pub fn readable(files: &Files, bytes_max: usize) -> impl Iterator<Item = (&str, FileEntry)> {
    let mut room = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    smallest_first(files).map_while(move |(path, entry)| {
        room = room.checked_sub(entry.bytes)?;
        Some((path, entry))
    })
}

impl PromptInput<'_> {
    /// The first candidate that occurs nowhere in the prompt; thirty random bits nearly always do.
    /// None where no candidate is free.
    #[must_use]
    pub fn choose_tag(&self, candidates: impl IntoIterator<Item = [u8; Tag::LEN]>) -> Option<Tag> {
        candidates.into_iter().map(Tag::from_random).find(|tag| !self.holds(tag.as_str()))
    }

    fn holds(&self, tag: &str) -> bool {
        let history = self.history.iter().flat_map(|turn| [&turn.prompt, &turn.answer]);
        let files = self.files.keys().chain(self.texts.values()).map(String::as_str);
        let done = self.done.into_iter().flatten().flat_map(|change| match change {
            Change::Write { path, content } => [path, content],
            Change::Delete { path } => [path, path],
            Change::Move { from, to } => [from, to],
        });
        let mut texts = history.chain(done).map(String::as_str).chain(files);
        let mends = self.mend.is_some_and(|mend| mend.holds(tag));
        let instructs = [SYSTEM, EDITS, self.request].into_iter().any(|text| text.contains(tag));
        mends || instructs || texts.any(|text| text.contains(tag))
    }

    /// The messages. Instructions and request always go; then, as far as `bytes_max` allows, what
    /// of a cut-off answer is complete, the latest earlier turns, and the project's files, smallest
    /// first, the others by name.
    #[must_use]
    pub fn build(&self, tag: &Tag, bytes_max: usize) -> Vec<Message> {
        let can_edit = !self.files.is_empty() || self.mend.is_some() || self.steered;
        let system = SYSTEM.replace("{edits}", if can_edit { EDITS } else { "" });
        let system = system.replace("{tag}", tag.as_str());
        let headings = [CURRENT_FILES, REQUEST, STEERED, WRITE_THE_REST];
        let frame = headings.map(str::len).iter().sum::<usize>() + 5 + UNLISTED_BYTES;
        let mut room = Room::new(bytes_max);
        room.take_up(system.len() + self.request.len() + frame);

        let done = match self.mend {
            Some(mend) => mend.section(tag, self.done, &mut room),
            None => {
                let heading = if self.steered { STEERED } else { CUT_OFF };
                let done = self.done.map(|done| done_section(tag, heading, done, &mut room));
                done.unwrap_or_default()
            }
        };
        let history = recent_turns(self.history, bytes_max, &mut room);
        let files = self.files_section(tag, &mut room);

        let mut messages = vec![message(Role::System, system)];
        messages.extend(history);
        let last = format!("{files}{REQUEST}\n{}{done}", self.request);
        messages.push(message(Role::User, last));
        messages
    }

    fn files_section(&self, tag: &Tag, room: &mut Room) -> String {
        if self.files.is_empty() {
            return String::new();
        }
        let items = self.files.iter().map(|(path, entry)| {
            let text = self.texts.get(path).map(String::as_str);
            Item { path: quoted(path), bytes: entry.bytes, text }
        });
        let mut items: Vec<Item<'_>> = items.collect();
        let listed = items.iter().take_while(|item| room.take(item.name_bytes())).count();
        let unlisted = items.split_off(listed).len();
        hide_what_does_not_fit(&mut items, room);
        let mut section = format!("{CURRENT_FILES}\n");
        write_items(&mut section, tag, "file", &items);
        section + &unlisted_line(unlisted)
    }
}

/// The messages of the latest turns that fit what is left and their share of the whole, oldest
/// first.
pub(in crate::run) fn recent_turns(
    history: &[Turn],
    bytes_max: usize,
    room: &mut Room,
) -> Vec<Message> {
    let mut share = Room::new(bytes_max / HISTORY_SHARE);
    let fits = |turn: &&Turn| {
        let bytes = turn.prompt.len() + turn.answer.len().max(NO_TEXT.len());
        share.take(bytes) && room.take(bytes)
    };
    let kept = history.iter().rev().take_while(fits).count();
    let kept = history.get(history.len() - kept..).unwrap_or_default();
    let messages = kept.iter().flat_map(|Turn { prompt, answer }| {
        let answer = if answer.trim().is_empty() { NO_TEXT } else { answer };
        [message(Role::User, prompt.clone()), message(Role::Assistant, answer.to_owned())]
    });
    messages.collect()
}

/// Says how many files are not even named.
pub(in crate::run) fn unlisted_line(files: usize) -> String {
    if files > 0 { format!("({files} more files are not listed.)\n") } else { String::new() }
}

/// What is complete of an answer that ended early, and that the rest is due; empty where nothing is.
fn done_section(tag: &Tag, heading: &str, done: &Changes, room: &mut Room) -> String {
    if done.is_empty() {
        return String::new();
    }
    format!("\n{heading}\n{}{WRITE_THE_REST}", done_items(tag, done, room))
}

/// What is complete of an answer. Its paths always go, its contents as far as they fit.
pub(super) fn done_items(tag: &Tag, done: &Changes, room: &mut Room) -> String {
    let mut steps = String::new();
    for change in done {
        match change {
            Change::Write { .. } => {}
            Change::Delete { path } => steps += &format!("@@{tag} deleted {}\n", quoted(path)),
            Change::Move { from, to } => {
                steps += &format!("@@{tag} moved {} {}\n", quoted(from), quoted(to));
            }
        }
    }
    let items = done.written().into_iter().map(|(path, text)| {
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        Item { path: quoted(path), bytes, text: Some(text) }
    });
    let mut items: Vec<Item<'_>> = items.collect();
    room.take_up(steps.len() + items.iter().map(Item::name_bytes).sum::<usize>());
    hide_what_does_not_fit(&mut items, room);
    let mut section = String::new();
    write_items(&mut section, tag, "done", &items);
    section + &steps
}

/// A file of a section.
struct Item<'a> {
    /// Its path, quoted where needed.
    path: Cow<'a, str>,
    /// Its length.
    bytes: u64,
    /// Its contents, if they are shown.
    text: Option<&'a str>,
}

impl Item<'_> {
    /// At most so many bytes name it: `@@<tag> omitted PATH BYTES`.
    fn name_bytes(&self) -> usize {
        self.path.len() + 40
    }
}

/// Keeps the contents of as many files as fit, smallest first.
fn hide_what_does_not_fit(items: &mut [Item<'_>], room: &mut Room) {
    /// A newline and `@@<tag> end`.
    const END_BYTES: usize = 14;
    let mut by_size: Vec<&mut Item<'_>> = items.iter_mut().collect();
    by_size.sort_by_key(|item| item.bytes);
    for item in by_size {
        item.text = item.text.filter(|text| room.take(text.len() + END_BYTES));
    }
}

fn write_items(section: &mut String, tag: &Tag, verb: &str, items: &[Item<'_>]) {
    for Item { path, bytes, text } in items {
        let Some(text) = text else {
            *section += &format!("@@{tag} omitted {path} {bytes}\n");
            continue;
        };
        let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        section.extend(["@@", tag.as_str(), " ", verb, " ", path, "\n"]);
        section.extend([text, newline, "@@", tag.as_str(), " end\n"]);
    }
}

/// Bytes that are left.
pub(in crate::run) struct Room(usize);

impl Room {
    pub(in crate::run) const fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes them if there are so many.
    pub(in crate::run) fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// Takes them in any case.
    pub(in crate::run) const fn take_up(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }
}

fn smallest_first(files: &Files) -> impl Iterator<Item = (&str, FileEntry)> {
    let mut all: Vec<_> = files.iter().map(|(path, entry)| (path.as_str(), *entry)).collect();
    all.sort_by_key(|(path, entry)| (entry.bytes, *path));
    all.into_iter()
}

pub(in crate::run) const fn message(role: Role, content: String) -> Message {
    Message { role, content }
}
