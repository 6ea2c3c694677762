//! Names of what sessions do, as stores keep them.

use greenroom_protocol::frame::Status;

const ALL: [Status; 6] = [
    Status::Idle,
    Status::Pending,
    Status::Running,
    Status::Waiting,
    Status::Recovering,
    Status::Closed,
];

/// Name of a status.
pub(super) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Idle => "idle",
        Status::Pending => "pending",
        Status::Running => "running",
        Status::Waiting => "waiting",
        Status::Recovering => "recovering",
        Status::Closed => "closed",
    }
}

/// The status of that name; none: there is none.
pub(super) fn status(name: &str) -> Option<Status> {
    ALL.into_iter().find(|&status| status_name(status) == name)
}
