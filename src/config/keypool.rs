//! How keys are chosen, and how long they rest.

use super::error::Problems;
use greenroom_actors::keypool;
use serde::Deserialize;

/// Section `[keypool]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyPoolConfig {
    /// How a key is chosen.
    pub selection: Selection,
    /// Seconds that a key rests at first whose account has nothing to spend.
    pub exhausted_secs: u64,
}

/// How a key is chosen among those that have room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// By what their accounts have left.
    Headroom,
    /// One after the other.
    RoundRobin,
}

impl From<Selection> for keypool::Selection {
    fn from(selection: Selection) -> Self {
        match selection {
            Selection::Headroom => Self::Headroom,
            Selection::RoundRobin => Self::RoundRobin,
        }
    }
}

impl Default for KeyPoolConfig {
    fn default() -> Self {
        Self { selection: Selection::Headroom, exhausted_secs: 600 }
    }
}

impl KeyPoolConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("keypool.exhausted_secs", self.exhausted_secs, 1, 21_600);
    }
}
