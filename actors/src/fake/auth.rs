//! Tokens that say whose they are.

use crate::port::{AuthError, Authenticator, BoxFuture, Principal, SignIn};
use greenroom_protocol::id::UserId;

/// Takes a user's id as the token of that user: `usr_…`, or `usr_…@1000` for one that expires
/// 1000 ms after 1970; with `#7` before that, one of the sign-in 7.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeAuth;

impl FakeAuth {
    /// A token without an end.
    #[must_use]
    pub fn token(user: UserId) -> String {
        user.to_string()
    }

    /// A token that ends at `expires_at_ms`.
    #[must_use]
    pub fn token_until(user: UserId, expires_at_ms: u64) -> String {
        format!("{user}@{expires_at_ms}")
    }

    /// A token of a sign-in.
    #[must_use]
    pub fn token_of(user: UserId, sign_in: SignIn) -> String {
        format!("{user}#{}", sign_in.0)
    }
}

impl Authenticator for FakeAuth {
    fn verify(&self, token: &str, now_ms: u64) -> Result<Principal, AuthError> {
        let (user, expires_at_ms) = match token.split_once('@') {
            Some((user, at)) => (user, at.parse().map_err(|_| AuthError::Invalid)?),
            None => (token, u64::MAX),
        };
        let (user, sign_in) = match user.split_once('#') {
            Some((user, id)) => (user, Some(id.parse().map_err(|_| AuthError::Invalid)?)),
            None => (user, None),
        };
        let user = user.parse().map_err(|_| AuthError::Invalid)?;
        if expires_at_ms <= now_ms {
            return Err(AuthError::Expired);
        }
        Ok(Principal { user, expires_at_ms, sign_in: sign_in.map(SignIn) })
    }

    fn sweep(&self, _: u64) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_token_stands_for_its_user_until_it_expires() {
        let user = UserId::new(Uuid::from_u128(1));
        let token = FakeAuth::token_until(user, 1000);

        let principal = Principal { user, expires_at_ms: 1000, sign_in: None };
        assert_eq!(FakeAuth.verify(&token, 999), Ok(principal));
        assert_eq!(FakeAuth.verify(&token, 1000), Err(AuthError::Expired));
        assert_eq!(FakeAuth.verify("nobody", 0), Err(AuthError::Invalid));
        assert!(FakeAuth.verify(&FakeAuth::token(user), u64::MAX - 1).is_ok());
    }
}
