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

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    /// Whether somebody was before: then a look first may save a conditional write in vain.
    pub(super) waited: bool,
    _guard: Option<MutexGuard<'a, ()>>,
}

impl Default for Turns {
    fn default() -> Self {
        let turns = std::iter::repeat_with(Mutex::default).take(TURNS).collect();
        Self { turns, hasher: RandomState::new() }
    }
}

impl Turns {
    /// Waits for the turn at a partition. The caller bounds the wait.
    pub(super) async fn take(&self, partition: impl Hash) -> Turn<'_> {
        let hash = usize::try_from(self.hasher.hash_one(partition) % TURNS as u64).ok();
        let Some(turn) = hash.and_then(|hash| self.turns.get(hash)) else {
            return Turn { waited: false, _guard: None };
        };
        match turn.try_lock() {
            Ok(guard) => Turn { waited: false, _guard: Some(guard) },
            Err(_) => Turn { waited: true, _guard: Some(turn.lock().await) },
        }
    }
}
