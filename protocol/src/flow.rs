//! How one attachment is served: the server's half of flow control, pure.
//!
//! An attachment is a cursor in a log that others share, so a slow reader costs one [`Flow`] and no
//! queue. Three questions are answered here: may anything be sent, should deltas be merged
//! ([`crate::frame::merge`]), and is it time to give up. Times are milliseconds of any clock that
//! never goes back.

use crate::limit::{DATA_FRAME_BYTES_MAX, PAUSED_MAX, WINDOW_MAX};

/// An attachment further behind than this is catching up: deltas are merged and no window applies.
const BEHIND: Lag = Lag { entries: 64, bytes: 16 * 1024 };

/// An attachment this close to the head has caught up.
const CLOSE: Lag = Lag { entries: 8, bytes: 4 * 1024 };

/// What a throttled window is a multiple of where the attachment asked for none, in milliseconds:
/// the flush window of a session.
const WINDOW_DEFAULT_MS: u64 = 40;

/// How much wider the window is while credit runs low.
const WINDOW_FACTOR: u64 = 4;

/// How far an attachment is behind the head of its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Entries that it has not been sent.
    pub entries: u64,
    /// Their encoded length in bytes.
    pub bytes: u64,
}

/// How freely an attachment is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// As entries come.
    #[default]
    Live,
    /// Merged and more rarely: less than a quarter of the credit is left. Ends at a half.
    Throttled,
    /// Not at all: no credit is left.
    Paused,
}

/// What to do for an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until an entry, an `ack` or the socket gives reason to ask again.
    Nothing,
    /// Send a batch of frames while [`Flow::may_send`], each noted by [`Flow::sent`]; then
    /// [`Flow::flushed`].
    Send {
        /// Whether adjacent deltas are to be merged.
        merge: bool,
    },
    /// Nothing before this time: the window is still open.
    Wait {
        /// When to ask again.
        until_ms: u64,
    },
    /// Nothing until the next `ack`: no credit is left.
    Pause {
        /// When to ask again, which then means to detach.
        until_ms: u64,
    },
    /// End the attachment with `detached{slow_consumer}`.
    Detach,
}

#[derive(Clone, Copy, Debug)]
struct Credit {
    granted_bytes: u64,
    /// Largest balance there ever was: what "a quarter" is a quarter of.
    window_bytes: u64,
}

/// Flow control of one attachment, from its `attach` to its end.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    credit: Option<Credit>,
    sent_bytes: u64,
    window_ms: u64,
    flushed_ms: Option<u64>,
    level: Level,
    behind: bool,
    /// Since when there is something to send and no credit, or when the last `ack` came since.
    paused_ms: Option<u64>,
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Flow {
    /// The flow of an attachment that asked for this credit and window. Without credit the socket
    /// alone sets the pace.
    #[must_use]
    pub fn new(credit_bytes: Option<u64>, window_ms: u32) -> Self {
        let credit = credit_bytes.map(|bytes| Credit { granted_bytes: bytes, window_bytes: bytes });
        Self {
            credit,
            sent_bytes: 0,
            window_ms: u64::from(window_ms).min(millis(WINDOW_MAX)),
            flushed_ms: None,
            level: Level::Live,
            behind: false,
            paused_ms: None,
        }
    }

    /// How freely it is served, as of the last [`Flow::next`].
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Takes in an `ack`: the bytes granted since the attach in all. Fewer than before change
    /// nothing: it was overtaken. Without credit at the attach there is nothing to grant.
    pub fn granted(&mut self, now_ms: u64, granted_bytes: u64) {
        if let Some(credit) = &mut self.credit {
            credit.granted_bytes = credit.granted_bytes.max(granted_bytes);
            let balance = credit.granted_bytes.saturating_sub(self.sent_bytes);
            credit.window_bytes = credit.window_bytes.max(balance);
        }
        if let Some(paused_ms) = &mut self.paused_ms {
            *paused_ms = now_ms; // alive, if slow
        }
    }

    /// Whether one more frame may be sent, of any length: the balance may fall below zero once, so
    /// that a frame larger than the whole window cannot block for ever.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.balance_bytes() > 0
    }

    /// Notes a frame: the length of its JSON text.
    pub const fn sent(&mut self, frame_bytes: u64) {
        self.sent_bytes = self.sent_bytes.saturating_add(frame_bytes);
    }

    /// Notes that a batch is out: the next window begins.
    pub const fn flushed(&mut self, now_ms: u64) {
        self.flushed_ms = Some(now_ms);
    }

    /// What to do now. `blocked`: the socket has not taken the last batch yet.
    pub fn next(&mut self, now_ms: u64, lag: Lag, blocked: bool) -> Next {
        self.behind = if self.behind { lag.exceeds(CLOSE) } else { lag.exceeds(BEHIND) };
        self.level = self.next_level(lag);
        if self.level == Level::Paused {
            let paused_ms = *self.paused_ms.get_or_insert(now_ms);
            let until_ms = paused_ms.saturating_add(millis(PAUSED_MAX));
            return if until_ms <= now_ms { Next::Detach } else { Next::Pause { until_ms } };
        }
        self.paused_ms = None;
        if lag.entries == 0 || blocked {
            return Next::Nothing;
        }
        let window_ms = self.window_ms(lag);
        let until_ms = self.flushed_ms.map_or(0, |at_ms| at_ms.saturating_add(window_ms));
        if until_ms > now_ms {
            return Next::Wait { until_ms };
        }
        Next::Send { merge: self.behind || self.level == Level::Throttled || self.window_ms > 0 }
    }

    fn next_level(&self, lag: Lag) -> Level {
        let Some(Credit { window_bytes, .. }) = self.credit else { return Level::Live };
        let balance_bytes = self.balance_bytes();
        let enough_bytes = match self.level {
            Level::Live => window_bytes / 4,
            Level::Throttled | Level::Paused => window_bytes / 2,
        };
        if balance_bytes == 0 && lag.entries > 0 {
            Level::Paused
        } else if balance_bytes < enough_bytes {
            Level::Throttled
        } else {
            Level::Live
        }
    }

    /// How long after a batch the next one may follow. None applies while so much waits that
    /// gathering more would not fill frames any better.
    fn window_ms(&self, lag: Lag) -> u64 {
        if self.behind || lag.bytes >= DATA_FRAME_BYTES_MAX as u64 {
            0
        } else if self.level == Level::Throttled {
            let wider_ms = self.window_ms.max(WINDOW_DEFAULT_MS).saturating_mul(WINDOW_FACTOR);
            wider_ms.min(millis(WINDOW_MAX))
        } else {
            self.window_ms
        }
    }

    fn balance_bytes(&self) -> u64 {
        self.credit.map_or(u64::MAX, |credit| credit.granted_bytes.saturating_sub(self.sent_bytes))
    }
}

impl Lag {
    const fn exceeds(self, limit: Self) -> bool {
        self.entries > limit.entries || self.bytes > limit.bytes
    }
}

#[cfg(test)]
mod tests;
