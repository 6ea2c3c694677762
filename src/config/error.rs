//! What is wrong with a configuration: all of it at once, each with its source and its fix.

use std::fmt;

/// One thing that is wrong. Never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `server.port`; empty where a whole file or variable is meant.
    pub key: String,
    /// Where the value comes from: `greenroom.toml:12`, a variable, a flag, `default`.
    pub origin: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, origin, what, fix } = self;
        match (key.is_empty(), origin.is_empty()) {
            (true, _) => write!(f, "{origin}: {what}; {fix}"),
            (false, true) => write!(f, "{key}: {what}; {fix}"),
            (false, false) => write!(f, "{key} (from {origin}): {what}; {fix}"),
        }
    }
}

/// The configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad configuration:{}", lines(.0))]
pub struct ConfigError(pub Vec<Problem>);

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}

/// Problems found while values are checked; who loads adds their sources.
#[derive(Debug, Default)]
pub(super) struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// Notes that the value of `key` is wrong.
    pub(super) fn add(
        &mut self,
        key: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let (key, what, fix) = (key.into(), what.into(), fix.into());
        self.0.push(Problem { key, origin: String::new(), what, fix });
    }

    /// Notes that the value of `key` is wrong, unless `value` lies within the two bounds.
    pub(super) fn range<T: PartialOrd + fmt::Display>(
        &mut self,
        key: &str,
        value: T,
        low: T,
        high: T,
    ) {
        if value < low || value > high {
            let fix = format!("use a number from {low} to {high}");
            self.add(key, format!("{value} is out of range"), fix);
        }
    }
}
