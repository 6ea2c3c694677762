//! What `greenroom edits` takes.

use crate::cli::args::Output;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What `edits` takes.
#[derive(Debug, Args)]
pub struct EditsArgs {
    #[command(subcommand)]
    pub(super) command: EditsCommand,
}

/// A command about edits.
#[derive(Debug, Subcommand)]
pub(super) enum EditsCommand {
    /// Print the blocks of an answer, or of a chat's transcript
    #[command(after_help = "\
A transcript in Aider's format is printed by its sections, which begin at \"#### \".

Example:
  greenroom edits extract --format aider .aider.chat.history.md")]
    Extract {
        /// How the answer is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// The answer; - for stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Apply an answer to the files of a folder, as a run does: all of it or nothing
    #[command(after_help = "\
Examples:
  greenroom edits apply --dry-run answer.txt app        which block applies where, or why not
  greenroom edits apply --format aider answer.md app

Exit codes: 0 applied, or it would be; 1 an edit does not apply and nothing was written; 2 usage.")]
    Apply {
        /// How the answer is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Write nothing
        #[arg(long)]
        dry_run: bool,
        /// Form of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
        /// The answer; - for stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The folder that has the files
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// With this server's instructions: lines that begin with @@ and a tag
    #[default]
    Artifact,
    /// With a path and a fenced block of search and replacement
    Aider,
}
