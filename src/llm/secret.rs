//! Values that are never printed, and texts of others that may hold them.

use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use std::{fmt, sync::Arc};

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";
/// Beginnings of the keys that providers hand out.
const KEY_PREFIXES: [&str; 7] = ["sk-", "sk_", "gsk_", "csk-", "xai-", "hf_", "AIza"];
/// Shortest word that is taken for a key by its beginning, or for a part of a known key, in bytes.
const KEY_BYTES_MIN: usize = 8;
/// Longest text kept of what a provider wrote, in bytes.
const TEXT_BYTES_MAX: usize = 500;

/// A key, token or password. It has no `Display` and no `Serialize`, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// The value itself: only for the header that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Tells one secret from another without telling it: 32 bits of its hash.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        let hex = digest.iter().take(4).map(|byte| format!("{byte:02x}"));
        format!("sha256:{}", hex.collect::<String>())
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|value| Self(value.into()))
    }
}

/// Takes keys out of texts that a provider wrote, since some repeat the key they refuse.
#[derive(Clone, Debug, Default)]
pub(super) struct Redactor(Vec<Secret>);

impl Redactor {
    /// One that knows `secrets`. Keys that it does not know it finds by their looks.
    pub(super) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self(secrets.into_iter().filter(|secret| !secret.expose().is_empty()).collect())
    }

    /// `text` without keys, on one line, of at most [`TEXT_BYTES_MAX`] bytes.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.trim().to_owned();
        for secret in &self.0 {
            text = text.replace(secret.expose(), REDACTED);
        }
        let mut clean = String::with_capacity(text.len());
        let mut after_bearer = false;
        for piece in text.split_inclusive(|c| !is_key_char(c)) {
            let word = piece.trim_end_matches(|c| !is_key_char(c));
            let space = piece.get(word.len()..).unwrap_or_default();
            let hide = self.is_key(word) || (after_bearer && is_token(word));
            clean.push_str(if hide { REDACTED } else { word });
            clean.extend(space.chars().map(|c| if c.is_control() { ' ' } else { c }));
            // `Bearer: x` and `Bearer "x"` have empty words in between.
            after_bearer = word.eq_ignore_ascii_case("bearer") || (after_bearer && word.is_empty());
        }
        shorten(&mut clean, TEXT_BYTES_MAX);
        clean
    }

    /// Whether `word` has the looks of a key, or repeats a part of a known one.
    fn is_key(&self, word: &str) -> bool {
        let has_prefix = |part: &str| {
            part.len() >= KEY_BYTES_MIN
                && KEY_PREFIXES.iter().any(|prefix| part.starts_with(prefix))
        };
        word.contains("***")
            || word.split(['=', '/', '+', '.']).any(has_prefix)
            || (word.len() >= KEY_BYTES_MIN && self.0.iter().any(|s| s.expose().contains(word)))
    }
}

/// Cuts `text` to `bytes_max` bytes at a character's border and marks the cut.
fn shorten(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
}

fn is_key_char(c: char) -> bool {
    c.is_alphanumeric() || "-_*.+/=~".contains(c)
}

/// Whether a word behind `Bearer` is a token and no English.
fn is_token(word: &str) -> bool {
    word.len() >= 16 || (word.len() >= 4 && word.bytes().any(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::from("sk-abcdef");

        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[redacted] Some([redacted])");
    }

    #[test]
    fn keys_are_taken_out_of_a_providers_text() {
        let redactor = Redactor::new([Secret::from("plain:key!with?signs"), Secret::from("")]);
        let cases = [
            ("Incorrect API key provided: sk-abc123def.", "Incorrect API key provided: [redacted]"),
            ("provided: abcd1234****wxyz, see docs", "provided: [redacted], see docs"),
            ("got 'plain:key!with?signs'", "got '[redacted]'"),
            ("Authorization: Bearer \"q9x7abcd\"", "Authorization: Bearer \"[redacted]\""),
            ("missing bearer authentication", "missing bearer authentication"),
            ("?key=gsk_0123456&x=1", "?[redacted]&x=1"),
            ("two\nlines\u{7}", "two lines "),
            (
                "see https://example.com/account/api-keys",
                "see https://example.com/account/api-keys",
            ),
        ];

        for (text, expected) in cases {
            assert_eq!(redactor.clean(text), expected, "of {text:?}");
        }
    }

    #[test]
    fn a_fingerprint_tells_secrets_apart_and_nothing_else() {
        let print = |secret: &str| Secret::from(secret).fingerprint();

        assert_eq!(print("abc"), "sha256:ba7816bf");
        assert_ne!(print("abd"), print("abc"));
    }

    #[test]
    fn a_part_of_a_known_key_is_taken_out() {
        let redactor = Redactor::new([Secret::from("abcdefghijklmnop")]);

        assert_eq!(redactor.clean("key abcdefgh was refused"), "key [redacted] was refused");
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let clean = Redactor::default().clean(&"ä ".repeat(400));

        assert!(clean.len() <= TEXT_BYTES_MAX + '…'.len_utf8());
        assert!(clean.ends_with('…'));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn a_known_key_never_survives(
            key in "[!-~]{8,40}", before in ".{0,20}", after in ".{0,20}"
        ) {
            let clean = Redactor::new([Secret::from(key.as_str())]).clean(&format!("{before}{key}{after}"));

            prop_assert!(!clean.contains(&key));
        }
    }
}
