//! A process that writes to an embedded store and says what was acknowledged: this very binary,
//! started again, so that tests can kill it or break its disk.

use bytes::Bytes;
use greenroom::store::sqlite::{Options, SqliteStore};
use greenroom_actors::port::{
    Appended, Documents, Incarnation, Journal, Position, Put, Segment, Segments, StoreError,
};
use greenroom_protocol::id::{Seq, SessionId};
use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Directory of the child's store.
const DIRECTORY: &str = "GREENROOM_TEST_CHILD_DIRECTORY";

/// Whether the child waits for a line on its input before each append; else it runs on its own
/// and writes documents and segments too.
const STEPS: &str = "GREENROOM_TEST_CHILD_STEPS";

/// Writers of documents and segments beside the journal.
const WRITERS: u128 = 4;

/// Longest wait for a line of the child.
const LINE_TIMEOUT: Duration = Duration::from_secs(20);

/// What the child says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Its journal is open.
    Opened(Incarnation),
    /// It asks for this record to be appended.
    Begun(u64),
    /// The record is durable.
    Durable(u64),
    /// The store said that it is unavailable; the same append is tried again.
    Unavailable(u64),
    /// That version of the writer's document and the segment of that entry are durable.
    Written(u128, u64),
}

impl Said {
    fn line(self) -> String {
        match self {
            Self::Opened(incarnation) => format!("opened {incarnation} 0"),
            Self::Begun(offset) => format!("begun {offset} 0"),
            Self::Durable(offset) => format!("durable {offset} 0"),
            Self::Unavailable(offset) => format!("unavailable {offset} 0"),
            Self::Written(writer, version) => format!("written {version} {writer}"),
        }
    }

    /// Lines of the test runner mean nothing.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (what, number, writer) = (words.next()?, words.next()?, words.next()?);
        let (number, writer) = (number.parse().ok()?, writer.parse().ok()?);
        match what {
            "opened" => Some(Self::Opened(Incarnation(number))),
            "begun" => Some(Self::Begun(number)),
            "durable" => Some(Self::Durable(number)),
            "unavailable" => Some(Self::Unavailable(number)),
            "written" => Some(Self::Written(writer, number)),
            _ => None,
        }
    }

    /// A pipe keeps what was written to it, also where the writer is killed next.
    fn say(self) {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", self.line()).and_then(|()| out.flush()).expect("the parent reads");
    }
}

/// The bytes of a record, from 20 to 40 000 of them.
pub(super) fn record(incarnation: Incarnation, offset: u64) -> Bytes {
    let line = format!("record {offset} of {incarnation}. ");
    line.repeat(1 + usize::try_from(offset * 37 % 2000).unwrap()).into()
}

/// The session that a writer fills.
pub(super) fn session(incarnation: Incarnation, writer: u128) -> SessionId {
    SessionId::new(Uuid::from_u128(u128::from(incarnation.0) << 64 | writer))
}

/// The document that a writer changes.
pub(super) fn document_key(incarnation: Incarnation, writer: u128) -> String {
    format!("{incarnation}-{writer}")
}

/// A running child.
pub(super) struct Writing {
    process: Child,
    said: mpsc::Receiver<Said>,
}

impl Writing {
    /// Starts a child on a directory. With `steps`, it appends only as [`Writing::step`] asks.
    pub(super) fn start(
        directory: &Path,
        steps: bool,
        env: impl IntoIterator<Item = (&'static str, OsString)>,
    ) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::child::the_child_of_other_tests", "--ignored", "--nocapture"])
            .env(DIRECTORY, directory)
            .env(STEPS, if steps { "1" } else { "" })
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (say, said) = mpsc::channel();
        thread::spawn(move || {
            let lines = lines.map_while(Result::ok);
            lines.filter_map(|line| Said::read(&line)).try_for_each(|line| say.send(line))
        });
        Self { process, said }
    }

    /// Waits for the next thing that the child says.
    pub(super) fn next(&self) -> Said {
        self.said.recv_timeout(LINE_TIMEOUT).expect("the child goes on")
    }

    /// What the child has said and nobody has asked for yet.
    pub(super) fn said_so_far(&self) -> Vec<Said> {
        self.said.try_iter().collect()
    }

    /// Lets the child append one more record.
    pub(super) fn step(&mut self) {
        let input = self.process.stdin.as_mut().unwrap();
        writeln!(input).unwrap();
    }

    /// Kills the child as the system would; says all that it still said.
    pub(super) fn kill(mut self) -> Vec<Said> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.said.iter().collect()
    }
}

#[test]
#[ignore = "the child of other tests"]
fn the_child_of_other_tests() {
    let directory = std::env::var_os(DIRECTORY).expect("started by another test");
    let steps = std::env::var_os(STEPS).is_some_and(|steps| !steps.is_empty());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(write_for_ever(directory.into(), steps));
}

async fn write_for_ever(directory: PathBuf, steps: bool) {
    let store = SqliteStore::open(&directory, Options::default(), 0).unwrap();
    let store = Arc::new(store);
    let incarnation = store.open().await.unwrap();
    Said::Opened(incarnation).say();
    let mut writers = JoinSet::new();
    for writer in 0..if steps { 0 } else { WRITERS } {
        writers.spawn(write(Arc::clone(&store), incarnation, writer));
    }
    let mut input = std::io::stdin().lines();
    for offset in 0.. {
        if steps && input.next().is_none() {
            return;
        }
        append(&store, Position { incarnation, lane: 0, offset }).await;
    }
}

/// Appends a record, however often that takes.
async fn append(store: &SqliteStore, at: Position) {
    Said::Begun(at.offset).say();
    let bytes = record(at.incarnation, at.offset);
    loop {
        match store.append(at, bytes.clone()).await {
            Ok(Appended::Durable) => return Said::Durable(at.offset).say(),
            Err(StoreError::Unavailable(_)) => Said::Unavailable(at.offset).say(),
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Writes version after version of a document and entry after entry of a session.
async fn write(store: Arc<SqliteStore>, incarnation: Incarnation, writer: u128) {
    let key = document_key(incarnation, writer);
    for version in 1.. {
        let bytes = record(incarnation, version);
        let put = store.put_document("crash", &key, version - 1, bytes.clone()).await;
        assert_eq!(put, Ok(Put::Written(version)));
        let segment = Segment { first: Seq(version), last: Seq(version), bytes };
        let session = session(incarnation, writer);
        store.put_segment(session, Some(segment), None).await.unwrap();
        Said::Written(writer, version).say();
    }
}
