//! The table of all keys, read from the commented default file: one place says what exists.
//!
//! In that file `# text` above a key documents it; `#[table]` and `#key = value`, without a space,
//! are keys of tables that exist only where somebody writes them.

use std::sync::LazyLock;

/// The commented default file.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// Stands for a name that users choose: `providers.NAME.model`.
pub const ANY_NAME: &str = "NAME";

/// Type of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Bool,
    /// A text.
    Text,
    /// A list of texts.
    List,
}

impl Kind {
    /// What a user should write.
    #[must_use]
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Integer => "a whole number",
            Self::Bool => "true or false",
            Self::Text => "a text",
            Self::List => "a list of texts",
        }
    }
}

/// One key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its full name: `server.port`, `providers.NAME.model`.
    pub name: String,
    /// Type of its value.
    pub kind: Kind,
    /// Its default, as TOML.
    pub default: String,
    /// What it is for.
    pub doc: String,
    /// Whether its value must never be shown: its text begins with "Secret".
    pub secret: bool,
}

impl Key {
    /// Name of its environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("GREENROOM__{}", self.name.to_uppercase().replace('.', "__"))
    }

    /// Whether this is the key called `name`, where [`ANY_NAME`] stands for any name.
    fn is(&self, name: &str) -> bool {
        let mut parts = name.split('.');
        let same = self.name.split('.').all(|want| {
            parts.next().is_some_and(|part| part == want || (want == ANY_NAME && is_name(part)))
        });
        same && parts.next().is_none()
    }
}

/// Whether a text may name a table: small letters, digits, `-` and `_`, a letter first.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
}

/// All keys, in the order of the file.
#[must_use]
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| parse(DEFAULT_TOML));
    &KEYS
}

/// The key called `name`, such as `server.port` or `providers.groq.model`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.is(name))
}

/// The known key that `name` most likely means.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    let near = |key: &&Key| distance(&key.name, name);
    let spelt = || keys().iter().min_by_key(near).filter(|key| near(key) <= 3);
    let last = |name: &str| name.rsplit('.').next().map(str::to_owned);
    let elsewhere = keys().iter().find(|key| last(&key.name) == last(name));
    elsewhere.or_else(spelt).map(|key| key.name.as_str())
}

fn parse(text: &str) -> Vec<Key> {
    let (mut keys, mut table, mut doc) = (Vec::new(), String::new(), Vec::new());
    for line in text.lines() {
        if let Some(prose) = line.strip_prefix("# ") {
            doc.push(prose.trim());
            continue;
        }
        let code = line.strip_prefix('#').unwrap_or(line).trim();
        if let Some(name) = code.strip_prefix('[').and_then(|code| code.strip_suffix(']')) {
            name.clone_into(&mut table);
        } else if let Some((key, default)) = code.split_once(" = ") {
            keys.extend(key_of(&table, key, default, &doc.join(" ")));
        }
        doc.clear();
    }
    keys
}

fn key_of(table: &str, key: &str, default: &str, doc: &str) -> Option<Key> {
    let kind = match default.chars().next()? {
        '"' => Kind::Text,
        '[' => Kind::List,
        't' | 'f' => Kind::Bool,
        _ => Kind::Integer,
    };
    Some(Key {
        name: format!("{table}.{key}"),
        kind,
        default: default.to_owned(),
        doc: doc.to_owned(),
        secret: doc.starts_with("Secret"),
    })
}

/// Edits that turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, up) in b.bytes().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(x != y)).min(left + 1).min(*up + 1);
            diagonal = std::mem::replace(up, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_and_has_a_type() {
        assert!(keys().len() > 30, "the file has more than {} keys", keys().len());
        for key in keys() {
            assert!(key.doc.len() > 10, "{} has no text", key.name);
            assert!(key.doc.ends_with('.'), "the text of {} is no sentence", key.name);
        }
    }

    #[test]
    fn secrets_are_known_by_their_text() {
        let secrets: Vec<_> =
            keys().iter().filter(|key| key.secret).map(|key| key.name.as_str()).collect();
        assert_eq!(
            secrets,
            [
                "store.password",
                "auth.jwt_secret",
                "auth.jwt_secrets_previous",
                "providers.NAME.api_key",
                "providers.NAME.keys",
                "providers.NAME.proxy",
                "providers.NAME.accounts.NAME",
                "providers.NAME.headers.NAME",
                "redis.url",
            ]
        );
    }

    #[test]
    fn a_key_of_a_named_table_is_found_by_any_good_name() {
        assert_eq!(find("providers.my-own.model").map(|key| key.kind), Some(Kind::Text));
        assert!(find("providers.My Own.model").is_none());
        assert!(find("providers.model").is_none());
        assert!(find("server.port.x").is_none());
    }

    #[test]
    fn a_misspelt_key_is_recognised() {
        assert_eq!(nearest("server.prot"), Some("server.port"));
        assert_eq!(nearest("sesion.window_ms"), Some("session.window_ms"));
        assert_eq!(nearest("server.window_ms"), Some("session.window_ms"));
        assert_eq!(nearest("quite.different_thing"), None);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
