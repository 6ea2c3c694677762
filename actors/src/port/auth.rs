//! Who a token stands for.

use super::BoxFuture;
use greenroom_protocol::id::UserId;

/// One signing in: tokens of a user that were made for it end with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignIn(pub u128);

/// A user whose token was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user: UserId,
    /// When the token expires, in milliseconds since 1970.
    pub expires_at_ms: u64,
    /// What the token was made for; none: on demand, for nothing that can end.
    pub sign_in: Option<SignIn>,
}

/// Why a token is refused. Says nothing of the token itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It is no token of this server, or of the wrong kind.
    #[error("the token is not valid here; sign in again")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired; refresh it")]
    Expired,
}

/// Checks access tokens.
pub trait Authenticator: Send + Sync {
    /// Checks a token as of `now_ms`. Takes microseconds and never waits.
    ///
    /// # Errors
    /// [`AuthError`].
    fn verify(&self, token: &str, now_ms: u64) -> Result<Principal, AuthError>;

    /// Forgets what has expired. Asked now and then; takes as long as the store does.
    fn sweep(&self, now_ms: u64) -> BoxFuture<'_, ()>;
}
