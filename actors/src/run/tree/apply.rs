//! An answer's changes, applied to a project's files.

use super::{FileEntry, Files, object};
use crate::{
    port::{Object, ObjectKind, Oid},
    run::{
        Change, Changes,
        artifact::{PathError, check_path},
    },
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Limits of a project as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectLimits {
    /// Most files.
    pub files_max: usize,
    /// Most bytes of all files together.
    pub bytes_max: u64,
}

impl Default for ProjectLimits {
    /// 5000 files and 64 MiB: a large application without its dependencies.
    fn default() -> Self {
        Self { files_max: 5000, bytes_max: 64 << 20 }
    }
}

/// The changes can't be applied as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// [`ProjectLimits::files_max`].
    #[error("the project would have {files} files, the limit is {limit}; delete some first")]
    Files {
        /// How many there would be.
        files: usize,
        /// The limit.
        limit: usize,
    },
    /// [`ProjectLimits::bytes_max`].
    #[error("the project would have {bytes} bytes, the limit is {limit}; delete files first")]
    Bytes {
        /// How many there would be.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
}

/// A change that was left out; the others were applied. The text is for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A file to delete does not exist.
    #[error("{path:?} could not be deleted: there is no such file")]
    NothingToDelete {
        /// The path.
        path: String,
    },
    /// A file to move does not exist.
    #[error("{path:?} could not be moved: there is no such file")]
    NothingToMove {
        /// The path.
        path: String,
    },
    /// The path would be a file and a folder at once.
    #[error("{path:?} was left out: {other:?} is there, and a path is a file or a folder")]
    Conflict {
        /// The path left out.
        path: String,
        /// The file that stays.
        other: String,
    },
    /// The path is not allowed.
    #[error("{path:?} was left out: {error}")]
    BadPath {
        /// The path.
        path: String,
        /// The rule.
        error: PathError,
    },
}

/// A project's files after the changes.
#[derive(Clone, Debug)]
pub struct Applied {
    /// All files.
    pub files: Files,
    /// How many paths are new.
    pub added: u32,
    /// How many paths have other contents.
    pub changed: u32,
    /// How many paths are gone.
    pub removed: u32,
    /// Contents that no file had before, each once.
    pub blobs: Vec<Object>,
    /// Changes that were left out.
    pub warnings: Vec<Warning>,
}

impl Applied {
    /// Whether the files are as they were: there is nothing to commit.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added == 0 && self.changed == 0 && self.removed == 0
    }
}

/// Applies changes in their order.
///
/// Writing and moving replace what the path held. Where a path would be a file and a folder at
/// once, the file that came first stays: a write is judged at the end, so that an answer may delete
/// the file in the way afterwards; a move is judged at once, so that its file is never lost.
///
/// # Errors
/// [`ApplyError`], with nothing applied.
pub fn apply(
    base: &Files,
    changes: &Changes,
    limits: ProjectLimits,
) -> Result<Applied, ApplyError> {
    let mut work = Work::new(base);
    for (change, number) in changes.iter().zip(1..) {
        work.change(change, number);
    }
    work.finish(base, limits)
}

/// A file while changes are applied.
#[derive(Clone, Copy, Debug)]
struct Slot {
    entry: FileEntry,
    /// The change that put a file at this path; 0: it was there before.
    since: usize,
}

#[derive(Debug)]
struct Work {
    slots: BTreeMap<String, Slot>,
    blobs: BTreeMap<Oid, Object>,
    warnings: Vec<Warning>,
}

impl Work {
    fn new(base: &Files) -> Self {
        let slot = |entry: &FileEntry| Slot { entry: *entry, since: 0 };
        let slots = base.iter().map(|(path, entry)| (path.clone(), slot(entry))).collect();
        Self { slots, blobs: BTreeMap::new(), warnings: Vec::new() }
    }

    fn change(&mut self, change: &Change, number: usize) {
        match change {
            Change::Write { path, content } => {
                if self.check(path) {
                    let entry = self.blob(content);
                    let slot = self.slots.entry(path.clone());
                    slot.or_insert(Slot { entry, since: number }).entry = entry;
                }
            }
            Change::Delete { path } => {
                if self.slots.remove(path).is_none() {
                    self.warnings.push(Warning::NothingToDelete { path: path.clone() });
                }
            }
            Change::Move { from, to } => {
                if self.check(to) {
                    self.rename(from, to, number);
                }
            }
        }
    }

    fn rename(&mut self, from: &str, to: &str, number: usize) {
        let Some(slot) = self.slots.remove(from) else {
            self.warnings.push(Warning::NothingToMove { path: from.to_owned() });
            return;
        };
        if let Some(other) = in_the_way(&self.slots, to) {
            self.warnings.push(Warning::Conflict { path: to.to_owned(), other });
            self.slots.insert(from.to_owned(), slot);
            return;
        }
        // A path that held a file all along keeps its place in the order.
        let since = match self.slots.get(to) {
            _ if from == to => slot.since,
            Some(replaced) => replaced.since,
            None => number,
        };
        self.slots.insert(to.to_owned(), Slot { entry: slot.entry, since });
    }

    fn blob(&mut self, content: &str) -> FileEntry {
        let object = object(ObjectKind::Blob, Bytes::copy_from_slice(content.as_bytes()));
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let entry = FileEntry { oid: object.oid, bytes };
        self.blobs.insert(object.oid, object);
        entry
    }

    /// The parser checked the path; a log of another version may have had other rules.
    fn check(&mut self, path: &str) -> bool {
        match check_path(path) {
            Ok(()) => true,
            Err(error) => {
                self.warnings.push(Warning::BadPath { path: path.to_owned(), error });
                false
            }
        }
    }

    fn finish(mut self, base: &Files, limits: ProjectLimits) -> Result<Applied, ApplyError> {
        let files = self.settle();
        check_limits(&files, limits)?;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let known: BTreeSet<Oid> = base.values().map(|entry| entry.oid).collect();
        let used: BTreeSet<Oid> = files.values().map(|entry| entry.oid).collect();
        self.blobs.retain(|oid, _| used.contains(oid) && !known.contains(oid));
        let changed = |(path, entry): &(&String, &FileEntry)| {
            base.get(*path).is_some_and(|before| before != *entry)
        };
        Ok(Applied {
            added: count(files.keys().filter(|path| !base.contains_key(*path)).count()),
            changed: count(files.iter().filter(changed).count()),
            removed: count(base.keys().filter(|path| !files.contains_key(*path)).count()),
            blobs: self.blobs.into_values().collect(),
            warnings: self.warnings,
            files,
        })
    }

    /// The files that remain: older ones first, so that a newer one in conflict is left out.
    fn settle(&mut self) -> Files {
        let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.slots).into_iter().partition(|(_, slot)| slot.since == 0);
        let mut files: Files = old.into_iter().map(|(path, slot)| (path, slot.entry)).collect();
        let mut new: Vec<(String, Slot)> = new.into_iter().collect();
        new.sort_by_key(|(_, slot)| slot.since);
        for (path, slot) in new {
            if let Some(other) = in_the_way(&files, &path) {
                self.warnings.push(Warning::Conflict { path, other });
            } else {
                files.insert(path, slot.entry);
            }
        }
        files
    }
}

/// A file that is where the path needs a folder, or inside of the path as if it were one.
fn in_the_way<T>(files: &BTreeMap<String, T>, path: &str) -> Option<String> {
    let above = path
        .match_indices('/')
        .filter_map(|(at, _)| path.get(..at))
        .find(|folder| files.contains_key(*folder));
    let folder = format!("{path}/");
    let below = || {
        let (first, _) = files.range(folder.clone()..).next()?;
        first.starts_with(&folder).then(|| first.clone())
    };
    above.map(str::to_owned).or_else(below)
}

fn check_limits(files: &Files, limits: ProjectLimits) -> Result<(), ApplyError> {
    if files.len() > limits.files_max {
        return Err(ApplyError::Files { files: files.len(), limit: limits.files_max });
    }
    let bytes = files.values().fold(0_u64, |sum, entry| sum.saturating_add(entry.bytes));
    if bytes > limits.bytes_max {
        return Err(ApplyError::Bytes { bytes, limit: limits.bytes_max });
    }
    Ok(())
}
