//! Who may do what: users and passwords, access tokens, refresh tokens, tickets.
//!
//! An access token is a JWT that any node checks by itself in microseconds. A refresh token is
//! opaque and is exchanged at every use; a stolen one is noticed when it is used twice. A ticket
//! stands for an access token once, within seconds, where a browser cannot send a header.

mod access;
mod config;
mod email;
mod failure;
mod keys;
mod password;
mod refresh;
mod secret;
mod service;
mod ticket;
mod users;

#[cfg(test)]
pub(crate) mod fixture;

pub use access::{Access, JwtAuthenticator};
pub use config::{AuthConfig, AuthConfigError};
pub use email::Email;
pub use failure::{AuthFailure, FieldError};
pub use keys::{KeyError, Keys};
pub use secret::Secret;
pub use service::{Auth, AuthStartError, Grant, Profile};
pub use ticket::Ticket;
