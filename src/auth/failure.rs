//! Why a request for access fails.

use greenroom_actors::port::StoreError;
use std::time::Duration;

/// What was wrong with one field of a request. Never repeats the field's value.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct FieldError {
    /// JSON pointer to the field.
    pub path: &'static str,
    /// What it must be.
    pub message: String,
}

/// Why a request for access fails. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// Fields of the request are not acceptable.
    #[error("{} of the request cannot be accepted", .0.iter().map(|e| e.path).collect::<Vec<_>>().join(", "))]
    Invalid(Vec<FieldError>),
    /// The address names an account already.
    #[error("there is an account with this e-mail address; sign in instead")]
    EmailTaken,
    /// No account has this address and this password. Which of both is wrong stays unsaid.
    #[error("the e-mail address or the password is wrong")]
    BadCredentials,
    /// The refresh token is unknown, expired, or was used before.
    #[error("the refresh token is not valid any more; sign in again")]
    BadRefreshToken,
    /// The token is good, and the account is gone.
    #[error("the account does not exist any more; sign in again")]
    NoAccount,
    /// Somebody else changes the same thing, again and again.
    #[error("it changes all the time; try again")]
    Conflict,
    /// Too many passwords are being hashed, or too many tickets are outstanding.
    #[error("the server is busy; try again")]
    Busy {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The store failed. Where it is unknown whether something was done, repeating does no harm.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect of the server; its log says which.
    #[error("the server failed")]
    Internal,
}
