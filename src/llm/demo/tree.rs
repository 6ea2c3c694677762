//! The project's files while an answer changes them.

use super::blocks::blocks;
use std::collections::{BTreeMap, BTreeSet};

/// One step of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Writes a whole file.
    Write {
        /// Its path.
        path: String,
        /// Its content; every line ends with a line feed.
        content: String,
    },
    /// Edits a file that is there.
    Edit {
        /// Its path.
        path: String,
        /// The blocks of the edit.
        blocks: String,
        /// Its content after them.
        content: String,
    },
    /// Deletes a file.
    Delete(String),
    /// Moves a file, from here to there.
    Move(String, String),
}

/// Files, and how they came to differ from those of the project.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, String>,
    /// Files whose content is not known.
    hidden: BTreeSet<String>,
    /// Content of each file as the project has it, under its present path.
    saved: BTreeMap<String, String>,
    steps: Vec<Step>,
}

impl Tree {
    /// The project's files; of the `hidden` ones only the paths are known.
    pub(super) fn new(files: BTreeMap<String, String>, hidden: BTreeSet<String>) -> Self {
        Self { saved: files.clone(), files, hidden, steps: Vec::new() }
    }

    /// The paths of all files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &String> {
        self.files.keys().chain(&self.hidden)
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.hidden.contains(path)
    }

    /// A file's content, where there is one and it is known.
    pub(super) fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// The file of this name: at the root, or the only one elsewhere.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        if let Some(path) = self.paths().find(|path| *path == name) {
            return Some(path);
        }
        let mut found = self.paths().filter(|path| path.rsplit('/').next() == Some(name));
        found.next().filter(|_| found.next().is_none()).map(String::as_str)
    }

    /// Replaces a file's content, or adds a file.
    pub(super) fn write(&mut self, path: &str, content: String) {
        self.hidden.remove(path);
        self.files.insert(path.to_owned(), content);
    }

    /// Deletes a file, if it is there.
    pub(super) fn delete(&mut self, path: &str) {
        self.files.remove(path);
        if self.saved.remove(path).is_some() || self.hidden.remove(path) {
            self.steps.push(Step::Delete(path.to_owned()));
        }
    }

    /// Moves a file to a path where none is.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some(content) = self.files.remove(from) {
            self.files.insert(to.to_owned(), content);
        }
        let saved = self.saved.remove(from);
        let hidden = self.hidden.remove(from);
        if saved.is_some() || hidden {
            self.steps.push(Step::Move(from.to_owned(), to.to_owned()));
        }
        self.saved.extend(saved.map(|saved| (to.to_owned(), saved)));
        self.hidden.extend(hidden.then(|| to.to_owned()));
    }

    /// The steps that make the project's files these: moves and deletions, then what is written or
    /// edited, the page first and the README last.
    pub(super) fn steps(self) -> Vec<Step> {
        let Self { files, saved, mut steps, .. } = self;
        let changed = files.into_iter().filter(|(path, content)| saved.get(path) != Some(content));
        let mut changed: Vec<_> = changed.collect();
        changed.sort_by_key(|(path, _)| rank(path));
        steps.extend(changed.into_iter().map(|(path, content)| {
            match saved.get(&path).and_then(|before| blocks(before, &content)) {
                Some(blocks) => Step::Edit { path, blocks, content },
                None => Step::Write { path, content },
            }
        }));
        steps
    }
}

/// Where a file comes among those that an answer writes.
fn rank(path: &str) -> u8 {
    let ends = [".html", ".css", ".js"];
    let rank = ends.iter().position(|end| path.ends_with(end)).unwrap_or(ends.len());
    if path.ends_with(".md") { u8::MAX } else { u8::try_from(rank).unwrap_or(u8::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        Tree::new(
            paths.iter().map(|path| ((*path).to_owned(), format!("{path}\n"))).collect(),
            BTreeSet::new(),
        )
    }

    #[test]
    fn only_what_changed_is_written_and_in_one_order() {
        let mut tree = tree(&["README.md", "app.js", "index.html", "styles.css"]);
        tree.write("README.md", "new\n".into());
        tree.write("app.js", "app.js\n".into());
        tree.write("index.html", "new\n".into());

        let paths: Vec<_> = tree
            .steps()
            .into_iter()
            .map(|step| match step {
                Step::Write { path, .. } => path,
                other @ (Step::Edit { .. } | Step::Delete(_) | Step::Move(..)) => {
                    panic!("{other:?}")
                }
            })
            .collect();

        assert_eq!(paths, ["index.html", "README.md"]);
    }

    #[test]
    fn a_file_that_changes_in_a_few_places_is_edited() {
        let long = |line: &str| format!("{}{line}\n", "a line that stays\n".repeat(20));
        let files = BTreeMap::from([("a.js".to_owned(), long("one"))]);
        let mut tree = Tree::new(files, BTreeSet::new());
        tree.rename("a.js", "b.js");
        tree.write("b.js", long("two"));

        let steps = tree.steps();

        assert_eq!(steps[0], Step::Move("a.js".into(), "b.js".into()));
        let blocks = "<<<<<<< SEARCH\na line that stays\none\n=======\na line that stays\ntwo\n\
            >>>>>>> REPLACE\n";
        let (path, blocks) = ("b.js".into(), blocks.into());
        assert_eq!(steps[1], Step::Edit { path, blocks, content: long("two") });
    }

    #[test]
    fn a_move_and_a_deletion_write_nothing_by_themselves() {
        let mut tree = tree(&["a.css", "b.css"]);
        tree.rename("a.css", "css/a.css");
        tree.delete("b.css");

        assert_eq!(
            tree.steps(),
            [Step::Move("a.css".into(), "css/a.css".into()), Step::Delete("b.css".into())]
        );
    }

    #[test]
    fn a_file_that_is_only_named_can_be_moved_and_deleted() {
        let hidden = BTreeSet::from(["a.bin".to_owned(), "b.bin".to_owned()]);
        let mut tree = Tree::new(BTreeMap::new(), hidden);
        tree.rename("a.bin", "c.bin");
        tree.delete("b.bin");

        assert!(tree.has("c.bin") && tree.get("c.bin").is_none() && !tree.has("b.bin"));
        assert_eq!(
            tree.steps(),
            [Step::Move("a.bin".into(), "c.bin".into()), Step::Delete("b.bin".into())]
        );
    }

    #[test]
    fn a_name_finds_the_only_file_that_has_it() {
        assert_eq!(tree(&["css/a.css"]).find("a.css"), Some("css/a.css"));
        assert_eq!(tree(&["a.css", "css/a.css"]).find("a.css"), Some("a.css"));
        assert_eq!(tree(&["x/a.css", "y/a.css"]).find("a.css"), None);
    }
}
