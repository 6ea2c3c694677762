//! How the embedded store fails.

use greenroom_actors::port::StoreError;
use rusqlite::ErrorCode;
use std::{io, path::PathBuf};

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be created or read.
    #[error("cannot use {}; check that it exists and belongs to this user", path.display())]
    Directory {
        /// The directory or file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another process holds it.
    #[error(
        "{} is in use by {}; stop that server or choose another data directory",
        path.display(),
        holder(*pid)
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The holder's process id, where it can be read.
        pid: Option<u32>,
    },
    /// A database was put beside the write-ahead log of another one, which would damage it.
    #[error(
        "{} belongs to another database; put a copy into an empty directory",
        path.display()
    )]
    StrayLog {
        /// The write-ahead log.
        path: PathBuf,
    },
    /// A later release wrote it.
    #[error(
        "{} has schema version {found}, this release knows {known}; run the release that wrote it",
        path.display()
    )]
    TooNew {
        /// The database.
        path: PathBuf,
        /// Version of its schema.
        found: u32,
        /// Newest version that this release knows.
        known: u32,
    },
    /// It is a database of another program.
    #[error("{} is no Greenroom database; choose another data directory", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// The file system lacks the shared memory that a write-ahead log needs.
    #[error("{} cannot have a write-ahead log; choose a local file system", path.display())]
    NoWal {
        /// The database.
        path: PathBuf,
    },
    /// The database cannot be read, written or migrated.
    #[error("cannot open the database {}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// The copy that goes before a migration failed; nothing was migrated.
    #[error("cannot copy the database before its migration")]
    Copy(#[source] Box<super::BackupError>),
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// What callers of the ports see of an error of SQLite.
pub(super) fn store_error(error: &rusqlite::Error) -> StoreError {
    let passing = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OperationAborted
                | ErrorCode::OperationInterrupted
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SchemaChanged
                | ErrorCode::SystemIoFailure
        )
    );
    if passing {
        StoreError::Unavailable(error.to_string())
    } else {
        StoreError::Corrupt(error.to_string())
    }
}
