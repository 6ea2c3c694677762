//! Asking: reads, plain writes, and conditional ones, whose outcome may be unknown.

use super::{
    CqlStore,
    error::{corrupt, is_without_effect, store_error},
};
use greenroom_actors::port::StoreError;
use scylla::{
    errors::ExecutionError,
    response::{PagingState, PagingStateResponse, query_result::QueryResult},
    serialize::{batch::BatchValues, row::SerializeRow},
    statement::{batch::Batch, prepared::PreparedStatement},
    value::{CqlValue, Row},
};
use std::{ops::ControlFlow, time::Duration};

/// A row that owns what it holds.
pub(super) trait OwnedRow:
    for<'f, 'm> scylla::deserialize::row::DeserializeRow<'f, 'm>
{
}
impl<T: for<'f, 'm> scylla::deserialize::row::DeserializeRow<'f, 'm>> OwnedRow for T {}

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is done, and a quorum has it.
    Applied,
    /// Its condition did not hold.
    Refused,
    /// No answer came, for this reason: it may be done, may not, and may still come to be done.
    /// Only a read by Paxos tells.
    Unknown(String),
}

/// The pause before the next attempt of a conditional write that met others, which grows.
pub(super) async fn pause(attempt: u32) {
    let most = 20_u64.saturating_mul(u64::from(attempt) + 1);
    tokio::time::sleep(Duration::from_millis(rand::random_range(1..=most))).await;
}

impl CqlStore {
    /// At most one row.
    pub(super) async fn one<R: OwnedRow>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Option<R>, StoreError> {
        let mut rows = self.all(statement, values).await?;
        Ok(rows.pop())
    }

    /// All rows of a statement that has a limit of its own.
    pub(super) async fn all<R: OwnedRow>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Vec<R>, StoreError> {
        let mut found = Vec::new();
        self.each(statement, values, |row| {
            found.push(row);
            ControlFlow::Continue(())
        })
        .await?;
        Ok(found)
    }

    /// Rows page by page, until `take` has enough of them.
    pub(super) async fn each<R: OwnedRow>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
        mut take: impl FnMut(R) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut paging = PagingState::start();
        loop {
            let page = self.session.execute_single_page(statement, &values, paging).await;
            let (result, next) = page.map_err(|error| store_error(&error))?;
            let rows = result.into_rows_result().map_err(|error| corrupt(error.to_string()))?;
            for row in rows.rows::<R>().map_err(|error| corrupt(error.to_string()))? {
                if take(row.map_err(|error| corrupt(error.to_string()))?).is_break() {
                    return Ok(());
                }
            }
            match next {
                PagingStateResponse::HasMorePages { state } => paging = state,
                PagingStateResponse::NoMorePages => return Ok(()),
            }
        }
    }

    /// Writes without a condition; done once it has returned.
    pub(super) async fn write(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<(), StoreError> {
        let written = self.session.execute_unpaged(statement, values).await;
        written.map(drop).map_err(|error| store_error(&error))
    }

    /// Writes if the statement's condition holds.
    pub(super) async fn conditionally(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Outcome, StoreError> {
        outcome(self.session.execute_unpaged(statement, values).await)
    }

    /// Writes all statements of one partition, or none, if all their conditions hold.
    pub(super) async fn conditional_batch(
        &self,
        batch: &Batch,
        values: impl BatchValues,
    ) -> Result<Outcome, StoreError> {
        outcome(self.session.batch(batch, values).await)
    }

    /// Writes if the condition holds, where a repeat of what was done already does nothing; says
    /// whether this attempt, or the last one of several, was the one that did it.
    pub(super) async fn repeatedly(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<bool, StoreError> {
        let mut reason = String::new();
        for attempt in 0..super::ATTEMPTS_MAX {
            match self.conditionally(statement, &values).await? {
                Outcome::Applied => return Ok(true),
                Outcome::Refused => return Ok(false),
                Outcome::Unknown(why) => reason = why,
            }
            pause(attempt).await;
        }
        Err(StoreError::Unavailable(reason))
    }
}

/// Reads nothing but `[applied]`: what else an answer holds differs from server to server.
fn outcome(answer: Result<QueryResult, ExecutionError>) -> Result<Outcome, StoreError> {
    let result = match answer {
        Ok(result) => result,
        Err(error) if is_without_effect(&error) => return Err(store_error(&error)),
        Err(error) => return Ok(Outcome::Unknown(error.to_string())),
    };
    let unreadable = || corrupt("a conditional write was answered without [applied]");
    let rows = result.into_rows_result().map_err(|_| unreadable())?;
    let (column, _) = rows.column_specs().get_by_name("[applied]").ok_or_else(unreadable)?;
    let first: Row = rows.first_row().map_err(|_| unreadable())?;
    match first.columns.get(column) {
        Some(Some(CqlValue::Boolean(true))) => Ok(Outcome::Applied),
        Some(Some(CqlValue::Boolean(false))) => Ok(Outcome::Refused),
        Some(_) | None => Err(unreadable()),
    }
}
