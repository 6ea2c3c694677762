//! Reasoning that a server leaves in the text, between `<think>` tags. Pure.
//!
//! Only tags at the very beginning of an answer are tags, as models write them: a text that
//! mentions them later, or a server that tells reasoning apart by itself, keeps them as text.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";
/// White space before the tag that is waited out, in bytes.
const SPACE_BYTES_MAX: usize = 1024;

/// Splits the text of one answer. A tag may come in pieces: what may become one is held back.
#[derive(Debug, Default)]
pub(super) struct Think {
    place: Place,
    held: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Nothing but white space has come, and what may become the tag.
    #[default]
    Start,
    Within,
    Past,
}

/// What a piece of the answer's text is: first reasoning, then text; none of it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) reasoning: Option<String>,
    pub(super) text: Option<String>,
}

impl Split {
    fn new(reasoning: String, text: String) -> Self {
        let some = |text: String| (!text.is_empty()).then_some(text);
        Self { reasoning: some(reasoning), text: some(text) }
    }
}

impl Think {
    /// Takes a piece of the answer's text.
    pub(super) fn take(&mut self, piece: String) -> Split {
        if self.place == Place::Past {
            return Split::new(String::new(), piece);
        }
        self.held.push_str(&piece);
        if self.place == Place::Start {
            let begun = self.held.trim_start();
            if let Some(rest) = begun.strip_prefix(OPEN) {
                self.held = rest.to_owned();
                self.place = Place::Within;
            } else if OPEN.starts_with(begun) && self.held.len() <= SPACE_BYTES_MAX {
                return Split::default();
            } else {
                return self.give_up();
            }
        }
        if let Some((reasoning, text)) = self.held.split_once(CLOSE) {
            let split = Split::new(reasoning.to_owned(), text.to_owned());
            self.place = Place::Past;
            self.held = String::new();
            return split;
        }
        let tail = self.held.split_off(self.held.len() - close_begun(&self.held));
        Split::new(std::mem::replace(&mut self.held, tail), String::new())
    }

    /// No tag will come, or none that matters: the server tells reasoning apart by itself, or the
    /// answer is over. What was held back is what it was until now.
    pub(super) fn give_up(&mut self) -> Split {
        let held = std::mem::take(&mut self.held);
        match std::mem::replace(&mut self.place, Place::Past) {
            Place::Within => Split::new(held, String::new()),
            Place::Start | Place::Past => Split::new(String::new(), held),
        }
    }
}

/// Bytes at the end of a text that may become the closing tag.
fn close_begun(text: &str) -> usize {
    (1..CLOSE.len())
        .rev()
        .find(|len| CLOSE.get(..*len).is_some_and(|tag| text.ends_with(tag)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reasoning and text of an answer that comes in these pieces.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (String, String) {
        let (mut think, mut reasoning, mut text) = (Think::default(), String::new(), String::new());
        let mut add = |split: Split| {
            reasoning.push_str(&split.reasoning.unwrap_or_default());
            text.push_str(&split.text.unwrap_or_default());
        };
        pieces.into_iter().for_each(|piece| add(think.take(piece.to_owned())));
        add(think.give_up());
        (reasoning, text)
    }

    #[test]
    fn tags_at_the_beginning_hold_reasoning_and_later_ones_are_text() {
        let cases = [
            ("<think>hm</think>hi", "hm", "hi"),
            ("\n <think>\nhm\n</think>\n\nhi", "\nhm\n", "\n\nhi"),
            ("<think></think>hi", "", "hi"),
            ("<think>a<b</thin></think>", "a<b</thin>", ""),
            ("<think>never closed </thi", "never closed </thi", ""),
            ("write <think>x</think>", "", "write <think>x</think>"),
            ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
            ("<thinking>a", "", "<thinking>a"),
            ("  <thi", "", "  <thi"),
            ("</think>a", "", "</think>a"),
            ("", "", ""),
        ];
        for (answer, reasoning, text) in cases {
            assert_eq!(read([answer]), (reasoning.into(), text.into()), "of {answer:?}");
        }
    }

    #[test]
    fn nothing_is_held_back_but_what_may_become_a_tag() {
        let mut think = Think::default();
        let reasoning = |text: &str| Split::new(text.to_owned(), String::new());
        assert_eq!(think.take("<think>a".into()), reasoning("a"));
        assert_eq!(think.take("b</th".into()), reasoning("b"));
        assert_eq!(think.take("en".into()), reasoning("</then"));
        let mut think = Think::default();
        assert_eq!(think.take("<".into()), Split::default());
        assert_eq!(think.take("p>".into()).text.as_deref(), Some("<p>"));
    }

    #[test]
    fn a_server_that_tells_reasoning_apart_has_no_tags() {
        let mut think = Think::default();
        assert_eq!(think.take(" ".into()), Split::default());
        assert_eq!(think.give_up().text.as_deref(), Some(" "));
        assert_eq!(think.take("<think>".into()).text.as_deref(), Some("<think>"));
    }

    #[test]
    fn white_space_without_an_end_is_not_kept() {
        let mut think = Think::default();
        let given: usize =
            (0..2000).filter_map(|_| think.take(" ".into()).text).map(|text| text.len()).sum();
        assert_eq!(given, 2000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn how_an_answer_is_cut_makes_no_difference_and_nothing_is_lost(
            answer in "( |\n)?(<think>)?[</think>ab]{0,24}(</think>)?[</think>ab]{0,12}",
            cuts in prop::collection::vec(0_usize..64, 0..6),
        ) {
            let mut ends: Vec<_> = cuts.into_iter().map(|cut| cut.min(answer.len())).collect();
            ends.sort_unstable();
            ends.push(answer.len());
            let mut from = 0;
            let pieces: Vec<_> = ends.iter().map(|end| {
                let piece = &answer[from..*end];
                from = *end;
                piece
            }).collect();

            let (reasoning, text) = read(pieces);

            prop_assert_eq!(read([answer.as_str()]), (reasoning.clone(), text.clone()));
            let begun = answer.trim_start().strip_prefix(OPEN);
            match begun {
                Some(rest) => prop_assert_eq!(rest.replacen(CLOSE, "", 1), reasoning + &text),
                None => prop_assert_eq!(answer, text),
            }
        }
    }
}
