//! Commands of requests: a repeat under the same `Idempotency-Key` is the same command.

use super::{Asked, Problem, Response};
use greenroom_actors::port::Principal;
use greenroom_protocol::id::{CommandId, SessionId};
use http::{HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The header that names a command.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// A request's name for what it asks, by which a repeat of it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) principal: Principal,
    text: Option<String>,
    /// Whether the request has one.
    pub(super) is_given: bool,
}

impl Key {
    /// Reads a request's key.
    ///
    /// # Errors
    /// `bad_idempotency_key`.
    pub(super) fn of(asked: &Asked, principal: Principal) -> Result<Self, Problem> {
        let text = asked.header(&KEY)?;
        let plain = |text: &str| {
            (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if text.is_some_and(|text| !plain(text)) {
            let detail =
                format!("an Idempotency-Key is 1 to {KEY_BYTES_MAX} printable ASCII characters");
            return Err(Problem::bad_request("bad_idempotency_key", detail));
        }
        Ok(Self { principal, text: text.map(ToOwned::to_owned), is_given: text.is_some() })
    }

    /// The same, or another text where the request has no key.
    pub(super) fn or(mut self, text: Option<String>) -> Self {
        self.text = self.text.or(text);
        self
    }

    /// The command: the key itself where it is a UUID or a command's id, so that the WebSocket
    /// knows it by the same name; without a key, a new one.
    pub(super) fn command(&self) -> CommandId {
        let Some(text) = &self.text else { return CommandId::new(Uuid::now_v7()) };
        let named = text.parse().ok().or_else(|| Some(CommandId::new(Uuid::try_parse(text).ok()?)));
        named.unwrap_or_else(|| CommandId::new(self.derive("command", text)))
    }

    /// The id of a session for which the request names none: a repeat means the same session.
    pub(super) fn session(&self) -> SessionId {
        let derived = self.text.as_ref().map(|text| self.derive("session", text));
        SessionId::new(derived.unwrap_or_else(Uuid::now_v7))
    }

    /// The same for the same user and key, on every node and after every crash.
    fn derive(&self, what: &str, text: &str) -> Uuid {
        let digest = Sha256::digest(format!("{what}\0{}\0{text}", self.principal.user));
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Uuid::new_v8(bytes)
    }
}

/// Says of an answer whether it was given before.
pub(super) fn replayed(mut response: Response, duplicate: bool) -> Response {
    if duplicate {
        let name = HeaderName::from_static("idempotency-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::id::UserId;

    fn key(user: u128, text: Option<&str>) -> Key {
        let user = UserId::new(Uuid::from_u128(user));
        let principal = Principal { user, expires_at_ms: 0, sign_in: None };
        Key { principal, text: text.map(ToOwned::to_owned), is_given: text.is_some() }
    }

    #[test]
    fn a_key_names_the_same_command_for_its_user_and_no_other() {
        let command = key(1, Some("order 7")).command();
        assert_eq!(key(1, Some("order 7")).command(), command);
        assert_ne!(key(2, Some("order 7")).command(), command);
        assert_ne!(key(1, Some("order 8")).command(), command);
        assert_eq!(key(1, Some("k")).session(), key(1, Some("k")).session());
        assert_ne!(key(1, Some("k")).session().uuid(), key(1, Some("k")).command().uuid());
    }

    #[test]
    fn a_uuid_is_the_command_itself() {
        let uuid = Uuid::from_u128(7);
        let command = CommandId::new(uuid);
        assert_eq!(key(1, Some(&uuid.to_string())).command(), command);
        assert_eq!(key(1, Some(&command.to_string())).command(), command);
    }

    #[test]
    fn without_a_key_every_request_is_a_command_of_its_own() {
        assert_ne!(key(1, None).command(), key(1, None).command());
        assert_ne!(key(1, None).session(), key(1, None).session());
    }
}
