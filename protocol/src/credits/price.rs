//! What tokens cost.

use super::AMOUNT_MAX;
use crate::event::Usage;
use serde::{Deserialize, Serialize};

/// Tokens that a price is for.
const PRICED_TOKENS: u128 = 1_000_000;

/// The price of a model's tokens, in micro-credits a million tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Price {
    /// Version of the price table that it is of: another table has another one.
    pub version: String,
    /// The model.
    pub model: String,
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens of the prompt that the provider had cached.
    pub cached: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
}

impl Price {
    /// What a usage costs, in micro-credits, rounded up once and never above [`AMOUNT_MAX`].
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> u64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let fresh = usage.input_tokens - cached;
        let of = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let sum = of(fresh, self.input)
            .saturating_add(of(cached, self.cached))
            .saturating_add(of(usage.output_tokens, self.output));
        u64::try_from(sum.div_ceil(PRICED_TOKENS)).unwrap_or(u64::MAX).min(AMOUNT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(input: u64, cached: u64, output: u64) -> Price {
        Price { version: "v".into(), model: "m".into(), input, cached, output }
    }

    fn usage(input_tokens: u64, cached_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, cached_tokens, output_tokens, ..Usage::default() }
    }

    #[test]
    fn a_cost_is_rounded_up_once_and_not_for_each_part() {
        let cents = price(1, 1, 1);
        assert_eq!(cents.cost(&usage(0, 0, 0)), 0);
        assert_eq!(cents.cost(&usage(1, 0, 1)), 1);
        assert_eq!(cents.cost(&usage(500_000, 0, 500_000)), 1);
        assert_eq!(cents.cost(&usage(500_000, 0, 500_001)), 2);
    }

    #[test]
    fn cached_tokens_have_their_own_price_and_are_part_of_the_prompt() {
        let price = price(1_000_000, 100_000, 2_000_000);
        assert_eq!(price.cost(&usage(1000, 400, 10)), 600 + 40 + 20);
        assert_eq!(price.cost(&usage(10, 99, 0)), 1, "never more than there were");
    }

    #[test]
    fn absurd_numbers_cost_the_most_there_is() {
        let price = price(u64::MAX, u64::MAX, u64::MAX);
        assert_eq!(price.cost(&usage(u64::MAX, 0, u64::MAX)), AMOUNT_MAX);
    }
}
