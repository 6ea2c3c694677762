//! Versions of the schema and the way from one to the next.
//!
//! Migrations are run by hand, by `greenroom migrate`, before the servers that need them; a server
//! only looks. Of several that migrate at once one does, under a lock that lapses; what was done is
//! read again once the lock is held and the nodes agree on the schema. Each statement may be run
//! again, so that a migration that was cut off goes on.

mod lock;
mod script;

use super::{
    OpenError, Options,
    connect::{self, Profiles},
};
use greenroom_actors::port::StoreError;
use lock::Lock;
use scylla::{
    client::session::Session,
    errors::{ExecutionError, SchemaAgreementError},
    policies::timestamp_generator::MonotonicTimestampGenerator,
    serialize::row::SerializeRow,
    statement::Statement,
};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// One script a version, the first for version 1. A script that was released never changes.
const SCRIPTS: &[(&str, &str)] = &[("initial", include_str!("../migrations/0001_initial.cql"))];

/// How a keyspace is made: the one thing that is said to each server in its own way.
const KEYSPACE_SCYLLA: &str = include_str!("../migrations/keyspace.scylla.cql");
const KEYSPACE_CASSANDRA: &str = include_str!("../migrations/keyspace.cassandra.cql");

/// What migrating itself needs.
const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS schema_migrations (shelf smallint, version int, name text, \
     checksum text, applied_at timestamp, PRIMARY KEY (shelf, version))",
    "CREATE TABLE IF NOT EXISTS schema_lock (name text PRIMARY KEY, holder text)",
];

/// One step from a version to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The version that it leads to.
    pub version: u32,
    /// Its name.
    pub name: &'static str,
    /// Its statements, in order.
    pub statements: Vec<String>,
    checksum: String,
}

/// All migrations of this release, the first first.
fn migrations() -> Vec<Migration> {
    let migration = |(version, (name, text)): (u32, &(&'static str, &str))| Migration {
        version,
        name,
        statements: script::statements(text),
        checksum: Sha256::digest(text.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    };
    (1..).zip(SCRIPTS).map(migration).collect()
}

/// How far a keyspace is.
#[derive(Clone, Debug)]
pub struct Status {
    /// Version of its schema; 0: there is none.
    pub version: u32,
    /// What is to be done, perhaps nothing.
    pub pending: Vec<Migration>,
    /// Whether the keyspace itself is to be made, and how.
    pub keyspace: Option<String>,
    /// Whether all nodes have the same schema.
    pub agreed: bool,
}

/// The schema of a keyspace, to look at and to migrate.
pub struct Schema {
    session: Session,
    options: Options,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").field("keyspace", &self.options.keyspace).finish_non_exhaustive()
    }
}

impl Schema {
    /// Connects to a cluster, whether or not it has the keyspace.
    ///
    /// # Errors
    /// [`OpenError::Unreachable`] and [`OpenError::Silent`].
    pub async fn connect(options: &Options) -> Result<Self, OpenError> {
        let profiles = Profiles::new(&options.datacenter);
        let clock = Arc::new(MonotonicTimestampGenerator::new());
        let session = connect::connect(options, &profiles, &clock).await?;
        Ok(Self { session, options: options.clone() })
    }

    /// How far the keyspace is. Changes nothing.
    ///
    /// # Errors
    /// [`OpenError`], also where the keyspace is not as this release would have made it.
    pub async fn status(&self) -> Result<Status, OpenError> {
        let keyspace = match self.has_keyspace().await? {
            true => None,
            false => Some(self.keyspace_statement().await?),
        };
        let done = applied(&self.session, &self.options.keyspace).await?;
        let known = migrations();
        let version = compare(&self.options.keyspace, &done, &known)?;
        let pending = known.into_iter().filter(|known| known.version > version).collect();
        let agreed = self.session.check_schema_agreement().await;
        let agreed = agreed.map_err(disagreement)?.is_some();
        Ok(Status { version, pending, keyspace, agreed })
    }

    /// Brings the keyspace to the newest version, and says what was done. Of several that do so at
    /// once the others are refused.
    ///
    /// # Errors
    /// [`OpenError`]; a repeat goes on where this one stopped.
    pub async fn migrate(&self) -> Result<Vec<Migration>, OpenError> {
        let keyspace = &self.options.keyspace;
        if !self.has_keyspace().await? {
            self.run(&self.keyspace_statement().await?, ()).await?;
        }
        let used = self.session.use_keyspace(keyspace, false).await;
        used.map_err(|source| self.failed(source.into()))?;
        for table in TABLES {
            self.run(table, ()).await?;
        }
        let lock = Lock::take(self).await?;
        let done = self.migrate_locked(&lock).await;
        let released = lock.release(self).await;
        let done = done?;
        released.map(|()| done)
    }

    async fn migrate_locked(&self, lock: &Lock) -> Result<Vec<Migration>, OpenError> {
        // Who held the lock before may have been at it a moment ago.
        self.session.await_schema_agreement().await.map_err(disagreement)?;
        let pending = self.status().await?.pending;
        for Migration { version, name, statements, checksum } in &pending {
            for statement in statements {
                lock.renew(self).await?;
                self.run(statement, ()).await?;
            }
            let version = i32::try_from(*version).unwrap_or(i32::MAX);
            let insert = "INSERT INTO schema_migrations
                (shelf, version, name, checksum, applied_at) VALUES (0, ?, ?, ?, toTimestamp(now()))";
            self.run(insert, (version, *name, checksum)).await?;
        }
        Ok(pending)
    }

    async fn has_keyspace(&self) -> Result<bool, OpenError> {
        let select = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
        let found = text(&self.session, select, (&self.options.keyspace,)).await;
        Ok(found.map_err(|source| self.failed(source))?.is_some())
    }

    /// How this server makes the keyspace.
    async fn keyspace_statement(&self) -> Result<String, OpenError> {
        let Options { keyspace, datacenter, replication, .. } = &self.options;
        let select = "SELECT table_name FROM system_schema.tables
            WHERE keyspace_name = 'system' AND table_name = 'scylla_local'";
        let scylla = text(&self.session, select, ()).await.map_err(|source| self.failed(source))?;
        let script = if scylla.is_some() { KEYSPACE_SCYLLA } else { KEYSPACE_CASSANDRA };
        let local = if datacenter.is_empty() {
            let select = "SELECT data_center FROM system.local";
            text(&self.session, select, ()).await.map_err(|source| self.failed(source))?
        } else {
            None
        };
        let datacenter = local.as_ref().unwrap_or(datacenter);
        let script = script
            .replace("$keyspace", keyspace)
            .replace("$datacenter", &datacenter.replace('\'', "''"))
            .replace("$replication", &replication.to_string());
        Ok(script::statements(&script).concat())
    }

    /// Runs one statement; after one that changes the schema, waits until the nodes agree.
    async fn run(&self, statement: &str, values: impl SerializeRow) -> Result<(), OpenError> {
        let mut statement = Statement::new(statement);
        statement.set_execution_profile_handle(Some(connect::schema_profile()));
        let done = self.session.query_unpaged(statement, values).await;
        done.map(drop).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: ExecutionError) -> OpenError {
        OpenError::Database { keyspace: self.options.keyspace.clone(), source: Box::new(source) }
    }
}

fn disagreement(source: SchemaAgreementError) -> OpenError {
    OpenError::Disagreement(Box::new(source))
}

/// Whether a server of this release can use the keyspace.
pub(super) async fn check(session: &Session, keyspace: &str) -> Result<(), OpenError> {
    let done = applied(session, keyspace).await?;
    let known = migrations();
    let found = compare(keyspace, &done, &known)?;
    let newest = known.last().map_or(0, |newest| newest.version);
    match found {
        0 => Err(OpenError::NoSchema { keyspace: keyspace.to_owned() }),
        _ if found < newest => {
            Err(OpenError::TooOld { keyspace: keyspace.to_owned(), found, known: newest })
        }
        _ => Ok(()),
    }
}

/// What was applied: checksums by version.
async fn applied(session: &Session, keyspace: &str) -> Result<BTreeMap<u32, String>, OpenError> {
    let failed =
        |source| OpenError::Database { keyspace: keyspace.to_owned(), source: Box::new(source) };
    let select = "SELECT table_name FROM system_schema.tables
        WHERE keyspace_name = ? AND table_name = 'schema_migrations'";
    if text(session, select, (keyspace,)).await.map_err(failed)?.is_none() {
        return Ok(BTreeMap::new());
    }
    // A name of its own range: the configuration lets nothing else through.
    let select =
        format!("SELECT version, checksum FROM {keyspace}.schema_migrations WHERE shelf = 0");
    let found = session.query_unpaged(select, ()).await.map_err(failed)?;
    let unreadable = || StoreError::Corrupt("schema_migrations cannot be read".to_owned());
    let rows = found.into_rows_result().map_err(|_| unreadable())?;
    let rows = rows.rows::<(i32, String)>().map_err(|_| unreadable())?;
    let row = |row: Result<(i32, String), _>| {
        let (version, checksum) = row.map_err(|_| unreadable())?;
        Ok((u32::try_from(version).map_err(|_| unreadable())?, checksum))
    };
    rows.map(row).collect()
}

/// The version of a schema, if it is one that this release could have made.
fn compare(
    keyspace: &str,
    done: &BTreeMap<u32, String>,
    known: &[Migration],
) -> Result<u32, OpenError> {
    let keyspace = keyspace.to_owned();
    let newest = known.last().map_or(0, |newest| newest.version);
    let found = done.keys().next_back().copied().unwrap_or(0);
    if found > newest {
        return Err(OpenError::TooNew { keyspace, found, known: newest });
    }
    let until = known.iter().take_while(|known| known.version <= found);
    let differs = |known: &&Migration| done.get(&known.version) != Some(&known.checksum);
    match until.into_iter().find(differs) {
        Some(Migration { version, .. }) => Err(OpenError::Differs { keyspace, version: *version }),
        None => Ok(found),
    }
}

/// The text in the first row and column of an answer.
async fn text(
    session: &Session,
    select: &str,
    values: impl SerializeRow,
) -> Result<Option<String>, ExecutionError> {
    let found = session.query_unpaged(select, values).await?;
    let rows = found.into_rows_result().ok();
    let row = rows.and_then(|rows| rows.maybe_first_row::<(String,)>().ok().flatten());
    Ok(row.map(|(text,)| text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(migrations: &[Migration]) -> BTreeMap<u32, String> {
        let row = |migration: &Migration| (migration.version, migration.checksum.clone());
        migrations.iter().map(row).collect()
    }

    fn four() -> Vec<Migration> {
        let migration = |version: u32| Migration {
            version,
            name: "some",
            statements: Vec::new(),
            checksum: format!("sum {version}"),
        };
        (1..=4).map(migration).collect()
    }

    #[test]
    fn a_schema_is_as_old_as_its_last_migration() {
        let known = four();
        let version = |done: &[Migration]| compare("k", &self::done(done), &known).unwrap();
        assert_eq!(version(&[]), 0);
        assert_eq!(version(&known[..2]), 2);
        assert_eq!(version(&known), 4);
    }

    #[test]
    fn a_schema_of_a_later_release_is_refused() {
        let refused = compare("k", &done(&four()), &four()[..3]);
        assert!(matches!(refused, Err(OpenError::TooNew { found: 4, known: 3, .. })));
    }

    #[test]
    fn a_migration_that_was_another_one_or_is_missing_is_named() {
        let mut changed = done(&four()[..3]);
        changed.insert(2, "another".to_owned());
        let mut missing = done(&four()[..3]);
        missing.remove(&2);
        for done in [changed, missing] {
            let refused = compare("k", &done, &four());
            assert!(matches!(refused, Err(OpenError::Differs { version: 2, .. })), "{refused:?}");
        }
    }

    #[test]
    fn a_migration_may_be_run_again() {
        for Migration { name, statements, .. } in migrations() {
            for statement in statements {
                let repeats = statement.contains(" IF NOT EXISTS ");
                assert!(repeats, "{name} has {statement}, which fails when it is repeated");
            }
        }
    }

    #[test]
    fn a_keyspace_is_made_by_one_statement_on_each_server() {
        for script in [KEYSPACE_SCYLLA, KEYSPACE_CASSANDRA] {
            assert_eq!(script::statements(script).len(), 1, "{script}");
        }
    }
}
