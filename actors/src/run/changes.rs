//! What an answer does to a project's files.

use std::collections::BTreeMap;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The path gets these contents, whatever it held.
    Write {
        /// The path; it passed [`super::artifact::check_path`].
        path: String,
        /// The whole contents.
        content: String,
    },
    /// The file goes.
    Delete {
        /// Its path.
        path: String,
    },
    /// The file gets another path; what that path held is replaced.
    Move {
        /// The path it has.
        from: String,
        /// The path it gets.
        to: String,
    },
}

/// All complete steps of an answer, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<Change>);

impl Changes {
    /// No change.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a step.
    pub fn push(&mut self, change: Change) {
        self.0.push(change);
    }

    /// The steps in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Change> {
        self.0.iter()
    }

    /// How many steps there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all contents written.
    #[must_use]
    pub fn content_bytes(&self) -> usize {
        self.iter().map(|change| change.content().map_or(0, |(_, content)| content.len())).sum()
    }

    /// What a path holds after these steps over a project's files; none where no file is there.
    #[must_use]
    pub fn text<'a>(
        &'a self,
        base: &'a BTreeMap<String, String>,
        path: &'a str,
    ) -> Option<&'a str> {
        let mut path = path;
        for change in self.0.iter().rev() {
            match change {
                Change::Write { path: written, content } if written == path => {
                    return Some(content);
                }
                Change::Delete { path: gone } if gone == path => return None,
                Change::Move { from, to } if to == path => path = from,
                Change::Move { from, .. } if from == path => return None,
                Change::Write { .. } | Change::Delete { .. } | Change::Move { .. } => {}
            }
        }
        base.get(path).map(String::as_str)
    }

    /// The files written, by path; where one was written twice, as it was written last.
    #[must_use]
    pub fn written(&self) -> BTreeMap<&str, &str> {
        self.iter().filter_map(Change::content).collect()
    }
}

impl Change {
    /// Path and contents, where the step writes a file.
    #[must_use]
    pub fn content(&self) -> Option<(&str, &str)> {
        match self {
            Self::Write { path, content } => Some((path, content)),
            Self::Delete { .. } | Self::Move { .. } => None,
        }
    }
}

impl<'a> IntoIterator for &'a Changes {
    type Item = &'a Change;
    type IntoIter = std::slice::Iter<'a, Change>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Change> for Changes {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Self {
        Self(changes.into_iter().collect())
    }
}
