//! Why an edit is not applied.

use super::{BlockError, Nearest};
use std::fmt::Write as _;

/// Most places that a message lists.
const PLACES_SHOWN_MAX: usize = 8;

/// Most blocks whose faults one sentence names.
const REASONS_SHOWN_MAX: usize = 3;

/// Why a block has no place in its file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Miss {
    /// There is no such file.
    #[error("there is no such file")]
    NoFile,
    /// The block searches for nothing, in a file that has lines.
    #[error("its search text is empty, which is for new files, and the file has lines")]
    NoSearch,
    /// No rung of the ladder finds its lines.
    #[error("its search text is not in the file")]
    NotFound {
        /// The lines that are most like them; none where nothing is.
        nearest: Option<Nearest>,
    },
    /// They stand more than once.
    #[error("its search text stands at {} places: lines {}", .lines.len(), listed(.lines))]
    Ambiguous {
        /// The first line of each place, from 1.
        lines: Vec<usize>,
    },
    /// It can't be read.
    #[error("{0}")]
    Broken(BlockError),
}

impl Miss {
    /// Its name, as in the metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoFile => "no_file",
            Self::NoSearch | Self::Broken(_) => "malformed",
            Self::NotFound { .. } => "not_found",
            Self::Ambiguous { .. } => "ambiguous",
        }
    }
}

/// An edit of a file that was not applied: nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} was not edited: {}", reasons(.misses))]
pub struct EditFailure {
    /// The file.
    pub path: String,
    /// The blocks without a place: their numbers, from 1, and why. The edit as a whole has 0.
    pub misses: Vec<(usize, Miss)>,
}

impl EditFailure {
    /// What a model needs to write the edit anew: each block's fault, and the real lines.
    #[must_use]
    pub fn report(&self) -> String {
        let mut report = String::new();
        for (block, miss) in &self.misses {
            // Writing to a string can't fail.
            let _ = writeln!(report, "{}.", reason(*block, miss));
            if let Miss::Ambiguous { lines } = miss {
                let line = lines.first().copied().unwrap_or_default();
                let _ = writeln!(
                    report,
                    "Search for more lines, or name the first line of the place that you mean: \
                     \"<<<<<<< SEARCH {line}\"."
                );
            }
            if let Miss::NotFound { nearest: Some(nearest) } = miss {
                let _ = writeln!(report, "The nearest lines are {nearest}:\n{}", nearest.text);
            }
        }
        report
    }
}

fn reason(block: usize, miss: &Miss) -> String {
    if block == 0 { miss.to_string() } else { format!("block {block}: {miss}") }
}

fn reasons(misses: &[(usize, Miss)]) -> String {
    let shown = misses.iter().take(REASONS_SHOWN_MAX);
    let mut all: Vec<String> = shown.map(|(block, miss)| reason(*block, miss)).collect();
    if misses.len() > REASONS_SHOWN_MAX {
        all.push(format!("and {} more", misses.len() - REASONS_SHOWN_MAX));
    }
    all.join("; ")
}

fn listed(lines: &[usize]) -> String {
    let shown: Vec<String> = lines.iter().take(PLACES_SHOWN_MAX).map(usize::to_string).collect();
    let more = if lines.len() > PLACES_SHOWN_MAX { ", …" } else { "" };
    shown.join(", ") + more
}
