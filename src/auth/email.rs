//! E-mail addresses as names of accounts.

use std::fmt;

/// Longest address, in bytes: the limit of SMTP.
const EMAIL_BYTES_MAX: usize = 254;
/// Longest part before the `@`, in bytes.
const LOCAL_BYTES_MAX: usize = 64;

/// An address in its one spelling: trimmed and in lower case, so that two spellings of it are one
/// account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

/// The text is no address that can name an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write an address such as name@example.org, of at most 254 ASCII characters")]
pub struct EmailError;

impl Email {
    /// Reads an address by the rule that browsers use for `<input type=email>`.
    ///
    /// # Errors
    /// [`EmailError`].
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        let (local, domain) = text.split_once('@').ok_or(EmailError)?;
        let local_ok = (1..=LOCAL_BYTES_MAX).contains(&local.len())
            && local
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b));
        if text.len() > EMAIL_BYTES_MAX || !local_ok || !domain.split('.').all(is_label) {
            return Err(EmailError);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is one label of a domain name.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_an_address_are_one() {
        assert_eq!(Email::parse(" Ada@Example.ORG "), Email::parse("ada@example.org"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        let longer = format!("a@{}org", "example.".repeat(40));
        for text in [
            "", "@", "a@", "@b", "a b@c.d", "a@b c", "a@b@c", "a@.b", "a@b.", "a@-b.c", "ä@b.c",
            "a@ä.c", "a\n@b.c", "a\0@b.c", "a\"@b.c", "<a@b.c>", &long, &longer,
        ] {
            assert_eq!(Email::parse(text), Err(EmailError), "{text:?}");
        }
    }
}
