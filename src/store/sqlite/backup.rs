//! Copies of a database, of a running server too.

use super::{DATABASE_FILE, connection};
use rusqlite::{
    Connection, TransactionBehavior,
    backup::{Backup, StepResult},
};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How often a copy is tried again while the database is locked, and the pause before each.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Why a copy was not made. What there is of it is gone.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file of that name.
    #[error("{} exists; choose another name", path.display())]
    Exists {
        /// The name.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {}", path.display())]
    Target {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The database cannot be read or the copy not be written.
    #[error("cannot copy {}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// Another process kept the database locked.
    #[error("{} stayed locked; try again", path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// The copy is not sound, so the database is not either.
    #[error("the copy of {} is damaged: {finding}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// First finding of the check.
        finding: String,
    },
}

/// Copies the database `from` (or the one in that data directory) into the new file `to`, as of
/// one moment, and checks the copy. A server may run on it meanwhile. Blocks.
///
/// To restore, put the copy into an empty data directory as `engine.db`. The first server that
/// opens it raises the epoch of every session, since the copy may lack the end of their history.
///
/// # Errors
/// [`BackupError`]; `to` does not exist then.
pub fn backup(from: &Path, to: &Path) -> Result<(), BackupError> {
    let from = if from.is_dir() { from.join(DATABASE_FILE) } else { from.to_owned() };
    if to.exists() {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    let mut partial = OsString::from(to);
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let failed = |source| BackupError::Target { path: to.to_owned(), source };
    let made = create(&partial)
        .map_err(failed)
        .and_then(|()| copy(&from, &partial))
        .and_then(|()| publish(&partial, to).map_err(failed));
    if made.is_err() {
        // What matters is the first error; a left-over is overwritten by the next try.
        let _ = fs::remove_file(&partial);
    }
    made
}

/// An empty file that only this user may read.
fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map(drop)
}

fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::Database { path: from.to_owned(), source };
    let source = connection::observer(from).map_err(failed)?;
    let mut target = Connection::open(to).map_err(failed)?;
    if !copy_pages(&source, &mut target).map_err(failed)? {
        return Err(BackupError::Busy { path: from.to_owned() });
    }
    // One file that stands alone.
    let mode = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    target.pragma_update_and_check(None, "journal_mode", "DELETE", mode).map_err(failed)?;
    target
        .execute("INSERT INTO marks VALUES ('copy') ON CONFLICT DO NOTHING", [])
        .map_err(failed)?;
    let finding: String =
        target.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if finding != "ok" {
        return Err(BackupError::Damaged { path: from.to_owned(), finding });
    }
    target.close().map_err(|(_, source)| failed(source))
}

/// Copies all pages in one step: a server that writes meanwhile does not start it over. False: the
/// database stayed locked.
fn copy_pages(source: &Connection, target: &mut Connection) -> rusqlite::Result<bool> {
    let backup = Backup::new(source, target)?;
    for _ in 0..TRIES {
        if backup.step(-1)? == StepResult::Done {
            return Ok(true);
        }
        thread::sleep(PAUSE);
    }
    Ok(false)
}

/// Gives the copy its name once it is on the disk.
fn publish(partial: &Path, to: &Path) -> io::Result<()> {
    File::open(partial)?.sync_all()?;
    fs::rename(partial, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Begins new epochs where the database is a copy that no server has opened yet.
pub(super) fn settle_copy(connection: &mut Connection, now_ms: u64) -> rusqlite::Result<()> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if change.execute("DELETE FROM marks WHERE name = 'copy'", [])? > 0 {
        let update = "UPDATE sessions SET epoch = max(epoch + 1, ?1)";
        let sessions = change.execute(update, [now_ms / 1000])?;
        tracing::warn!(sessions, "opened a copy, every session begins a new epoch");
    }
    change.commit()
}
