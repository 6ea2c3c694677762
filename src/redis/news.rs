//! What nodes tell each other.

use greenroom_actors::port::{Cooling, SignIn};
use greenroom_protocol::id::UserId;
use std::time::Duration;

/// Something that all nodes should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    /// A sign-in has ended: "user sign-in".
    SignedOut(String),
    /// A limit of a provider is used up: a JSON list.
    Cools(String),
}

impl News {
    pub(super) fn signed_out(user: UserId, SignIn(sign_in): SignIn) -> Self {
        Self::SignedOut(format!("{user} {sign_in:032x}"))
    }

    pub(super) fn cools(cooling: &Cooling) -> Self {
        let Cooling { provider, key, model, .. } = cooling;
        Self::Cools(serde_json::json!([provider, key, model]).to_string())
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::SignedOut(_) => "signed_out",
            Self::Cools(_) => "cools",
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::SignedOut(text) | Self::Cools(text) => text,
        }
    }
}

/// Who signed out; none: another build wrote it.
pub(super) fn read_signed_out(text: &str) -> Option<(UserId, SignIn)> {
    let (user, sign_in) = text.split_once(' ')?;
    Some((user.parse().ok()?, SignIn(u128::from_str_radix(sign_in, 16).ok()?)))
}

/// What cools, and for how long; none: another build wrote it.
pub(super) fn read_cools(text: &str, rest: Duration) -> Option<Cooling> {
    let (provider, key, model) = serde_json::from_str(text).ok()?;
    Some(Cooling { provider, key, model, rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn what_is_told_is_read_as_it_was_and_what_is_not_ours_is_nothing() {
        let (user, sign_in) = (UserId::new(Uuid::from_u128(7)), SignIn(9));
        let told = News::signed_out(user, sign_in);
        assert_eq!(read_signed_out(told.text()), Some((user, sign_in)));
        let rest = Duration::from_secs(3);
        for model in [None, Some("a \"model\"".to_owned())] {
            let (provider, key) = ("groq".to_owned(), Some("sha256:1".to_owned()));
            let cooling = Cooling { provider, key, model, rest };
            assert_eq!(read_cools(News::cools(&cooling).text(), rest), Some(cooling));
        }
        for text in ["", "x", "x y", "[]", "[1,2,3]", "{}"] {
            assert_eq!((read_signed_out(text), read_cools(text, rest)), (None, None), "{text}");
        }
    }
}
