//! What is logged, and how.

use super::error::Problems;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// Section `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Least level, or a filter in the form of `RUST_LOG`.
    pub level: String,
    /// Form of the lines.
    pub format: LogFormat,
}

/// Form of the log's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal in development, else JSON.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

impl LogConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if !self.level.split(',').all(is_directive) || EnvFilter::try_new(&self.level).is_err() {
            let fix =
                "use error, warn, info, debug, trace or a filter such as info,greenroom=debug";
            problems.add("log.level", format!("{:?} is no level", self.level), fix);
        }
    }
}

/// Whether a part of a filter is a level or names one; a bare word would be taken for a target.
fn is_directive(part: &str) -> bool {
    part.contains('=') || matches!(part, "off" | "error" | "warn" | "info" | "debug" | "trace")
}
