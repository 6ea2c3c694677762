//! The server: everything put together, started and drained in order.

mod accounts;
mod backend;
mod clock;
mod metrics;
mod parts;
mod rates;
mod readiness;
mod run;
mod tasks;

pub(crate) use accounts::DEMO_EMAIL;
pub use accounts::token;
pub use clock::SystemClock;
pub(crate) use parts::{chain, provider};
pub use rates::Rates;
pub use run::serve;

mod backup;
pub use backup::backup;

use crate::config::Mode;
use std::{net::SocketAddr, path::PathBuf};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// How to start a server.
#[derive(Debug)]
pub struct Start {
    /// Development or production.
    pub mode: Mode,
    /// The account to sign in at the start, created where it does not exist: development only.
    ///
    /// Where it exists with another password, [`Tokens::refresh`] stays empty.
    pub demo: Option<Account>,
    /// Told once both ports are open and the store is ready.
    pub ready: oneshot::Sender<Ready>,
    /// Cancelled when the server should drain and end.
    pub stop: CancellationToken,
}

/// An account and its password.
#[derive(Clone)]
pub struct Account {
    /// Name to sign in with.
    pub email: String,
    /// Its password.
    pub password: String,
}

/// A server that runs.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Where the public port is.
    pub public: SocketAddr,
    /// Where the internal port is.
    pub internal: SocketAddr,
    /// Name of the provider that answers.
    pub provider: String,
    /// Its default model.
    pub model: String,
    /// Whether it is a stand-in and no model.
    pub stand_in: bool,
    /// Tokens of the demo account, where one was asked for.
    pub tokens: Option<Tokens>,
}

/// Tokens of one user.
#[derive(Clone)]
pub struct Tokens {
    /// Access token.
    pub access: String,
    /// Refresh token; empty where the account's password is another one than was given.
    pub refresh: String,
    /// When the access token expires, in milliseconds since 1970.
    pub access_expires_at_ms: u64,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("email", &self.email).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// An access token made on demand.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The token.
    pub access: String,
    /// The user's e-mail address.
    pub email: String,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: u64,
}

/// A backup that was written and read back.
#[derive(Clone, Debug)]
pub struct BackedUp {
    /// The file.
    pub file: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
}
