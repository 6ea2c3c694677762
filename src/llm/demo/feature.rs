//! Features that the stand-in can put into its apps, as prepared patches.

use super::{
    brief::number,
    kind::Kind,
    template::{Value, fill},
    words::{Word, has_any},
};

/// Seconds of a focus timer where the prompt names none.
const FOCUS_SECONDS: u32 = 25 * 60;
/// Seconds for a question where the prompt names none.
const QUESTION_SECONDS: u32 = 20;
/// Longest timer, in seconds.
const TIMER_SECONDS_MAX: u32 = 24 * 60 * 60;

/// A feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    /// A search box.
    Search,
    /// Due dates.
    DueDates,
    /// Priorities.
    Priorities,
    /// A focus timer, or a time limit for questions.
    Timer,
    /// Questions in a new order each time.
    Shuffle,
    /// A button for light or dark.
    ThemeSwitch,
    /// A print button.
    Print,
}

impl Feature {
    /// Every feature.
    pub(super) const ALL: [Self; 7] = [
        Self::Search,
        Self::DueDates,
        Self::Priorities,
        Self::Timer,
        Self::Shuffle,
        Self::ThemeSwitch,
        Self::Print,
    ];

    /// Whether these words ask for the feature.
    pub(super) fn is_asked(self, words: &[Word]) -> bool {
        match self {
            Self::Search => has_any(words, &["search", "searching", "searchable", "find"]),
            Self::DueDates => {
                has_any(words, &["due", "due-dates", "deadline", "deadlines", "date", "dates"])
            }
            Self::Priorities => {
                has_any(words, &["priority", "priorities", "prioritise", "prioritize"])
            }
            Self::Timer => {
                has_any(words, &["timer", "timers", "countdown", "pomodoro", "time-limit"])
                    || (has_any(words, &["time"]) && has_any(words, &["limit"]))
            }
            Self::Shuffle => {
                has_any(words, &["shuffle", "shuffled", "random", "randomise", "randomize"])
            }
            Self::ThemeSwitch => asks_for_theme_switch(words),
            Self::Print => has_any(words, &["print", "printing", "printable"]),
        }
    }

    /// What the feature is, for a sentence.
    pub(super) const fn noun(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Search, _) => "a search box",
            (Self::DueDates, _) => "due dates",
            (Self::Priorities, _) => "priorities",
            (Self::Timer, Kind::Quiz) => "a time limit for each question",
            (Self::Timer, Kind::Todo | Kind::Kanban) => "a focus timer",
            (Self::Shuffle, _) => "shuffled questions",
            (Self::ThemeSwitch, _) => "a button for light or dark",
            (Self::Print, _) => "a print button",
        }
    }

    /// The patches that bring the feature into an app; none: the app has no use for it.
    pub(super) fn patches(self, kind: Kind, seconds: Option<u32>) -> Option<Vec<String>> {
        let patches: &[&str] = match (self, kind) {
            (Self::Search, Kind::Todo) => &[include_str!("changes/search-todo.txt")],
            (Self::Search, Kind::Kanban) => &[include_str!("changes/search-kanban.txt")],
            (Self::DueDates, Kind::Todo) => {
                &[include_str!("changes/due.txt"), include_str!("changes/due-todo.txt")]
            }
            (Self::DueDates, Kind::Kanban) => &[include_str!("changes/due.txt")],
            (Self::Priorities, Kind::Todo) => {
                &[include_str!("changes/priority.txt"), include_str!("changes/priority-todo.txt")]
            }
            (Self::Priorities, Kind::Kanban) => &[include_str!("changes/priority.txt")],
            (Self::Timer, Kind::Quiz) => &[include_str!("changes/timer-quiz.txt")],
            (Self::Timer, Kind::Todo | Kind::Kanban) => &[include_str!("changes/timer-focus.txt")],
            (Self::Shuffle, Kind::Quiz) => &[include_str!("changes/shuffle.txt")],
            (Self::ThemeSwitch, _) => &[include_str!("changes/theme-switch.txt")],
            (Self::Print, _) => &[include_str!("changes/print.txt")],
            (Self::Search | Self::DueDates | Self::Priorities, Kind::Quiz)
            | (Self::Shuffle, Kind::Todo | Kind::Kanban) => return None,
        };
        let default = if kind == Kind::Quiz { QUESTION_SECONDS } else { FOCUS_SECONDS };
        let seconds = Value::Raw(seconds.unwrap_or(default).to_string());
        let values = [("seconds", seconds)];
        Some(patches.iter().map(|patch| fill("patch", patch, &values)).collect())
    }
}

/// "Add a dark mode" asks for a button, while "make it dark" and "switch to dark" do not.
fn asks_for_theme_switch(words: &[Word]) -> bool {
    let looks = has_any(words, &["theme", "themes", "dark", "light", "mode"]);
    let adds = has_any(words, &["add", "support", "implement", "include", "enable", "introduce"]);
    let named = has_any(words, &["toggle", "toggles", "switcher", "button"])
        || words.windows(2).any(|pair| match pair {
            [first, second] => first.is(&["theme", "mode", "a", "dark"]) && second.is(&["switch"]),
            _ => false,
        });
    looks && (named || (adds && has_any(words, &["mode", "modes", "themes"])))
}

/// A span of time among the words, in seconds: "30 seconds", "10-minute".
pub(super) fn seconds(words: &[Word]) -> Option<u32> {
    let parts: Vec<_> = words.iter().flat_map(|word| word.lower.split('-')).collect();
    parts.windows(2).find_map(|pair| {
        let [count, unit] = pair else { return None };
        let unit = match *unit {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3600,
            _ => return None,
        };
        let seconds = u32::try_from(number(count)?).ok()?.checked_mul(unit)?;
        (1..=TIMER_SECONDS_MAX).contains(&seconds).then_some(seconds)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::demo::words::words;

    #[test]
    fn a_theme_switch_is_told_from_a_scheme() {
        let asked = |text| Feature::ThemeSwitch.is_asked(&words(text));

        assert!(asked("add a dark mode"));
        assert!(asked("a dark mode toggle"));
        assert!(asked("put a theme switch in the header"));
        assert!(!asked("switch to dark mode"));
        assert!(!asked("make it dark"));
    }

    #[test]
    fn spans_of_time_are_read() {
        let read = |text| seconds(&words(text));

        assert_eq!(read("a 30-second timer"), Some(30));
        assert_eq!(read("a timer of ten minutes"), Some(600));
        assert_eq!(read("99999999999 hours"), None);
        assert_eq!(read("a timer"), None);
    }
}
