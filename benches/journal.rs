//! What a journal entry costs on the embedded store: `cargo bench --bench journal`.
//!
//! A lane packs the entries of one flush into one record and has one append under way; so the
//! rows differ in entries a record. The last rows have many callers, as documents do: what group
//! commit is for. CPU is that of the whole process.

#![expect(clippy::unwrap_used, reason = "a bench that fails stops there")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use bytes::Bytes;
use greenroom::store::sqlite::{Options, SqliteStore};
use greenroom_actors::port::{Appended, Documents, Journal, Position, Put};
use std::{fs, time::Duration};
use tokio::time::Instant;

const ENTRY_BYTES: usize = 200;
const ROW_TIME: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let directory = tempfile::Builder::new().prefix("greenroom-bench-").tempdir_in(".").unwrap();
    let store = SqliteStore::open(directory.path(), Options::default(), 0).unwrap();

    println!("{:>26} {:>12} {:>10} {:>10}", "", "entries/s", "CPU us", "wall us");
    let single = append(&store, 1).await;
    let mut grouped = single;
    for entries in [16, 64, 256, 1024] {
        let rate = append(&store, entries).await;
        grouped = if entries == 64 { rate } else { grouped };
    }
    println!("64 entries a record: {:.1} times the entries of 1\n", grouped / single);
    let alone = documents(&store, 1).await;
    let together = documents(&store, 64).await;
    println!("64 callers: {:.1} times the writes of 1", together / alone);
    store.close().await.unwrap();
}

/// Appends records and drops them again, 1000 at a time; entries a second.
async fn append(store: &SqliteStore, entries: usize) -> f64 {
    let record = Bytes::from(vec![b'x'; entries * ENTRY_BYTES]);
    let incarnation = store.open().await.unwrap();
    let mut offset = 0;
    let meter = Meter::start();
    while meter.runs() {
        let at = Position { incarnation, lane: 0, offset };
        assert_eq!(store.append(at, record.clone()).await, Ok(Appended::Durable));
        offset += 1;
        if offset % 1000 == 0 {
            store.drop_before(incarnation, 0, offset).await.unwrap();
        }
    }
    meter.report(&format!("record of {entries} entries"), offset * entries as u64)
}

/// Callers that each change a document of their own; writes a second.
async fn documents(store: &SqliteStore, callers: usize) -> f64 {
    let meter = Meter::start();
    let bytes = Bytes::from(vec![b'x'; ENTRY_BYTES]);
    let calls = (0..callers).map(async |caller| {
        let key = format!("{callers}-{caller}");
        let mut version = 0;
        while meter.runs() {
            let put = store.put_document("bench", &key, version, bytes.clone()).await;
            assert_eq!(put, Ok(Put::Written(version + 1)));
            version += 1;
        }
        version
    });
    let writes = futures_util::future::join_all(calls).await.into_iter().sum();
    meter.report(&format!("documents, {callers} callers"), writes)
}

struct Meter {
    begun: Instant,
    cpu: Duration,
}

impl Meter {
    fn start() -> Self {
        Self { begun: Instant::now(), cpu: process_cpu() }
    }

    fn runs(&self) -> bool {
        self.begun.elapsed() < ROW_TIME
    }

    fn report(&self, name: &str, done: u64) -> f64 {
        let (wall, cpu) = (self.begun.elapsed(), process_cpu() - self.cpu);
        let rate = done as f64 / wall.as_secs_f64();
        let each = |time: Duration| time.as_secs_f64() * 1e6 / done as f64;
        println!("{name:>26} {rate:>12.0} {:>10.2} {:>10.2}", each(cpu), each(wall));
        rate
    }
}

/// CPU time of all threads that live.
fn process_cpu() -> Duration {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let nanos = threads.map(|thread| {
        let stat = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
        stat.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanos.sum())
}
