//! What nodes tell each other of the limits of providers.

use super::BoxFuture;
use std::time::Duration;

/// A limit that is used up: an account's for one model, or all that an account may spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooling {
    /// Name of the provider.
    pub provider: String,
    /// Fingerprint of the key that was refused; none: the provider needs no key.
    pub key: Option<String>,
    /// The model; none: the key can be used for none.
    pub model: Option<String>,
    /// How long it rests from now on.
    pub rest: Duration,
}

/// Shares cooldowns between nodes. Of several for one limit the latest end counts.
pub trait Cooldowns: Send + Sync {
    /// Tells the other nodes. Never waits.
    fn tell(&self, cooling: Cooling);

    /// Waits for the next one that another node told, or this one before; for ever where there is
    /// no other. One waits at a time. Cancel-safe.
    fn next(&self) -> BoxFuture<'_, Cooling>;
}

/// There is no other node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Cooldowns for Alone {
    fn tell(&self, _: Cooling) {}

    fn next(&self) -> BoxFuture<'_, Cooling> {
        Box::pin(std::future::pending())
    }
}
