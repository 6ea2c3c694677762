//! Whether the data directory can be written, has room, and how long a sync takes.

use super::Finding;
use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// Below this the store may fill the disk within the day.
const FREE_BYTES_LOW: u64 = 1024 * 1024 * 1024;
/// Below this it may do so at any moment.
const FREE_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// A sync beyond this delays every text that a session says.
const SYNC_SLOW: Duration = Duration::from_millis(25);
/// Syncs that are timed; the median counts.
const SYNCS: usize = 9;

/// Examines the folder, or where it does not exist yet the nearest one that does.
pub(super) fn examine(data_dir: &Path) -> Vec<Finding> {
    let folder = existing(data_dir);
    let mut findings = vec![match sync_time(&folder) {
        Ok(took) => judge_sync(&folder, took),
        Err(error) => return vec![unwritable(&folder, &error)],
    }];
    match rustix::fs::statvfs(&folder) {
        Ok(stat) => findings.push(judge_free(stat.f_bavail.saturating_mul(stat.f_frsize))),
        Err(error) => findings.push(unwritable(&folder, &error.into())),
    }
    if let Ok(metadata) = data_dir.metadata() {
        findings.push(judge_mode(data_dir, metadata.mode()));
    }
    findings
}

fn existing(data_dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let found = absolute.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned);
    found.unwrap_or(absolute)
}

/// The median time of writing a little and syncing it.
fn sync_time(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(format!(".greenroom-doctor-{}", std::process::id()));
    let mut file = File::create_new(&path)?;
    let times = (0..SYNCS).map(|_| {
        let begin = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        Ok(begin.elapsed())
    });
    let times: io::Result<Vec<Duration>> = times.collect();
    std::fs::remove_file(&path)?;
    let mut times = times?;
    times.sort_unstable();
    Ok(times.get(SYNCS / 2).copied().unwrap_or_default())
}

fn judge_sync(folder: &Path, took: Duration) -> Finding {
    let found = format!("{}: a sync takes {:.1} ms", folder.display(), took.as_secs_f64() * 1e3);
    if took > SYNC_SLOW {
        let fix = "every text waits for one: put server.data_dir on a local SSD";
        return Finding::warning("disk", found, fix);
    }
    Finding::ok("disk", found)
}

fn judge_free(free_bytes: u64) -> Finding {
    let (subject, found) = ("disk space", format!("{} MiB free", free_bytes / (1024 * 1024)));
    let fix = "free some, or put server.data_dir on a larger disk; a full disk stops new runs";
    if free_bytes < FREE_BYTES_MIN {
        Finding::failed(subject, found, fix)
    } else if free_bytes < FREE_BYTES_LOW {
        Finding::warning(subject, found, fix)
    } else {
        Finding::ok(subject, found)
    }
}

fn judge_mode(data_dir: &Path, mode: u32) -> Finding {
    let (subject, mode) = ("data folder", mode & 0o777);
    if mode & 0o077 != 0 {
        let found = format!("others may read it (mode {mode:o}); it holds secrets");
        return Finding::warning(subject, found, format!("chmod 700 {}", data_dir.display()));
    }
    Finding::ok(subject, "only its owner may read it")
}

fn unwritable(folder: &Path, error: &io::Error) -> Finding {
    let found = format!("{} cannot be written: {}", folder.display(), error.kind());
    Finding::failed("disk", found, "give this user the folder, or set server.data_dir to another")
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};
    use std::io::ErrorKind;

    #[test]
    fn a_folder_that_does_not_exist_yet_is_judged_by_its_parent_and_left_clean() {
        let place = tempfile::tempdir().unwrap();
        let findings = examine(&place.path().join("a").join("b"));
        assert!(findings.iter().all(|finding| finding.state != State::Failed), "{findings:?}");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_others_may_read_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let finding = judge_mode(place.path(), 0o40_755);
        assert_eq!(finding.state, State::Warning);
        assert_eq!(judge_mode(place.path(), 0o40_700).state, State::Ok);
    }

    #[test]
    fn little_room_is_a_warning_and_none_a_failure() {
        assert_eq!(judge_free(FREE_BYTES_LOW).state, State::Ok);
        assert_eq!(judge_free(FREE_BYTES_LOW - 1).state, State::Warning);
        assert_eq!(judge_free(FREE_BYTES_MIN - 1).state, State::Failed);
    }

    #[test]
    fn a_slow_disk_is_a_warning() {
        let place = Path::new("data");
        assert_eq!(judge_sync(place, SYNC_SLOW).state, State::Ok);
        assert_eq!(judge_sync(place, SYNC_SLOW * 2).state, State::Warning);
    }

    #[test]
    fn a_folder_that_cannot_be_written_fails_and_is_named() {
        let finding = unwritable(Path::new("data"), &ErrorKind::PermissionDenied.into());
        assert_eq!(finding.state, State::Failed);
        assert!(finding.found.contains("data"), "{finding:?}");
    }
}
