//! The files of a folder that an answer is applied to.

use crate::{
    cli::place::{is_link, place},
    failure::Failure,
};
use greenroom_actors::run::{Change, Changes};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// A folder.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// A folder that is there.
    ///
    /// # Errors
    /// [`Failure::Usage`] where it is none.
    pub(super) fn open(root: &Path) -> Result<Self, Failure> {
        if !root.is_dir() {
            return Err(Failure::Usage(format!("{} is no folder", root.display())));
        }
        Ok(Self { root: root.to_owned() })
    }

    /// A file's contents; none where there is no file.
    ///
    /// # Errors
    /// [`Failure::Failed`] where the path is not safe, or the file can't be read or is no text.
    pub(super) fn read(&self, path: &str) -> Result<Option<String>, Failure> {
        let place = place(&self.root, path)?;
        if is_link(&place) {
            return Err(Failure::Failed(format!("{} is a link; name its file", place.display())));
        }
        match fs::read_to_string(&place) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("read", &place, &error)),
        }
    }

    /// Makes changes: each file is written as a whole or not at all, and none before all are on the
    /// disk. Answers how many were written and removed.
    ///
    /// # Errors
    /// [`Failure::Failed`] where a path is not safe or a file can't be written.
    pub(super) fn make(&self, changes: &Changes) -> Result<(usize, usize), Failure> {
        let after = self.after(changes)?;
        let mut ready = Vec::new();
        let mut written = || {
            for (number, (path, text)) in after.iter().enumerate() {
                let place = place(&self.root, path)?;
                let Some(text) = text else { continue };
                let parent = place.parent().unwrap_or(&self.root);
                let name = format!(".greenroom-{}-{number}.tmp", std::process::id());
                let temporary = parent.join(name);
                fs::create_dir_all(parent)
                    .and_then(|()| fs::write(&temporary, text))
                    .map_err(|error| cannot("write", &place, &error))?;
                ready.push((temporary, place));
            }
            Ok(())
        };
        let result = written();
        if let Err(error) = result {
            for (temporary, _) in &ready {
                let _ = fs::remove_file(temporary); // the first failure is what counts
            }
            return Err(error);
        }
        for (temporary, place) in &ready {
            fs::rename(temporary, place).map_err(|error| cannot("write", place, &error))?;
        }
        let mut removed = 0;
        for path in after.iter().filter(|(_, text)| text.is_none()).map(|(path, _)| path) {
            let place = place(&self.root, path)?;
            match fs::remove_file(&place) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(cannot("remove", &place, &error)),
            }
        }
        Ok((ready.len(), removed))
    }

    /// What each path that is touched holds in the end; none: it is gone.
    fn after(&self, changes: &Changes) -> Result<BTreeMap<String, Option<String>>, Failure> {
        let mut after: BTreeMap<String, Option<String>> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Write { path, content } => {
                    after.insert(path.clone(), Some(content.clone()));
                }
                Change::Delete { path } => {
                    after.insert(path.clone(), None);
                }
                Change::Move { from, to } => {
                    let moved = match after.get(from) {
                        Some(text) => text.clone(),
                        None => self.read(from)?,
                    };
                    if let Some(text) = moved {
                        after.insert(from.clone(), None);
                        after.insert(to.clone(), Some(text));
                    }
                }
            }
        }
        Ok(after)
    }
}

fn cannot(what: &str, place: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot {what} {}: {error}", place.display()))
}
