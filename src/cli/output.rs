//! What commands print: results to stdout, remarks to stderr.

use crate::failure::Failure;
use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

/// Writes to stdout. A reader that went away, such as `head`, is no failure.
///
/// # Errors
/// [`Failure::Failed`] where stdout cannot be written.
pub(super) fn out(text: impl Display) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes one line to stdout.
///
/// # Errors
/// As [`out`].
pub(super) fn line(text: impl Display) -> Result<(), Failure> {
    out(format_args!("{text}\n"))
}

/// Writes one line to stderr; where that fails there is nobody to tell.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A text of the server without what a terminal would act upon.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn a_terminal_gets_no_escape_sequences_of_the_server() {
        assert_eq!(clean("a\u{1b}[31mb\r\nc\td\u{9b}e"), "a[31mb\nc\tde");
    }
}
