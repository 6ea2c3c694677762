//! When the write-ahead log is copied into the database: only in the writer's thread.

use rusqlite::Connection;
use std::time::Duration;

/// Size of the write-ahead log at which a checkpoint runs between two commits, in bytes.
///
/// Larger: fewer pages are copied twice, and each checkpoint holds the next commit up for longer.
const LOG_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes handed to the database after which the log's size is asked for.
const ASK_BYTES: usize = 1024 * 1024;

/// What a commit adds to the log besides its data, in bytes, roughly: pages of indexes.
const COMMIT_BYTES: usize = 8 * 1024;

/// Keeps the write-ahead log short.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// Roughly what was written since the log's size was last asked for, in bytes.
    unasked_bytes: usize,
    /// Whether there were commits since the log was last emptied.
    dirty: bool,
}

/// What `PRAGMA wal_checkpoint` answers.
#[derive(Debug)]
struct Answer {
    blocked: bool,
    log_pages: i64,
}

impl Checkpoints {
    /// After a commit of about this many bytes: starts the log over once it is long. Pages that
    /// a reader still needs stay in it until the next time.
    pub(super) fn after_commit(&mut self, connection: &Connection, bytes: usize) {
        self.dirty = true;
        self.unasked_bytes = self.unasked_bytes.saturating_add(bytes.saturating_add(COMMIT_BYTES));
        if self.unasked_bytes < ASK_BYTES {
            return;
        }
        self.unasked_bytes = 0;
        if let Err(error) = bound(connection) {
            tracing::warn!(%error, "checkpoint failed");
        }
    }

    /// Whether [`Checkpoints::idle`] has something to do.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// While nothing is written: empties the log, unless a reader is in the way.
    pub(super) fn idle(&mut self, connection: &Connection) {
        match empty(connection) {
            Ok(answer) => self.dirty = answer.blocked,
            Err(error) => tracing::warn!(%error, "checkpoint failed"),
        }
    }
}

fn bound(connection: &Connection) -> rusqlite::Result<()> {
    let page_bytes =
        connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?;
    let log_bytes = checkpoint(connection, "NOOP")?.log_pages.saturating_mul(page_bytes);
    if usize::try_from(log_bytes).is_ok_and(|bytes| bytes >= LOG_BYTES_MAX) {
        checkpoint(connection, "PASSIVE")?;
    }
    Ok(())
}

/// Waits for no reader: a commit may come at any moment.
fn empty(connection: &Connection) -> rusqlite::Result<Answer> {
    let usual = connection.pragma_query_value(None, "busy_timeout", |row| row.get::<_, u64>(0))?;
    connection.busy_timeout(Duration::ZERO)?;
    let answer = checkpoint(connection, "TRUNCATE");
    connection.busy_timeout(Duration::from_millis(usual))?;
    answer
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<Answer> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok(Answer { blocked: row.get::<_, i64>(0)? != 0, log_pages: row.get(1)? })
    })
}
