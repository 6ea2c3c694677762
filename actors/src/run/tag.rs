//! The tag that marks one answer's instructions.

use std::fmt;

/// Six characters of base32 (`a-z2-7`), new for every call to a provider.
///
/// Thirty random bits that occur nowhere in the prompt: what a model copies from a file or from
/// the user can't begin or end a file by accident.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(String);

impl Tag {
    /// Length in characters, which are bytes too.
    pub const LEN: usize = 6;

    /// A tag of five bits of each random byte.
    #[must_use]
    pub fn from_random(bytes: [u8; Self::LEN]) -> Self {
        let letter = |byte| match byte & 31 {
            low @ 0..=25 => b'a' + low,
            high => b'2' + (high - 26),
        };
        Self(bytes.into_iter().map(letter).map(char::from).collect())
    }

    /// Reads a tag: exactly six characters of its alphabet.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        (text.len() == Self::LEN && allowed).then(|| Self(text.to_owned()))
    }

    /// The first tag in a text: `@@`, the tag, a space.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        text.match_indices("@@").find_map(|(at, mark)| {
            let start = at + mark.len();
            let end = start + Self::LEN;
            let tag = Self::parse(text.get(start..end)?)?;
            text.get(end..)?.starts_with(' ').then_some(tag)
        })
    }

    /// The tag's characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What every line with an instruction starts with: `@@`, the tag, a space.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("@@{self} ")
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_random_byte_gives_a_character_of_the_alphabet() {
        for byte in 0..=u8::MAX {
            let tag = Tag::from_random([byte; Tag::LEN]);
            assert_eq!(Tag::parse(tag.as_str()), Some(tag));
        }
        assert_eq!(Tag::from_random([0, 25, 26, 31, 32, 255]).as_str(), "az27a7");
    }

    #[test]
    fn the_first_whole_tag_in_a_text_is_found() {
        let found = Tag::find("@@ @@ABCDEF @@abc @@abcde1 @@é @@abcdef, @@abc234 write @@zzzzzz ");
        assert_eq!(found, Tag::parse("abc234"));
        assert_eq!(Tag::find("@@abcdef"), None);
    }
}
