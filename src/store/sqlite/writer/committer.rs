//! What the writer's thread does: gathers operations, commits them, answers.

use super::{Message, Task, Urgency, Work, Writes};
use crate::store::sqlite::{
    checkpoint::Checkpoints, connection, directory::DataDir, error::store_error, journal::Lives,
};
use greenroom_actors::port::StoreError;
use rusqlite::Connection;
use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    time::Duration,
};

/// Most operations in one commit: bounds what a failed commit fails.
const GROUP_OPS_MAX: usize = 512;

/// Bytes after which a commit takes no further operation: bounds how long it runs.
const GROUP_BYTES_MAX: usize = 1024 * 1024;

/// What of the background goes along with others in one commit, in operations and in bytes.
pub(super) const BACKGROUND_OPS_MAX: usize = 16;
const BACKGROUND_BYTES_MAX: usize = 128 * 1024;

/// Silence after which the write-ahead log is emptied.
const IDLE: Duration = Duration::from_secs(2);

/// What the thread owns.
pub(super) struct Committer {
    /// None after a failure, until the next group.
    connection: Option<Connection>,
    lives: Lives,
    checkpoints: Checkpoints,
    directory: DataDir,
    /// What waits behind others. Bound: a part of the queue, by its places.
    background: VecDeque<Box<dyn Task>>,
}

impl Committer {
    /// Holds the directory until it is dropped.
    pub(super) fn new(directory: DataDir, connection: Connection) -> Self {
        Self {
            connection: Some(connection),
            lives: Lives::default(),
            checkpoints: Checkpoints::default(),
            directory,
            background: VecDeque::new(),
        }
    }

    /// Commits what comes until the queue is closed and empty.
    pub(super) fn run(&mut self, tasks: &Receiver<Message>) {
        let mut is_open = true;
        while is_open || !self.background.is_empty() {
            let mut group = Group::default();
            is_open = is_open && self.wait(tasks, &mut group) && self.gather(tasks, &mut group);
            self.fill(&mut group);
            if !group.tasks.is_empty() {
                self.commit(group.tasks, group.bytes);
            }
        }
        if let Some(connection) = &self.connection {
            self.checkpoints.idle(connection);
        }
    }

    /// Waits for a task unless some wait already. The flag says whether more may come.
    fn wait(&mut self, tasks: &Receiver<Message>, group: &mut Group) -> bool {
        while self.background.is_empty() {
            let message = if self.checkpoints.is_dirty() {
                tasks.recv_timeout(IDLE)
            } else {
                tasks.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match (message, &self.connection) {
                (Ok(Message::Task(task)), _) => {
                    self.take(task, group);
                    break;
                }
                (Ok(Message::Close) | Err(RecvTimeoutError::Disconnected), _) => return false,
                (Err(RecvTimeoutError::Timeout), Some(connection)) => {
                    self.checkpoints.idle(connection);
                }
                (Err(RecvTimeoutError::Timeout), None) => {}
            }
        }
        true
    }

    /// Takes what has gathered in the queue. The flag says whether more may come.
    fn gather(&mut self, tasks: &Receiver<Message>, group: &mut Group) -> bool {
        while !group.is_full() {
            match tasks.try_recv() {
                Ok(Message::Task(task)) => self.take(task, group),
                Ok(Message::Close) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => break,
            }
        }
        true
    }

    fn take(&mut self, task: Box<dyn Task>, group: &mut Group) {
        match task.urgency() {
            Urgency::Now => group.push(task),
            Urgency::Background => self.background.push_back(task),
        }
    }

    /// Adds a little of what waits behind others.
    fn fill(&mut self, group: &mut Group) {
        let (mut ops, mut bytes) = (0, 0_usize);
        while ops < BACKGROUND_OPS_MAX && bytes < BACKGROUND_BYTES_MAX && !group.is_full() {
            let Some(task) = self.background.pop_front() else { break };
            (ops, bytes) = (ops + 1, bytes.saturating_add(task.bytes()));
            group.push(task);
        }
    }

    /// Commits a group, then answers each of its tasks.
    fn commit(&mut self, mut group: Vec<Box<dyn Task>>, bytes: usize) {
        let committed = self.transact(&mut group);
        if let Err(error) = &committed {
            tracing::error!(%error, operations = group.len(), "commit failed");
            // What the connection and the memory hold is in doubt: begin anew.
            self.lives.clear();
            self.connection = None;
        }
        for task in group {
            task.answer(committed.clone());
        }
        if let Some(connection) = &self.connection {
            self.checkpoints.after_commit(connection, bytes);
        }
    }

    fn transact(&mut self, group: &mut [Box<dyn Task>]) -> Result<(), StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => sql(connection::writer(&self.directory.database()))?,
        };
        let connection = self.connection.insert(connection);
        execute(connection, "BEGIN IMMEDIATE")?;
        for task in group {
            run_alone(&mut Work { connection, lives: &mut self.lives }, task.as_mut())?;
        }
        execute(connection, "COMMIT")
    }
}

/// The operations of one commit.
#[derive(Default)]
struct Group {
    tasks: Vec<Box<dyn Task>>,
    bytes: usize,
}

impl Group {
    fn push(&mut self, task: Box<dyn Task>) {
        self.bytes = self.bytes.saturating_add(task.bytes());
        self.tasks.push(task);
    }

    fn is_full(&self) -> bool {
        self.tasks.len() >= GROUP_OPS_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}

/// Runs a task within the transaction; if it fails, nothing of it stays.
///
/// # Errors
/// The transaction is gone with all its tasks.
fn run_alone(work: &mut Work<'_>, task: &mut dyn Task) -> Result<(), StoreError> {
    let savepoint = task.writes() == Writes::Several;
    if savepoint {
        execute(work.connection, "SAVEPOINT task")?;
    }
    if let Err(error) = task.run(work) {
        tracing::warn!(%error, "write failed");
        work.lives.clear();
        // SQLite itself rolls the transaction back where the disk is full or broken.
        if work.connection.is_autocommit() {
            return Err(error);
        }
        if savepoint {
            execute(work.connection, "ROLLBACK TO task")?;
        }
    }
    if savepoint {
        execute(work.connection, "RELEASE task")?;
    }
    Ok(())
}

fn execute(connection: &Connection, statement: &str) -> Result<(), StoreError> {
    sql(connection.prepare_cached(statement).and_then(|mut statement| statement.execute([])))?;
    Ok(())
}

fn sql<T>(result: rusqlite::Result<T>) -> Result<T, StoreError> {
    result.map_err(|error| store_error(&error))
}
