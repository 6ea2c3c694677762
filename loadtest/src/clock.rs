//! The one place that reads the machine's clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970.
///
/// Wall time, since stamps go from one process to another.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the program's only reading of the wall clock")]
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
