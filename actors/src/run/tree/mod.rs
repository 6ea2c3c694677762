//! A project's files as git objects, with the ids that git gives them.

mod apply;
mod commit;
mod folder;
mod object;

#[cfg(test)]
mod tests;

use crate::port::{Object, Oid};
pub use apply::{Applied, ApplyError, ProjectLimits, Warning, apply};
pub use commit::{Commit, CommitError};
pub use folder::{
    FileEntry, FileWalk, Files, Folders, TreeEntry, TreeError, build_folders, read_folder,
};
pub use object::{kind_name, object, object_id};

use greenroom_protocol::id::RunId;

/// A commit that is ready to be stored.
#[derive(Clone, Debug)]
pub struct NewCommit {
    /// Its id.
    pub oid: Oid,
    /// Every object that the commit before did not have; the commit comes last.
    pub objects: Vec<Object>,
}

/// Makes the commit of a run from what [`apply()`] gave. `base` are the files of `parent`; a first
/// commit has no parent and an empty base.
#[must_use]
pub fn commit(
    base: &Files,
    applied: &Applied,
    parent: Option<Oid>,
    time_secs: u64,
    prompt: &str,
    run: RunId,
) -> NewCommit {
    let mut folders = build_folders(&applied.files);
    if parent.is_some() {
        let known = build_folders(base).objects;
        folders.objects.retain(|oid, _| !known.contains_key(oid));
    }
    let commit = Commit::new(folders.root, parent, time_secs, prompt, run).encode();
    let oid = commit.oid;
    let mut objects = applied.blobs.clone();
    objects.extend(folders.objects.into_values());
    objects.push(commit);
    NewCommit { oid, objects }
}
