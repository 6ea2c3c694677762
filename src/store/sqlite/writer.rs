//! The writer: one thread owns the only connection that writes, and commits in groups.
//!
//! A commit costs one sync of the disk however many operations it holds. While one sync is under
//! way the next group gathers in the queue, so that a slower disk makes larger groups. What nobody
//! waits for, such as the segments of many sessions at once, goes along a little at a time and holds
//! up nothing else.

mod committer;

use super::{directory::DataDir, error::store_error, journal::Lives};
use committer::Committer;
use greenroom_actors::port::{BoxFuture, StoreError};
use rusqlite::Connection;
use std::{
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Most operations in the queue and in the group under way; a further one waits for a place.
const QUEUE_OPS_MAX: usize = 4096;

/// Most bytes that these operations carry together; a further one waits.
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What an operation takes of the queue at least, so that one semaphore keeps both limits.
const OP_BYTES_MIN: usize = QUEUE_BYTES_MAX / QUEUE_OPS_MAX;

/// How many statements of an operation write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    /// At most one: if it fails, SQLite undoes it alone.
    One,
    /// Several: they need a savepoint to be undone together.
    Several,
}

/// Whether others wait for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// In the next commit.
    Now,
    /// In one of the next commits, behind what is urgent; in order among themselves.
    Background,
}

/// What an operation works with.
#[derive(Debug)]
pub(super) struct Work<'a> {
    /// Inside of a transaction.
    pub(super) connection: &'a Connection,
    /// What the journal knows by heart.
    pub(super) lives: &'a mut Lives,
}

/// The queue's end for callers. Dropped: what is queued is still written, then the thread ends.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Sender<Message>,
    places: Arc<Semaphore>,
    timeout: Duration,
    /// Never gets anything; disconnected once the thread has ended.
    ended: Arc<Mutex<Receiver<Infallible>>>,
}

enum Message {
    Task(Box<dyn Task>),
    Close,
}

/// An operation with the caller that waits for it.
trait Task: Send {
    fn bytes(&self) -> usize;
    fn writes(&self) -> Writes;
    fn urgency(&self) -> Urgency;
    /// Runs it; its result waits for the commit. The error is a copy for the log.
    fn run(&mut self, work: &mut Work<'_>) -> Result<(), StoreError>;
    /// Tells the caller, who may be gone, what became of it.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Operation<T, F> {
    run: F,
    bytes: usize,
    writes: Writes,
    urgency: Urgency,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    /// Its place in the queue, free once it is answered.
    _place: OwnedSemaphorePermit,
}

impl<T, F> Task for Operation<T, F>
where
    T: Send,
    F: FnMut(&mut Work<'_>) -> rusqlite::Result<T> + Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn writes(&self) -> Writes {
        self.writes
    }

    fn urgency(&self) -> Urgency {
        self.urgency
    }

    fn run(&mut self, work: &mut Work<'_>) -> Result<(), StoreError> {
        let result = (self.run)(work).map_err(|error| store_error(&error));
        let outcome = result.as_ref().map(|_| ()).map_err(StoreError::clone);
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let unrun = || Err(StoreError::Unavailable("the write was not run".into()));
        let answer = match committed {
            Ok(()) => self.result.unwrap_or_else(unrun),
            Err(error) => Err(error),
        };
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    /// Starts the thread, which holds the directory until it ends.
    pub(super) fn start(
        directory: DataDir,
        connection: Connection,
        timeout: Duration,
    ) -> io::Result<Self> {
        let (queue, tasks) = channel();
        let (alive, ended) = channel();
        let mut committer = Committer::new(directory, connection);
        thread::Builder::new().name("store-writer".into()).spawn(move || {
            committer.run(&tasks);
            drop(committer);
            drop::<Sender<Infallible>>(alive);
        })?;
        Ok(Self {
            queue,
            places: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
            timeout,
            ended: Arc::new(Mutex::new(ended)),
        })
    }

    /// Runs an operation of about `bytes` and answers once it is durable. It runs also if the
    /// future is dropped after it was queued.
    pub(super) fn write<T, F>(
        &self,
        bytes: usize,
        writes: Writes,
        run: F,
    ) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnMut(&mut Work<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.submit(bytes, (writes, Urgency::Now), run)
    }

    /// As [`Writer::write`], where nobody waits: behind what others wait for.
    pub(super) fn write_behind<T, F>(
        &self,
        bytes: usize,
        writes: Writes,
        run: F,
    ) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnMut(&mut Work<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.submit(bytes, (writes, Urgency::Background), run)
    }

    fn submit<T, F>(
        &self,
        bytes: usize,
        how: (Writes, Urgency),
        run: F,
    ) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnMut(&mut Work<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        Box::pin(async move {
            let answer = tokio::time::timeout(self.timeout, self.queue(bytes, how, run));
            answer.await.unwrap_or_else(|_| {
                Err(StoreError::Unavailable(format!("no answer of the disk in {:?}", self.timeout)))
            })
        })
    }

    async fn queue<T, F>(
        &self,
        bytes: usize,
        (writes, urgency): (Writes, Urgency),
        run: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Work<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let closed = || StoreError::Unavailable("it is closed".into());
        let size = bytes.clamp(OP_BYTES_MIN, QUEUE_BYTES_MAX);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let places = Arc::clone(&self.places);
        let place = places.acquire_many_owned(size).await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let operation =
            Operation { run, bytes, writes, urgency, result: None, reply, _place: place };
        self.queue.send(Message::Task(Box::new(operation))).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Takes no further operation; those that are queued are still written, then the thread ends.
    pub(super) fn close(&self) {
        self.places.close();
        // An error says that the thread has ended already.
        let _ = self.queue.send(Message::Close);
    }

    /// Waits for the thread's end after [`Writer::close`], and says whether it came in time.
    /// Blocks.
    pub(super) fn wait_ended(&self) -> impl FnOnce(Duration) -> bool + Send + 'static {
        let ended = Arc::clone(&self.ended);
        move |limit| {
            let ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected)
        }
    }
}

#[cfg(test)]
mod tests;
