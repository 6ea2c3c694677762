//! What the system says about processes.

use std::fs;

/// Clock ticks a second in `/proc`: the same on every Linux that this runs on.
const TICKS_PER_SEC: f64 = 100.0;

/// CPU seconds of a process, user and system, its living children included.
#[must_use]
pub fn cpu_secs(pid: u32) -> f64 {
    alone_cpu_secs(pid) + children(pid).into_iter().map(cpu_secs).sum::<f64>()
}

/// CPU seconds of a process without its children: of this one, whose children are measured apart.
#[must_use]
pub fn alone_cpu_secs(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    own_ticks(&stat) / TICKS_PER_SEC
}

/// User and system time in a `stat` line; the name in it may hold spaces and parentheses.
fn own_ticks(stat: &str) -> f64 {
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum()
}

/// Resident bytes of a process, its living children included.
#[must_use]
pub fn rss_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = kib.trim().trim_end_matches(" kB").parse().unwrap_or(0);
    kib * 1024 + children(pid).into_iter().map(rss_bytes).sum::<u64>()
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_a_name_with_parentheses() {
        let stat = "1 (a b) c) S 1 1 1 0 -1 4 100 0 0 0 7 5 0 0 20 0 4 0";
        assert!((own_ticks(stat) - 12.0).abs() < f64::EPSILON);
    }

    #[test]
    fn our_own_process_has_memory() {
        assert!(rss_bytes(std::process::id()) > 100_000);
    }
}
