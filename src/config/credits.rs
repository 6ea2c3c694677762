//! What runs cost, and what users get.

use super::error::Problems;
use greenroom_actors::{CreditConfig, CreditTerms, Prices};
use greenroom_protocol::credits::AMOUNT_MAX;
use serde::Deserialize;

/// Section `[credits]`. Amounts in micro-credits: 1,000,000 are one credit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CreditsConfig {
    /// Whether runs are paid at all.
    pub enabled: bool,
    /// What models cost: `MODEL INPUT OUTPUT [CACHED]`.
    pub prices: Vec<String>,
    /// What a new user gets once.
    pub sign_up_grant: u64,
    /// What every user gets each month.
    pub monthly_grant: u64,
    /// Most that a user may spend in a month; 0: no limit.
    pub month_budget: u64,
    /// Most that a session may spend in all; 0: no limit.
    pub session_budget: u64,
    /// Most of a user's credits that may be reserved while several runs are under way, in percent.
    pub held_share: u64,
    /// Seconds after which what a lost run reserved is given back.
    pub hold_ttl_secs: u64,
    /// Tokens of an answer that is expected of a model of which nothing is known yet.
    pub prior_output_tokens: u64,
}

impl Default for CreditsConfig {
    fn default() -> Self {
        let terms = CreditTerms::default();
        Self {
            enabled: true,
            prices: vec!["* 500000 1500000".into(), "stand-in 500000000 1500000000".into()],
            sign_up_grant: terms.sign_up_grant,
            monthly_grant: terms.monthly_grant,
            month_budget: terms.month_budget,
            session_budget: terms.session_budget,
            held_share: terms.held_share,
            hold_ttl_secs: terms.hold_ttl_ms / 1000,
            prior_output_tokens: terms.prior_output_tokens,
        }
    }
}

impl CreditsConfig {
    /// The settings of the engine; none: runs are free.
    #[must_use]
    pub fn engine(&self) -> Option<CreditConfig> {
        let prices = Prices::read(&self.prices).ok().filter(|_| self.enabled)?;
        let terms = CreditTerms {
            hold_ttl_ms: self.hold_ttl_secs * 1000,
            sign_up_grant: self.sign_up_grant,
            monthly_grant: self.monthly_grant,
            month_budget: self.month_budget,
            session_budget: self.session_budget,
            held_share: self.held_share,
            prior_output_tokens: self.prior_output_tokens,
        };
        Some(CreditConfig { terms, prices })
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        if let Err(error) = Prices::read(&self.prices) {
            problems.add("credits.prices", error.to_string(), "see `greenroom config doc`");
        }
        for (key, amount) in [
            ("credits.sign_up_grant", self.sign_up_grant),
            ("credits.monthly_grant", self.monthly_grant),
            ("credits.month_budget", self.month_budget),
            ("credits.session_budget", self.session_budget),
        ] {
            problems.range(key, amount, 0, AMOUNT_MAX);
        }
        problems.range("credits.held_share", self.held_share, 1, 100);
        problems.range("credits.hold_ttl_secs", self.hold_ttl_secs, 1, 86_400);
        problems.range("credits.prior_output_tokens", self.prior_output_tokens, 1, 1_000_000);
    }
}
