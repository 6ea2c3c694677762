//! How much one run may produce.

use greenroom_protocol::error::{Code, ErrorBody, Reason};

/// Limits of one run's output. Reaching one ends the run as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Most files written, deleted or moved, refused ones included.
    pub files_max: usize,
    /// Most bytes of one file.
    pub file_bytes_max: usize,
    /// Most bytes of the whole answer: files, prose and reasoning.
    pub run_bytes_max: usize,
}

impl Default for OutputLimits {
    /// 500 files, 1 MiB a file, 8 MiB a run: far above what a model writes in one answer, and
    /// little enough to hold in memory for hundreds of runs.
    fn default() -> Self {
        Self { files_max: 500, file_bytes_max: 1 << 20, run_bytes_max: 8 << 20 }
    }
}

/// A limit of a run's output was reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// [`OutputLimits::files_max`].
    #[error("the answer changes more than {limit} files; ask for less at once")]
    Files {
        /// The limit.
        limit: usize,
    },
    /// [`OutputLimits::file_bytes_max`].
    #[error("{path:?} is longer than {limit} bytes; ask for smaller files")]
    FileBytes {
        /// The file.
        path: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// [`OutputLimits::run_bytes_max`].
    #[error("the answer is longer than {limit} bytes; ask for less at once")]
    RunBytes {
        /// The limit in bytes.
        limit: usize,
    },
}

impl OutputError {
    /// The error as it ends the run.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        ErrorBody::new(Code::ResourceExhausted, Reason::OutputLimit, self.to_string())
    }
}
