//! What runs may take.

use super::error::Problems;
use serde::Deserialize;

/// Section `[runs]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunsConfig {
    /// Name of the provider that comes first; empty: see the file.
    pub provider: String,
    /// Names of the providers that answer where it cannot, in this order.
    pub fallbacks: Vec<String>,
    /// Most runs of one user at a time.
    pub per_user_max: u32,
    /// Most calls to one provider at a time.
    pub provider_calls_max: u32,
    /// Seconds that a run waits for a key with room.
    pub provider_wait_secs: u64,
    /// Most runs that wait so.
    pub provider_waiting_max: usize,
    /// Seconds that a run may take in all.
    pub timeout_secs: u64,
    /// Seconds that a shutdown waits for runs.
    pub drain_secs: u64,
    /// Most bytes that one run writes in all.
    pub output_bytes_max: usize,
    /// Most bytes of one file.
    pub file_bytes_max: usize,
    /// Most files that one run writes, deletes or moves.
    pub files_max: usize,
}

impl Default for RunsConfig {
    fn default() -> Self {
        Self {
            provider: String::new(),
            fallbacks: Vec::new(),
            per_user_max: 8,
            provider_calls_max: 1024,
            provider_wait_secs: 60,
            provider_waiting_max: 1024,
            timeout_secs: 30 * 60,
            drain_secs: 10,
            output_bytes_max: 8 << 20,
            file_bytes_max: 1 << 20,
            files_max: 500,
        }
    }
}

impl RunsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("runs.per_user_max", self.per_user_max, 1, 10_000);
        problems.range("runs.provider_calls_max", self.provider_calls_max, 1, 100_000);
        problems.range("runs.provider_wait_secs", self.provider_wait_secs, 0, 600);
        problems.range("runs.provider_waiting_max", self.provider_waiting_max, 0, 100_000);
        problems.range("runs.timeout_secs", self.timeout_secs, 10, 86_400);
        problems.range("runs.drain_secs", self.drain_secs, 0, 3600);
        problems.range("runs.output_bytes_max", self.output_bytes_max, 1024, 1 << 30);
        problems.range("runs.file_bytes_max", self.file_bytes_max, 1024, 1 << 30);
        problems.range("runs.files_max", self.files_max, 1, 10_000);
    }
}
