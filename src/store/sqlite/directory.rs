//! The data directory: one process at a time.

use super::OpenError;
use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Name of the database in its directory.
pub const DATABASE_FILE: &str = "engine.db";

/// Name of the file whose lock says that the directory is in use; holds the holder's process id.
const LOCK_FILE: &str = "engine.lock";

/// Name of the database's write-ahead log.
const LOG_FILE: &str = "engine.db-wal";

/// A data directory that this process holds until the value is dropped.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    /// Locked as long as it is open. Never deleted: a deleted file could be locked twice.
    _lock: File,
}

impl DataDir {
    /// Creates the directory where it is missing, and takes it.
    pub(super) fn hold(path: &Path) -> Result<Self, OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Directory { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
        let lock_path = path.join(LOCK_FILE);
        let mut lock = private(&lock_path).map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { path: path.to_owned(), pid: read_pid(&mut lock) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(&lock_path)(source)),
        }
        write_pid(&mut lock).map_err(failed(&lock_path))?;
        // SQLite gives its own files the rights of this one. It must exist before the first
        // connection: closing a file of ours later would drop that connection's locks.
        let database = path.join(DATABASE_FILE);
        let mut file = private(&database).map_err(failed(&database))?;
        let log = path.join(LOG_FILE);
        if has_no_log(&mut file).map_err(failed(&database))? && length(&log) > 0 {
            return Err(OpenError::StrayLog { path: log });
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Path of the database.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE_FILE)
    }
}

/// Opens or creates a file that only this user may read.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Whether the database's header says that it has no write-ahead log: it is empty or a copy.
fn has_no_log(database: &mut File) -> io::Result<bool> {
    let mut header = Vec::new();
    database.take(20).read_to_end(&mut header)?;
    // "File format write version" and "read version": 2 with a write-ahead log.
    Ok(header.get(18..20) != Some(&[2, 2]))
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

fn read_pid(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}
