//! `greenroom edits`: what a model's edits are, and why one does not apply.

mod answer;
mod apply;
mod args;
mod extract;
mod folder;

pub(super) use args::EditsArgs;

use super::output::out;
use crate::failure::Failure;
use args::{EditsCommand, Format};
use std::{fs, io::Read as _, path::Path};

/// Longest answer or transcript that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Runs the command.
///
/// # Errors
/// [`Failure::Usage`] where a file can't be read or holds no answer in the format;
/// [`Failure::Failed`] where edits did not apply or a file can't be written.
pub(super) fn run(args: &EditsArgs) -> Result<(), Failure> {
    match &args.command {
        EditsCommand::Extract { format, file } => {
            let text = read(file)?;
            match format {
                Format::Artifact => out(extract::artifact(&text)?),
                Format::Aider => out(extract::aider(&text)),
            }
        }
        EditsCommand::Apply { format, dry_run, output, file, folder } => {
            let text = read(file)?;
            apply::run(*format, &text, folder, *dry_run, *output)
        }
    }
}

/// Reads a file, or stdin where it is named `-`.
fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(ANSWER_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        fs::File::open(file)
            .and_then(|file| file.take(ANSWER_BYTES_MAX + 1).read_to_string(&mut text))
    };
    let shown = file.display();
    read.map_err(|error| Failure::Usage(format!("{shown} cannot be read: {error}")))?;
    if text.len() as u64 > ANSWER_BYTES_MAX {
        let limit = ANSWER_BYTES_MAX >> 20;
        return Err(Failure::Usage(format!("{shown} is longer than {limit} MiB")));
    }
    Ok(text)
}
