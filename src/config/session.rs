//! How sessions flush and rest.

use super::error::Problems;
use serde::Deserialize;

/// Section `[session]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionConfig {
    /// Milliseconds that text is collected; 0: none.
    pub window_ms: u64,
    /// Widest window under load, in milliseconds.
    pub window_max_ms: u64,
    /// Least milliseconds between two journal records where nothing is urgent.
    pub linger_ms: u64,
    /// Seconds of rest after which a session leaves memory.
    pub hibernate_after_secs: u64,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self { window_ms: 40, window_max_ms: 250, linger_ms: 5, hibernate_after_secs: 30 }
    }
}

impl SessionConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("session.window_ms", self.window_ms, 0, 1000);
        problems.range("session.window_max_ms", self.window_max_ms, 0, 1000);
        if self.window_max_ms < self.window_ms {
            let fix = "raise it to at least session.window_ms";
            problems.add("session.window_max_ms", "it is below session.window_ms", fix);
        }
        problems.range("session.linger_ms", self.linger_ms, 0, 100);
        problems.range("session.hibernate_after_secs", self.hibernate_after_secs, 1, 86_400);
    }
}
