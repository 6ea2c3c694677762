//! Appends against seals, by processes that know nothing of each other.

use super::{open, options};
use greenroom::store::cql::{CqlStore, Options};
use greenroom_actors::port::{Appended, Incarnation, Journal, Position, Record};
use std::{ops::AddAssign, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet, time::timeout};

/// Longest wait for an owner to notice that it is fenced.
const FENCED_WITHIN: Duration = Duration::from_secs(60);

/// Bytes of a part: some races meet its closing.
const PART_BYTES: usize = 120;

/// How many races: `GREENROOM_TEST_RACES`, else enough to see each way they can end.
fn races() -> u64 {
    let wanted = std::env::var("GREENROOM_TEST_RACES").ok();
    wanted.map_or(60, |wanted| wanted.parse().expect("GREENROOM_TEST_RACES is a number"))
}

fn record(offset: u64) -> Record {
    Record { offset, bytes: format!("record {offset}").into() }
}

/// What an owner knew when it ended.
#[derive(Debug, Default)]
struct Counts {
    fenced: u64,
    unknown: u64,
    records: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.fenced += other.fenced;
        self.unknown += other.unknown;
        self.records += other.records;
    }
}

/// Appends from offset 0 on, as fast as it can, until an append does not go through. Says how many
/// were acknowledged, and whether what became of the last one is known.
async fn append_until_fenced(
    store: Arc<CqlStore>,
    incarnation: Incarnation,
    acknowledged: watch::Sender<u64>,
) -> (u64, bool) {
    let mut offset = 0;
    loop {
        let at = Position { incarnation, lane: 0, offset };
        match store.append(at, record(offset).bytes).await {
            Ok(Appended::Durable) => offset += 1,
            Ok(Appended::Fenced) => return (offset, true),
            Err(_) => return (offset, false),
        }
        acknowledged.send_replace(offset);
    }
}

async fn race(owner: Arc<CqlStore>, thief: &CqlStore, head_start: u64) -> Counts {
    let incarnation = Journal::open(&*owner).await.unwrap();
    let (acknowledged, mut seen) = watch::channel(0);
    let mut appending = JoinSet::new();
    appending.spawn(append_until_fenced(owner, incarnation, acknowledged));
    seen.wait_for(|&acknowledged| acknowledged >= head_start).await.unwrap();

    while thief.seal(incarnation).await.is_err() {} // what became of it is unknown: again
    let at_once = thief.read(incarnation, 0, 0, usize::MAX).await.unwrap();
    let ended = timeout(FENCED_WITHIN, appending.join_next()).await.expect("appends end");
    let (acknowledged, known) = ended.unwrap().unwrap();
    let later = thief.read(incarnation, 0, 0, usize::MAX).await.unwrap();

    assert_eq!(later, at_once, "a record appeared after the seal");
    let stored = u64::try_from(later.len()).unwrap();
    assert_eq!(later, (0..stored).map(record).collect::<Vec<_>>(), "records without a gap");
    assert!(stored >= acknowledged, "{acknowledged} were acknowledged, {stored} are there");
    // One that was not acknowledged may be there only if its owner does not know.
    assert!(stored <= acknowledged + u64::from(!known), "{acknowledged} of {stored}");
    thief.recovered(incarnation).await.unwrap();
    Counts { fenced: u64::from(known), unknown: u64::from(!known), records: stored }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_appends_against_a_seal_nothing_acknowledged_is_missing_and_nothing_appears_late() {
    let Some(options) = options("races") else { return };
    let options = Options { part_bytes_max: PART_BYTES, ..options };
    let (owner, thief) = (Arc::new(open(&options).await), open(&options).await);
    let mut counts = Counts::default();
    for number in 0..races() {
        counts += race(owner.clone(), &thief, number % 17).await;
    }
    println!("{counts:?}");
    assert_eq!(counts.fenced + counts.unknown, races());
    assert!(counts.fenced > 0 && counts.records > 0, "{counts:?}");
}
