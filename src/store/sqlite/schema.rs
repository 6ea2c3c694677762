//! Versions of the schema and the way from one to the next.

use super::{OpenError, backup};
use rusqlite::{Connection, TransactionBehavior};
use std::{ffi::OsString, path::Path};

/// `application_id` of our databases: "Grnm".
const APPLICATION_ID: i32 = 0x4772_6e6d;

/// Bytes a page. Set when the file is created.
const PAGE_BYTES: i32 = 4096;

/// One script a version, the first for version 1. A script that was released never changes.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_forks.sql"),
    include_str!("migrations/0003_ledger.sql"),
    include_str!("migrations/0004_ledger_order.sql"),
    include_str!("migrations/0005_nodes.sql"),
];

/// Brings the database to the newest version, in one transaction. A database that held something
/// is copied first, to `engine.db.v<version>`.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    let found = version(connection, path)?;
    if found > known {
        return Err(OpenError::TooNew { path: path.to_owned(), found, known });
    }
    if found == known {
        return Ok(());
    }
    if found == 0 {
        connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(failed)?;
    } else {
        copy_before(path, found)?;
    }
    let apply = |connection: &mut Connection| {
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = usize::try_from(found).unwrap_or(usize::MAX);
        for script in migrations.iter().skip(done) {
            change.execute_batch(script)?;
        }
        change.pragma_update(None, "user_version", known)?;
        change.pragma_update(None, "application_id", APPLICATION_ID)?;
        change.commit()
    };
    apply(connection).map_err(failed)
}

/// The schema's version; 0 for an empty file.
fn version(connection: &Connection, path: &Path) -> Result<u32, OpenError> {
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    let read = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = read("application_id").map_err(failed)?;
    let version = u32::try_from(read("user_version").map_err(failed)?);
    let tables: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    match version {
        Ok(0) if application == 0 && tables == 0 => Ok(0),
        Ok(version) if application == APPLICATION_ID && version > 0 => Ok(version),
        Ok(_) | Err(_) => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

/// Copies the database beside itself. A copy of the same version stands for an earlier attempt
/// that failed after it, and is made anew.
fn copy_before(path: &Path, version: u32) -> Result<(), OpenError> {
    let mut copy = OsString::from(path);
    copy.push(format!(".v{version}"));
    let copy = Path::new(&copy);
    if copy.exists() {
        std::fs::remove_file(copy)
            .map_err(|source| OpenError::Directory { path: copy.to_owned(), source })?;
    }
    backup(path, copy).map_err(|error| OpenError::Copy(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The newest version.
    const KNOWN: u32 = 5;

    fn opened(path: &Path, migrations: &[&str]) -> (Connection, Result<(), OpenError>) {
        let mut connection = Connection::open(path).unwrap();
        let migrated = migrate(&mut connection, path, migrations);
        (connection, migrated)
    }

    #[test]
    fn a_database_is_brought_to_the_newest_version_and_copied_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("engine.db");
        let (old, migrated) = opened(&path, MIGRATIONS);
        migrated.unwrap();
        old.execute("INSERT INTO documents VALUES ('kind', 'key', 1, x'00')", []).unwrap();
        drop(old);
        let more = "ALTER TABLE documents ADD COLUMN more TEXT DEFAULT 'new'";
        let newer = [MIGRATIONS, &[more]].concat();

        for _repeat in 0..2 {
            let (new, migrated) = opened(&path, &newer);
            migrated.unwrap();
            let more: String =
                new.query_row("SELECT more FROM documents", [], |row| row.get(0)).unwrap();
            assert_eq!((more.as_str(), version(&new, &path).unwrap()), ("new", KNOWN + 1));
        }
        let copy = directory.path().join(format!("engine.db.v{KNOWN}"));
        let copied = Connection::open(&copy).unwrap();
        assert_eq!(version(&copied, &copy).unwrap(), KNOWN);
        let (_, refused) = opened(&path, MIGRATIONS);
        let Err(OpenError::TooNew { found, known, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!((found, known), (KNOWN + 1, KNOWN));
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("engine.db");
        opened(&path, MIGRATIONS).1.unwrap();
        let broken = ["CREATE TABLE more (a)", "CREATE TABLE documents (b)"];
        let newer = [MIGRATIONS, &broken].concat();

        for _repeat in 0..2 {
            let (connection, refused) = opened(&path, &newer);
            let Err(OpenError::Database { source, .. }) = refused else {
                panic!("{refused:?}");
            };
            assert!(source.to_string().contains("already exists"), "{source}");
            assert_eq!(version(&connection, &path).unwrap(), KNOWN);
            assert!(!connection.table_exists(None, "more").unwrap());
        }
    }

    #[test]
    fn a_database_with_tables_of_another_program_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("engine.db");
        Connection::open(&path).unwrap().execute("CREATE TABLE theirs (a)", []).unwrap();

        let (_, refused) = opened(&path, MIGRATIONS);

        assert!(matches!(refused, Err(OpenError::Foreign { .. })));
    }
}
