//! What is particular to the embedded store: its directory, its copies, its end.

use super::contract::session_id;
use greenroom::store::sqlite::{
    BackupError, DATABASE_FILE, OpenError, Options, SqliteStore, backup,
};
use greenroom_actors::port::{
    Appended, Documents, Journal, Position, Projection, Put, SessionRow, Sessions, StoreError,
};
use greenroom_protocol::{
    frame::Status,
    id::{CommandId, Epoch, Seq, UserId},
};
use rusqlite::Connection;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use uuid::Uuid;

fn open(directory: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(directory, Options::default(), 5_000_000)
}

fn row(session: u128, epoch: u64) -> SessionRow {
    SessionRow {
        session: session_id(session),
        user: UserId::new(Uuid::from_u128(1)),
        cid: CommandId::new(Uuid::from_u128(2)),
        title: String::new(),
        created_at_ms: 1,
        epoch: Epoch(epoch),
        owner: None,
        origin: None,
        projection: Projection { seq: Seq::START, status: Status::Idle, commit: None },
    }
}

async fn epoch(store: &SqliteStore, session: u128) -> u64 {
    store.session(session_id(session)).await.unwrap().unwrap().epoch.0
}

#[tokio::test]
async fn a_second_server_is_refused_with_the_first_ones_process_id() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).unwrap();

    let refused = open(directory.path()).unwrap_err();
    let holder = std::process::id();
    assert!(matches!(refused, OpenError::Locked { pid: Some(pid), .. } if pid == holder));
    assert!(refused.to_string().contains(&format!("in use by process {holder}; stop")));

    first.close().await.unwrap();
    open(directory.path()).unwrap();
}

#[tokio::test]
async fn only_its_user_may_read_the_data() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("deep/data");
    let store = open(&directory).unwrap();
    store.put_document("kind", "key", 0, "secret".into()).await.unwrap();
    backup(&directory, &parent.path().join("copy.db")).unwrap();

    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files.iter().chain([&parent.path().join("copy.db")]) {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();

    let refused = open(&file).unwrap_err();

    assert!(matches!(&refused, OpenError::Directory { path, .. } if *path == file), "{refused}");
}

#[tokio::test]
async fn a_database_of_a_later_release_or_another_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).unwrap().close().await.unwrap();
    let database = Connection::open(directory.path().join(DATABASE_FILE)).unwrap();

    database.pragma_update(None, "user_version", 99).unwrap();
    let refused = open(directory.path()).unwrap_err();
    assert!(matches!(refused, OpenError::TooNew { found: 99, .. }), "{refused}");

    database.pragma_update(None, "application_id", 1).unwrap();
    let refused = open(directory.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
    drop(database);

    fs::write(
        directory.path().join(DATABASE_FILE),
        "no database at all, but long enough".repeat(9),
    )
    .unwrap();
    let refused = open(directory.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Database { .. }), "{refused}");
}

#[tokio::test]
async fn a_copy_of_a_running_server_holds_one_moment_and_begins_new_epochs_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).unwrap());
    store.create_session(row(1, 7)).await.unwrap();
    store.create_session(row(2, 6_000)).await.unwrap();
    let incarnation = store.open().await.unwrap();
    let at = Position { incarnation, lane: 0, offset: 0 };
    assert_eq!(store.append(at, "record".into()).await, Ok(Appended::Durable));

    // Pairs of documents that are always equal, while the copies are made.
    let mut writer = JoinSet::new();
    writer.spawn({
        let store = Arc::clone(&store);
        async move {
            for version in 0..200 {
                for key in ["a", "b"] {
                    let put = store.put_document("pair", key, version, "x".repeat(4000).into());
                    assert_eq!(put.await, Ok(Put::Written(version + 1)));
                }
            }
        }
    });
    let copies = tempfile::tempdir().unwrap();
    for copy in 0..5 {
        let (from, to) = (directory.path().to_owned(), copies.path().join(format!("{copy}.db")));
        tokio::task::spawn_blocking(move || backup(&from, &to)).await.unwrap().unwrap();
    }
    writer.join_all().await;
    assert_eq!(fs::read_dir(copies.path()).unwrap().count(), 5, "nothing left beside the copies");

    for copy in 0..5 {
        let restored = copies.path().join("restored").join(copy.to_string());
        fs::create_dir_all(&restored).unwrap();
        fs::copy(copies.path().join(format!("{copy}.db")), restored.join(DATABASE_FILE)).unwrap();
        let mut epochs = Vec::new();
        for _ in 0..2 {
            let copy = open(&restored).unwrap();
            epochs.push([epoch(&copy, 1).await, epoch(&copy, 2).await]);
            let _next = copy.open().await.unwrap();
            assert_eq!(copy.unrecovered().await.unwrap()[0], incarnation);
            assert_eq!(copy.read(incarnation, 0, 0, 9).await.unwrap().len(), 1);
            let version = async |key| {
                let document = copy.document("pair", key).await.unwrap();
                document.map_or(0, |document| document.version)
            };
            let (a, b) = (version("a").await, version("b").await);
            assert!(a == b || a == b + 1, "{a} and {b} never were together");
            copy.close().await.unwrap();
        }
        assert_eq!(epochs, [[5_000, 6_001]; 2], "raised by the first opening only");
    }
    assert_eq!(epoch(&store, 1).await, 7, "the original goes on as it was");
}

#[tokio::test]
async fn a_copy_can_be_made_of_a_server_that_stopped_or_crashed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    store.put_document("kind", "key", 0, "value".into()).await.unwrap();
    // As a crash leaves it: with a write-ahead log that nobody has read.
    let crashed = tempfile::tempdir().unwrap();
    for file in [DATABASE_FILE, "engine.db-wal"] {
        fs::copy(directory.path().join(file), crashed.path().join(file)).unwrap();
    }
    store.close().await.unwrap();

    for from in [directory.path(), crashed.path()] {
        let place = tempfile::tempdir().unwrap();
        backup(&from.join(DATABASE_FILE), &place.path().join(DATABASE_FILE)).unwrap();
        let copy = open(place.path()).unwrap();
        let document = copy.document("kind", "key").await.unwrap().unwrap();
        assert_eq!(document.bytes, "value", "{}", from.display());
    }
}

#[tokio::test]
async fn a_copy_goes_to_a_new_file_or_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    store.close().await.unwrap();
    let target = directory.path().join("copy.db");

    fs::write(&target, "precious").unwrap();
    let refused = backup(directory.path(), &target).unwrap_err();
    assert!(matches!(refused, BackupError::Exists { .. }), "{refused}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");

    let nowhere = directory.path().join("missing/copy.db");
    let refused = backup(directory.path(), &nowhere).unwrap_err();
    assert!(matches!(refused, BackupError::Target { .. }), "{refused}");

    let empty = tempfile::tempdir().unwrap();
    let refused = backup(empty.path(), &empty.path().join("copy.db")).unwrap_err();
    assert!(matches!(refused, BackupError::Database { .. }), "{refused}");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "no trace of it");
}

#[tokio::test]
async fn a_copy_is_not_opened_beside_the_log_of_another_database() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    store.put_document("kind", "key", 0, "value".into()).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    backup(directory.path(), &place.path().join(DATABASE_FILE)).unwrap();
    fs::copy(directory.path().join("engine.db-wal"), place.path().join("engine.db-wal")).unwrap();

    let refused = open(place.path()).unwrap_err();

    assert!(matches!(refused, OpenError::StrayLog { .. }), "{refused}");
}

#[tokio::test]
async fn what_was_queued_is_written_before_the_store_closes() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).unwrap());
    let mut writers = JoinSet::new();
    for writer in 0..200 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let key = writer.to_string();
            let put = store.put_document("kind", &key, 0, "value".into()).await;
            (key, put)
        });
    }
    tokio::task::yield_now().await;
    store.close().await.unwrap();
    let answers = writers.join_all().await;
    store.close().await.unwrap();
    let late = store.document("kind", "0").await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");

    let store = open(directory.path()).unwrap();
    for (key, put) in answers {
        let found = store.document("kind", &key).await.unwrap().is_some();
        match put {
            Ok(put) => assert!(put == Put::Written(1) && found, "{key} was acknowledged"),
            Err(StoreError::Unavailable(_)) => assert!(!found, "{key} came too late"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_store_that_is_dropped_lets_its_directory_go() {
    let directory = tempfile::tempdir().unwrap();
    for version in 0..3 {
        let store = open(directory.path()).unwrap();
        let put = store.put_document("kind", "key", version, "value".into()).await;
        assert_eq!(put, Ok(Put::Written(version + 1)));
    }
}

#[tokio::test]
async fn the_write_ahead_log_is_emptied_when_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let log = directory.path().join("engine.db-wal");
    store.put_document("kind", "key", 0, "x".repeat(100_000).into()).await.unwrap();
    assert!(log.metadata().unwrap().len() > 100_000);

    let mut waited = Duration::ZERO;
    while log.metadata().unwrap().len() > 0 {
        assert!(waited < Duration::from_secs(20), "still {:?}", log.metadata().unwrap().len());
        tokio::time::sleep(Duration::from_millis(50)).await;
        waited += Duration::from_millis(50);
    }
    assert_eq!(store.document("kind", "key").await.unwrap().unwrap().version, 1);
}

#[tokio::test]
async fn the_write_ahead_log_stays_short_under_load() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let incarnation = store.open().await.unwrap();
    let record = bytes::Bytes::from(vec![7; 1 << 20]);
    for offset in 0..120 {
        let at = Position { incarnation, lane: 0, offset };
        assert_eq!(store.append(at, record.clone()).await, Ok(Appended::Durable));
    }

    let log_bytes = directory.path().join("engine.db-wal").metadata().unwrap().len();
    assert!(log_bytes < 48 << 20, "{log_bytes} bytes after 120 MiB");
}
