//! How a server takes part in a cluster.

use super::error::Problems;
use greenroom_actors::ClusterTerms;
use serde::Deserialize;
use std::time::Duration;

/// Section `[cluster]`: without effect on the embedded store, which is one server's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterConfig {
    /// Where other servers reach this one, `host:port`; empty: its internal address.
    pub address: String,
    /// Milliseconds between two signs of life.
    pub beat_ms: u64,
    /// Milliseconds of silence after which a server is dead to the others.
    pub silent_after_ms: u64,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        let terms = ClusterTerms::default();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            address: terms.address,
            beat_ms: ms(terms.beat),
            silent_after_ms: ms(terms.silent_after),
        }
    }
}

impl ClusterConfig {
    /// The settings of the engine.
    #[must_use]
    pub fn engine(&self) -> ClusterTerms {
        ClusterTerms {
            address: self.address.clone(),
            beat: Duration::from_millis(self.beat_ms),
            silent_after: Duration::from_millis(self.silent_after_ms),
        }
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("cluster.beat_ms", self.beat_ms, 50, 10_000);
        // Three signs of life may be late.
        let least = self.beat_ms.saturating_mul(3);
        problems.range("cluster.silent_after_ms", self.silent_after_ms, least, 60_000);
    }
}
