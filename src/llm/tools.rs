//! Tool calls in an answer. The engine offers no tools: they are told apart, counted and dropped.
//!
//! A call comes in fragments. Its name and id stand in the first one alone with some servers; some
//! leave out the index, or use it again for the next call; some use an id again for another index.

use std::collections::BTreeMap;

/// Calls whose fragments are told apart at a time; of further ones each fragment counts as a call.
const OPEN_MAX: usize = 128;

/// One fragment of a tool call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ToolDelta {
    /// Which of the answers that the model was asked for.
    pub(super) choice: u64,
    /// The call's place in the answer.
    pub(super) index: Option<u64>,
    /// The call's own name; none in a further fragment.
    pub(super) id: Option<String>,
}

/// The tool calls of one answer, by choice, index and id.
#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    /// The id of the call at a place; none: it has said none yet.
    open: BTreeMap<(u64, u64), Option<String>>,
    /// The place of each choice's last fragment.
    last: BTreeMap<u64, u64>,
    count: u64,
}

impl ToolCalls {
    /// Takes a fragment.
    pub(super) fn take(&mut self, delta: ToolDelta) {
        let ToolDelta { choice, index, id } = delta;
        let index = index.unwrap_or_else(|| self.place(choice, id.as_deref()));
        let goes_on = match (self.open.get_mut(&(choice, index)), &id) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(known @ None), Some(_)) => {
                known.clone_from(&id);
                true
            }
            (Some(Some(known)), Some(id)) => known == id,
        };
        if !goes_on {
            self.count += 1;
            if self.open.len() < OPEN_MAX || self.open.contains_key(&(choice, index)) {
                self.open.insert((choice, index), id);
            }
        }
        if self.last.len() < OPEN_MAX || self.last.contains_key(&choice) {
            self.last.insert(choice, index);
        }
    }

    /// Where a fragment without an index belongs: to the call with its id, else to the last one;
    /// an id that is new begins a call behind all others.
    fn place(&self, choice: u64, id: Option<&str>) -> u64 {
        let calls = self.open.range((choice, 0)..=(choice, u64::MAX));
        let last = || self.last.get(&choice).copied();
        let Some(id) = id else { return last().unwrap_or(0) };
        let mut behind = 0;
        for ((_, index), known) in calls {
            if known.as_deref() == Some(id) {
                return *index;
            }
            behind = index.saturating_add(1);
        }
        behind
    }

    /// How many calls there were.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Choice, index, id.
    type Fragment<'a> = (u64, Option<u64>, Option<&'a str>);

    fn count(fragments: &[Fragment<'_>]) -> u64 {
        let mut calls = ToolCalls::default();
        for (choice, index, id) in fragments {
            let (choice, index, id) = (*choice, *index, id.map(str::to_owned));
            calls.take(ToolDelta { choice, index, id });
        }
        calls.count()
    }

    #[test]
    fn fragments_become_the_calls_that_were_meant() {
        let cases: [(&str, &[Fragment<'_>], u64); 10] = [
            (
                "an id in the first fragment alone",
                &[(0, Some(0), Some("a")), (0, Some(0), None)],
                1,
            ),
            ("an id in each fragment", &[(0, Some(0), Some("a")), (0, Some(0), Some("a"))], 1),
            ("an id that comes later", &[(0, Some(0), None), (0, Some(0), Some("a"))], 1),
            (
                "two calls whose fragments mix",
                &[
                    (0, Some(0), Some("a")),
                    (0, Some(1), Some("b")),
                    (0, Some(0), None),
                    (0, Some(1), None),
                ],
                2,
            ),
            ("an index used again", &[(0, Some(0), Some("a")), (0, Some(0), Some("b"))], 2),
            ("an id used again", &[(0, Some(0), Some("a")), (0, Some(1), Some("a"))], 2),
            (
                "no index, ids",
                &[
                    (0, None, Some("a")),
                    (0, None, None),
                    (0, None, Some("b")),
                    (0, None, Some("a")),
                ],
                2,
            ),
            ("neither index nor id", &[(0, None, None), (0, None, None)], 1),
            ("two choices", &[(0, Some(0), Some("a")), (1, Some(0), Some("a"))], 2),
            ("the last index there is", &[(0, Some(u64::MAX), Some("a")), (0, None, Some("b"))], 2),
        ];
        for (name, fragments, expected) in cases {
            assert_eq!(count(fragments), expected, "{name}");
        }
    }

    #[test]
    fn calls_without_an_end_do_not_fill_the_memory() {
        let mut calls = ToolCalls::default();
        for n in 0..10_000 {
            calls.take(ToolDelta { choice: n, index: Some(n), id: Some(n.to_string()) });
        }
        assert_eq!(calls.count(), 10_000);
        assert!(calls.open.len() <= OPEN_MAX && calls.last.len() <= OPEN_MAX);
    }
}
