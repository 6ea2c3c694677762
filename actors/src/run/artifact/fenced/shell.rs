//! A fenced block of a shell's commands.

use crate::run::edit::BLOCK_BYTES_MAX;

/// How such a block begins.
const NAMES: [&str; 12] = [
    "bash",
    "sh",
    "shell",
    "cmd",
    "batch",
    "powershell",
    "ps1",
    "zsh",
    "fish",
    "ksh",
    "csh",
    "tcsh",
];

/// A block of search and replacement this many lines below the fence or nearer is one all the same.
const BLOCK_BELOW: usize = 2;

/// The commands as far as they came.
#[derive(Debug)]
pub(super) struct Shell {
    /// At most [`BLOCK_BYTES_MAX`] of them.
    text: String,
    lines: usize,
    is_closed: bool,
}

/// What a line is to a shell's block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    /// In it.
    Command,
    /// Its end.
    Last,
    /// The first after it.
    After,
    /// The proof that it was none: a block of search and replacement begins.
    NoShell,
}

impl Shell {
    /// The block that a line begins, if it does.
    pub(super) fn begin(line: &str) -> Option<Self> {
        let info = line.trim().strip_prefix("```")?;
        let is_shell = NAMES.iter().any(|name| info.starts_with(name));
        is_shell.then(|| Self { text: String::new(), lines: 0, is_closed: false })
    }

    /// Takes the next line.
    pub(super) fn line(&mut self, line: &str, is_head: bool) -> Is {
        self.lines += 1;
        if is_head && self.lines <= BLOCK_BELOW {
            return Is::NoShell;
        }
        if self.is_closed {
            return Is::After;
        }
        if line.trim_start().starts_with("```") {
            self.is_closed = true;
            return if self.lines < BLOCK_BELOW { Is::Command } else { Is::Last };
        }
        if self.text.len() + line.len() <= BLOCK_BYTES_MAX {
            self.text.push_str(line);
        }
        Is::Command
    }

    /// The commands.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
