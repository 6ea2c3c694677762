//! Which of the prepared apps a prompt asks for.

use super::words::{Word, words};

/// A prepared app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A to-do list.
    Todo,
    /// A quiz.
    Quiz,
    /// A kanban board.
    Kanban,
}

/// Words that ask for an app, with their weights.
const SIGNS: &[(Kind, u32, &[&str])] = &[
    (Kind::Todo, 3, &["to-do", "todo", "to-dos", "todos", "checklist", "shopping", "groceries"]),
    (Kind::Todo, 2, &["task", "tasks", "list", "lists", "grocery", "chores", "errands", "packing"]),
    (Kind::Todo, 1, &["reminder", "reminders", "planner", "remember", "habit", "habits"]),
    (Kind::Quiz, 3, &["quiz", "quizzes", "trivia", "flashcard", "flashcards", "exam"]),
    (Kind::Quiz, 2, &["question", "questions", "test", "tests", "flash", "answers"]),
    (Kind::Quiz, 1, &["learn", "learning", "game", "practice", "practise", "study", "score"]),
    (Kind::Kanban, 3, &["kanban", "trello", "board", "boards", "scrum", "backlog"]),
    (Kind::Kanban, 2, &["column", "columns", "pipeline", "workflow", "sprint", "lanes"]),
    (Kind::Kanban, 1, &["cards", "card", "stages", "crm", "tickets", "issues"]),
];

impl Kind {
    /// The name that marks the app's page.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Quiz => "quiz",
            Self::Kanban => "kanban",
        }
    }

    /// What the app is, for a sentence.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Todo => "to-do list",
            Self::Quiz => "quiz",
            Self::Kanban => "kanban board",
        }
    }

    /// The app that a text asks for: the heaviest words win, then the earliest.
    pub(super) fn asked(text: &str) -> Option<Self> {
        let mut scores: Vec<(Self, u32)> = Vec::new();
        for kind in words(text).iter().filter_map(sign) {
            match scores.iter_mut().find(|(known, _)| *known == kind.0) {
                Some((_, score)) => *score += kind.1,
                None => scores.push(kind),
            }
        }
        let best = scores.iter().map(|(_, score)| *score).max()?;
        scores.into_iter().find(|(_, score)| *score == best).map(|(kind, _)| kind)
    }

    /// The app whose page this is.
    pub(super) fn of_page(html: &str) -> Option<Self> {
        [Self::Todo, Self::Quiz, Self::Kanban]
            .into_iter()
            .find(|kind| html.contains(&format!("content=\"Greenroom stand-in ({})\"", kind.id())))
    }
}

fn sign(word: &Word) -> Option<(Kind, u32)> {
    SIGNS.iter().find(|(.., signs)| word.is(signs)).map(|(kind, weight, _)| (*kind, *weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_prompt_choose_the_app() {
        for (text, kind) in [
            ("A todo app", Kind::Todo),
            ("a grocery list with milk", Kind::Todo),
            ("a quiz about volcanoes", Kind::Quiz),
            ("flash cards for French", Kind::Quiz),
            ("test my knowledge of space", Kind::Quiz),
            ("a kanban board for my tasks", Kind::Kanban),
            ("a page with three columns of cards", Kind::Kanban),
            ("Trello but simpler", Kind::Kanban),
        ] {
            assert_eq!(Kind::asked(text), Some(kind), "{text}");
        }
        assert_eq!(Kind::asked("a weather page"), None);
    }
}
