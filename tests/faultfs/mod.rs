//! A disk that delays, holds or fails what a child process syncs and writes: `faultfs.c`, compiled
//! with `cc` and preloaded into the child. It works below the database, which is linked into the
//! child and calls libc as it always does.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// Longest wait for something that a child must do.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Codes of `errno` on Linux.
pub(crate) const EIO: i32 = 5;
/// No space left on the disk.
pub(crate) const ENOSPC: i32 = 28;

/// What is wrong with the disk; the default is: nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// How long every sync takes at least, in milliseconds.
    pub(crate) sync_delay_ms: u32,
    /// Whether syncs wait until this is taken back.
    pub(crate) hold_syncs: bool,
    /// What syncs fail with; 0: they do not.
    pub(crate) sync_errno: i32,
    /// What writes fail with; 0: they do not.
    pub(crate) write_errno: i32,
}

/// A line of the shim's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// `sync-begun`, `sync-held`, `sync-failed`, `sync-done` or `write-failed`.
    pub(crate) what: String,
    /// When, in nanoseconds since 1970.
    pub(crate) at_ns: u64,
    /// Of which file.
    pub(crate) path: PathBuf,
}

/// The disk of one child process.
#[derive(Debug)]
pub(crate) struct FaultFs {
    directory: TempDir,
}

impl FaultFs {
    /// Builds the shim, for the files with `part` in their path. None, said aloud, where this
    /// machine has no C compiler: the test is to return.
    pub(crate) fn new(part: &str) -> Option<Self> {
        if Command::new("cc").arg("--version").output().is_err() {
            eprintln!("skipped: no C compiler `cc` on this machine, faults of the disk untested");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faultfs/faultfs.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(directory.path().join("faultfs.so"))
            .arg(source)
            .arg("-ldl")
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        fs::write(directory.path().join("match"), part).unwrap();
        let disk = Self { directory };
        disk.set(Faults::default());
        Some(disk)
    }

    /// Environment of the child.
    pub(crate) fn env(&self) -> [(&'static str, OsString); 4] {
        let path = |name| self.directory.path().join(name).into_os_string();
        let part = fs::read_to_string(self.directory.path().join("match")).unwrap();
        [
            ("LD_PRELOAD", path("faultfs.so")),
            ("GREENROOM_FAULTFS_CONTROL", path("control")),
            ("GREENROOM_FAULTFS_LOG", path("log")),
            ("GREENROOM_FAULTFS_MATCH", part.into()),
        ]
    }

    /// Holds from the next call of the child on.
    pub(crate) fn set(&self, faults: Faults) {
        let Faults { sync_delay_ms, hold_syncs, sync_errno, write_errno } = faults;
        let hold = u8::from(hold_syncs);
        let next = self.directory.path().join("control.next");
        fs::write(&next, format!("{sync_delay_ms} {hold} {sync_errno} {write_errno}\n")).unwrap();
        // At once: the child never reads half of it.
        fs::rename(next, self.directory.path().join("control")).unwrap();
    }

    /// What happened so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let event = |line: &str| {
            let mut words = line.splitn(3, ' ');
            Some(Event {
                what: words.next()?.to_owned(),
                at_ns: words.next()?.parse().ok()?,
                path: words.next()?.into(),
            })
        };
        complete.lines().map(|line| event(line).expect("a line of the shim")).collect()
    }

    /// How often that happened so far.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.events().iter().filter(|event| event.what == what).count()
    }

    /// Waits until that happened more than `before` times.
    pub(crate) fn wait_for(&self, what: &str, before: usize) {
        wait_until(what, || self.count(what) > before);
    }
}

/// Asks again every few milliseconds.
///
/// # Panics
/// If it takes too long.
fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let pause = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    while !happened() {
        assert!(waited < WAIT_MAX, "no {what} in {WAIT_MAX:?}");
        std::thread::sleep(pause);
        waited += pause;
    }
}
