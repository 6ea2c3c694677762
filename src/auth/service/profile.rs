//! What an account says of its user.

use super::Auth;
use crate::auth::{
    AuthFailure, FieldError,
    users::{Found, User},
};
use greenroom_protocol::id::UserId;
use std::fmt;

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Tries of a change that meets other changes.
const TRIES: u32 = 3;

/// What an account says of its user.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// The user.
    pub user: UserId,
    /// Name to sign in with.
    pub email: String,
    /// What others see.
    pub name: Option<String>,
    /// When the account was made, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// Raised by every change of the account.
    pub version: u64,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Auth {
    /// The profile of a user.
    ///
    /// # Errors
    /// [`AuthFailure::NoAccount`], and those of a failing store.
    pub async fn profile(&self, user: UserId) -> Result<Profile, AuthFailure> {
        self.users.get(user).await?.map(profile).ok_or(AuthFailure::NoAccount)
    }

    /// Changes the name, where there is one to change, if the profile is `still` as its owner
    /// knows it; none: it is not. An empty name removes it.
    ///
    /// # Errors
    /// [`AuthFailure::Invalid`], [`AuthFailure::NoAccount`], [`AuthFailure::Conflict`] and those
    /// of a failing store.
    pub async fn change_profile(
        &self,
        user: UserId,
        name: Option<String>,
        still: impl Fn(&Profile) -> bool,
    ) -> Result<Option<Profile>, AuthFailure> {
        if let Some(error) = name.as_deref().and_then(wrong) {
            return Err(AuthFailure::Invalid(vec![error]));
        }
        for _ in 0..TRIES {
            let found = self.users.get(user).await?.ok_or(AuthFailure::NoAccount)?;
            let Some(name) = &name else {
                return Ok(Some(profile(found)).filter(&still));
            };
            if !still(&profile(found.clone())) {
                return Ok(None);
            }
            let name = Some(name.clone()).filter(|name| !name.is_empty());
            let changed = User { name, ..found.user.clone() };
            if let Some(version) = self.users.replace(&found, &changed).await? {
                return Ok(Some(profile(Found { user: changed, version, ..found })));
            }
        }
        Err(AuthFailure::Conflict)
    }
}

fn profile(Found { id, user, version }: Found) -> Profile {
    let User { email, name, created_at_ms, .. } = user;
    Profile { user: id, email, name, created_at_ms, version }
}

/// What is wrong with a name.
fn wrong(name: &str) -> Option<FieldError> {
    let message = if name.chars().count() > NAME_CHARS_MAX {
        format!("must have at most {NAME_CHARS_MAX} characters")
    } else if name.chars().any(char::is_control) {
        "must not contain control characters".to_owned()
    } else {
        return None;
    };
    Some(FieldError { path: "/name", message })
}
