//! How long a model's answers to this user are.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Answers that are remembered of a model.
const OUTPUTS_MAX: usize = 20;

/// Models that are remembered.
const MODELS_MAX: usize = 8;

/// Until there are so many answers, the prior stands for those that are missing.
const OUTPUTS_MIN: usize = 4;

/// Lengths of the last complete answers, by model; the last one used comes last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Habits(VecDeque<(String, VecDeque<u64>)>);

/// What to expect of an answer, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) p50: u64,
    pub(super) p90: u64,
}

impl Habits {
    /// A model completed an answer.
    pub(super) fn completed(&mut self, model: &str, output_tokens: u64) {
        let known = self.0.iter().position(|(name, _)| name == model);
        let mut habit = known
            .and_then(|at| self.0.remove(at))
            .unwrap_or_else(|| (model.to_owned(), VecDeque::new()));
        habit.1.push_back(output_tokens);
        if habit.1.len() > OUTPUTS_MAX {
            habit.1.pop_front();
        }
        self.0.push_back(habit);
        if self.0.len() > MODELS_MAX {
            self.0.pop_front();
        }
    }

    /// What to expect of a model's next answer.
    pub(super) fn expected(&self, model: &str, prior: u64) -> Expected {
        let known = self.0.iter().find(|(name, _)| name == model);
        let mut outputs: Vec<u64> =
            known.into_iter().flat_map(|(_, outputs)| outputs.iter().copied()).collect();
        let missing = OUTPUTS_MIN.saturating_sub(outputs.len());
        outputs.extend(std::iter::repeat_n(prior, missing));
        outputs.sort_unstable();
        let at = |percent: usize| {
            let rank = (outputs.len() * percent).div_ceil(100).saturating_sub(1);
            outputs.get(rank).copied().unwrap_or(prior)
        };
        Expected { p50: at(50), p90: at(90) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_not_known_is_expected_to_answer_as_the_prior_says() {
        let expected = Habits::default().expected("m", 4096);
        assert_eq!(expected, Expected { p50: 4096, p90: 4096 });
    }

    #[test]
    fn what_is_expected_follows_the_last_answers_of_the_same_model() {
        let mut habits = Habits::default();
        for output in [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000] {
            habits.completed("m", output);
            habits.completed("other", 7);
        }
        assert_eq!(habits.expected("m", 4096), Expected { p50: 500, p90: 900 });
        for _ in 0..OUTPUTS_MAX {
            habits.completed("m", 50);
        }
        assert_eq!(habits.expected("m", 4096), Expected { p50: 50, p90: 50 });
        assert_eq!(habits.expected("other", 4096), Expected { p50: 7, p90: 7 });
    }

    #[test]
    fn few_answers_do_not_yet_outweigh_the_prior() {
        let mut habits = Habits::default();
        habits.completed("m", 10);
        assert_eq!(habits.expected("m", 4096), Expected { p50: 4096, p90: 4096 });
        habits.completed("m", 10);
        assert_eq!(habits.expected("m", 4096), Expected { p50: 10, p90: 4096 });
    }

    #[test]
    fn the_model_that_was_not_used_for_longest_is_forgotten() {
        let mut habits = Habits::default();
        for _ in 0..OUTPUTS_MIN {
            habits.completed("first", 1);
        }
        for model in 0..MODELS_MAX {
            habits.completed(&model.to_string(), 1);
        }
        assert_eq!(habits.expected("first", 9).p50, 9);
        assert_eq!(habits.0.len(), MODELS_MAX);
    }
}
