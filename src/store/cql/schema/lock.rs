//! The lock of who migrates: a row that lapses.

use super::Schema;
use crate::store::cql::{OpenError, connect};
use scylla::{
    statement::{Consistency, Statement},
    value::{CqlValue, Row},
};
use uuid::Uuid;

/// Seconds after which the lock of one that died lapses. Each statement renews it, and takes at
/// most as long as its own timeout and the wait for agreement: 90 s.
const TTL_SECS: i32 = 300;

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Lock {
    holder: String,
}

impl Lock {
    /// Takes the lock, or says who holds it.
    pub(super) async fn take(schema: &Schema) -> Result<Self, OpenError> {
        let holder = format!("process {} ({})", std::process::id(), Uuid::now_v7());
        let insert = format!(
            "INSERT INTO schema_lock (name, holder) VALUES ('migrate', ?) IF NOT EXISTS
            USING TTL {TTL_SECS}"
        );
        let lock = Self { holder };
        // An answer that is lost is no answer; who holds it tells.
        let applied = lock.conditionally(schema, &insert, (&lock.holder,)).await;
        match Self::holder(schema).await? {
            Some(holder) if holder == lock.holder => Ok(lock),
            Some(holder) => Err(lock.taken(schema, holder)),
            None => Err(applied.err().unwrap_or_else(|| lock.taken(schema, "nobody".to_owned()))),
        }
    }

    /// Makes the lock last from now on; fails where it has lapsed.
    pub(super) async fn renew(&self, schema: &Schema) -> Result<(), OpenError> {
        let update = format!(
            "UPDATE schema_lock USING TTL {TTL_SECS} SET holder = ? WHERE name = 'migrate' IF holder = ?"
        );
        if self.conditionally(schema, &update, (&self.holder, &self.holder)).await? {
            return Ok(());
        }
        let holder = Self::holder(schema).await?.unwrap_or_else(|| "another process".to_owned());
        Err(self.taken(schema, holder))
    }

    /// Lets it go.
    pub(super) async fn release(self, schema: &Schema) -> Result<(), OpenError> {
        let delete = "DELETE FROM schema_lock WHERE name = 'migrate' IF holder = ?";
        self.conditionally(schema, delete, (&self.holder,)).await.map(drop)
    }

    fn taken(&self, schema: &Schema, holder: String) -> OpenError {
        let keyspace = schema.options.keyspace.clone();
        OpenError::Locked { keyspace, holder, within_secs: TTL_SECS }
    }

    /// Who holds it, settled by Paxos.
    async fn holder(schema: &Schema) -> Result<Option<String>, OpenError> {
        let mut select = Statement::new("SELECT holder FROM schema_lock WHERE name = 'migrate'");
        select.set_consistency(Consistency::LocalSerial);
        select.set_execution_profile_handle(Some(connect::schema_profile()));
        let found = schema.session.query_unpaged(select, ()).await;
        let rows = found.map_err(|source| schema.failed(source))?.into_rows_result().ok();
        let row = rows.and_then(|rows| rows.maybe_first_row::<(String,)>().ok().flatten());
        Ok(row.map(|(holder,)| holder))
    }

    async fn conditionally(
        &self,
        schema: &Schema,
        statement: &str,
        values: impl scylla::serialize::row::SerializeRow,
    ) -> Result<bool, OpenError> {
        let mut statement = Statement::new(statement);
        statement.set_execution_profile_handle(Some(connect::schema_profile()));
        let done = schema.session.query_unpaged(statement, values).await;
        let rows = done.map_err(|source| schema.failed(source))?.into_rows_result().ok();
        let applied = rows.and_then(|rows| {
            let (column, _) = rows.column_specs().get_by_name("[applied]")?;
            rows.first_row::<Row>().ok()?.columns.into_iter().nth(column)?
        });
        Ok(applied == Some(CqlValue::Boolean(true)))
    }
}
