//! The nodes.

use super::FakeStore;
use crate::port::{BoxFuture, Incarnation, NodeRow, Nodes, StoreError};

impl Nodes for FakeStore {
    fn is_shared(&self) -> bool {
        self.lock().shared
    }

    fn join(
        &self,
        incarnation: Incarnation,
        address: String,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut contents = self.contents()?;
            let life = contents.incarnations.get_mut(&incarnation);
            if let Some(life) = life.filter(|life| !life.sealed) {
                life.address = Some(address);
            }
            Ok(())
        })
    }

    fn beat(&self, incarnation: Incarnation, beat: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            if let Some(life) = self.contents()?.incarnations.get_mut(&incarnation) {
                life.beat = beat;
            }
            Ok(())
        })
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeRow>, StoreError>> {
        Box::pin(async {
            let contents = self.contents()?;
            let lives = contents.incarnations.iter().filter(|(_, life)| !life.recovered);
            let rows = lives.map(|(&incarnation, life)| NodeRow {
                incarnation,
                address: life.address.clone(),
                beat: life.beat,
                sealed: life.sealed,
            });
            Ok(rows.collect())
        })
    }
}
