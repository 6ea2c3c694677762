//! Whether the clock goes forward: tokens and ids hang on it.

use super::Finding;
use crate::store::sqlite::DATABASE_FILE;
use std::{
    path::Path,
    time::{Duration, SystemTime},
};

/// When this source was written, about: no clock is right that says less. In seconds since 1970.
const EPOCH_MIN_SECS: u64 = 1_790_000_000;

/// What a clock may be behind its own past, in the grain of file systems and of corrections.
const BACK_MAX: Duration = Duration::from_secs(2);

/// The clock that is judged.
#[expect(clippy::disallowed_methods, reason = "this clock is what is examined")]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// When the store was last written, if there is one.
pub(super) fn last_write(data_dir: &Path) -> Option<SystemTime> {
    data_dir.join(DATABASE_FILE).metadata().ok()?.modified().ok()
}

/// Judges the time.
pub(super) fn judge(now: SystemTime, last_write: Option<SystemTime>) -> Finding {
    let subject = "clock";
    let fix =
        "set the clock and keep it by NTP: a clock that is wrong ends tokens at once or never";
    if now < SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH_MIN_SECS) {
        return Finding::failed(subject, "it lies years in the past", fix);
    }
    match last_write.and_then(|last| last.duration_since(now).ok()) {
        Some(back) if back > BACK_MAX => {
            let found =
                format!("it has gone back {} s since the store was written", back.as_secs());
            Finding::warning(subject, found, fix)
        }
        Some(_) | None => Finding::ok(subject, "goes forward"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn a_clock_that_went_back_is_noticed() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH_MIN_SECS + 1000);
        assert_eq!(judge(now, None).state, State::Ok);
        assert_eq!(judge(now, Some(now - Duration::from_secs(60))).state, State::Ok);
        assert_eq!(judge(now, Some(now + Duration::from_secs(60))).state, State::Warning);
        assert_eq!(judge(SystemTime::UNIX_EPOCH, None).state, State::Failed);
    }
}
