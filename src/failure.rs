//! Why a command of `greenroom` failed, and with which exit code.

use crate::config::ConfigError;

/// Why a command failed. Its text says what was wrong and what to do, and holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command failed: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// The command line does not make sense: exit code 2, as clap's own errors.
    #[error("{0}")]
    Usage(String),
    /// Something that the command needs cannot be reached or used: exit code 69.
    #[error("{0}")]
    Unavailable(String),
    /// The configuration cannot be used: exit code 78.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The user ended it with Ctrl-C: exit code 130.
    #[error("interrupted")]
    Interrupted,
    /// The system ended it with SIGTERM before it could finish: exit code 143.
    #[error("terminated before the shutdown was complete")]
    Terminated,
}

impl Failure {
    /// The exit code of the process.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unavailable(_) => 69,
            Self::Config(_) => 78,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let failures = [
            (Failure::Failed(String::new()), 1),
            (Failure::Usage(String::new()), 2),
            (Failure::Unavailable(String::new()), 69),
            (Failure::Config(ConfigError(Vec::new())), 78),
            (Failure::Interrupted, 130),
            (Failure::Terminated, 143),
        ];
        for (failure, code) in failures {
            assert_eq!(failure.exit_code(), code, "{failure:?}");
        }
    }
}
