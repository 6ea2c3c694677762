//! Writes a bare repository: loose objects, one branch.

use flate2::{Compression, write::ZlibEncoder};
use greenroom_actors::{
    port::{ObjectKind, Oid},
    run::tree::{kind_name, object_id},
};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// The branch that the repository has.
const BRANCH: &str = "refs/heads/main";

const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";

/// Why a repository could not be written.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is something at the place already.
    #[error("{} exists and is not empty; name a new folder", path.display())]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("{} cannot be written: {error}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The bytes are not those that the id names.
    #[error("object {oid} was damaged on its way: its bytes have another id")]
    Damaged {
        /// The id that was expected.
        oid: Oid,
    },
}

/// A repository that is being written beside its place, and moves there as a whole when it is
/// complete; dropped before, it leaves nothing.
#[derive(Debug)]
pub struct BareRepository {
    place: PathBuf,
    partial: PathBuf,
    done: bool,
}

impl BareRepository {
    /// Begins a repository at `place`, which must not exist or be an empty folder.
    ///
    /// # Errors
    /// [`GitError::Exists`] and [`GitError::Io`].
    pub fn create(place: &Path) -> Result<Self, GitError> {
        let occupied = match fs::read_dir(place) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        let name = place.file_name().filter(|_| !occupied);
        let Some(name) = name else { return Err(GitError::Exists { path: place.to_owned() }) };
        let mut partial = name.to_owned();
        partial.push(format!(".partial-{}", std::process::id()));
        let partial = place.with_file_name(partial);
        fs::create_dir_all(place.parent().unwrap_or(place)).map_err(at(place))?;
        fs::create_dir(&partial).map_err(at(&partial))?;
        let repository = Self { place: place.to_owned(), partial, done: false };
        for folder in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
            let folder = repository.partial.join(folder);
            fs::create_dir_all(&folder).map_err(at(&folder))?;
        }
        repository.file("config", CONFIG)?;
        repository.file("HEAD", &format!("ref: {BRANCH}\n"))?;
        Ok(repository)
    }

    /// Adds an object, after checking that its bytes are those that the id names.
    ///
    /// # Errors
    /// [`GitError::Damaged`] and [`GitError::Io`].
    pub fn put(&self, kind: ObjectKind, oid: Oid, bytes: &[u8]) -> Result<(), GitError> {
        if object_id(kind, bytes) != oid {
            return Err(GitError::Damaged { oid });
        }
        let name = oid.to_string();
        let (folder, file) = name.split_at(2);
        let folder = self.partial.join("objects").join(folder);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let path = folder.join(file);
        if path.exists() {
            return Ok(()); // the same id has the same bytes
        }
        let write = || {
            let mut zlib = ZlibEncoder::new(fs::File::create(&path)?, Compression::default());
            write!(zlib, "{} {}\0", kind_name(kind), bytes.len())?;
            zlib.write_all(bytes)?;
            zlib.finish().map(drop)
        };
        write().map_err(at(&path))
    }

    /// Points the branch at a commit and moves the repository to its place.
    ///
    /// # Errors
    /// [`GitError::Io`].
    pub fn finish(mut self, head: Oid) -> Result<(), GitError> {
        self.file(BRANCH, &format!("{head}\n"))?;
        fs::rename(&self.partial, &self.place).map_err(at(&self.place))?;
        self.done = true;
        Ok(())
    }

    fn file(&self, name: &str, text: &str) -> Result<(), GitError> {
        let path = self.partial.join(name);
        fs::write(&path, text).map_err(at(&path))
    }
}

impl Drop for BareRepository {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_dir_all(&self.partial); // best effort: there is nobody to tell
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> GitError + use<> {
    let path = path.to_owned();
    move |error| GitError::Io { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(text: &str) -> (ObjectKind, Oid, &[u8]) {
        (ObjectKind::Blob, object_id(ObjectKind::Blob, text.as_bytes()), text.as_bytes())
    }

    #[test]
    fn an_object_whose_bytes_do_not_fit_its_id_is_refused_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("repo.git");
        let repository = BareRepository::create(&place).unwrap();
        let (kind, oid, _) = blob("hello");
        let error = repository.put(kind, oid, b"other").unwrap_err();
        assert!(matches!(error, GitError::Damaged { .. }), "{error}");
        drop(repository);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_place_that_is_taken_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        for place in [folder.path().to_owned(), folder.path().join("file"), "/".into()] {
            let error = BareRepository::create(&place).unwrap_err();
            assert!(matches!(error, GitError::Exists { .. }), "{error}");
        }
    }

    #[test]
    fn an_object_may_be_put_twice() {
        let folder = tempfile::tempdir().unwrap();
        let repository = BareRepository::create(&folder.path().join("new/repo.git")).unwrap();
        let (kind, oid, bytes) = blob("hello\n");
        repository.put(kind, oid, bytes).unwrap();
        repository.put(kind, oid, bytes).unwrap();
    }
}
