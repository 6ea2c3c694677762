//! Questions by topic, and what a list or board begins with.

use super::{kind::Kind, words::words};

/// The banks, the general one last.
const BANKS: &[&str] = &[
    include_str!("topics/volcanoes.txt"),
    include_str!("topics/oceans.txt"),
    include_str!("topics/space.txt"),
    include_str!("topics/geography.txt"),
    include_str!("topics/history.txt"),
    include_str!("topics/science.txt"),
    include_str!("topics/animals.txt"),
    include_str!("topics/music.txt"),
    include_str!("topics/sport.txt"),
    include_str!("topics/food.txt"),
    include_str!("topics/programming.txt"),
    include_str!("topics/maths.txt"),
    include_str!("topics/general.txt"),
];
const STARTERS: &str = include_str!("apps/starters.txt");
/// Words that say nothing of a topic.
const FILLERS: &str = "the a an of and in on to my our basic basics easy hard facts famous all about things general \
    world's quiz this";

/// A question with its answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// The question.
    pub question: String,
    /// The right answer.
    pub right: String,
    /// The wrong ones.
    pub wrong: Vec<String>,
    /// Why the right one is right.
    pub why: String,
}

/// How well the questions fit what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// They are about it.
    Good,
    /// They are about something near: this.
    Near(String),
    /// They are samples to be replaced.
    Samples,
}

/// Questions about a topic, all that there are.
pub(super) fn questions(topic: Option<&str>) -> (Vec<Question>, Fit) {
    let general = || (read_bank(BANKS.last().copied().unwrap_or_default()), Fit::Good);
    let Some(topic) = topic else { return general() };
    let wanted = words(topic);
    let wanted: Vec<_> = wanted.iter().filter(|word| !word.is_in(FILLERS)).collect();
    if wanted.is_empty() {
        return general();
    }
    let hits = |bank: &str, head| {
        let names = bank_words(bank, head);
        wanted.iter().filter(|word| word.is(&names)).count()
    };
    if let Some(bank) = BANKS.iter().find(|bank| hits(bank, "words ") == wanted.len()) {
        return (read_bank(bank), Fit::Good);
    }
    let near = |bank: &&&str| 2 * hits(bank, "words ") + hits(bank, "near ");
    // The first of the best: `max_by_key` alone gives the last.
    match BANKS.iter().rev().max_by_key(near).filter(|bank| near(bank) > 0) {
        Some(bank) => {
            let name = bank_words(bank, "words ").first().copied().unwrap_or_default();
            (read_bank(bank), Fit::Near(name.to_owned()))
        }
        None => (samples(topic), Fit::Samples),
    }
}

/// The words of a bank's line that begins with `head`.
fn bank_words<'a>(bank: &'a str, head: &str) -> Vec<&'a str> {
    let line = bank.lines().find_map(|line| line.strip_prefix(head)).unwrap_or_default();
    line.split(' ').collect()
}

/// Reads a bank: `?` question, `+` right answer, `-` wrong answer, `!` why.
fn read_bank(bank: &str) -> Vec<Question> {
    let mut questions: Vec<Question> = Vec::new();
    for (mark, text) in bank.lines().filter_map(|line| line.split_once(' ')) {
        if mark == "?" {
            questions.push(Question { question: text.to_owned(), ..Question::default() });
        } else if let Some(question) = questions.last_mut() {
            match mark {
                "+" => text.clone_into(&mut question.right),
                "-" => question.wrong.push(text.to_owned()),
                "!" => text.clone_into(&mut question.why),
                _ => {}
            }
        }
    }
    questions
}

/// Questions to be replaced: the stand-in knows nothing of the topic and invents nothing.
fn samples(topic: &str) -> Vec<Question> {
    let sample = |place: &str| Question {
        question: format!("Your {place} question about {topic}"),
        right: "The right answer".to_owned(),
        wrong: ["A wrong answer", "Another wrong answer", "One more wrong answer"]
            .map(str::to_owned)
            .to_vec(),
        why: "This is a sample: write your own with “Edit questions” on the first screen."
            .to_owned(),
    };
    ["first", "second", "third"].map(sample).to_vec()
}

/// Tasks or cards to begin with, by words of the prompt.
pub(super) fn starters(kind: Kind, prompt: &str) -> Vec<String> {
    let asked = words(prompt);
    let heads = STARTERS.lines().enumerate().filter_map(|(at, line)| {
        let names = line.strip_prefix(kind.id())?;
        (names.is_empty() || names.starts_with(' ')).then_some((at, names))
    });
    let fits = |names: &str| {
        let names: Vec<_> = names.split_whitespace().collect();
        names.is_empty() || asked.iter().any(|word| word.is(&names))
    };
    let found = heads.clone().find(|(_, names)| fits(names)).or_else(|| heads.last());
    let Some((at, _)) = found else { return Vec::new() };
    let lines = STARTERS.lines().skip(at + 1);
    let is_head = |line: &str| line.starts_with("todo") || line.starts_with("kanban");
    lines.take_while(|line| !is_head(line)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bank_is_whole() {
        for bank in BANKS {
            let name = bank.lines().next().unwrap_or_default();
            assert!(name.starts_with("words "), "{name}");
            let questions = read_bank(bank);
            assert_eq!(questions.len(), 8, "{name}");
            for one in questions {
                assert_eq!(one.wrong.len(), 3, "{}", one.question);
                assert!(!one.right.is_empty() && !one.wrong.contains(&one.right));
                assert!(one.question.ends_with('?') && one.why.ends_with('.'), "{}", one.question);
            }
        }
    }

    #[test]
    fn a_topic_finds_its_bank_or_the_nearest_or_samples() {
        assert_eq!(questions(Some("the volcanoes")).1, Fit::Good);
        assert_eq!(questions(Some("the solar system")).1, Fit::Good);
        assert_eq!(questions(None).1, Fit::Good);
        assert_eq!(questions(Some("volcanoes of Iceland")).1, Fit::Near("volcanoes".into()));
        assert_eq!(questions(Some("ancient Rome")).1, Fit::Near("history".into()));
        let (samples, fit) = questions(Some("bookbinding"));
        assert_eq!(fit, Fit::Samples);
        assert_eq!(samples[0].question, "Your first question about bookbinding");
    }

    #[test]
    fn starters_fit_the_prompt() {
        assert_eq!(starters(Kind::Todo, "a grocery list").first().unwrap(), "Bread");
        assert_eq!(starters(Kind::Todo, "a list").len(), 3);
        assert_eq!(starters(Kind::Kanban, "a hiring board").len(), 3);
        assert!(starters(Kind::Kanban, "a board")[0].starts_with("Drag"));
    }
}
