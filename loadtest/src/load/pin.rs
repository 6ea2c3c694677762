//! Which core runs what: the server under test alone on one, all else on the other.

use std::process::Command;

/// Keeps this process, and all that it starts from now on, on core 1. The words to put before a
/// server's command so that it runs on core 0; none where there is one core or no `taskset`.
#[must_use]
pub fn pin() -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        return Vec::new();
    }
    let own = std::process::id().to_string();
    match Command::new("taskset").args(["-a", "-c", "-p", "1", &own]).output() {
        Ok(output) if output.status.success() => ["taskset", "-c", "0"].map(str::to_owned).into(),
        _ => {
            tracing::warn!("no taskset: server and clients share all cores");
            Vec::new()
        }
    }
}
