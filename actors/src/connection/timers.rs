//! When a connection has to act by itself.

use super::attachment::Attachment;
use crate::{node::Node, port::Principal};
use greenroom_protocol::{
    error::CloseCode,
    limit::{AUTH_NOTICE, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, WRITE_TIMEOUT},
};
use std::time::Duration;
use tokio::time::Instant;

/// The times of one connection.
#[derive(Debug)]
pub(super) struct Timers {
    /// Last sign of life.
    heard: Instant,
    /// A ping that is not answered.
    pinged: Option<Instant>,
    expires: Instant,
    notified: bool,
    /// Since when what was fed is not out.
    dirty_since: Option<Instant>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// Ask for a sign of life.
    pub(super) ping: bool,
    /// Ask for a token: this many milliseconds are left.
    pub(super) auth_deadline_ms: Option<u64>,
}

impl Timers {
    pub(super) fn new(node: &Node, principal: Principal) -> Self {
        let now = Instant::now();
        Self {
            heard: now,
            pinged: None,
            expires: now + lifetime(node, principal),
            notified: false,
            dirty_since: None,
        }
    }

    /// A token was accepted.
    pub(super) fn renewed(&mut self, node: &Node, principal: Principal) {
        self.expires = Instant::now() + lifetime(node, principal);
        self.notified = false;
    }

    /// Anything came.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    /// Something was fed.
    pub(super) fn fed(&mut self, now: Instant) {
        self.dirty_since.get_or_insert(now);
    }

    /// All that was fed is out.
    pub(super) const fn flushed(&mut self) {
        self.dirty_since = None;
    }

    /// When [`Timers::due`] is next worth a call.
    pub(super) fn next(&self, attachments: &[Attachment]) -> Instant {
        let life = self.pinged.map_or(self.heard + HEARTBEAT_INTERVAL, |at| at + HEARTBEAT_TIMEOUT);
        let notice = self.expires.checked_sub(AUTH_NOTICE).filter(|_| !self.notified);
        let auth = notice.unwrap_or(self.expires);
        let write = self.dirty_since.map(|since| since + WRITE_TIMEOUT);
        let delayed = attachments.iter().filter_map(|attachment| attachment.wake_at);
        delayed.chain(write).fold(life.min(auth), Instant::min)
    }

    /// What is due.
    ///
    /// # Errors
    /// The code to close with.
    pub(super) fn due(&mut self, now: Instant) -> Result<Due, CloseCode> {
        if self.dirty_since.is_some_and(|since| now >= since + WRITE_TIMEOUT) {
            return Err(CloseCode::SlowConsumer);
        }
        if now >= self.expires {
            return Err(CloseCode::TokenExpired);
        }
        let mut due = Due::default();
        let left = self.expires.duration_since(now);
        if left <= AUTH_NOTICE && !std::mem::replace(&mut self.notified, true) {
            due.auth_deadline_ms = Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        } else if left > AUTH_NOTICE {
            self.notified = false;
        }
        match self.pinged {
            Some(at) if now >= at + HEARTBEAT_TIMEOUT => return Err(CloseCode::HeartbeatTimeout),
            None if now >= self.heard + HEARTBEAT_INTERVAL => {
                self.pinged = Some(now);
                due.ping = true;
            }
            Some(_) | None => {}
        }
        Ok(due)
    }
}

/// How long a token still lives. Bounded, so that no sum of times overflows.
fn lifetime(node: &Node, principal: Principal) -> Duration {
    let left_ms = principal.expires_at_ms.saturating_sub(node.clock.now_ms());
    Duration::from_millis(left_ms).min(Duration::from_secs(365 * 24 * 60 * 60))
}
