//! How others wake a connection: entries for an attachment, or a word from the engine.

use crate::sync::lock;
use greenroom_protocol::{credits::Balance, error::CloseCode, frame::GoAway, id::Channel};
use std::sync::Mutex;
use tokio::sync::Notify;

/// One connection's bell.
///
/// Bound: one entry an attachment (each rings once until it is answered), one balance, one goaway,
/// one close.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    notify: Notify,
    rung: Mutex<Rung>,
}

/// Why the bell rang.
#[derive(Debug, Default)]
pub(crate) struct Rung {
    /// Attachments that have something to read.
    pub(crate) channels: Vec<Channel>,
    /// The user's balance has changed; boxed, since an idle socket has none.
    pub(crate) balance: Option<Box<Balance>>,
    /// The server is going away.
    pub(crate) goaway: Option<GoAway>,
    /// The connection is to close.
    pub(crate) close: Option<CloseCode>,
}

impl Bell {
    /// An attachment has something to read.
    pub(crate) fn ring(&self, ch: Channel) {
        lock(&self.rung).channels.push(ch);
        self.notify.notify_one();
    }

    /// The user's balance has changed: the last one counts.
    pub(crate) fn balance(&self, balance: Balance) {
        lock(&self.rung).balance = Some(Box::new(balance));
        self.notify.notify_one();
    }

    /// The server is going away.
    pub(crate) fn go_away(&self, goaway: GoAway) {
        lock(&self.rung).goaway = Some(goaway);
        self.notify.notify_one();
    }

    /// The connection is to close.
    pub(crate) fn close(&self, code: CloseCode) {
        lock(&self.rung).close = Some(code);
        self.notify.notify_one();
    }

    /// Waits for a ring and takes all that has rung. Cancel-safe.
    pub(crate) async fn rung(&self) -> Rung {
        self.notify.notified().await;
        self.take()
    }

    /// Takes all that has rung.
    pub(crate) fn take(&self) -> Rung {
        std::mem::take(&mut lock(&self.rung))
    }
}
