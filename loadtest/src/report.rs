//! What the program prints: the only place that writes to standard output.

use std::io::{self, Write};

/// Prints one line. A closed pipe is nobody's loss.
pub fn line(text: impl AsRef<str>) {
    let _ = writeln!(io::stdout().lock(), "{}", text.as_ref());
}
