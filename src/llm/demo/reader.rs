//! Takes the parts out of a first prompt: names, lists, topics.

use super::{
    brief::number,
    kind::Kind,
    look::{find_colour, find_scheme},
    words::{self, Word, bare, capital, list, phrase, words},
};
use std::ops::Range;

/// End a list.
const LIST_STOPS: &[&str] = &[
    "with", "that", "which", "using", "please", "columns", "cards", "tasks", "items", "called",
    "named",
];
/// End the words before an app's name, going backwards.
const LEAD_STOPS: &str = "a an the me my our your us some one want need like build make create generate write design \
    develop give show please code do to of for with and or as is simple small little tiny nice \
    beautiful pretty handsome clean modern minimal minimalist new good great cool fun short \
    quick basic complete full interactive responsive accessible personal web html js browser \
    online single-page dark light colourful colorful another named called";
/// The names of the apps, by which a title ends.
const HEADS: &[(Kind, &[&str])] = &[
    (Kind::Todo, &["to-do", "todo", "todos", "to-dos", "list", "checklist", "task", "tasks"]),
    (Kind::Quiz, &["quiz", "trivia", "test", "flashcards", "flashcard", "flash", "exam"]),
    (Kind::Kanban, &["kanban", "board", "pipeline"]),
];
/// Last words of what a prompt lists that ask for a feature and are no task.
const FEATURES: &str = "animations bar button buttons choice choices color colors colour colours countdown counter \
    counts dates deadlines design drop explanations features filter filtering filters history \
    keyboard layout localstorage mode print printing priorities priority progress questions \
    rounds score scores scoring search searching shortcuts shuffle storage style styling support \
    switch theme timer toggle undo view";

/// The words before the app's name, and the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lead {
    /// The words, if any.
    pub words: Option<String>,
    /// The name, in small letters.
    pub head: String,
}

/// Takes parts out of a prompt; what one part has taken is not read for another.
pub(super) struct Reader<'a> {
    text: &'a str,
    taken: Vec<Range<usize>>,
}

impl<'a> Reader<'a> {
    /// A reader of this prompt.
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, taken: Vec::new() }
    }

    /// The words that nobody has taken.
    fn words(&self) -> Vec<Word> {
        let is_taken = |word: &Word| self.taken.iter().any(|taken| taken.contains(&word.at.start));
        words(self.text).into_iter().filter(|word| !is_taken(word)).collect()
    }

    /// The phrase after the first of these words that has one.
    pub(super) fn after(&mut self, marks: &[&str], stops: &[&str]) -> Option<String> {
        let (phrase, from, to) = self.words().iter().find_map(|word| {
            let (phrase, at) = word.is(marks).then(|| phrase(self.text, word.at.end, stops))??;
            Some((phrase, word.at.start, at.end))
        })?;
        self.taken.push(from..to);
        Some(phrase)
    }

    /// The columns: "columns A, B and C", or "with A, B and C columns".
    pub(super) fn columns(&mut self) -> Vec<String> {
        let found = self.words();
        let Some(place) = found.iter().position(|word| word.is(&["columns", "lanes", "stages"]))
        else {
            return Vec::new();
        };
        let Some(mark) = found.get(place) else { return Vec::new() };
        let named =
            found.get(place + 1).filter(|next| next.is(&["called", "named", "are", "like"]));
        let from = named.map_or(mark.at.end, |next| next.at.end);
        let (mut columns, at) = list(self.text, from, LIST_STOPS);
        if columns.len() > 1 {
            let end = self.cut_purpose(&mut columns, at);
            self.taken.push(mark.at.start..end);
            return columns.into_iter().map(|name| capital(&name)).collect();
        }
        let before = found.iter().take(place).rev();
        let Some(with) = before.clone().find(|word| word.is(&["with", "has", "having"])) else {
            return Vec::new();
        };
        let (columns, _) = list(self.text, with.at.end, &[mark.lower.as_str()]);
        if columns.len() < 2 {
            return Vec::new();
        }
        self.taken.push(with.at.start..mark.at.end);
        columns.into_iter().map(|name| capital(bare(&name))).collect()
    }

    /// Cuts "for my book" from the last column, while "Waiting for Ann" stays; where it ends now.
    fn cut_purpose(&self, columns: &mut [String], at: Range<usize>) -> usize {
        let owners = [" for my ", " for our ", " for a ", " for an ", " for the "];
        let Some(last) = columns.last_mut() else { return at.end };
        let Some(place) = owners.iter().find_map(|owner| last.find(owner)) else { return at.end };
        let purpose = last.split_off(place);
        let listed = self.text.get(at.clone()).unwrap_or_default();
        listed.rfind(&purpose).map_or(at.end, |place| at.start + place)
    }

    /// The tasks or cards: a list with bullets, after "tasks:" and the like, or after "with".
    pub(super) fn items(&mut self) -> Vec<String> {
        let bullets: Vec<_> = self.text.lines().filter_map(words::bullet).collect();
        if bullets.iter().any(|item| is_feature(&item.to_lowercase())) {
            return Vec::new();
        }
        if bullets.len() > 1 && self.taken.is_empty() {
            let start = self.text.lines().find(|line| words::bullet(line).is_some());
            let start = start.and_then(|line| self.text.find(line)).unwrap_or_default();
            let (items, end) = words::bullets(self.text.get(start..).unwrap_or_default());
            self.taken.push(start..start + end);
            return items.into_iter().map(|item| capital(&item)).collect();
        }
        let marks: [&[&str]; 2] =
            [&["tasks", "items", "cards", "todos", "to-dos"], &["with", "containing", "including"]];
        for marks in marks {
            for word in self.words().iter().filter(|word| word.is(marks)) {
                let (mut items, at) = list(self.text, word.at.end, LIST_STOPS);
                items.iter_mut().for_each(|item| item.truncate(look_at(item)));
                items.retain(|item| !item.is_empty() && !is_feature(item));
                let listed = self.text.get(word.at.end..at.start).unwrap_or_default().contains(':');
                if items.is_empty() || (word.is(&["tasks", "items"]) && items.len() < 2 && !listed)
                {
                    continue;
                }
                self.take_items(word, &items, at);
                return items.into_iter().map(|item| capital(bare(&item))).collect();
            }
        }
        Vec::new()
    }

    /// Takes the places of the items only: a feature may stand between them.
    fn take_items(&mut self, mark: &Word, items: &[String], at: Range<usize>) {
        self.taken.push(mark.at.clone());
        let listed = self.text.get(at.clone()).unwrap_or_default();
        for item in items {
            if let Some(place) = listed.find(item.as_str()) {
                let start = at.start + place;
                self.taken.push(start..start + item.len());
            }
        }
    }

    /// The words right before the app's name: "Greek mythology" of "a Greek mythology quiz".
    pub(super) fn lead(&mut self, kind: Kind) -> Option<Lead> {
        let (_, heads) = HEADS.iter().find(|(known, _)| *known == kind)?;
        let found = self.words();
        let place = found.iter().position(|word| word.is(heads))?;
        let head = found.get(place)?;
        let mut start = head.at.start;
        for word in found.iter().take(place).rev() {
            let gap = self.text.get(word.at.end..start).unwrap_or("?");
            let look = find_colour(std::slice::from_ref(word)).is_some();
            let number = number(&word.lower).is_some();
            if look || number || word.is_in(LEAD_STOPS) || !gap.trim().is_empty() {
                break;
            }
            start = word.at.start;
        }
        let words = words::tidy(self.text.get(start..head.at.start)?);
        if !words.is_empty() {
            self.taken.push(start..head.at.start);
        }
        Some(Lead {
            words: Some(words).filter(|words| !words.is_empty()),
            head: head.lower.clone(),
        })
    }

    /// The prompt with blanks where parts were taken.
    pub(super) fn rest(&self) -> String {
        let taken = |at: usize| self.taken.iter().any(|taken| taken.contains(&at));
        self.text.char_indices().map(|(at, letter)| if taken(at) { ' ' } else { letter }).collect()
    }
}

/// Where a look begins at the end of an item: at the "in" of "bread in green".
fn look_at(item: &str) -> usize {
    let found = words(item);
    let Some(place) = found.iter().rposition(|word| word.is(&["in"])) else { return item.len() };
    let mut after = found.iter().skip(place + 1).peekable();
    if after.peek().is_none() || !after.all(is_look) {
        return item.len();
    }
    let start = found.get(place).map_or(item.len(), |word| word.at.start);
    item.get(..start).unwrap_or_default().trim_end().len()
}

fn is_look(word: &Word) -> bool {
    let one = std::slice::from_ref(word);
    let filler = word.is(&["a", "and", "colours", "colors", "mode", "theme"]);
    filler || find_colour(one).is_some() || find_scheme(one).is_some()
}

/// Whether what a prompt lists asks for a feature or a look. What begins with a capital is a name.
fn is_feature(item: &str) -> bool {
    let found = words(item);
    if item.starts_with(char::is_uppercase) {
        return false;
    }
    if found.iter().all(is_look) {
        return true;
    }
    let search_box = found.last().is_some_and(|last| last.is(&["box", "field"]))
        && words::has_any(&found, &["search"]);
    let drag = words::has_any(&found, &["drag", "drag-and-drop"]);
    let columns = words::has_any(&found, &["columns", "column"]);
    search_box || drag || columns || found.last().is_some_and(|last| last.is_in(FEATURES))
}
