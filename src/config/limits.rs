//! What one user and one socket may do.

use super::error::Problems;
use serde::Deserialize;

/// Section `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Most sockets of one user.
    pub sockets_per_user_max: u32,
    /// Most sessions that one socket follows.
    pub attachments_per_socket_max: u32,
    /// Messages a minute from one socket, in the long run.
    pub messages_per_minute: u32,
    /// Messages from one socket at once.
    pub messages_burst: u32,
    /// Runs that one user may start a minute.
    pub runs_per_minute: u32,
    /// Runs that one user may start at once.
    pub runs_burst: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            sockets_per_user_max: 32,
            attachments_per_socket_max: 128,
            messages_per_minute: 600,
            messages_burst: 200,
            runs_per_minute: 30,
            runs_burst: 10,
        }
    }
}

impl LimitsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("limits.sockets_per_user_max", self.sockets_per_user_max, 1, 10_000);
        let attachments = self.attachments_per_socket_max;
        problems.range("limits.attachments_per_socket_max", attachments, 1, 10_000);
        problems.range("limits.messages_per_minute", self.messages_per_minute, 1, 1_000_000);
        problems.range("limits.messages_burst", self.messages_burst, 1, 1_000_000);
        problems.range("limits.runs_per_minute", self.runs_per_minute, 1, 1_000_000);
        problems.range("limits.runs_burst", self.runs_burst, 1, 1_000_000);
    }
}
