//! The nodes: one at a time.

use super::{SqliteStore, execute, writer::Writes};
use greenroom_actors::port::{BoxFuture, Incarnation, NodeRow, Nodes, StoreError};
use rusqlite::params;

impl Nodes for SqliteStore {
    fn is_shared(&self) -> bool {
        false
    }

    fn join(
        &self,
        incarnation: Incarnation,
        address: String,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.writer.write(address.len(), Writes::One, move |work| {
            let update = "UPDATE incarnations SET address = ?2 WHERE id = ?1 AND sealed = 0";
            execute(work.connection, update, params![incarnation.0, address]).map(drop)
        })
    }

    fn beat(&self, incarnation: Incarnation, beat: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.writer.write_behind(0, Writes::One, move |work| {
            let update = "UPDATE incarnations SET beat = ?2 WHERE id = ?1";
            execute(work.connection, update, params![incarnation.0, beat]).map(drop)
        })
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeRow>, StoreError>> {
        self.readers.read(|connection| {
            let select = "SELECT id, address, beat, sealed FROM incarnations
                WHERE recovered = 0 ORDER BY id";
            let mut select = connection.prepare_cached(select)?;
            let rows = select.query_map([], |row| {
                Ok(NodeRow {
                    incarnation: Incarnation(row.get(0)?),
                    address: row.get(1)?,
                    beat: row.get(2)?,
                    sealed: row.get(3)?,
                })
            })?;
            rows.collect()
        })
    }
}
