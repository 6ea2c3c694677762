//! What a follow-up prompt demands of the files.

use super::{
    feature::{Feature, seconds},
    kind::Kind,
    look::{Colour, Scheme, find_colour, find_scheme},
    tree::Tree,
    words::{self, VERBS, Word, bare, capital, has_any, list, phrase, words},
};
use std::ops::Range;

/// One change of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Light, dark, or as the system is set.
    Scheme(Scheme),
    /// Another colour.
    Colour(Colour),
    /// Larger or smaller text.
    TextSize(Size),
    /// Another title.
    Title(String),
    /// A feature comes in; a timer's seconds, where named.
    Add(Feature, Option<u32>),
    /// A feature goes.
    Remove(Feature),
    /// Columns come in, before one that is there.
    Columns(Vec<String>, Neighbour),
    /// Tasks or cards to begin with come in.
    Items(Vec<String>),
    /// A file goes.
    Delete(String),
    /// A file moves; the target is as the user wrote it.
    Move(String, String),
}

/// Larger or smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Larger.
    Larger,
    /// Smaller.
    Smaller,
}

/// Where columns come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Neighbour {
    /// Before this one.
    Before(String),
    /// After this one.
    After(String),
    /// The prompt does not say.
    Unsaid,
}

const REMOVING: &[&str] =
    &["remove", "delete", "drop", "rid", "without", "hide", "disable", "undo", "away"];
const ADDING: &[&str] = &["add", "put", "insert", "include", "append"];

/// The changes that a prompt demands, in its order.
pub(super) fn read(text: &str, tree: &Tree, kind: Option<Kind>) -> Vec<Change> {
    let mut changes = Vec::new();
    for command in commands(text) {
        for change in read_command(command, tree, kind) {
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
    }
    changes
}

/// The features that words ask for.
pub(super) fn features(words: &[Word]) -> Vec<Change> {
    let seconds = seconds(words);
    let add = |one| Change::Add(one, seconds.filter(|_| one == Feature::Timer));
    asked_features(words).map(add).collect()
}

fn asked_features(words: &[Word]) -> impl Iterator<Item = Feature> {
    Feature::ALL.into_iter().filter(|feature| feature.is_asked(words))
}

/// Parts a prompt: a command begins after a sentence, and at a verb after a comma or "and".
/// Quoted words stay together.
fn commands(text: &str) -> Vec<&str> {
    let quoted = quotes(text);
    let found = words(text);
    let mut cuts = vec![0];
    for pair in found.windows(2) {
        let [before, word] = pair else { continue };
        let gap = text.get(before.at.end..word.at.start).unwrap_or_default();
        let sentence = gap.contains(['.', '!', '?', ';', '\n']);
        let joined = gap.contains(',') || before.is(&["and", "then", "also", "please"]);
        let inside = quoted.iter().any(|quote| quote.contains(&word.at.start));
        if !inside && (sentence || (joined && word.is_in(VERBS))) {
            let joint = before.is(&["and", "then", "also"]);
            cuts.push(if joint { before.at.start } else { word.at.start });
        }
    }
    cuts.push(text.len());
    let spans = cuts.windows(2).filter_map(|pair| match pair {
        [from, to] => text.get(*from..*to),
        _ => None,
    });
    spans.filter(|command| !command.trim().is_empty()).collect()
}

/// The places of texts in double quotes.
fn quotes(text: &str) -> Vec<Range<usize>> {
    let mut places = text.char_indices().filter(|(_, letter)| matches!(letter, '"' | '“' | '”'));
    let mut quotes = Vec::new();
    while let (Some((from, _)), Some((to, _))) = (places.next(), places.next()) {
        quotes.push(from..to);
    }
    quotes
}

fn read_command(text: &str, tree: &Tree, kind: Option<Kind>) -> Vec<Change> {
    let found = words(text);
    let removes = has_any(&found, REMOVING);
    let paths = paths(text, tree);
    if let Some((path, at)) = paths.first() {
        if removes {
            return paths.iter().map(|(path, _)| Change::Delete(path.clone())).collect();
        }
        let target =
            has_any(&found, &["move", "rename", "put"]).then(|| target(text, at.end, path));
        if let Some(Some(target)) = target {
            return vec![Change::Move(path.clone(), target)];
        }
    }
    if let Some(title) = title(text, &found) {
        return vec![Change::Title(title)];
    }
    let asked = features(&found);
    if removes {
        let gone = asked_features(&found).map(Change::Remove);
        let system = asked.is_empty() && find_scheme(&found).is_some();
        return gone.chain(system.then_some(Change::Scheme(Scheme::System))).collect();
    }
    if kind == Some(Kind::Kanban) && has_any(&found, &["column", "columns", "lane", "lanes"]) {
        return columns(text, &found).into_iter().collect();
    }
    let switched = asked.iter().any(|one| matches!(one, Change::Add(Feature::ThemeSwitch, _)));
    let mut changes: Vec<_> = size(&found).into_iter().collect();
    changes.extend(find_scheme(&found).filter(|_| !switched).map(Change::Scheme));
    changes.extend(find_colour(&found).map(Change::Colour));
    changes.extend(asked);
    if changes.is_empty() || has_any(&found, &["task", "tasks", "item", "items", "card", "cards"]) {
        let items = items(text, &found);
        if !items.is_empty() {
            return vec![Change::Items(items)];
        }
    }
    changes
}

/// The files that a text names, with the places of their names.
fn paths(text: &str, tree: &Tree) -> Vec<(String, Range<usize>)> {
    let mut paths = Vec::new();
    for path in tree.paths().filter(|path| path.contains(' ')) {
        paths.extend(text.find(path.as_str()).map(|at| (path.clone(), at..at + path.len())));
    }
    let mut end = 0;
    for token in text.split_whitespace() {
        let at = end + text.get(end..).and_then(|tail| tail.find(token)).unwrap_or_default();
        end = at + token.len();
        let name = trim_name(token);
        let name = if name.eq_ignore_ascii_case("readme") { "README.md" } else { name };
        if let Some(path) = tree.find(name.trim_start_matches("./")) {
            paths.push((path.to_owned(), at..end));
        }
    }
    paths
}

fn trim_name(token: &str) -> &str {
    let marks = ['"', '\'', '`', '“', '”', ',', ';', ':', '!', '?', '(', ')'];
    token.trim_matches(marks).trim_end_matches('.').trim_matches(marks)
}

/// Where a file shall go: a path, or a folder.
fn target(text: &str, from: usize, path: &str) -> Option<String> {
    let tail = text.get(from..)?;
    let mark =
        words(tail).into_iter().find(|word| word.is(&["to", "into", "in", "as", "under"]))?;
    let rest = tail.get(mark.at.end..)?;
    let folder_named = has_any(&words(rest), &["folder", "directory", "subfolder"]);
    let quoted = quotes(rest).first().and_then(|at| rest.get(at.clone()));
    let is_name = |name: &&str| {
        !matches!(
            *name,
            "" | "the" | "a" | "an" | "new" | "folder" | "directory" | "called" | "named"
        )
    };
    let name = match quoted {
        Some(quoted) => trim_name(quoted),
        None => rest.split_whitespace().map(trim_name).find(is_name)?,
    };
    let file = path.rsplit('/').next().unwrap_or(path);
    let last = name.rsplit('/').next().unwrap_or(name);
    if folder_named || last.is_empty() || !last.contains('.') {
        return Some(format!("{}/{file}", name.trim_end_matches('/')));
    }
    let renames = has_any(&words(text), &["rename"]) && !name.contains('/');
    let dir = path.rsplit_once('/').map(|(dir, _)| dir).filter(|_| renames);
    Some(dir.map_or_else(|| name.to_owned(), |dir| format!("{dir}/{name}")))
}

/// The new title: "rename it to X", "call it X", "change the title to X".
fn title(text: &str, found: &[Word]) -> Option<String> {
    let renames = has_any(found, &["rename", "retitle"]);
    let names = has_any(found, &["title", "name", "heading", "headline"]);
    let calls = found.iter().take(2).any(|word| word.is(&["call", "name", "title"]));
    let mark = if renames || (names && has_any(found, &["change", "set", "make"])) {
        let mark = found.iter().find(|word| word.is(&["to", "as"]));
        mark.or_else(|| found.iter().find(|word| word.is(&["it", "title", "name", "heading"])))?
    } else if calls {
        let things = ["it", "this", "app", "list", "quiz", "board", "page"];
        found.iter().find(|word| word.is(&things))?
    } else {
        return None;
    };
    phrase(text, mark.at.end, &[]).map(|(title, _)| capital(&title))
}

fn size(found: &[Word]) -> Option<Change> {
    let text = ["text", "font", "fonts", "letters", "everything", "type", "writing", "size"];
    if !has_any(found, &text) {
        return None;
    }
    if has_any(found, &["bigger", "larger", "increase", "enlarge", "large", "big"]) {
        return Some(Change::TextSize(Size::Larger));
    }
    has_any(found, &["smaller", "decrease", "small"]).then_some(Change::TextSize(Size::Smaller))
}

/// "Add a column Review before Done", "add a Review column".
fn columns(text: &str, found: &[Word]) -> Option<Change> {
    let place = found.iter().position(|word| word.is(&["column", "columns", "lane", "lanes"]))?;
    let mark = found.get(place)?;
    let named = found.get(place + 1).filter(|next| next.is(&["called", "named", "for"]));
    let stops = &["after", "before", "between", "to", "at", "on"];
    let (mut names, _) = list(text, named.map_or(mark.at.end, |next| next.at.end), stops);
    if names.is_empty() {
        let skip = ["add", "a", "an", "new", "another", "the", "more", "insert", "put", "please"];
        let mut before = found.iter().take(place).skip_while(|word| word.is(&skip));
        let start = before.next()?.at.start;
        names = list(text.get(..mark.at.start)?, start, &[]).0;
    }
    let names: Vec<_> = names.iter().map(|name| capital(name)).collect();
    let beside = found.iter().find(|word| word.is(&["before", "after"]));
    let neighbour = beside.and_then(|word| {
        let (name, _) = phrase(text, word.at.end, &["column", "and"])?;
        let name = bare(&name).to_owned();
        Some(if word.is(&["after"]) { Neighbour::After(name) } else { Neighbour::Before(name) })
    });
    (!names.is_empty()).then(|| Change::Columns(names, neighbour.unwrap_or(Neighbour::Unsaid)))
}

/// "Add milk and eggs to the list", "add the tasks call Ann, pay rent".
fn items(text: &str, found: &[Word]) -> Vec<String> {
    let Some(verb) = found.iter().find(|word| word.is(ADDING)) else { return Vec::new() };
    let noun =
        found.iter().find(|word| word.is(&["task", "tasks", "item", "items", "card", "cards"]));
    let aims = ["list", "board", "to-do", "todo", "todos", "backlog", "tasks", "items", "cards"];
    let aim = found.windows(3).find_map(|words| match words {
        [to, the, aim] if to.is(&["to", "on", "in", "as"]) && (the.is(&aims) || aim.is(&aims)) => {
            Some(to.at.start)
        }
        _ => None,
    });
    let end = aim.unwrap_or(text.len());
    let from = match noun.filter(|noun| noun.at.end <= end) {
        Some(noun) => noun.at.end,
        None if aim.is_some() => verb.at.end,
        None => return Vec::new(),
    };
    let (items, _) = list(text.get(..end).unwrap_or_default(), from, &[]);
    items.iter().map(|item| capital(bare(&words::tidy(item)))).collect()
}

#[cfg(test)]
mod tests;
