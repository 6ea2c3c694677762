//! How many files and sockets the process may have open.

use super::Finding;
use rustix::process::{Resource, getrlimit};

/// What a node opens besides its clients' sockets: the store, calls to providers, logs.
const OTHERS: u64 = 512;

/// The limit that applies to this process; none: there is none.
pub(super) fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Whether the limit leaves room for all connections that the configuration allows.
pub(super) fn judge(limit: Option<u64>, connections_max: usize) -> Finding {
    let wanted = u64::try_from(connections_max).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let subject = "open files";
    match limit {
        None => Finding::ok(subject, "no limit"),
        Some(limit) if limit >= wanted => {
            Finding::ok(subject, format!("{limit}, enough for {connections_max} connections"))
        }
        Some(limit) => Finding::warning(
            subject,
            format!("{limit} at most; {connections_max} connections take {wanted}"),
            format!(
                "raise it with `ulimit -n {wanted}` or LimitNOFILE={wanted} in the unit, or lower \
                 gateway.connections_max"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn the_limit_leaves_room_for_more_than_the_connections() {
        assert_eq!(judge(None, 20_000).state, State::Ok);
        assert_eq!(judge(Some(20_512), 20_000).state, State::Ok);
        let low = judge(Some(20_511), 20_000);
        assert_eq!(low.state, State::Warning);
        assert!(low.fix.unwrap().contains("20512"));
    }
}
