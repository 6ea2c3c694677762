//! The folder that a generation writes into: only safe paths, never outside of it, and never over
//! what the user changed there.

use crate::{cli::place::place, failure::Failure};
use greenroom_actors::{
    port::{ObjectKind, Oid},
    run::tree::{Files, object_id},
};
use greenroom_protocol::id::SessionId;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Remembers whose folder it is and what was written; a project cannot hold this name.
const MANIFEST: &str = ".greenroom-session.json";

/// Largest manifest that is read, in bytes.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    session: SessionId,
    commit: Option<String>,
    /// Git ids of what was written, by path.
    files: BTreeMap<String, String>,
}

/// What is to be done with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Fetch it and write it.
    Write,
    /// It is there already.
    Same,
    /// The user changed it: leave it alone.
    Keep,
    /// It is gone from the project: remove it.
    Remove,
}

/// A folder of one session.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    manifest: Manifest,
    force: bool,
}

impl Folder {
    /// Checks that the folder may be written for this session, and makes it.
    ///
    /// # Errors
    /// [`Failure::Usage`] where it holds something else and `force` is not set.
    pub(super) fn open(root: &Path, session: SessionId, force: bool) -> Result<Self, Failure> {
        let manifest = Manifest { session, commit: None, files: BTreeMap::new() };
        let mut folder = Self { root: root.to_owned(), manifest, force };
        let shown = root.display();
        fs::create_dir_all(root)
            .map_err(|error| Failure::Usage(format!("{shown} cannot be a folder: {error}")))?;
        match folder.read_manifest() {
            Some(manifest) if manifest.session == session => folder.manifest = manifest,
            Some(_) | None if force || folder.is_empty() => {}
            Some(Manifest { session, .. }) => {
                return Err(Failure::Usage(format!(
                    "{shown} holds session {session}; go on with it by --session {session}, \
                     name another folder, or overwrite it by --force"
                )));
            }
            None => {
                let what = "is not empty; name another folder, or overwrite it by --force";
                return Err(Failure::Usage(format!("{shown} {what}")));
            }
        }
        Ok(folder)
    }

    /// What to do so that the folder holds these files. Paths that are not safe are refused.
    ///
    /// # Errors
    /// [`Failure::Failed`] where a path is not safe or reaches through a link.
    pub(super) fn plan(&self, files: &Files) -> Result<BTreeMap<String, Step>, Failure> {
        let mut steps = BTreeMap::new();
        for (path, entry) in files {
            let local = self.local(path)?;
            let step = match local {
                Some(local) if local == entry.oid => Step::Same,
                Some(local) if !self.force && !self.is_ours(path, local) => Step::Keep,
                _ => Step::Write,
            };
            steps.insert(path.clone(), step);
        }
        for path in self.manifest.files.keys().filter(|path| !files.contains_key(*path)) {
            if let Some(local) = self.local(path)? {
                let ours = self.force || self.is_ours(path, local);
                steps.insert(path.clone(), if ours { Step::Remove } else { Step::Keep });
            }
        }
        Ok(steps)
    }

    /// Writes one file, as a whole or not at all.
    ///
    /// # Errors
    /// [`Failure::Failed`] where the path is not safe or cannot be written.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let place = self.place(path)?;
        let write = || {
            let parent = place.parent().unwrap_or(&self.root);
            fs::create_dir_all(parent)?;
            let temporary = parent.join(format!(".greenroom-{}.tmp", std::process::id()));
            fs::write(&temporary, bytes)?;
            fs::rename(&temporary, &place).inspect_err(|_| drop(fs::remove_file(&temporary)))
        };
        write().map_err(|error| cannot("write", &place, &error))
    }

    /// Removes one file and the folders that it leaves empty.
    ///
    /// # Errors
    /// [`Failure::Failed`] where the path is not safe or cannot be removed.
    pub(super) fn remove(&self, path: &str) -> Result<(), Failure> {
        let place = self.place(path)?;
        fs::remove_file(&place).map_err(|error| cannot("remove", &place, &error))?;
        let mut folder = place.parent();
        while let Some(empty) = folder.filter(|folder| **folder != *self.root) {
            if fs::remove_dir(empty).is_err() {
                break; // it is not empty
            }
            folder = empty.parent();
        }
        Ok(())
    }

    /// Remembers what the folder holds now, without what the user changed.
    ///
    /// # Errors
    /// [`Failure::Failed`] where it cannot be written.
    pub(super) fn remember(
        &mut self,
        commit: Oid,
        files: &Files,
        steps: &BTreeMap<String, Step>,
    ) -> Result<(), Failure> {
        let written = |path: &&String| steps.get(*path) != Some(&Step::Keep);
        self.manifest.files = files
            .iter()
            .filter(|(path, _)| written(path))
            .map(|(path, entry)| (path.clone(), entry.oid.to_string()))
            .collect();
        self.manifest.commit = Some(commit.to_string());
        let place = self.root.join(MANIFEST);
        let text = serde_json::to_string_pretty(&self.manifest)
            .map_err(|error| Failure::Failed(error.to_string()))?;
        fs::write(&place, text + "\n").map_err(|error| cannot("write", &place, &error))
    }

    /// Where a path of the project is: inside of the folder, and through no link.
    fn place(&self, path: &str) -> Result<PathBuf, Failure> {
        if path.eq_ignore_ascii_case(MANIFEST) {
            return Err(Failure::Failed(format!("{path:?} is the client's own file")));
        }
        place(&self.root, path)
    }

    /// Git id of what is at a path now. A link or a folder there is nobody's file.
    fn local(&self, path: &str) -> Result<Option<Oid>, Failure> {
        let place = self.place(path)?;
        match fs::symlink_metadata(&place) {
            Ok(about) if about.is_file() => match fs::read(&place) {
                Ok(bytes) => Ok(Some(object_id(ObjectKind::Blob, &bytes))),
                Err(error) => Err(cannot("read", &place, &error)),
            },
            Ok(_) => Err(Failure::Failed(format!("{} is no file; move it", place.display()))),
            Err(_) => Ok(None),
        }
    }

    /// Whether the client wrote what is there.
    fn is_ours(&self, path: &str, local: Oid) -> bool {
        self.manifest.files.get(path).is_some_and(|oid| *oid == local.to_string())
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(&self.root).is_ok_and(|mut entries| entries.next().is_none())
    }

    fn read_manifest(&self) -> Option<Manifest> {
        use io::Read as _;
        let mut text = String::new();
        let file = fs::File::open(self.root.join(MANIFEST)).ok()?;
        file.take(MANIFEST_BYTES_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

fn cannot(what: &str, place: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot {what} {}: {error}", place.display()))
}

#[cfg(test)]
mod tests;
