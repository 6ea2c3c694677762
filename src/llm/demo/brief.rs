//! What a first prompt asks for: the app, its title, its look and what it begins with.

use super::{
    kind::Kind,
    look::{Colour, Scheme, find_colour, find_scheme},
    reader::{Lead, Reader},
    words::{Word, bare, capital, words},
};

/// An app as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Brief {
    /// Which app.
    pub kind: Kind,
    /// Whether the prompt named it; otherwise it is the nearest.
    pub kind_named: bool,
    /// Its title.
    pub title: String,
    /// What it is about, in the user's words.
    pub topic: Option<String>,
    /// Light or dark.
    pub scheme: Scheme,
    /// Its colour.
    pub colour: Option<Colour>,
    /// Tasks or cards that were listed.
    pub items: Vec<String>,
    /// Columns that were listed.
    pub columns: Vec<String>,
    /// How many questions were asked for.
    pub count: Option<usize>,
    /// The prompt without what is in the other fields, for what else it asks.
    pub rest: String,
}

/// End a topic.
const TOPIC_STOPS: &[&str] =
    &["with", "that", "which", "using", "for", "please", "where", "containing", "including", "in"];
/// End the words after "for": like a topic's, but places may follow.
const PURPOSE_STOPS: &[&str] =
    &["with", "that", "which", "using", "please", "where", "about", "containing", "including"];

impl Brief {
    /// Reads a prompt.
    pub(super) fn read(text: &str) -> Self {
        let named = Kind::asked(text);
        let kind = named.unwrap_or(Kind::Todo);
        let mut reader = Reader::new(text);
        let columns = if kind == Kind::Kanban { reader.columns() } else { Vec::new() };
        let name = reader.after(&["called", "named", "titled", "entitled", "title"], &["with"]);
        let items = if kind == Kind::Quiz { Vec::new() } else { reader.items() };
        let topic = reader.after(&["about", "on", "regarding"], TOPIC_STOPS);
        let purpose = reader.after(&["for"], PURPOSE_STOPS);
        let lead = reader.lead(kind);
        let rest = reader.rest();
        let rest_words = words(&rest);
        let title = name.map_or_else(
            || title(kind, lead.as_ref(), topic.as_deref(), purpose.as_deref()),
            |name| capital(&name),
        );
        Self {
            kind,
            kind_named: named.is_some(),
            title,
            topic: topic.or_else(|| lead.and_then(|lead| lead.words)).or(purpose),
            scheme: find_scheme(&rest_words).unwrap_or_default(),
            colour: find_colour(&rest_words),
            items,
            columns,
            count: count(&rest_words),
            rest,
        }
    }
}

/// A title of the parts that were found.
fn title(kind: Kind, lead: Option<&Lead>, topic: Option<&str>, purpose: Option<&str>) -> String {
    let words = lead.and_then(|lead| lead.words.as_deref());
    let head = lead.map(|lead| lead.head.as_str()).unwrap_or_default();
    let noun = match (kind, head) {
        (Kind::Todo, "checklist") => "checklist",
        (Kind::Todo, "list") if words.is_some() => "list",
        (Kind::Todo, "task" | "tasks") => "task list",
        (Kind::Kanban, "pipeline") => "pipeline",
        (Kind::Kanban, _) if words.is_some() => "board",
        (Kind::Quiz, "flash" | "flashcards" | "flashcard") => "flash cards",
        (Kind::Quiz, "test" | "exam") => "test",
        _ => kind.noun(),
    };
    let title = match (words, topic.or(purpose)) {
        (Some(words), _) if topic.is_none() && purpose.is_none() => format!("{words} {noun}"),
        (Some(words), Some(_)) if kind != Kind::Quiz && purpose.is_some() => {
            format!("{words} {noun} for {}", purpose.unwrap_or_default())
        }
        (_, Some(about)) if kind == Kind::Quiz && topic.is_some() => {
            format!("{} {noun}", bare(about))
        }
        (_, Some(about)) => format!("{noun} for {about}"),
        _ if kind == Kind::Quiz => format!("general knowledge {noun}"),
        _ => noun.to_owned(),
    };
    capital(&title)
}

/// How many questions are asked for.
fn count(words: &[Word]) -> Option<usize> {
    let place = words.iter().position(|word| word.is(&["questions", "question"]))?;
    let before = words.iter().take(place).rev().take(3);
    before.filter_map(|word| number(&word.lower)).next().filter(|count| *count > 0)
}

/// A number in digits or words.
pub(super) fn number(word: &str) -> Option<usize> {
    const NAMES: &[&str] = &[
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    word.parse().ok().or_else(|| NAMES.iter().position(|name| *name == word))
}

#[cfg(test)]
mod tests;
