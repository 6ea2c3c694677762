//! A slow, full or broken disk below the database.

use super::child::{Said, Writing, record};
use crate::faultfs::{EIO, ENOSPC, FaultFs, Faults};
use greenroom::store::sqlite::{DATABASE_FILE, Options, SqliteStore};
use greenroom_actors::port::{Incarnation, Journal, Record};
use std::path::Path;
use tempfile::TempDir;

struct Bed {
    directory: TempDir,
    disk: FaultFs,
    child: Writing,
    incarnation: Incarnation,
}

/// A child with a store on a disk that can fail; none where that cannot be had here.
fn bed() -> Option<Bed> {
    let disk = FaultFs::new(DATABASE_FILE)?;
    let directory = tempfile::tempdir().unwrap();
    let child = Writing::start(directory.path(), true, disk.env());
    let Said::Opened(incarnation) = child.next() else {
        panic!("a child opens its journal first");
    };
    Some(Bed { directory, disk, child, incarnation })
}

impl Bed {
    /// A record that goes through without trouble.
    fn append(&mut self, offset: u64) {
        self.child.step();
        assert_eq!(self.child.next(), Said::Begun(offset));
        assert_eq!(self.child.next(), Said::Durable(offset));
    }

    /// The next record is refused while the disk has that fault, and taken after.
    fn append_after(&mut self, offset: u64, fault: Faults, what: &str) {
        let before = self.disk.count(what);
        self.disk.set(fault);
        self.child.step();
        assert_eq!(self.child.next(), Said::Begun(offset));
        assert_eq!(self.child.next(), Said::Unavailable(offset), "{fault:?}");
        assert_eq!(self.child.next(), Said::Unavailable(offset), "and again");
        assert!(self.disk.count(what) > before, "no {what}: the shim was not asked");

        self.disk.set(Faults::default());

        let mut said = self.child.next();
        while said == Said::Unavailable(offset) {
            said = self.child.next();
        }
        assert_eq!(said, Said::Durable(offset), "{fault:?}");
    }

    /// Kills the child; a store with a good disk finds exactly so many records.
    async fn finish(self, count: u64) {
        self.child.kill();
        let found = read(self.directory.path(), self.incarnation).await;
        let records = (0..count)
            .map(|offset| Record { offset, bytes: record(self.incarnation, offset) })
            .collect::<Vec<_>>();
        assert_eq!(found, records);
    }
}

async fn read(directory: &Path, incarnation: Incarnation) -> Vec<Record> {
    let store = SqliteStore::open(directory, Options::default(), 0).unwrap();
    store.read(incarnation, 0, 0, usize::MAX).await.unwrap()
}

#[tokio::test]
async fn no_append_is_acknowledged_before_its_sync() {
    let Some(mut bed) = bed() else { return };
    bed.append(0);
    for offset in 1..4 {
        let held = bed.disk.count("sync-held");
        bed.disk.set(Faults { hold_syncs: true, ..Faults::default() });
        bed.child.step();
        assert_eq!(bed.child.next(), Said::Begun(offset));

        bed.disk.wait_for("sync-held", held);
        let done = bed.disk.count("sync-done");
        assert_eq!(bed.child.said_so_far(), [], "offset {offset} before its sync");
        assert_eq!(bed.disk.count("sync-done"), done);
        bed.disk.set(Faults::default());

        assert_eq!(bed.child.next(), Said::Durable(offset));
        assert!(bed.disk.count("sync-done") > done);
    }
    bed.finish(4).await;
}

#[tokio::test]
async fn a_slow_sync_delays_the_acknowledgement_and_nothing_else() {
    let Some(mut bed) = bed() else { return };
    bed.disk.set(Faults { sync_delay_ms: 100, ..Faults::default() });
    for offset in 0..3 {
        bed.append(offset);
    }
    let events = bed.disk.events();
    let begun = events.iter().filter(|event| event.what == "sync-begun");
    let done = events.iter().filter(|event| event.what == "sync-done");
    // Each log line is of the same thread: they alternate.
    let longest = begun.zip(done).map(|(begun, done)| done.at_ns - begun.at_ns).max();
    assert!(longest >= Some(100_000_000), "{longest:?} ns");
    bed.finish(3).await;
}

#[tokio::test]
async fn what_a_full_disk_refused_is_taken_once_there_is_space() {
    let Some(mut bed) = bed() else { return };
    bed.append(0);
    let full = Faults { write_errno: ENOSPC, ..Faults::default() };
    bed.append_after(1, full, "write-failed");
    bed.append(2);
    bed.finish(3).await;
}

#[tokio::test]
async fn what_a_broken_disk_refused_is_taken_once_it_works() {
    let Some(mut bed) = bed() else { return };
    bed.append(0);
    bed.append_after(1, Faults { sync_errno: EIO, ..Faults::default() }, "sync-failed");
    bed.append(2);
    bed.append_after(3, Faults { write_errno: EIO, ..Faults::default() }, "write-failed");
    bed.append_after(4, Faults { sync_errno: ENOSPC, ..Faults::default() }, "sync-failed");
    bed.append(5);
    bed.finish(6).await;
}
