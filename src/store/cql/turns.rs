//! Turns of the writers of one process. Of two conditional writes at one partition one would fail
//! and try again, which costs more than to wait.

use std::hash::{BuildHasher as _, Hash, RandomState};
use tokio::sync::{Mutex, MutexGuard};

/// Partitions that are told apart; two that share a turn only wait for each other.
const TURNS: usize = 256;

/// Who is first at which partition. First come, first served.
#[derive(Debug)]
pub(super) struct Turns {
    turns: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        let turns = std::iter::repeat_with(Mutex::default).take(TURNS).collect();
        Self { turns, hasher: RandomState::new() }
    }
}

impl Turns {
    /// Waits for the turn at a partition, which lasts until the guard is dropped. The caller bounds
    /// the wait.
    pub(super) async fn take(&self, partition: impl Hash) -> Option<MutexGuard<'_, ()>> {
        let hash = usize::try_from(self.hasher.hash_one(partition) % TURNS as u64).ok()?;
        Some(self.turns.get(hash)?.lock().await)
    }
}
