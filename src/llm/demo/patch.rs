//! A prepared change of files: lines put beside others, or in their place.
//!
//! Its text has lines that begin with `%%`. `%% after FILE`, `%% before FILE` and
//! `%% replace FILE` are followed by the lines to find, then by `%% add` or `%% with` and the new
//! lines; `%% append FILE` by the new lines. A `?` after the first word makes the edit optional.
//! What is found must be there exactly once: a patch applies as a whole or not at all.

use super::tree::Tree;

/// How an edit finds its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    After,
    Before,
    Replace,
    Append,
}

/// One edit of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit<'a> {
    place: Place,
    optional: bool,
    file: &'a str,
    find: String,
    new: String,
}

/// What became of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patched {
    /// It is in, or out again.
    Yes,
    /// Nothing to do: it was in, or out, before.
    Already,
    /// A file is missing, or differs where the patch would change it.
    DoesNotFit,
}

/// Puts patches into the files, all or none.
pub(super) fn apply(tree: &mut Tree, patches: &[String]) -> Patched {
    run(
        tree,
        patches,
        |edit, content| edit.apply(content),
        |edit, content| content.contains(&edit.new),
    )
}

/// Takes patches out of the files, all or none.
pub(super) fn revert(tree: &mut Tree, patches: &[String]) -> Patched {
    run(
        tree,
        patches,
        |edit, content| edit.revert(content),
        |edit, content| !content.contains(&edit.new),
    )
}

fn run(
    tree: &mut Tree,
    patches: &[String],
    change: impl Fn(&Edit<'_>, &str) -> Option<String>,
    is_done: impl Fn(&Edit<'_>, &str) -> bool,
) -> Patched {
    let edits: Vec<_> = patches.iter().flat_map(|patch| parse(patch)).collect();
    let content = |edit: &Edit<'_>| tree.find(edit.file).and_then(|path| tree.get(path));
    let mut needed = edits.iter().filter(|edit| !edit.optional);
    if needed.all(|edit| content(edit).is_some_and(|content| is_done(edit, content))) {
        return Patched::Already;
    }
    let mut changed = tree.clone();
    for edit in &edits {
        let path = changed.find(edit.file).map(str::to_owned);
        let content = path.as_deref().and_then(|path| changed.get(path));
        match (path.as_deref(), content.and_then(|content| change(edit, content))) {
            (Some(path), Some(content)) => changed.write(path, content),
            _ if edit.optional => {}
            _ => return Patched::DoesNotFit,
        }
    }
    *tree = changed;
    Patched::Yes
}

impl Edit<'_> {
    fn apply(&self, content: &str) -> Option<String> {
        let both = match self.place {
            Place::Append => return Some(format!("{content}{}", self.new)),
            Place::After => format!("{}{}", self.find, self.new),
            Place::Before => format!("{}{}", self.new, self.find),
            Place::Replace => self.new.clone(),
        };
        replace_once(content, &self.find, &both)
    }

    fn revert(&self, content: &str) -> Option<String> {
        let both = match self.place {
            Place::Append => String::new(),
            Place::After => format!("{}{}", self.find, self.new),
            Place::Before => format!("{}{}", self.new, self.find),
            Place::Replace => return replace_once(content, &self.new, &self.find),
        };
        // The same lines may stand elsewhere, and others may have come between the two.
        replace_once(content, &self.new, "").or_else(|| replace_once(content, &both, &self.find))
    }
}

/// Replaces whole lines that are there exactly once.
fn replace_once(content: &str, find: &str, new: &str) -> Option<String> {
    let starts_line = |at: &usize| *at == 0 || content.as_bytes().get(at - 1) == Some(&b'\n');
    let mut found = content.match_indices(find).map(|(at, _)| at).filter(starts_line);
    let at = found.next().filter(|_| found.next().is_none())?;
    let (before, after) = (content.get(..at)?, content.get(at + find.len()..)?);
    Some([before, new, after].concat())
}

fn parse(patch: &str) -> Vec<Edit<'_>> {
    let mut edits: Vec<Edit<'_>> = Vec::new();
    let mut finds = false;
    for line in patch.split_inclusive('\n') {
        if let Some(head) = line.strip_prefix("%% ") {
            finds = !head.starts_with("add") && !head.starts_with("with");
            if let Some(edit) = Edit::headed(head.trim_end()) {
                finds = edit.place != Place::Append;
                edits.push(edit);
            }
        } else if let Some(edit) = edits.last_mut() {
            if finds { &mut edit.find } else { &mut edit.new }.push_str(line);
        }
    }
    edits
}

impl<'a> Edit<'a> {
    fn headed(head: &'a str) -> Option<Self> {
        let (word, file) = head.split_once(' ')?;
        let place = match word.trim_end_matches('?') {
            "after" => Place::After,
            "before" => Place::Before,
            "replace" => Place::Replace,
            "append" => Place::Append,
            _ => return None,
        };
        let optional = word.ends_with('?');
        Some(Self { place, optional, file, find: String::new(), new: String::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    const PATCH: &str = "%% after a.txt\none\n%% add\n1\n%% replace a.txt\ntwo\n%% with\n2\n\
        %% append a.txt\nend\n%% before? b.txt\nx\n%% add\ny\n";

    fn tree(content: &str) -> Tree {
        Tree::new(BTreeMap::from([("sub/a.txt".into(), content.into())]), BTreeSet::new())
    }

    #[test]
    fn a_patch_goes_in_once_and_out_again() {
        let mut tree = tree("one\ntwo\n");
        let patches = [PATCH.to_owned()];

        assert_eq!(apply(&mut tree, &patches), Patched::Yes);
        assert_eq!(tree.get("sub/a.txt"), Some("one\n1\n2\nend\n"));
        assert_eq!(apply(&mut tree, &patches), Patched::Already);
        assert_eq!(revert(&mut tree, &patches), Patched::Yes);
        assert_eq!(tree.get("sub/a.txt"), Some("one\ntwo\n"));
        assert_eq!(revert(&mut tree, &patches), Patched::Already);
    }

    #[test]
    fn a_patch_that_does_not_fit_changes_nothing() {
        for content in ["one\n", "one\none\ntwo\n", "two\n"] {
            let mut tree = tree(content);
            assert_eq!(apply(&mut tree, &[PATCH.to_owned()]), Patched::DoesNotFit);
            assert_eq!(tree.get("sub/a.txt"), Some(content));
        }
    }
}
