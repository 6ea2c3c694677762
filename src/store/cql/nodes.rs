//! The nodes: all that share the cluster.

use super::{CqlStore, number, unsigned};
use greenroom_actors::port::{BoxFuture, Incarnation, NodeRow, Nodes, StoreError};
use std::collections::BTreeMap;

impl Nodes for CqlStore {
    fn is_shared(&self) -> bool {
        true
    }

    fn join(
        &self,
        incarnation: Incarnation,
        address: String,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.bounded(async move {
            let join = &self.statements.incarnation_join;
            self.repeatedly(join, (address, number(incarnation.0))).await.map(drop)
        })
    }

    fn beat(&self, incarnation: Incarnation, beat: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.bounded(async move {
            self.write(&self.statements.beat, (number(incarnation.0), number(beat))).await
        })
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeRow>, StoreError>> {
        self.bounded(async move {
            let (rows, beats) = tokio::try_join!(
                self.all::<(Option<i64>, Option<String>, Option<bool>)>(
                    &self.statements.incarnations,
                    ()
                ),
                self.all::<(i64, i64)>(&self.statements.beats, ()),
            )?;
            let beats: BTreeMap<_, _> = beats.into_iter().collect();
            let row = |(id, address, sealed): (Option<i64>, _, _)| {
                // The partition has its counter before it has a row.
                let id = id?;
                let beat = beats.get(&id).copied().map_or(0, unsigned);
                let incarnation = Incarnation(unsigned(id));
                Some(NodeRow { incarnation, address, beat, sealed: sealed == Some(true) })
            };
            Ok(rows.into_iter().filter_map(row).collect())
        })
    }
}
