//! Git commits: one a run that changed files.

use super::object;
use crate::port::{Object, ObjectKind, Oid};
use greenroom_protocol::id::{RunId, Seq};

/// Who writes every commit; whom it was for is in the session's log, not in its files.
const IDENTITY: &str = "Greenroom <greenroom@localhost>";

/// Longest first line of a message, in characters.
const SUBJECT_CHARS_MAX: usize = 72;

/// The trailer that names a commit's run.
const RUN_TRAILER: &str = "Run: ";

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Id of the root folder.
    pub tree: Oid,
    /// Ids of the commits before.
    pub parents: Vec<Oid>,
    /// When it was made, in seconds since 1970.
    pub time_secs: u64,
    /// Its message: a subject; then, of a run, an empty line and a trailer with it.
    pub message: String,
}

/// Bytes are no commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed git commit")]
pub struct CommitError;

impl Commit {
    /// The commit of a run. Its subject is the prompt's first line with text.
    #[must_use]
    pub fn new(tree: Oid, parent: Option<Oid>, time_secs: u64, prompt: &str, run: RunId) -> Self {
        let message = format!("{}\n\n{RUN_TRAILER}{run}\n", subject(prompt));
        Self { tree, parents: parent.into_iter().collect(), time_secs, message }
    }

    /// The commit of a rollback to an entry.
    #[must_use]
    pub fn of_rollback(tree: Oid, parent: Oid, time_secs: u64, to: Seq) -> Self {
        let message = format!("Roll back to entry {to}\n");
        Self { tree, parents: vec![parent], time_secs, message }
    }

    /// The git object.
    #[must_use]
    pub fn encode(&self) -> Object {
        let parents: String = self.parents.iter().map(|oid| format!("parent {oid}\n")).collect();
        let Self { tree, time_secs, message, .. } = self;
        let text = format!(
            "tree {tree}\n{parents}author {IDENTITY} {time_secs} +0000\n\
             committer {IDENTITY} {time_secs} +0000\n\n{message}"
        );
        object(ObjectKind::Commit, text.into())
    }

    /// Reads a commit of any origin; headers that do not matter here are skipped.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CommitError> {
        let text = std::str::from_utf8(bytes).map_err(|_| CommitError)?;
        let (headers, message) = text.split_once("\n\n").ok_or(CommitError)?;
        let value = |line: &'_ str, name: &str| {
            line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')).map(str::to_owned)
        };
        let oid = |text: String| text.parse::<Oid>().map_err(|_| CommitError);
        let all = |name| headers.lines().filter_map(move |line| value(line, name));
        Ok(Self {
            tree: all("tree").next().ok_or(CommitError).and_then(oid)?,
            parents: all("parent").map(oid).collect::<Result<_, _>>()?,
            time_secs: all("committer").next().and_then(|who| time(&who)).ok_or(CommitError)?,
            message: message.to_owned(),
        })
    }

    /// The message's first line.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    /// The run that made it, where a trailer says so.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        self.message.lines().rev().find_map(|line| line.strip_prefix(RUN_TRAILER)?.parse().ok())
    }
}

/// Seconds of `name <address> seconds zone`.
fn time(who: &str) -> Option<u64> {
    who.rsplit(' ').nth(1)?.parse().ok()
}

/// The first line that shows something, without control characters, cut at a number of characters.
fn subject(prompt: &str) -> String {
    let visible = |line: &str| {
        let kept: String = line.chars().filter(|c| !c.is_control()).collect();
        kept.trim().chars().take(SUBJECT_CHARS_MAX).collect::<String>()
    };
    let subject = prompt.lines().map(visible).find(|line| !line.is_empty());
    subject.map_or_else(|| "Change files".to_owned(), |line| line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tree::build_folders;

    fn run() -> RunId {
        RunId::new(uuid::Uuid::from_u128(7))
    }

    #[test]
    fn a_commit_reads_back_as_it_was_written() {
        let tree = build_folders(&super::super::Files::new()).root;
        for parent in [None, Some(Oid([7; 20]))] {
            let commit = Commit::new(tree, parent, 1_700_000_000, "A todo app\nwith tags", run());
            assert_eq!(Commit::decode(&commit.encode().bytes), Ok(commit.clone()));
            assert_eq!((commit.subject(), commit.run()), ("A todo app", Some(run())));
        }
    }

    #[test]
    fn the_subject_is_short_and_one_plain_line() {
        let subject =
            |prompt: &str| Commit::new(Oid([0; 20]), None, 0, prompt, run()).subject().to_owned();
        assert_eq!(subject("\n \u{1b}[1mred\t\0\u{7}\r\nx"), "[1mred");
        assert_eq!(subject(&"é".repeat(100)).chars().count(), SUBJECT_CHARS_MAX);
        assert_eq!(subject("\0"), "Change files");
    }

    #[test]
    fn a_commit_of_another_tool_is_read_and_nonsense_is_refused() {
        let oid = Oid([1; 20]);
        let text = format!(
            "tree {oid}\nparent {oid}\nparent {oid}\nauthor A B <a@b> 5 +0100\n\
             committer A B <a@b> 6 -0230\ngpgsig x\n tree nonsense\n\nhello\n\nRun: no\n"
        );
        let commit = Commit::decode(text.as_bytes()).unwrap();
        assert_eq!((commit.time_secs, commit.parents.len(), commit.run()), (6, 2, None));
        for bad in [&b"tree x\n\n"[..], b"", b"\xff", b"tree 0000\ncommitter\n\nx"] {
            assert_eq!(Commit::decode(bad), Err(CommitError));
        }
    }
}
