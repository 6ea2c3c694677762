//! Words and phrases of a user's prompt, with their places.

use std::ops::Range;

/// Longest phrase that is taken from a prompt, in characters.
const PHRASE_CHARS_MAX: usize = 80;
/// Most things that a list in a prompt gives.
const LIST_ITEMS_MAX: usize = 40;
/// Verbs that begin a new demand.
pub(super) const VERBS: &str = "add call change color colour create decrease delete drop enable enlarge give implement \
    include increase insert introduce let make move name please put randomise randomize remove \
    rename restyle retitle set show shuffle style support switch take turn use";

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// In small letters, with a plain apostrophe.
    pub lower: String,
    /// Where it stands, in bytes.
    pub at: Range<usize>,
}

/// The words of a text: letters and digits, joined by `-`, `'`, `_` or `.` where letters follow.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut letters = text.char_indices().peekable();
    let mut open = false;
    while let Some((at, letter)) = letters.next() {
        let joins = open
            && matches!(letter, '-' | '\'' | '’' | '_' | '.')
            && letters.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        if !letter.is_alphanumeric() && !joins {
            open = false;
            continue;
        }
        let end = at + letter.len_utf8();
        let lower = letter.to_lowercase().map(|letter| if letter == '’' { '\'' } else { letter });
        match words.last_mut().filter(|_| open) {
            Some(word) => {
                word.lower.extend(lower);
                word.at.end = end;
            }
            None => words.push(Word { lower: lower.collect(), at: at..end }),
        }
        open = true;
    }
    words
}

/// Whether the text has one of these words.
pub(super) fn has_any(words: &[Word], wanted: &[&str]) -> bool {
    words.iter().any(|word| word.is(wanted))
}

impl Word {
    /// Whether the word is one of these.
    pub(super) fn is(&self, wanted: &[&str]) -> bool {
        wanted.contains(&self.lower.as_str())
    }

    /// Whether the word is one of these, which are parted by blanks.
    pub(super) fn is_in(&self, wanted: &str) -> bool {
        wanted.split(' ').any(|word| word == self.lower)
    }
}

/// Reads a phrase from `from` on: a quoted text whole, otherwise up to the end of the clause or
/// one of the `stops`. Gives its words on one line, and its place.
pub(super) fn phrase(text: &str, from: usize, stops: &[&str]) -> Option<(String, Range<usize>)> {
    let tail = text.get(from..)?;
    let start = from + (tail.len() - tail.trim_start_matches([' ', ':', '\t']).len());
    let tail = text.get(start..)?;
    if let Some((phrase, end)) = quoted(tail) {
        return Some((tidy(phrase), start..start + end)).filter(|(phrase, _)| !phrase.is_empty());
    }
    let clause = clause_end(tail, &[',', ';', ':', '(', '!', '?']);
    let clause = tail.get(..clause)?;
    let found = words(clause);
    let stop = found.iter().enumerate().find(|(place, word)| {
        let verb_follows = || found.get(place + 1).is_some_and(|next| next.is_in(VERBS));
        word.is(stops) || (word.is(&["and", "then"]) && verb_follows())
    });
    let end = stop.map_or(clause.len(), |(_, word)| word.at.start);
    let phrase = tidy(clause.get(..end)?);
    (!phrase.is_empty()).then_some((phrase, start..start + end))
}

/// Reads a list from `from` on: lines with bullets, or words parted by commas and "and", up to
/// the end of the sentence or one of the `stops`.
pub(super) fn list(text: &str, from: usize, stops: &[&str]) -> (Vec<String>, Range<usize>) {
    let tail = text.get(from..).unwrap_or_default();
    let start = from + (tail.len() - tail.trim_start_matches([' ', ':', '\t']).len());
    let tail = text.get(start..).unwrap_or_default();
    if tail.starts_with('\n') {
        let (items, end) = bullets(tail);
        return (items, start..start + end);
    }
    let sentence = tail.get(..clause_end(tail, &[';', '!', '?'])).unwrap_or_default();
    let found = words(sentence);
    let stop = found.iter().enumerate().find(|(place, word)| {
        let after_and = place.checked_sub(1).and_then(|before| found.get(before));
        let demand =
            word.is_in(VERBS) && after_and.is_some_and(|before| before.is(&["and", "then"]));
        demand || word.is(stops)
    });
    let end = stop.map_or(sentence.len(), |(_, word)| word.at.start);
    (split_list(sentence.get(..end).unwrap_or_default()), start..start + end)
}

/// Parts a list: by commas, slashes and arrows, and by "and" before the last.
fn split_list(text: &str) -> Vec<String> {
    let text = text.replace("->", ",").replace('→', ",");
    let parts: Vec<_> = text.split([',', '/', '|']).map(str::trim).collect();
    let mut items = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let part = strip_word(part, "and ");
        match part.split_once(" and ").filter(|_| place + 1 == parts.len()) {
            Some((first, second)) => items.extend([first, second]),
            None => items.push(part),
        }
    }
    let items = items.into_iter().map(|item| tidy(strip_end(item)));
    items.filter(|item| !item.is_empty()).take(LIST_ITEMS_MAX).collect()
}

fn strip_word<'a>(text: &'a str, word: &str) -> &'a str {
    text.strip_prefix(word).unwrap_or(text).trim()
}

/// Cuts a joining word that a stop has left at the end.
fn strip_end(text: &str) -> &str {
    let text = text.trim();
    [" and", " with", " then"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text)
}

/// Reads lines that begin with a bullet or a number, and says where they end.
pub(super) fn bullets(text: &str) -> (Vec<String>, usize) {
    let mut items = Vec::new();
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        match bullet(line) {
            Some(item) => items.push(tidy(item)),
            None if line.trim().is_empty() => {}
            None => break,
        }
        end += line.len();
    }
    items.retain(|item| !item.is_empty());
    items.truncate(LIST_ITEMS_MAX);
    (items, end)
}

/// The words after a bullet: `- words`, `* words`, `• words`, `1. words`.
pub(super) fn bullet(line: &str) -> Option<&str> {
    let line = line.trim();
    let numbered = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
    if numbered.len() < line.len() {
        return numbered.strip_prefix(". ").or_else(|| numbered.strip_prefix(") "));
    }
    ["- ", "* ", "• "].iter().find_map(|mark| line.strip_prefix(mark))
}

/// A quoted text at the start, without its quotes, and where it ends.
fn quoted(text: &str) -> Option<(&str, usize)> {
    let pairs = [('"', '"'), ('“', '”'), ('\'', '\''), ('‘', '’'), ('`', '`'), ('«', '»')];
    let (open, close) = pairs.into_iter().find(|(open, _)| text.starts_with(*open))?;
    let inner = text.get(open.len_utf8()..)?;
    let end = inner.find(close).filter(|end| !inner.get(..*end).unwrap_or("\n").contains('\n'))?;
    Some((inner.get(..end)?, open.len_utf8() + end + close.len_utf8()))
}

/// Where a clause ends: at a line's end, a full stop, or one of `marks`.
fn clause_end(text: &str, marks: &[char]) -> usize {
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let last = letters.peek().is_none_or(|(_, next)| next.is_whitespace());
        if letter == '\n' || marks.contains(&letter) || (letter == '.' && last) {
            return at;
        }
    }
    text.len()
}

/// On one line, without quotes around it and marks at its end, and not too long.
pub(super) fn tidy(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|letter| !letter.is_control()).collect();
    let line = line.trim_matches(['.', ',', ' ']);
    let line = quoted(line).filter(|(_, end)| *end == line.len()).map_or(line, |(inner, _)| inner);
    let line = line.trim_matches(['.', ',', ' ']);
    match line.char_indices().nth(PHRASE_CHARS_MAX) {
        None => line.to_owned(),
        Some((cut, _)) => {
            let cut = line.get(..cut).unwrap_or(line);
            cut.rsplit_once(' ').map_or(cut, |(whole, _)| whole).to_owned()
        }
    }
}

/// With a capital first letter.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Without a leading article or pronoun.
pub(super) fn bare(text: &str) -> &str {
    let leads = ["the ", "a ", "an ", "some ", "The ", "A ", "An ", "Some "];
    leads.iter().find_map(|lead| text.strip_prefix(lead)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_joints_and_places() {
        let found = words("A to-do list: Ann’s styles.css.");

        let lower: Vec<_> = found.iter().map(|word| word.lower.as_str()).collect();
        assert_eq!(lower, ["a", "to-do", "list", "ann's", "styles.css"]);
        assert_eq!(found[1].at, 2..7);
    }

    #[test]
    fn a_phrase_ends_with_its_clause_or_a_stop() {
        let read = |text| phrase(text, 0, &["with", "that"]).map(|(phrase, _)| phrase);

        assert_eq!(read(" volcanoes with 5 questions").as_deref(), Some("volcanoes"));
        assert_eq!(read(" cats and dogs, please").as_deref(), Some("cats and dogs"));
        assert_eq!(read(" cats and make it dark").as_deref(), Some("cats"));
        assert_eq!(read(": \"Milk, with love\" and so on").as_deref(), Some("Milk, with love"));
        assert_eq!(read(" with it"), None);
    }

    #[test]
    fn a_list_is_parted_by_commas_and_its_last_and() {
        let read = |text| list(text, 0, &["using"]).0;

        assert_eq!(
            read(" milk, salt and pepper, eggs and bread."),
            ["milk", "salt and pepper", "eggs", "bread"]
        );
        assert_eq!(read(": To do -> Doing → Done using drag"), ["To do", "Doing", "Done"]);
        assert_eq!(read(":\n- one\n2. two\n\nMore"), ["one", "two"]);
        assert_eq!(read(" milk and eggs and make it dark"), ["milk", "eggs"]);
        assert!(read("").is_empty());
    }

    #[test]
    fn what_is_taken_is_one_line_of_bounded_length() {
        assert_eq!(tidy(" \" a\n b\u{0} \"."), "a b");
        assert_eq!(tidy("2 \"onions\""), "2 \"onions\"");
        assert!(tidy(&"word ".repeat(100)).chars().count() <= PHRASE_CHARS_MAX);
    }
}
