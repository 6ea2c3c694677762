//! A project's files as they are stored: a commit, its folders, their contents.

use super::tree::{Commit, FileEntry, FileWalk, Files};
use crate::port::{Object, ObjectKind, Objects, Oid, StoreError};
use bytes::Bytes;
use greenroom_protocol::id::SessionId;
use std::{collections::BTreeMap, sync::Arc};

/// A commit's files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Project {
    /// Ids and lengths by path.
    pub(crate) files: Files,
    /// Contents by path, of those that are text.
    pub(crate) contents: Arc<BTreeMap<String, String>>,
}

/// Reads an object that must be there.
pub(crate) async fn read_object<S: Objects + ?Sized>(
    store: &S,
    project: SessionId,
    oid: Oid,
    kind: ObjectKind,
) -> Result<Bytes, StoreError> {
    match store.object(project, oid).await? {
        Some(Object { kind: found, bytes, .. }) if found == kind => Ok(bytes),
        Some(_) | None => Err(StoreError::Corrupt(format!("object {oid} of {project}"))),
    }
}

/// Reads a commit that must be there.
pub(crate) async fn read_commit<S: Objects + ?Sized>(
    store: &S,
    project: SessionId,
    oid: Oid,
) -> Result<(Commit, Bytes), StoreError> {
    let bytes = read_object(store, project, oid, ObjectKind::Commit).await?;
    let commit = Commit::decode(&bytes)
        .map_err(|_| StoreError::Corrupt(format!("commit {oid} of {project}")))?;
    Ok((commit, bytes))
}

/// Ids of all files under a tree, by path.
pub(crate) async fn walk<S: Objects + ?Sized>(
    store: &S,
    project: SessionId,
    tree: Oid,
) -> Result<BTreeMap<String, Oid>, StoreError> {
    let mut walk = FileWalk::new(tree);
    while let Some(folder) = walk.next_folder() {
        let bytes = read_object(store, project, folder, ObjectKind::Tree).await?;
        walk.folder(&bytes)
            .map_err(|error| StoreError::Corrupt(format!("tree {folder} of {project}: {error}")))?;
    }
    Ok(walk.into_files())
}

impl Project {
    /// Reads all files of a commit; of none where there is no commit.
    pub(crate) async fn read<S: Objects + ?Sized>(
        store: &S,
        project: SessionId,
        commit: Option<Oid>,
    ) -> Result<Self, StoreError> {
        let Some(commit) = commit else { return Ok(Self::default()) };
        let (commit, _) = read_commit(store, project, commit).await?;
        let (mut files, mut contents) = (Files::new(), BTreeMap::new());
        for (path, oid) in walk(store, project, commit.tree).await? {
            let bytes = read_object(store, project, oid, ObjectKind::Blob).await?;
            let entry = FileEntry { oid, bytes: bytes.len() as u64 };
            files.insert(path.clone(), entry);
            // A prompt names other files, and no edit reaches them.
            contents.extend(String::from_utf8(bytes.into()).ok().map(|text| (path, text)));
        }
        Ok(Self { files, contents: Arc::new(contents) })
    }
}
