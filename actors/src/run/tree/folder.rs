//! Git trees: folders of files.

use super::object;
use crate::port::{Object, ObjectKind, Oid};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Mode of an ordinary file; nothing else is ever written into a project.
const MODE_FILE: &str = "100644";
/// Mode of a folder.
const MODE_FOLDER: &str = "40000";

/// A file of a project, without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Git id of the contents.
    pub oid: Oid,
    /// Their length in bytes.
    pub bytes: u64,
}

/// A project's files by path.
pub type Files = BTreeMap<String, FileEntry>;

/// The tree objects of a project.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Id of the root folder.
    pub root: Oid,
    /// All folders, the root included, by id.
    pub objects: BTreeMap<Oid, Object>,
}

/// Why bytes are no tree of this engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Not the format of a git tree.
    #[error("malformed git tree")]
    Malformed,
    /// An executable, a link or a submodule: projects hold ordinary files only.
    #[error("{name:?} has mode {mode}; only ordinary files and folders are known")]
    Mode {
        /// The entry.
        name: String,
        /// Its mode.
        mode: String,
    },
    /// More files or folders than [`FileWalk::ENTRIES_MAX`].
    #[error("the tree has more than {} entries", FileWalk::ENTRIES_MAX)]
    TooMany,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its name.
    pub name: String,
    /// Id of the file's contents or of the folder.
    pub oid: Oid,
    /// Whether it is a folder.
    pub folder: bool,
}

/// Builds the folders of a project. The paths must have passed
/// [`check_path`](crate::run::artifact::check_path), and none may be a file and a folder at once.
#[must_use]
pub fn build_folders(files: &Files) -> Folders {
    let mut open: BTreeMap<&str, Vec<TreeEntry>> = BTreeMap::from([("", Vec::new())]);
    for (path, file) in files {
        let (parent, name) = split(path);
        let entry = TreeEntry { name: name.to_owned(), oid: file.oid, folder: false };
        open.entry(parent).or_default().push(entry);
    }
    let mut objects = BTreeMap::new();
    // A folder sorts after every folder that it is in, so that backwards each comes complete.
    while let Some((path, entries)) = open.pop_last() {
        let object = object(ObjectKind::Tree, encode(entries));
        let oid = object.oid;
        objects.insert(oid, object);
        if path.is_empty() {
            return Folders { root: oid, objects };
        }
        let (parent, name) = split(path);
        let entry = TreeEntry { name: name.to_owned(), oid, folder: true };
        open.entry(parent).or_default().push(entry);
    }
    Folders { root: object(ObjectKind::Tree, Bytes::new()).oid, objects }
}

/// Reads one folder.
///
/// # Errors
/// [`TreeError::Malformed`] and [`TreeError::Mode`].
pub fn read_folder(bytes: &[u8]) -> Result<Vec<TreeEntry>, TreeError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (entry, tail) = read_entry(rest)?;
        entries.push(entry);
        rest = tail;
    }
    Ok(entries)
}

/// Finds all files under a root. The caller fetches: ask [`Self::next_folder`] which tree object is
/// needed, give its bytes to [`Self::folder`], and again, until none is.
#[derive(Debug)]
pub struct FileWalk {
    folders: Vec<(String, Oid)>,
    files: BTreeMap<String, Oid>,
    entries: usize,
}

impl FileWalk {
    /// Most files and folders that a walk takes, so that a hostile tree ends.
    pub const ENTRIES_MAX: usize = 100_000;

    /// A walk that begins at a root folder.
    #[must_use]
    pub fn new(root: Oid) -> Self {
        Self { folders: vec![(String::new(), root)], files: BTreeMap::new(), entries: 0 }
    }

    /// The folder whose bytes are needed next; none: the walk is over.
    #[must_use]
    pub fn next_folder(&self) -> Option<Oid> {
        self.folders.last().map(|(_, oid)| *oid)
    }

    /// Takes the bytes of the folder that [`Self::next_folder`] named.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn folder(&mut self, bytes: &[u8]) -> Result<(), TreeError> {
        let Some((parent, _)) = self.folders.pop() else { return Ok(()) };
        for TreeEntry { name, oid, folder } in read_folder(bytes)? {
            self.entries += 1;
            if self.entries > Self::ENTRIES_MAX {
                return Err(TreeError::TooMany);
            }
            let path = if parent.is_empty() { name } else { format!("{parent}/{name}") };
            if folder {
                self.folders.push((path, oid));
            } else {
                self.files.insert(path, oid);
            }
        }
        Ok(())
    }

    /// The files found, by path, with the ids of their contents.
    #[must_use]
    pub fn into_files(self) -> BTreeMap<String, Oid> {
        self.files
    }
}

/// Folder and name; the folder of a path without `/` is the root, "".
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Git's order: by bytes, a folder as if its name ended in `/`.
fn encode(mut entries: Vec<TreeEntry>) -> Bytes {
    entries.sort_by(|a, b| sort_key(a).cmp(sort_key(b)));
    let mut bytes = Vec::new();
    for TreeEntry { name, oid, folder } in entries {
        bytes.extend_from_slice(if folder { MODE_FOLDER } else { MODE_FILE }.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&oid.0);
    }
    bytes.into()
}

fn sort_key(entry: &TreeEntry) -> impl Iterator<Item = u8> + '_ {
    entry.name.bytes().chain(entry.folder.then_some(b'/'))
}

/// One entry: mode, space, name, NUL, 20 bytes of id.
fn read_entry(bytes: &[u8]) -> Result<(TreeEntry, &[u8]), TreeError> {
    let nul = bytes.iter().position(|byte| *byte == 0).ok_or(TreeError::Malformed)?;
    let (head, tail) = bytes.split_at_checked(nul).ok_or(TreeError::Malformed)?;
    let (oid, rest) = tail
        .split_first()
        .and_then(|(_, tail)| tail.split_first_chunk::<20>())
        .ok_or(TreeError::Malformed)?;
    let head = std::str::from_utf8(head).map_err(|_| TreeError::Malformed)?;
    let (mode, name) = head.split_once(' ').ok_or(TreeError::Malformed)?;
    if name.is_empty() || name.contains('/') {
        return Err(TreeError::Malformed);
    }
    let folder = match mode {
        MODE_FILE => false,
        MODE_FOLDER => true,
        _ => return Err(TreeError::Mode { name: name.to_owned(), mode: mode.to_owned() }),
    };
    Ok((TreeEntry { name: name.to_owned(), oid: Oid(*oid), folder }, rest))
}
