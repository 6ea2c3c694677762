//! kill -9.

use super::child::{Said, Writing, document_key, record, session};
use greenroom::store::sqlite::{Options, SqliteStore};
use greenroom_actors::port::{Documents, Incarnation, Journal, Record, Segments};
use greenroom_protocol::id::Seq;
use std::collections::BTreeMap;

/// Kills of one directory. Each finds the next place between two commits or within one.
const ROUNDS: usize = 8;

/// What a child said was durable.
#[derive(Debug, Default)]
struct Acknowledged {
    records: u64,
    versions: BTreeMap<u128, u64>,
}

impl Acknowledged {
    fn note(&mut self, said: Said) {
        match said {
            Said::Durable(offset) => self.records = offset + 1,
            Said::Written(writer, version) => drop(self.versions.insert(writer, version)),
            Said::Opened(_) | Said::Begun(_) => {}
            Said::Unavailable(offset) => panic!("unavailable at {offset}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_everything_acknowledged_is_there_once() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let child = Writing::start(directory.path(), false, []);
        let Said::Opened(incarnation) = child.next() else {
            panic!("a child opens its journal first");
        };
        let mut acknowledged = Acknowledged::default();
        while acknowledged.records < 3 + 23 * round as u64 {
            acknowledged.note(child.next());
        }
        child.kill().into_iter().for_each(|said| acknowledged.note(said));

        let store = SqliteStore::open(directory.path(), Options::default(), 0).unwrap();
        let own = store.open().await.unwrap();
        assert_eq!(store.unrecovered().await, Ok(vec![incarnation]));
        check(&store, incarnation, &acknowledged).await;
        store.recovered(incarnation).await.unwrap();
        store.seal(own).await.unwrap();
        store.recovered(own).await.unwrap();
        store.close().await.unwrap();
    }
}

/// One unacknowledged write may be there too: its answer was on the way.
async fn check(store: &SqliteStore, incarnation: Incarnation, acknowledged: &Acknowledged) {
    let found = store.read(incarnation, 0, 0, usize::MAX).await.unwrap();
    let count = found.len() as u64;
    let records = (0..count).map(|offset| Record { offset, bytes: record(incarnation, offset) });
    assert!(found.into_iter().eq(records), "records differ");
    assert!((acknowledged.records..=acknowledged.records + 1).contains(&count), "{count} records");

    for (&writer, &version) in &acknowledged.versions {
        let key = document_key(incarnation, writer);
        let document = store.document("crash", &key).await.unwrap().unwrap();
        assert!((version..=version + 1).contains(&document.version));
        assert_eq!(document.bytes, record(incarnation, document.version));
        let segments = store.segments(session(incarnation, writer), Seq(1), usize::MAX);
        let segments = segments.await.unwrap();
        let count = segments.len() as u64;
        assert!((version..=version + 1).contains(&count), "{count} segments of {version}");
        for (segment, seq) in segments.into_iter().zip(1..) {
            assert_eq!((segment.first, segment.last), (Seq(seq), Seq(seq)));
            assert_eq!(segment.bytes, record(incarnation, seq));
        }
    }
}
