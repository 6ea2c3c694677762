use super::{super::connection, committer::BACKGROUND_OPS_MAX, *};
use rusqlite::params;
use std::sync::mpsc::SyncSender;
use tempfile::TempDir;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(20);

/// A writer over one table of names that must differ.
fn writer(timeout: Duration) -> (TempDir, Arc<Writer>) {
    let place = tempfile::tempdir().unwrap();
    let directory = DataDir::hold(place.path()).unwrap();
    let connection = connection::writer(&directory.database()).unwrap();
    connection::use_wal(&connection, &directory.database()).unwrap();
    connection.execute("CREATE TABLE names (name TEXT PRIMARY KEY)", []).unwrap();
    (place, Arc::new(Writer::start(directory, connection, timeout).unwrap()))
}

fn insert(work: &Work<'_>, name: &str) -> rusqlite::Result<()> {
    work.connection.execute("INSERT INTO names VALUES (?1)", params![name]).map(drop)
}

/// Queues operations behind one that runs until the answer is used.
async fn block(writer: &Arc<Writer>, tasks: &mut JoinSet<()>) -> SyncSender<()> {
    let (release, released) = std::sync::mpsc::sync_channel(1);
    let (begin, begun) = oneshot::channel();
    let mut begin = Some(begin);
    let writer = Arc::clone(writer);
    tasks.spawn(async move {
        let blocked = writer.write(0, Writes::One, move |_| {
            begin.take().unwrap().send(()).unwrap();
            released.recv_timeout(PATIENCE).unwrap();
            Ok(())
        });
        // May have run out of patience.
        drop(blocked.await);
    });
    begun.await.unwrap();
    release
}

async fn names(writer: &Writer) -> Vec<String> {
    let read = writer.write(0, Writes::One, |work| {
        let mut select = work.connection.prepare("SELECT name FROM names ORDER BY name")?;
        let names = select.query_map([], |row| row.get(0))?;
        names.collect()
    });
    read.await.unwrap()
}

#[tokio::test]
async fn an_operation_that_fails_is_undone_alone() {
    let (_place, writer) = writer(PATIENCE);
    let mut tasks = JoinSet::new();
    let release = block(&writer, &mut tasks).await;

    let first = writer.write(0, Writes::One, |work| insert(work, "first"));
    let failing = writer.write(0, Writes::Several, |work| {
        insert(work, "second")?;
        insert(work, "first")
    });
    let third = writer.write(0, Writes::Several, |work| insert(work, "third"));
    let (first, failed, third, ()) =
        tokio::join!(first, failing, third, async { release.send(()).unwrap() });

    assert_eq!((first, third), (Ok(()), Ok(())));
    assert!(matches!(failed, Err(StoreError::Corrupt(_))), "{failed:?}");
    assert_eq!(names(&writer).await, ["first", "third"]);
}

#[tokio::test]
async fn all_who_wait_share_one_commit() {
    let (place, writer) = writer(PATIENCE);
    let log = place.path().join("engine.db-wal");
    let before = log.metadata().unwrap().len();
    let mut tasks = JoinSet::new();
    let release = block(&writer, &mut tasks).await;
    for number in 0..200 {
        let writer = Arc::clone(&writer);
        tasks.spawn(async move {
            let name = number.to_string();
            writer.write(0, Writes::One, move |work| insert(work, &name)).await.unwrap();
        });
    }
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    tasks.join_all().await;

    assert_eq!(names(&writer).await.len(), 200);
    let pages = (log.metadata().unwrap().len() - before) / 4096;
    assert!(pages < 40, "{pages} pages: each of 200 commits would have written two at least");
}

#[tokio::test]
async fn what_nobody_waits_for_holds_up_nothing_else_and_is_written_all_the_same() {
    let (_place, writer) = writer(PATIENCE);
    let mut tasks = JoinSet::new();
    let release = block(&writer, &mut tasks).await;
    let count = 3 * BACKGROUND_OPS_MAX;
    for number in 0..count {
        let writer = Arc::clone(&writer);
        tasks.spawn(async move {
            let name = format!("behind {number}");
            writer.write_behind(0, Writes::One, move |work| insert(work, &name)).await.unwrap();
        });
    }
    tokio::task::yield_now().await;
    let urgent = writer.write(0, Writes::One, |work| {
        let count = "SELECT count(*) FROM names";
        work.connection.query_row(count, [], |row| row.get::<_, usize>(0))
    });
    let (before, ()) = tokio::join!(urgent, async { release.send(()).unwrap() });

    assert!(before.unwrap() <= BACKGROUND_OPS_MAX, "at most what went along with the first commit");
    tasks.join_all().await;
    assert_eq!(names(&writer).await.len(), count);
}

#[tokio::test]
async fn a_writer_that_closes_writes_what_waits_behind() {
    let (_place, writer) = writer(PATIENCE);
    let mut tasks = JoinSet::new();
    let release = block(&writer, &mut tasks).await;
    for number in 0..3 * BACKGROUND_OPS_MAX {
        let writer = Arc::clone(&writer);
        tasks.spawn(async move {
            let name = number.to_string();
            writer.write_behind(0, Writes::One, move |work| insert(work, &name)).await.unwrap();
        });
    }
    tokio::task::yield_now().await;
    writer.close();
    release.send(()).unwrap();
    tasks.join_all().await;
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_then_refuses_them() {
    let (_place, writer) = writer(Duration::from_millis(200));
    let mut tasks = JoinSet::new();
    let release = block(&writer, &mut tasks).await;
    let half = QUEUE_BYTES_MAX / 2;
    for name in ["a", "b", "c"] {
        let writer = Arc::clone(&writer);
        tasks.spawn(async move {
            let refused = writer.write(half, Writes::One, move |work| insert(work, name)).await;
            assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        });
    }
    tasks.join_all().await;
    assert!(writer.places.available_permits() < half, "the queue still holds what it took");
    release.send(()).unwrap();

    // One place is the blocker's: the first was queued, the others never were.
    let patient = Writer {
        queue: writer.queue.clone(),
        places: Arc::clone(&writer.places),
        timeout: PATIENCE,
        ended: Arc::clone(&writer.ended),
    };
    assert_eq!(names(&patient).await, ["a"]);
    let all = writer.places.acquire_many(u32::try_from(QUEUE_BYTES_MAX).unwrap());
    let freed = tokio::time::timeout(PATIENCE, all).await;
    assert!(freed.is_ok_and(|all| all.is_ok()), "all places are free again");
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_stop_the_others() {
    let (_place, writer) = writer(PATIENCE);
    let mut tasks = JoinSet::new();
    let release = block(&writer, &mut tasks).await;
    let mut leaving = JoinSet::new();
    leaving.spawn({
        let writer = Arc::clone(&writer);
        async move { writer.write(0, Writes::One, |work| insert(work, "left")).await }
    });
    tokio::task::yield_now().await;
    leaving.shutdown().await;
    release.send(()).unwrap();

    let second = writer.write(0, Writes::One, |work| insert(work, "second")).await;
    assert_eq!(second, Ok(()));
    assert_eq!(names(&writer).await, ["left", "second"], "what was queued is written");
}
